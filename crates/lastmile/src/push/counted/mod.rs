//! What a client counted into buckets itself, as the schema bounds it.

#[cfg(feature = "totals")]
pub(crate) mod edges;

use super::report::Refusal;
use crate::store::FamilyState;
use crate::value::VALUE_MAX;

/// Largest count of one bucket, as of a `[value, count]` pair of `lm1`.
const BUCKET_COUNT_MAX: u64 = 10_000;

/// The share by which a sum may be beyond what its count allows for: clients add up floats, which rounds, at most
/// by half a unit in the last place each time, and the most times that fit here are some million.
const SUM_SLACK: f64 = 1e-9;

/// Whether a family takes `n` observations above `lower` and up to `edge`.
pub(crate) fn check_bucket(
    family: &FamilyState,
    lower: f64,
    edge: f64,
    n: u64,
) -> Result<(), Refusal> {
    if n > BUCKET_COUNT_MAX {
        return Err(Refusal::BadCount);
    }
    if lower >= family.max() {
        return Err(Refusal::TooLarge);
    }
    family.check_value(edge.min(family.max()))
}

/// Whether a sum is one of so many observations that the family takes.
pub(crate) fn check_sum(family: &FamilyState, sum: f64, count: u64) -> Result<(), Refusal> {
    let count = count as f64;
    if sum.is_nan() {
        Err(Refusal::NotANumber)
    } else if sum.is_infinite() {
        Err(Refusal::NotFinite)
    } else if sum < 0.0 {
        Err(Refusal::Negative)
    } else if sum > (count * family.max() * (1.0 + SUM_SLACK)).min(VALUE_MAX) {
        Err(Refusal::TooLarge)
    } else if sum < count * family.min() * (1.0 - SUM_SLACK) {
        Err(Refusal::TooSmall)
    } else {
        Ok(())
    }
}
