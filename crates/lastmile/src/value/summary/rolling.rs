//! The windows themselves.

use std::cell::Cell;

use hdrhistogram::Histogram;

use super::{QUANTILES, Quantiles, Scale};
use crate::time::{TICKS_PER_SEC, Ticks};

/// Windows of a row: together they cover ten minutes.
const N_WINDOWS: usize = 5;

/// How long one is counted into.
const WINDOW_TICKS: Ticks = 120 * TICKS_PER_SEC;

/// Digits that are kept of a value: its bucket is narrower than 1 % of it.
const DIGITS: u8 = 2;

/// Most observations of one window, so that no bucket reaches its end, not even of all windows together:
/// an end reached would falsify every quantile. A series that takes more than seven million a second has
/// its quantiles from the first ones of each window; `_count` and `_sum` have them all.
const WINDOW_COUNT_MAX: u64 = u32::MAX as u64 / N_WINDOWS as u64;

/// What one row observed in the last minutes; takes no memory until it observed anything.
#[derive(Debug, Default)]
pub(crate) struct Rolling(Option<Box<Windows>>);

#[derive(Debug, Default)]
struct Windows {
    /// The number of the last window counted into. A thread that comes late counts in it too.
    newest: u32,
    /// Each at its number modulo theirs.
    windows: [Option<Window>; N_WINDOWS],
}

#[derive(Debug)]
struct Window {
    number: u32,
    values: Histogram<u32>,
}

thread_local! {
    /// What the windows of a row are merged in, kept by the thread for the next row: at most 25 KiB.
    static MERGED: Cell<Option<Histogram<u32>>> = const { Cell::new(None) };
}

fn empty(scale: Scale) -> Histogram<u32> {
    Histogram::new_with_bounds(1, scale.highest, DIGITS).expect("a scale has at least two steps")
}

impl Scale {
    /// The step that a value is counted as: that of the largest value for any that is larger.
    #[inline]
    fn step(self, v: f64) -> u64 {
        self.steps(v).min(self.highest)
    }

    /// The value of a step.
    fn value(self, step: u64) -> f64 {
        let step = step.min(self.highest) as f64;
        self.per_one.map_or(step * self.resolution, |per_one| step / per_one)
    }
}

impl Rolling {
    /// Counts `n` observations of a checked value. Allocates for the first of each window's place.
    pub(crate) fn observe(&mut self, scale: Scale, v: f64, n: u64, now: Ticks) {
        let all = self.0.get_or_insert_default();
        let number = (now / WINDOW_TICKS).max(all.newest);
        all.newest = number;
        let window = all.windows[number as usize % N_WINDOWS]
            .get_or_insert_with(|| Window { number, values: empty(scale) });
        if window.number != number {
            window.number = number;
            window.values.reset();
        }
        let n = n.min(WINDOW_COUNT_MAX.saturating_sub(window.values.len()));
        if n > 0 {
            window.values.saturating_record_n(scale.step(v), n as u32);
        }
    }

    /// The quantiles of all windows whose time is not over; `None` if nothing was observed in them.
    pub(crate) fn quantiles(&self, scale: Scale, now: Ticks) -> Option<Quantiles> {
        let all = self.0.as_deref()?;
        let newest = (now / WINDOW_TICKS).max(all.newest);
        let is_live = |window: &&Window| newest - window.number < N_WINDOWS as u32;
        let mut live = all.windows.iter().flatten().filter(is_live).map(|window| &window.values);
        let first = live.next()?;
        let Some(second) = live.next() else {
            return Some(quantiles_of(first, scale));
        };
        let mut merged = match MERGED.take() {
            Some(kept) if kept.high() == scale.highest => kept,
            _ => empty(scale),
        };
        merged.reset();
        for values in [first, second].into_iter().chain(live) {
            merged.add(values).expect("all windows of a family have one range");
        }
        let quantiles = quantiles_of(&merged, scale);
        MERGED.set(Some(merged));
        Some(quantiles)
    }

