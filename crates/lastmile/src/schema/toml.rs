//! Families and limits as TOML, read from the parsed document itself rather than into structs, so that
//! every mistake is reported at once and each with its line.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::family::{Combine, Family, Kind};
use super::label::{Label, OTHER, Otherwise};
use super::{Lines, SchemaBuilder};
use crate::error::Fault;

/// Adds a file's families and limits, and its mistakes.
pub(super) fn read(file: &str, text: &str, other_keys: &[&str], into: &mut SchemaBuilder) {
    let mut reader = Reader { lines: Lines::new(file, text), family: String::new(), into };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        reader.fault(error.span().unwrap_or_default(), "", error.message());
    }
    // What was made of broken text is a guess, and so would be any fault found in it.
    if !errors.is_empty() {
        return;
    }
    for (key, value) in document.get_ref() {
        match key.get_ref().as_ref() {
            "family" => reader.families(value),
            "limits" => reader.limits(value),
            other if other_keys.contains(&other) => {}
            other => reader.fault(key.span(), other, "is not a key of a schema file"),
        }
    }
}

type Value<'i> = Spanned<DeValue<'i>>;

struct Reader<'a> {
    lines: Lines<'a>,
    /// The family being read.
    family: String,
    into: &'a mut SchemaBuilder,
}

