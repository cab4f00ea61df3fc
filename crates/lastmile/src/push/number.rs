//! The numbers of an entry: values, or what a client counted into buckets itself.

use super::report::Refusal;
use crate::schema::Kind;
use crate::store::FamilyState;
use crate::value::native::SCHEMA_MAX;

/// One value, and how often it came: the pair's count times the weight. Before it is checked it may
/// also stand for an element that was none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number {
    pub(crate) value: f64,
    pub(crate) n: u64,
}

/// Set in what stands for the sum of a data point's buckets.
#[cfg(feature = "totals")]
const POINT: u64 = 1 << 63;

impl Number {
    /// An element that is not a number. No JSON number is a NaN.
    pub(crate) const NOT_A_NUMBER: Self = Self { value: f64::NAN, n: 1 };

    /// An element whose count is not one.
    pub(crate) const BAD_COUNT: Self = Self { value: 0.0, n: 0 };

    /// The first number of a checked entry that a client counted into buckets itself: the sum of what it
    /// observed. The others are upper edges of buckets, and how much is in each.
    pub(crate) const fn sum(sum: f64) -> Self {
        Self { value: sum, n: 0 }
    }

    /// The same of an entry that came as one data point. Native buckets that are finer than `finest` are made coarser
    /// first, so that none of its counts goes where it may not have been.
    #[cfg(feature = "totals")]
    pub(crate) const fn point(sum: f64, finest: i8) -> Self {
        Self { value: sum, n: POINT | finest as u8 as u64 }
    }

    /// A data point that adds nothing.
    #[cfg(feature = "totals")]
    pub(crate) const NOTHING: Self = Self::point(0.0, SCHEMA_MAX);

    /// Samples that these numbers of an entry came as: one each, but for a data point.
    #[inline]
    pub(crate) fn n_samples(numbers: &[Self]) -> u64 {
        match numbers {
            #[cfg(feature = "totals")]
            [Self { n: POINT.., .. }, ..] => 1,
            _ => numbers.len() as u64,
        }
    }

    /// Splits the numbers of a checked entry that a client counted into buckets itself into the sum and the
    /// buckets, and the finest native buckets that may hold them. An observation that was checked came at least once,
    /// and not so often as to be a data point, so no other entry begins like one.
    #[inline]
    pub(crate) fn split_counted(numbers: &[Self]) -> Option<(f64, i8, &[Self])> {
        match numbers {
            [Self { value, n: 0 }, buckets @ ..] => Some((*value, SCHEMA_MAX, buckets)),
            #[cfg(feature = "totals")]
            [Self { value, n: n @ POINT.. }, buckets @ ..] => {
                Some((*value, *n as u8 as i8, buckets))
            }
            _ => None,
        }
    }

    #[inline]
    pub(in crate::push) fn check(&self, family: &FamilyState) -> Result<(), Refusal> {
        if self.n == 0 {
            return Err(Refusal::BadCount);
        }
        if self.value.is_nan() {
            return Err(Refusal::NotANumber);
        }
        if !self.value.is_finite() {
            return Err(Refusal::NotFinite);
        }
        // A counter grows by the weighted value; an observation is counted `n` times instead.
        let v =
            if family.kind() == Kind::Counter { self.value * self.n as f64 } else { self.value };
        family.check_value(v)
    }
}
