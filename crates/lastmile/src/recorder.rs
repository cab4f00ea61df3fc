//! Batches for very hot callers: plain additions in memory of one worker, and one update of the
//! aggregate for many of them.

use std::cell::Cell;
use std::fmt;

use crate::handle::{Counter, Histogram};
use crate::push::Refusal;
use crate::schema::Native;
use crate::sync::unique;
use crate::value::{histogram, native};

/// Counts in one worker's own memory until it is flushed, for callers to whom even an atomic addition,
/// or a lock for each observation, is too much.
///
/// One for each worker thread or task: it is `Send` and not `Sync`. It holds clones of the handles it
/// was given, so their rows stay in place while it lives. Dropping it flushes.
///
/// What was not flushed is in nobody's exposition and in no handle's [`value`](Counter::value): flush
/// after each batch of work, and more often than the aggregate is scraped. A worker that blocks for long
/// flushes before.
///
/// ```
/// use lastmile::{Aggregator, Family, Limits, Recorder, Schema, Timestamp};
/// # let now = Timestamp::new(0, std::time::Duration::ZERO);
/// let schema = Schema::builder()
///     .family(Family::counter("jobs_total"))
///     .family(Family::histogram("job_seconds", [0.1, 1.0]))
///     .build()?;
/// let agg = Aggregator::new(schema, Limits::default(), now)?;
/// let total = agg.counter("jobs_total", &[])?;
///
/// let mut recorder = Recorder::new();
/// let jobs = recorder.counter(&total);
/// let seconds = recorder.histogram(&agg.histogram("job_seconds", &[])?);
/// for _ in 0..1_000 {
///     recorder.inc(jobs);
///     recorder.observe(seconds, 0.25)?;
/// }
/// assert_eq!(total.value(), 0.0);
/// recorder.flush();
/// assert_eq!(total.value(), 1_000.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Recorder {
    /// Its number among all recorders of the process, which its ids carry.
    number: u64,
    counters: Vec<LocalCounter>,
    histograms: Vec<LocalHistogram>,
}

/// A counter of one [`Recorder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterId {
    recorder: u64,
    at: usize,
}

/// A histogram of one [`Recorder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistogramId {
    recorder: u64,
    at: usize,
}

struct LocalCounter {
    pending: Cell<u64>,
    counter: Counter,
}

struct LocalHistogram {
    /// Laid out as a row's cells, native ones behind the others. Taken out while an observation is counted, so that
    /// this type is `Send` without a lock or a borrow to check.
    cells: Cell<Box<[u64]>>,
    bounds: Box<[f64]>,
    native: Option<Native>,
    histogram: Histogram,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Recorder {
    /// A recorder of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { number: unique(), counters: Vec::new(), histograms: Vec::new() }
    }

    /// The id under which this recorder counts for a counter.
    #[must_use]
    pub fn counter(&mut self, counter: &Counter) -> CounterId {
        self.counters.push(LocalCounter { pending: Cell::new(0), counter: counter.clone() });
        CounterId { recorder: self.number, at: self.counters.len() - 1 }
    }

    /// The id under which this recorder observes for a histogram.
    #[must_use]
    pub fn histogram(&mut self, histogram: &Histogram) -> HistogramId {
        let (bounds, native) = histogram.buckets();
        let n_native = native.map_or(0, |native| native::n_cells(native.max_buckets as usize));
        let n_cells = histogram::n_cells(bounds.len()) + n_native;
        self.histograms.push(LocalHistogram {
            cells: Cell::new(vec![0; n_cells].into_boxed_slice()),
            bounds,
            native,
            histogram: histogram.clone(),
        });
        HistogramId { recorder: self.number, at: self.histograms.len() - 1 }
    }

    /// Adds 1: an addition in memory that no other core wants, about 1 ns.
    ///
    /// # Panics
    /// If the id is another recorder's.
    #[inline]
    pub fn inc(&self, id: CounterId) {
        self.inc_by(id, 1);
    }

    /// Adds a whole number, at the same cost.
    ///
    /// # Panics
    /// If the id is another recorder's.
    #[inline]
    pub fn inc_by(&self, id: CounterId, n: u64) {
        self.check(id.recorder);
        let local = &self.counters[id.at];
        match local.pending.get().checked_add(n) {
            Some(total) => local.pending.set(total),
            None => {
                local.flush();
                local.pending.set(n);
            }
        }
    }

    /// Counts one observation from 0 to 2^53, without a lock: about 6 ns with a dozen bounds.
    ///
    /// # Errors
    /// Why the value is refused; nothing is counted then.
    ///
    /// # Panics
    /// If the id is another recorder's.
    #[inline]
    pub fn observe(&self, id: HistogramId, v: f64) -> Result<(), Refusal> {
        self.check(id.recorder);
        let local = &self.histograms[id.at];
        crate::handle::check(v)?;
        let mut cells = local.cells.take();
        let (classic, exponential) = cells.split_at_mut(histogram::n_cells(local.bounds.len()));
        histogram::observe(classic, &local.bounds, v, 1);
        if let Some(native) = local.native {
            native::observe(exponential, native.schema, v, 1);
        }
        local.cells.set(cells);
        Ok(())
    }

    /// Moves all that was counted into the aggregate: one atomic addition for each counter, one lock
    /// of a shard for each histogram, nothing for what did not change. Each histogram arrives whole, so
    /// its lines agree in every scrape.
    pub fn flush(&self) {
        self.counters.iter().for_each(LocalCounter::flush);
        self.histograms.iter().for_each(LocalHistogram::flush);
    }

    /// An id of another recorder would count for another series, silently.
    #[inline]
    fn check(&self, recorder: u64) {
        assert!(recorder == self.number, "this id was made by another `Recorder`");
    }
}

impl LocalCounter {
    #[cold]
    fn flush(&self) {
        let n = self.pending.take();
        if n > 0 {
            self.counter.add_many(n);
        }
    }
}

impl LocalHistogram {
    fn flush(&self) {
        let mut cells = self.cells.take();
        // One that was observed has a bucket that is not 0, even if its sum is.
        if cells.iter().any(|cell| *cell != 0) {
            self.histogram.merge(&cells);
            cells.fill(0);
        }
        self.cells.set(cells);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.flush();
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("n_counters", &self.counters.len())
            .field("n_histograms", &self.histograms.len())
            .finish_non_exhaustive()
    }
}
