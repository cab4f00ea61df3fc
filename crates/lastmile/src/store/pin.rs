//! What a bound handle and its row share.

use std::fmt;
use std::sync::Arc;

use super::family::FamilyState;
use crate::exemplar::Exemplar;
use crate::limit::ByteBudget;
use crate::sync::{AtomicU32, AtomicU64, AtomicUsize, CachePadded, Mutex, MutexGuard, Ordering};

/// The cell of a row that a handle pins. While any handle lives the row stays where a scrape finds it.
///
/// Relaxed orderings suffice for the cell, which guards no other memory: one location's values are seen
/// in one order by everybody, so a scrape never sees a counter fall. `row` changes under the shard's
/// lock alone, and `n_handles` reaches or leaves 0 under it alone. Giving a handle back releases, and
/// giving the last one back acquires, so that whoever folds the cell sees all that was added to it.
pub(crate) struct Pin {
    /// A counter's increments on top of its row, or the bits of a gauge's value.
    cell: CachePadded<AtomicU64>,
    n_handles: AtomicUsize,
    family: Arc<FamilyState>,
    shard: u32,
    row: AtomicU32,
    /// Of a counter one, of a histogram one for each bucket; none until the first. Charged to the budget. Changed under the shard's
    /// lock alone, so that they stay as they are while a scrape writes a block.
    exemplars: Mutex<Vec<Option<Exemplar>>>,
}

impl Pin {
    pub(super) fn new(family: &Arc<FamilyState>, shard: u32, row: u32, initial: u64) -> Self {
        Self {
            cell: CachePadded(AtomicU64::new(initial)),
            n_handles: AtomicUsize::new(0),
            family: Arc::clone(family),
            shard,
            row: AtomicU32::new(row),
            exemplars: Mutex::new(Vec::new()),
        }
    }

    /// Adds to a counter.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.cell.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The increments a counter's row does not hold yet, or a gauge's bits.
    #[inline]
    pub(crate) fn load(&self) -> u64 {
        self.cell.0.load(Ordering::Relaxed)
    }

    /// Sets a gauge's bits.
    #[inline]
    pub(crate) fn store(&self, bits: u64) {
        self.cell.0.store(bits, Ordering::Relaxed);
    }

    /// Changes a gauge by `f`.
    #[inline]
    pub(crate) fn update(&self, f: impl Fn(f64) -> f64) {
        let _ = self.cell.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| {
            Some(f(f64::from_bits(bits)).to_bits())
        });
    }

    /// The last exemplar of each bucket, of a counter one; empty if there never was any. The caller holds the
    /// shard's lock.
    pub(crate) fn exemplars(&self) -> MutexGuard<'_, Vec<Option<Exemplar>>> {
        self.exemplars.lock()
    }

    /// Keeps one in place of the bucket's last, unless the budget has no room for what it takes more. The caller
    /// holds the shard's lock.
    pub(super) fn keep(&self, bucket_idx: usize, exemplar: Exemplar, budget: &ByteBudget) -> bool {
        let mut kept = self.exemplars.lock();
        let n_buckets = self.family.bounds().len() + 1;
        let before = kept.get(bucket_idx).and_then(Option::as_ref).map_or(0, Exemplar::bytes);
        let after = exemplar.bytes() + if kept.is_empty() { slot_bytes(n_buckets) } else { 0 };
        if !budget.reserve(after.saturating_sub(before)) {
            return false;
        }
        budget.release(before.saturating_sub(after));
        if kept.is_empty() {
            *kept = vec![None; n_buckets];
        }
        kept[bucket_idx] = Some(exemplar);
        true
    }

    /// Drops all of them, and gives back what they took of the budget.
    pub(super) fn forget_exemplars(&self, budget: &ByteBudget) {
        let kept = std::mem::take(&mut *self.exemplars.lock());
        let labels: u64 = kept.iter().flatten().map(Exemplar::bytes).sum();
        budget.release(slot_bytes(kept.len()) + labels);
    }

    /// One more handle; the caller holds the shard's lock or a handle.
    pub(crate) fn acquire(&self) {
        self.n_handles.fetch_add(1, Ordering::Relaxed);
    }

    /// One handle less, unless it is the last, which only [`Self::release_last`] gives back.
    pub(crate) fn release(&self) -> bool {
        self.n_handles
            .fetch_update(Ordering::Release, Ordering::Relaxed, |n| (n > 1).then(|| n - 1))
            .is_ok()
    }

    /// One handle less under the shard's lock: whether it was the last.
    pub(super) fn release_last(&self) -> bool {
        self.n_handles.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// The family as it was declared when the row was bound.
    pub(crate) fn family(&self) -> &Arc<FamilyState> {
        &self.family
    }

    pub(crate) fn shard(&self) -> usize {
        self.shard as usize
    }

    /// The row was moved, under the shard's lock.
    pub(super) fn moved_to(&self, row: u32) {
        self.row.store(row, Ordering::Relaxed);
    }

    pub(super) fn row(&self) -> u32 {
        self.row.load(Ordering::Relaxed)
    }
}

/// The bytes that this many exemplars take without their labels.
fn slot_bytes(n_buckets: usize) -> u64 {
    (n_buckets * size_of::<Option<Exemplar>>()) as u64
}

impl fmt::Debug for Pin {
    // Not derived: a family's metrics about itself are pins again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = self.family.declared().name();
        f.debug_struct("Pin").field("family", &family).finish_non_exhaustive()
    }
}
