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
//!
//! ```text
//! shard × 16:  table ── hash → index ──► entries  [id 16][content 8][tick 4][next 4]
//!              lane × 64: first ─► … ─► last          through `next`, oldest first
//! ```

use std::hash::BuildHasher;

use hashbrown::HashTable;

use crate::push::Source;
use crate::sync::{AtomicU32, CachePadded, Mutex, Ordering, RandomState};
use crate::time::{TICKS_PER_SEC, Ticks};

/// How long an id is remembered while there is room. A client gives a batch up after 5 minutes.
pub(crate) const WINDOW: Ticks = 600 * TICKS_PER_SEC;

/// Locks that ids are spread over.
const SHARDS: usize = 16;

/// Queues that sources are spread over, in each shard.
const LANES: usize = 64;

/// More bytes than this are not used: they hold ten minutes of 150,000 batches a second.
const BYTES_MAX: u64 = 4 << 30;

/// What an id takes: its entry, its place in a table that is at worst 7/16 full, and among the free ones.
const ID_BYTES: usize = size_of::<Entry>() + 12 + 4;

/// Ids that one shard forgets in one go, which takes about 50 µs.
const FORGET_MAX: usize = 512;

/// No entry.
const NONE: u32 = u32::MAX;

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

/// The ids of one aggregator.
#[derive(Debug)]
pub(crate) struct Ids {
    keys: [RandomState; 2],
    /// Bodies are hashed with what is fast: whoever found two of one hash would only have a batch of
    /// their own taken for a duplicate rather than refused.
    content_key: foldhash::quality::RandomState,
    shards: [CachePadded<Mutex<Shard>>; SHARDS],
    ids_per_shard: usize,
    /// The age that ids reach before memory makes them go, or [`WINDOW`].
    window: AtomicU32,
    window_at: AtomicU32,
}

#[derive(Debug, Default)]
struct Shard {
    table: HashTable<u32>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    lanes: Vec<Lane>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: u128,
    content: u64,
    tick: Ticks,
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct Lane {
    first: u32,
    last: u32,
    len: u32,
}

impl Lane {
    const EMPTY: Self = Self { first: NONE, last: NONE, len: 0 };
}

impl Ids {
    /// Room for ids in so many bytes; 0 remembers none.
    pub(crate) fn new(bytes: u64) -> Self {
        let ids = usize::try_from(bytes.min(BYTES_MAX)).unwrap_or(usize::MAX) / ID_BYTES;
        Self {
            keys: [RandomState::new(), RandomState::new()],
            content_key: foldhash::quality::RandomState::default(),
            shards: std::array::from_fn(|_| CachePadded::default()),
            ids_per_shard: (ids / SHARDS).min(NONE as usize - 1),
            window: AtomicU32::new(WINDOW),
            window_at: AtomicU32::new(0),
        }
    }

    /// Claims the id of a batch. `route` and the source's origin are part of the id, so that one site's
    /// pages cannot use up another's.
    pub(crate) fn claim(
        &self,
        route: &str,
        id: (&[u8], usize),
        content: &[u8],
        source: &Source<'_>,
        now: Ticks,
    ) -> Claim {
        if self.ids_per_shard == 0 {
            return Claim::New;
        }
        let name = (route, source.origin_value(), id);
        let [high, low] = &self.keys;
        let id = u128::from(high.hash_one(name)) << 64 | u128::from(low.hash_one(name));
        let content = self.content_key.hash_one(content);
        let lane = self.lane(source);
        let shard = (id >> 64) as usize % SHARDS;
        let mut shard = self.shards[shard].0.lock();
        shard.claim(id, content, lane, now, self.ids_per_shard, &self.window)
    }

    /// A hash of a body that nobody outside can know.
    #[cfg(feature = "reports")]
    pub(crate) fn content_hash(&self, content: &[u8]) -> u64 {
        self.content_key.hash_one(content)
    }

