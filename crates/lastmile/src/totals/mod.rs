//! Totals that clients push, and how much they rose since they were pushed last.
//!
//! A *stream* is what one client counts under one name since one moment; its points are totals. What a push adds is
//! the rise since the point before, so that point is kept here: a few words for each stream, in memory that is bounded
//! and found by a keyed hash of 128 bits of all that names the stream.
//!
//! **Never above the truth.** Of a stream that is not known nobody can tell what was counted before, by the process
//! before this one or before its state went. So its first point counts in full only if it began after this process did
//! and after every stream whose state went; else it is a *baseline*, which adds nothing. When streams begin is their
//! own clock's word, which is only trusted as far as the age that the point itself gives the stream agrees, or else by
//! some seconds.
//!
//! A fall is a reset, of a stream that does not say when it began. One that does is another after a reset, as it began
//! again: if it falls all the same two senders share its name, and taking turns they would reset it for ever. So it
//! stands where it stood, and who is ahead adds.
//!
//! **Fair shares.** When memory is full the stream of the fullest lane goes that was silent for longest: lanes are
//! sources, as those of batch ids are, and what counts is bytes. A lane does not push out what is alive in itself: who
//! comes when all places are taken by streams that still push waits, uncounted, until one falls silent, as rotating
//! through more streams than there are places would make all of them baselines, always.
//!
//! ```text
//! shard × 16:  table ── id → index ──► entries  [id 16][start 8][time 8][words 16][tick 4][links 8][lane 1][doubt 1]
//!              lane × 64: first ⇄ … ⇄ last      the longest silent first
//! ```

#[cfg(feature = "pushgateway")]
mod group;
mod rise;
#[cfg(test)]
mod tests;

#[cfg(feature = "pushgateway")]
pub(crate) use group::Begun;
pub(crate) use rise::{Amount, Buckets, Counted, Rise};

use std::hash::Hash;

use hashbrown::HashTable;

use crate::keyed::Key;
use crate::push::Source;
use crate::sync::{AtomicU64, CachePadded, Mutex, Ordering};
use crate::time::{TICKS_PER_SEC, Ticks};

/// Locks that streams are spread over.
const SHARDS: usize = 16;

/// Queues that sources are spread over, in each shard.
const LANES: usize = 64;

/// What a stream takes besides its words: its entry, its place in a table that is at worst 7/16 full, its place among
/// the free ones, and what an allocation costs.
const STREAM_BYTES: usize = size_of::<Entry>() + 12 + 4 + 16;

/// A stream that was silent for so long gives its place to another of its own lane: three times the longest interval
/// that SDKs push at unless told otherwise.
/// Source: opentelemetry-specification, specification/metrics/sdk.md, "Periodic exporting MetricReader": 60,000 ms.
const SILENT: Ticks = 180 * TICKS_PER_SEC;

/// How far ahead of ours a client's clock may be. A stream that begins later than that may be any age.
const AHEAD_NS_MAX: u64 = 300 * 1_000_000_000;

/// How far a client's clock may be from ours where nothing but the client's word tells when a stream began.
/// Hosts that keep time by NTP are within some tens of milliseconds; source: RFC 5905, §1.
const SKEW_NS: u64 = 5 * 1_000_000_000;

/// Starts of one stream that differ by less are the same: the text of a float, which has 256 ns of such a moment, and what
/// other formats make of it. No process begins again so soon.
const SAME_START_NS: u64 = 1_000_000;

/// No entry.
const NONE: u32 = u32::MAX;

/// Which stream a point is of, and when.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stream {
    pub(crate) id: u128,
    /// When it began, in nanoseconds since the Unix epoch by the client's clock, if that is part of what names it; else
    /// 0, and a fall is a reset.
    pub(crate) start_ns: u64,
    /// The moment of the point, by one clock for all points of the stream; 0 if that is not known.
    pub(crate) time_ns: u64,
    pub(crate) since: Since,
}

/// What is known of when a stream began that was never seen: the latest of these moments that hold. All are 0 where
/// nothing is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Since {
    /// When its sender had nothing of it yet, by our clock.
    pub(crate) ours_ns: u64,
    /// When it began, by the client's clock.
    pub(crate) theirs_ns: u64,
    /// How old it is by the client's clock, if that is known.
    pub(crate) age_ns: Option<u64>,
}

