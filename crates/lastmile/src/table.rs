//! Where things of one shard are by their hashes: rows of the store, ids of batches.
//!
//! ```text
//! slots  [hash 32 | row id + 1] [0] [hash | id + 1] …      open addressing, the next slot if one is taken
//! old    [ … ]                                             the table before, while it is moved over
//! ```
//! A look-up in a large table waits for memory once, where control bytes beside the slots would make it
//! wait twice. It grows and shrinks by its own hashes and never looks at a row; and a few slots at a time,
//! with every row that comes or leaves, so that no push ever waits for a table to be moved.

/// A row's id in the lower half, plus 1, and half of its hash in the upper. 0 is a free slot.
type Slot = u64;

/// A slot of the old table whose row was moved or has left: the search goes on behind it.
const MOVED: Slot = u32::MAX as Slot;

/// Slots of the smallest table.
const SLOTS_MIN: usize = 16;

/// Slots of the old table that are moved with each row that comes or leaves. All are moved before so many
/// rows came that the new one is three quarters full.
const MOVED_AT_ONCE: usize = 32;

/// A table of which less than one slot in so many is taken makes room for one of a quarter of its size.
const SPARSE: usize = 16;

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Table {
    slots: Vec<Slot>,
    old: Vec<Slot>,
    /// Slots of `old` in front of this are moved.
    n_moved: usize,
    len: usize,
    /// Slots that are kept, whatever leaves.
    n_kept: usize,
}

/// Spreads a hash over the bits that name a slot.
#[inline]
fn home(hash: u32, n_slots: usize) -> usize {
    let spread = u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (spread >> 32) as usize & (n_slots - 1)
}

#[inline]
fn hash_of(slot: Slot) -> u32 {
    (slot >> 32) as u32
}

#[inline]
fn id_of(slot: Slot) -> u32 {
    (slot as u32).wrapping_sub(1)
}

/// Where in `slots` a row with this hash stands that `is` says yes to.
#[inline]
fn position(slots: &[Slot], hash: u32, mut is: impl FnMut(u32) -> bool) -> Option<usize> {
    if slots.is_empty() {
        return None;
    }
    let mask = slots.len() - 1;
    let mut at = home(hash, slots.len());
    loop {
        let slot = slots[at & mask];
        if slot == 0 {
            return None;
        }
        if hash_of(slot) == hash && slot != MOVED && is(id_of(slot)) {
            return Some(at & mask);
        }
        at += 1;
    }
}

/// Puts a row into the first free slot. There is always one, as tables are three quarters full at most.
#[inline]
fn put(slots: &mut [Slot], slot: Slot) {
    let mask = slots.len() - 1;
    let mut at = home(hash_of(slot), slots.len());
    while slots[at & mask] != 0 {
        at += 1;
    }
    slots[at & mask] = slot;
}

impl Table {
    /// What a slot takes.
    pub(crate) const SLOT_BYTES: usize = size_of::<Slot>();

    /// A table with room for so many rows, which it keeps. Until then it does not grow.
    pub(crate) fn with_room(n_rows: usize) -> Self {
        let n_kept = (n_rows * 4).div_ceil(3).next_power_of_two().max(SLOTS_MIN);
        Self { slots: vec![0; n_kept], n_kept, ..Self::default() }
    }

    /// Most rows in so many slots.
    pub(crate) const fn rows_in(n_slots: usize) -> usize {
        if n_slots < SLOTS_MIN { 0 } else { n_slots / 4 * 3 }
    }

    /// Where a search for this hash begins.
    #[inline]
    fn home(&self, hash: u32) -> usize {
        home(hash, self.slots.len().max(1))
    }

