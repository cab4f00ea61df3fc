//! Keys that this thread read before, and the rows that they name.
//!
//! ```text
//! tags  × 256    [tag of a key] × 4                 where it may be
//! slots × 1024   [catalog, family, hash, row, folded, full] [next, len] [key, 140 bytes]   three cache lines each
//! ```
//! Browsers on the same pages send the same keys. To find out what a key means takes ten times as long as to see that
//! it is the one that was read before, byte for byte, and mostly behind the same one: so that is tried first.
//!
//! What a key means depends on nothing but its bytes and the catalog, whose number stands with it, and the row is
//! asked for under its shard's lock whether it is still where it was, see [`Locator`]. So it is right whatever is in
//! here, and what anyone sends to make room in it costs others no more than reading their keys. A key some of whose
//! values had no place means `other` in theirs for as long as its family's full labels are in one state, see [`Seen`].
//! (A value that a reload pins has a place at once, and means it from when the other catalog is in force.) What is in
//! here stays until something else takes its slot, also where its series has left.
//!
//! Not in here: gauges, which are taken one by one; families with a label that the server sets, which depend on the
//! request; keys with escapes of JSON, and keys that are longer.

use std::hash::BuildHasher;

use super::{fits, key};
use crate::push::error::DecodeError;
use crate::push::json::{Json, RawStr};
use crate::push::samples::{Entry, Samples};
use crate::store::{Catalog, FamilyState, Locator, Seen};
use crate::sync::FastRandomState;

/// Keys that a thread remembers: 194 KiB. A page load has some dozen, a site some dozen pages.
const SLOTS: usize = WAYS * SETS;

/// Slots that a key may be in: with fewer, keys that are sent with each push would want the same ones, of 500 one in ten
/// where there are two.
const WAYS: usize = 4;

const SETS: usize = 1 << 8;

/// Longest key that is remembered: what three cache lines have room for.
const KEY_BYTES_MAX: usize = 140;

/// One in so many keys that are not known is remembered, so that keys which never come again cost little.
/// Tests remember each: what they push twice is read both ways.
const REMEMBERED_ONE_IN: u32 = if cfg!(any(test, debug_assertions)) { 1 } else { 8 };

/// What a key means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meaning {
    /// The number of the catalog that says so.
    pub(crate) catalog: u64,
    /// The position of its family in that catalog.
    pub(crate) family: u32,
    /// The hash of its series.
    pub(crate) hash: u64,
    pub(crate) at: Locator,
    /// A bit for each label whose value had no place, and the state of its family that said so.
    pub(crate) folded: u32,
    pub(crate) full: Seen,
}

impl Meaning {
    /// Whether what had no place in this family, which is its own, has none for all that is known.
    #[inline]
    fn holds(&self, family: &FamilyState) -> bool {
        self.folded == 0 || family.full() == self.full
    }
}

#[derive(Clone, Debug)]
#[repr(align(64))]
struct Slot {
    meaning: Meaning,
    /// The slot of the key that came behind this one.
    next: u16,
    len: u16,
    key: [u8; KEY_BYTES_MAX],
}

const _: () = assert!(size_of::<Slot>() == 192);

impl Slot {
    /// No catalog has this number.
    const EMPTY: Self = Self {
        meaning: Meaning {
            catalog: u64::MAX,
            family: 0,
            hash: 0,
            at: Locator::NOWHERE,
            folded: 0,
            full: Seen::NONE,
        },
        next: 0,
        len: 0,
        key: [0; KEY_BYTES_MAX],
    };

    #[inline]
    fn key(&self) -> &[u8] {
        &self.key[..usize::from(self.len)]
    }
}

/// What a thread remembers of a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Recall {
    /// What is in this slot.
    Known(u16),
    /// Nothing; it is to be known from now on, if it may be.
    New,
    /// Nothing.
    Unknown,
}

/// A key that is to be remembered, and the entry that it became.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighted {
    pub(crate) entry: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Sighted {
    pub(super) fn new(entry: usize, key: RawStr) -> Self {
        Self { entry: entry as u32, start: key.start as u32, end: key.end as u32 }
    }
}

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// None until a slot is taken.
    tags: Vec<[u16; WAYS]>,
    slots: Vec<Slot>,
    hasher: FastRandomState,
    /// The slot of the key that came last.
    last: u16,
    lots: Lots,
}

/// Lots of five bits. Batches are alike, so that whatever went by a count would choose the same keys of each.
///
/// Source of the multiplier: Steele and Vigna, "Computationally easy, spectrally good multipliers for congruential
/// pseudorandom number generators", 2022.
#[derive(Debug, Default)]
struct Lots(u32);

impl Lots {
    #[inline]
    fn draw(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(0x915f_77f5).wrapping_add(1);
        self.0 >> 27
    }
}

impl Known {
    /// Reads a member's key and the colon behind it.
    #[inline]
    pub(super) fn read(
        &mut self,
        json: &mut Json<'_>,
        body: &[u8],
        catalog: u64,
    ) -> Result<(RawStr, Recall), DecodeError> {
        let next = self.slots.get(usize::from(self.last)).map_or(0, |last| last.next);
        if let Some(slot) = self.slots.get(usize::from(next))
            && slot.meaning.catalog == catalog
            && let Some(key) = json.eat_key(slot.key())
        {
            self.last = next;
            return Ok((key, Recall::Known(next)));
        }
        let key = json.key()?;
        Ok((key, self.look_up(key, body, catalog)))
    }

