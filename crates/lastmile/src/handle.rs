//! Bound handles for the host's own metrics. While one lives its row neither expires nor moves out of
//! a scrape's sight; the last one dropped folds its cell into the row.

use std::fmt;
use std::sync::Arc;

use crate::aggregator::Inner;
use crate::exemplar::Exemplar;
use crate::push::Refusal;
use crate::schema::Native;
use crate::store::Pin;
use crate::value::VALUE_MAX;

/// The pin of a row and the aggregator it belongs to.
struct Bound {
    pin: Arc<Pin>,
    agg: Arc<Inner>,
}

impl Clone for Bound {
    fn clone(&self) -> Self {
        self.pin.acquire();
        Self { pin: Arc::clone(&self.pin), agg: Arc::clone(&self.agg) }
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        self.agg.store().unbind(&self.pin, || self.agg.latest());
    }
}

impl Bound {
    fn observe(&self, v: f64) -> Result<(), Refusal> {
        check(v)?;
        self.agg.store().observe_pinned(&self.pin, v, self.agg.latest());
        Ok(())
    }

    fn fmt(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = self.pin.family().declared().name();
        f.debug_struct(name).field("family", &family).finish_non_exhaustive()
    }
}

/// One series of a counter. Cloning shares it.
///
/// ```
/// # use lastmile::{Aggregator, Family, Limits, Schema, Timestamp};
/// # let schema = Schema::builder().family(Family::counter("jobs_total")).build()?;
/// # let now = Timestamp::new(0, std::time::Duration::ZERO);
/// # let agg = Aggregator::new(schema, Limits::default(), now)?;
/// let jobs = agg.counter("jobs_total", &[])?;
/// jobs.inc();
/// jobs.inc_by(2);
/// assert_eq!(jobs.value(), 3.0);
/// # Ok::<(), lastmile::Error>(())
/// ```
#[derive(Clone)]
pub struct Counter(Bound);

impl Counter {
    pub(crate) fn new(pin: Arc<Pin>, agg: Arc<Inner>) -> Self {
        Self(Bound { pin, agg })
    }

    /// Adds 1: one relaxed atomic addition on a cache line of its own.
    #[inline]
    pub fn inc(&self) {
        self.0.pin.add(1);
    }

    /// Adds a whole number, at the same cost. What is added through handles wraps at 2^64.
    #[inline]
    pub fn inc_by(&self, n: u64) {
        self.0.pin.add(n);
    }

    /// Adds a whole number, and keeps what it belongs to as the series' exemplar, in place of the one before.
    /// Protobuf expositions show it, and OpenMetrics if the family's name ends in `_total`. `timestamp_ms` is wall
    /// time. Whether the exemplar was taken: one whose label names and values have more than 128 code points in
    /// all, or with a name that is not `[a-zA-Z_][a-zA-Z0-9_]*` or comes twice, is not, nor is one for which the
    /// limit on [bytes](crate::Limits::bytes) has no room. The number is added either way.
    ///
    /// Locks the row's shard. It is kept with the handle, in some 100 bytes for a trace id and at most about 4 KiB,
    /// and leaves with the last one.
    ///
    /// ```
    /// # use lastmile::{Aggregator, Family, Limits, Schema, Timestamp};
    /// # let schema = Schema::builder().family(Family::counter("jobs_total")).build()?;
    /// # let now = Timestamp::new(0, std::time::Duration::ZERO);
    /// # let agg = Aggregator::new(schema, Limits::default(), now)?;
    /// let jobs = agg.counter("jobs_total", &[])?;
    /// assert!(jobs.inc_by_with_exemplar(2, &[("trace_id", "5f1c")], Some(1_700_000_000_000)));
    /// assert!(!jobs.inc_by_with_exemplar(1, &[("not a name", "5f1c")], None));
    /// assert_eq!(jobs.value(), 3.0);
    ///
    /// use lastmile::{Escaping, ExpositionFormat, ScrapeOptions};
    /// let format = ExpositionFormat::OpenMetrics1_0_0(Escaping::AllowUtf8);
    /// let mut chunk = Vec::new();
    /// assert!(agg.scrape(ScrapeOptions::new(format), now).next_chunk(&mut chunk));
    /// let line = b"jobs_total 3 # {trace_id=\"5f1c\"} 2 1700000000.000\n";
    /// assert!(chunk.starts_with(&[&b"# TYPE jobs counter\n"[..], line].concat()));
    /// # Ok::<(), lastmile::Error>(())
    /// ```
    pub fn inc_by_with_exemplar(
        &self,
        n: u64,
        labels: &[(&str, &str)],
        timestamp_ms: Option<u64>,
    ) -> bool {
        let Some(exemplar) = Exemplar::new(labels, n as f64, timestamp_ms) else {
            self.inc_by(n);
            return false;
        };
        self.0.agg.store().add_with_exemplar(&self.0.pin, n, exemplar)
    }

