//! The lines of histograms, gathered by series.
//!
//! A series is found by its hash and a full comparison, and mostly is that of the line before. Its buckets are a
//! list through `next`, in the order in which they came.
//!
//! What a client counted into buckets itself is one entry like any other: as many numbers as lines, the sum first,
//! then each bucket's upper edge and how much is in it.

use hashbrown::HashTable;

#[cfg(feature = "pushgateway")]
use super::group;
use super::lines::{Lines, Values};
use crate::push::counted::{check_bucket, check_sum};
use crate::push::number::Number;
use crate::push::report::{Counts, Refusal};
use crate::push::samples::Samples;
use crate::store::{FamilyState, Target, Text, same};
use crate::value::VALUE_MAX;

/// No bucket.
const NONE: u32 = u32::MAX;

/// The histograms of one body, kept between pushes.
#[derive(Debug, Default)]
pub(crate) struct Histograms {
    /// Labels that each sample has besides its own.
    pub(super) path: Vec<(Text, Text)>,
    series: Vec<Series>,
    buckets: Vec<Bucket>,
    by_hash: HashTable<u32>,
    /// The series of the line before.
    last: usize,
}

/// The lines of one series.
#[derive(Clone, Copy, Debug)]
struct Series {
    /// The position of its family in the catalog.
    family: u32,
    hash: u64,
    values_at: usize,
    /// The name of its first line.
    name: Text,
    n_lines: u64,
    first: u32,
    last: u32,
    sum: Option<f64>,
    count: Option<u64>,
    /// The first thing wrong with it.
    fault: Option<Refusal>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    edge: f64,
    /// With those below it.
    cumulated: u64,
    next: u32,
}

/// A count as a line has it: a whole number that a float holds exactly.
fn whole(value: f64) -> Result<u64, Refusal> {
    if value.is_nan() {
        Err(Refusal::NotANumber)
    } else if value.is_infinite() {
        Err(Refusal::NotFinite)
    } else if value < 0.0 {
        Err(Refusal::Negative)
    } else if value.fract() != 0.0 || value > VALUE_MAX {
        Err(Refusal::BadCount)
    } else {
        Ok(value as u64)
    }
}

impl Histograms {
    pub(super) fn clear(&mut self) {
        self.path.clear();
        self.series.clear();
        self.buckets.clear();
        self.by_hash.clear();
        self.last = 0;
    }

    pub(crate) fn kept_bytes(&self) -> usize {
        self.path.capacity() * size_of::<(Text, Text)>()
            + self.series.capacity() * size_of::<Series>()
            + self.buckets.capacity() * size_of::<Bucket>()
            // A slot and a control byte.
            + self.by_hash.capacity() * (size_of::<u32>() + 1)
    }

    /// The series of a line of this family, whose label values are the last that came, from `values_at` on. They
    /// stay if they are the first of their series.
    pub(super) fn series(
        &mut self,
        target: &Target<'_>,
        name: Text,
        body: &[u8],
        values_at: usize,
        samples: &mut Samples,
    ) -> usize {
        let n_labels = samples.values.len() - values_at;
        let is = |series: &Series| {
            let values = |at: usize| {
                let values = samples.values[at..at + n_labels].iter();
                values.map(|value| samples.bytes(body, *value))
            };
            series.family == target.position
                && values(series.values_at).zip(values(values_at)).all(|(a, b)| same(a, b))
        };
        if let Some(series) = self.series.get(self.last)
            && is(series)
        {
            samples.values.truncate(values_at);
            return self.last;
        }
        let hash = target.family.hash(&samples.key(target.family, body, values_at, 0));
        let all = &self.series;
        let known = self.by_hash.find(hash, |i| {
            let series = &all[*i as usize];
            series.hash == hash && is(series)
        });
        self.last = match known {
            Some(i) => {
                samples.values.truncate(values_at);
                *i as usize
            }
            None => {
                let i = self.series.len();
                self.by_hash.insert_unique(hash, i as u32, |i| all[*i as usize].hash);
                self.series.push(Series {
                    family: target.position,
                    hash,
                    values_at,
                    name,
                    n_lines: 0,
                    first: NONE,
                    last: NONE,
                    sum: None,
                    count: None,
                    fault: None,
                });
                i
            }
        };
        self.last
    }

    /// A line of a bucket, whose `le` is a number.
    #[inline]
    pub(super) fn bucket(&mut self, i: usize, le: Option<f64>, value: f64) {
        let series = &mut self.series[i];
        series.n_lines += 1;
        let Some(edge) = le else { return series.fail(Refusal::Malformed) };
        let cumulated = match whole(value) {
            Ok(cumulated) => cumulated,
            Err(why) => return series.fail(why),
        };
        let at = self.buckets.len() as u32;
        match self.buckets.get_mut(series.last as usize) {
            Some(last) => last.next = at,
            None => series.first = at,
        }
        series.last = at;
        self.buckets.push(Bucket { edge, cumulated, next: NONE });
    }

