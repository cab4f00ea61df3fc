//! How each kind of value is updated and laid out. Where a value lives is the store's business.

pub(crate) mod histogram;
pub(crate) mod native;
mod sum;
pub(crate) mod summary;

pub(crate) use sum::Sum;

/// Largest magnitude a family may declare as its `max`: beyond 2^53 an `f64` skips whole numbers.
pub(crate) const VALUE_MAX: f64 = 9_007_199_254_740_992.0;
