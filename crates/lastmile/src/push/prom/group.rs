//! Totals of a group, as they are pushed to a Pushgateway: `/metrics/job/<job>/<label>/<value>…` names the group, and
//! each series of it is a stream.
//!
//! **What is new.** Most clients do not say when a series began: `_created`, `created_timestamp` or, for all of a push,
//! `process_start_time_seconds`. But a push that replaces its group (`PUT`) has all that there is of it. So a series that
//! was not in the last one that did began since, and counts in full. Where nothing tells, a first total is a baseline.
//!
//! **What goes.** A series that is not in a push stays where it stood, whichever method it came by: should it come
//! back, its rise is what it counted meanwhile, and should it come back smaller, it began anew. A group that is deleted
//! begins anew: its streams are called by another number from then on, and what they stood at falls silent and goes.

use std::hash::{Hash, Hasher};

use hashbrown::HashSet;

use super::histograms::check_counted;
use crate::push::counted::edges::{self, Edges};
use crate::push::number::Number;
use crate::push::report::{Counts, PushReport, Refusal};
use crate::push::samples::Samples;
use crate::push::{Arrived, Intake, Source};
use crate::schema::Kind;
use crate::store::{FamilyState, Target, Text};
use crate::totals::{Amount, Begun, Buckets, Rise, Sender, Stream, Totals};

/// What client libraries call the gauge of when their process began, in seconds since the Unix epoch.
/// Source: Prometheus, "Writing client libraries", §Standard and runtime collectors.
const PROCESS_START: &[u8] = b"process_start_time_seconds";

const NS_PER_SEC: f64 = 1e9;

/// A series of a body, before it is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Total {
    pub(super) name: Text,
    pub(super) values_at: usize,
    /// Its numbers are the last that came, from here on.
    pub(super) numbers_at: usize,
    /// When it began, if that came with it; else 0.
    pub(super) start_ns: u64,
    /// The resolution of native buckets, whose numbers are the sum, the zero bucket by its threshold, and each other by
    /// its index.
    pub(super) scale: Option<i32>,
}

/// One that waits until it is known that the body is to be applied.
#[derive(Clone, Copy, Debug)]
struct Pending {
    family: u32,
    /// The hash of its family and its labels.
    id: u128,
    n_numbers: u32,
    total: Total,
}

/// What a body says of its group, kept between pushes.
#[derive(Debug, Default)]
pub(crate) struct Prom {
    pending: Vec<Pending>,
    /// When series began, by their hashes.
    starts: Vec<(u128, u64)>,
    /// Whether something was refused that may be a series.
    has_missed: bool,
    process_start_ns: u64,
    /// The hashes of what was settled.
    settled: HashSet<u128, foldhash::fast::RandomState>,
    words: Vec<u64>,
    risen: Vec<(i64, u64)>,
    pub(super) spans: Vec<(i32, u32)>,
    pub(super) deltas: Vec<i64>,
}

impl Prom {
    pub(crate) fn clear(&mut self) {
        self.pending.clear();
        self.starts.clear();
        self.has_missed = false;
        self.settled.clear();
        self.process_start_ns = 0;
    }

    pub(crate) fn kept_bytes(&self) -> usize {
        self.pending.capacity() * size_of::<Pending>()
            + self.starts.capacity() * size_of::<(u128, u64)>()
            + (self.words.capacity() + self.deltas.capacity() + self.spans.capacity()) * 8
            + self.risen.capacity() * size_of::<(i64, u64)>()
            // A slot and a control byte.
            + self.settled.capacity() * (size_of::<u128>() + 1)
    }

    /// Something of a declared family was refused.
    pub(super) fn misses(&mut self) {
        self.has_missed = true;
    }
}

/// When a process began says when all that it counts did, at the earliest.
pub(super) fn note_process(samples: &mut Samples, body: &[u8], name: Text, value: f64) {
    if samples.bytes(body, name) == PROCESS_START {
        samples.prom.process_start_ns = (value * NS_PER_SEC) as u64;
    }
}