/// What a point of a stream is above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last<'a> {
    /// The words of the point before, and whether a fall below them is a reset.
    Known { words: &'a [u64], may_reset: bool },
    /// The stream began with nothing, and nothing of it was counted.
    Nothing,
}

/// Who sends, and when it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender {
    lane: usize,
    now: Ticks,
    pub(crate) wall_ns: u64,
}

/// The streams of one aggregator.
#[derive(Debug)]
pub(crate) struct Totals {
    key: Key,
    shards: [CachePadded<Mutex<Shard>>; SHARDS],
    shard_bytes: usize,
    /// When this process began, as streams tell it.
    began_ns: u64,
    n_forgotten: AtomicU64,
    /// Groups that began, each time they did.
    #[cfg(feature = "pushgateway")]
    n_begun: AtomicU64,
    /// When families were last declared anew.
    #[cfg(feature = "pushgateway")]
    reloaded_ns: AtomicU64,
    /// When a stream of each lane was last lost, or was not kept.
    lost_ns: [AtomicU64; LANES],
}

#[derive(Debug, Default)]
struct Shard {
    table: HashTable<u32>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    lanes: Vec<Lane>,
    bytes: usize,
    /// The latest start of a stream whose state went.
    floor_ns: u64,
}

/// Streams whose state went, or was not kept, and the lanes that they were in, as bits.
#[derive(Clone, Copy, Debug, Default)]
struct Gone {
    n_forgotten: u64,
    lanes: u64,
}

#[derive(Debug)]
struct Entry {
    id: u128,
    start_ns: u64,
    time_ns: u64,
    words: Box<[u64]>,
    tick: Ticks,
    before: u32,
    behind: u32,
    lane: u8,
    /// Whether what it stands at was refused.
    is_doubtful: bool,
}

impl Entry {
    fn bytes(&self) -> usize {
        STREAM_BYTES + size_of_val(&*self.words)
    }
}

#[derive(Clone, Copy, Debug)]
struct Lane {
    first: u32,
    last: u32,
    bytes: usize,
}

impl Lane {
    const EMPTY: Self = Self { first: NONE, last: NONE, bytes: 0 };
}

impl Totals {
    /// Most words of a total: it is compared with the one before under a lock, which takes some 10 µs then. SDKs make
    /// histograms of 160 buckets.
    /// Source: opentelemetry-specification, specification/metrics/sdk.md, `MaxSize` 160.
    pub(crate) const WORDS_MAX: usize = 8_192;

