//! Another schema takes the place of the one in force.
//!
//! ```text
//! families that stay    the same rows, values and start times
//! … declared otherwise  likewise: help, bounds on values, time to live, how many values have a place
//! … of other series     new rows, from 0; the old ones leave: another type, bounds, or labels
//! families that are new rows reserved first; if they do not fit, nothing changes
//! families that go      their rows leave, but for those that a handle holds, which go with it
//! ```

use std::sync::Arc;

use super::Store;
use super::admission::fixed_bytes;
use super::catalog::Catalog;
use super::family::FamilyState;
use crate::error::{Error, Fault, Repr};
use crate::readers::{Moment, NOT_BORN};
use crate::schema::{Family, Mappings};
use crate::time::Ticks;

impl Store {
    /// Puts these families, and what is mapped onto them, in place of all that are not the aggregator's own. `begin` is shown each new
    /// family before anything can be pushed to it, `end` each that is gone.
    ///
    /// Pushes go on meanwhile: one that began before ends with the families that it began with, and this
    /// waits for it.
    ///
    /// # Errors
    /// Every family that needs more room than the limits leave, beside what is there; nothing changed.
    pub(crate) fn reload(
        &self,
        families: impl IntoIterator<Item = Family>,
        mappings: &Arc<Mappings>,
        now: Ticks,
        begin: impl Fn(&FamilyState) -> Result<(), Error>,
        end: impl Fn(&FamilyState),
    ) -> Result<(), Error> {
        let mut next_slot = self.next_slot.lock();
        let not_born = Moment { ticks: now, scrape: NOT_BORN };
        let before = self.catalog();
        let mut after = Vec::new();
        let mut made = Vec::new();
        // Families that were found in the schema before, declared otherwise.
        let mut redeclared = Vec::new();
        let mut faults = Vec::new();
        for declared in families {
            let known = before.find(declared.name()).filter(|family| !family.is_own());
            match known.filter(|family| declared.keeps_series_of(family.declared())) {
                Some(family) if family.declared().is_same(&declared) => {
                    after.push(Arc::clone(family));
                }
                Some(family) => {
                    let state = Arc::new(family.redeclared(declared));
                    match self.charge_redeclared(&state) {
                        Ok(()) => redeclared.push(Arc::clone(&state)),
                        Err(fault) => faults.push(fault),
                    }
                    after.push(state);
                }
                None => {
                    let state = FamilyState::new(*next_slot, declared, self.seed.clone());
                    *next_slot += 1;
                    let state = Arc::new(state);
                    faults.extend(self.reserve(&state, not_born).err());
                    made.push(Arc::clone(&state));
                    after.push(state);
                }
            }
        }
        let begun = if faults.is_empty() {
            made.iter().try_for_each(|family| begin(family))
        } else {
            Err(Repr::Limit(faults).into())
        };
        if let Err(error) = begun {
            for family in made {
                self.retire(&family);
                end(&family);
            }
            for after in redeclared {
                self.budget.release(fixed_bytes(after.declared()));
            }
            return Err(error);
        }
        // Before the schema is in force, so that a value that it pins has its place from then on.
        for after in redeclared {
            let mut admission = after.incarnation().admission.lock();
            let (taken, given) = admission.redeclare(after.declared());
            admission.bytes = admission.bytes + taken - given;
            self.budget.release(fixed_bytes(after.declared()) - taken + given);
        }
        after.extend(before.families().iter().filter(|family| family.is_own()).cloned());
        let after = Arc::new(Catalog::new(after, Arc::clone(mappings), self.seed.clone()));
        self.in_force.replace(&after);
        for family in made {
            self.bear(&family, now);
        }
        let stays = |gone: &Arc<FamilyState>| {
            after.families().iter().any(|family| family.slot() == gone.slot())
        };
        for family in before.families().iter().filter(|family| !stays(family)) {
            self.retire(family);
            end(family);
        }
        Ok(())
    }

    /// Has the rows of a new family born now that it is in force. A scrape that began while they were made
    /// walked the families before; had they been born then, its reader would count them as shown at 0.
    fn bear(&self, family: &FamilyState, now: Ticks) {
        for shard in 0..self.n_shards() {
            let mut seq = Some(0);
            while let Some(behind) = seq {
                let mut rows = self.shard(shard);
                seq = rows.bear(family.slot(), behind, self.moment(now));
            }
        }
    }

    /// Reserves what a family takes beside its series as it will be declared.
    fn charge_redeclared(&self, after: &FamilyState) -> Result<(), Fault> {
        let declared = after.declared();
        if self.budget.reserve(fixed_bytes(declared)) {
            return Ok(());
        }
        let why = format!(
            "needs {} bytes for the values it pins or watches, and with them the limit of {} bytes is exceeded",
            fixed_bytes(declared),
            self.budget.max()
        );
        Err(declared.fault("labels", why))
    }
}
