//! Points of histograms become the numbers of an entry: the sum, and upper edges of buckets with how much is in each.

use super::doc::{Counted, Doc, within};
use crate::push::counted::edges::{Edges, put};
use crate::push::number::Number;
use crate::push::report::Refusal;
use crate::store::FamilyState;
use crate::totals::Buckets;

/// Scales that SDKs use.
/// Source: opentelemetry-specification, specification/metrics/sdk.md, "Base2 Exponential Bucket Histogram Aggregation",
/// `MaxScale` 20; data-model.md, "a minimum scale of -10".
const SCALES: std::ops::RangeInclusive<i32> = -10..=20;

type Result<T> = std::result::Result<T, Refusal>;

/// A point whose parts agree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agreed<'a> {
    counted: &'a Counted,
    pub(super) sum: f64,
    /// One bucket for all where there is no list of them.
    counts: &'a [u64],
    pub(super) bounds: &'a [f64],
}

impl<'a> Agreed<'a> {
    /// Checks a point against itself.
    pub(super) fn new(doc: &'a Doc, counted: &'a Counted) -> Result<Self> {
        let (counts, bounds) =
            (within(&doc.counts, counted.counts), within(&doc.bounds, counted.bounds));
        let counts = match (counts, counted.scale) {
            ([], None) => std::slice::from_ref(&counted.count),
            (counts, _) => counts,
        };
        let fits = match counted.scale {
            Some(scale) => {
                SCALES.contains(&scale) && (0.0..f64::INFINITY).contains(&counted.threshold)
            }
            None => {
                let ascend = bounds.is_sorted_by(|a, b| a < b);
                counts.len() == bounds.len() + 1
                    && ascend
                    && !bounds.iter().any(|bound| bound.is_nan())
            }
        };
        let total = counts.iter().try_fold(counted.zeros, |total, n| total.checked_add(*n));
        if counted.has_negative {
            return Err(Refusal::Negative);
        }
        if !fits || total != Some(counted.count) {
            return Err(Refusal::Malformed);
        }
        let sum = match counted.sum {
            None if counted.count == 0 => 0.0,
            // Who leaves it out counted what is below 0, or nobody can say what the mean is.
            None => return Err(Refusal::Malformed),
            Some(sum) if sum.is_nan() => return Err(Refusal::NotANumber),
            Some(sum) if sum.is_infinite() => return Err(Refusal::NotFinite),
            Some(sum) if sum < 0.0 => return Err(Refusal::Negative),
            Some(sum) => sum,
        };
        Ok(Self { counted, sum, counts, bounds })
    }

    /// The point as a total; `bounds` is a hash of its bounds.
    pub(super) fn total(self, words: &'a mut Vec<u64>, bounds: u64) -> Buckets<'a> {
        let Counted { scale, offset, zeros, threshold, .. } = *self.counted;
        match scale {
            None => Buckets::explicit(words, self.sum, bounds, self.counts.iter().copied()),
            Some(scale) => {
                let zeros = (threshold, zeros);
                let counts = self.counts.iter().copied();
                Buckets::exponential(words, self.sum, (scale, offset), zeros, counts)
            }
        }
    }

    /// Appends the numbers of a point that is an increment.
    pub(super) fn put(self, family: &FamilyState, numbers: &mut Vec<Number>) -> Result<()> {
        let Counted { offset, zeros, threshold, scale, .. } = *self.counted;
        let counts = (i64::from(offset)..).zip(self.counts.iter().copied());
        let edges = Edges { bounds: self.bounds, scale };
        put(family, edges, self.sum, (threshold, zeros), counts, numbers)
    }

    /// Appends the numbers of what a point that is a total rose by.
    pub(super) fn put_rise(
        self,
        family: &FamilyState,
        rise: crate::totals::Counted,
        risen: &[(i64, u64)],
        numbers: &mut Vec<Number>,
    ) -> Result<()> {
        let edges = Edges { bounds: self.bounds, scale: self.counted.scale.map(|_| rise.scale) };
        let zeros = (self.counted.threshold, rise.zeros);
        put(family, edges, rise.sum, zeros, risen.iter().copied(), numbers)
    }
}
