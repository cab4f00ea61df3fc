//! Classic histograms: one count per bucket (not cumulative), then the sum.
//!
//! A row's cells are `[count of bounds[0]] … [count of +Inf] [sum: 3 words]`. `_count` is never stored:
//! it is the total of the buckets, so it cannot disagree with them.

use super::Sum;

/// Cells of one row with this many bounds.
pub(crate) const fn n_cells(n_bounds: usize) -> usize {
    n_bounds + 1 + Sum::WORDS
}

/// Up to this many bounds, counting the smaller ones without a branch beats a binary search.
const LINEAR_BOUNDS_MAX: usize = 32;

/// Index of the bucket that `v` falls into: the first bound that is at least `v`.
#[inline]
pub(crate) fn bucket_idx(bounds: &[f64], v: f64) -> usize {
    if bounds.len() <= LINEAR_BOUNDS_MAX {
        bounds.iter().map(|b| usize::from(v > *b)).sum()
    } else {
        bounds.partition_point(|b| v > *b)
    }
}

/// Counts `n` observations of `v`, which the caller has checked to be finite and within bounds.
#[inline]
pub(crate) fn observe(cells: &mut [u64], bounds: &[f64], v: f64, n: u64) {
    let (counts, sum) = cells.split_at_mut(bounds.len() + 1);
    // 2^64 observations in one bucket are out of reach; should they ever come, it stays at the end
    // rather than start again and look like a reset.
    let count = &mut counts[bucket_idx(bounds, v)];
    *count = count.saturating_add(n);
    let words: &mut [u64; Sum::WORDS] = sum.try_into().expect("the cells end with a sum");
    let mut s = Sum::from_words(*words);
    s.add(v, n);
    *words = s.words();
}

/// Adds counts of buckets by their upper edges, and the sum of all that is in them, which is finite and within 0
/// and [`VALUE_MAX`](super::VALUE_MAX). What is above the last bound is in the last bucket.
pub(crate) fn add_counted(
    cells: &mut [u64],
    bounds: &[f64],
    sum: f64,
    buckets: impl Iterator<Item = (f64, u64)>,
) {
    let (counts, words) = cells.split_at_mut(bounds.len() + 1);
    for (edge, n) in buckets {
        let count = &mut counts[bucket_idx(bounds, edge)];
        *count = count.saturating_add(n);
    }
    let words: &mut [u64; Sum::WORDS] = words.try_into().expect("the cells end with a sum");
    let mut s = Sum::from_words(*words);
    s.add(sum, 1);
    *words = s.words();
}

/// Adds the counts and the sum of cells with the same bounds, exactly.
pub(crate) fn merge(cells: &mut [u64], other: &[u64]) {
    let (other_counts, other_sum) = read(other);
    let (counts, sum) = cells.split_at_mut(other_counts.len());
    for (count, other) in counts.iter_mut().zip(other_counts) {
        *count = count.saturating_add(*other);
    }
    let words: &mut [u64; Sum::WORDS] = sum.try_into().expect("the cells end with a sum");
    let mut s = Sum::from_words(*words);
    s.merge(other_sum);
    *words = s.words();
}

/// The bucket counts and the sum of a row's cells.
#[inline]
pub(crate) fn read(cells: &[u64]) -> (&[u64], Sum) {
    let (counts, words) = cells.split_at(cells.len() - Sum::WORDS);
    (counts, Sum::from_words(words.try_into().expect("the cells end with a sum")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_is_inside_it() {
        let few: Vec<f64> = (1..=4).map(f64::from).collect();
        let many: Vec<f64> = (1..=100).map(f64::from).collect();
        for bounds in [few, many] {
            let last = bounds.len();
            for (v, idx) in [(0.0, 0), (1.0, 0), (1.5, 1), (4.0, 3), (1e9, last)] {
                assert_eq!(bucket_idx(&bounds, v), idx, "{v} in {last} bounds");
            }
        }
    }

    #[test]
    fn counts_and_sum_move_together() {
        let bounds = [0.1, 1.0];
        let mut cells = vec![0; n_cells(bounds.len())];
        observe(&mut cells, &bounds, 0.05, 2);
        observe(&mut cells, &bounds, 5.0, 1);
        let (counts, sum) = read(&cells);
        assert_eq!(counts, [2, 0, 1]);
        assert_eq!(sum.to_f64(), 5.1);
    }

    #[test]
    fn counts_go_where_their_upper_edge_does() {
        let bounds = [0.1, 1.0, 5.0];
        let mut cells = vec![0; n_cells(bounds.len())];
        let edges = [(0.05, 1), (0.1, 2), (0.2, 4), (1.0, 8), (7.0, 16), (f64::INFINITY, 32)];
        add_counted(&mut cells, &bounds, 100.25, edges.into_iter());
        let (counts, sum) = read(&cells);
        assert_eq!(counts, [3, 12, 0, 48]);
        assert_eq!(sum.to_f64(), 100.25);
    }

    #[test]
    fn merged_parts_are_the_whole_to_the_bit() {
        let bounds = [0.1, 1.0];
        let zero = || vec![0; n_cells(bounds.len())];
        let (mut whole, mut parts) = (zero(), [zero(), zero()]);
        for (i, v) in [0.1, 1e-9, 0.7, 86_400.0, 9_007_199_254_740_992.0].into_iter().enumerate() {
            observe(&mut whole, &bounds, v, u64::from(u32::MAX));
            observe(&mut parts[i % 2], &bounds, v, u64::from(u32::MAX));
        }
        let mut merged = zero();
        parts.iter().for_each(|part| merge(&mut merged, part));
        assert_eq!(merged, whole);
    }
}
