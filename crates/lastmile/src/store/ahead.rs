//! The rows of a push in a large store are waited for together.
//!
//! A look-up in a large store waits for memory three times in a row: for the table, the row, and its key. One after the
//! other, sixteen samples wait 48 times. Looked up together their waits are under way together, as none depends on
//! another: each step is a loop of its own, which asks for what the next one reads and waits for nothing that it asked
//! for itself. A prefetch means nothing: no count depends on it.

use super::shard::Shard;
use super::{SHARDS_MAX, Store};
use crate::push::{Entry, Samples};
use crate::sync::MutexGuard;

/// No entry, or no row.
pub(super) const NONE: u32 = u32::MAX;

/// Shards that a push holds at once while it waits for memory. Sixteen samples of as many families then have four
/// look-ups under way and took 0.7 of the time that they did one after the other, by loads; eight made that little
/// shorter, and a second thread waits for more locks.
const HELD_MAX: usize = 4;

/// Series that are looked up at once. What has come of the first is still in a core's own cache when the last is
/// counted, and what a push holds more than one shard for is bounded, some 10 µs.
const AHEAD_MAX: usize = 64;

/// Shards that are held, and the first of a push's entries in each.
pub(super) struct Held<'a>([Option<(u32, MutexGuard<'a, Shard>)>; HELD_MAX]);

impl Store {
    /// Holds beside this shard some of the others, whichever nobody else has, and says which. They are never waited
    /// for, as one is held; and none is held for a push of many series.
    #[inline(never)]
    pub(super) fn hold_more<'a>(
        &'a self,
        first: (u32, MutexGuard<'a, Shard>),
        mut others: u64,
        heads: &[u32; SHARDS_MAX],
        n_entries: usize,
    ) -> (Held<'a>, u64) {
        let mut held = [const { None }; HELD_MAX];
        held[0] = Some(first);
        let (mut n_held, mut taken) = (1, 0);
        while others != 0 && n_held < HELD_MAX && n_entries <= AHEAD_MAX {
            let shard = others.trailing_zeros() as usize;
            others &= others - 1;
            if let Some(rows) = self.shards[shard].0.try_lock() {
                held[n_held] = Some((heads[shard], rows));
                n_held += 1;
                taken |= 1 << shard;
            }
        }
        (Held(held), taken)
    }
}

impl Held<'_> {
    /// Looks up the rows of the entries in these shards, and calls this with each shard and the first of its entries.
    /// Of many entries some come at a time.
    pub(super) fn look_up(
        mut self,
        samples: &mut Samples,
        mut count: impl FnMut(&Samples, &mut Shard, u32),
    ) {
        loop {
            // Of a push with more, one shard is held.
            let rest = match &self.0[0] {
                Some((first, _)) if samples.entries.len() > AHEAD_MAX => {
                    cut(&mut samples.entries, *first)
                }
                _ => NONE,
            };
            debug_assert!(rest == NONE || self.0[1..].iter().all(Option::is_none));
            self.look_ahead(&mut samples.entries);
            for held in &mut self.0 {
                if let Some((first, mut rows)) = held.take() {
                    count(samples, &mut rows, first);
                    *held = (rest != NONE).then_some((rest, rows));
                }
            }
            if rest == NONE {
                return;
            }
        }
    }

    /// Looks for the rows of the entries in these shards, [`AHEAD_MAX`] at most, and asks for all that the comparison
    /// reads of them.
    #[inline]
    fn look_ahead(&self, entries: &mut [Entry]) {
        self.for_each(entries, |rows, entry| rows.table.prefetch(entry.hash as u32));
        self.for_each(entries, |rows, entry| {
            entry.row = rows.candidate(entry.hash).unwrap_or(NONE);
            if entry.row != NONE {
                rows.prefetch_row(entry.row);
            }
        });
        self.for_each(entries, |rows, entry| {
            if entry.row != NONE {
                rows.prefetch_compared(entry.row);
            }
        });
    }

    /// Calls this with each of the entries in these shards whose rows are not known.
    #[inline(always)]
    fn for_each<'a>(&'a self, entries: &mut [Entry], mut look: impl FnMut(&'a Shard, &mut Entry)) {
        for (first, rows) in self.0.iter().flatten() {
            let mut i = *first;
            while let Some(entry) = entries.get_mut(i as usize) {
                if entry.known.is_none() {
                    look(rows, entry);
                }
                i = entry.next;
            }
        }
    }
}

/// Ends a shard's list of entries behind so many as are looked up at once, and gives the first of the others.
fn cut(entries: &mut [Entry], first: u32) -> u32 {
    let mut last = first as usize;
    for _ in 1..AHEAD_MAX {
        match entries[last].next {
            NONE => return NONE,
            next => last = next as usize,
        }
    }
    std::mem::replace(&mut entries[last].next, NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of entries that stand in the opposite order, and another's between them.
    fn list(len: usize) -> (Vec<Entry>, u32) {
        let entry = |next| Entry {
            family: 0,
            hash: 0,
            values_at: 0,
            numbers_at: 0,
            n_numbers: 0,
            next,
            row: NONE,
            folded: 0,
            known: None,
        };
        let next_of = |i: usize| if i < 2 { NONE } else { i as u32 - 2 };
        let entries: Vec<Entry> = (0..2 * len).map(|i| entry(next_of(i))).collect();
        (entries, 2 * len as u32 - 1)
    }

    fn walk(entries: &[Entry], first: u32) -> Vec<u32> {
        let next = |i: &u32| Some(entries[*i as usize].next).filter(|next| *next != NONE);
        std::iter::successors(Some(first).filter(|first| *first != NONE), next).collect()
    }

    #[test]
    fn a_list_is_cut_into_parts_that_are_all_of_it() {
        for len in [1, 2, 63, 64, 65, 127, 128, 129, 1_000] {
            let (mut entries, first) = list(len);
            let whole = walk(&entries, first);
            let others = walk(&entries, first - 1);
            let (mut parts, mut rest) = (Vec::new(), first);
            while rest != NONE {
                let first = std::mem::replace(&mut rest, NONE);
                rest = cut(&mut entries, first);
                parts.push(walk(&entries, first));
            }
            assert_eq!(parts.len(), len.div_ceil(AHEAD_MAX), "{len}");
            assert!(parts.iter().all(|part| part.len() <= AHEAD_MAX), "{len}");
            assert_eq!(parts.concat(), whole, "{len}");
            assert_eq!(walk(&entries, first - 1), others, "{len}");
        }
    }
}
