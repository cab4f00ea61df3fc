use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::index::{SCHEMA_MAX, SCHEMA_MIN, finest_index, halved};
use super::*;
use crate::value::VALUE_MAX;

/// The smallest bucket whose bound is at least `v`, one by one from below.
fn slow_index(schema: i8, v: f64) -> i32 {
    let doublings = v.log2().floor() as i32;
    let near = if schema >= 0 { doublings << schema } else { doublings >> -schema };
    (near - 2..).find(|idx| upper_bound(schema, *idx) >= v).unwrap()
}

/// What a histogram is, for the reader and for nothing else.
#[derive(Clone, Debug, PartialEq)]
struct Naive {
    schema: i8,
    zero_count: u64,
    buckets: BTreeMap<i32, u64>,
    max_buckets: usize,
}

impl Naive {
    fn new(schema: i8, max_buckets: usize) -> Self {
        Self { schema, zero_count: 0, buckets: BTreeMap::new(), max_buckets }
    }

    fn observe(&mut self, v: f64, n: u64) {
        if v <= 2f64.powi(-128) {
            self.zero_count += n;
        } else if n > 0 {
            *self.buckets.entry(slow_index(self.schema, v)).or_default() += n;
            self.fit();
        }
    }

    fn span(&self) -> usize {
        let ends = self.buckets.first_key_value().zip(self.buckets.last_key_value());
        ends.map_or(0, |((first, _), (last, _))| (last - first + 1) as usize)
    }

    fn fit(&mut self) {
        while self.span() > self.max_buckets {
            let bounds = std::mem::take(&mut self.buckets);
            for (idx, count) in bounds {
                // Where its upper bound lies among the coarser ones.
                let to = slow_index(self.schema - 1, upper_bound(self.schema, idx));
                *self.buckets.entry(to).or_default() += count;
            }
            self.schema -= 1;
        }
    }

    fn check(&self, cells: &[u64], declared: i8) {
        let view = read(cells, declared);
        assert_eq!((view.schema, view.zero_count), (self.schema, self.zero_count));
        let buckets: BTreeMap<i32, u64> = view.buckets().collect();
        assert_eq!(buckets, self.buckets);
        assert_eq!(view.counts.len(), self.span(), "no wider than needed");
        let behind = &cells[HEAD_WORDS + view.counts.len()..];
        assert!(behind.iter().all(|count| *count == 0), "nothing is behind the window");
    }
}

fn cells(max_buckets: usize) -> Vec<u64> {
    vec![0; n_cells(max_buckets)]
}

/// Values that fall on bounds, beside them, and anywhere.
fn value() -> impl Strategy<Value = f64> + Clone {
    let bound = (-128 * 256..=53 * 256i32).prop_map(|idx| upper_bound(SCHEMA_MAX, idx));
    let beside = (bound.clone(), select(&[-1i64, 1][..]))
        .prop_map(|(v, by)| f64::from_bits(v.to_bits().wrapping_add_signed(by)).min(VALUE_MAX));
    let any = (0..=VALUE_MAX.to_bits()).prop_map(f64::from_bits);
    let usual = (1..100_000u32).prop_map(|ms| f64::from(ms) / 1_000.0);
    let special =
        select(&[0.0, 5e-324, f64::MIN_POSITIVE, ZERO_THRESHOLD, 1.0, 2.0, VALUE_MAX][..]);
    prop_oneof![2 => bound, 2 => beside, 2 => any, 6 => usual, 1 => special]
}

fn declared() -> impl Strategy<Value = (i8, usize)> {
    let max_buckets = prop_oneof![Just(BUCKETS_MIN), BUCKETS_MIN..40, Just(160)];
    (SCHEMA_MIN..=SCHEMA_MAX, max_buckets)
}

#[test]
fn bounds_are_those_of_prometheus() {
    // FNV-1a of the 256 bounds of client_golang's schema 8 (prometheus/histogram.go), as little-endian bits.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for idx in 0..256 {
        for byte in (upper_bound(8, idx) / 2.0).to_bits().to_le_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
    assert_eq!(hash, 0x6e49_0708_4012_aac2);
    let schema_3 = [
        0.5,
        0.5452538663326288,
        0.5946035575013605,
        0.6484197773255048,
        0.7071067811865475,
        0.7711054127039704,
        0.8408964152537144,
        0.9170040432046711,
    ];
    for (idx, bound) in (0..).zip(schema_3) {
        assert_eq!(upper_bound(3, idx - 8), bound);
    }
}

#[test]
fn bounds_are_the_powers_they_stand_for() {
    for schema in SCHEMA_MIN..=SCHEMA_MAX {
        for idx in -40..=40 {
            let exact = (f64::from(idx) * f64::from(-schema).exp2()).exp2();
            let bound = upper_bound(schema, idx);
            let ulps = bound.to_bits().abs_diff(exact.to_bits());
            assert!(ulps <= 5, "{bound} for {exact}: schema {schema}, bucket {idx}");
        }
    }
}

