//! Native (exponential) histograms: buckets whose bounds are powers of 2^(2^-schema).
//!
//! Bucket `i` of a schema counts what is above `base^(i-1)` and at most `base^i`, as Prometheus defines it
//! (docs/specs/native_histograms.md, "Schema" and "Buckets"). Two buckets of one schema are one bucket of the
//! next coarser, so a histogram is made coarser by adding pairs, and no count is lost or guessed.
//!
//! A row keeps a window of `max_buckets` counts over the buckets that it needs. What falls outside moves or
//! widens the window; where it is as wide as it can be, the resolution is halved until everything fits.
//!
//! ```text
//! [first: 32 bits | len: 16 | halvings: 8] [count of zero] [count of first] … [count of first + len - 1] 0 …
//! ```
//! The window is the narrowest that holds all that was observed, at the finest resolution that it fits at:
//! so it is the same whatever the order of observations, flushes and merges. Words that are all 0 are an
//! empty histogram at the resolution that its family declares.

#[cfg(test)]
mod tests;

mod index;

pub(crate) use index::{SCHEMA_MAX, SCHEMA_MIN, upper_bound};
use index::{finest_index, halved};

/// What is at most this counts as zero: 2^-128, a bound at every resolution.
/// Source: client_golang `DefNativeHistogramZeroThreshold` (prometheus/histogram.go).
pub(crate) const ZERO_THRESHOLD: f64 = f64::from_bits((1_023 - 128) << 52);

/// Fewest buckets that a family may allow: what takes values from 2^-128 to 2^53 at the coarsest resolution,
/// at which 16 doublings are one bucket. So whatever comes finds a place.
pub(crate) const BUCKETS_MIN: usize = 12;

/// Most buckets that a family may allow, 8 KiB a series.
pub(crate) const BUCKETS_MAX: usize = 1_024;

/// How many buckets a series may have unless its family says otherwise.
/// Source: `MaxSize` of OpenTelemetry's exponential histograms (opentelemetry-specification,
/// specification/metrics/sdk.md, "Base2 Exponential Bucket Histogram Aggregation").
pub(crate) const BUCKETS_DEFAULT: u32 = 160;

/// The words before the counts.
const HEAD_WORDS: usize = 2;

/// Words of one row with this many buckets at most.
pub(crate) const fn n_cells(max_buckets: usize) -> usize {
    HEAD_WORDS + max_buckets
}

/// The buckets of one series of a histogram with native buckets, as they stand.
///
/// Bucket `i` counts the observations above `base^(i-1)` and up to `base^i`, where the base is
/// 2^(2^-[schema](Self::schema)).
///
/// ```
/// use lastmile::{Aggregator, Family, Limits, Native, Schema, SeriesView, Timestamp, Value, Visitor};
///
/// struct Seen(Vec<(i32, u64)>);
/// impl Visitor for Seen {
///     fn family(&mut self, _: &Family) {}
///     fn series(&mut self, series: &SeriesView<'_>) {
///         if let Value::Histogram { native: Some(native), .. } = series.value() {
///             self.0.extend(native.buckets());
///         }
///     }
/// }
/// # let now = Timestamp::new(0, std::time::Duration::ZERO);
/// let family = Family::native_histogram("job_seconds", Native::new(0));
/// # let schema = Schema::builder().family(family).build()?;
/// # let agg = Aggregator::new(schema, Limits::default(), now)?;
/// let seconds = agg.histogram("job_seconds", &[])?;
/// for v in [3.0, 4.0, 5.0] {
///     seconds.observe(v)?;
/// }
/// let mut seen = Seen(Vec::new());
/// agg.visit(now, &mut seen);
/// assert_eq!(seen.0, [(2, 2), (3, 1)], "two up to 4, one up to 8");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NativeView<'a> {
    pub(crate) schema: i8,
    pub(crate) zero_count: u64,
    /// Index of `counts[0]`.
    pub(crate) first: i32,
    /// Dense; neither the first nor the last is 0.
    pub(crate) counts: &'a [u64],
}

impl NativeView<'_> {
    /// The resolution, -4 to 8: that of the family, or a coarser one if the values needed it.
    #[must_use]
    pub fn schema(&self) -> i8 {
        self.schema
    }

    /// What is at most this counts as zero: 2^-128.
    #[must_use]
    pub fn zero_threshold(&self) -> f64 {
        ZERO_THRESHOLD
    }

    /// Observations that count as zero.
    #[must_use]
    pub fn zero_count(&self) -> u64 {
        self.zero_count
    }

    /// Index and count of each bucket that is not empty, ascending.
    pub fn buckets(&self) -> impl Iterator<Item = (i32, u64)> + '_ {
        let counts = (self.first..).zip(self.counts.iter().copied());
        counts.filter(|(_, count)| *count > 0)
    }

    /// The upper bound of a bucket, which belongs to it. To the bit what Prometheus takes it for, for any
    /// bucket that a series can have.
    #[must_use]
    pub fn upper_bound(&self, idx: i32) -> f64 {
        upper_bound(self.schema, idx)
    }
}

/// The first word: which buckets the counts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    first: i32,
    len: usize,
    /// How often the resolution was halved.
    halvings: u32,
}

impl Window {
    #[inline]
    fn from_word(word: u64) -> Self {
        let len = usize::from((word >> 16) as u16);
        Self { first: (word >> 32) as i32, len, halvings: u32::from(word as u8) }
    }

