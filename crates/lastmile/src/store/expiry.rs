//! How series leave: idle for their family's time to live, and read at their final value by every
//! reader of the family that is still there; or because no schema declares them any more.
//!
//! A row leaves whole: its memory, its place in the limits and those of its label values. Should the
//! series come back, it is a new one that starts at 0, which Prometheus reads as a reset, exactly. A row
//! that was reserved for folding starts again in its place.

use super::Store;
use super::admission::{Admission, row_bytes};
use super::block::{PINNED, RESERVED, Row, UNUSED};
use super::family::FamilyState;
use super::key::body_values;
use super::shard::{RowId, Shard};
use super::sweep::Fate;
use crate::readers::Seen;
use crate::schema::Kind;
use crate::sync::{Ordering, unlock_fair};
use crate::time::Ticks;

impl Store {
    /// Lets go what may leave at `now`, and gives how many series did. Holds one family's admission and
    /// one shard's lock, for one block, at a time.
    pub(crate) fn expire(&self, now: Ticks) -> u64 {
        let seen = self.readers.seen(now);
        let catalog = self.lease();
        let families = catalog.families().iter();
        families
            .filter(|family| family.open() != 0 && family.sweep_is_due(now))
            .map(|family| self.expire_family(family, &seen, now))
            .sum()
    }

    fn expire_family(&self, family: &FamilyState, seen: &Seen, now: Ticks) -> u64 {
        let read = seen.by(|filter| filter.shows(family));
        let fate = |_: RowId, row: &Row| {
            let is_idle = row.flags & (PINNED | UNUSED) == 0
                && now.saturating_sub(row.touched) > family.ttl()
                && (family.kind() == Kind::Gauge
                    || read.final_value(row.touched, row.born, row.created));
            match is_idle {
                false => Fate::Stays,
                true if row.flags & RESERVED != 0 => Fate::Restarts,
                true => Fate::Leaves,
            }
        };
        self.sweep(family, fate)
    }

    /// Takes the rows of a family away that no schema declares and nobody leases any more. Those that a
    /// handle holds go with the last one of it, and are counted until then.
    pub(super) fn retire(&self, family: &FamilyState) {
        family.incarnation().retire();
        self.sweep(family, without_handle);
        let mut admission = family.incarnation().admission.lock();
        let fixed = admission.retire();
        self.refund(family, &mut admission, fixed);
        admission.detached = true;
        self.n_detached.fetch_add(u64::from(admission.n_series), Ordering::Relaxed);
    }

    /// Takes one row away that no handle holds any more.
    pub(super) fn remove_row(
        &self,
        rows: &mut Shard,
        admission: &mut Admission,
        family: &FamilyState,
        id: RowId,
    ) {
        let this = |other: RowId, _: &Row| if other == id { Fate::Leaves } else { Fate::Stays };
        let seq = rows.seq_of(id);
        // Nothing joins here: it would move rows behind a sweep of the family that is under way.
        self.sweep_block(rows, admission, family, seq - 1, false, this);
        if admission.detached {
            self.n_detached.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Sweeps all rows of a family, and gives how many left.
    fn sweep(&self, family: &FamilyState, fate: impl Fn(RowId, &Row) -> Fate) -> u64 {
        let mut n_gone = 0;
        for shard in 0..self.n_shards() {
            let mut seq = 0;
            loop {
                // Taken anew for each block, so that new series wait no longer than pushes do.
                let mut admission = family.incarnation().admission.lock();
                let before = admission.n_series;
                let mut rows = self.shard(shard);
                let joins = self.nobody_walks();
                let next = self.sweep_block(&mut rows, &mut admission, family, seq, joins, &fate);
                unlock_fair(rows);
                n_gone += u64::from(before - admission.n_series);
                admission.shrink();
                let Some(next) = next else { break };
                seq = next;
            }
        }
        n_gone
    }

    /// Sweeps the first block of a family behind the one numbered `seq`, and gives its number.
    fn sweep_block(
        &self,
        rows: &mut Shard,
        admission: &mut Admission,
        family: &FamilyState,
        seq: u64,
        joins: bool,
        fate: impl Fn(RowId, &Row) -> Fate,
    ) -> Option<u64> {
        let mut bytes = 0;
        let next = rows.sweep(family, seq, joins, fate, |body| {
            bytes += row_bytes(family, body.len());
            admission.n_series -= 1;
            for (i, value) in body_values(family, body).enumerate() {
                bytes += admission.leave(i, &value, family.value_hash(&value));
            }
        });
        self.refund(family, admission, bytes);
        next
    }
}

/// Only what a handle holds stays.
fn without_handle(_: RowId, row: &Row) -> Fate {
    if row.flags & PINNED != 0 { Fate::Stays } else { Fate::Leaves }
}
