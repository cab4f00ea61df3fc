//! Groups of streams that go together: by a number that is part of what its streams are called, a group can be forgotten
//! without a list of them.

use super::{Rise, SKEW_NS, Sender, Since, Stream, Totals};
use crate::sync::Ordering;

/// A group, since it was last forgotten.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    /// A number that no other group has, and that this one did not have before.
    number: u64,
    /// Until when streams of it may have been counted that are not known any more.
    floor_ns: u64,
}

impl Begun {
    /// What streams of the group are called by.
    pub(crate) fn number(self) -> u64 {
        self.number
    }

    /// What a sender says of when a stream began, if nothing of it can have been counted before.
    pub(crate) fn since(self, since: Since) -> Since {
        let is_after = since.theirs_ns > self.floor_ns.saturating_add(SKEW_NS);
        Since { theirs_ns: if is_after { since.theirs_ns } else { 0 }, ..since }
    }
}

impl Totals {
    /// The group of this hash, which begins if it is not known.
    pub(crate) fn group(&self, id: u128, sender: Sender) -> Begun {
        let stream = Stream { id, start_ns: 0, time_ns: 0, since: Since::default() };
        // The state of one that was known and went made this the floor of its shard.
        let floor_ns = self.shard(id).lock().floor_ns;
        let number = self.n_begun.fetch_add(1, Ordering::Relaxed);
        let mut begun = Begun { number, floor_ns };
        self.advance(&stream, sender, &[number, floor_ns], |last| {
            if let super::Last::Known { words: [number, floor_ns], .. } = last {
                begun = Begun { number: *number, floor_ns: *floor_ns };
            }
            Rise::<()>::Behind
        });
        if self.words(id, |_| ()).is_none() {
            // There is no room for it, so that next time nobody knows of this one.
            begun.floor_ns = u64::MAX;
        }
        begun
    }

    /// A group begins anew, if it is known.
    pub(crate) fn forget_group(&self, id: u128, sender: Sender) {
        if self.words(id, |_| ()).is_some() {
            let stream = Stream { id, start_ns: 0, time_ns: 0, since: Since::default() };
            let number = self.n_begun.fetch_add(1, Ordering::Relaxed);
            self.advance(&stream, sender, &[number, sender.wall_ns], |_| Rise::By(()));
        }
    }

    /// The first word that a stream stands at, if it is known.
    pub(crate) fn last(&self, id: u128) -> Option<u64> {
        self.words(id, |words| words.first().copied())?
    }

    fn words<R>(&self, id: u128, read: impl FnOnce(&[u64]) -> R) -> Option<R> {
        let shard = self.shard(id).lock();
        let entries = &shard.entries;
        let i = shard.table.find(id as u64, |i| entries[*i as usize].id == id)?;
        Some(read(&entries[*i as usize].words))
    }
}
