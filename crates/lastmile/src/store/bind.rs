//! Rows that a bound handle holds in place.

use std::sync::Arc;

use super::Store;
use super::admission::Verdict;
use super::family::FamilyState;
use super::key::{Key, Text, Texts};
use super::pin::Pin;
use super::shard::Shard;
use crate::error::Error;
use crate::exemplar::Exemplar;
use crate::push::Number;
use crate::schema::Kind;
use crate::time::Ticks;
use crate::value::Sum;
use crate::value::histogram;

impl Store {
    /// Binds a handle to a series, which counts against the limits now. The family is of a catalog that
    /// the caller leases.
    ///
    /// # Errors
    /// When the labels are not the family's, or the series has no place of its own.
    pub(crate) fn bind(
        &self,
        family: &Arc<FamilyState>,
        labels: &[(&str, &str)],
        now: Ticks,
    ) -> Result<Arc<Pin>, Error> {
        let name = family.declared().name();
        let mut arena = Vec::new();
        let mut values = Vec::new();
        for label in family.labels() {
            let mut given = labels.iter().filter(|(name, _)| *name == label.name());
            let (Some((_, value)), None) = (given.next(), given.next()) else {
                let why = format!("label `{}` must be given once", label.name());
                return Err(Error::handle(name, why));
            };
            values.push(Text::put(&mut arena, value.as_bytes()));
        }
        if labels.len() != values.len() {
            return Err(Error::handle(name, "a label is given that it does not declare"));
        }
        let texts = Texts { body: &[], arena: &arena };
        let key = Key { family, values: &values, texts, folded: 0, hash: 0 }.fold(0);
        if let Some(i) = family.not_a_template(&key) {
            let why =
                format!("the template of label `{}` changes this value", family.labels()[i].name());
            return Err(Error::handle(name, why));
        }
        // Held until the row is pinned, so that it cannot leave before.
        let mut admission = family.incarnation().admission.lock();
        let hashes = key.value_hashes();
        let judged = admission.judge(&key, &hashes, None);
        let verdict = judged.map_err(|why| {
            Error::handle(name, format!("these labels are refused as {}", why.as_str()))
        })?;
        let Verdict { unlisted, full, .. } = verdict;
        let admitted = key.fold_hashed(unlisted, &hashes);
        if (0..values.len()).any(|i| admitted.value(i) != key.value(i)) {
            return Err(Error::handle(name, "a label does not let this value in"));
        }
        let shard = self.shard_of(family, admitted.hash);
        let mut rows = self.shard(shard);
        let row = match rows.find(&admitted) {
            None if full == 0 => {
                self.create(&mut rows, &mut admission, &admitted, &hashes, &verdict, now)
            }
            Some(row) if full == 0 => Some(row),
            _ => None,
        };
        let row =
            row.ok_or_else(|| Error::handle(name, "a limit leaves no place for this series"))?;
        Ok(rows.pin(row, shard, family, self.moment(now)))
    }

    /// Gives a handle of a row back. `now` is asked under the row's lock: whatever scrape walked the row
    /// before, and did not see what was added since, began no later than the row was touched then.
    pub(crate) fn unbind(&self, pin: &Pin, now: impl FnOnce() -> Ticks) {
        if pin.release() {
            return;
        }
        let family = pin.family();
        // Before the shard, as everywhere.
        let mut admission = family.incarnation().admission.lock();
        let mut rows = self.shard(pin.shard());
        // A row that no schema declares any more leaves with its handle, and so does what the aggregator
        // itself has to say of a family that is gone; counters stay until they were read.
        let leaves = || {
            family.incarnation().is_retired() || (family.is_own() && family.kind() == Kind::Gauge)
        };
        let Some(row) = rows.unpin(pin, now()) else { return };
        pin.forget_exemplars(&self.budget);
        if leaves() {
            self.remove_row(&mut rows, &mut admission, family, row);
        }
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
        let mut rows = self.shard(pin.shard());
        let numbers = &[Number { value: v, n: 1 }];
        rows.update(Shard::pinned_row(pin), pin.family(), numbers, self.moment(now));
    }

    /// Adds to a bound counter, and keeps what it came with if there is room, both under one lock.
    pub(crate) fn add_with_exemplar(&self, pin: &Pin, n: u64, exemplar: Exemplar) -> bool {
        let _rows = self.shard(pin.shard());
        pin.add(n);
        pin.keep(0, exemplar, &self.budget)
    }

    /// Observes a checked value through a bound histogram, and keeps what it came with if there is room.
    pub(crate) fn observe_with_exemplar(
        &self,
        pin: &Pin,
        v: f64,
        exemplar: Exemplar,
        now: Ticks,
    ) -> bool {
        let mut rows = self.shard(pin.shard());
        let numbers = &[Number { value: v, n: 1 }];
        rows.update(Shard::pinned_row(pin), pin.family(), numbers, self.moment(now));
        pin.keep(histogram::bucket_idx(pin.family().bounds(), v), exemplar, &self.budget)
    }

    /// Adds cells of the same layout to a bound histogram's row, all under one lock.
    pub(crate) fn merge_pinned(&self, pin: &Pin, cells: &[u64], now: Ticks) {
        self.shard(pin.shard()).merge_pinned(pin, cells, now);
    }
}
