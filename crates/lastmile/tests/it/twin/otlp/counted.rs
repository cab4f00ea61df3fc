//! What a total is above the one before, and what a histogram's point adds.

use std::collections::BTreeMap;

use super::super::declared::check_bounds;
use super::finite;
use crate::otlp_proto::{ExponentialPoint, HistogramPoint};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Total {
    Int(i64),
    Double(f64),
    /// By the place of the bound; the bounds are part of it.
    Explicit {
        bounds: Vec<u64>,
        counts: Vec<u64>,
        sum: f64,
    },
    Exponential {
        scale: i32,
        threshold: f64,
        zeros: u64,
        counts: BTreeMap<i64, u64>,
        sum: f64,
    },
}

/// What a point of a histogram adds: the sum, each bucket's edges and count, and the scale that it has at most.
#[derive(Clone, Debug)]
pub(super) struct Added {
    pub(super) sum: f64,
    pub(super) zeros: (f64, u64),
    pub(super) buckets: Vec<Bucket>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    pub(super) lower: f64,
    pub(super) upper: f64,
    pub(super) n: u64,
    /// Scale and index of an exponential one.
    pub(super) at: Option<(i32, i64)>,
}

pub(super) fn checked_sum(sum: Option<f64>, count: u64) -> Result<f64, &'static str> {
    match sum {
        None if count == 0 => Ok(0.0),
        None => Err("malformed"),
        Some(sum) if finite(sum)? < 0.0 => Err("negative"),
        Some(sum) => Ok(sum),
    }
}

pub(super) fn total_of(counts: &[u64], zeros: u64) -> u128 {
    counts.iter().map(|n| u128::from(*n)).sum::<u128>() + u128::from(zeros)
}

pub(super) fn explicit(point: &HistogramPoint) -> Result<Total, &'static str> {
    let counts = match &point.counts[..] {
        [] => vec![point.count],
        counts => counts.to_vec(),
    };
    let ascend = point.bounds.windows(2).all(|pair| pair[0] < pair[1]);
    let fits = counts.len() == point.bounds.len() + 1
        && ascend
        && !point.bounds.iter().any(|bound| bound.is_nan())
        && total_of(&counts, 0) == u128::from(point.count);
    if !fits {
        return Err("malformed");
    }
    let bounds = point.bounds.iter().map(|bound| bound.to_bits()).collect();
    Ok(Total::Explicit { bounds, counts, sum: checked_sum(point.sum, point.count)? })
}

pub(super) fn exponential(point: &ExponentialPoint) -> Result<Total, &'static str> {
    if point.negative.iter().flat_map(|buckets| &buckets.counts).any(|n| *n > 0) {
        return Err("negative");
    }
    let positive = point.positive.clone().unwrap_or_default();
    let fits = (-10..=20).contains(&point.scale)
        && point.threshold >= 0.0
        && point.threshold.is_finite()
        && total_of(&positive.counts, point.zeros) == u128::from(point.count);
    if !fits {
        return Err("malformed");
    }
    let counts = (i64::from(positive.offset)..).zip(positive.counts).filter(|(_, n)| *n > 0);
    Ok(Total::Exponential {
        scale: point.scale,
        threshold: point.threshold,
        zeros: point.zeros,
        counts: counts.collect(),
        sum: checked_sum(point.sum, point.count)?,
    })
}

pub(super) enum Rise {
    By(Added),
    Fall,
    /// It cannot be told.
    Other,
}

/// How much each is above the one before; `None` if any is below.
pub(super) fn each_above<K: Ord + Copy>(
    now: &BTreeMap<K, u64>,
    last: &BTreeMap<K, u64>,
) -> Option<BTreeMap<K, u64>> {
    let mut above = now.clone();
    for (at, n) in last {
        let now = above.get_mut(at)?;
        *now = now.checked_sub(*n)?;
    }
    Some(above)
}

impl Total {
    pub(super) fn nothing(&self) -> Added {
        Added { sum: 0.0, zeros: (0.0, 0), buckets: vec![] }
    }

    /// All of it.
    pub(super) fn all(self) -> Added {
        match self {
            Total::Int(n) => Added { sum: n as f64, ..Total::Int(0).nothing() },
            Total::Double(v) => Added { sum: v, ..Total::Int(0).nothing() },
            Total::Explicit { bounds, counts, sum } => {
                let counts = (0..).zip(counts).collect();
                Added { sum, zeros: (0.0, 0), buckets: explicit_buckets(&bounds, &counts) }
            }
            Total::Exponential { scale, threshold, zeros, counts, sum } => Added {
                sum,
                zeros: (threshold, zeros),
                buckets: exponential_buckets(scale, &counts),
            },
        }
    }

