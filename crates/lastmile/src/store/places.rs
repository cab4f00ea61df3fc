//! The places of an open label's values: who has one, who keeps it, who waits for it.

use std::sync::Arc;

use hashbrown::HashTable;

use super::admission::Arrival;
use super::candidates::{Candidates, TABLE_BYTES};
use super::family::{Seed, value_hash};
use super::full::Full;
use super::key::same;
use crate::schema::Open;

/// What a label value takes beside its bytes: its entry in the map of values, 58 bytes at the worst load, and
/// its part of a full label's filter, 4.
const VALUE_BYTES_EXTRA: u64 = 64;

/// Room for so many values of a label is not given back.
const VALUES_KEPT: usize = 256;

/// What a label value takes in all.
pub(super) fn value_bytes(value: &[u8]) -> u64 {
    value.len() as u64 + VALUE_BYTES_EXTRA
}

/// The places of one label's values.
#[derive(Debug)]
pub(super) struct Places {
    /// Its position among its family's.
    label: usize,
    /// How many values there is room for; in a closed label that is nobody's question.
    max: usize,
    /// The values of an open label that have a place.
    values: HashTable<Placed>,
    seed: Seed,
    /// Tells those who ask for no place whether there is none.
    full: Arc<Full>,
    /// Values that left since the label's filter was filled.
    n_left: usize,
    /// Those that keep it without any series.
    pinned: Vec<Box<[u8]>>,
    /// Whether values wait before they get one.
    waits: bool,
    /// Those that do, once any does.
    candidates: Option<Candidates>,
}

/// A value that has a place, and how many series carry it.
#[derive(Debug)]
struct Placed {
    value: Box<[u8]>,
    n_series: u32,
}

/// What there is for a value of an open label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It has a place.
    Taken,
    /// It may have one.
    Free,
    /// It may have one when it came often enough.
    Waits,
    Full,
}

impl Places {
    pub(super) fn new(label: usize, seed: &Seed, full: &Arc<Full>) -> Self {
        Self {
            label,
            max: usize::MAX,
            values: HashTable::new(),
            seed: seed.clone(),
            full: Arc::clone(full),
            n_left: 0,
            pinned: Vec::new(),
            waits: false,
            candidates: None,
        }
    }

    /// How many values have a place.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// What there is for a value with this hash.
    #[inline]
    pub(super) fn place(&self, open: &Open, value: &[u8], hash: u64) -> Place {
        if self.values.find(hash, |placed| same(&placed.value, value)).is_some() {
            Place::Taken
        } else if self.is_full() {
            Place::Full
        } else if open.admit_after > 1 {
            Place::Waits
        } else {
            Place::Free
        }
    }

    /// A value that waits came once more: whether that was often enough.
    pub(super) fn waited(&mut self, open: &Open, hash: u64, arrival: &Arrival<'_>) -> bool {
        let candidates = self.candidates.get_or_insert_with(|| Candidates::new(arrival.ticks));
        candidates.came(hash, open.admit_by, open.admit_after, &arrival.came())
    }

    /// A value has its place and waits no longer.
    pub(super) fn end_of_wait(&mut self, hash: u64) {
        if let Some(candidates) = &mut self.candidates {
            candidates.forget(hash);
        }
    }

    /// One series more carries this value, which takes a place if it has none.
    pub(super) fn take(&mut self, value: &[u8], hash: u64) {
        match self.values.find_mut(hash, |placed| same(&placed.value, value)) {
            Some(placed) => placed.n_series += 1,
            None => self.insert(value.into(), hash, 1),
        }
    }

    fn insert(&mut self, value: Box<[u8]>, hash: u64, n_series: u32) {
        let rehash = |placed: &Placed| value_hash(&self.seed, &placed.value);
        self.values.insert_unique(hash, Placed { value, n_series }, rehash);
        self.full.put(self.label, hash);
        self.tell();
    }

    fn is_full(&self) -> bool {
        self.values.len() >= self.max
    }

    /// Tells those who ask for no place. A filter of whose values an eighth has left is filled anew, which costs
    /// each of those the hashes of eight.
    fn tell(&mut self) {
        if !self.is_full() {
            return self.full.set_free(self.label);
        }
        let stale = self.n_left > self.max / 8;
        let placed = self.values.iter().map(|placed| value_hash(&self.seed, &placed.value));
        if self.full.set_full(self.label, self.max, stale, placed) {
            self.n_left = 0;
        }
    }

    /// A series with this value has left: the bytes that go with it.
    pub(super) fn leave(&mut self, value: &[u8], hash: u64) -> u64 {
        let Ok(mut entry) = self.values.find_entry(hash, |placed| same(&placed.value, value))
        else {
            return 0;
        };
        entry.get_mut().n_series -= 1;
        let stays = entry.get().n_series > 0 || self.pinned.iter().any(|p| same(p, value));
        if stays {
            return 0;
        }
        entry.remove();
        self.n_left += 1;
        self.tell();
        value_bytes(value)
    }

    /// Gives memory back that values took which have left: a map of which less than an eighth is taken
    /// shrinks to a quarter.
    pub(super) fn shrink(&mut self) {
        let (len, capacity) = (self.values.len(), self.values.capacity());
        if capacity > VALUES_KEPT && len < capacity / 8 {
            let rehash = |placed: &Placed| value_hash(&self.seed, &placed.value);
            self.values.shrink_to(capacity / 4, rehash);
        }
    }

    /// These values keep their place from now on, there is room for `max`, and others wait for theirs or not. Adds
    /// up the bytes that this takes and those that it gives back.
    pub(super) fn redeclare(
        &mut self,
        max: usize,
        pinned: Vec<Box<[u8]>>,
        waits: bool,
        taken: &mut u64,
        given: &mut u64,
    ) {
        for value in &pinned {
            let hash = value_hash(&self.seed, value);
            if self.values.find(hash, |placed| same(&placed.value, value)).is_none() {
                *taken += value_bytes(value);
                self.insert(value.clone(), hash, 0);
            }
        }
        self.values.retain(|placed| {
            let stays = placed.n_series > 0 || pinned.contains(&placed.value);
            *given += if stays { 0 } else { value_bytes(&placed.value) };
            self.n_left += usize::from(!stays);
            stays
        });
        self.pinned = pinned;
        self.max = max;
        self.tell();
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
