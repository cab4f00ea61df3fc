//! How series come into being: reserved with their family, admitted with a sample, or bound by the host.

use std::sync::Arc;

use super::Store;
use super::block::{RESERVED, Row, UNUSED};
use super::family::{Admission, FamilyState};
use super::key::{Key, Text, Texts};
use super::pin::Pin;
use crate::error::{Error, Fault};
use crate::push::Refusal;
use crate::readers::Moment;
use crate::schema::{Kind, Policy, is_reserved};
use crate::time::Ticks;
use crate::value::summary::Rolling;
use crate::value::{Sum, histogram};

/// What a row takes in a table: 5 bytes a slot, at worst 7/16 full just after it grew.
const TABLE_BYTES_PER_ROW: u64 = 12;

/// What a label value takes in all.
pub(super) fn value_bytes(value: &[u8]) -> u64 {
    value.len() as u64 + VALUE_BYTES_EXTRA
}

/// What a label value takes beside its bytes: its entry in the map of values, at the worst load.
const VALUE_BYTES_EXTRA: u64 = 64;

impl Admission {
    /// A series with this value of label `i` has left: whether the value's place is free again.
    pub(super) fn leave(&mut self, i: usize, value: &[u8]) -> bool {
        let Some(n_series) = self.values[i].get_mut(value) else {
            return false;
        };
        *n_series -= 1;
        let free = *n_series == 0;
        if free {
            self.values[i].remove(value);
        }
        free
    }

    /// The open labels whose value has no place and cannot get one, but for those in `folded`.
    fn full(&self, key: &Key<'_>, folded: u32) -> u32 {
        let mut full = 0;
        for (i, label) in key.family.labels().iter().enumerate() {
            if let Policy::Open { max_values, .. } = label.policy
                && folded & (1 << i) == 0
                && self.values[i].len() >= max_values as usize
                && !self.values[i].contains_key(key.value(i))
            {
                full |= 1 << i;
            }
        }
        full
    }
}

impl Store {
    /// Creates the rows that a family has from the start: every combination of its closed values, with
    /// every open label at `other`. Those with an open label, and gauges, stay hidden until used.
    pub(super) fn reserve(&self, family: &FamilyState) -> Result<(), Fault> {
        let declared = family.declared();
        let n_series = declared.n_reserved();
        let fault = |why: String| Fault {
            place: declared.place.clone(),
            family: declared.name.clone(),
            field: "labels".to_owned(),
            why,
        };
        let own = is_reserved(&declared.name);
        if n_series > u64::from(self.series_per_family) && !own {
            return Err(fault(format!(
                "needs {n_series} series from the start (the product of its labels' values), and series_per_family is {}",
                self.series_per_family
            )));
        }
        let hidden = family.open() != 0 || family.kind() == Kind::Gauge;
        let mut combination = vec![0; declared.labels.len()];
        let values: Vec<Vec<&str>> =
            declared.labels.iter().map(|label| label.reserved_values().collect()).collect();
        for _ in 0..n_series {
            let mut arena = Vec::new();
            let texts: Vec<Text> = combination
                .iter()
                .zip(&values)
                .map(|(at, values)| {
                    let start = arena.len();
                    arena.extend_from_slice(values[*at].as_bytes());
                    Text::in_arena(&arena, start)
                })
                .collect();
            let texts_of = Texts { body: &[], arena: &arena };
            let key = Key { family, values: &texts, texts: texts_of, folded: 0, hash: 0 }.fold(0);
            if !self.budget.reserve(row_bytes(family, key.body_len())) && !own {
                return Err(fault(format!(
                    "needs {n_series} series from the start, and with them the limit of {} bytes is exceeded",
                    self.budget.max()
                )));
            }
            let flags = RESERVED | if hidden { UNUSED } else { 0 };
            self.shard(self.shard_of(family, key.hash)).insert(&key, flags, Moment::default());
            family.admission.lock().n_series += 1;
            // The last label turns fastest.
            for (at, values) in combination.iter_mut().zip(&values).rev() {
                *at += 1;
                if *at < values.len() {
                    break;
                }
                *at = 0;
            }
        }
        Ok(())
    }

