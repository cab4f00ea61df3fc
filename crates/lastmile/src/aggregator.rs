use std::io;
use std::sync::Arc;

use crate::connection::{ConnectionEvent, Listener};
use crate::dedup::Ids;
use crate::error::{Error, Repr};
use crate::exposition::{Scrape, ScrapeOptions};
use crate::handle::{Counter, Gauge, Histogram, Summary};
use crate::limit::Limits;
use crate::own::{self, Own};
use crate::push::{self, Arrived, DecodeError, Format, PushReport, Source};
use crate::recent::{Recent, RecentRefusal};
use crate::request::RequestRefusal;
use crate::schema::{Family, Kind, Schema};
use crate::store::{Pin, Store};
use crate::sync::{AtomicU32, Ordering};
use crate::time::{Ticks, Timestamp, ticks};
#[cfg(feature = "totals")]
use crate::totals::Totals;
use crate::visit::{self, Visitor};

/// Aggregates what untrusted clients push, and exposes it to Prometheus.
///
/// Cloning gives another handle to the same aggregate; it is `Send` and `Sync`, and no call blocks for
/// longer than it takes another to update or copy one block of rows (about 10 µs).
///
/// ```
/// use lastmile::{Aggregator, Family, Format, Label, Limits, Schema, Source, Timestamp};
/// use std::time::Duration;
///
/// let schema = Schema::builder()
///     .family(Family::counter("app_loads_total").label(Label::closed("app", ["student", "teacher"])))
///     .build()?;
/// let now = Timestamp::new(1_700_000_000_000, Duration::ZERO);
/// let agg = Aggregator::new(schema, Limits::default(), now)?;
///
/// let body = br#"{"lm":1,"id":"Zk3vTq81mWc0xHs9","m":{"app_loads_total;app=student":3}}"#;
/// let report = agg.push(Format::Lm1, body, &Source::default(), now).unwrap();
/// assert_eq!((report.accepted(), report.n_refused()), (1, 0));
///
/// let mut text = Vec::new();
/// agg.encode_to(&mut text, now).unwrap();
/// assert!(String::from_utf8(text).unwrap().contains("app_loads_total{app=\"student\"} 3\n"));
/// # Ok::<(), lastmile::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Aggregator {
    inner: Arc<Inner>,
}

/// What all handles share.
#[derive(Debug)]
pub(crate) struct Inner {
    store: Store,
    own: Own,
    ids: Ids,
    #[cfg(feature = "totals")]
    totals: Totals,
    recent: Recent,
    started: Timestamp,
    /// The latest time any call was given, for handles, which are given none.
    latest: AtomicU32,
    #[cfg(feature = "prometheus-client")]
    sources: crate::bridge::Sources,
}

impl Inner {
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// When it began, which is tick 0.
    pub(crate) fn started(&self) -> Timestamp {
        self.started
    }

    pub(crate) fn own(&self) -> &Own {
        &self.own
    }

    /// What stands behind its own families.
    #[cfg(feature = "prometheus-client")]
    pub(crate) fn sources(&self) -> &crate::bridge::Sources {
        &self.sources
    }

    /// The ticks of `now`, which becomes the latest time known if it is.
    #[inline]
    pub(crate) fn ticks(&self, now: Timestamp) -> Ticks {
        let now = ticks(self.started, now);
        // Ten times a second at most does the shared line change; otherwise this only reads it.
        if now > self.latest.load(Ordering::Relaxed) {
            self.latest.fetch_max(now, Ordering::Relaxed);
        }
        now
    }

    pub(crate) fn ids(&self) -> &Ids {
        &self.ids
    }

    #[cfg(feature = "totals")]
    pub(crate) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// What time brings about by itself.
    pub(crate) fn tick(&self, now: Timestamp) {
        let now = self.ticks(now);
        let n_expired = self.store.expire(now);
        self.ids.tick(now);
        self.own.ticked(self, n_expired, now);
    }

    /// The latest time any call was given.
    pub(crate) fn latest(&self) -> Ticks {
        self.latest.load(Ordering::Relaxed)
    }
}