#[test]
fn a_value_on_a_bound_is_inside_it() {
    for (schema, v, idx) in [
        (0, 1.0, 0),
        (0, 1.000_000_1, 1),
        (0, 2.0, 1),
        (0, 3.0, 2),
        (0, 0.75, 0),
        (3, 1.0, 0),
        (3, 2.0, 8),
        (3, 0.5, -8),
        (3, 1.09, 1),
        (3, 1.1, 2),
        (8, 0.031, -1_282),
        (-1, 4.0, 1),
        (-1, 4.1, 2),
        (-4, 65_536.0, 1),
        (-4, 65_537.0, 2),
        (-4, 1.0, 0),
        (-4, VALUE_MAX, 4),
        (-4, ZERO_THRESHOLD * 1.5, -7),
    ] {
        assert_eq!(halved(finest_index(v), (SCHEMA_MAX - schema) as u32), idx, "{schema}: {v}");
    }
    for bucket in -128 * 256..=53 * 256 {
        let bound = upper_bound(SCHEMA_MAX, bucket);
        let above = f64::from_bits(bound.to_bits() + 1);
        assert_eq!((finest_index(bound), finest_index(above)), (bucket, bucket + 1), "{bound}");
    }
}

#[test]
fn all_values_fit_the_fewest_buckets() {
    let mut row = cells(BUCKETS_MIN);
    let mut naive = Naive::new(8, BUCKETS_MIN);
    for v in [VALUE_MAX, f64::from_bits(ZERO_THRESHOLD.to_bits() + 1), 1.0, 0.0] {
        observe(&mut row, 8, v, 1);
        naive.observe(v, 1);
    }
    naive.check(&row, 8);
    assert_eq!(read(&row, 8).schema, SCHEMA_MIN);
    assert_eq!(read(&row, 8).counts.len(), BUCKETS_MIN);
}

#[test]
fn counts_stay_at_the_end() {
    let mut row = cells(BUCKETS_MIN);
    for v in [0.0, 1.0, 1.0, 1.5, 1e9] {
        observe(&mut row, 8, v, u64::MAX);
    }
    observe(&mut row, 8, 0.0, 1);
    let mut doubled = row.clone();
    merge(&mut doubled, &row);
    assert_eq!(doubled, row);
    assert!(read(&row, 8).buckets().all(|(_, count)| count == u64::MAX));

    // The value that halves the resolution falls into the bucket that is full.
    let mut row = cells(BUCKETS_MIN);
    observe(&mut row, 0, 2048.0, u64::MAX);
    observe(&mut row, 0, 1.0, 1);
    observe(&mut row, 0, 4096.0, 1);
    let counts: Vec<u64> = read(&row, 0).buckets().map(|(_, count)| count).collect();
    assert_eq!(counts, [1, u64::MAX]);
}

#[test]
fn quantiles_are_within_a_bucket() {
    // A sequence without a pattern, over five decades.
    let mut state = 1u64;
    let mut values: Vec<f64> = (0..10_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            10f64.powf((state >> 11) as f64 / (1u64 << 53) as f64 * 5.0 - 4.0)
        })
        .collect();
    for (schema, max_buckets) in [(3, 160), (5, 160), (8, 160), (0, 12), (8, 1_024)] {
        let mut row = cells(max_buckets);
        values.iter().for_each(|v| observe(&mut row, schema, *v, 1));
        values.sort_by(f64::total_cmp);
        let view = read(&row, schema);
        let base = f64::from(-view.schema).exp2().exp2();
        for q in [0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let rank = ((q * values.len() as f64).ceil() as usize).max(1);
            let exact = values[rank - 1];
            let mut below = 0;
            let (idx, _) = view
                .buckets()
                .find(|(_, count)| {
                    below += *count as usize;
                    below >= rank
                })
                .unwrap();
            // In the middle of the bucket, as Prometheus interpolates: exponentially.
            let quantile = upper_bound(view.schema, idx) / base.sqrt();
            let error = (quantile / exact).max(exact / quantile);
            assert!(
                error <= base.sqrt() * 1.000_001,
                "{q} at {}: {quantile}, {exact}",
                view.schema
            );
        }
    }
}

proptest! {
    #[test]
    fn any_index_is_that_of_the_slow_search(v in value(), schema in SCHEMA_MIN..=SCHEMA_MAX) {
        if v > ZERO_THRESHOLD {
            let idx = halved(finest_index(v), (SCHEMA_MAX - schema) as u32);
            prop_assert_eq!(idx, slow_index(schema, v));
        }
    }

    #[test]
    fn any_sequence_agrees_with_the_naive_one(
        (schema, max_buckets) in declared(),
        values in vec((value(), 0..5u64), 0..200),
    ) {
        let mut row = cells(max_buckets);
        let mut naive = Naive::new(schema, max_buckets);
        let mut total = 0;
        for (v, n) in values {
            let before = read(&row, schema).schema;
            observe(&mut row, schema, v, n);
            naive.observe(v, n);
            naive.check(&row, schema);
            total += n;
            let view = read(&row, schema);
            prop_assert!(view.schema <= before, "it only gets coarser");
            prop_assert_eq!(view.counts.iter().sum::<u64>() + view.zero_count, total);
        }
    }

    /// However observations are parted, ordered and put together, the words are the same.
    #[test]
    fn parts_are_the_whole_to_the_bit(
        (schema, max_buckets) in declared(),
        values in vec((value(), 1..5u64, 0..3usize), 0..200),
    ) {
        let mut parts = [cells(max_buckets), cells(max_buckets), cells(max_buckets)];
        let (mut whole, mut merged) = (cells(max_buckets), cells(max_buckets));
        for (v, n, part) in &values {
            observe(&mut parts[*part], schema, *v, *n);
        }
        for (v, n, _) in values.iter().rev() {
            observe(&mut whole, schema, *v, *n);
        }
        parts.iter().for_each(|part| merge(&mut merged, part));
        prop_assert_eq!(merged, whole);
    }
}
