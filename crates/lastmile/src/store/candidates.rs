//! Values of one label that came, and not often enough yet to take a place.
//!
//! A table of fixed size: sets of a few entries, of which a value's hash names one set. An entry holds the
//! value's hash, not the value, so the table is bounded whatever is sent. When a set is full, what came the
//! fewest times makes room, of those what did not come for longest; so a flood of values that come once
//! pushes out its own kind, and a value that came twice stays. Age is counted in batches, as time says
//! nothing of how much else came in between.

use std::hash::BuildHasher;

use crate::schema::AdmitBy;
use crate::time::{TICKS_PER_SEC, Ticks};

/// Entries of a set: one cache line or three are looked at for a value.
const WAYS: usize = 8;

/// Sets of a table, which has 1,024 entries of 24 bytes.
const SETS: usize = 128;

/// A candidate that did not come in so many batches is forgotten: who comes more seldom has nothing to
/// say that `other` does not.
const AGE_MAX: u32 = 1 << 17;

/// How long one key hashes sources, after which all that they were counted by is forgotten.
const SOURCE_KEY_TICKS: Ticks = 3_600 * TICKS_PER_SEC;

/// Bytes that a table takes.
pub(super) const TABLE_BYTES: u64 = (WAYS * SETS * size_of::<Candidate>()) as u64;

/// The batch that a value came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Came {
    /// Counts batches that brought any candidate.
    pub(super) batch: u32,
    pub(super) ticks: Ticks,
    /// The prefix of the client's address.
    pub(super) source: Option<[u8; 8]>,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Candidates {
    sets: Box<[[Candidate; WAYS]; SETS]>,
    /// Hashes sources, of which nothing else is kept, and for an hour only.
    source_key: foldhash::quality::RandomState,
    source_key_since: Ticks,
}

/// One value; it never came if `seen` is 0.
#[derive(Clone, Copy, Debug, Default)]
struct Candidate {
    value: u64,
    /// By batch, how many it came in; by source, a bit for each of 64 that sources fall into, so two of
    /// them may count as one, and never one as two.
    seen: u64,
    /// The last batch it came in.
    batch: u32,
}

impl Candidates {
    pub(super) fn new(now: Ticks) -> Self {
        Self {
            sets: Box::new([[Candidate::default(); WAYS]; SETS]),
            source_key: foldhash::quality::RandomState::default(),
            source_key_since: now,
        }
    }

    /// A value came: whether it has now come from `enough` batches or sources.
    pub(super) fn came(&mut self, value: u64, by: AdmitBy, enough: u32, came: &Came) -> bool {
        let mark = match (by, came.source) {
            (AdmitBy::Batch, _) => 0,
            (AdmitBy::Source, None) => return false,
            (AdmitBy::Source, Some(source)) => self.source_bit(source, came.ticks),
        };
        let age = |candidate: &Candidate| came.batch.wrapping_sub(candidate.batch);
        let set = &mut self.sets[(value >> 32) as usize % SETS];
        let found =
            set.iter().position(|candidate| candidate.seen != 0 && candidate.value == value);
        let at = found.unwrap_or_else(|| {
            let rank = |candidate: &Candidate| {
                let is_live = candidate.seen != 0 && age(candidate) <= AGE_MAX;
                (if is_live { times(by, candidate.seen) } else { 0 }, u32::MAX - age(candidate))
            };
            let least = (0..WAYS).min_by_key(|i| rank(&set[*i])).unwrap_or(0);
            set[least] = Candidate { value, seen: 0, batch: 0 };
            least
        });
        let candidate = &mut set[at];
        if candidate.seen != 0 && age(candidate) > AGE_MAX {
            candidate.seen = 0;
        }
        match by {
            AdmitBy::Source => candidate.seen |= mark,
            AdmitBy::Batch if candidate.seen == 0 || candidate.batch != came.batch => {
                candidate.seen += 1;
            }
            AdmitBy::Batch => {}
        }
        candidate.batch = came.batch;
        times(by, candidate.seen) >= enough
    }

    /// A value has its place, and is no candidate any more.
    pub(super) fn forget(&mut self, value: u64) {
        let set = &mut self.sets[(value >> 32) as usize % SETS];
        for candidate in set.iter_mut().filter(|candidate| candidate.value == value) {
            *candidate = Candidate::default();
        }
    }

    /// Which of 64 bits a source falls into. A new key starts the count of sources anew: under two keys
    /// one source would count as two.
    fn source_bit(&mut self, source: [u8; 8], now: Ticks) -> u64 {
        if now.saturating_sub(self.source_key_since) >= SOURCE_KEY_TICKS {
            *self = Self::new(now);
        }
        1 << (self.source_key.hash_one(source) % 64)
    }
}

/// How often a value came.
fn times(by: AdmitBy, seen: u64) -> u32 {
    match by {
        AdmitBy::Batch => u32::try_from(seen).unwrap_or(u32::MAX),
        AdmitBy::Source => seen.count_ones(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(batch: u32) -> Came {
        Came { batch, ticks: 0, source: None }
    }

    #[test]
    fn a_value_is_admitted_with_its_nth_batch() {
        let mut candidates = Candidates::new(0);
        let mut came = |n: u32| candidates.came(7, AdmitBy::Batch, 3, &batch(n));
        assert!(!came(1) && !came(1) && !came(1), "one batch, however often it names the value");
        assert!(!came(2) && !came(2));
        assert!(came(3) && came(3) && came(4), "until it has its place");
        candidates.forget(7);
        let mut came = |n: u32| candidates.came(7, AdmitBy::Batch, 3, &batch(n));
        assert!(!came(4), "if it comes back it begins again");
        assert!(!came(5 + AGE_MAX), "too long ago");
        assert!(!came(6 + AGE_MAX) && came(7 + AGE_MAX));
    }

    #[test]
    fn what_comes_once_pushes_out_its_own_kind() {
        let mut candidates = Candidates::new(0);
        let hash = |i: u64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        assert!(!candidates.came(hash(0), AdmitBy::Batch, 3, &batch(0)));
        assert!(!candidates.came(hash(0), AdmitBy::Batch, 3, &batch(1)));
        for i in 1..100_000 {
            assert!(!candidates.came(hash(i), AdmitBy::Batch, 3, &batch(i as u32 + 1)), "{i}");
        }
        assert!(
            candidates.came(hash(0), AdmitBy::Batch, 3, &batch(100_001)),
            "it came twice before"
        );
    }

    #[test]
    fn sources_count_once_an_hour() {
        let mut candidates = Candidates::new(0);
        let mut came = |source: u8, ticks: Ticks, n: u32| {
            let came = Came { batch: n, ticks, source: Some([source; 8]) };
            candidates.came(9, AdmitBy::Source, 2, &came)
        };
        for n in 0..50 {
            assert!(!came(1, 0, n), "one source, however many batches");
        }
        assert!(!came(1, SOURCE_KEY_TICKS, 51), "the same source under another key");
        // One of so many falls into another bit.
        assert!((2..20).any(|source| came(source, SOURCE_KEY_TICKS, 52)));
        let nobody = Came { batch: 60, ticks: 0, source: None };
        assert!(!candidates.came(9, AdmitBy::Source, 1, &nobody), "no address");
    }
}
