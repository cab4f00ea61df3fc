//! Shards, blocks, rows: where series live, and nothing else knows how.
//!
//! ```text
//! Store ─┬─ InForce ── Catalog ── FamilyState …   what is declared now: policies, literals, text
//!        │                        └ Incarnation   what lives as long as its rows: admission of series
//!        ├─ ByteBudget                            bytes in use against the limit
//!        └─ Shard × 2^k (one lock each) ─┬─ table: hash → row id
//!                                        └─ blocks of rows, by family, in the order of exposition
//! ```
//! A series of a family whose labels are all closed lives in the shard that its family calls home, so
//! such a family is exposed in its declared order and a push touches one lock for it; the series of
//! other families are spread by their hash.
//!
//! **Locks.** A family's admission before a shard, never the other way round. Who holds a shard never waits for
//! another: a push in a large store tries for a few, see [`ahead`].

mod admission;
mod ahead;
mod apply;
mod bind;
mod block;
mod candidates;
mod catalog;
mod expiry;
mod family;
mod full;
mod key;
mod pin;
mod places;
mod policy;
mod reload;
mod shard;
mod sweep;
mod upcoming;
mod wide;

pub(crate) use admission::Arrival;
#[cfg(feature = "protobuf")]
pub(crate) use block::ESCAPED;
pub(crate) use block::{Block, Row, UNUSED};
pub(crate) use catalog::{Catalog, Lease, Target};
pub(crate) use family::{FamilyState, LabelMeters, Meters};
#[cfg(all(test, loom))]
pub(crate) use full::Full;
pub(crate) use full::Seen;
pub(crate) use key::{BODY_BYTES_END, Key, Text, Texts, body_values, escaped_values, same};
pub(crate) use pin::Pin;
pub(crate) use shard::{Locator, Shard};
pub(crate) use upcoming::{Turn, Upcoming};
pub(crate) use wide::CounterValue;

use std::sync::Arc;

use self::catalog::InForce;
use self::family::Seed;
use crate::error::{Error, Repr};
use crate::limit::{ByteBudget, Limits};
use crate::push::Source;
use crate::rate::Rate;
use crate::readers::{Moment, Readers};
use crate::schema::{Family, Mappings};
use crate::sync::{AtomicU32, AtomicU64, CachePadded, Mutex, MutexGuard, Ordering};
use crate::time::Ticks;

/// Most shards; a push marks the ones it touches in 64 bits.
const SHARDS_MAX: usize = 64;

/// Fewest shards, so that a table that grows holds up a small part of the pushes only.
const SHARDS_MIN: usize = 16;

/// Shards for each core: two pushes that name other families or series then rarely want the same lock.
const SHARDS_PER_CORE: usize = 4;

/// One in so many shards has series of a given open family. A push that names several of its series then
/// takes few locks, and waits for the memory of several rows at a time under each.
const SHARDS_PER_SPREAD: usize = 8;

/// So many families that are declared one behind the other live in one shard, from the first on: a push mostly names
/// several of them, and a lock costs it as much as a sample or more, where another core had it last as much as four.
const FAMILIES_PER_HOME: usize = 4;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Store {
    in_force: InForce,
    /// The id of the next incarnation of a family; held while a schema is put in place.
    next_slot: Mutex<u32>,
    seed: Seed,
    shards: Box<[CachePadded<Mutex<Shard>>]>,
    /// One less than the shards that the series of an open family are spread over.
    spread: usize,
    budget: ByteBudget,
    series_per_family: u32,
    new_series: Option<Rate>,
    /// Batches that brought a value that waits for a place.
    batches: AtomicU32,
    /// Rows of families that are gone, held by handles.
    n_detached: AtomicU64,
    /// Walks over the rows that are under way: of scrapes and visitors.
    n_walks: Arc<AtomicU32>,
    readers: Readers,
}

/// A walk over the rows that is under way.
#[derive(Debug)]
pub(crate) struct Walk(Arc<AtomicU32>);

