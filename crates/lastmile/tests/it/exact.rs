//! Sums without rounding: an integer and a fraction in units of 2^-64.

/// A sum of products. Every `f64` of at least 2^-12 is held exactly; what is smaller is rounded to
/// 2^-64, and what was rounded is remembered in `slack`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Exact {
    whole: i128,
    /// Below 2^64.
    frac: i128,
    /// How far the truth may be from here.
    slack: f64,
}

const ONE: f64 = 18_446_744_073_709_551_616.0; // 2^64

impl Exact {
    /// Adds `value`, `times` over. `value` is finite and below 2^53 in size, `times` below 2^24.
    pub(crate) fn add(&mut self, value: f64, times: u64) {
        let scaled = value.fract() * ONE; // exact: only the exponent changes
        let frac = self.frac + scaled.round() as i128 * i128::from(times);
        self.whole += value.trunc() as i128 * i128::from(times) + frac.div_euclid(1 << 64);
        self.frac = frac.rem_euclid(1 << 64);
        if scaled.fract() != 0.0 {
            self.slack += times as f64 / ONE;
        }
        // Whoever multiplies in `f64` first may be off by half a unit in the last place.
        if value.fract() != 0.0 && times > 1 {
            self.slack += value.abs() * times as f64 * f64::EPSILON;
        }
    }

    pub(crate) fn nearest_f64(self) -> f64 {
        if self.frac == 0 || self.whole.abs() >= 1 << 62 {
            self.whole as f64
        } else {
            ((self.whole << 64) + self.frac) as f64 / ONE
        }
    }

    /// Whether `text` is how this sum is written: whole values digit by digit, fractions as the
    /// nearest `f64`.
    pub(crate) fn is_written(self, text: &str) -> bool {
        if self.slack == 0.0 && self.frac == 0 && text == self.whole.to_string() {
            return true;
        }
        let (Ok(written), nearest) = (text.parse::<f64>(), self.nearest_f64()) else {
            return false;
        };
        if self.slack == 0.0 {
            return self.frac != 0 && written == nearest;
        }
        (written - nearest).abs() <= self.slack + nearest.abs() * f64::EPSILON
    }
}

#[test]
fn sums_are_exact() {
    let mut sum = Exact::default();
    (0..10).for_each(|_| sum.add(0.1, 1));
    assert!(sum.is_written("1.0000000000000000") && !sum.is_written("0.9999999999999999"));
    let mut sum = Exact::default();
    sum.add(9_007_199_254_740_992.0, 1);
    sum.add(1.0, 1);
    assert!(sum.is_written("9007199254740993") && !sum.is_written("9007199254740992"));
    let mut sum = Exact::default();
    sum.add(-0.75, 3);
    assert_eq!(sum.nearest_f64(), -2.25);
}