    /// The line of the sum.
    pub(super) fn sum(&mut self, i: usize, value: f64) {
        let series = &mut self.series[i];
        series.n_lines += 1;
        if series.sum.replace(value).is_some() {
            series.fail(Refusal::Malformed);
        }
    }

    /// The line of the count.
    pub(super) fn count(&mut self, i: usize, value: f64) {
        let series = &mut self.series[i];
        series.n_lines += 1;
        match whole(value) {
            Err(why) => series.fail(why),
            Ok(count) => {
                if series.count.replace(count).is_some() {
                    series.fail(Refusal::Malformed);
                }
            }
        }
    }

    /// Makes an entry of each series whose lines agree, and counts why the others are refused.
    pub(super) fn finish(&self, lines: &Lines<'_, '_>, samples: &mut Samples, counts: &mut Counts) {
        let Lines { catalog, body, values, .. } = *lines;
        for series in &self.series {
            let target = catalog.at(series.family);
            let numbers_at = samples.numbers.len();
            let numbers =
                self.numbers(series, &mut samples.numbers).and_then(|(sum, count)| match values {
                    Values::Increments => {
                        check_counted(target.family, &samples.numbers[numbers_at + 1..], sum, count)
                    }
                    #[cfg(feature = "pushgateway")]
                    Values::Totals => group::check_total(sum),
                });
            match numbers {
                Ok(()) => {
                    #[cfg(feature = "pushgateway")]
                    if let Values::Totals = values {
                        let (name, values_at) = (series.name, series.values_at);
                        let total =
                            group::Total { name, values_at, numbers_at, start_ns: 0, scale: None };
                        samples.wait(lines.totals, &target, total, body);
                        continue;
                    }
                    let (family, values_at) = (target.family, series.values_at);
                    samples.push_entry(series.family, family, body, values_at, numbers_at);
                }
                Err(why) => {
                    samples.numbers.truncate(numbers_at);
                    let (name, values_at, n) = (series.name, series.values_at, series.n_lines);
                    samples.refuse_series(target.family, name, values_at, why, n, body, counts);
                    lines.misses(samples);
                }
            }
        }
    }

    /// Appends the numbers of a series, as many as it has lines; gives its sum and its count.
    fn numbers(&self, series: &Series, numbers: &mut Vec<Number>) -> Result<(f64, u64), Refusal> {
        if let Some(fault) = series.fault {
            return Err(fault);
        }
        let sum = series.sum.ok_or(Refusal::Malformed)?;
        numbers.push(Number::sum(sum));
        let at = numbers.len();
        let mut next = series.first;
        while let Some(bucket) = self.buckets.get(next as usize) {
            numbers.push(Number { value: bucket.edge, n: bucket.cumulated });
            next = bucket.next;
        }
        let count = own_counts(numbers, at, series.count)?;
        Ok((sum, count))
    }
}

/// Makes of the cumulated buckets from `at` on what each holds itself, in ascending order; gives the count of all.
pub(super) fn own_counts(
    numbers: &mut Vec<Number>,
    at: usize,
    count: Option<u64>,
) -> Result<u64, Refusal> {
    let buckets = &mut numbers[at..];
    if !buckets.is_sorted_by(|a, b| a.value < b.value) {
        buckets.sort_unstable_by(|a, b| a.value.total_cmp(&b.value));
        if buckets.windows(2).any(|pair| pair[0].value == pair[1].value) {
            return Err(Refusal::Malformed);
        }
    }
    let last = *buckets.last().ok_or(Refusal::Malformed)?;
    let has_inf = last.value == f64::INFINITY;
    let all = match count {
        Some(count) if has_inf && count != last.n => return Err(Refusal::Malformed),
        Some(count) => count,
        None if has_inf => last.n,
        None => return Err(Refusal::Malformed),
    };
    if count.is_some() {
        // Where there is no `+Inf`, it says what that would; else nothing.
        numbers.push(Number { value: f64::INFINITY, n: all });
    }
    let mut below = 0;
    for bucket in &mut numbers[at..] {
        let own = bucket.n.checked_sub(below).ok_or(Refusal::Malformed)?;
        (below, bucket.n) = (bucket.n, own);
    }
    Ok(all)
}

/// Whether a family takes what these buckets hold.
pub(super) fn check_counted(
    family: &FamilyState,
    buckets: &[Number],
    sum: f64,
    count: u64,
) -> Result<(), Refusal> {
    let mut lower = f64::NEG_INFINITY;
    for bucket in buckets {
        if bucket.n > 0 {
            check_bucket(family, lower, bucket.value, bucket.n)?;
        }
        lower = bucket.value;
    }
    check_sum(family, sum, count)
}

impl Series {
    fn fail(&mut self, why: Refusal) {
        self.fault.get_or_insert(why);
    }
}