impl Aggregator {
    /// An aggregator of this schema, at `now`.
    ///
    /// # Errors
    /// [`Error::is_limit`] when the series that the schema declares, or the room that folding needs,
    /// exceed the limits; the error names every such family.
    #[expect(clippy::needless_pass_by_value, reason = "callers hand both over")]
    pub fn new(schema: Schema, limits: Limits, now: Timestamp) -> Result<Self, Error> {
        Self::with_shards(&schema, &limits, now, None)
    }

    /// The same with a number of shards, for tests and models that want few.
    pub(crate) fn with_shards(
        schema: &Schema,
        limits: &Limits,
        now: Timestamp,
        n_shards: Option<usize>,
    ) -> Result<Self, Error> {
        let families =
            schema.families().cloned().chain(own::families().into_iter().map(Family::host_only));
        let store = Store::new(families, schema.mappings(), limits, n_shards)?;
        let ids = Ids::new(limits.ids_bytes_max());
        let own = Own::bind(&store, &ids)?;
        let inner = Inner {
            store,
            own,
            ids,
            #[cfg(feature = "totals")]
            totals: Totals::new(limits.streams_bytes_max(), now.wall_ms()),
            recent: Recent::default(),
            started: now,
            latest: AtomicU32::new(0),
            #[cfg(feature = "prometheus-client")]
            sources: crate::bridge::Sources::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Decodes a body and counts what it brought.
    ///
    /// A body (of `lm1`: each line) that does not decode changes nothing. Of one that decodes, samples
    /// that the schema does not allow are refused each alone, and the rest is counted. Samples of known
    /// series cost no allocation. Cost: about 1 µs per kB.
    ///
    /// # Errors
    /// When nothing decoded: the reason and the byte offset (of `lm1`: of the first line that failed).
    pub fn push(
        &self,
        format: Format,
        body: &[u8],
        source: &Source<'_>,
        now: Timestamp,
    ) -> Result<PushReport, DecodeError> {
        let Inner { store, own, ids, .. } = &*self.inner;
        let arrived = Arrived { ticks: self.inner.ticks(now), wall_ms: now.wall_ms() };
        #[cfg(feature = "totals")]
        let into = push::Into { store, ids, totals: &self.inner.totals };
        #[cfg(not(feature = "totals"))]
        let into = push::Into { store, ids };
        own.came(format, body.len());
        let failed = |error: &DecodeError| own.failed(format, error);
        let tell = |error: &DecodeError| self.inner.recent.failed(format, error, now);
        let report = push::push(into, format, body, source, arrived);
        let report = report.inspect_err(failed).inspect_err(tell)?;
        report.failed_lines().iter().for_each(|line| failed(&line.error()));
        // Of a push the first that failed is told.
        report.failed_lines().first().iter().for_each(|line| tell(&line.error()));
        match report.failed_lines().first() {
            Some(line) if report.batches() == 0 => Err(line.error()),
            _ => {
                own.pushed(format, &report);
                if report.n_refused() > 0 {
                    self.inner.recent.refused(store, format, body, source, now);
                }
                Ok(report)
            }
        }
    }

    /// Forgets what the totals of a group stood at, the one that [`Source::grouping_key`] and [`Source::key`] name: the
    /// next that are pushed to it are baselines, but for those that say to have begun since. What they counted stays.
    ///
    /// ```
    /// use lastmile::{Aggregator, Family, Format, Limits, Schema, Source, Timestamp};
    ///
    /// let start = Timestamp::new(1_700_000_000_000, std::time::Duration::ZERO);
    /// let schema = Schema::builder().family(Family::counter("jobs_total").max(1e6)).build()?;
    /// let agg = Aggregator::new(schema, Limits::default(), start)?;
    /// let source = Source::default().grouping_key(&[("job", "nightly")]);
    /// for total in [40, 45, 47] {
    ///     agg.push(Format::PromText, format!("jobs_total {total}").as_bytes(), &source, start)?;
    /// }
    /// agg.forget_group(&source, start);
    /// agg.push(Format::PromText, b"jobs_total 90", &source, start)?;
    /// let mut text = Vec::new();
    /// agg.encode_to(&mut text, start)?;
    /// assert!(String::from_utf8(text)?.contains("\njobs_total 7\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "pushgateway")]
    pub fn forget_group(&self, source: &Source<'_>, now: Timestamp) {
        let arrived = Arrived { ticks: self.inner.ticks(now), wall_ms: now.wall_ms() };
        push::forget_group(&self.inner.totals, source, arrived);
    }

    /// The last refusals, the newest first: at most 50 of samples, of 8 of a push of up to 256 KiB and 8 pushes a
    /// second, and as many of batches that did not decode, the first of a push. So noise costs no more than that, and bytes that
    /// do not decode hide no sample. `lastmile_refused_total` counts them all.
    #[must_use]
    pub fn recent_refusals(&self) -> Vec<RecentRefusal> {
        self.inner.recent.all()
    }

    /// Whether [`recent_refusals`](Self::recent_refusals) keeps the values of labels too, and the numbers, of
    /// samples that are refused from now on. Not at first: clients send what is nobody's business.
    pub fn set_debug_samples(&self, debug_samples: bool) {
        self.inner.recent.set_values(debug_samples);
    }

    /// Counts a request that a server in front refused before its body came here, in
    /// `lastmile_requests_refused_total`. Cost: that of a bound counter.
    pub fn refuse_request(&self, why: RequestRefusal) {
        self.inner.own.request_refused(why);
    }

    /// Counts what happened to connections of a server in front, in `lastmile_connection_events_total`.
    pub fn count_connections(&self, listener: Listener, event: ConnectionEvent, n: u64) {
        self.inner.own.connections(listener, event, n);
    }

    /// Says how many connections a server in front has, in `lastmile_connections`.
    pub fn set_connections(&self, listener: Listener, n: u64) {
        self.inner.own.set_connections(listener, n);
    }

    /// Starts an exposition; see [`Scrape`].
    #[must_use]
    pub fn scrape(&self, options: ScrapeOptions, now: Timestamp) -> Scrape {
        Scrape::new(Arc::clone(&self.inner), options, now)
    }

    /// Writes the live values as Prometheus text 0.0.4.
    ///
    /// # Errors
    /// Those of the writer; the scrape then counts as aborted.
    pub fn encode_to(&self, writer: &mut impl io::Write, now: Timestamp) -> io::Result<()> {
        let mut scrape = self.scrape(ScrapeOptions::text(), now);
        let mut chunk = Vec::new();
        while scrape.next_chunk(&mut chunk) {
            writer.write_all(&chunk)?;
        }
        scrape.complete(now);
        Ok(())
    }

    /// A handle to one series of a counter, which stays in place while the handle lives.
    ///
    /// # Errors
    /// [`Error::is_handle`] when the family is not a declared counter, the labels are not its labels, or
    /// a limit leaves the series no place.
    pub fn counter(&self, name: &str, labels: &[(&str, &str)]) -> Result<Counter, Error> {
        Ok(Counter::new(self.bind(name, Kind::Counter, labels)?, Arc::clone(&self.inner)))
    }

    /// A handle to one series of a gauge, which is exposed while the handle lives, 0 until it is set.
    /// What clients push to the same series replaces its value as the family's `combine` says.
    ///
    /// # Errors
    /// As for [`counter`](Self::counter).
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> Result<Gauge, Error> {
        Ok(Gauge::new(self.bind(name, Kind::Gauge, labels)?, Arc::clone(&self.inner)))
    }

    /// A handle to one series of a histogram, which stays in place while the handle lives.
    ///
    /// # Errors
    /// As for [`counter`](Self::counter).
    pub fn histogram(&self, name: &str, labels: &[(&str, &str)]) -> Result<Histogram, Error> {
        Ok(Histogram::new(self.bind(name, Kind::Histogram, labels)?, Arc::clone(&self.inner)))
    }

    /// A handle to one series of a summary, which stays in place while the handle lives.
    ///
    /// # Errors
    /// As for [`counter`](Self::counter).
    pub fn summary(&self, name: &str, labels: &[(&str, &str)]) -> Result<Summary, Error> {
        Ok(Summary::new(self.bind(name, Kind::Summary, labels)?, Arc::clone(&self.inner)))
    }

    fn bind(&self, name: &str, kind: Kind, labels: &[(&str, &str)]) -> Result<Arc<Pin>, Error> {
        let store = &self.inner.store;
        let catalog = store.lease();
        let family = catalog
            .find(name)
            .filter(|family| !family.is_own())
            .ok_or_else(|| Error::from(Repr::UnknownFamily(name.to_owned())))?;
        if family.kind() != kind {
            return Err(Error::handle(name, format!("is a {}, not a {kind}", family.kind())));
        }
        store.bind(family, labels, self.inner.latest())
    }

    /// Lets time pass: idle series leave here (and whenever a scrape completes), the gauges of the
    /// aggregator's own are set, and bound handles learn what time it is. Call it every second or so.
    /// Cost: a look at every series of an open family, eight times in its time to live.
    pub fn tick(&self, now: Timestamp) {
        self.inner.tick(now);
    }

    /// Puts another schema in place, at `now`. A family that is declared as before, but for its help, the
    /// bounds on its values, its time to live, or how many values of a label have a place, keeps its series
    /// with their values and start times. Any other starts anew from 0, and its old series leave with what
    /// was not scraped yet; so do those of families that are gone, and of a summary with another `max`, on
    /// which its windows depend. Handles to series that left work on, unseen, and are counted in
    /// `lastmile_detached_series`. The limits stay as they are.
    ///
    /// Pushes go on meanwhile, each under the schema that it began with, and the reload waits for those
    /// under way. Cost: a look at every series that leaves, and the making of those that are reserved.
    ///
    /// # Errors
    /// [`Error::is_limit`] when what the schema declares anew does not fit beside what is there; nothing
    /// changed then.
    ///
    /// ```
    /// # use lastmile::{Aggregator, Family, Format, Limits, Schema, Source, Timestamp};
    /// # let now = Timestamp::new(0, std::time::Duration::ZERO);
    /// let loads = Family::counter("app_loads_total");
    /// let agg = Aggregator::new(
    ///     Schema::builder().family(loads.clone()).family(Family::counter("old_total")).build()?,
    ///     Limits::default(),
    ///     now,
    /// )?;
    /// agg.push(Format::Lm1, br#"{"lm":1,"m":{"app_loads_total":3}}"#, &Source::default(), now).unwrap();
    ///
    /// let schema = Schema::builder().family(loads).family(Family::counter("new_total")).build()?;
    /// agg.reload(&schema, now)?;
    /// let mut text = Vec::new();
    /// agg.encode_to(&mut text, now).unwrap();
    /// let text = String::from_utf8(text).unwrap();
    /// assert!(text.contains("app_loads_total 3\n") && text.contains("new_total 0\n"));
    /// assert!(!text.contains("old_total"));
    /// # Ok::<(), lastmile::Error>(())
    /// ```
    pub fn reload(&self, schema: &Schema, now: Timestamp) -> Result<(), Error> {
        let Inner { store, own, .. } = &*self.inner;
        #[cfg(feature = "pushgateway")]
        self.inner.totals.note_reload(now.wall_ms());
        let now = self.inner.ticks(now);
        let own_families = store.catalog();
        store.reload(
            schema.families().cloned(),
            schema.mappings(),
            now,
            |family| own.begin(store, &own_families, family, now),
            |family| own.end(store, family, now),
        )?;
        own.reloaded(store);
        Ok(())
    }

    /// Whether the schema in force maps beacons that come to this path.
    #[cfg(feature = "mapping")]
    #[must_use]
    pub fn takes_beacons(&self, path: &str) -> bool {
        self.inner.store.lease().mappings().at(path).is_some()
    }

    /// The paths whose beacons the schema in force maps. A reload may change them.
    #[cfg(feature = "mapping")]
    #[must_use]
    pub fn beacon_paths(&self) -> Vec<String> {
        self.inner.store.lease().mappings().paths().map(str::to_owned).collect()
    }

    /// Shows every family and every exposed series to `visitor`, in the order of exposition.
    ///
    /// The values are copied out block by block; no lock is held while the visitor runs.
    pub fn visit(&self, now: Timestamp, visitor: &mut impl Visitor) {
        visit::visit(&self.inner.store, self.inner.ticks(now), visitor);
    }

    #[cfg(feature = "prometheus-client")]
    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    #[cfg(any(feature = "bench", test))]
    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    #[cfg(feature = "bench")]
    pub(crate) fn ticks(&self, now: Timestamp) -> Ticks {
        self.inner.ticks(now)
    }

    /// Bytes that series take, of those that [`Limits::bytes`] allows.
    #[must_use]
    pub fn bytes_used(&self) -> u64 {
        self.inner.store.bytes_used()
    }
}
