//! A push's samples become numbers in rows.

use super::admission::{Arrival, Bits, Locked};
use super::ahead::NONE;
use super::catalog::{Catalog, Target};
use super::family::FamilyState;
use super::full::Seen;
use super::key::{Key, Texts, ValueHashes};
use super::shard::Shard;
use super::{SHARDS_MAX, Store};
use crate::push::{Counts, Entry, Folded, Meaning, Number, Overflow, Samples, Sighted};
use crate::readers::Moment;
use crate::schema::{Kind, LABELS_MAX};

/// Samples that are admitted under one hold of their family's admission: what a push of new series costs
/// the other pushes of new series is bounded, some 10 µs.
const RUN_MAX: usize = 64;

/// What came of the entries that were looked for.
struct Found {
    /// Samples that were counted.
    accepted: u64,
    /// Those that were counted as `other`, of keys that are known.
    overflows: Vec<Overflow>,
    /// Entries whose series are not there.
    misses: Vec<u32>,
}

impl Found {
    /// Adds samples of values that have no place to those before, which are mostly of the same labels.
    #[inline]
    fn overflow(&mut self, family: u32, labels: u32, n: u64) {
        match self.overflows.last_mut() {
            Some(last) if (last.family, last.labels) == (family, labels) => last.n += n,
            _ => self.overflows.push(Overflow { family, labels, n }),
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
                let n = numbers.len() as u64;
                found.accepted += n;
                if *folded != 0 {
                    found.overflow(entry.family, *folded, n);
                }
            } else {
                found.misses.push(i);
            }
            i = entry.next;
            continue;
        }
        let values = samples.values_of(entry, family);
        let row = if is_large { entry.row } else { rows.candidate(entry.hash).unwrap_or(NONE) };
        // Another series may have the same half of a hash.
        let is_known = row != NONE
            && (rows.count(row, family, values, texts, numbers, now)
                || rows.find_and_count(
                    &Key { family, values, texts, folded: 0, hash: entry.hash },
                    numbers,
                    now,
                ));
        if is_known {
            found.accepted += Number::n_samples(numbers);
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
        let Found { accepted, mut overflows, mut misses } = found;
        counts.accept(accepted);
        for Overflow { family, labels, n } in overflows.drain(..) {
            let mut overflow = [0; LABELS_MAX];
            Bits(labels).for_each(|i| overflow[i] = n);
            count_overflow(catalog.family(family), &overflow);
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
            misses.iter().for_each(|i| samples.read_known(catalog, body, *i));
        }
        if !samples.folded.is_empty() {
            settle_folded(catalog, samples, &misses);
        }
        if !misses.is_empty() {
            self.apply_misses(catalog, samples, body, &misses, arrival, counts);
        }
        samples.misses = misses;
    }

    /// Remembers for those keys of an applied batch that are to be known where their rows are.
    #[cold]
    pub(crate) fn remember(&self, catalog: &Catalog, samples: &mut Samples, body: &[u8]) {
        for i in 0..samples.sighted.len() {
            let Sighted { entry: entry_at, start, end } = samples.sighted[i];
            let Entry { family: position, values_at, .. } = samples.entries[entry_at as usize];
            let Target { family, served, .. } = catalog.at(position);
            if family.kind() == Kind::Gauge || !served.is_empty() {
                continue;
            }
            // What had no place and was counted is `other` among its values; what was not counted stands as it came.
            let (mut folded, mut full) = (0, Seen::NONE);
            if samples.misses.binary_search(&entry_at).is_err() {
                let from = samples.folded.partition_point(|folded| folded.entry < entry_at);
                let of_entry = samples.folded[from..].iter();
                for of_entry in of_entry.take_while(|folded| folded.entry == entry_at) {
                    folded |= 1 << of_entry.label;
                    full = of_entry.full;
                }
            }
            let key = samples.key(family, body, values_at as usize, 0).fold(0);
            let hash = key.hash;
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
        count_overflow(family, &overflow);
    }
}

/// What became `other` before it was looked for is counted where that found a row. Where it found none, what
/// came stands again, to be asked for a place.
#[inline(never)]
fn settle_folded(catalog: &Catalog, samples: &mut Samples, misses: &[u32]) {
    let Samples { folded, entries, values, numbers, .. } = samples;
    let mut folded = folded.iter().peekable();
    while let Some(Folded { entry, .. }) = folded.peek() {
        let family = entries[*entry as usize].family;
        let mut overflow = [0; LABELS_MAX];
        let is_of_family = |folded: &&Folded| entries[folded.entry as usize].family == family;
        while let Some(Folded { entry, label, value, .. }) = folded.next_if(is_of_family) {
            let Entry { values_at, numbers_at, n_numbers, .. } = entries[*entry as usize];
            if misses.binary_search(entry).is_err() {
                let numbers = &numbers[numbers_at as usize..][..n_numbers as usize];
                overflow[*label as usize] += Number::n_samples(numbers);
            } else {
                values[(values_at + label) as usize] = *value;
            }
        }
        count_overflow(catalog.family(family), &overflow);
    }
}

/// Counts samples that went to `other` for want of a place, by label.
fn count_overflow(family: &FamilyState, overflow: &[u64; LABELS_MAX]) {
    let Some(meters) = family.incarnation().meters() else { return };
    for (meters, n) in meters.labels.iter().zip(overflow).filter(|(_, n)| **n > 0) {
        if let Some(meters) = meters {
            meters.overflow.add(*n);
        }
    }
}
