//! Native buckets as their definition has them, counted one by one.

use std::collections::BTreeMap;

/// The exponent above which a bucket begins at zero: 2^-128.
const ZERO: i32 = -128;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Native {
    pub(crate) schema: i32,
    pub(crate) zeros: u64,
    pub(crate) buckets: BTreeMap<i32, u64>,
    max_buckets: usize,
}

impl Native {
    pub(super) fn new((schema, max_buckets): (i32, usize)) -> Native {
        Native { schema, zeros: 0, buckets: BTreeMap::new(), max_buckets }
    }

    pub(super) fn observe(&mut self, value: f64, times: u64) {
        if value <= 2f64.powi(ZERO) {
            self.zeros += times;
            return;
        }
        // No value of a test is so close to a bound that rounding matters, but for powers of two, which are
        // exact.
        let index = (value.log2() * 2f64.powi(self.schema)).ceil() as i32;
        *self.buckets.entry(index).or_default() += times;
        while self.span() > self.max_buckets {
            self.halve();
        }
    }

    /// Counts what was counted in bucket `idx` of an exponential histogram, which is no coarser.
    #[cfg(feature = "otlp")]
    pub(super) fn add(&mut self, scale: i32, idx: i64, times: u64) {
        let finer = 1_i64 << (scale - self.schema);
        let index = i32::try_from(idx.div_euclid(finer) + 1).expect("a bucket that is observed");
        let end = f64::from(index) / f64::from(self.schema).exp2();
        if (idx + 1) as f64 / f64::from(scale).exp2() <= f64::from(ZERO) {
            self.zeros += times;
        } else {
            // The middle of the bucket is far from its ends.
            self.observe((end - 0.5 / f64::from(self.schema).exp2()).exp2(), times);
        }
    }

    /// Makes it no finer than this.
    #[cfg(feature = "otlp")]
    pub(super) fn limit(&mut self, scale: i32) {
        while self.schema > scale {
            self.halve();
        }
    }

    fn halve(&mut self) {
        self.schema -= 1;
        for (index, count) in std::mem::take(&mut self.buckets) {
            *self.buckets.entry((index + 1).div_euclid(2)).or_default() += count;
        }
    }

    fn span(&self) -> usize {
        let (first, last) = (self.buckets.keys().next(), self.buckets.keys().next_back());
        first.zip(last).map_or(0, |(first, last)| (last - first + 1) as usize)
    }

    pub(crate) fn total(&self) -> u64 {
        self.zeros + self.buckets.values().sum::<u64>()
    }
}
