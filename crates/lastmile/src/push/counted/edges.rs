//! Where buckets end, and what is in them as the numbers of an entry: the sum, then upper edges with how much is below
//! each and above the one before.
//!
//! Bucket `i` of an exponential histogram ends at 2^((i + 1) / 2^scale), which belongs to it. Prometheus numbers its
//! native buckets by their upper edges instead, so that its bucket `i + 1` is this one.
//! Source: opentelemetry-specification, specification/metrics/data-model.md, "ExponentialHistogram"; prometheus
//! model/histogram/generic.go, `getBound`.

use std::hash::{BuildHasher, Hasher};

use super::{check_bucket, check_sum};
use crate::push::number::Number;
use crate::push::report::Refusal;
use crate::store::FamilyState;
use crate::value::native::{SCHEMA_MAX, SCHEMA_MIN, upper_bound};

/// Buckets of a coarser scale than this go where their upper edges do, as explicit ones do: what they share a series
/// with would stay as coarse for its life, and 160 buckets of scale 0 hold any two values of which one is 10^48 times
/// the other.
const COARSEST: i32 = 0;

/// A float has this exponent where it ends, and a bucket that ends lower than this one is empty for all we count.
const EXPONENTS: std::ops::Range<f64> = -1_000.0..1_024.0;

/// Where buckets end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edges<'a> {
    pub(crate) bounds: &'a [f64],
    pub(crate) scale: Option<i32>,
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

/// Tells bounds apart that one stream had. Two of one hash would only be a client's own that took pains.
pub(crate) fn hash_bounds(bounds: impl Iterator<Item = f64>) -> u64 {
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    bounds.for_each(|bound| hasher.write_u64(bound.to_bits()));
    hasher.finish()
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
pub(crate) fn put(
    family: &FamilyState,
    edges: Edges<'_>,
    sum: f64,
    (threshold, zeros): (f64, u64),
    counts: impl Iterator<Item = (i64, u64)>,
    numbers: &mut Vec<Number>,
) -> Result<(), Refusal> {
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
