//! Points of histograms become the numbers of an entry: the sum, and upper edges of buckets with how much is in each.
//!
//! Bucket `i` of an exponential histogram ends at 2^((i + 1) / 2^scale), which belongs to it.
//! Source: opentelemetry-specification, specification/metrics/data-model.md, "ExponentialHistogram".

use super::doc::{Counted, Doc, within};
use crate::push::counted::{check_bucket, check_sum};
use crate::push::number::Number;
use crate::push::report::Refusal;
use crate::store::FamilyState;
use crate::totals::Buckets;
use crate::value::native::{SCHEMA_MAX, SCHEMA_MIN, upper_bound};

/// Scales that SDKs use.
/// Source: opentelemetry-specification, specification/metrics/sdk.md, "Base2 Exponential Bucket Histogram Aggregation",
/// `MaxScale` 20; data-model.md, "a minimum scale of -10".
const SCALES: std::ops::RangeInclusive<i32> = -10..=20;

/// Buckets of a coarser scale than this go where their upper edges do, as explicit ones do: what they share a series
/// with would stay as coarse for its life, and 160 buckets of scale 0 hold any two values of which one is 10^48 times
/// the other.
const COARSEST: i32 = 0;

/// A float has this exponent where it ends, and a bucket that ends lower than this one is empty for all we count.
const EXPONENTS: std::ops::Range<f64> = -1_000.0..1_024.0;

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
            None => Buckets::explicit(words, self.sum, bounds, self.counts),
            Some(scale) => {
                let zeros = (threshold, zeros);
                Buckets::exponential(words, self.sum, (scale, offset), zeros, self.counts)
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

/// Where buckets end.
#[derive(Clone, Copy, Debug)]
struct Edges<'a> {
    bounds: &'a [f64],
    scale: Option<i32>,
}

impl Edges<'_> {
    /// Lower and upper edge of a bucket.
    #[inline]
    fn of(self, idx: i64) -> (f64, f64) {
        match self.scale {
            Some(scale) => (edge(scale, idx), edge(scale, idx + 1)),
            None => {
                let bound = |idx: i64| usize::try_from(idx).ok().and_then(|i| self.bounds.get(i));
                let lower = bound(idx - 1).copied().unwrap_or(f64::NEG_INFINITY);
                (lower, bound(idx).copied().unwrap_or(f64::INFINITY))
            }
        }
    }
}

/// 2^(n / 2^scale). At a scale that native buckets have it is their bound, to the bit, so that what is counted at an
/// edge falls into the bucket that ends there; a finer one has those bounds too, and between them nothing is near one.
fn edge(scale: i32, n: i64) -> f64 {
    let exponent = n as f64 * f64::from(-scale).exp2();
    if exponent >= EXPONENTS.end {
        return f64::INFINITY;
    }
    if exponent < EXPONENTS.start {
        return 0.0;
    }
    let finest = i32::from(SCHEMA_MAX);
    let finer = (scale - finest).max(0) as u32;
    if scale < i32::from(SCHEMA_MIN) || n & ((1 << finer) - 1) != 0 {
        return exponent.exp2();
    }
    upper_bound(scale.min(finest) as i8, (n >> finer) as i32)
}

/// Appends the sum and the buckets, which are within the family's bounds or the reason why not.
fn put(
    family: &FamilyState,
    edges: Edges<'_>,
    sum: f64,
    (threshold, zeros): (f64, u64),
    counts: impl Iterator<Item = (i64, u64)>,
    numbers: &mut Vec<Number>,
) -> Result<()> {
    let at = numbers.len();
    numbers.push(Number::point(sum, SCHEMA_MAX));
    let mut count = zeros;
    if zeros > 0 {
        check_bucket(family, f64::NEG_INFINITY, threshold, zeros)?;
        numbers.push(Number { value: threshold, n: zeros });
    }
    let mut is_any = false;
    for (idx, n) in counts.filter(|(_, n)| *n > 0) {
        let (lower, upper) = edges.of(idx);
        check_bucket(family, lower, upper, n)?;
        numbers.push(Number { value: upper, n });
        count = count.saturating_add(n);
        is_any = true;
    }
    if let Some(scale @ COARSEST..) = edges.scale.filter(|_| is_any) {
        numbers[at] = Number::point(sum, scale.min(SCHEMA_MAX.into()) as i8);
    }
    check_sum(family, sum, count)
}

#[cfg(test)]
mod tests {
    use super::edge;

    #[test]
    fn edges_are_native_bounds() {
        for (scale, n, wanted) in [
            (0, 0, 1.0),
            (0, 3, 8.0),
            (0, -1, 0.5),
            (1, 1, std::f64::consts::SQRT_2),
            (3, 8, 2.0),
            (20, -(1 << 20), 0.5),
            (20, 1 << 21, 4.0),
            (-10, 0, 1.0),
            (-4, 1, 65_536.0),
            (-10, 1, f64::INFINITY),
            (0, i64::from(i32::MAX) + 1, f64::INFINITY),
            (0, i64::from(i32::MIN), 0.0),
        ] {
            let made = edge(scale, n);
            assert!(
                (made - wanted).abs() <= 4.0 * f64::EPSILON * wanted || made == wanted,
                "{scale} {n}: {made}"
            );
        }
        // Each bound of a scale is one of the next finer.
        for scale in -4..20 {
            for n in -700_i64..700 {
                assert_eq!(edge(scale, n), edge(scale + 1, 2 * n), "{scale} {n}");
            }
        }
    }
}
