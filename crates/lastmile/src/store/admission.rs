//! How series come into being: reserved with their family, admitted with a sample, or bound by the host.

use std::cell::Cell;
use std::sync::Arc;

use super::Store;
use super::block::{RESERVED, Row, UNUSED};
use super::candidates::{Came, TABLE_BYTES};
use super::family::{FamilyState, Seed};
use super::full::Full;
use super::key::{Key, Text, Texts, ValueHashes};
use super::places::{Place, Places, value_bytes};
use super::shard::{RowId, Shard};
use crate::error::Fault;
use crate::push::Refusal;
use crate::readers::Moment;
use crate::schema::{Family, Kind};
use crate::sync::{AtomicU32, MutexGuard, Ordering};
use crate::time::Ticks;
use crate::value::summary::Rolling;
use crate::value::{Sum, histogram};

/// What a row takes in a table: 8 bytes a slot, at worst 3/8 full just after it grew.
const TABLE_BYTES_PER_ROW: u64 = 22;

/// The bytes that a series takes in all: its row, its key of `key_len` bytes, its cells and its place in
/// the table. A counter is charged for the wide sum, a histogram for all native buckets, and a summary for all
/// windows, that it may need later, as an existing series is never refused.
pub(super) fn row_bytes(family: &FamilyState, key_len: usize) -> u64 {
    let cells = match family.kind() {
        Kind::Histogram => {
            let classic = histogram::n_cells(family.bounds().len());
            (classic + family.n_native_cells()) * size_of::<u64>()
        }
        Kind::Summary => {
            histogram::n_cells(0) * size_of::<u64>() + Rolling::bytes_max(family.scale())
        }
        Kind::Counter => size_of::<Sum>(),
        Kind::Gauge => 0,
    };
    (size_of::<Row>() + key_len + cells) as u64 + TABLE_BYTES_PER_ROW
}

/// The bytes that a family takes whether it has series or not: the values that it pins, and the tables of
/// those that wait for a place.
pub(super) fn fixed_bytes(declared: &Family) -> u64 {
    let open = declared.labels().iter().filter_map(|label| label.as_open());
    open.map(|open| {
        let pins: u64 = open.pin.iter().map(|value| value_bytes(value.as_bytes())).sum();
        pins + if open.admit_after > 1 { TABLE_BYTES } else { 0 }
    })
    .sum()
}

/// A push as the limits see it.
pub(crate) struct Arrival<'a> {
    pub(crate) ticks: Ticks,
    /// The prefix of the client's address.
    pub(crate) source: Option<[u8; 8]>,
    /// Counts the batches that brought a candidate, of which this may become one.
    batches: &'a AtomicU32,
    batch: Cell<Option<u32>>,
}

impl<'a> Arrival<'a> {
    pub(super) fn new(ticks: Ticks, source: Option<[u8; 8]>, batches: &'a AtomicU32) -> Self {
        Self { ticks, source, batches, batch: Cell::new(None) }
    }

    pub(super) fn came(&self) -> Came {
        let batch = self.batch.get().unwrap_or_else(|| {
            let batch = self.batches.fetch_add(1, Ordering::Relaxed);
            self.batch.set(Some(batch));
            batch
        });
        Came { batch, ticks: self.ticks, source: self.source }
    }
}

/// What limits the series of a family.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) n_series: u32,
    /// The bytes of its rows and label values.
    pub(super) bytes: u64,
    /// No schema declares the family, and its rows are counted as detached.
    pub(super) detached: bool,
    labels: Vec<Places>,
}

impl Admission {
    pub(super) fn new(declared: &Family, seed: &Seed, full: &Arc<Full>) -> Self {
        let labels = (0..declared.labels().len()).map(|i| Places::new(i, seed, full)).collect();
        let mut admission = Self { n_series: 0, bytes: 0, detached: false, labels };
        admission.redeclare(declared);
        admission
    }

    /// The labels are declared otherwise now: the bytes that this takes, at most [`fixed_bytes`], and those
    /// that it gives back.
    pub(super) fn redeclare(&mut self, declared: &Family) -> (u64, u64) {
        let (mut taken, mut given) = (0, 0);
        for (places, label) in self.labels.iter_mut().zip(declared.labels()) {
            let Some(open) = label.as_open() else { continue };
            let pinned = open.pin.iter().map(|value| value.as_bytes().into()).collect();
            let (max, waits) = (open.max_values as usize, open.admit_after > 1);
            places.redeclare(max, pinned, waits, &mut taken, &mut given);
        }
        (taken, given)
    }

