//! The naive twin: what a push means, written for the reader and for nothing else. It reads with
//! `serde_json`, keeps a `BTreeMap`, and shares no code with the crate.

use std::collections::{BTreeMap, BTreeSet};

use crate::exact::Exact;
use crate::json::{self, Json, JsonFault};

// ---- What is declared ----

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Combine {
    Last,
    Min,
    Max,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Counter,
    Gauge(Combine),
    /// With its bounds.
    Histogram(Vec<f64>),
    /// Its `_count` and `_sum`; the quantiles have laws of their own.
    Summary,
}

impl Kind {
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge(_) => "gauge",
            Kind::Histogram(_) => "histogram",
            Kind::Summary => "summary",
        }
    }

    /// Whether it takes observations, which come as lists.
    pub(crate) fn is_observed(&self) -> bool {
        matches!(self, Kind::Histogram(_) | Kind::Summary)
    }

    fn bounds(&self) -> &[f64] {
        match self {
            Kind::Histogram(bounds) => bounds,
            _ => &[],
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Policy {
    /// A closed set; whether an unlisted value is refused.
    Closed {
        values: Vec<String>,
        refuse: bool,
    },
    Open {
        max_values: usize,
        max_bytes: usize,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub(crate) name: String,
    pub(crate) policy: Policy,
}

#[derive(Clone, Debug)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) labels: Vec<Label>,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Family {
    pub(crate) fn is_open(&self) -> bool {
        self.labels.iter().any(|label| matches!(label.policy, Policy::Open { .. }))
    }

    /// Every combination of closed values, `other` for every open label; first label slowest.
    pub(crate) fn closed_rows(&self) -> Vec<Vec<String>> {
        let mut rows = vec![Vec::new()];
        for label in &self.labels {
            let mut values = match &label.policy {
                Policy::Closed { values, .. } => values.clone(),
                Policy::Open { .. } => vec![],
            };
            let other_is_possible = !matches!(label.policy, Policy::Closed { refuse: true, .. });
            if other_is_possible && !values.contains(&OTHER.to_owned()) {
                values.push(OTHER.to_owned());
            }
            rows = rows
                .iter()
                .flat_map(|row| {
                    values.iter().map(|v| [row.as_slice(), std::slice::from_ref(v)].concat())
                })
                .collect();
        }
        rows
    }
}

const OTHER: &str = "other";

// ---- What is kept ----

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Counter(Exact),
    /// Nothing until it is set.
    Gauge(Option<f64>),
    /// Per bucket, not cumulated; the last is above every bound. Of a summary, that one alone.
    Histogram {
        buckets: Vec<u64>,
        sum: Exact,
    },
}

/// One family and its series by label values, in declared order of labels.
#[derive(Clone, Debug)]
pub(crate) struct FamilyState {
    pub(crate) family: Family,
    pub(crate) series: BTreeMap<Vec<String>, Value>,
    /// For each label, the open values that hold a place.
    places: Vec<BTreeSet<String>>,
    reserved: BTreeSet<Vec<String>>,
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
    ids: BTreeMap<String, String>,
}

impl Twin {
    pub(crate) fn new(families: &[Family], series_per_family: usize) -> Twin {
        let state = |family: &Family| FamilyState {
            family: family.clone(),
            series: match family.kind {
                Kind::Gauge(_) => BTreeMap::new(),
                _ if family.is_open() => BTreeMap::new(),
                _ => family.closed_rows().into_iter().map(|row| (row, family.zero())).collect(),
            },
            places: vec![BTreeSet::new(); family.labels.len()],
            reserved: family.closed_rows().into_iter().collect(),
        };
        Twin {
            families: families.iter().map(state).collect(),
            series_per_family,
            overflow: BTreeMap::new(),
            ids: BTreeMap::new(),
        }
    }

    // ---- `POST /record`: an array of entries ----

    pub(crate) fn push_record(&mut self, body: &[u8]) -> Result<Report, Faults> {
        let text = String::from_utf8_lossy(body);
        let mut faults = utf8_faults(body);
        match json::read(&text) {
            Ok(Json::Array(entries)) if faults.is_empty() => {
                let mut report = Report { batches: 1, ..Report::default() };
                entries.iter().for_each(|entry| self.record_entry(entry, &mut report));
                return Ok(report);
            }
            Ok(Json::Array(_)) => {}
            Ok(_) => drop(faults.insert("expected_array")),
            Err(JsonFault::TooDeep) => {
                faults.insert("too_deep");
                if !text.trim_ascii_start().starts_with('[') {
                    faults.insert("expected_array");
                }
            }
            Err(JsonFault::Syntax) => faults.extend(ANY_FAULT),
        }
        Err(faults)
    }

    fn record_entry(&mut self, entry: &Json<'_>, report: &mut Report) {
        let Json::Object(fields) = entry else {
            return report.refuse("malformed", 1);
        };
        let field = |key| fields.iter().rev().find(|(name, _)| name == key).map(|(_, json)| json);
        let name = match field("metricName") {
            Some(Json::String(name)) => Some(name.as_str()),
            _ => None,
        };
        let observations = match field("observations") {
            Some(Json::Array(items)) => Some(items),
            _ => None,
        };
        let family = name.and_then(|name| self.family(name));
        let is_observed = family.map(|f| self.families[f].family.kind.is_observed());
        let samples: Vec<Option<&Json<'_>>> = match (is_observed, observations) {
            (Some(false), _) => vec![field("inc")],
            (Some(true), Some(items)) => items.iter().map(Some).collect(),
            (None, Some(items)) if !items.is_empty() => items.iter().map(Some).collect(),
            _ => vec![None],
        };
        let target = || {
            let labels = record_labels(field("labels")).filter(|_| name.is_some());
            let labels = labels.ok_or("malformed")?;
            let f = family.ok_or("unknown_family")?;
            let declared = self.families[f].family.kind.as_str();
            match field("metricType") {
                None => {}
                Some(Json::String(sent)) if sent == declared => {}
                Some(_) => return Err("type_mismatch"),
            }
            Ok((f, label_values(&self.families[f].family, &labels)?))
        };
        match target() {
            Err(reason) => report.refuse(reason, samples.len()),
            Ok((f, labels)) => {
                for json in samples {
                    let sample = number(json).map(|value| (value, 1));
                    self.apply(f, &labels, sample, 1, report);
                }
            }
        }
    }

    // ---- `POST /lm`: one batch a line ----

    pub(crate) fn push_lm1(&mut self, body: &[u8]) -> Result<Report, Faults> {
        let mut report = Report::default();
        let mut start = 0;
        let mut lines = Vec::new();
        for (line_idx, line) in body.split(|&byte| byte == b'\n').enumerate() {
            if !line.iter().all(|byte| b" \t\r".contains(byte)) {
                lines.push((line_idx + 1, start, line));
            }
            start += line.len() + 1;
        }
        match lines.len() {
            0 => return Err(["empty"].into()),
            1..=16 => {}
            _ => return Err(["too_many_lines"].into()),
        }
        for (number, start, line) in lines {
            if let Err(faults) = self.lm1_line(line, &mut report) {
                report.failed.push((number, start..start + line.len(), faults));
            }
        }
        match report.failed.first() {
            Some((_, _, faults)) if report.batches == 0 => Err(faults.clone()),
            _ => Ok(report),
        }
    }

    fn lm1_line(&mut self, line: &[u8], report: &mut Report) -> Result<(), Faults> {
        let text = String::from_utf8_lossy(line);
        let mut faults = utf8_faults(line);
        let fields = match json::read(&text) {
            Ok(Json::Object(fields)) => fields,
            Ok(_) => {
                faults.insert("expected_object");
                return Err(faults);
            }
            Err(_) => return Err(ANY_FAULT.into()),
        };
        let all = |key: &'static str| {
            fields.iter().filter(move |(name, _)| name == key).map(|(_, json)| json)
        };
        if ["lm", "id", "w", "m"].into_iter().any(|key| all(key).count() > 1) {
            faults.insert("duplicate_key");
        }
        if all("lm").count() == 0 || all("lm").any(|lm| number(Some(lm)) != Ok(1.0)) {
            faults.insert("unsupported_version");
        }
        if all("id").any(|id| !matches!(id, Json::String(id) if is_id(id))) {
            faults.insert("bad_id");
        }
        if all("m").count() == 0 || all("m").any(|m| !matches!(m, Json::Object(_))) {
            faults.insert("missing_m");
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        report.batches += 1;
        report.without_id += u32::from(all("id").count() == 0);
        if let Some(Json::String(id)) = all("id").next() {
            let content = text.trim_matches([' ', '\t', '\r']).to_owned();
            match self.ids.get(&id.to_string()).cloned() {
                None => drop(self.ids.insert(id.to_string(), content)),
                Some(known) => {
                    // How many samples it has shows in what it would have done.
                    let mut aside = Report::default();
                    self.clone().lm1_entries(&fields, &mut aside);
                    let n = aside.accepted + aside.refused.values().sum::<u64>();
                    if known == content {
                        report.duplicates.0 += 1;
                        report.duplicates.1 += n;
                    } else if n > 0 {
                        *report.refused.entry("id_conflict").or_default() += n;
                    }
                    return Ok(());
                }
            }
        }
        self.lm1_entries(&fields, report);
        Ok(())
    }

    fn lm1_entries(&mut self, fields: &[(String, Json<'_>)], report: &mut Report) {
        let all = |key: &'static str| {
            fields.iter().filter(move |(name, _)| name == key).map(|(_, json)| json)
        };
        let w = match all("w").next() {
            None => Some(1),
            Some(json) => integer(json, 1000),
        };
        let Some(Json::Object(entries)) = all("m").next() else { unreachable!("checked above") };
        for (key, json) in entries {
            self.lm1_entry(key, json, w, report);
        }
    }

    fn lm1_entry(&mut self, key: &str, json: &Json<'_>, w: Option<u64>, report: &mut Report) {
        let samples: Vec<&Json<'_>> = match json {
            Json::Array(items) => items.iter().collect(),
            single => vec![single],
        };
        let target = || {
            let (name, labels) = split_key(key).ok_or("malformed")?;
            let f = self.family(&name).ok_or("unknown_family")?;
            let family = &self.families[f].family;
            match (&family.kind, json) {
                (Kind::Histogram(_) | Kind::Summary, Json::Number(_)) => {
                    return Err("type_mismatch");
                }
                (Kind::Counter | Kind::Gauge(_), Json::Array(_)) => return Err("type_mismatch"),
                _ => {}
            }
            Ok((f, label_values(family, &labels)?))
        };
        let target = target();
        // An empty array is no sample of a good series, and one of a bad one.
        let n_samples = samples.len().max(usize::from(target.is_err()));
        let Some(w) = w else {
            return report.refuse("bad_weight", n_samples);
        };
        match target {
            Err(reason) => report.refuse(reason, n_samples),
            Ok((f, labels)) => {
                for sample in samples {
                    let sample = match sample {
                        Json::Array(pair) => weighted(pair),
                        single => number(Some(single)).map(|value| (value, 1)),
                    };
                    self.apply(f, &labels, sample, w, report);
                }
            }
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
                self.row(f, labels).update(value, n * w);
            }
        }
    }

    // ---- Handles ----

    /// Creates the row of a bound handle, unless it would have to be folded. A gauge starts at 0.
    pub(crate) fn bind(&mut self, f: usize, labels: &[(String, String)]) -> Option<Vec<String>> {
        let key = label_values(&self.families[f].family, labels).ok()?;
        let mut bound = self.clone();
        let row = bound.row(f, &key);
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
        self.row(f, key).update(value, 1);
        Ok(())
    }

    /// Sets a gauge through a bound handle.
    pub(crate) fn set(&mut self, f: usize, key: &[String], value: f64) {
        *self.row(f, key).value = Value::Gauge(Some(value));
    }

    // ---- All ----

    /// The row that a sample with these labels belongs to, after every limit.
    fn row(&mut self, f: usize, labels: &[String]) -> RowMut<'_> {
        let Twin { ids: _, families, series_per_family, overflow } = self;
        let FamilyState { family, series, places, reserved } = &mut families[f];
        let mut key = labels.to_vec();
        let mut folded = BTreeSet::new();
        let mut new_places = Vec::new();
        for (l, label) in family.labels.iter().enumerate() {
            let Policy::Open { max_values, .. } = label.policy else {
                continue;
            };
            if key[l] == OTHER || places[l].contains(&key[l]) {
                continue;
            }
            if places[l].len() < max_values {
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
                if matches!(label.policy, Policy::Open { .. }) && key[l] != OTHER {
                    key[l] = OTHER.to_owned();
                    folded.insert(l);
                }
            }
        } else {
            for (l, value) in new_places {
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
            (kind, Value::Histogram { buckets, sum }) => {
                let above = kind.bounds().iter().filter(|&&bound| value > bound).count();
                buckets[above] += times;
                sum.add(value, times);
            }
            (_, Value::Counter(sum)) => sum.add(value, times),
            _ => unreachable!("a value has its family's type"),
        }
    }
}

