//! How series come into being: reserved with their family, admitted with a sample, or bound by the host.

use std::cell::Cell;

use hashbrown::HashMap;

use super::Store;
use super::block::{RESERVED, Row, UNUSED};
use super::candidates::{Came, Candidates, TABLE_BYTES, value_hash};
use super::family::{FamilyState, Seed};
use super::key::{Key, Text, Texts};
use super::shard::{RowId, Shard};
use crate::error::Fault;
use crate::push::Refusal;
use crate::readers::Moment;
use crate::schema::{Family, Kind, Open};
use crate::sync::{AtomicU32, MutexGuard, Ordering};
use crate::time::Ticks;
use crate::value::summary::Rolling;
use crate::value::{Sum, histogram};

/// What a row takes in a table: 8 bytes a slot, at worst 3/8 full just after it grew.
const TABLE_BYTES_PER_ROW: u64 = 22;

/// What a label value takes beside its bytes: its entry in the map of values, at the worst load.
const VALUE_BYTES_EXTRA: u64 = 64;

/// Room for so many values of a label is not given back.
const VALUES_KEPT: usize = 256;

/// What a label value takes in all.
pub(super) fn value_bytes(value: &[u8]) -> u64 {
    value.len() as u64 + VALUE_BYTES_EXTRA
}

