use crate::readers::Hold;
use crate::sync::{AtomicU64, Ordering};

/// How much an [`Aggregator`](crate::Aggregator) may hold, whatever clients send.
///
/// At a limit a sample's open labels become `other` and its closed labels stay, so totals remain true;
/// a series that exists is never refused. Room for that is reserved when a family is declared.
///
/// ```
/// use lastmile::Limits;
///
/// let limits = Limits::default().bytes(8 << 20).series_per_family(500);
/// assert_eq!(limits.bytes_max(), 8 << 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    bytes: u64,
    series_per_family: u32,
    hold: Hold,
    ids_bytes: u64,
    streams_bytes: u64,
    new_series_per_second: Option<u32>,
}

/// 64 MiB hold about 500,000 counter series with prefixes of 94 bytes.
const BYTES_DEFAULT: u64 = 64 << 20;

/// A hundred values of one label times a hundred of another.
const SERIES_PER_FAMILY_DEFAULT: u32 = 10_000;

/// 32 MiB hold about 700,000 ids: ten minutes of 1,160 batches a second.
const IDS_BYTES_DEFAULT: u64 = 32 << 20;

/// 16 MiB hold about 120,000 streams of counters, or 60,000 of histograms with a dozen buckets.
const STREAMS_BYTES_DEFAULT: u64 = 16 << 20;

impl Default for Limits {
    /// 64 MiB in all, 10,000 series per family, 32 MiB of batch ids, 16 MiB of streams.
    fn default() -> Self {
        Self {
            bytes: BYTES_DEFAULT,
            series_per_family: SERIES_PER_FAMILY_DEFAULT,
            hold: Hold::default(),
            ids_bytes: IDS_BYTES_DEFAULT,
            streams_bytes: STREAMS_BYTES_DEFAULT,
            new_series_per_second: None,
        }
    }
}

impl Limits {
    /// Bytes for all series together: their rows, keys, cells and label values, and the exemplars of the host's own.
    #[must_use]
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Series of one family, those at `other` included.
    #[must_use]
    pub fn series_per_family(mut self, series: u32) -> Self {
        self.series_per_family = series;
        self
    }

    /// New series that one source may bring about in a second, and as many at once; not limited unless this
    /// says so. A source is the prefix of a client's address, /32 or /56, and all pushes without one are one
    /// source; what is more counts as `other`. Wrong behind a proxy that is not declared, where all clients
    /// are one source.
    #[must_use]
    pub fn new_series_per_second(mut self, series: u32) -> Self {
        self.new_series_per_second = Some(series);
        self
    }

    pub(crate) fn new_series_per_second_max(&self) -> Option<u32> {
        self.new_series_per_second
    }

    /// Bytes for the ids of batches, beside those for series; 0 counts every batch as new, and more than 4 GiB
    /// are not used.
    #[must_use]
    pub fn ids_bytes(mut self, bytes: u64) -> Self {
        self.ids_bytes = bytes;
        self
    }

    /// The limit on bytes of ids.
    #[must_use]
    pub fn ids_bytes_max(&self) -> u64 {
        self.ids_bytes
    }

    /// Bytes for what streams of totals stood at last, beside those for series: clients that push totals rather than
    /// increments, such as SDKs of OpenTelemetry unless told otherwise, need some 120 for each series of each client.
    ///
    /// What a total adds is its rise since the stream's last point. A fall means that the stream began anew, where it
    /// does not say when it began; one that does would be another then, so a fall is a second sender of the same name,
    /// and adds nothing. A stream that is not known adds its first point in full only if it began after this process
    /// did, and after any stream that was forgotten for want of bytes; else that point adds nothing and counts in
    /// `lastmile_cumulative_baseline_total`. So what is exposed is never above the truth, and totals are exact where
    /// one process sees a whole stream. Increments need none of this.
    #[must_use]
    pub fn streams_bytes(mut self, bytes: u64) -> Self {
        self.streams_bytes = bytes;
        self
    }

    /// The limit on bytes of streams.
    #[must_use]
    pub fn streams_bytes_max(&self) -> u64 {
        self.streams_bytes
    }

    /// Who sees a new series at 0 first.
    #[must_use]
    pub fn hold(mut self, hold: Hold) -> Self {
        self.hold = hold;
        self
    }

    pub(crate) fn hold_for(&self) -> Hold {
        self.hold
    }

    /// The limit on bytes.
    #[must_use]
    pub fn bytes_max(&self) -> u64 {
        self.bytes
    }

    /// The limit on series of one family.
    #[must_use]
    pub fn series_per_family_max(&self) -> u32 {
        self.series_per_family
    }
}

/// The bytes in use against the limit, shared by all families.
///
/// A reservation is made before anything changes, so the limit is exact under any concurrency. Relaxed orderings
/// suffice: the number guards no other memory.
#[derive(Debug)]
pub(crate) struct ByteBudget {
    used: AtomicU64,
    max: u64,
}

impl ByteBudget {
    pub(crate) fn new(max: u64) -> Self {
        Self { used: AtomicU64::new(0), max }
    }

    /// Reserves `bytes`, or changes nothing.
    #[must_use]
    pub(crate) fn reserve(&self, bytes: u64) -> bool {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|total| *total <= self.max)
            })
            .is_ok()
    }

    pub(crate) fn release(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::ByteBudget;

    #[test]
    fn is_exact_at_the_limit() {
        let budget = ByteBudget::new(100);
        assert!(budget.reserve(60));
        assert!(!budget.reserve(41));
        assert!(budget.reserve(40));
        assert!(!budget.reserve(1));
        assert!(!budget.reserve(u64::MAX), "no overflow");
        assert_eq!(budget.used(), 100);
    }
}