    /// No schema declares the family any more: the bytes that it took beside its series.
    pub(super) fn retire(&mut self) -> u64 {
        let (mut taken, mut given) = (0, 0);
        for places in &mut self.labels {
            places.redeclare(usize::MAX, Vec::new(), false, &mut taken, &mut given);
        }
        given
    }

    /// Gives memory back that values took which have left: a map of which less than an eighth is taken
    /// shrinks to a quarter.
    pub(super) fn shrink(&mut self) {
        self.labels.iter_mut().for_each(Places::shrink);
    }

    /// How many values of label `i` have a place.
    pub(super) fn n_values(&self, i: usize) -> usize {
        self.labels[i].len()
    }

    /// A series with this value of label `i` has left: the bytes that go with it.
    pub(super) fn leave(&mut self, i: usize, value: &[u8], hash: u64) -> u64 {
        self.labels[i].leave(value, hash)
    }

    /// What becomes of the values of a sample that came with a push; what the host binds waits for nothing.
    pub(super) fn judge(
        &mut self,
        key: &Key<'_>,
        hashes: &ValueHashes,
        arrival: Option<&Arrival<'_>>,
    ) -> Result<Verdict, Refusal> {
        let family = key.family;
        let mut verdict =
            Verdict { unlisted: family.fold_unlisted(key, hashes)?, full: 0, waited: 0, placed: 0 };
        for i in Bits(family.open() & !verdict.unlisted) {
            let Some(open) = family.labels()[i].as_open() else { continue };
            let (places, hash) = (&mut self.labels[i], hashes.of(i));
            match places.place(open, key.value(i), hash) {
                Place::Taken => verdict.placed |= 1 << i,
                Place::Free => {}
                Place::Full => verdict.full |= 1 << i,
                Place::Waits if arrival.is_none_or(|a| places.waited(open, hash, a)) => {
                    verdict.waited |= 1 << i;
                }
                Place::Waits => verdict.full |= 1 << i,
            }
        }
        Ok(verdict)
    }

    /// A series was made, and with it the values of these labels, which waited, got their places.
    fn end_of_wait(&mut self, hashes: &ValueHashes, labels: u32) {
        for i in Bits(labels) {
            self.labels[i].end_of_wait(hashes.of(i));
        }
    }
}

/// What becomes of the values of a sample: a bit for each label.
pub(super) struct Verdict {
    /// The policies make it `other`.
    pub(super) unlisted: u32,
    /// It has no place and cannot get one now.
    pub(super) full: u32,
    /// It waited, and came often enough.
    waited: u32,
    /// It has a place.
    placed: u32,
}

/// The one shard that a run of samples holds at a time: mostly the next one's, too.
pub(super) struct Locked<'s>(Option<(usize, MutexGuard<'s, Shard>)>);

impl<'s> Locked<'s> {
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// The shard, once no other is held.
    pub(super) fn lock(&mut self, store: &'s Store, shard: usize) -> &mut Shard {
        if !matches!(&self.0, Some((held, _)) if *held == shard) {
            self.0 = None;
            self.0 = Some((shard, store.shard(shard)));
        }
        let (_, rows) = self.0.as_mut().expect("it was locked just now");
        rows
    }

    /// The shard that is held.
    pub(super) fn held(&mut self) -> Option<&mut Shard> {
        self.0.as_mut().map(|(_, rows)| &mut **rows)
    }
}

impl Store {
    /// Creates the rows that a family has from the start: every combination of its closed values, with
    /// every open label at `other`. Those with an open label, and gauges, stay hidden until used.
    ///
    /// # Errors
    /// What exceeds the limits; some rows may have been made then.
    pub(super) fn reserve(&self, family: &FamilyState, now: Moment) -> Result<(), Fault> {
        let declared = family.declared();
        let n_series = declared.n_reserved();
        let fault = |why: String| declared.fault("labels", why);
        if n_series > u64::from(self.series_per_family) && !family.is_own() {
            return Err(fault(format!(
                "needs {n_series} series from the start (the product of its labels' values), and series_per_family is {}",
                self.series_per_family
            )));
        }
        let too_large = || {
            fault(format!(
                "needs {n_series} series from the start, and with them the limit of {} bytes is exceeded",
                self.budget.max()
            ))
        };
        let mut admission = family.incarnation().admission.lock();
        if !self.charge(family, &mut admission, fixed_bytes(declared)) {
            // What was not taken must not be given back.
            admission.retire();
            return Err(too_large());
        }
        let hidden = family.open() != 0 || family.kind() == Kind::Gauge;
        let mut combination = vec![0; declared.labels.len()];
        let values: Vec<Vec<&str>> =
            declared.labels.iter().map(|label| label.reserved_values().collect()).collect();
        for _ in 0..n_series {
            let mut arena = Vec::new();
            let texts: Vec<Text> = combination
                .iter()
                .zip(&values)
                .map(|(at, values)| Text::put(&mut arena, values[*at].as_bytes()))
                .collect();
            let texts_of = Texts { body: &[], arena: &arena };
            let key = Key { family, values: &texts, texts: texts_of, folded: 0, hash: 0 }.fold(0);
            if !self.charge(family, &mut admission, row_bytes(family, key.body_len())) {
                return Err(too_large());
            }
            let flags = RESERVED | if hidden { UNUSED } else { 0 };
            self.shard(self.shard_of(family, key.hash)).insert(&key, flags, now);
            admission.n_series += 1;
            // The last label turns fastest.
            for (at, values) in combination.iter_mut().zip(&values).rev() {
                *at += 1;
                if *at < values.len() {
                    break;
                }
                *at = 0;
            }
        }
        Ok(())
    }