impl Drop for Walk {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Store {
    /// A store of these families and what is mapped onto them, with a row reserved for all that folding may need.
    ///
    /// # Errors
    /// Every family whose reservations exceed a limit.
    pub(crate) fn new(
        families: impl IntoIterator<Item = Family>,
        mappings: &Arc<Mappings>,
        limits: &Limits,
        n_shards: Option<usize>,
    ) -> Result<Self, Error> {
        let seed = Seed::default();
        let families: Vec<Arc<FamilyState>> = families
            .into_iter()
            .zip(0..)
            .map(|(family, slot)| Arc::new(FamilyState::new(slot, family, seed.clone())))
            .collect();
        let next_slot = Mutex::new(families.len() as u32);
        let catalog = Arc::new(Catalog::new(families, Arc::clone(mappings), seed.clone()));
        let n_shards = n_shards.unwrap_or_else(default_shards).next_power_of_two().min(SHARDS_MAX);
        let store = Self {
            in_force: InForce::new(&catalog),
            next_slot,
            seed,
            shards: (0..n_shards).map(|_| CachePadded::default()).collect(),
            spread: (n_shards / SHARDS_PER_SPREAD).max(1) - 1,
            budget: ByteBudget::new(limits.bytes_max()),
            series_per_family: limits.series_per_family_max(),
            new_series: limits.new_series_per_second_max().map(Rate::new),
            batches: AtomicU32::new(0),
            n_detached: AtomicU64::new(0),
            n_walks: Arc::new(AtomicU32::new(0)),
            readers: Readers::new(limits.hold_for()),
        };
        let reserve = |family: &Arc<FamilyState>| store.reserve(family, Moment::default()).err();
        let faults: Vec<_> = catalog.families().iter().filter_map(reserve).collect();
        if faults.is_empty() { Ok(store) } else { Err(Repr::Limit(faults).into()) }
    }

    /// The catalog for one push, or for one binding of a handle: a reload waits until it is given back,
    /// so whoever holds it calls nobody else's code.
    #[inline]
    pub(crate) fn lease(&self) -> Lease {
        self.in_force.lease()
    }

    /// The catalog as it is now, for whoever reads: its families may go meanwhile, and their rows with
    /// them.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.in_force.lease())
    }

    /// A push from this source.
    #[inline]
    pub(crate) fn arrival(&self, source: &Source<'_>, now: Ticks) -> Arrival<'_> {
        Arrival::new(now, source.addr_value().map(Source::prefix_of), &self.batches)
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

    /// Begins a walk over the rows, shard by shard and block by block. Until it is dropped no row is moved
    /// from one block to another: what the walk has seen it would see again, or not at all.
    pub(crate) fn walk(&self) -> Walk {
        self.n_walks.fetch_add(1, Ordering::Relaxed);
        Walk(Arc::clone(&self.n_walks))
    }

    /// Whether no walk is under way, asked under a shard's lock: one that has been there began before, and
    /// the lock orders both; one that comes later finds what was moved where it is.
    fn nobody_walks(&self) -> bool {
        self.n_walks.load(Ordering::Relaxed) == 0
    }

    /// Where a series of this family with this hash lives.
    #[inline]
    fn shard_of(&self, family: &FamilyState, hash: u64) -> usize {
        // Other bits than the table's, and all of them: those in the middle alone are not as good.
        let spread = (hash.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as usize & self.spread;
        let spread = if family.open() == 0 { 0 } else { spread };
        (family.slot() as usize / FAMILIES_PER_HOME + spread) & (self.shards.len() - 1)
    }

    /// Bytes in use against the limit.
    pub(crate) fn bytes_used(&self) -> u64 {
        self.budget.used()
    }

    /// The limit.
    pub(crate) fn bytes_max(&self) -> u64 {
        self.budget.max()
    }

    /// Most series of one family.
    pub(crate) fn series_per_family(&self) -> u32 {
        self.series_per_family
    }

    /// Rows of families that are gone, held by handles.
    pub(crate) fn n_detached(&self) -> u64 {
        self.n_detached.load(Ordering::Relaxed)
    }
}

fn default_shards() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores * SHARDS_PER_CORE).max(SHARDS_MIN)
}

#[cfg(test)]
mod tests;