    /// Adds any number from 0 to 2^53. Locks the row's shard.
    ///
    /// # Errors
    /// Why the number is refused; nothing is added then.
    pub fn add(&self, v: f64) -> Result<(), Refusal> {
        check(v)?;
        self.0.agg.store().add_pinned(&self.0.pin, v);
        Ok(())
    }

    /// Adds what a recorder collected. So much that the cell could wrap goes to the row, which cannot.
    pub(crate) fn add_many(&self, n: u64) {
        if n <= u64::from(u32::MAX) {
            self.0.pin.add(n);
        } else {
            self.0.agg.store().add_whole_pinned(&self.0.pin, n);
        }
    }

    /// What the series stands at, rounded to the nearest `f64`. Locks the row's shard.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.0.agg.store().read_pinned(&self.0.pin).to_f64()
    }
}

/// One series of a gauge. Cloning shares it.
///
/// ```
/// # use lastmile::{Aggregator, Family, Limits, Schema, Timestamp};
/// # let schema = Schema::builder().family(Family::gauge("queue_jobs")).build()?;
/// # let now = Timestamp::new(0, std::time::Duration::ZERO);
/// # let agg = Aggregator::new(schema, Limits::default(), now)?;
/// let queue = agg.gauge("queue_jobs", &[])?;
/// queue.set(10.0);
/// queue.add(-1.0);
/// assert_eq!(queue.value(), 9.0);
/// # Ok::<(), lastmile::Error>(())
/// ```
#[derive(Clone)]
pub struct Gauge(Bound);

impl Gauge {
    pub(crate) fn new(pin: Arc<Pin>, agg: Arc<Inner>) -> Self {
        Self(Bound { pin, agg })
    }

    /// Sets the value. One that is not finite changes nothing.
    #[inline]
    pub fn set(&self, v: f64) {
        if v.is_finite() {
            self.0.pin.store(v.to_bits());
        }
    }

    /// Adds to the value, which stays finite: a change that would make it infinite is not made.
    #[inline]
    pub fn add(&self, by: f64) {
        self.0.pin.update(|v| if (v + by).is_finite() { v + by } else { v });
    }

    /// What the series stands at.
    #[must_use]
    pub fn value(&self) -> f64 {
        f64::from_bits(self.0.pin.load())
    }
}

/// One series of a histogram. Cloning shares it.
///
/// ```
/// # use lastmile::{Aggregator, Family, Limits, Refusal, Schema, Timestamp};
/// # let schema = Schema::builder().family(Family::histogram("job_seconds", [0.1, 1.0])).build()?;
/// # let now = Timestamp::new(0, std::time::Duration::ZERO);
/// # let agg = Aggregator::new(schema, Limits::default(), now)?;
/// let seconds = agg.histogram("job_seconds", &[])?;
/// seconds.observe(0.25)?;
/// assert_eq!(seconds.observe(f64::NAN), Err(Refusal::NotANumber));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Histogram(Bound);

impl Histogram {
    pub(crate) fn new(pin: Arc<Pin>, agg: Arc<Inner>) -> Self {
        Self(Bound { pin, agg })
    }

    /// Counts one observation from 0 to 2^53. Locks the row's shard.
    ///
    /// # Errors
    /// Why the value is refused; nothing is counted then.
    pub fn observe(&self, v: f64) -> Result<(), Refusal> {
        self.0.observe(v)
    }

