//! A push's samples become numbers in rows.

use super::admission::{Arrival, Bits, Locked};
use super::ahead::NONE;
use super::catalog::{Catalog, Target};
use super::family::FamilyState;
use super::key::{Key, Texts, ValueHashes};
use super::shard::Shard;
use super::{SHARDS_MAX, Store};
use crate::push::{Counts, Entry, Meaning, Number, Overflow, Samples, Sighted};
use crate::readers::Moment;
use crate::schema::{Kind, LABELS_MAX};

/// Samples that are admitted under one hold of their family's admission: what a push of new series costs
/// the other pushes of new series is bounded, some 10 µs.
const RUN_MAX: usize = 64;

/// What came of the entries that were looked for.
struct Found {
    /// Samples that were counted.
    accepted: u64,
    /// Those that were counted as `other`: the last ones of the same labels, and those before them.
    overflow: Overflow,
    overflows: Vec<Overflow>,
    /// Entries whose series are not there.
    misses: Vec<u32>,
}

impl Found {
    /// Adds samples that were counted, as `other` those of these labels.
    #[inline]
    fn accept(&mut self, family: u32, folded: u32, n: u64) {
        self.accepted += n;
        if folded != 0 {
            // Mostly of the same labels as those before.
            if (self.overflow.family, self.overflow.labels) != (family, folded) {
                self.begin_overflow(family, folded);
            }
            self.overflow.n += n;
        }
    }

    #[cold]
    #[inline(never)]
    fn begin_overflow(&mut self, family: u32, labels: u32) {
        let next = Overflow { family, labels, n: 0 };
        let before = std::mem::replace(&mut self.overflow, next);
        if before.labels != 0 {
            self.overflows.push(before);
        }
    }
}

/// Counts those of a shard's entries, from `first` on, whose series are there. A function of its own, as the loop has use
/// for every register.
#[inline(never)]
fn count_known(
    rows: &mut Shard,
    catalog: &Catalog,
    samples: &Samples,
    body: &[u8],
    first: u32,
    now: Moment,
    found: &mut Found,
) {
    let is_large = rows.is_large();
    let texts = Texts { body, arena: &samples.arena };
    let mut i = first;
    while let Some(entry) = samples.entries.get(i as usize) {
        let family = &**catalog.family(entry.family);
        let numbers = samples.numbers_of(entry);
        if let Some(slot) = entry.known {
            let Meaning { at, folded, .. } = samples.known.meaning(slot);
            if rows.count_at(at, family, numbers, now) {
                found.accept(entry.family, *folded, numbers.len() as u64);
            } else {
                found.misses.push(i);
            }
            i = entry.next;
            continue;
        }
        let values = samples.values_of(entry, family);
        let key = Key { family, values, texts, folded: entry.folded, hash: entry.hash };
        let row = if is_large { entry.row } else { rows.candidate(key.hash).unwrap_or(NONE) };
        // Another series may have the same half of a hash. What takes an address there is a copy, so that the loop keeps
        // the key in registers.
        let is_known = row != NONE
            && (rows.count(row, &key, numbers, now) || rows.find_and_count(&{ key }, numbers, now));
        if is_known {
            found.accept(entry.family, entry.folded, Number::n_samples(numbers));
        } else {
            found.misses.push(i);
        }
        i = entry.next;
    }
}

impl Store {
    /// Counts what a push brought, one lock for each shard it touches.
    ///
    /// Entries are grouped by shard without sorting: each shard's are a list through `next`. A series
    /// that is not found is looked at again afterwards, against the policies and limits. Gauges are taken
    /// one by one in the order they came, as that order is their meaning.
    pub(crate) fn apply(
        &self,
        catalog: &Catalog,
        samples: &mut Samples,
        body: &[u8],
        arrival: &Arrival<'_>,
        counts: &mut Counts,
    ) {
        let mut heads = [NONE; SHARDS_MAX];
        let mut touched: u64 = 0;
        let mut gauges = false;
        let mut found = Found {
            accepted: 0,
            overflow: Overflow::default(),
            overflows: std::mem::take(&mut samples.overflows),
            misses: std::mem::take(&mut samples.misses),
        };
        for i in (0..samples.entries.len()).rev() {
            let entry = &mut samples.entries[i];
            let family = catalog.family(entry.family);
            if family.kind() == Kind::Gauge {
                gauges = true;
                continue;
            }
            let shard = self.shard_of(family, entry.hash);
            entry.next = heads[shard];
            heads[shard] = i as u32;
            touched |= 1 << shard;
        }
        while touched != 0 {
            let shard = touched.trailing_zeros() as usize;
            touched &= touched - 1;
            let mut rows = self.shard(shard);
            let mut count = |samples: &Samples, rows: &mut Shard, first: u32| {
                let moment = self.moment(arrival.ticks);
                count_known(rows, catalog, samples, body, first, moment, &mut found);
            };
            if !rows.is_large() {
                count(samples, &mut rows, heads[shard]);
                continue;
            }
            let n_entries = samples.entries.len();
            let first = (heads[shard], rows);
            let (held, taken) = self.hold_more(first, touched, &heads, n_entries);
            touched &= !taken;
            held.look_up(samples, &mut count);
        }
        let Found { accepted, overflow, mut overflows, mut misses } = found;
        counts.accept(accepted);
        if overflow.labels != 0 {
            overflows.push(overflow);
            count_overflows(catalog, &mut overflows);
        }
        samples.overflows = overflows;
        if gauges {
            let entries = samples.entries.iter().enumerate();
            misses.extend(entries.filter_map(|(i, entry)| {
                (catalog.family(entry.family).kind() == Kind::Gauge).then_some(i as u32)
            }));
        }
        if !misses.is_empty() {
            misses.sort_unstable();
            self.apply_misses(catalog, samples, body, &misses, arrival, counts);
        }
        samples.misses = misses;
    }

