//! The aggregator's own metrics, kept in the store like any other and counted through bound cells.

use std::sync::Arc;
use std::time::Duration;

use crate::aggregator::Inner;
use crate::connection::{ConnectionEvent, Listener};
use crate::dedup::Ids;
use crate::error::Error;
use crate::push::{DecodeError, DecodeReason, Format, PushReport, Refusal};
use crate::request::RequestRefusal;
use crate::schema::{Family, Label, NAME_BYTES_MAX};
use crate::store::{Catalog, FamilyState, LabelMeters, Meters, Pin, Store};
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::time::{TICKS_PER_SEC, Ticks, Timestamp};

/// Durations of scrapes, in seconds: from a console's to the largest that Prometheus waits for by default.
const SCRAPE_BOUNDS: [f64; 9] = [0.001, 0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 5.0, 10.0];

/// Source: the seed's server, `serverSrc/readMetricConfigs.js`, with its text.
const RECORD_HELP: &str = "the number of times clients have posted to /record. \
    Try rate(metrics_aggregator_record_total)*10 for a sense of how many clients are connected.";

/// What becomes of families of a host's registries.
#[cfg(feature = "prometheus-client")]
const APPENDED: [&str; 4] = ["shown", "clash", "invalid", "failed"];

/// The families, which follow those of the schema.
pub(crate) fn families() -> Vec<Family> {
    let name = |label: &str| Label::open(label, u32::MAX).max_bytes(NAME_BYTES_MAX);
    let format = || Label::closed_exactly("format", Format::ALL.map(Format::as_str));
    let listener = || Label::closed_exactly("listener", Listener::ALL.map(Listener::as_str));
    vec![
        Family::gauge("lastmile_build_info")
            .help("Always 1, with the version of lastmile.")
            .label(Label::closed_exactly("version", [env!("CARGO_PKG_VERSION")])),
        Family::counter("lastmile_pushes_total")
            .help("Pushes of which at least one batch decoded, by format.")
            .label(format()),
        Family::counter("lastmile_push_errors_total")
            .help("Batches that did not decode and changed nothing, by format and reason.")
            .label(format())
            .label(Label::closed_exactly("reason", DecodeReason::ALL.map(DecodeReason::as_str))),
        Family::counter("lastmile_push_bytes_total")
            .unit("bytes")
            .help("Bytes of pushes, by format, whether they decoded or not.")
            .label(format()),
        Family::counter("lastmile_samples_total")
            .help("Samples that were counted, by format.")
            .label(format()),
        Family::counter("lastmile_refused_total")
            .help("Samples that were refused, each alone, by reason.")
            .label(Label::closed_exactly("reason", Refusal::ALL.map(Refusal::as_str))),
        Family::counter("lastmile_requests_refused_total")
            .help("Requests that were refused before their body was decoded, or given up, by reason.")
            .label(Label::closed_exactly("reason", RequestRefusal::ALL.map(RequestRefusal::as_str))),
        Family::gauge("lastmile_connections")
            .help("Connections that are there, by listener.")
            .label(listener()),
        Family::counter("lastmile_connection_events_total")
            .help("What happened to connections: those accepted, refused, and closed for a fault, by listener.")
            .label(listener())
            .label(Label::closed_exactly("event", ConnectionEvent::ALL.map(ConnectionEvent::as_str))),
        Family::counter("lastmile_batches_without_id_total")
            .help("Batches without an id, which a repeated request counts again, by format.")
            .label(format()),
        Family::counter("lastmile_duplicate_batches_total")
            .help("Batches that came again and were not counted again, by format.")
            .label(format()),
        Family::gauge("lastmile_dedup_window_seconds")
            .unit("seconds")
            .help("How long a batch id is remembered; less than 600 while memory for ids is short."),
        #[cfg(feature = "totals")]
        Family::counter("lastmile_cumulative_baseline_total")
            .help("Totals that added nothing, as it is not known what of their stream was counted before: the stream is older than this process, or was forgotten."),
        #[cfg(feature = "totals")]
        Family::counter("lastmile_cumulative_forgotten_total")
            .help("Streams of totals that were forgotten as memory for them is short; while this grows, totals are lower bounds."),
        Family::gauge("lastmile_readers").help("Scrapers that are there and whose view is kept."),
        Family::counter("lastmile_overflow_total")
            .help("Samples counted under `other` because a limit left their value no place of its own, or because it still waits for one; while this grows, the series of single values are lower bounds.")
            .label(name("family"))
            .label(name("label")),
        Family::gauge("lastmile_label_values")
            .help("Values of an open label that have a place of their own.")
            .label(name("family"))
            .label(name("label")),
        Family::gauge("lastmile_label_values_limit")
            .help("Values of an open label that may have a place of their own.")
            .label(name("family"))
            .label(name("label")),
        Family::gauge("lastmile_series")
            .help("Series of a family, those included that are reserved for what folds.")
            .label(name("family")),
        Family::gauge("lastmile_series_limit").help("Series that one family may have."),
        Family::gauge("lastmile_series_bytes")
            .unit("bytes")
            .help("Bytes that the series of a family take, with the values of their labels.")
            .label(name("family")),
        Family::gauge("lastmile_used_bytes")
            .unit("bytes")
            .help("Bytes that all series take together."),
        Family::gauge("lastmile_limit_bytes")
            .unit("bytes")
            .help("Bytes that all series may take together."),
        Family::counter("lastmile_reloads_total").help("Schemas that were put in place of another."),
        Family::gauge("lastmile_detached_series")
            .help("Series that the host holds and that no schema declares any more; they are not exposed."),
        Family::counter("lastmile_series_expired_total")
            .help("Series that left because nobody pushed to them for their time to live."),
        Family::counter("lastmile_scrapes_total")
            .help("Scrapes, by whether the reader took all of it.")
            .label(Label::closed_exactly("result", ["complete", "aborted"])),
        Family::histogram("lastmile_scrape_seconds", SCRAPE_BOUNDS)
            .unit("seconds")
            .help("Time from the start of a scrape until the reader had all of it."),
        Family::gauge("lastmile_scrape_lock_seconds")
            .unit("seconds")
            .help("Longest time that a scrape held a lock, which pushes to the same shard then waited for, in this minute or the one before."),
        #[cfg(feature = "prometheus-client")]
        Family::gauge("lastmile_appended_families")
            .help("Families of the host's registries in the last scrape: shown, left out as another had a name of theirs or as they were not valid; failed counts registries of which what followed was missing.")
            .label(Label::closed_exactly("result", APPENDED)),
        Family::counter("metrics_aggregator_record_total").help(RECORD_HELP),
    ]
}

