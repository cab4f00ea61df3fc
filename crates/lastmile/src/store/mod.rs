//! Shards, blocks, rows: where series live, and nothing else knows how.
//!
//! ```text
//! Store ─┬─ Catalog ── FamilyState …      what is declared: policies, literals, text; admission of series
//!        ├─ ByteBudget                    bytes in use against the limit
//!        └─ Shard × 2^k (one lock each) ─┬─ table: hash → row id
//!                                        └─ blocks of rows, by family, in the order of exposition
//! ```
//! A series of a family whose labels are all closed lives in the shard that its family calls home, so
//! such a family is exposed in its declared order and a push touches one lock for it; the series of
//! other families are spread by their hash.
//!
//! **Locks.** A family's admission before a shard, never the other way round, never two shards at once.

mod admission;
mod block;
mod expiry;
mod family;
mod key;
mod pin;
mod shard;

pub(crate) use block::{Block, Row, SHOWN, UNUSED};
pub(crate) use family::FamilyState;
pub(crate) use key::{BODY_BYTES_END, Key, Text, Texts, body_values, same};
pub(crate) use pin::Pin;
pub(crate) use shard::{CounterValue, Shard};

use std::sync::Arc;

use hashbrown::HashMap;

use self::family::Seed;
use crate::error::{Error, Repr};
use crate::limit::{ByteBudget, Limits};
use crate::push::{Counts, Number, Refusal, Samples};
use crate::readers::{Moment, Readers};
use crate::schema::{Family, Kind};
use crate::sync::{CachePadded, Mutex, MutexGuard};
use crate::time::Ticks;
use crate::value::Sum;

/// Most shards; a push marks the ones it touches in 64 bits.
const SHARDS_MAX: usize = 64;

/// Fewest shards, so that a table that grows holds up a small part of the pushes only.
const SHARDS_MIN: usize = 16;

/// Shards for each core: two pushes then rarely want the same lock.
const SHARDS_PER_CORE: usize = 4;

/// No entry.
const NONE: u32 = u32::MAX;

/// The declared families, by slot and by name.
#[derive(Debug)]
pub(crate) struct Catalog {
    families: Vec<Arc<FamilyState>>,
    by_name: HashMap<Box<[u8]>, u32, Seed>,
}

impl Catalog {
    /// The family in a slot.
    #[inline]
    pub(crate) fn family(&self, slot: u32) -> &Arc<FamilyState> {
        &self.families[slot as usize]
    }

    /// The slot of a name that clients may use.
    #[inline]
    pub(crate) fn slot(&self, name: &[u8]) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// The family of a name, whoever may use it. Looks at one after the other.
    pub(crate) fn find(&self, name: &str) -> Option<&Arc<FamilyState>> {
        self.families.iter().find(|family| family.declared().name() == name)
    }

    /// All families in the order of exposition.
    pub(crate) fn families(&self) -> &[Arc<FamilyState>] {
        &self.families
    }
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Store {
    catalog: Catalog,
    shards: Box<[CachePadded<Mutex<Shard>>]>,
    budget: ByteBudget,
    series_per_family: u32,
    readers: Readers,
}

impl Store {
    /// A store of these families, with a row reserved for all that folding may need.
    ///
    /// # Errors
    /// Every family whose reservations exceed a limit.
    pub(crate) fn new(
        families: impl IntoIterator<Item = Family>,
        limits: &Limits,
        n_shards: Option<usize>,
    ) -> Result<Self, Error> {
        let seed = Seed::default();
        let mut catalog =
            Catalog { families: Vec::new(), by_name: HashMap::with_hasher(seed.clone()) };
        for (slot, family) in families.into_iter().enumerate() {
            if !family.host_only {
                catalog.by_name.insert(family.name.as_bytes().into(), slot as u32);
            }
            catalog.families.push(Arc::new(FamilyState::new(slot as u32, family, seed.clone())));
        }
        let n_shards = n_shards.unwrap_or_else(default_shards).next_power_of_two().min(SHARDS_MAX);
        let store = Self {
            catalog,
            shards: (0..n_shards).map(|_| CachePadded::default()).collect(),
            budget: ByteBudget::new(limits.bytes_max()),
            series_per_family: limits.series_per_family_max(),
            readers: Readers::new(limits.hold_for()),
        };
        let mut faults = Vec::new();
        for family in store.catalog.families() {
            if let Err(fault) = store.reserve(family) {
                faults.push(fault);
            }
        }
        if faults.is_empty() { Ok(store) } else { Err(Repr::Limit(faults).into()) }
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    pub(crate) fn n_shards(&self) -> usize {
        self.shards.len()
    }

    /// Locks a shard.
    #[inline]
    pub(crate) fn shard(&self, shard: usize) -> MutexGuard<'_, Shard> {
        self.shards[shard].0.lock()
    }

    /// This moment, to be taken under the lock of the shard it is for: a scrape that walked the shard
    /// before had begun before.
    #[inline]
    fn moment(&self, ticks: Ticks) -> Moment {
        Moment { ticks, scrape: self.readers.begun() }
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.readers
    }

    /// Where a series of this family with this hash lives.
    #[inline]
    fn shard_of(&self, family: &FamilyState, hash: u64) -> usize {
        let spread = if family.open() == 0 { u64::from(family.slot()) } else { hash >> 32 };
        spread as usize & (self.shards.len() - 1)
    }