impl Family {
    fn zero(&self) -> Value {
        match &self.kind {
            Kind::Counter => Value::Counter(Exact::default()),
            Kind::Gauge(_) => Value::Gauge(None),
            kind @ (Kind::Histogram(_) | Kind::Summary) => {
                let buckets = vec![0; kind.bounds().len() + 1];
                Value::Histogram { buckets, sum: Exact::default() }
            }
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

fn utf8_faults(text: &[u8]) -> Faults {
    std::str::from_utf8(text).err().map(|_| "invalid_utf8").into_iter().collect()
}

/// The labels of a `/record` entry, or `None` if they are malformed.
fn record_labels(json: Option<&Json<'_>>) -> Option<Vec<(String, String)>> {
    let pairs = match json {
        None => return Some(vec![]),
        Some(Json::Array(items)) if items.is_empty() => return Some(vec![]),
        Some(Json::Object(pairs)) => pairs,
        Some(_) => return None,
    };
    let last: BTreeMap<_, _> = pairs.iter().map(|(name, json)| (name, json)).collect();
    let label = |(name, json): (&String, &Json<'_>)| match json {
        Json::String(value) => Some((name.clone(), value.clone())),
        Json::Number(text) | Json::Bool(text) => Some((name.clone(), (*text).to_owned())),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    };
    last.into_iter().map(label).collect()
}

/// An `lm1` key: `name;label=value;…`, percent-encoded; `None` if it is malformed.
fn split_key(key: &str) -> Option<(String, Vec<(String, String)>)> {
    let mut parts = key.split(';');
    let name = percent_decode(parts.next()?)?;
    let mut labels: Vec<(String, String)> = Vec::new();
    for part in parts {
        let (label, value) = part.split_once('=')?;
        let (label, value) = (percent_decode(label)?, percent_decode(value)?);
        if label.is_empty() || labels.iter().any(|(seen, _)| *seen == label) {
            return None;
        }
        labels.push((label, value));
    }
    (!name.is_empty()).then_some((name, labels))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

/// The values of the declared labels, in declared order, as the policies leave them.
fn label_values(family: &Family, sent: &[(String, String)]) -> Result<Vec<String>, &'static str> {
    let declared = |name: &String| family.labels.iter().any(|label| label.name == *name);
    if !sent.iter().all(|(name, _)| declared(name)) {
        return Err("unknown_label");
    }
    let value = |label: &Label| sent.iter().find(|(name, _)| *name == label.name);
    let values: Option<Vec<&(String, String)>> = family.labels.iter().map(value).collect();
    let labels = family.labels.iter().zip(values.ok_or("missing_label")?);
    for (label, (_, value)) in labels.clone() {
        if matches!(label.policy, Policy::Open { max_bytes, .. } if value.len() > max_bytes) {
            return Err("label_too_long");
        }
    }
    labels
        .map(|(label, (_, value))| match &label.policy {
            Policy::Closed { values, .. } if values.contains(value) => Ok(value.clone()),
            Policy::Closed { refuse: true, .. } => Err("label_value"),
            Policy::Closed { refuse: false, .. } => Ok(OTHER.to_owned()),
            Policy::Open { .. } => Ok(value.clone()),
        })
        .collect()
}

fn number(json: Option<&Json<'_>>) -> Result<f64, &'static str> {
    let Some(Json::Number(text)) = json else {
        return Err("not_a_number");
    };
    let value: f64 = text.parse().expect("every JSON number is a Rust float");
    if value.is_finite() { Ok(value) } else { Err("not_finite") }
}

/// A whole number from 1 to `max`.
fn integer(json: &Json<'_>, max: u64) -> Option<u64> {
    let value = number(Some(json)).ok()?;
    (value.fract() == 0.0 && (1.0..=max as f64).contains(&value)).then_some(value as u64)
}

/// `[v,n]`: `n` observations of `v`.
fn weighted(pair: &[Json<'_>]) -> Result<(f64, u64), &'static str> {
    let [value @ Json::Number(_), n] = pair else {
        return Err("not_a_number");
    };
    let n = integer(n, 10_000).ok_or("bad_count")?;
    Ok((number(Some(value))?, n))
}

fn check_bounds(family: &Family, value: f64) -> Result<(), &'static str> {
    if value < family.min {
        return Err(if value < 0.0 { "negative" } else { "too_small" });
    }
    if value > family.max { Err("too_large") } else { Ok(()) }
}

fn is_id(id: &str) -> bool {
    (16..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}