    /// Remembers for those keys of an applied batch that are to be known where their rows are.
    #[cold]
    pub(crate) fn remember(&self, catalog: &Catalog, samples: &mut Samples, body: &[u8]) {
        for i in 0..samples.sighted.len() {
            let Sighted { entry, start, end } = samples.sighted[i];
            let Entry { family: position, values_at, .. } = samples.entries[entry as usize];
            let Target { family, served, .. } = catalog.at(position);
            if family.kind() == Kind::Gauge || !served.is_empty() {
                continue;
            }
            let (values_at, full) = (values_at as usize, family.full());
            let (hash, folded) = samples.hash_where_full(family, full, body, values_at);
            let key = Key { folded, ..samples.key(family, body, values_at, hash) };
            if let Some(at) = self.shard(self.shard_of(family, hash)).locate(&key) {
                let catalog = catalog.number();
                let meaning = Meaning { catalog, family: position, hash, at, folded, full };
                samples.known.put(&body[start as usize..end as usize], meaning);
            }
        }
    }

    /// Counts samples of series that may not exist yet, in the order they came, so that the first values
    /// get the last places. What comes one after the other for one family is admitted in one go.
    #[cold]
    fn apply_misses(
        &self,
        catalog: &Catalog,
        samples: &mut Samples,
        body: &[u8],
        misses: &[u32],
        arrival: &Arrival<'_>,
        counts: &mut Counts,
    ) {
        for i in misses {
            // What came is asked for a place, whatever was looked for instead.
            samples.entries[*i as usize].folded = 0;
            samples.read_known(catalog, body, *i);
            samples.make_templates(catalog, body, *i as usize);
        }
        let family_of = |i: u32| samples.entries[i as usize].family;
        for run in misses.chunk_by(|a, b| family_of(*a) == family_of(*b)) {
            let family = catalog.family(family_of(run[0]));
            for run in run.chunks(RUN_MAX) {
                let entries = run.iter().map(|i| &samples.entries[*i as usize]);
                let missed = entries.map(|entry| {
                    let key = samples.key(family, body, entry.values_at as usize, entry.hash);
                    (key, samples.numbers_of(entry))
                });
                if family.open() == 0 {
                    self.apply_closed(missed, arrival, counts);
                } else {
                    self.apply_open(family, missed, arrival, counts);
                }
            }
        }
    }

    /// Counts samples of a family whose rows are all there.
    fn apply_closed<'a>(
        &self,
        missed: impl Iterator<Item = (Key<'a>, &'a [Number])>,
        arrival: &Arrival<'_>,
        counts: &mut Counts,
    ) {
        for (key, numbers) in missed {
            let n = Number::n_samples(numbers);
            let hashes = key.value_hashes();
            match key.family.fold_unlisted(&key, &hashes) {
                Ok(unlisted) => {
                    let key = key.fold_hashed(unlisted, &hashes);
                    let mut rows = self.shard(self.shard_of(key.family, key.hash));
                    let row = rows.find(&key).expect("a closed family's rows are reserved with it");
                    rows.update(row, key.family, numbers, self.moment(arrival.ticks));
                    counts.accept(n);
                }
                Err(why) => counts.refuse(why, n),
            }
        }
    }

    /// Counts samples of a family that gets new rows, or folds what has no place.
    fn apply_open<'a>(
        &self,
        family: &FamilyState,
        missed: impl Iterator<Item = (Key<'a>, &'a [Number])>,
        arrival: &Arrival<'_>,
        counts: &mut Counts,
    ) {
        let mut overflow = [0; LABELS_MAX];
        let mut rows = Locked::none();
        let mut hashes = ValueHashes::default();
        let mut admission = family.incarnation().admission.lock();
        for (key, numbers) in missed {
            let n = Number::n_samples(numbers);
            hashes.set(&key);
            let admitted = self.admit(&mut admission, &key, &hashes, arrival, &mut rows);
            match (admitted, rows.held()) {
                (Ok((row, full)), Some(rows)) => {
                    rows.update(row, family, numbers, self.moment(arrival.ticks));
                    counts.accept(n);
                    Bits(full).for_each(|i| overflow[i] += n);
                }
                (Err(why), _) => counts.refuse(why, n),
                (Ok(_), None) => unreachable!("the row is in the shard that is held"),
            }
        }
        drop(rows);
        drop(admission);
        let overflow = overflow.into_iter().enumerate();
        overflow.filter(|(_, n)| *n > 0).for_each(|(i, n)| count_overflow(family, i, n));
    }
}

/// Counts these samples that went to `other` for want of a place.
#[inline(never)]
fn count_overflows(catalog: &Catalog, overflows: &mut Vec<Overflow>) {
    for Overflow { family, labels, n } in overflows.drain(..) {
        let family = catalog.family(family);
        Bits(labels).for_each(|i| count_overflow(family, i, n));
    }
}

/// The same of `n` whose value of label `i` had none.
fn count_overflow(family: &FamilyState, i: usize, n: u64) {
    let meters = family.incarnation().meters();
    if let Some(meters) = meters.and_then(|meters| meters.labels.get(i)?.as_ref()) {
        meters.overflow.add(n);
    }
}
