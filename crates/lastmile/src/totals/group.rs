//! Groups of streams that go together: by a number that is part of what its streams are called, a group can be forgotten
//! without a list of them.

use super::{Rise, SKEW_NS, Sender, Since, Stream, Totals};
use crate::sync::Ordering;

/// How long a push may be under way: far longer than one takes.
const UNDER_WAY_NS: u64 = 1_000_000_000;

/// A group, since it was last forgotten.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    /// A number that no other group has, and that this one did not have before.
    number: u64,
    /// Until when streams of it may have been counted that are not known any more.
    floor_ns: u64,
    /// When a push had all that there was of it, the last time; 0 if none had.
    whole_ns: u64,
    /// The lanes of those who sent to it, as bits: its streams are in them.
    lanes: u64,
}

impl Begun {
    /// What streams of the group are called by.
    pub(crate) fn number(self) -> u64 {
        self.number
    }

    /// What is known of when a stream of it began that is not known: what its sender says, if nothing of it can have been
    /// counted before.
    pub(crate) fn since(self, theirs_ns: u64) -> Since {
        let is_after = theirs_ns > self.floor_ns.saturating_add(SKEW_NS);
        let theirs_ns = if is_after { theirs_ns } else { 0 };
        Since { ours_ns: 0, theirs_ns, age_ns: None }
    }

    /// Whether a moment by a sender's clock may be after the group was last whole.
    pub(crate) fn is_about(self, theirs_ns: u64) -> bool {
        theirs_ns.saturating_add(SKEW_NS) > self.whole_ns
    }

    /// The same where this push and one before each have all that there is of the group.
    pub(crate) fn since_whole(self, theirs_ns: u64) -> Since {
        Since { ours_ns: self.whole_ns, ..self.since(theirs_ns) }
    }
}

impl Totals {
    /// The group of this hash, which begins if it is not known.
    pub(crate) fn group(&self, id: u128, sender: Sender) -> Begun {
        let stream = Stream { id, ..Stream::default() };
        // The state of one that was known and went made this the floor of its shard.
        let floor_ns = self.shard(id).lock().floor_ns;
        let lane = 1 << sender.lane;
        let number = self.n_begun.fetch_add(1, Ordering::Relaxed);
        let (mut words, mut has_lane) = ([number, floor_ns, 0, lane], true);
        self.advance(&stream, sender, &words.clone(), |last| {
            if let super::Last::Known { words: &[number, floor_ns, whole_ns, lanes], .. } = last {
                has_lane = lanes & lane != 0;
                words = [number, floor_ns, whole_ns, lanes | lane];
            }
            Rise::<()>::Behind
        });
        if !has_lane {
            self.advance(&stream, sender, &words, |_| Rise::By(()));
        }
        let [number, floor_ns, whole_ns, lanes] = words;
        let mut begun = Begun { number, floor_ns, whole_ns, lanes };
        // Families that were not declared then were not looked at, and what was lost since only seems new.
        let lost = self.lost_ns.iter().enumerate().filter(|(lane, _)| lanes & (1 << lane) != 0);
        let lost_ns = lost.map(|(_, lost)| lost.load(Ordering::Relaxed)).max().unwrap_or_default();
        if begun.whole_ns <= lost_ns.max(self.reloaded_ns.load(Ordering::Relaxed)) {
            begun.whole_ns = 0;
        }
        if !self.knows(id) {
            // There is no room for it, so that next time nobody knows of this one.
            begun.floor_ns = u64::MAX;
        }
        begun
    }

    /// A group begins anew, if it is known.
    pub(crate) fn forget_group(&self, id: u128, sender: Sender) {
        if self.knows(id) {
            let stream = Stream { id, ..Stream::default() };
            let number = self.n_begun.fetch_add(1, Ordering::Relaxed);
            self.advance(&stream, sender, &[number, sender.wall_ns, 0, 1 << sender.lane], |_| {
                Rise::By(())
            });
        }
    }

    /// A push has all that there is of a group, and all of it was looked at.
    pub(crate) fn note_whole(&self, id: u128, begun: Begun, sender: Sender) {
        let stream = Stream { id, ..Stream::default() };
        let words = [begun.number, begun.floor_ns, sender.wall_ns, begun.lanes];
        self.advance(&stream, sender, &words, |last| match last {
            // Unless it began anew meanwhile.
            super::Last::Known { words: [number, ..], .. } if *number == begun.number => {
                Rise::By(())
            }
            _ => Rise::Behind,
        });
    }

    /// Other families are declared from now on. Pushes that are under way may not have looked at them.
    pub(crate) fn note_reload(&self, wall_ms: u64) {
        let at = wall_ms.saturating_mul(1_000_000).saturating_add(UNDER_WAY_NS);
        self.reloaded_ns.fetch_max(at, Ordering::Relaxed);
    }

    fn knows(&self, id: u128) -> bool {
        self.shard(id).lock().find(id).is_some()
    }
}