    /// The lane of a source: by the part of its address that stands for one client, else by its origin.
    fn lane(&self, source: &Source<'_>) -> usize {
        let [key, _] = &self.keys;
        let hash = match source.addr_value() {
            Some(addr) => key.hash_one(Source::prefix_of(addr)),
            None => key.hash_one(source.origin_value()),
        };
        hash as usize % LANES
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
        let grown = self.window.load(Ordering::Relaxed).saturating_add(now.saturating_sub(before));
        self.window.store(grown.min(WINDOW), Ordering::Relaxed);
    }
}

impl Shard {
    fn claim(
        &mut self,
        id: u128,
        content: u64,
        lane: usize,
        now: Ticks,
        ids_max: usize,
        window: &AtomicU32,
    ) -> Claim {
        if self.lanes.is_empty() {
            // All at once, so that no push waits for a table to grow. The system gives the pages of it
            // as they are written.
            self.lanes = vec![Lane::EMPTY; LANES];
            self.entries = Vec::with_capacity(ids_max);
            self.free = Vec::with_capacity(ids_max);
            self.table = HashTable::with_capacity(ids_max);
        }
        let known = self.table.find(id as u64, |i| self.entries[*i as usize].id == id);
        if let Some(i) = known {
            let same = self.entries[*i as usize].content == content;
            return if same { Claim::Duplicate } else { Claim::Conflict };
        }
        // Two go for one that comes, so that the old ones leave without a sweep.
        for lane in [lane, now as usize % LANES] {
            self.drop_oldest_if(lane, |age| age > WINDOW, now);
        }
        if self.free.is_empty() && self.entries.len() >= ids_max {
            let longest = (0..LANES).max_by_key(|lane| self.lanes[*lane].len).unwrap_or(lane);
            if let Some(age) = self.drop_oldest_if(longest, |_| true, now) {
                window.fetch_min(age, Ordering::Relaxed);
            }
        }
        let entry = Entry { id, content, tick: now, next: NONE };
        let i = match self.free.pop() {
            Some(i) => {
                self.entries[i as usize] = entry;
                i
            }
            None => {
                self.entries.push(entry);
                self.entries.len() as u32 - 1
            }
        };
        let queue = &mut self.lanes[lane];
        match queue.last {
            NONE => queue.first = i,
            last => self.entries[last as usize].next = i,
        }
        queue.last = i;
        queue.len += 1;
        let entries = &self.entries;
        self.table.insert_unique(id as u64, i, |i| entries[*i as usize].id as u64);
        Claim::New
    }

    /// Drops ids that are too old, a few at a time, so that no push waits for long. Those that come drop
    /// two each in any case; this is for the time when none do.
    fn forget(&mut self, now: Ticks) {
        let mut left = FORGET_MAX;
        for lane in 0..self.lanes.len() {
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
        let queue = &mut self.lanes[lane];
        let i = queue.first;
        let entry = *self.entries.get(i as usize)?;
        let age = now.saturating_sub(entry.tick);
        if !goes(age) {
            return None;
        }
        queue.first = entry.next;
        queue.len -= 1;
        if entry.next == NONE {
            queue.last = NONE;
        }
        if let Ok(place) = self.table.find_entry(entry.id as u64, |other| *other == i) {
            place.remove();
        }
        self.free.push(i);
        Some(age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(n: usize) -> Ids {
        Ids::new((n * ID_BYTES * SHARDS) as u64)
    }

    fn claim(ids: &Ids, id: &str, content: &str, source: &Source<'_>, now: Ticks) -> Claim {
        ids.claim("lm1", (id.as_bytes(), 0), content.as_bytes(), source, now)
    }

    fn from(last: u8) -> Source<'static> {
        Source::default().addr([10, 0, 0, last].into())
    }

    #[test]
    fn an_id_is_new_once() {
        let ids = ids(10);
        let other_origin = from(1).origin("https://b.example");
        for (id, content, source, expect) in [
            ("a", "x", from(1), Claim::New),
            ("a", "x", from(1), Claim::Duplicate),
            ("a", "x", from(2), Claim::Duplicate),
            ("a", "y", from(1), Claim::Conflict),
            ("b", "x", from(1), Claim::New),
            ("a", "x", other_origin, Claim::New),
        ] {
            assert_eq!(claim(&ids, id, content, &source, 0), expect, "{id} {content}");
        }
        assert_eq!(ids.claim("record", (b"a", 0), b"x", &from(1), 0), Claim::New);
        assert_eq!(claim(&Ids::new(0), "a", "x", &from(1), 0), Claim::New);
    }

    #[test]
    fn who_floods_forgets_its_own_first() {
        let ids = ids(200);
        for i in 0..1_000 {
            assert_eq!(claim(&ids, &format!("good{i}"), "x", &from(1), i), Claim::New);
        }
        assert_eq!(ids.window_secs(), 600.0);
        let flood = (2..).map(from).find(|other| ids.lane(other) != ids.lane(&from(1))).unwrap();
        for i in 0..100_000 {
            assert_eq!(claim(&ids, &format!("flood{i}"), "x", &flood, 1_000), Claim::New);
        }
        for i in 0..1_000 {
            assert_eq!(
                claim(&ids, &format!("good{i}"), "x", &from(1), 1_001),
                Claim::Duplicate,
                "{i}"
            );
        }
        assert_eq!(ids.window_secs(), 0.0, "and it is said");
        ids.tick(1_001 + 50);
        assert!(ids.window_secs() > 0.0, "it grows again");
        let entries: usize = ids.shards.iter().map(|s| s.0.lock().entries.len()).sum();
        assert!(entries <= 200 * SHARDS, "{entries}");
    }

    #[test]
    fn ids_go_when_their_time_is_over() {
        let ids = ids(1_000);
        for i in 0..5_000 {
            claim(&ids, &format!("a{i}"), "x", &from(1), 0);
        }
        for i in 0..20_000 {
            claim(&ids, &format!("b{i}"), "x", &from(1), WINDOW + 1 + i);
        }
        let forgotten = (0..5_000)
            .filter(|i| claim(&ids, &format!("a{i}"), "x", &from(1), WINDOW * 3) == Claim::New);
        assert_eq!(forgotten.count(), 5_000);
    }
}
