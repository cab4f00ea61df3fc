//! The naive twin: what a push means, written for the reader and for nothing else. It reads with
//! `serde_json`, keeps a `BTreeMap`, and shares no code with the crate.

mod declared;
mod hits;
#[cfg(feature = "faro")]
pub(crate) mod mapped;
mod native;
#[cfg(feature = "otlp")]
mod otlp;
mod prom_text;
mod pushes;
mod reports;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use declared::{Combine, Family, Kind, Label, Open, Policy};
use declared::{OTHER, check_bounds, label_values};
pub(crate) use native::Native;
pub(crate) use reports::SEED;

use crate::exact::Exact;

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Counter(Exact),
    /// Nothing until it is set.
    Gauge(Option<f64>),
    /// Per bucket, not cumulated; the last is above every bound. Of a summary, that one alone.
    Histogram {
        buckets: Vec<u64>,
        sum: Exact,
        native: Option<Native>,
    },
}

/// One family and its series by label values, in declared order of labels.
#[derive(Clone, Debug)]
pub(crate) struct FamilyState {
    pub(crate) family: Family,
    pub(crate) series: BTreeMap<Vec<String>, Value>,
    /// For each label, the open values that hold a place.
    places: Vec<BTreeSet<String>>,
    /// For each label, the open values that wait for one, and the batches they came in.
    waiting: Vec<BTreeMap<String, BTreeSet<u64>>>,
    reserved: BTreeSet<Vec<String>>,
}

impl FamilyState {
    fn new(family: &Family) -> Self {
        let pins = |label: &Label| -> BTreeSet<String> {
            label.open().map(|open| open.pin.iter().cloned().collect()).unwrap_or_default()
        };
        Self {
            family: family.clone(),
            series: match family.kind {
                Kind::Gauge(_) => BTreeMap::new(),
                _ if family.is_open() => BTreeMap::new(),
                _ => family.closed_rows().into_iter().map(|row| (row, family.zero())).collect(),
            },
            places: family.labels.iter().map(pins).collect(),
            waiting: vec![BTreeMap::new(); family.labels.len()],
            reserved: family.closed_rows().into_iter().collect(),
        }
    }

    /// The values that hold a place are those of a series, and those that are pinned.
    fn settle_places(&mut self) {
        for (l, label) in self.family.labels.iter().enumerate() {
            let Some(open) = label.open() else { continue };
            let mut places: BTreeSet<String> = open.pin.iter().cloned().collect();
            let values = self.series.keys().map(|row| row[l].clone());
            places.extend(values.filter(|value| value != OTHER));
            self.places[l] = places;
        }
    }
}

/// What one push did, by samples.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) accepted: u64,
    pub(crate) refused: BTreeMap<&'static str, u64>,
    pub(crate) batches: u32,
    pub(crate) without_id: u32,
    /// Batches that came before, and their samples.
    pub(crate) duplicates: (u32, u64),
    /// Number of the line from 1, its bytes, and what it may fail with.
    pub(crate) failed: Vec<(usize, std::ops::Range<usize>, Faults)>,
}

/// Why a text does not decode. One that is wrong in several ways may be reported for any of them.
pub(crate) type Faults = BTreeSet<&'static str>;

/// All that a text with a syntax error may be reported for: a reader may meet another fault first.
const ANY_FAULT: [&str; 9] = [
    "invalid_utf8",
    "syntax",
    "too_deep",
    "expected_array",
    "expected_object",
    "unsupported_version",
    "bad_id",
    "missing_m",
    "duplicate_key",
];

#[derive(Clone)]
pub(crate) struct Twin {
    pub(crate) families: Vec<FamilyState>,
    series_per_family: usize,
    /// Samples folded to `other`, by family and label.
    pub(crate) overflow: BTreeMap<(String, String), u64>,
    /// The content that each id of a batch named first.
    pub(crate) ids: BTreeMap<String, String>,
    /// What each stream of totals stood at.
    #[cfg(feature = "otlp")]
    streams: BTreeMap<String, otlp::StreamState>,
    /// Totals that added nothing.
    pub(crate) baselines: u64,
    /// When the process began.
    #[cfg(feature = "otlp")]
    began_ms: u64,
    /// Batches that were applied.
    batch: u64,
    /// Whether so much time went by that what was observed may be out of every window.
    pub(crate) waited: bool,
}