/// Cells of the aggregator's own metrics, bound for as long as it lives.
#[derive(Debug)]
pub(crate) struct Own {
    formats: [OwnFormat; Format::ALL.len()],
    #[cfg(feature = "totals")]
    baselines: Arc<Pin>,
    #[cfg(feature = "totals")]
    forgotten: Arc<Pin>,
    refused: [Arc<Pin>; Refusal::ALL.len()],
    requests_refused: [Arc<Pin>; RequestRefusal::ALL.len()],
    listeners: [OwnListener; Listener::ALL.len()],
    expired: Arc<Pin>,
    reloads: Arc<Pin>,
    detached: Arc<Pin>,
    used_bytes: Arc<Pin>,
    window: Arc<Pin>,
    readers: Arc<Pin>,
    scrapes_complete: Arc<Pin>,
    scrapes_aborted: Arc<Pin>,
    scrape_seconds: Arc<Pin>,
    lock_seconds: Arc<Pin>,
    holds: Holds,
    record: Arc<Pin>,
    #[cfg(feature = "prometheus-client")]
    appended: [Arc<Pin>; APPENDED.len()],
}

/// The longest lock hold of this minute and of the one before, in nanoseconds.
#[derive(Debug, Default)]
struct Holds {
    now: AtomicU64,
    before: AtomicU64,
    minute: AtomicU32,
}