/// Whether a number, or a sum, is one that a total may be.
pub(super) fn check_total(value: f64) -> Result<(), Refusal> {
    match value {
        _ if value.is_nan() => Err(Refusal::NotANumber),
        _ if value.is_infinite() => Err(Refusal::NotFinite),
        _ if value < 0.0 => Err(Refusal::Negative),
        _ => Ok(()),
    }
}

/// The values of a series as they came.
struct Values<'a>(&'a Samples, &'a FamilyState, &'a [u8], usize);

impl Hash for Values<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self(samples, family, body, at) = *self;
        family.declared().name().hash(state);
        // What the server sets may differ each time.
        for label in family.sent().iter().map(|label| usize::from(*label)) {
            family.labels()[label].name().hash(state);
            samples.bytes(body, samples.values[at + label]).hash(state);
        }
    }
}

impl Samples {
    /// Puts those labels of a group on a sample that its family declares, instead of the sample's own.
    pub(super) fn name_group(&mut self, group: &[(Text, Text)], family: &FamilyState, body: &[u8]) {
        for (name, value) in group {
            let bytes = self.bytes(body, *name);
            let mut sent = family.sent().iter();
            if !sent.any(|i| family.labels()[usize::from(*i)].name().as_bytes() == bytes) {
                continue;
            }
            let own = self.labels.iter().position(|(own, _)| self.bytes(body, *own) == bytes);
            match own {
                Some(at) => self.labels[at].1 = *value,
                None => self.labels.push((*name, *value)),
            }
        }
    }

    /// Keeps a total until its body is known to be new. Without streams it only says what is refused of its labels.
    pub(super) fn wait(
        &mut self,
        totals: Option<&Totals>,
        target: &Target<'_>,
        total: Total,
        body: &[u8],
    ) {
        let Some(totals) = totals else {
            if let Err(why) = self.check_values(target.family, body, total.values_at) {
                let n = Number::n_samples(&self.numbers[total.numbers_at..]);
                self.note_values(target.family, body, total.values_at, why, n);
            }
            return;
        };
        let id = totals.hash(Values(self, target.family, body, total.values_at));
        let n_numbers = (self.numbers.len() - total.numbers_at) as u32;
        self.prom.pending.push(Pending { family: target.position, id, n_numbers, total });
    }

    /// Keeps when a series began, whose values start at `values_at`.
    pub(super) fn note_start(
        &mut self,
        totals: &Totals,
        target: &Target<'_>,
        secs: f64,
        values_at: usize,
        body: &[u8],
    ) {
        let id = totals.hash(Values(self, target.family, body, values_at));
        self.prom.starts.push((id, (secs * NS_PER_SEC) as u64));
    }

    /// Samples of totals that wait.
    pub(crate) fn n_pending(&self) -> u64 {
        let numbers = |pending: &Pending| {
            let at = pending.total.numbers_at;
            Number::n_samples(&self.numbers[at..at + pending.n_numbers as usize])
        };
        self.prom.pending.iter().map(numbers).sum()
    }
}

/// The name of a group: whoever has another key has another group, and labels are a set.
fn group_id(totals: &Totals, source: &Source<'_>) -> Option<u128> {
    let mut labels = source.grouping_key_value()?.to_vec();
    labels.sort_unstable();
    Some(totals.hash(("group", source.key_value(), labels)))
}

/// The group that a source names starts anew: what its series stood at is forgotten.
pub(crate) fn forget(totals: &Totals, source: &Source<'_>, arrived: Arrived) {
    if let Some(id) = group_id(totals, source) {
        let sender = totals.sender(source, arrived.ticks, arrived.wall_ms);
        totals.forget_group(id, sender);
    }
}