impl Twin {
    pub(crate) fn new(families: &[Family], series_per_family: usize) -> Twin {
        Twin {
            families: families.iter().map(FamilyState::new).collect(),
            series_per_family,
            overflow: BTreeMap::new(),
            ids: BTreeMap::new(),
            #[cfg(feature = "otlp")]
            streams: BTreeMap::new(),
            baselines: 0,
            #[cfg(feature = "otlp")]
            began_ms: crate::oracle::start().wall_ms(),
            batch: 0,
            waited: false,
        }
    }

    // ---- Time, and other schemas ----

    /// So much time passed that every series of an open family left, but for those in `held`, by family
    /// and labels.
    pub(crate) fn expire(&mut self, held: &[(String, Vec<String>)]) {
        let mut declared = BTreeSet::new();
        for state in &mut self.families {
            let name = state.family.name.clone();
            let is_held = |row: &Vec<String>| held.contains(&(name.clone(), row.clone()));
            if matches!(state.family.kind, Kind::Gauge(_)) || state.family.is_open() {
                state.series.retain(|row, _| is_held(row));
                state.settle_places();
            }
            declared.insert(name);
        }
        self.ids.clear();
        self.waited = true;
        // What is told about a family that is gone leaves too.
        self.overflow.retain(|(family, _), _| declared.contains(family));
    }

    /// These families are declared now.
    pub(crate) fn reload(&mut self, families: &[Family]) {
        let mut before = std::mem::take(&mut self.families);
        for family in families {
            let known = before.iter().position(|state| state.family.keeps_series_of(family));
            let state = match known {
                None => FamilyState::new(family),
                Some(at) => {
                    let mut state = before.swap_remove(at);
                    state.family = family.clone();
                    state.settle_places();
                    for (label, waiting) in family.labels.iter().zip(&mut state.waiting) {
                        if label.open().is_some_and(|open| open.admit_after == 1) {
                            waiting.clear();
                        }
                    }
                    state
                }
            };
            self.families.push(state);
        }
    }

    // ---- Both ----

    fn family(&self, name: &str) -> Option<usize> {
        self.families.iter().position(|state| state.family.name == name)
    }

    /// Applies one sample, `n` observations of `value`, or refuses it.
    fn apply(
        &mut self,
        f: usize,
        labels: &[String],
        sample: Result<(f64, u64), &'static str>,
        w: u64,
        report: &mut Report,
    ) {
        let family = &self.families[f].family;
        let checked = sample.and_then(|(value, n)| {
            let weight = if matches!(family.kind, Kind::Counter) { w as f64 } else { 1.0 };
            check_bounds(family, value * weight)?;
            Ok((value, n))
        });
        match checked {
            Err(reason) => report.refuse(reason, 1),
            Ok((value, n)) => {
                report.accepted += 1;
                self.row(f, labels, false).update(value, n * w);
            }
        }
    }

    // ---- Handles ----

    /// Creates the row of a bound handle, unless it would have to be folded. A gauge starts at 0.
    pub(crate) fn bind(&mut self, f: usize, labels: &[(String, String)]) -> Option<Vec<String>> {
        let family = &self.families[f].family;
        let sent: Vec<_> = labels
            .iter()
            .filter(|(name, _)| {
                family.labels.iter().any(|label| label.name == *name && label.served.is_none())
            })
            .cloned()
            .collect();
        let mut key = label_values(family, &sent).ok()?;
        for (label, value) in family.labels.iter().zip(&mut key) {
            let (_, given) = labels.iter().find(|(name, _)| *name == label.name)?;
            if label.served.is_some() {
                value.clone_from(given);
                if matches!(&label.policy, Policy::Closed { values, .. } if !values.contains(given))
                {
                    return None;
                }
            }
            // The host means what it says: nothing is folded or made a template for it.
            if value != given {
                return None;
            }
        }
        let mut bound = self.clone();
        let row = bound.row(f, &key, true);
        if let Value::Gauge(value @ None) = row.value {
            *value = Some(0.0);
        }
        if bound.overflow != self.overflow {
            return None;
        }
        *self = bound;
        Some(key)
    }