impl Holds {
    fn add(&self, held: Duration) {
        let nanos = u64::try_from(held.as_nanos()).unwrap_or(u64::MAX);
        // Most holds are not the longest, and only look.
        if nanos > self.now.load(Ordering::Relaxed) {
            self.now.fetch_max(nanos, Ordering::Relaxed);
        }
    }

    /// The longest in seconds, once a minute that is over was put aside.
    fn longest(&self, now: Ticks) -> f64 {
        let minute = now / (60 * TICKS_PER_SEC);
        if self.minute.swap(minute, Ordering::Relaxed) != minute {
            self.before.store(self.now.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        }
        let nanos = self.now.load(Ordering::Relaxed).max(self.before.load(Ordering::Relaxed));
        Duration::from_nanos(nanos).as_secs_f64()
    }
}

/// Those that are kept by listener.
#[derive(Debug)]
struct OwnListener {
    events: [Arc<Pin>; ConnectionEvent::ALL.len()],
    connections: Arc<Pin>,
}

/// Those that are kept by format.
#[derive(Debug)]
struct OwnFormat {
    pushes: Arc<Pin>,
    bytes: Arc<Pin>,
    samples: Arc<Pin>,
    without_id: Arc<Pin>,
    duplicates: Arc<Pin>,
    errors: [Arc<Pin>; DecodeReason::ALL.len()],
}

impl Own {
    /// Binds them all, and those about each family.
    pub(crate) fn bind(store: &Store, ids: &Ids) -> Result<Self, Error> {
        let catalog = store.catalog();
        let bind = |name: &str, labels: &[(&str, &str)]| bind(store, &catalog, name, labels, 0);
        let set = |name: &str, labels: &[(&str, &str)], value: f64| {
            bind(name, labels).inspect(|pin| pin.store(value.to_bits()))
        };
        set("lastmile_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0)?;
        set("lastmile_series_limit", &[], f64::from(store.series_per_family()))?;
        set("lastmile_limit_bytes", &[], store.bytes_max() as f64)?;
        let of_format = |format: Format| {
            let format = ("format", format.as_str());
            let by_format = |name: &str| bind(name, &[format]);
            Ok::<_, Error>(OwnFormat {
                pushes: by_format("lastmile_pushes_total")?,
                bytes: by_format("lastmile_push_bytes_total")?,
                samples: by_format("lastmile_samples_total")?,
                without_id: by_format("lastmile_batches_without_id_total")?,
                duplicates: by_format("lastmile_duplicate_batches_total")?,
                errors: each(DecodeReason::ALL, |reason| {
                    bind("lastmile_push_errors_total", &[format, ("reason", reason.as_str())])
                })?,
            })
        };
        let of_listener = |listener: Listener| {
            let listener = ("listener", listener.as_str());
            Ok::<_, Error>(OwnListener {
                events: each(ConnectionEvent::ALL, |event| {
                    bind("lastmile_connection_events_total", &[listener, ("event", event.as_str())])
                })?,
                connections: bind("lastmile_connections", &[listener])?,
            })
        };
        let own = Self {
            formats: each(Format::ALL, of_format)?,
            #[cfg(feature = "totals")]
            baselines: bind("lastmile_cumulative_baseline_total", &[])?,
            #[cfg(feature = "totals")]
            forgotten: bind("lastmile_cumulative_forgotten_total", &[])?,
            refused: each(Refusal::ALL, |why| {
                bind("lastmile_refused_total", &[("reason", why.as_str())])
            })?,
            requests_refused: each(RequestRefusal::ALL, |why| {
                bind("lastmile_requests_refused_total", &[("reason", why.as_str())])
            })?,
            listeners: each(Listener::ALL, of_listener)?,
            window: set("lastmile_dedup_window_seconds", &[], ids.window_secs())?,
            readers: bind("lastmile_readers", &[])?,
            expired: bind("lastmile_series_expired_total", &[])?,
            reloads: bind("lastmile_reloads_total", &[])?,
            detached: bind("lastmile_detached_series", &[])?,
            used_bytes: bind("lastmile_used_bytes", &[])?,
            scrapes_complete: bind("lastmile_scrapes_total", &[("result", "complete")])?,
            scrapes_aborted: bind("lastmile_scrapes_total", &[("result", "aborted")])?,
            scrape_seconds: bind("lastmile_scrape_seconds", &[])?,
            lock_seconds: bind("lastmile_scrape_lock_seconds", &[])?,
            holds: Holds::default(),
            record: bind("metrics_aggregator_record_total", &[])?,
            #[cfg(feature = "prometheus-client")]
            appended: each(APPENDED, |result| {
                bind("lastmile_appended_families", &[("result", result)])
            })?,
        };
        for family in catalog.families().iter().filter(|family| !family.is_own()) {
            own.begin(store, &catalog, family, 0)?;
        }
        own.look(store);
        Ok(own)
    }

    /// Binds what is told about one family.
    pub(crate) fn begin(
        &self,
        store: &Store,
        catalog: &Catalog,
        family: &FamilyState,
        now: Ticks,
    ) -> Result<(), Error> {
        let declared = family.declared();
        let of_family = ("family", declared.name());
        let bind = |name: &str, labels: &[(&str, &str)]| bind(store, catalog, name, labels, now);
        let labels = declared.labels().iter().map(|label| {
            label.as_open().map(|_| {
                let labels = [of_family, ("label", label.name())];
                Ok::<_, Error>(LabelMeters {
                    overflow: bind("lastmile_overflow_total", &labels)?,
                    values: bind("lastmile_label_values", &labels)?,
                    limit: bind("lastmile_label_values_limit", &labels)?,
                })
            })
        });
        family.incarnation().set_meters(Meters {
            series: bind("lastmile_series", &[of_family])?,
            bytes: bind("lastmile_series_bytes", &[of_family])?,
            labels: labels.map(Option::transpose).collect::<Result<_, _>>()?,
        });
        Ok(())
    }

    /// A family is gone, and what is told about it with it.
    pub(crate) fn end(&self, store: &Store, family: &FamilyState, now: Ticks) {
        let Some(meters) = family.incarnation().meters() else { return };
        let of_label =
            |label: &LabelMeters| [&label.overflow, &label.values, &label.limit].map(Arc::clone);
        let of_labels = meters.labels.iter().flatten().flat_map(of_label);
        for pin in [&meters.series, &meters.bytes].map(Arc::clone).into_iter().chain(of_labels) {
            store.unbind(&pin, || now);
        }
    }

    /// Looks at how full everything is.
    fn look(&self, store: &Store) {
        self.detached.store((store.n_detached() as f64).to_bits());
        self.used_bytes.store((store.bytes_used() as f64).to_bits());
        store.lease().families().iter().for_each(|family| family.meter());
    }

    /// Another schema is in place.
    pub(crate) fn reloaded(&self, store: &Store) {
        self.reloads.add(1);
        self.look(store);
    }

    /// Counts a body that came.
    #[inline]
    pub(crate) fn came(&self, format: Format, n_bytes: usize) {
        self.formats[format as usize].bytes.add(n_bytes as u64);
    }

    /// Counts a push of which at least one batch decoded.
    #[inline]
    pub(crate) fn pushed(&self, format: Format, report: &PushReport) {
        let own = &self.formats[format as usize];
        own.pushes.add(1);
        own.samples.add(report.accepted());
        if report.batches_without_id() > 0 {
            own.without_id.add(u64::from(report.batches_without_id()));
        }
        if report.duplicate_batches() > 0 {
            own.duplicates.add(u64::from(report.duplicate_batches()));
        }
        if format == Format::Record {
            self.record.add(1);
        }
        #[cfg(feature = "totals")]
        if report.baselines() > 0 {
            self.baselines.add(report.baselines());
        }
        for (why, n) in report.refused() {
            self.refused[why as usize].add(n);
        }
    }

    /// Counts a request that got no further than the server.
    #[cold]
    pub(crate) fn request_refused(&self, why: RequestRefusal) {
        self.requests_refused[why as usize].add(1);
    }

    /// Counts what happened to connections of a listener.
    pub(crate) fn connections(&self, listener: Listener, event: ConnectionEvent, n: u64) {
        self.listeners[listener as usize].events[event as usize].add(n);
    }

    /// So many connections a listener has.
    pub(crate) fn set_connections(&self, listener: Listener, n: u64) {
        self.listeners[listener as usize].connections.store((n as f64).to_bits());
    }

    /// Counts a batch that did not decode.
    #[cold]
    pub(crate) fn failed(&self, format: Format, error: &DecodeError) {
        self.formats[format as usize].errors[error.reason() as usize].add(1);
    }

    /// Time passed, and with it so many series.
    pub(crate) fn ticked(&self, agg: &Inner, n_expired: u64, now: Ticks) {
        self.expired.add(n_expired);
        self.window.store(agg.ids().window_secs().to_bits());
        #[cfg(feature = "totals")]
        self.forgotten.add(agg.totals().take_forgotten());
        self.readers.store((agg.store().readers().n_live(now) as f64).to_bits());
        self.lock_seconds.store(self.holds.longest(now).to_bits());
        self.look(agg.store());
    }

    /// A scrape has read the registries of the host.
    #[cfg(feature = "prometheus-client")]
    pub(crate) fn appended(&self, outcome: &crate::bridge::Outcome) {
        use crate::bridge::Reason;

        let left_out = |why| outcome.left_out.iter().filter(|l| l.reason() == why).count();
        let [clash, invalid, failed] =
            [Reason::Clash, Reason::Invalid, Reason::Failed].map(left_out);
        for (pin, n) in self.appended.iter().zip([outcome.shown.len(), clash, invalid, failed]) {
            pin.store((n as f64).to_bits());
        }
    }

    /// A scrape held a lock for so long.
    #[inline]
    pub(crate) fn held(&self, held: Duration) {
        self.holds.add(held);
    }

    pub(crate) fn scrape_completed(&self, agg: &Inner, took: Duration, now: Timestamp) {
        self.scrapes_complete.add(1);
        agg.store().observe_pinned(&self.scrape_seconds, took.as_secs_f64(), agg.ticks(now));
    }

    pub(crate) fn scrape_aborted(&self) {
        self.scrapes_aborted.add(1);
    }
}

/// Binds a series of one of the families above.
fn bind(
    store: &Store,
    catalog: &Catalog,
    name: &str,
    labels: &[(&str, &str)],
    now: Ticks,
) -> Result<Arc<Pin>, Error> {
    store.bind(catalog.find(name).expect("it is one of its own"), labels, now)
}

/// Maps an array, stopping at the first error.
fn each<T, U, const N: usize>(
    from: [T; N],
    f: impl FnMut(T) -> Result<U, Error>,
) -> Result<[U; N], Error> {
    let all = from.into_iter().map(f).collect::<Result<Vec<U>, Error>>()?;
    Ok(all.try_into().unwrap_or_else(|_| unreachable!("as many came out as went in")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_hold_is_forgotten_after_two_minutes() {
        let holds = Holds::default();
        let at = |secs: Ticks| holds.longest(secs * TICKS_PER_SEC);
        holds.add(Duration::from_micros(20));
        holds.add(Duration::from_micros(10));
        assert_eq!((at(0), at(59), at(60), at(119)), (20e-6, 20e-6, 20e-6, 20e-6));
        holds.add(Duration::from_micros(5));
        assert_eq!((at(119), at(121), at(181)), (20e-6, 5e-6, 0.0));
    }
}