    /// Asks for the slot where a search for this hash begins, to be looked at later.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u32) {
        prefetch_index::prefetch_index(&self.slots, self.home(hash));
    }

    /// Rows in the table.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The row with this hash that `is` says yes to.
    #[inline]
    pub(crate) fn find(&self, hash: u32, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        if let Some(at) = position(&self.slots, hash, &mut is) {
            return Some(id_of(self.slots[at]));
        }
        if self.old.is_empty() {
            return None;
        }
        position(&self.old, hash, is).map(|at| id_of(self.old[at]))
    }

    /// Adds a row that is not there.
    pub(crate) fn insert(&mut self, hash: u32, id: u32) {
        if !self.old.is_empty() {
            self.move_over();
        } else if self.len >= Self::rows_in(self.slots.len()) {
            self.resize((self.slots.len() * 2).max(SLOTS_MIN));
        }
        put(&mut self.slots, Slot::from(hash) << 32 | (Slot::from(id) + 1));
        self.len += 1;
    }

    /// Begins to move all rows to a table of this size. Zeroed memory comes from the system as it is
    /// touched, so this takes no time either.
    fn resize(&mut self, n_slots: usize) {
        self.old = std::mem::replace(&mut self.slots, vec![0; n_slots]);
        self.n_moved = 0;
        self.move_over();
    }

    /// Moves some of the old table's rows to the new one.
    fn move_over(&mut self) {
        let end = (self.n_moved + MOVED_AT_ONCE).min(self.old.len());
        for slot in &mut self.old[self.n_moved..end] {
            if *slot != 0 && *slot != MOVED {
                put(&mut self.slots, std::mem::replace(slot, MOVED));
            }
        }
        self.n_moved = end;
        if end == self.old.len() {
            self.old = Vec::new();
        }
    }

    /// A row has another id.
    pub(crate) fn rename(&mut self, hash: u32, id: u32, to: u32) {
        for slots in [&mut self.slots, &mut self.old] {
            if let Some(at) = position(slots, hash, |other| other == id) {
                slots[at] = Slot::from(hash) << 32 | (Slot::from(to) + 1);
                return;
            }
        }
    }

    /// A row has left.
    pub(crate) fn remove(&mut self, hash: u32, id: u32) {
        if let Some(at) = position(&self.slots, hash, |other| other == id) {
            self.close(at);
        } else if let Some(at) = position(&self.old, hash, |other| other == id) {
            self.old[at] = MOVED;
        } else {
            return;
        }
        self.len -= 1;
        if self.len == 0 && self.slots.len() > self.n_kept {
            *self = Self { n_kept: self.n_kept, ..Self::default() };
        } else if !self.old.is_empty() {
            self.move_over();
        } else if self.slots.len() > self.n_kept.max(SLOTS_MIN)
            && self.len * SPARSE < self.slots.len()
        {
            self.resize((self.slots.len() / 4).max(self.n_kept).max(SLOTS_MIN));
        }
    }

    /// Frees a slot, and moves up what stands behind it and could stand there: no search ends too soon,
    /// and none ever passes slots of what has left.
    fn close(&mut self, mut free: usize) {
        let mask = self.slots.len() - 1;
        let mut at = free;
        loop {
            at = (at + 1) & mask;
            let slot = self.slots[at];
            if slot == 0 {
                break;
            }
            // How far the row stands behind its home, and how far the free slot is behind it.
            let from_home = at.wrapping_sub(home(hash_of(slot), self.slots.len())) & mask;
            let from_free = at.wrapping_sub(free) & mask;
            // Without a branch, which would be guessed wrong as often as not.
            let moves = from_home >= from_free;
            self.slots[free] = if moves { slot } else { self.slots[free] };
            free = if moves { at } else { free };
        }
        self.slots[free] = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_slot_is_never_taken_for_another() {
        // The largest hash and the smallest id beside the mark of what was moved.
        let mut table = Table::default();
        for id in 0..100 {
            table.insert(0, id);
            table.insert(u32::MAX, 1000 + id);
        }
        for id in 0..100 {
            assert_eq!(table.find(0, |other| other == id), Some(id));
            assert_eq!(table.find(u32::MAX, |other| other == 1000 + id), Some(1000 + id));
        }
        assert_eq!(table.find(1, |_| true), None);
    }

    #[test]
    fn memory_is_given_back_with_the_last_row() {
        let mut table = Table::default();
        (0..10_000).for_each(|id| table.insert(id, id));
        (0..10_000).for_each(|id| table.remove(id, id));
        assert_eq!((table.len(), table.slots.capacity(), table.old.capacity()), (0, 0, 0));
    }

    #[test]
    fn room_that_was_asked_for_stays() {
        for (n_rows, n_slots) in [(0, 16), (12, 16), (13, 32), (49_152, 65_536), (49_153, 131_072)]
        {
            let mut table = Table::with_room(n_rows);
            let rows = || 0..n_rows as u32;
            rows().for_each(|id| table.insert(id, id));
            rows().for_each(|id| table.remove(id, id));
            let [slots, old] =
                [&table.slots, &table.old].map(|slots| (slots.len(), slots.capacity()));
            assert_eq!([slots, old], [(n_slots, n_slots), (0, 0)], "{n_rows}");
            assert!(table.slots.iter().all(|slot| *slot == 0));
        }
    }

    #[test]
    fn a_table_is_never_much_larger_than_its_rows() {
        let mut table = Table::default();
        let hash = |id: u32| id.wrapping_mul(0x9E37_79B9);
        (0..100_000).for_each(|id| table.insert(hash(id), id));
        for id in 0..99_000 {
            table.remove(hash(id), id);
            // One more move may be under way.
            let n_slots = table.slots.len() + table.old.len();
            assert!(n_slots <= (3 * SPARSE * table.len()).max(64), "{n_slots} for {}", table.len());
        }
        for id in 99_000..100_000 {
            assert_eq!(table.find(hash(id), |other| other == id), Some(id));
        }
    }

    proptest! {
        /// Whatever comes and goes, it finds what a map finds. Few hashes, so that many rows share one.
        #[test]
        fn it_is_a_map(ops in proptest::collection::vec((0..40_u32, 0..400_u32, 0..5_u8), 1..2_000)) {
            let mut table = Table::default();
            let mut twin: HashMap<u32, u32> = HashMap::new();
            for (hash, id, op) in ops {
                // Some hashes are at the ends of the table and so wrap around.
                let hash = if hash < 30 { hash.wrapping_mul(0x9E37_79B9) } else { u32::MAX - hash };
                match (op, twin.get(&id).copied()) {
                    (0, Some(known)) => {
                        table.remove(known, id);
                        twin.remove(&id);
                    }
                    (1, Some(known)) if !twin.contains_key(&(id + 1_000)) => {
                        table.rename(known, id, id + 1_000);
                        twin.remove(&id);
                        twin.insert(id + 1_000, known);
                    }
                    (_, None) => {
                        table.insert(hash, id);
                        twin.insert(id, hash);
                    }
                    _ => {}
                }
                prop_assert_eq!(table.len(), twin.len());
                prop_assert!(table.len() * 4 <= table.slots.len() * 3);
            }
            for (id, hash) in &twin {
                prop_assert_eq!(table.find(*hash, |other| other == *id), Some(*id));
                prop_assert_eq!(table.find(*hash, |other| other == 5_000 + *id), None);
            }
        }
    }
}