/// The bytes that a series takes in all: its row, its key of `key_len` bytes, its cells and its place in
/// the table. A counter is charged for the wide sum, and a summary for all windows, that it may need
/// later, as an existing series is never refused.
pub(super) fn row_bytes(family: &FamilyState, key_len: usize) -> u64 {
    let cells = match family.kind() {
        Kind::Histogram => histogram::n_cells(family.bounds().len()) * size_of::<u64>(),
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

    fn came(&self) -> Came {
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

/// The places of one label's values.
#[derive(Debug)]
struct Places {
    /// The values of an open label that have a place, and how many series carry each.
    values: HashMap<Box<[u8]>, u32, Seed>,
    /// Those that keep it without any.
    pinned: Vec<Box<[u8]>>,
    /// Whether values wait before they get one.
    waits: bool,
    /// Those that do, once any does.
    candidates: Option<Candidates>,
}

impl Admission {
    pub(super) fn new(declared: &Family, seed: &Seed) -> Self {
        let places = |_| Places {
            values: HashMap::with_hasher(seed.clone()),
            pinned: Vec::new(),
            waits: false,
            candidates: None,
        };
        let labels = declared.labels().iter().map(places).collect();
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
            places.redeclare(pinned, open.admit_after > 1, &mut taken, &mut given);
        }
        (taken, given)
    }

    /// No schema declares the family any more: the bytes that it took beside its series.
    pub(super) fn retire(&mut self) -> u64 {
        let (mut taken, mut given) = (0, 0);
        for places in &mut self.labels {
            places.redeclare(Vec::new(), false, &mut taken, &mut given);
        }
        given
    }

    /// Gives memory back that values took which have left: a map of which less than an eighth is taken
    /// shrinks to a quarter.
    pub(super) fn shrink(&mut self) {
        for places in &mut self.labels {
            let (len, capacity) = (places.values.len(), places.values.capacity());
            if capacity > VALUES_KEPT && len < capacity / 8 {
                places.values.shrink_to(capacity / 4);
            }
        }
    }

    /// How many values of label `i` have a place.
    pub(super) fn n_values(&self, i: usize) -> usize {
        self.labels[i].values.len()
    }

    /// A series with this value of label `i` has left: the bytes that go with it.
    pub(super) fn leave(&mut self, i: usize, value: &[u8]) -> u64 {
        let places = &mut self.labels[i];
        let Some(n_series) = places.values.get_mut(value) else {
            return 0;
        };
        *n_series -= 1;
        if *n_series > 0 || places.pinned.iter().any(|pinned| &**pinned == value) {
            return 0;
        }
        places.values.remove(value);
        value_bytes(value)
    }

    /// What becomes of the values of a sample that came with a push; what the host binds waits for nothing.
    pub(super) fn judge(
        &mut self,
        key: &Key<'_>,
        arrival: Option<&Arrival<'_>>,
    ) -> Result<Verdict, Refusal> {
        let family = key.family;
        let unlisted = family.fold_unlisted(key)?;
        let (mut full, mut waited) = (0, 0);
        for (i, label) in family.labels().iter().enumerate() {
            let Some(open) = label.as_open().filter(|_| unlisted & (1 << i) == 0) else {
                continue;
            };
            let (places, value) = (&mut self.labels[i], key.value(i));
            let has_place = match places.place(open, value) {
                Place::Taken | Place::Free => true,
                Place::Full => false,
                Place::Waits => {
                    waited |= 1 << i;
                    arrival.is_none_or(|arrival| places.waited(open, family.seed(), value, arrival))
                }
            };
            full |= u32::from(!has_place) << i;
        }
        Ok(Verdict { unlisted, full, waited: waited & !full })
    }

    /// A series was made, and with it the values of these labels, which waited, got their places.
    fn end_of_wait(&mut self, key: &Key<'_>, labels: u32) {
        for i in (0..self.labels.len()).filter(|i| labels & (1 << i) != 0) {
            let value = value_hash(key.family.seed(), key.value(i));
            if let Some(candidates) = &mut self.labels[i].candidates {
                candidates.forget(value);
            }
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
}

/// What there is for a value of an open label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It has a place.
    Taken,
    /// It may have one.
    Free,
    /// It may have one when it came often enough.
    Waits,
    Full,
}

impl Places {
    #[inline]
    fn place(&self, open: &Open, value: &[u8]) -> Place {
        if self.values.contains_key(value) {
            Place::Taken
        } else if self.values.len() >= open.max_values as usize {
            Place::Full
        } else if open.admit_after > 1 {
            Place::Waits
        } else {
            Place::Free
        }
    }

    /// A value that waits came once more: whether that was often enough.
    fn waited(&mut self, open: &Open, seed: &Seed, value: &[u8], arrival: &Arrival<'_>) -> bool {
        let candidates = self.candidates.get_or_insert_with(|| Candidates::new(arrival.ticks));
        let hash = value_hash(seed, value);
        candidates.came(hash, open.admit_by, open.admit_after, &arrival.came())
    }

    /// These values keep their place from now on, and others wait for theirs or not.
    fn redeclare(&mut self, pinned: Vec<Box<[u8]>>, waits: bool, taken: &mut u64, given: &mut u64) {
        for value in &pinned {
            self.values.entry(value.clone()).or_insert_with(|| {
                *taken += value_bytes(value);
                0
            });
        }
        self.values.retain(|value, n_series| {
            let stays = *n_series > 0 || pinned.contains(value);
            *given += if stays { 0 } else { value_bytes(value) };
            stays
        });
        self.pinned = pinned;
        match (self.waits, waits) {
            (false, true) => *taken += TABLE_BYTES,
            (true, false) => *given += TABLE_BYTES,
            _ => {}
        }
        self.waits = waits;
        if !waits {
            self.candidates = None;
        }
    }
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
        arrival: &Arrival<'_>,
        rows: &mut Locked<'s>,
    ) -> Result<(RowId, u32), Refusal> {
        let family = key.family;
        let Verdict { unlisted, full, waited } = admission.judge(key, Some(arrival))?;
        let admitted = if unlisted | full == 0 { *key } else { key.fold(unlisted | full) };
        let of_series = rows.lock(self, self.shard_of(family, admitted.hash));
        if let Some(row) = of_series.find(&admitted) {
            return Ok((row, full));
        }
        let may =
            self.new_series.as_ref().is_none_or(|rate| rate.take(arrival.source, arrival.ticks));
        if may && let Some(row) = self.create(of_series, admission, &admitted, arrival.ticks) {
            admission.end_of_wait(&admitted, waited);
            return Ok((row, full));
        }
        // At a limit every open label folds, to a row that was reserved when the family was declared.
        let folded = key.fold(unlisted | family.open());
        let of_folded = rows.lock(self, self.shard_of(family, folded.hash));
        let row =
            of_folded.find(&folded).expect("a row for what folds is reserved with its family");
        Ok((row, family.open() & !unlisted))
    }

    /// Creates a series that does not exist, if the limits leave it a place: reserves first, and
    /// changes nothing otherwise.
    pub(super) fn create(
        &self,
        rows: &mut Shard,
        admission: &mut Admission,
        key: &Key<'_>,
        now: Ticks,
    ) -> Option<RowId> {
        let family = key.family;
        let takes_place = |i: &usize| family.open() & !key.folded & (1 << i) != 0;
        let places: u64 = (0..family.labels().len())
            .filter(takes_place)
            .filter(|i| !admission.labels[*i].values.contains_key(key.value(*i)))
            .map(|i| value_bytes(key.value(i)))
            .sum();
        let has_room = (admission.n_series < self.series_per_family || family.is_own())
            && self.charge(family, admission, row_bytes(family, key.body_len()) + places);
        if !has_room {
            return None;
        }
        for i in (0..family.labels().len()).filter(takes_place) {
            *admission.labels[i].values.entry(key.value(i).into()).or_insert(0) += 1;
        }
        admission.n_series += 1;
        Some(rows.insert(key, UNUSED, self.moment(now)))
    }
}
