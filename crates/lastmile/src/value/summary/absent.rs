//! What stands where the feature `summary` is not: nothing, which nobody comes to use.

use super::{Quantiles, Scale};
use crate::time::Ticks;

/// No windows.
#[derive(Debug, Default)]
pub(crate) struct Rolling(());

impl Rolling {
    pub(crate) fn observe(&mut self, _: Scale, _: f64, _: u64, _: Ticks) {}

    pub(crate) fn quantiles(&self, _: Scale, _: Ticks) -> Option<Quantiles> {
        None
    }

    pub(crate) fn bytes_max(_: Scale) -> usize {
        0
    }
}
