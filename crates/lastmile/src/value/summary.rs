//! Summaries: quantiles of what was observed in the last minutes.
//!
//! A row's `_count` and `_sum` are cells like a histogram's with no bounds, exact and for good. Beside
//! them it has five windows of two minutes, each a histogram of many narrow buckets that is made when it
//! is first needed and used again when its time is over:
//!
//! ```text
//! number of the window   …  40    41    42    43    44      now
//!                         [ 40 ][ 41 ][ 42 ][ 43 ][ 44 ]  →  the place of 40 becomes that of 45
//! ```
//! So quantiles are those of the last 8 to 10 minutes, and one look merges five windows at most.
//!
//! The histograms come with the feature `summary`. Without it a stand-in keeps the rest of the crate as
//! it is, and no schema with a summary is ever built.

#[cfg(feature = "summary")]
#[path = "summary/rolling.rs"]
mod imp;

#[cfg(not(feature = "summary"))]
#[path = "summary/absent.rs"]
mod imp;

pub(crate) use imp::Rolling;

use super::VALUE_MAX;

/// Whether this build can have summaries.
pub(crate) const IS_BUILT_IN: bool = cfg!(feature = "summary");

/// The quantiles that are exposed, ascending.
pub(crate) const QUANTILES: [f64; N_QUANTILES] = [0.5, 0.75, 0.95, 0.99];

const N_QUANTILES: usize = 4;

/// What [`QUANTILES`] stand at.
pub(crate) type Quantiles = [f64; N_QUANTILES];

/// Most rows of a block, which is what one lock is held for: a scrape merges the windows of each row, in
/// 3 µs if it has two and 13 µs if it has all five, at the default range (`benches/benches/summary.rs`).
pub(crate) const ROWS_MAX: usize = 2;

/// How a family's values become the whole numbers that its windows count, and back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    resolution: f64,
    /// Steps in 1, where they are a whole number: dividing by it gives the decimals that were meant,
    /// 0.257 and not 0.257 and a bit.
    per_one: Option<f64>,
    highest: u64,
}

impl Scale {
    /// For values up to `max`, told apart by `resolution`; a schema is checked for what makes sense.
    pub(crate) fn new(resolution: f64, max: f64) -> Self {
        let nearest = (1.0 / resolution).round();
        let is_whole = nearest >= 1.0 && (nearest * resolution - 1.0).abs() < 1e-12;
        let scale = Self { resolution, per_one: is_whole.then_some(nearest), highest: u64::MAX };
        // A range of less than two steps is none that the histograms could have.
        Self { highest: scale.steps(max.clamp(0.0, VALUE_MAX)).clamp(2, VALUE_MAX as u64), ..scale }
    }

    /// The nearest whole number of steps.
    #[inline]
    fn steps(self, v: f64) -> u64 {
        self.per_one.map_or(v / self.resolution, |per_one| v * per_one).round() as u64
    }
}