    #[inline]
    fn word(self) -> u64 {
        u64::from(self.first as u32) << 32 | (self.len as u64) << 16 | u64::from(self.halvings)
    }

    /// One past the last bucket.
    fn end(self) -> i32 {
        self.first + self.len as i32
    }

    /// The narrowest window that has these too.
    fn with(self, first: i32, end: i32) -> (i32, i32) {
        if self.len == 0 { (first, end) } else { (self.first.min(first), self.end().max(end)) }
    }

    /// Adds pairs of buckets.
    fn halve(&mut self, counts: &mut [u64]) {
        let first = halved(self.first, 1);
        let mut len = 0;
        for from in 0..self.len {
            // Never behind the one it comes from, so nothing is overwritten before it is read.
            let to = (halved(self.first + from as i32, 1) - first) as usize;
            let count = std::mem::take(&mut counts[from]);
            counts[to] = counts[to].saturating_add(count);
            len = to + 1;
        }
        *self = Self { first, len, halvings: self.halvings + 1 };
    }

    /// Makes room for buckets from `first` on and before `end`, of this resolution. It is halved as often as
    /// that needs; gives how often.
    fn make_room(&mut self, counts: &mut [u64], mut first: i32, mut end: i32) -> u32 {
        let before = self.halvings;
        loop {
            let (low, high) = self.with(first, end);
            if (high - low) as usize <= counts.len() {
                let up = if self.len == 0 { 0 } else { (self.first - low) as usize };
                // Behind the window all counts are 0.
                counts[..self.len + up].rotate_right(up);
                (self.first, self.len) = (low, (high - low) as usize);
                return self.halvings - before;
            }
            self.halve(counts);
            (first, end) = (halved(first, 1), halved(end - 1, 1) + 1);
        }
    }
}

/// Splits a row's words into its window, the count of zero, and the counts.
#[inline]
fn split(cells: &mut [u64]) -> (&mut [u64; HEAD_WORDS], &mut [u64]) {
    cells.split_first_chunk_mut().expect("a row has a head")
}

/// Counts `n` observations of `v`, which the caller has checked to be within 0 and
/// [`VALUE_MAX`](super::VALUE_MAX), in a row of a family that declares this schema. Costs a few nanoseconds,
/// and up to a microsecond when the window changes, which each series does few times.
#[inline]
pub(crate) fn observe(cells: &mut [u64], schema: i8, v: f64, n: u64) {
    let ([window, zeros], counts) = split(cells);
    if v <= ZERO_THRESHOLD {
        *zeros = zeros.saturating_add(n);
        return;
    }
    let Window { first, len, halvings } = Window::from_word(*window);
    let idx = halved(finest_index(v), (SCHEMA_MAX - schema) as u32 + halvings);
    let at = idx.wrapping_sub(first) as u32 as usize;
    if at < len
        && let Some(count) = counts.get_mut(at)
    {
        *count = count.saturating_add(n);
    } else {
        observe_outside(window, counts, idx, n);
    }
}

/// The same for a bucket that the window does not have.
#[cold]
fn observe_outside(word: &mut u64, counts: &mut [u64], idx: i32, n: u64) {
    // Nothing was observed, so nothing needs room.
    if n == 0 {
        return;
    }
    let mut window = Window::from_word(*word);
    let halvings = window.make_room(counts, idx, idx + 1);
    // Halving may have given it a bucket that others are in already.
    let count = &mut counts[(halved(idx, halvings) - window.first) as usize];
    *count = count.saturating_add(n);
    *word = window.word();
}

/// Makes buckets no finer than `finest`, of a row of a family that declares this schema: what was counted into buckets
/// of that resolution elsewhere then falls into one each.
pub(crate) fn limit_resolution(cells: &mut [u64], schema: i8, finest: i8) {
    let ([word, _], counts) = split(cells);
    let mut window = Window::from_word(*word);
    while schema - window.halvings as i8 > finest {
        window.halve(counts);
    }
    *word = window.word();
}

/// Adds another row's observations, exactly, at the coarser of their resolutions or one that holds both. The
/// families declare the same.
pub(crate) fn merge(cells: &mut [u64], other: &[u64]) {
    let ([word, zeros], counts) = split(cells);
    let ([other_word, other_zeros], other_counts) =
        other.split_first_chunk().expect("a row has a head");
    *zeros = zeros.saturating_add(*other_zeros);
    let theirs = Window::from_word(*other_word);
    let mut window = Window::from_word(*word);
    while window.halvings < theirs.halvings {
        window.halve(counts);
    }
    if theirs.len > 0 {
        let finer = window.halvings - theirs.halvings;
        let (first, last) = (halved(theirs.first, finer), halved(theirs.end() - 1, finer));
        let finer = finer + window.make_room(counts, first, last + 1);
        for (idx, other) in (theirs.first..).zip(&other_counts[..theirs.len]) {
            let count = &mut counts[(halved(idx, finer) - window.first) as usize];
            *count = count.saturating_add(*other);
        }
    }
    *word = window.word();
}

/// The buckets of a row of a family that declares this schema.
#[inline]
pub(crate) fn read(cells: &[u64], schema: i8) -> NativeView<'_> {
    let ([word, zero_count], counts) = cells.split_first_chunk().expect("a row has a head");
    let Window { first, len, halvings } = Window::from_word(*word);
    NativeView {
        schema: schema - halvings as i8,
        zero_count: *zero_count,
        first,
        counts: &counts[..len],
    }
}
