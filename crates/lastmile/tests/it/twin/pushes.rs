//! What the two formats say.

use std::collections::BTreeMap;

use super::declared::{Kind, label_values};
use super::{ANY_FAULT, Faults, Report, Twin};
use crate::json::{self, Json, JsonFault};

impl Twin {
    // ---- `POST /record`: an array of entries ----

    pub(crate) fn push_record(&mut self, body: &[u8]) -> Result<Report, Faults> {
        let text = String::from_utf8_lossy(body);
        let mut faults = utf8_faults(body);
        match json::read(&text) {
            Ok(Json::Array(entries)) if faults.is_empty() => {
                self.batch += 1;
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
        self.batch += 1;
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
}

pub(super) fn utf8_faults(text: &[u8]) -> Faults {
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
pub(super) fn split_key(key: &str) -> Option<(String, Vec<(String, String)>)> {
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

pub(super) fn number(json: Option<&Json<'_>>) -> Result<f64, &'static str> {
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

fn is_id(id: &str) -> bool {
    (16..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}
