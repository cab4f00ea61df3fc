//! The ids of one shard, behind one lock.
//!
//! ```text
//! table ── half of the id → index ──► entries  [id 16][content 8][tick 4][next 4]
//! lane × 64: first ─► … ─► last                through `next`, oldest first; free ─► … the same way
//! ```
//! A claim of a new id on a full shard looks at memory that no cache has: where it would stand in the table, and where
//! the one that goes for it stands. The first is asked for when the id is read, before the batch is decoded, the other
//! by the claim before. What comes takes the entry of what goes, and the entries of a lane are mostly neighbours.

use super::{Claim, WINDOW};
use crate::sync::{AtomicU32, Ordering};
use crate::table::Table;
use crate::time::Ticks;

/// Queues that sources are spread over, in each shard.
pub(super) const LANES: usize = 64;

/// Ids that one shard forgets in one go, which takes about 50 µs.
const FORGET_MAX: usize = 512;

/// A table begins with room for one id in so many, and keeps that: 512 KiB of 8 MiB, for 32 MiB of ids.
const TABLES: usize = 16;

/// No entry.
const NONE: u32 = u32::MAX;

/// Bits of a number of entries, so that one and the number of a lane fit into 32: half of 128 Mi, and more than
/// [`BYTES_MAX`](super::BYTES_MAX) has room for in a shard.
const LEN_BITS: u32 = 26;

#[derive(Debug)]
pub(super) struct Shard {
    table: Table,
    entries: Vec<Entry>,
    /// The first of the entries that are free.
    free: u32,
    first: [u32; LANES],
    last: [u32; LANES],
    len: [u32; LANES],
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: u128,
    content: u64,
    tick: Ticks,
    next: u32,
}

/// The half of an id that the table is built from. The other half chose the shard.
#[inline]
fn hash_of(id: u128) -> u32 {
    id as u32
}

/// How many ids fit into so many bytes, with their places in the table.
pub(super) fn ids_in(bytes: usize) -> usize {
    let of_table = |n_slots: usize| {
        let left = bytes.saturating_sub(n_slots * Table::SLOT_BYTES);
        (left / size_of::<Entry>()).min(Table::rows_in(n_slots))
    };
    let ids = (0..32).map(|log| of_table(1 << log)).max().unwrap_or(0);
    ids.min((1 << LEN_BITS) - 1)
}

impl Default for Shard {
    fn default() -> Self {
        let (table, entries) = (Table::default(), Vec::new());
        let (first, last, len) = ([NONE; LANES], [NONE; LANES], [0; LANES]);
        Self { table, entries, free: NONE, first, last, len }
    }
}

impl Shard {
    /// Asks for what a claim of this id will look at, and says which lane is to make room for it, if any must.
    #[inline]
    pub(super) fn ask(&mut self, id: u128, lane: usize, ids_max: usize) -> Option<usize> {
        if self.entries.capacity() == 0 {
            // All at once, so that no push waits for it to grow. The system gives the pages of it as they are
            // written. Those of a table are written here and there, so it grows with what is in it.
            self.entries.reserve_exact(ids_max);
            self.table = Table::with_room(ids_max / TABLES);
        }
        let is_full = self.free == NONE && self.entries.len() >= ids_max;
        let longest = is_full.then(|| self.longest());
        self.prefetch_oldest(longest.unwrap_or(lane));
        self.prefetch(id);
        longest
    }

    /// Claims an id whose source has this lane. `goes` is the lane that makes room, as [`ask`](Self::ask)
    /// said just now.
    #[inline]
    pub(super) fn claim(
        &mut self,
        id: u128,
        content: u64,
        lane: usize,
        goes: Option<usize>,
        now: Ticks,
        window: &AtomicU32,
    ) -> Claim {
        let known = self.table.find(hash_of(id), |i| self.entries[i as usize].id == id);
        if let Some(i) = known {
            let same = self.entries[i as usize].content == content;
            return if same { Claim::Duplicate } else { Claim::Conflict };
        }
        // Two go for one that comes, so that the old ones leave without a sweep.
        for lane in [lane, now as usize % LANES] {
            self.drop_oldest_if(lane, |age| age > WINDOW, now);
        }
        if let Some(longest) = goes
            && self.free == NONE
            && let Some(age) = self.drop_oldest_if(longest, |_| true, now)
            && age < window.load(Ordering::Relaxed)
        {
            window.fetch_min(age, Ordering::Relaxed);
        }
        if let Some(longest) = goes {
            self.prefetch_oldest(longest);
        }
        self.put(Entry { id, content, tick: now, next: NONE }, lane);
        Claim::New
    }

    /// Asks for where this id stands in the table.
    #[inline]
    pub(super) fn prefetch(&self, id: u128) {
        self.table.prefetch(hash_of(id));
    }

    /// Asks for what is looked at when the oldest id of this lane goes: its place in the table, and the entry behind it,
    /// so that for the next claim a chain of two waits for memory is none.
    #[inline]
    fn prefetch_oldest(&self, lane: usize) {
        if let Some(oldest) = self.entries.get(self.first[lane] as usize) {
            self.table.prefetch(hash_of(oldest.id));
            prefetch_index::prefetch_index(&self.entries, oldest.next as usize);
        }
    }

    /// The lane that has most ids.
    fn longest(&self) -> usize {
        let lens = self.len.iter().zip(0..).map(|(len, lane)| len << (32 - LEN_BITS) | lane);
        lens.max().map_or(0, |most| most as usize % LANES)
    }

    /// Adds an id that is not there, for which there is room, as the newest of its lane.
    fn put(&mut self, entry: Entry, lane: usize) {
        let i = self.free;
        let i = match self.entries.get_mut(i as usize) {
            Some(free) => {
                self.free = std::mem::replace(free, entry).next;
                i
            }
            None => {
                self.entries.push(entry);
                self.entries.len() as u32 - 1
            }
        };
        match self.last[lane] {
            NONE => self.first[lane] = i,
            last => self.entries[last as usize].next = i,
        }
        self.last[lane] = i;
        self.len[lane] += 1;
        self.table.insert(hash_of(entry.id), i);
    }

    /// Drops ids that are too old, a few at a time, so that no push waits for long. Those that come drop
    /// two each in any case; this is for the time when none do.
    pub(super) fn forget(&mut self, now: Ticks) {
        let mut left = FORGET_MAX;
        for lane in 0..LANES {
            while left > 0 && self.drop_oldest_if(lane, |age| age > WINDOW, now).is_some() {
                left -= 1;
            }
        }
    }

    /// Drops the oldest id of a lane if its age is one that goes; gives the age.
    fn drop_oldest_if(
        &mut self,
        lane: usize,
        goes: impl Fn(Ticks) -> bool,
        now: Ticks,
    ) -> Option<Ticks> {
        let i = self.first[lane];
        let entry = self.entries.get_mut(i as usize)?;
        let age = now.saturating_sub(entry.tick);
        if !goes(age) {
            return None;
        }
        let (id, next) = (entry.id, std::mem::replace(&mut entry.next, self.free));
        self.free = i;
        self.first[lane] = next;
        self.len[lane] -= 1;
        if next == NONE {
            self.last[lane] = NONE;
        }
        self.table.remove(hash_of(id), i);
        Some(age)
    }

    #[cfg(test)]
    pub(super) fn n_entries(&self) -> usize {
        self.entries.len()
    }
}