    /// The key under which a sample counts, whose row exists when this returns, and the labels of it
    /// that became `other` for want of a place.
    pub(super) fn admit<'a>(&self, key: &Key<'a>, now: Ticks) -> Result<(Key<'a>, u32), Refusal> {
        let family = key.family;
        let unlisted = family.fold_unlisted(key)?;
        if family.open() == 0 {
            return Ok((key.fold(unlisted), 0));
        }
        let mut admission = family.admission.lock();
        let full = admission.full(key, unlisted);
        let admitted = key.fold(unlisted | full);
        if self.exists(&admitted) || self.create(&mut admission, &admitted, now) {
            return Ok((admitted, full));
        }
        // At a limit every open label folds, to a row that was reserved when the family was declared.
        Ok((key.fold(unlisted | family.open()), family.open() & !unlisted))
    }

    fn exists(&self, key: &Key<'_>) -> bool {
        self.shard(self.shard_of(key.family, key.hash)).find(key).is_some()
    }

    /// Creates a series that does not exist, if the limits leave it a place: reserves first, and
    /// changes nothing otherwise. The aggregator's own families, which no client can grow, are exempt.
    fn create(&self, admission: &mut Admission, key: &Key<'_>, now: Ticks) -> bool {
        let family = key.family;
        let own = is_reserved(family.declared().name());
        let takes_place = |i: &usize| family.open() & !key.folded & (1 << i) != 0;
        let places: u64 = (0..family.labels().len())
            .filter(takes_place)
            .filter(|i| !admission.values[*i].contains_key(key.value(*i)))
            .map(|i| value_bytes(key.value(i)))
            .sum();
        let has_room = admission.n_series < self.series_per_family
            && self.budget.reserve(row_bytes(family, key.body_len()) + places);
        if !has_room && !own {
            return false;
        }
        for i in (0..family.labels().len()).filter(takes_place) {
            *admission.values[i].entry(key.value(i).into()).or_insert(0) += 1;
        }
        admission.n_series += 1;
        let mut rows = self.shard(self.shard_of(family, key.hash));
        rows.insert(key, UNUSED, self.moment(now));
        true
    }

    /// Binds a handle to a series, which counts against the limits now.
    ///
    /// # Errors
    /// When the labels are not the family's, or the series has no place of its own.
    pub(crate) fn bind(
        &self,
        family: &FamilyState,
        labels: &[(&str, &str)],
        now: Ticks,
    ) -> Result<Arc<Pin>, Error> {
        let name = family.declared().name();
        let mut arena = Vec::new();
        let mut values = Vec::new();
        for label in family.labels() {
            let mut given = labels.iter().filter(|(name, _)| *name == label.name());
            let (Some((_, value)), None) = (given.next(), given.next()) else {
                return Err(Error::handle(
                    name,
                    format!("label `{}` must be given once", label.name()),
                ));
            };
            let start = arena.len();
            arena.extend_from_slice(value.as_bytes());
            values.push(Text::in_arena(&arena, start));
        }
        if labels.len() != values.len() {
            return Err(Error::handle(name, "a label is given that it does not declare"));
        }
        let texts = Texts { body: &[], arena: &arena };
        let key = Key { family, values: &values, texts, folded: 0, hash: 0 }.fold(0);
        let unlisted = family.fold_unlisted(&key).map_err(|why| {
            Error::handle(name, format!("these labels are refused as {}", why.as_str()))
        })?;
        let admitted = key.fold(unlisted);
        if (0..values.len()).any(|i| admitted.value(i) != key.value(i)) {
            return Err(Error::handle(name, "a label does not list this value"));
        }
        // Held until the row is pinned, so that it cannot leave before.
        let mut admission = family.admission.lock();
        if family.open() != 0 {
            let has_place = admission.full(&key, unlisted) == 0
                && (self.exists(&admitted) || self.create(&mut admission, &admitted, now));
            if !has_place {
                return Err(Error::handle(name, "a limit leaves no place for this series"));
            }
        }
        let shard = self.shard_of(family, admitted.hash);
        let mut rows = self.shard(shard);
        let row = rows.find(&admitted).ok_or_else(|| Error::handle(name, "the series is gone"))?;
        Ok(rows.pin(row, shard, family, self.moment(now)))
    }
}

/// The bytes that a series takes in all: its row, its key of `key_len` bytes, its cells and its place in
/// the table. A counter is charged for the wide sum, and a summary for all windows, that it may need
/// later, as an existing series is never refused.
pub(super) fn row_bytes(family: &FamilyState, key_len: usize) -> u64 {
    let cells = match family.kind() {
        Kind::Histogram => histogram::n_cells(family.bounds().len()) * size_of::<u64>(),
        Kind::Summary => {
            histogram::n_cells(0) * size_of::<u64>() + Rolling::bytes_max(family.scale())
        }
        Kind::Counter => size_of::<Sum>(),
        Kind::Gauge => 0,
    };
    (size_of::<Row>() + key_len + cells) as u64 + TABLE_BYTES_PER_ROW
}