    /// The bytes that a row takes at most, all windows in use.
    pub(crate) fn bytes_max(scale: Scale) -> usize {
        size_of::<Self>() + size_of::<Windows>() + N_WINDOWS * n_buckets(scale) * size_of::<u32>()
    }
}

/// The middle of the bucket that each quantile lies in: half as far from the true one as its end is.
fn quantiles_of(values: &Histogram<u32>, scale: Scale) -> Quantiles {
    let mut steps = values.value_at_quantiles(QUANTILES);
    QUANTILES.map(|_| {
        let step = steps.next().expect("they ascend, so there is one for each");
        scale.value(values.median_equivalent(step))
    })
}

/// Buckets of one window: 256 of one step, then 128 more each time that their width doubles. The
/// histogram has one such run to spare.
fn n_buckets(scale: Scale) -> usize {
    let doublings = scale.highest.ilog2().saturating_sub(7) as usize;
    (doublings + 2) * 128
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: Scale = Scale { resolution: 0.001, per_one: Some(1000.0), highest: 86_400_000 };

    fn minutes(n: u32) -> Ticks {
        n * 60 * TICKS_PER_SEC
    }

    #[test]
    fn the_bytes_charged_are_those_taken() {
        for highest in [2, 3, 100, 255, 256, 257, 511, 512, 65_535, 86_400_000, 1 << 53] {
            let scale = Scale { highest, ..SECONDS };
            assert_eq!(n_buckets(scale), empty(scale).distinct_values(), "up to {highest}");
        }
        assert_eq!(Scale::new(0.001, 86_400.0), SECONDS);
    }

    #[test]
    fn windows_leave_one_by_one() {
        let mut rolling = Rolling::default();
        assert_eq!(rolling.quantiles(SECONDS, 0), None);
        for window in 0..5 {
            rolling.observe(SECONDS, f64::from(window + 1), 1, minutes(2 * window));
        }
        let median = |rolling: &Rolling, at| rolling.quantiles(SECONDS, at).map(|q| q[0]);
        let near = |median: Option<f64>, v: f64| (median.unwrap() / v - 1.0).abs() < 0.01;
        assert!(near(median(&rolling, minutes(9)), 3.0));
        assert!(near(median(&rolling, minutes(12)), 4.0), "3, 4 and 5 are left");
        assert!(near(median(&rolling, minutes(16)), 5.0));
        assert_eq!(median(&rolling, minutes(18)), None);
        // A place is used again, empty.
        rolling.observe(SECONDS, 9.0, 1, minutes(20));
        assert!(near(median(&rolling, minutes(20)), 9.0));
        // Who comes late neither goes back nor is lost.
        rolling.observe(SECONDS, 1.0, 9, minutes(1));
        assert!(near(median(&rolling, minutes(1)), 1.0));
        assert_eq!(median(&rolling, Ticks::MAX), None);
    }

    #[test]
    fn what_is_too_large_or_too_often_stays_at_the_end() {
        let mut rolling = Rolling::default();
        rolling.observe(SECONDS, 9e15, u64::MAX, 0);
        rolling.observe(SECONDS, 1.0, u64::MAX, 0);
        for window in 1..5 {
            rolling.observe(SECONDS, 0.0, u64::MAX, minutes(2 * window));
        }
        // A fifth of all was too large, and all of it is there.
        let [median, p75, p95, _] = rolling.quantiles(SECONDS, 0).unwrap();
        assert_eq!((median, p75), (0.0, 0.0));
        assert!((p95 / 86_400.0 - 1.0).abs() < 0.01, "{p95}");
    }

    #[test]
    fn decimals_come_back_as_they_were() {
        for (resolution, v) in
            [(0.001, 0.1), (0.001, 0.123), (0.01, 0.57), (1.0, 99.0), (10.0, 90.0)]
        {
            let mut rolling = Rolling::default();
            let scale = Scale::new(resolution, 86_400.0);
            rolling.observe(scale, v, 1, 0);
            assert_eq!(rolling.quantiles(scale, 0), Some([v; 4]));
        }
    }
}