    /// Counts one value through a bound handle: the host may send what it likes up to 2^53.
    pub(crate) fn count(
        &mut self,
        f: usize,
        key: &[String],
        value: f64,
    ) -> Result<(), &'static str> {
        match value {
            _ if value.is_nan() => return Err("not_a_number"),
            _ if value.is_infinite() => return Err("not_finite"),
            _ if value < 0.0 => return Err("negative"),
            _ if value > 9_007_199_254_740_992.0 => return Err("too_large"),
            _ => {}
        }
        self.row(f, key, true).update(value, 1);
        Ok(())
    }

    /// Sets a gauge through a bound handle.
    pub(crate) fn set(&mut self, f: usize, key: &[String], value: f64) {
        *self.row(f, key, true).value = Value::Gauge(Some(value));
    }

    // ---- All ----

    /// The row that a sample with these labels belongs to, after every limit. What the host sends waits
    /// for nothing.
    fn row(&mut self, f: usize, labels: &[String], from_host: bool) -> RowMut<'_> {
        let Twin { families, series_per_family, overflow, batch, .. } = self;
        let FamilyState { family, series, places, waiting, reserved } = &mut families[f];
        let mut key = labels.to_vec();
        let mut folded = BTreeSet::new();
        let mut new_places = Vec::new();
        for (l, label) in family.labels.iter().enumerate() {
            let Some(open) = label.open() else {
                continue;
            };
            if key[l] == OTHER || places[l].contains(&key[l]) {
                continue;
            }
            let mut has_place = places[l].len() < open.max_values;
            if has_place && open.admit_after > 1 && !from_host {
                let came = waiting[l].entry(key[l].clone()).or_default();
                came.insert(*batch);
                has_place = came.len() >= open.admit_after;
            }
            if has_place {
                new_places.push((l, key[l].clone()));
            } else {
                key[l] = OTHER.to_owned();
                folded.insert(l);
            }
        }
        let created = series.keys().filter(|row| !reserved.contains(*row)).count();
        let is_new = !series.contains_key(&key) && !reserved.contains(&key);
        if is_new && reserved.len() + created >= *series_per_family {
            for (l, label) in family.labels.iter().enumerate() {
                if label.open().is_some() && key[l] != OTHER {
                    key[l] = OTHER.to_owned();
                    folded.insert(l);
                }
            }
        } else {
            for (l, value) in new_places {
                if !from_host {
                    waiting[l].remove(&value);
                }
                places[l].insert(value);
            }
        }
        for l in folded {
            let label = family.labels[l].name.clone();
            *overflow.entry((family.name.clone(), label)).or_default() += 1;
        }
        let value = series.entry(key).or_insert_with(|| family.zero());
        RowMut { kind: &family.kind, value }
    }
}

/// A series about to be changed.
struct RowMut<'a> {
    kind: &'a Kind,
    value: &'a mut Value,
}

impl RowMut<'_> {
    /// Adds what a client counted into buckets itself, by their upper edges.
    fn update_counted(self, total: f64, counted: &[(f64, u64)], max: f64) {
        let (kind, Value::Histogram { buckets, sum, native }) = (self.kind, self.value) else {
            unreachable!("a value has its family's type")
        };
        sum.add(total, 1);
        for &(edge, n) in counted.iter().filter(|(_, n)| *n > 0) {
            let above = kind.bounds().iter().filter(|&&bound| edge > bound).count();
            buckets[above] += n;
            if let Some(native) = native {
                native.observe(edge.min(max), n);
            }
        }
    }

    /// Applies `value`, `times` over.
    fn update(self, value: f64, times: u64) {
        match (self.kind, self.value) {
            (Kind::Gauge(combine), Value::Gauge(now)) => {
                *now = Some(match (combine, *now) {
                    (Combine::Last, _) | (_, None) => value,
                    (Combine::Min, Some(before)) => before.min(value),
                    (Combine::Max, Some(before)) => before.max(value),
                });
            }
            (kind, Value::Histogram { buckets, sum, native }) => {
                let above = kind.bounds().iter().filter(|&&bound| value > bound).count();
                buckets[above] += times;
                sum.add(value, times);
                if let Some(native) = native {
                    native.observe(value, times);
                }
            }
            (_, Value::Counter(sum)) => sum.add(value, times),
            _ => unreachable!("a value has its family's type"),
        }
    }
}

impl Report {
    fn refuse(&mut self, reason: &'static str, n_samples: usize) {
        if n_samples > 0 {
            *self.refused.entry(reason).or_default() += n_samples as u64;
        }
    }
}