    /// Takes bytes for a family out of the budget, or changes nothing. The aggregator's own families,
    /// which no client can grow, are not counted.
    fn charge(&self, family: &FamilyState, admission: &mut Admission, bytes: u64) -> bool {
        if family.is_own() {
            return true;
        }
        let has_room = self.budget.reserve(bytes);
        if has_room {
            admission.bytes += bytes;
        }
        has_room
    }

    /// Gives bytes of a family back.
    pub(super) fn refund(&self, family: &FamilyState, admission: &mut Admission, bytes: u64) {
        if !family.is_own() {
            admission.bytes -= bytes;
            self.budget.release(bytes);
        }
    }

    /// The row that a sample without a row of its own counts in, in `rows` when this returns, and the
    /// labels of it that became `other` for want of a place.
    pub(super) fn admit<'s>(
        &'s self,
        admission: &mut Admission,
        key: &Key<'_>,
        hashes: &ValueHashes,
        arrival: &Arrival<'_>,
        rows: &mut Locked<'s>,
    ) -> Result<(RowId, u32), Refusal> {
        let family = key.family;
        let verdict = admission.judge(key, hashes, Some(arrival))?;
        let Verdict { unlisted, full, waited, .. } = verdict;
        let admitted = key.fold_hashed(unlisted | full, hashes);
        let of_series = rows.lock(self, self.shard_of(family, admitted.hash));
        if let Some(row) = of_series.find(&admitted) {
            return Ok((row, full));
        }
        let may =
            self.new_series.as_ref().is_none_or(|rate| rate.take(arrival.source, arrival.ticks));
        if may {
            let now = arrival.ticks;
            let row = self.create(of_series, admission, &admitted, hashes, &verdict, now);
            if let Some(row) = row {
                admission.end_of_wait(hashes, waited);
                return Ok((row, full));
            }
        }
        // At a limit every open label folds, to a row that was reserved when the family was declared.
        let folded = key.fold_hashed(unlisted | family.open(), hashes);
        let of_folded = rows.lock(self, self.shard_of(family, folded.hash));
        let row =
            of_folded.find(&folded).expect("a row for what folds is reserved with its family");
        Ok((row, family.open() & !unlisted))
    }

    /// Creates a series that does not exist, if the limits leave it a place: reserves first, and
    /// changes nothing otherwise. The verdict is of the same hold of the family's admission.
    pub(super) fn create(
        &self,
        rows: &mut Shard,
        admission: &mut Admission,
        key: &Key<'_>,
        hashes: &ValueHashes,
        verdict: &Verdict,
        now: Ticks,
    ) -> Option<RowId> {
        let family = key.family;
        let labels = family.open() & !key.folded;
        let new = Bits(labels & !verdict.placed);
        let places: u64 = new.map(|i| value_bytes(key.value(i))).sum();
        let has_room = (admission.n_series < self.series_per_family || family.is_own())
            && self.charge(family, admission, row_bytes(family, key.body_len()) + places);
        if !has_room {
            return None;
        }
        for i in Bits(labels) {
            admission.labels[i].take(key.value(i), hashes.of(i));
        }
        admission.n_series += 1;
        Some(rows.insert(key, UNUSED, self.moment(now)))
    }
}

/// The labels whose bits are set.
#[derive(Clone, Copy)]
pub(super) struct Bits(pub(super) u32);

impl Iterator for Bits {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let i = self.0.trailing_zeros() as usize;
        self.0 &= self.0.checked_sub(1)?;
        Some(i)
    }
}