    #[inline(never)]
    fn look_up(&mut self, key: RawStr, body: &[u8], catalog: u64) -> Recall {
        let text = &body[key.start..key.end];
        if key.has_escapes() || text.len() > KEY_BYTES_MAX {
            return Recall::Unknown;
        }
        let (set, tag) = self.set_of(text);
        let tags = self.tags.get(set).unwrap_or(&[0; WAYS]);
        for (way, _) in tags.iter().enumerate().filter(|(_, other)| **other == tag) {
            let i = set * WAYS + way;
            let slot = &self.slots[i];
            if slot.meaning.catalog == catalog && slot.key() == text {
                self.slots[usize::from(self.last)].next = i as u16;
                self.last = i as u16;
                return Recall::Known(i as u16);
            }
        }
        let is_drawn = self.lots.draw().is_multiple_of(REMEMBERED_ONE_IN);
        if is_drawn { Recall::New } else { Recall::Unknown }
    }

    /// The set that a key may be in, and its tag there, which is not that of a slot without a key.
    #[inline]
    fn set_of(&self, key: &[u8]) -> (usize, u16) {
        let hash = self.hasher.hash_one(key);
        (hash as usize % SETS, (hash >> 48) as u16 | 1)
    }

    /// Remembers what a key means, in the place of another.
    pub(crate) fn put(&mut self, key: &[u8], meaning: Meaning) {
        if self.slots.is_empty() {
            (self.tags, self.slots) = (vec![[0; WAYS]; SETS], vec![Slot::EMPTY; SLOTS]);
        }
        let (set, tag) = self.set_of(key);
        let slots = &mut self.slots[set * WAYS..][..WAYS];
        let is_this = |slot: &Slot| slot.key() == key;
        let is_of_another = |slot: &Slot| slot.meaning.catalog != meaning.catalog;
        let found = slots.iter().position(is_this).or_else(|| slots.iter().position(is_of_another));
        let way = found.unwrap_or_else(|| self.lots.draw() as usize % WAYS);
        let (slot, i) = (&mut slots[way], set * WAYS + way);
        (slot.meaning, slot.next, slot.len) = (meaning, i as u16, key.len() as u16);
        slot.key[..key.len()].copy_from_slice(key);
        self.tags[set][way] = tag;
    }

    /// What is in a slot.
    #[inline]
    pub(crate) fn meaning(&self, slot: u16) -> &Meaning {
        &self.slots[usize::from(slot)].meaning
    }

    /// Length of the key that is in a slot.
    pub(crate) fn key_len(&self, slot: u16) -> usize {
        self.slots[usize::from(slot)].key().len()
    }
}

impl Samples {
    /// Reads a member's key and the colon behind it, and says what is remembered of it: nothing where somebody asks why
    /// samples are refused, who is told by what looks at their keys.
    #[inline]
    pub(super) fn read_key(
        &mut self,
        catalog: &Catalog,
        json: &mut Json<'_>,
        body: &[u8],
    ) -> Result<(RawStr, Recall), DecodeError> {
        if self.notes.is_some() {
            return Ok((json.key()?, Recall::Unknown));
        }
        self.known.read(json, body, catalog.number())
    }

    /// Ends an entry whose key is known, if that means what it did, and its numbers are what its family takes: whether
    /// it did.
    #[inline]
    pub(super) fn push_known(
        &mut self,
        catalog: &Catalog,
        recall: Recall,
        read: &super::Entry,
    ) -> bool {
        let super::Entry { key, shape, numbers_at, weight_ok: true } = *read else { return false };
        let Recall::Known(slot) = recall else { return false };
        let meaning = self.known.meaning(slot);
        let Meaning { family: position, hash, .. } = *meaning;
        let family = catalog.family(position);
        let numbers = &self.numbers[numbers_at..];
        if !meaning.holds(family)
            || numbers.is_empty()
            || !fits(family.kind(), shape)
            || numbers.iter().any(|number| number.check(family).is_err())
        {
            return false;
        }
        let n_numbers = numbers.len() as u32;
        self.entries.push(Entry {
            family: position,
            hash,
            // Its values are not looked at; where the key begins says where they are.
            values_at: key.start as u32,
            numbers_at: numbers_at as u32,
            n_numbers,
            next: u32::MAX,
            row: u32::MAX,
            folded: 0,
            known: Some(slot),
        });
        true
    }

    /// A key that was looked at became this entry, if there is one: it is to be known, if it is new or may mean something
    /// else than it did.
    #[inline]
    pub(super) fn sight(&mut self, catalog: &Catalog, recall: Recall, entry: usize, key: RawStr) {
        let is_to_be_known = match recall {
            Recall::Known(slot) => {
                let meaning = self.known.meaning(slot);
                !meaning.holds(catalog.family(meaning.family))
            }
            Recall::New => true,
            Recall::Unknown => false,
        };
        if is_to_be_known && self.entries.len() > entry {
            self.sighted.push(Sighted::new(entry, key));
        }
    }

    /// Reads the values of an entry whose key is known but whose row is no longer where it was. The key is to be
    /// remembered anew.
    #[cold]
    pub(crate) fn read_known(&mut self, catalog: &Catalog, body: &[u8], entry: u32) {
        let Entry { family, values_at: start, known, .. } = self.entries[entry as usize];
        let Some(slot) = known else { return };
        let end = start + self.known.key_len(slot) as u32;
        let key = RawStr { start: start as usize, end: end as usize, n_escapes: 0 };
        let (target, values_at) = (catalog.at(family), self.values.len());
        let is_read = key::split(body, key, self).is_ok()
            && (self.resolve_labels_in_order(&target, body)
                || self.resolve_labels_in_any_order(&target, body).is_ok());
        assert!(is_read, "a key that is known was read before");
        let entry_of = &mut self.entries[entry as usize];
        (entry_of.values_at, entry_of.known) = (values_at as u32, None);
        self.sighted.push(Sighted::new(entry as usize, key));
    }
}

#[cfg(test)]
mod tests;