    pub(super) fn above(&self, last: &Total) -> Rise {
        let nothing = self.nothing();
        let number = |sum: f64| {
            if sum < 0.0 { Rise::Fall } else { Rise::By(Added { sum, ..self.nothing() }) }
        };
        match (self, last) {
            (Total::Int(now), Total::Int(last)) => number((now - last) as f64),
            (Total::Int(now), Total::Double(last)) => number(*now as f64 - last),
            (Total::Double(now), Total::Int(last)) => number(now - *last as f64),
            (Total::Double(now), Total::Double(last)) => number(now - last),
            (
                Total::Explicit { bounds, counts, sum },
                Total::Explicit { bounds: last_bounds, counts: last_counts, sum: last_sum },
            ) if bounds == last_bounds => {
                let by_place =
                    |counts: &[u64]| (0..).zip(counts.iter().copied()).collect::<BTreeMap<_, _>>();
                match each_above(&by_place(counts), &by_place(last_counts)) {
                    None => Rise::Fall,
                    Some(counts) => Rise::By(Added {
                        sum: sum - last_sum,
                        buckets: explicit_buckets(bounds, &counts),
                        ..nothing
                    }),
                }
            }
            (
                Total::Exponential { scale, threshold, zeros, counts, sum },
                Total::Exponential {
                    scale: last_scale,
                    threshold: last_threshold,
                    zeros: last_zeros,
                    counts: last_counts,
                    sum: last_sum,
                },
            ) if threshold.to_bits() == last_threshold.to_bits() => {
                let coarser = *scale.min(last_scale);
                let counts = each_above(
                    &at_scale(counts, *scale, coarser),
                    &at_scale(last_counts, *last_scale, coarser),
                );
                match (counts, zeros.checked_sub(*last_zeros)) {
                    (Some(counts), Some(zeros)) => Rise::By(Added {
                        sum: sum - last_sum,
                        zeros: (*threshold, zeros),
                        buckets: exponential_buckets(coarser, &counts),
                    }),
                    _ => Rise::Fall,
                }
            }
            _ => Rise::Other,
        }
    }
}

pub(super) fn at_scale(
    counts: &BTreeMap<i64, u64>,
    scale: i32,
    coarser: i32,
) -> BTreeMap<i64, u64> {
    let mut all = BTreeMap::new();
    for (at, n) in counts {
        *all.entry(at.div_euclid(1 << (scale - coarser))).or_default() += n;
    }
    all
}

pub(super) fn explicit_buckets(bounds: &[u64], counts: &BTreeMap<i64, u64>) -> Vec<Bucket> {
    let bound = |at: i64, none: f64| {
        let bits = usize::try_from(at).ok().and_then(|at| bounds.get(at));
        bits.map_or(none, |bits| f64::from_bits(*bits))
    };
    let bucket = |(&at, &n): (&i64, &u64)| Bucket {
        lower: bound(at - 1, f64::NEG_INFINITY),
        upper: bound(at, f64::INFINITY),
        n,
        at: None,
    };
    counts.iter().filter(|(_, n)| **n > 0).map(bucket).collect()
}

pub(super) fn exponential_buckets(scale: i32, counts: &BTreeMap<i64, u64>) -> Vec<Bucket> {
    let edge = |at: i64| {
        let exponent = at as f64 / f64::from(scale).exp2();
        if exponent < -1_000.0 { 0.0 } else { exponent.exp2() }
    };
    let bucket = |(&at, &n): (&i64, &u64)| Bucket {
        lower: edge(at),
        upper: edge(at + 1),
        n,
        at: Some((scale, at)),
    };
    counts.iter().filter(|(_, n)| **n > 0).map(bucket).collect()
}

impl Added {
    pub(super) fn count(&self) -> u64 {
        self.zeros.1 + self.buckets.iter().map(|bucket| bucket.n).sum::<u64>()
    }

    pub(super) fn check(&self, family: &super::super::Family) -> Result<(), &'static str> {
        let zero =
            Bucket { lower: f64::NEG_INFINITY, upper: self.zeros.0, n: self.zeros.1, at: None };
        for bucket in [&zero].into_iter().chain(&self.buckets).filter(|bucket| bucket.n > 0) {
            match bucket.n {
                10_001.. => return Err("bad_count"),
                _ if bucket.lower >= family.max => return Err("too_large"),
                _ => check_bounds(family, bucket.upper.min(family.max))?,
            }
        }
        let count = self.count() as f64;
        match self.sum {
            sum if sum < 0.0 => Err("negative"),
            sum if sum > (count * family.max * (1.0 + 1e-9)).min(9_007_199_254_740_992.0) => {
                Err("too_large")
            }
            sum if sum < count * family.min * (1.0 - 1e-9) => Err("too_small"),
            _ => Ok(()),
        }
    }
}