/// Makes entries of what the totals of a body rose by. Done once the body is known to be applied.
pub(crate) fn settle(
    intake: &Intake<'_>,
    samples: &mut Samples,
    counts: &mut Counts,
    report: &mut PushReport,
) {
    let Intake { totals, catalog, body, source, now, wall_ms, .. } = *intake;
    let Some(group) = group_id(totals, source) else { return };
    let mut prom = std::mem::take(&mut samples.prom);
    let sender = totals.sender(source, now, wall_ms);
    let begun = totals.group(group, sender);
    let id = totals.hash((group, begun.number()));
    let is_whole = source.is_whole_group();
    let this = Group { totals, sender, begun, is_whole, id };
    prom.starts.sort_unstable();
    let pending = std::mem::take(&mut prom.pending);
    for point in &pending {
        let target = catalog.at(point.family);
        let numbers_at = samples.numbers.len();
        // A series that comes twice has two totals, and would be reset by one of them.
        let is_first = prom.settled.insert(point.id);
        let risen = is_first.then(|| this.rise(point, target.family, &mut prom, samples));
        match risen.unwrap_or(Err(Refusal::Malformed)) {
            Ok(is_baseline) => {
                report.baseline(u64::from(is_baseline));
                let (family, values_at) = (target.family, point.total.values_at);
                samples.push_entry(point.family, family, body, values_at, numbers_at);
            }
            Err(why) => {
                if is_first {
                    totals.doubt(this.stream_id(point));
                }
                prom.has_missed = true;
                let Total { name, values_at, numbers_at: at, .. } = point.total;
                samples.numbers.truncate(numbers_at);
                let n = Number::n_samples(&samples.numbers[at..at + point.n_numbers as usize]);
                samples.refuse_series(target.family, name, values_at, why, n, body, counts);
            }
        }
    }
    if is_whole && !prom.has_missed {
        totals.note_whole(group, begun, sender);
    }
    prom.pending = pending;
    prom.clear();
    samples.prom = prom;
}

/// A group of this moment.
#[derive(Clone, Copy)]
struct Group<'a> {
    totals: &'a Totals,
    sender: Sender,
    begun: Begun,
    is_whole: bool,
    /// What its streams are called by.
    id: u128,
}

impl Group<'_> {
    fn stream_id(self, point: &Pending) -> u128 {
        self.totals.hash((self.id, point.id))
    }

    /// Appends the numbers of what a total rose by; whether nobody can tell.
    fn rise(
        self,
        point: &Pending,
        family: &FamilyState,
        prom: &mut Prom,
        samples: &mut Samples,
    ) -> Result<bool, Refusal> {
        let Self { totals, sender, begun, is_whole, .. } = self;
        let Total { numbers_at, scale, start_ns, .. } = point.total;
        let said = prom.starts.binary_search_by_key(&point.id, |(id, _)| *id);
        let start_ns = said.map_or(start_ns, |at| prom.starts[at].1);
        // One that says to have begun long before the group was whole was left out of it.
        let since = match start_ns {
            0 if is_whole => begun.since_whole(prom.process_start_ns),
            0 => begun.since(prom.process_start_ns),
            said if is_whole && begun.is_about(said) => begun.since_whole(said),
            said => begun.since(said),
        };
        let id = self.stream_id(point);
        let stream = Stream { id, start_ns, time_ns: sender.wall_ns, since };

        let numbers = numbers_at..numbers_at + point.n_numbers as usize;
        if family.kind() == Kind::Counter {
            let amount = Amount::Double(samples.numbers[numbers_at].value);
            let rise = totals.advance(&stream, sender, &amount.words(), |last| amount.rise(last));
            let value = if let Rise::By(value) = rise { value } else { 0.0 };
            samples.numbers.push(Number { value, n: 1 });
            if value > 0.0 {
                family.check_value(value)?;
            }
            return Ok(rise == Rise::Baseline);
        }
        let (mut words, mut risen) =
            (std::mem::take(&mut prom.words), std::mem::take(&mut prom.risen));
        let put = match scale {
            None => {
                let total = classic(&samples.numbers[numbers.clone()], &mut words);
                let rise = totals
                    .advance(&stream, sender, total.words(), |last| total.rise(last, &mut risen));
                put_classic(family, numbers, rise, &risen, samples)
            }
            Some(scale) => {
                let all = &samples.numbers[numbers];
                let threshold = all[1].value;
                native(all, scale, &mut words).and_then(|total| {
                    let rise = totals.advance(&stream, sender, total.words(), |last| {
                        total.rise(last, &mut risen)
                    });
                    put_native(family, threshold, rise, &risen, &mut samples.numbers)
                })
            }
        };
        (prom.words, prom.risen) = (words, risen);
        put
    }
}