    /// Counts one observation, and keeps what it belongs to as the exemplar of its classic bucket; otherwise as
    /// [`Counter::inc_by_with_exemplar`], with one exemplar a bucket, whatever the family's name. In native
    /// histograms Prometheus takes only those with a timestamp.
    ///
    /// # Errors
    /// Why the value is refused; nothing is counted or kept then.
    ///
    /// ```
    /// # use lastmile::{Aggregator, Family, Limits, Refusal, Schema, Timestamp};
    /// # let schema = Schema::builder().family(Family::histogram("job_seconds", [0.1])).build()?;
    /// # let now = Timestamp::new(0, std::time::Duration::ZERO);
    /// # let agg = Aggregator::new(schema, Limits::default(), now)?;
    /// let seconds = agg.histogram("job_seconds", &[])?;
    /// assert_eq!(seconds.observe_with_exemplar(0.25, &[("trace_id", "5f1c")], None), Ok(true));
    /// assert_eq!(seconds.observe_with_exemplar(-1.0, &[], None), Err(Refusal::Negative));
    /// # Ok::<(), lastmile::Error>(())
    /// ```
    pub fn observe_with_exemplar(
        &self,
        v: f64,
        labels: &[(&str, &str)],
        timestamp_ms: Option<u64>,
    ) -> Result<bool, Refusal> {
        check(v)?;
        let Some(exemplar) = Exemplar::new(labels, v, timestamp_ms) else {
            self.observe(v)?;
            return Ok(false);
        };
        let Bound { pin, agg } = &self.0;
        Ok(agg.store().observe_with_exemplar(pin, v, exemplar, agg.latest()))
    }

    /// The family's upper bounds and native buckets.
    pub(crate) fn buckets(&self) -> (Box<[f64]>, Option<Native>) {
        let family = self.0.pin.family();
        (family.bounds().into(), family.native())
    }

    /// Adds cells that a recorder collected, laid out as the row's are.
    pub(crate) fn merge(&self, cells: &[u64]) {
        self.0.agg.store().merge_pinned(&self.0.pin, cells, self.0.agg.latest());
    }
}

/// One series of a summary. Cloning shares it.
///
/// ```
/// # use lastmile::{Aggregator, Family, Limits, Refusal, Schema, Timestamp};
/// # let now = Timestamp::new(0, std::time::Duration::ZERO);
/// # #[cfg(feature = "summary")] {
/// let schema = Schema::builder().family(Family::summary("job_seconds")).build()?;
/// let agg = Aggregator::new(schema, Limits::default(), now)?;
/// let seconds = agg.summary("job_seconds", &[])?;
/// seconds.observe(0.25)?;
/// assert_eq!(seconds.observe(-1.0), Err(Refusal::Negative));
/// let mut text = Vec::new();
/// agg.encode_to(&mut text, now)?;
/// let text = String::from_utf8(text)?;
/// assert!(text.contains("job_seconds{quantile=\"0.99\"} 0.25\njob_seconds_sum 0.25\njob_seconds_count 1\n"));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Summary(Bound);

impl Summary {
    pub(crate) fn new(pin: Arc<Pin>, agg: Arc<Inner>) -> Self {
        Self(Bound { pin, agg })
    }

    /// Counts one observation from 0 to 2^53; in the quantiles one above the family's `max` counts as
    /// that. Locks the row's shard; the first of each two minutes may allocate under it. The time is the
    /// latest that any call to the aggregator was given.
    ///
    /// # Errors
    /// Why the value is refused; nothing is counted then.
    pub fn observe(&self, v: f64) -> Result<(), Refusal> {
        self.0.observe(v)
    }
}

/// The host is trusted with size, not with sense: what would break a sum is refused.
pub(crate) fn check(v: f64) -> Result<(), Refusal> {
    if v.is_nan() {
        Err(Refusal::NotANumber)
    } else if v < 0.0 {
        Err(Refusal::Negative)
    } else if v.is_infinite() {
        Err(Refusal::NotFinite)
    } else if v > VALUE_MAX {
        Err(Refusal::TooLarge)
    } else {
        Ok(())
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt("Counter", f)
    }
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt("Gauge", f)
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt("Histogram", f)
    }
}

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt("Summary", f)
    }
}