impl Reader<'_> {
    fn fault(&mut self, at: Range<usize>, field: &str, why: impl Into<String>) {
        self.into.faults.push(Fault {
            place: self.lines.place(at.start),
            family: self.family.clone(),
            field: field.to_owned(),
            why: why.into(),
        });
    }

    fn families(&mut self, value: &Value<'_>) {
        let Some(tables) = value.get_ref().as_array() else {
            return self.fault(value.span(), "family", "must be written [[family]]");
        };
        for table in tables.iter() {
            match table.get_ref().as_table() {
                Some(fields) => self.family(table.span(), fields),
                None => self.fault(table.span(), "family", "must be written [[family]]"),
            }
        }
    }

    fn family(&mut self, at: Range<usize>, fields: &DeTable<'_>) {
        let text_of = |name: &str| fields.get(name).and_then(|v| v.get_ref().as_str());
        self.family = text_of("name").unwrap_or_default().to_owned();
        let kind = match text_of("type") {
            Some("counter") => Some(Kind::Counter),
            Some("gauge") => Some(Kind::Gauge),
            Some("histogram") => Some(Kind::Histogram),
            Some("summary") => Some(Kind::Summary),
            _ => None,
        };
        let mut family = match kind {
            Some(Kind::Gauge) => Family::gauge(self.family.clone()),
            Some(Kind::Histogram) => Family::histogram(self.family.clone(), []),
            Some(Kind::Summary) => Family::summary(self.family.clone()),
            _ => Family::counter(self.family.clone()),
        };
        family.place = self.lines.place(fields.get("name").map_or(at.start, |v| v.span().start));
        for required in ["name", "type"] {
            if !fields.contains_key(required) {
                self.fault(at.clone(), required, "is missing");
            }
        }
        for (key, value) in fields {
            let field = key.get_ref().as_ref();
            match field {
                "name" => drop(self.text(field, value)),
                "type" => {
                    if let Some(other) = self.text(field, value)
                        && kind.is_none()
                    {
                        self.fault(
                            value.span(),
                            field,
                            format!("`{other}` is not counter, gauge, histogram or summary"),
                        );
                    }
                }
                "help" => family.help = self.text(field, value).unwrap_or_default(),
                "unit" => family.unit = self.text(field, value),
                "labels" => family.labels = self.list(field, value, Self::label),
                "bounds" => {
                    family.bounds = self.list(field, value, |reader, v| reader.number(field, v));
                    if let Some(kind) = kind.filter(|k| *k != Kind::Histogram) {
                        self.fault(
                            key.span(),
                            field,
                            format!("is for histograms; this is a {kind}"),
                        );
                    }
                }
                "min" => family.min = self.number(field, value),
                "max" => family.max = self.number(field, value),
                "resolution" => family.resolution = self.number(field, value),
                "combine" => {
                    family.combine = match self.text(field, value).as_deref() {
                        Some("last") => Some(Combine::Last),
                        Some("min") => Some(Combine::Min),
                        Some("max") => Some(Combine::Max),
                        Some(other) => {
                            self.fault(
                                value.span(),
                                field,
                                format!("`{other}` is not last, min or max"),
                            );
                            None
                        }
                        None => None,
                    }
                }
                "ttl" => family.ttl = self.duration(field, value),
                other => self.fault(key.span(), other, "is not a field of a family"),
            }
        }
        if !self.family.is_empty() && kind.is_some() {
            self.into.families.push(family);
        }
        self.family.clear();
    }

    fn label(&mut self, value: &Value<'_>) -> Option<Label> {
        let Some(fields) = value.get_ref().as_table() else {
            self.fault(value.span(), "labels", "a label is written { name = \"…\", values = […] }");
            return None;
        };
        let (mut name, mut values, mut max_values) = (None, None, None);
        let (mut otherwise, mut max_bytes) = (None, None);
        for (key, value) in fields {
            let key_name = key.get_ref().as_ref();
            let field = format!("labels.{key_name}");
            match key_name {
                "name" => name = self.text(&field, value),
                "values" => values = Some(self.list(&field, value, |r, v| r.text(&field, v))),
                "max_values" => max_values = self.whole(&field, value),
                "max_bytes" => max_bytes = self.whole(&field, value),
                "otherwise" => {
                    otherwise = match self.text(&field, value).as_deref() {
                        Some(OTHER) => Some(Otherwise::Other),
                        Some("refuse") => Some(Otherwise::Refuse),
                        Some(what) => {
                            self.fault(
                                value.span(),
                                &field,
                                format!("`{what}` is not other or refuse"),
                            );
                            None
                        }
                        None => None,
                    }
                }
                _ => self.fault(key.span(), &field, "is not a field of a label"),
            }
        }
        let Some(name) = name else {
            self.fault(value.span(), "labels.name", "is missing");
            return None;
        };
        let label = match (values, max_values) {
            (Some(values), None) => {
                if max_bytes.is_some() {
                    self.fault(value.span(), "labels.max_bytes", "is for labels with max_values");
                }
                Label::closed(name, values).otherwise(otherwise.unwrap_or(Otherwise::Other))
            }
            (None, Some(max_values)) => {
                if otherwise.is_some() {
                    self.fault(value.span(), "labels.otherwise", "is for labels with values");
                }
                let label = Label::open(name, u32::try_from(max_values).unwrap_or(u32::MAX));
                match max_bytes {
                    Some(bytes) => label.max_bytes(usize::try_from(bytes).unwrap_or(usize::MAX)),
                    None => label,
                }
            }
            _ => {
                self.fault(
                    value.span(),
                    &format!("labels.{name}"),
                    "needs either `values`, a closed set, or `max_values`, the size of an open one",
                );
                return None;
            }
        };
        Some(label)
    }

    fn limits(&mut self, value: &Value<'_>) {
        let Some(fields) = value.get_ref().as_table() else {
            return self.fault(value.span(), "limits", "must be written [limits]");
        };
        for (key, value) in fields {
            let key_name = key.get_ref().as_ref();
            let field = format!("limits.{key_name}");
            let limits = self.into.limits.clone();
            match key_name {
                "bytes" => {
                    if let Some(bytes) = self.bytes(&field, value) {
                        self.into.limits = limits.bytes(bytes);
                    }
                }
                "ids_bytes" => {
                    if let Some(bytes) = self.bytes(&field, value) {
                        self.into.limits = limits.ids_bytes(bytes);
                    }
                }
                "series_per_family" => {
                    if let Some(n) = self.whole(&field, value) {
                        self.into.limits =
                            limits.series_per_family(u32::try_from(n).unwrap_or(u32::MAX));
                    }
                }
                _ => self.fault(key.span(), &field, "is not a limit"),
            }
        }
    }

    fn text(&mut self, field: &str, value: &Value<'_>) -> Option<String> {
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.fault(
                value.span(),
                field,
                format!("must be text, not {}", value.get_ref().type_str()),
            );
        }
        text
    }

    fn number(&mut self, field: &str, value: &Value<'_>) -> Option<f64> {
        let number = match value.get_ref() {
            DeValue::Float(v) => v.as_str().parse().ok(),
            DeValue::Integer(v) => {
                i64::from_str_radix(v.as_str(), v.radix()).ok().map(|v| v as f64)
            }
            _ => None,
        };
        if number.is_none() {
            self.fault(
                value.span(),
                field,
                format!("must be a number, not {}", value.get_ref().type_str()),
            );
        }
        number
    }

    fn whole(&mut self, field: &str, value: &Value<'_>) -> Option<u64> {
        let number = match value.get_ref() {
            DeValue::Integer(v) => u64::from_str_radix(v.as_str(), v.radix()).ok(),
            _ => None,
        };
        if number.is_none() {
            self.fault(value.span(), field, "must be a whole number, 0 or more");
        }
        number
    }

    fn list<T>(
        &mut self,
        field: &str,
        value: &Value<'_>,
        mut element: impl FnMut(&mut Self, &Value<'_>) -> Option<T>,
    ) -> Vec<T> {
        let Some(values) = value.get_ref().as_array() else {
            self.fault(
                value.span(),
                field,
                format!("must be a list, not {}", value.get_ref().type_str()),
            );
            return Vec::new();
        };
        values.iter().filter_map(|v| element(self, v)).collect()
    }

    /// `64MiB`, or a number of bytes.
    fn bytes(&mut self, field: &str, value: &Value<'_>) -> Option<u64> {
        const UNITS: [(&str, u64); 4] =
            [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];
        let bytes = match value.get_ref() {
            DeValue::String(text) => with_unit(text, &UNITS),
            _ => return self.whole(field, value),
        };
        if bytes.is_none() {
            self.fault(value.span(), field, "must be bytes, as 64MiB, 512KiB or a whole number");
        }
        bytes
    }

    /// `5m`, `90s`, `500ms`, `2h`.
    fn duration(&mut self, field: &str, value: &Value<'_>) -> Option<Duration> {
        const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
        let ms = value.get_ref().as_str().and_then(|text| with_unit(text, &UNITS));
        if ms.is_none() {
            self.fault(value.span(), field, "must be a duration, as 500ms, 90s, 5m or 2h");
        }
        ms.map(Duration::from_millis)
    }
}

/// A whole number and its unit.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}