    /// Room for streams in so many bytes, of a process that began at this moment.
    pub(crate) fn new(bytes: u64, began_ms: u64) -> Self {
        Self {
            key: Key::new(),
            shards: std::array::from_fn(|_| CachePadded::default()),
            shard_bytes: usize::try_from(bytes).unwrap_or(usize::MAX) / SHARDS,
            began_ns: began_ms.saturating_mul(1_000_000),
            n_forgotten: AtomicU64::new(0),
            #[cfg(feature = "pushgateway")]
            n_begun: AtomicU64::new(0),
            #[cfg(feature = "pushgateway")]
            reloaded_ns: AtomicU64::new(0),
            lost_ns: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// The keyed hash of something that names a stream.
    pub(crate) fn hash(&self, name: impl Hash) -> u128 {
        self.key.hash(name)
    }

    /// Who sends a push that came at this moment.
    pub(crate) fn sender(&self, source: &Source<'_>, now: Ticks, wall_ms: u64) -> Sender {
        let lane = self.key.hash(source.sharer()) as usize % LANES;
        Sender { lane, now, wall_ns: wall_ms.saturating_mul(1_000_000) }
    }

    /// A point of a stream came, whose total these words are: `rise` says what it adds to the last one, if that is
    /// known, and the words are kept unless it is below that.
    pub(crate) fn advance<T>(
        &self,
        stream: &Stream,
        sender: Sender,
        words: &[u64],
        rise: impl FnOnce(Last<'_>) -> Rise<T>,
    ) -> Rise<T> {
        let mut shard = self.shard(stream.id).lock();
        let shard = &mut *shard;
        if shard.lanes.is_empty() {
            shard.lanes = vec![Lane::EMPTY; LANES];
        }
        let mut gone = Gone::default();
        let risen = if let Some(i) = shard.find(stream.id) {
            shard.known(i, stream, sender, words, self.shard_bytes, &mut gone, rise)
        } else {
            let is_whole = stream.since.is_after(shard.floor_ns, self.began_ns, sender.wall_ns);
            let has_room = shard.insert(stream, sender, words, self.shard_bytes, &mut gone);
            gone.lanes |= u64::from(!has_room) << sender.lane;
            if has_room && is_whole { rise(Last::Nothing) } else { Rise::Baseline }
        };
        if gone.n_forgotten > 0 {
            self.n_forgotten.fetch_add(gone.n_forgotten, Ordering::Relaxed);
        }
        for lane in (0..LANES).filter(|lane| gone.lanes & (1 << lane) != 0) {
            self.lost_ns[lane].fetch_max(sender.wall_ns, Ordering::Relaxed);
        }
        risen
    }

    /// What a stream rose by was refused, and may have been no total of it: should the next point be below, nobody can
    /// tell what of that was counted.
    pub(crate) fn doubt(&self, id: u128) {
        let mut shard = self.shard(id).lock();
        if let Some(i) = shard.find(id) {
            shard.entries[i as usize].is_doubtful = true;
        }
    }

    fn shard(&self, id: u128) -> &Mutex<Shard> {
        &self.shards[(id >> 64) as usize % SHARDS].0
    }

    /// Streams whose state went for want of memory, since this was last asked.
    pub(crate) fn take_forgotten(&self) -> u64 {
        self.n_forgotten.swap(0, Ordering::Relaxed)
    }
}

impl Since {
    /// Whether a stream began after this process did, and after all those whose state went.
    fn is_after(self, floor_ns: u64, began_ns: u64, wall_ns: u64) -> bool {
        let Self { ours_ns, theirs_ns, age_ns } = self;
        if ours_ns > floor_ns.max(began_ns) {
            return true;
        }
        match age_ns {
            Some(age) => {
                theirs_ns > floor_ns.max(began_ns)
                    && theirs_ns <= wall_ns.saturating_add(AHEAD_NS_MAX)
                    && wall_ns.saturating_sub(age) > began_ns
            }
            None => {
                theirs_ns > floor_ns.max(began_ns).saturating_add(SKEW_NS)
                    && theirs_ns <= wall_ns.saturating_add(SKEW_NS)
            }
        }
    }
}

impl Shard {
    /// Where the stream of a hash is, if it is known.
    fn find(&self, id: u128) -> Option<u32> {
        self.table.find(id as u64, |i| self.entries[*i as usize].id == id).copied()
    }

    /// Another point of the stream at `i`.
    #[expect(clippy::too_many_arguments, reason = "one call, of what is at hand there")]
    fn known<T>(
        &mut self,
        i: u32,
        stream: &Stream,
        sender: Sender,
        words: &[u64],
        bytes_max: usize,
        gone: &mut Gone,
        rise: impl FnOnce(Last<'_>) -> Rise<T>,
    ) -> Rise<T> {
        let entry = &mut self.entries[i as usize];
        if stream.time_ns != 0 && stream.time_ns < entry.time_ns {
            return Rise::Behind;
        }
        let is_later = stream.time_ns == 0 || stream.time_ns > entry.time_ns;
        let may_reset = is_later && stream.start_ns == 0 && !entry.is_doubtful;
        let risen = if stream.start_ns > entry.start_ns.saturating_add(SAME_START_NS)
            && entry.start_ns > 0
        {
            // It began again since.
            rise(Last::Nothing)
        } else if stream.start_ns.saturating_add(SAME_START_NS) < entry.start_ns
            && stream.start_ns > 0
        {
            Rise::Behind
        } else {
            match rise(Last::Known { words: &entry.words, may_reset }) {
                Rise::Behind if entry.is_doubtful && is_later => Rise::Baseline,
                risen => risen,
            }
        };
        let is_ahead = !matches!(risen, Rise::Behind);
        if entry.words.len() == words.len() || !is_ahead {
            if is_ahead {
                entry.words.copy_from_slice(words);
                entry.is_doubtful = false;
                entry.start_ns = entry.start_ns.max(stream.start_ns);
            }
            entry.time_ns = stream.time_ns;
            entry.tick = entry.tick.max(sender.now);
            let lane = usize::from(entry.lane);
            self.unlink(i);
            self.link(i, lane);
            return risen;
        }
        let before = Stream { time_ns: entry.time_ns, start_ns: entry.start_ns, ..*stream };
        let lane = entry.lane;
        let last = self.remove(i);
        if self.insert(stream, sender, words, bytes_max, gone) {
            return risen;
        }
        // It stands where it stood, and adds nothing: a later point that there is room for tells what it rose by.
        if !self.insert(&before, sender, &last, bytes_max, gone) {
            self.forget(before.start_ns, lane, sender, gone);
        }
        Rise::Behind
    }

    /// The state of a stream goes: another that began before it may have been counted, and itself too if it does not
    /// say when it began. Streams say that themselves, so one that says it is yet to come makes none later than any
    /// could.
    fn forget(&mut self, start_ns: u64, lane: u8, sender: Sender, gone: &mut Gone) {
        gone.n_forgotten += 1;
        gone.lanes |= 1 << lane;
        let latest = sender.wall_ns.saturating_add(AHEAD_NS_MAX);
        let start_ns = if start_ns == 0 { sender.wall_ns } else { start_ns };
        self.floor_ns = self.floor_ns.max(start_ns.min(latest));
    }

    /// Adds a stream, if there is room or another goes for it.
    fn insert(
        &mut self,
        stream: &Stream,
        sender: Sender,
        words: &[u64],
        bytes_max: usize,
        gone: &mut Gone,
    ) -> bool {
        let bytes = STREAM_BYTES + size_of_val(words);
        if bytes > bytes_max || words.len() > Totals::WORDS_MAX {
            return false;
        }
        while self.bytes + bytes > bytes_max {
            let Some(i) = self.goes_for(sender, bytes) else { return false };
            let Entry { start_ns, lane, .. } = self.entries[i as usize];
            self.forget(start_ns, lane, sender, gone);
            self.remove(i);
        }
        self.bytes += bytes;
        let entry = Entry {
            id: stream.id,
            start_ns: stream.start_ns,
            time_ns: stream.time_ns,
            words: words.into(),
            tick: sender.now,
            before: NONE,
            behind: NONE,
            lane: sender.lane as u8,
            is_doubtful: false,
        };
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
        self.link(i, sender.lane);
        let entries = &self.entries;
        self.table.insert_unique(stream.id as u64, i, |i| entries[*i as usize].id as u64);
        true
    }

    /// The stream that goes for one of so many bytes of this sender, if any may.
    fn goes_for(&self, sender: Sender, bytes: usize) -> Option<u32> {
        let own = self.lanes[sender.lane];
        let fullest = self.lanes.iter().max_by_key(|lane| lane.bytes)?;
        if fullest.bytes > own.bytes + bytes {
            return Some(fullest.first);
        }
        // The lanes are even, and this one would be as full as any.
        let silent = |lane: &Lane| {
            let entry = self.entries.get(lane.first as usize)?;
            (sender.now.saturating_sub(entry.tick) >= SILENT).then_some(lane.first)
        };
        silent(&own)
            .or_else(|| self.lanes.iter().filter(|lane| lane.bytes >= own.bytes).find_map(silent))
    }

    fn remove(&mut self, i: u32) -> Box<[u64]> {
        self.unlink(i);
        let entry = &mut self.entries[i as usize];
        self.bytes -= entry.bytes();
        let words = std::mem::take(&mut entry.words);
        let id = entry.id;
        if let Ok(place) = self.table.find_entry(id as u64, |other| *other == i) {
            place.remove();
        }
        self.free.push(i);
        words
    }

    /// Puts a stream at the end of a lane.
    fn link(&mut self, i: u32, lane: usize) {
        let queue = &mut self.lanes[lane];
        let before = std::mem::replace(&mut queue.last, i);
        queue.bytes += self.entries[i as usize].bytes();
        match self.entries.get_mut(before as usize) {
            Some(entry) => entry.behind = i,
            None => queue.first = i,
        }
        let entry = &mut self.entries[i as usize];
        (entry.before, entry.behind, entry.lane) = (before, NONE, lane as u8);
    }

    fn unlink(&mut self, i: u32) {
        let entry = &self.entries[i as usize];
        let (before, behind, lane) = (entry.before, entry.behind, entry.lane);
        let queue = &mut self.lanes[usize::from(lane)];
        queue.bytes -= entry.bytes();
        match self.entries.get_mut(before as usize) {
            Some(entry) => entry.behind = behind,
            None => queue.first = behind,
        }
        match self.entries.get_mut(behind as usize) {
            Some(entry) => entry.before = before,
            None => queue.last = before,
        }
    }
}
