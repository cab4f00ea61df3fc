//! What counters stand at that whole numbers of 64 bits do not hold.

use super::block::{ROW_BITS, ROWS_MAX, Row, WIDE};
use crate::value::Sum;

/// Sums of counters that got fractions or outgrew 64 bits, in pieces of [`ROWS_MAX`]: one more never moves
/// the others.
#[derive(Debug, Default)]
pub(super) struct Wides {
    pieces: Vec<Vec<Sum>>,
    free: Vec<u32>,
}

impl Wides {
    fn insert(&mut self, sum: Sum) -> u64 {
        if let Some(i) = self.free.pop() {
            *self.get_mut(u64::from(i)) = sum;
            return u64::from(i);
        }
        if self.pieces.last().is_none_or(|piece| piece.len() == ROWS_MAX) {
            self.pieces.push(Vec::new());
        }
        let last = self.pieces.len() - 1;
        self.pieces[last].push(sum);
        (last << ROW_BITS | (self.pieces[last].len() - 1)) as u64
    }

    /// A row no longer has its sum.
    pub(super) fn free(&mut self, i: u64) {
        self.free.push(i as u32);
    }

    pub(super) fn get(&self, i: u64) -> Sum {
        self.pieces[i as usize >> ROW_BITS][i as usize & (ROWS_MAX - 1)]
    }

    fn get_mut(&mut self, i: u64) -> &mut Sum {
        &mut self.pieces[i as usize >> ROW_BITS][i as usize & (ROWS_MAX - 1)]
    }
}

/// A counter's value, exact.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CounterValue {
    Whole(u64),
    Wide(Sum),
}

/// The whole number that `v` is, which is finite and not negative.
///
/// Below 2^52 all bits of a float are those of a whole number once 2^52 is added: so this takes half of the
/// instructions of a conversion there and back.
#[inline]
fn whole(v: f64) -> Option<u64> {
    const TWO_52: f64 = (1_u64 << 52) as f64;
    let shifted = v + TWO_52;
    let n = shifted.to_bits() ^ TWO_52.to_bits();
    if n < 1 << 52 {
        return (shifted - TWO_52 == v).then_some(n);
    }
    whole_large(v)
}

#[cold]
fn whole_large(v: f64) -> Option<u64> {
    let n = v as u64;
    (n as f64 == v).then_some(n)
}

/// Adds a number `n` times to a counter.
#[inline(always)]
pub(super) fn add_to_counter(row: &mut Row, wide: &mut Wides, v: f64, n: u64) {
    if row.flags & WIDE == 0
        && let Some(whole) = whole(v)
        && let Some(total) = whole.checked_mul(n).and_then(|add| row.value.checked_add(add))
    {
        row.value = total;
    } else {
        add_to_wide(row, wide, v, n);
    }
}

/// The same where no `u64` holds what there is then.
#[inline(never)]
fn add_to_wide(row: &mut Row, wide: &mut Wides, v: f64, n: u64) {
    if row.flags & WIDE == 0 {
        widen(row, wide);
    }
    wide.get_mut(row.value).add(v, n);
}

/// Adds a whole number to a counter.
pub(super) fn add_whole_to_counter(row: &mut Row, wide: &mut Wides, n: u64) {
    if row.flags & WIDE == 0 {
        if let Some(total) = row.value.checked_add(n) {
            row.value = total;
            return;
        }
        widen(row, wide);
    }
    wide.get_mut(row.value).add_whole(n);
}

/// Moves a counter's value into a sum that takes fractions and does not overflow.
#[cold]
fn widen(row: &mut Row, wide: &mut Wides) {
    row.value = wide.insert(Sum::from_whole(row.value));
    row.flags |= WIDE;
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn whole_numbers_are_told_from_others() {
        const TWO_52: f64 = (1_u64 << 52) as f64;
        for (v, expect) in [
            (0.0, Some(0)),
            (-0.0, Some(0)),
            (1.0, Some(1)),
            (5e-324, None),
            (0.5, None),
            (1.5, None),
            (1.0 - f64::EPSILON / 2.0, None),
            (TWO_52 - 1.0, Some((1 << 52) - 1)),
            (TWO_52 - 0.5, None),
            (TWO_52, Some(1 << 52)),
            (TWO_52 + 1.0, Some((1 << 52) + 1)),
            (2.0 * TWO_52 + 2.0, Some((1 << 53) + 2)),
            (9_223_372_036_854_775_808.0, Some(1 << 63)),
        ] {
            assert_eq!(whole(v), expect, "{v}");
        }
    }
}
