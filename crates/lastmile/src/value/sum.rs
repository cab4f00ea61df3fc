/// A non-negative sum in fixed point: 128 bits before the point, 64 behind it.
///
/// Addition of integers does not care about order, so a merge, a replay or another interleaving of
/// threads gives the same bits, and a large sum never absorbs a small increment the way an `f64` does.
/// Every `f64` of at least 2^-11 (0.5 ms in seconds) and at most 2^53 is represented exactly; a smaller
/// one is rounded down to a multiple of 2^-64 by itself, still independent of order.
///
/// ```text
/// [ hi: 64 ][ lo: 64 ] . [ frac: 64 ]
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    frac: u64,
    lo: u64,
    hi: u64,
}

/// 2^64 as a float.
const TWO_64: f64 = 18_446_744_073_709_551_616.0;

impl Sum {
    /// The words of a sum where a row keeps them.
    pub(crate) const WORDS: usize = 3;

    pub(crate) const fn from_whole(whole: u64) -> Self {
        Self { frac: 0, lo: whole, hi: 0 }
    }

    /// Adds `v` `n` times. `v` is finite, at least 0 and at most [`VALUE_MAX`](super::VALUE_MAX),
    /// which the caller has checked.
    #[inline]
    pub(crate) fn add(&mut self, v: f64, n: u64) {
        debug_assert!((0.0..=super::VALUE_MAX).contains(&v), "unchecked value {v}");
        // Signed, for which processors have an instruction; so small a number is as it was.
        let whole = v as i64;
        // Exact: both operands have the same exponent range, and scaling by a power of two rounds nothing.
        let frac = ((v - whole as f64) * TWO_64) as u64;
        let frac_sum = u128::from(frac) * u128::from(n) + u128::from(self.frac);
        self.frac = frac_sum as u64;
        let whole_sum =
            u128::from(whole as u64) * u128::from(n) + (frac_sum >> 64) + u128::from(self.lo);
        self.lo = whole_sum as u64;
        self.hi = self.hi.wrapping_add((whole_sum >> 64) as u64);
    }

    /// Adds a whole number.
    #[inline]
    pub(crate) fn add_whole(&mut self, n: u64) {
        let (lo, carry) = self.lo.overflowing_add(n);
        self.lo = lo;
        self.hi = self.hi.wrapping_add(u64::from(carry));
    }

    /// Adds another sum.
    pub(crate) fn merge(&mut self, other: Self) {
        let (frac, carry) = self.frac.overflowing_add(other.frac);
        let whole = |sum: Self| u128::from(sum.hi) << 64 | u128::from(sum.lo);
        let whole = whole(*self).wrapping_add(whole(other)).wrapping_add(u128::from(carry));
        *self = Self { frac, lo: whole as u64, hi: (whole >> 64) as u64 };
    }

    pub(crate) fn words(self) -> [u64; Self::WORDS] {
        [self.frac, self.lo, self.hi]
    }

    pub(crate) fn from_words(words: [u64; Self::WORDS]) -> Self {
        let [frac, lo, hi] = words;
        Self { frac, lo, hi }
    }

    /// The whole number this sum is, if it has no fraction.
    pub(crate) fn as_whole(self) -> Option<u128> {
        (self.frac == 0).then_some((u128::from(self.hi) << 64) | u128::from(self.lo))
    }

    /// The nearest `f64`. Monotone: a larger sum never gives a smaller float.
    pub(crate) fn to_f64(self) -> f64 {
        if self.hi == 0 {
            let fixed = (u128::from(self.lo) << 64) | u128::from(self.frac);
            fixed as f64 / TWO_64
        } else {
            ((u128::from(self.hi) << 64) | u128::from(self.lo)) as f64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Sum;

    fn sum(values: &[(f64, u64)]) -> Sum {
        let mut s = Sum::default();
        for &(v, n) in values {
            s.add(v, n);
        }
        s
    }

    #[test]
    fn is_exact_where_a_float_is_not() {
        for (values, expect) in [
            (&[][..], 0.0),
            (&[(0.041, 1)], 0.041),
            (&[(0.25, 3), (1.5, 2)], 3.75),
            (&[(0.1, 10)], 1.0),
            (&[(9_007_199_254_740_992.0, 1), (1.0, 1), (1.0, 1)], 9_007_199_254_740_994.0),
            (&[(9_007_199_254_740_992.0, 10_000_000)], 9.007_199_254_740_992e22),
            (&[(5e-324, 1_000_000)], 0.0),
        ] {
            assert_eq!(sum(values).to_f64(), expect, "{values:?}");
        }
    }

    #[test]
    fn order_and_grouping_change_nothing() {
        let values = [0.1, 1e-9, 86_400.0, 3.5, 0.000_49, 9_007_199_254_740_992.0, 1.0];
        let mut forward = Sum::default();
        let mut backward = Sum::default();
        for (i, v) in values.iter().enumerate() {
            forward.add(*v, i as u64 + 1);
        }
        for (i, v) in values.iter().enumerate().rev() {
            for _ in 0..=i {
                backward.add(*v, 1);
            }
        }
        assert_eq!(forward, backward);
    }

    #[test]
    fn merging_carries_across_words() {
        let mut s = Sum::from_words([u64::MAX, u64::MAX, 7]);
        s.merge(Sum::from_words([1, 0, 0]));
        assert_eq!(s.words(), [0, 0, 8]);
        s.merge(Sum::from_words([5, u64::MAX, 1]));
        s.merge(Sum::from_words([u64::MAX, 0, 0]));
        assert_eq!(s.words(), [4, 0, 10]);
    }

    #[test]
    fn carries_across_words() {
        let mut s = Sum::from_whole(u64::MAX);
        s.add_whole(1);
        assert_eq!(s.as_whole(), Some(1 << 64));
        s.add(0.5, 2);
        assert_eq!(s.as_whole(), Some((1 << 64) + 1));
        assert_eq!(Sum::from_words(s.words()), s);
        s.add(0.5, 1);
        assert_eq!(s.as_whole(), None);
    }
}