    /// Counts what a push brought, one lock for each shard it touches.
    ///
    /// Entries are grouped by shard without sorting: each shard's are a list through `next`. A series
    /// that is not found is looked at again afterwards, alone, against the policies and limits. Gauges
    /// are taken one by one in the order they came, as that order is their meaning.
    pub(crate) fn apply(
        &self,
        samples: &mut Samples,
        body: &[u8],
        now: Ticks,
        counts: &mut Counts,
    ) {
        let mut heads = [NONE; SHARDS_MAX];
        let mut touched: u64 = 0;
        let mut gauges = false;
        let mut misses = std::mem::take(&mut samples.misses);
        for i in (0..samples.entries.len()).rev() {
            let entry = &mut samples.entries[i];
            let family = self.catalog.family(entry.family);
            if family.kind() == Kind::Gauge {
                gauges = true;
                continue;
            }
            let shard = self.shard_of(family, entry.hash);
            entry.next = heads[shard];
            heads[shard] = i as u32;
            touched |= 1 << shard;
        }
        while touched != 0 {
            let shard = touched.trailing_zeros() as usize;
            touched &= touched - 1;
            let mut rows = self.shard(shard);
            let moment = self.moment(now);
            let mut i = heads[shard];
            while let Some(entry) = samples.entries.get(i as usize) {
                let family = self.catalog.family(entry.family);
                let key = samples.key(family, body, entry.values_at as usize, entry.hash);
                match rows.find(&key) {
                    Some(row) => {
                        rows.update(row, family, samples.numbers_of(entry), moment);
                        counts.accept(u64::from(entry.n_numbers));
                    }
                    None => misses.push(i),
                }
                i = entry.next;
            }
        }
        if gauges {
            let entries = samples.entries.iter().enumerate();
            misses.extend(entries.filter_map(|(i, entry)| {
                (self.catalog.family(entry.family).kind() == Kind::Gauge).then_some(i as u32)
            }));
        }
        // New series are made in the order they came, so that the first values get the last places.
        misses.sort_unstable();
        for i in &misses {
            let entry = &samples.entries[*i as usize];
            let family = self.catalog.family(entry.family);
            let key = samples.key(family, body, entry.values_at as usize, entry.hash);
            let n = u64::from(entry.n_numbers);
            match self.apply_alone(&key, samples.numbers_of(entry), now) {
                Ok(()) => counts.accept(n),
                Err(why) => counts.refuse(why, n),
            }
        }
        samples.misses = misses;
    }

    /// Counts the samples of one series that may not exist yet.
    #[cold]
    fn apply_alone(&self, key: &Key<'_>, numbers: &[Number], now: Ticks) -> Result<(), Refusal> {
        if self.update_existing(key, numbers, now) {
            return Ok(());
        }
        loop {
            let (admitted, overflowed) = self.admit(key, now)?;
            // The row may have left for its age in between; then it is made anew.
            if self.update_existing(&admitted, numbers, now) {
                key.family.count_overflow(overflowed, numbers.len() as u64);
                return Ok(());
            }
        }
    }

    fn update_existing(&self, key: &Key<'_>, numbers: &[Number], now: Ticks) -> bool {
        let mut rows = self.shard(self.shard_of(key.family, key.hash));
        let row = rows.find(key);
        if let Some(row) = row {
            rows.update(row, key.family, numbers, self.moment(now));
        }
        row.is_some()
    }

    /// Gives the last handle of a row back.
    pub(crate) fn unbind(&self, pin: &Pin, now: Ticks) {
        self.shard(pin.shard()).unpin(pin, self.catalog.family(pin.slot()), now);
    }

    /// Adds a fraction to a bound counter.
    pub(crate) fn add_pinned(&self, pin: &Pin, v: f64) {
        self.shard(pin.shard()).add_pinned(pin, v);
    }

    /// Adds a whole number to a bound counter's row, where it cannot wrap.
    pub(crate) fn add_whole_pinned(&self, pin: &Pin, n: u64) {
        self.shard(pin.shard()).add_whole_pinned(pin, n);
    }

    /// What a bound counter stands at.
    pub(crate) fn read_pinned(&self, pin: &Pin) -> Sum {
        self.shard(pin.shard()).read_pinned(pin)
    }

    /// Observes a checked value through a bound histogram.
    pub(crate) fn observe_pinned(&self, pin: &Pin, v: f64, now: Ticks) {
        let family = self.catalog.family(pin.slot());
        let mut rows = self.shard(pin.shard());
        rows.update(Shard::pinned_row(pin), family, &[Number { value: v, n: 1 }], self.moment(now));
    }

    /// Adds cells of the same layout to a bound histogram's row, all under one lock.
    pub(crate) fn merge_pinned(&self, pin: &Pin, cells: &[u64], now: Ticks) {
        self.shard(pin.shard()).merge_pinned(pin, cells, now);
    }

    /// Bytes in use against the limit.
    pub(crate) fn bytes_used(&self) -> u64 {
        self.budget.used()
    }
}

fn default_shards() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores * SHARDS_PER_CORE).max(SHARDS_MIN)
}

#[cfg(test)]
mod tests;
