//! How series leave: idle for their family's time to live, and read at their final value by every
//! reader that is still there.
//!
//! A row leaves whole: its memory, its place in the limits and those of its label values. Should the
//! series come back, it is a new one that starts at 0, which Prometheus reads as a reset, exactly. A row
//! that was reserved for folding starts again in its place.

use super::Store;
use super::admission::{row_bytes, value_bytes};
use super::block::Row;
use super::family::FamilyState;
use super::key::body_values;
use crate::readers::Seen;
use crate::schema::Kind;
use crate::time::Ticks;

impl Store {
    /// Lets go what may leave at `now`, and gives how many series did. Holds one family's admission and
    /// one shard's lock, for one block, at a time.
    pub(crate) fn expire(&self, now: Ticks) -> u64 {
        let seen = self.readers.seen(now);
        let families = self.catalog.families().iter();
        families
            .filter(|family| family.open() != 0 && family.sweep_is_due(now))
            .map(|family| self.expire_family(family, &seen, now))
            .sum()
    }

    fn expire_family(&self, family: &FamilyState, seen: &Seen, now: Ticks) -> u64 {
        let leaves = |row: &Row| {
            now.saturating_sub(row.touched) > family.ttl()
                && (family.kind() == Kind::Gauge
                    || seen.final_value(row.touched, row.born, row.created))
        };
        let (mut n_gone, mut bytes) = (0, 0);
        for shard in 0..self.n_shards() {
            let mut seq = 0;
            loop {
                // Taken anew for each block, so that new series wait no longer than pushes do.
                let mut admission = family.admission.lock();
                let next = self.shard(shard).expire(family, seq, leaves, |body| {
                    n_gone += 1;
                    bytes += row_bytes(family, body.len());
                    admission.n_series -= 1;
                    for (i, value) in body_values(family, body).enumerate() {
                        if admission.leave(i, &value) {
                            bytes += value_bytes(&value);
                        }
                    }
                });
                let Some(next) = next else { break };
                seq = next;
            }
        }
        self.budget.release(bytes);
        n_gone
    }
}