/// Classic buckets as a total.
fn classic<'a>(numbers: &[Number], words: &'a mut Vec<u64>) -> Buckets<'a> {
    let (sum, buckets) = numbers.split_first().expect("the sum comes first");
    // A count of all that comes beside `+Inf` is behind it once more, and empty.
    let buckets = match buckets {
        [.., last, _] if last.value == f64::INFINITY => &buckets[..buckets.len() - 1],
        _ => buckets,
    };
    let bounds = edges::hash_bounds(buckets.iter().map(|bucket| bucket.value));
    Buckets::explicit(words, sum.value, bounds, buckets.iter().map(|bucket| bucket.n))
}

/// The same numbers, of what these buckets rose by.
fn put_classic(
    family: &FamilyState,
    numbers: std::ops::Range<usize>,
    rise: Rise<crate::totals::Counted>,
    risen: &[(i64, u64)],
    samples: &mut Samples,
) -> Result<bool, Refusal> {
    let at = samples.numbers.len();
    samples.numbers.extend_from_within(numbers);
    let put = &mut samples.numbers[at..];
    put[0].value = 0.0;
    put[1..].iter_mut().for_each(|bucket| bucket.n = 0);
    let Rise::By(rise) = rise else { return Ok(rise == Rise::Baseline) };
    put[0].value = rise.sum;
    let mut count: u64 = 0;
    for (idx, n) in risen {
        put[1 + *idx as usize].n = *n;
        count = count.saturating_add(*n);
    }
    if count > 0 || rise.sum != 0.0 {
        check_counted(family, &put[1..], rise.sum, count)?;
    }
    Ok(false)
}

/// Native buckets as a total.
fn native<'a>(
    numbers: &[Number],
    scale: i32,
    words: &'a mut Vec<u64>,
) -> Result<Buckets<'a>, Refusal> {
    let [sum, zeros, buckets @ ..] = numbers else { return Err(Refusal::Malformed) };
    let first = buckets.first().map_or(0, |bucket| bucket.value as i64);
    let last = buckets.last().map_or(0, |bucket| bucket.value as i64);
    let offset = i32::try_from(first).map_err(|_| Refusal::Malformed)?;
    if last - first >= Totals::WORDS_MAX as i64 {
        return Err(Refusal::Malformed);
    }
    let mut buckets = buckets.iter().peekable();
    let dense = (first..=last).map(|idx| {
        buckets.next_if(|bucket| bucket.value as i64 == idx).map_or(0, |bucket| bucket.n)
    });
    let zeros = (zeros.value, zeros.n);
    Ok(Buckets::exponential(words, sum.value, (scale, offset), zeros, dense))
}

fn put_native(
    family: &FamilyState,
    threshold: f64,
    rise: Rise<crate::totals::Counted>,
    risen: &[(i64, u64)],
    numbers: &mut Vec<Number>,
) -> Result<bool, Refusal> {
    match rise {
        Rise::By(rise) if rise.sum != 0.0 || rise.zeros != 0 || !risen.is_empty() => {
            let edges = Edges { bounds: &[], scale: Some(rise.scale) };
            let zeros = (threshold, rise.zeros);
            edges::put(family, edges, rise.sum, zeros, risen.iter().copied(), numbers)?;
        }
        _ => numbers.push(Number::NOTHING),
    }
    Ok(rise == Rise::Baseline)
}
