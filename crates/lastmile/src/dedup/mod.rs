//! Batch ids seen, so that a batch that a network repeats is counted once.
//!
//! An id names one immutable string of bytes. It is claimed after its batch was decoded and just before
//! it is applied, which cannot fail; so nobody waits for anybody, and whoever comes second is told that
//! the batch is a duplicate. Ids are kept as keyed 128-bit hashes with a hash of the content, for ten
//! minutes or until the memory for them is full.
//!
//! **Fair shares.** Each id is queued in the lane of its source. When memory is full the oldest id of the
//! longest lane goes, so who floods with ids forgets its own first, and the others keep their window.
//! A look-up does not ask for the source: a page that moved from one network to another is known.

mod shard;
#[cfg(test)]
mod tests;

use std::hash::BuildHasher;

use crate::keyed::Key;
use crate::push::Source;
use crate::sync::{AtomicU32, CachePadded, Mutex, Ordering};
use crate::time::{TICKS_PER_SEC, Ticks};

use shard::{LANES, Shard, ids_in};

/// How long an id is remembered while there is room. A client gives a batch up after 5 minutes.
pub(crate) const WINDOW: Ticks = 600 * TICKS_PER_SEC;

/// Locks that ids are spread over.
const SHARDS: usize = 16;

/// A longer content is hashed before the lock is taken, for which others may wait: so long a one takes 300 ns.
const HASHED_MEANWHILE_MAX: usize = 4 << 10;

/// More bytes than this are not used: they hold ten minutes of 150,000 batches a second.
const BYTES_MAX: u64 = 4 << 30;

/// What a claim of an id came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It was not known: the batch is to be applied.
    New,
    /// It was known with the same content.
    Duplicate,
    /// It was known with other content.
    Conflict,
}

/// A batch whose id may be claimed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    id: u128,
    lane: usize,
}

/// Half of an id chooses the shard, the other the place in it.
fn shard_of(id: u128) -> usize {
    (id >> 64) as usize % SHARDS
}

/// The ids of one aggregator.
#[derive(Debug)]
pub(crate) struct Ids {
    key: Key,
    /// Bodies are hashed with what is fast: whoever found two of one hash would only have a batch of
    /// their own taken for a duplicate rather than refused. So are sources: whoever knew the lane of another
    /// could only share it, as anyone does who has as many addresses as there are lanes.
    fast: foldhash::quality::RandomState,
    shards: [CachePadded<Mutex<Shard>>; SHARDS],
    ids_per_shard: usize,
    /// The age that ids reach before memory makes them go, or [`WINDOW`].
    window: AtomicU32,
    window_at: AtomicU32,
}

impl Ids {
    /// Room for ids in so many bytes; 0 remembers none.
    pub(crate) fn new(bytes: u64) -> Self {
        let bytes = usize::try_from(bytes.min(BYTES_MAX)).unwrap_or(usize::MAX);
        Self {
            key: Key::new(),
            fast: foldhash::quality::RandomState::default(),
            shards: std::array::from_fn(|_| CachePadded::default()),
            ids_per_shard: ids_in(bytes / SHARDS),
            window: AtomicU32::new(WINDOW),
            window_at: AtomicU32::new(0),
        }
    }

    /// What a batch is to be claimed by once it is decoded. `route` and the source's origin are part of the id, so that
    /// one site's pages cannot use up another's.
    ///
    /// Asks for the memory that the claim will look at, which comes while the batch is decoded.
    pub(crate) fn expect(&self, route: &str, id: (&[u8], usize), source: &Source<'_>) -> Expected {
        let id = self.key.hash((route, source.origin_value(), id));
        // Whoever has it locked is not waited for.
        if let Some(shard) = self.shards[shard_of(id)].0.try_lock() {
            shard.prefetch(id);
        }
        Expected { id, lane: self.lane(source) }
    }

    /// Claims the id of a batch that is decoded.
    pub(crate) fn claim(&self, expected: Expected, content: &[u8], now: Ticks) -> Claim {
        if self.ids_per_shard == 0 {
            return Claim::New;
        }
        let Expected { id, lane } = expected;
        let shard = shard_of(id);
        let hash = || self.fast.hash_one(content);
        let long = (content.len() > HASHED_MEANWHILE_MAX).then(hash);
        let mut shard = self.shards[shard].0.lock();
        let goes = shard.ask(id, lane, self.ids_per_shard);
        // Meanwhile what was asked for comes.
        let content = long.unwrap_or_else(hash);
        shard.claim(id, content, lane, goes, now, &self.window)
    }

    /// A hash of a body that nobody outside can know.
    #[cfg(feature = "reports")]
    pub(crate) fn content_hash(&self, content: &[u8]) -> u64 {
        self.fast.hash_one(content)
    }

    fn lane(&self, source: &Source<'_>) -> usize {
        self.fast.hash_one(source.sharer()) as usize % LANES
    }

    /// How old ids become before they go, in seconds: less than ten minutes while memory is short.
    pub(crate) fn window_secs(&self) -> f64 {
        f64::from(self.window.load(Ordering::Relaxed)) / f64::from(TICKS_PER_SEC)
    }

    /// Time passes: ids grow too old, and a window that memory cut short grows again as ids stay.
    pub(crate) fn tick(&self, now: Ticks) {
        for shard in &self.shards {
            shard.0.lock().forget(now);
        }
        let before = self.window_at.fetch_max(now, Ordering::Relaxed);
        let grown = now.saturating_sub(before);
        // In one step, or a claim that has just cut it short would not be seen.
        let grow = |window: u32| Some(window.saturating_add(grown).min(WINDOW));
        let _ = self.window.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grow);
    }
}
