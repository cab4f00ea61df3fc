//! Families and limits as TOML, read from the parsed document itself rather than into structs, so that
//! every mistake is reported at once and each with its line.

#[cfg(feature = "mapping")]
mod mapping;

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::family::{Combine, Family, Kind};
use super::label::{AdmitBy, Label, OTHER, Otherwise, ValueFrom};
use super::native::Native;
use super::{Lines, SchemaBuilder};
use crate::error::Fault;
use crate::value::native::{SCHEMA_MAX, SCHEMA_MIN};

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
            #[cfg(feature = "mapping")]
            "mapping" => reader.mappings(value),
            #[cfg(feature = "faro")]
            "faro" => reader.faro(value),
            other if other_keys.contains(&other) => {}
            // A caller with keys of its own has a file for more than the schema.
            other if other_keys.is_empty() => {
                reader.fault(key.span(), other, "is not a key of a schema file");
            }
            other => reader.fault(key.span(), other, "is not a key of this file"),
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
                "native" => family.native = Some(self.native(value)),
                "min" => family.min = self.number(field, value),
                "max" => family.max = self.number(field, value),
                "resolution" => family.resolution = self.number(field, value),
                "combine" => {
                    const WORDS: [(&str, Combine); 3] =
                        [("last", Combine::Last), ("min", Combine::Min), ("max", Combine::Max)];
                    family.combine = self.one_of(field, value, &WORDS);
                }
                "ttl" => family.ttl = self.duration(field, value),
                "otel" => family.otel = self.text(field, value),
                "host_only" => family.host_only = self.boolean(field, value).unwrap_or(false),
                other => self.fault(key.span(), other, "is not a field of a family"),
            }
        }
        if text_of("name").is_some() && kind.is_some() {
            self.into.families.push(family);
        }
        self.family.clear();
    }

    /// Some resolution even if none can be read, so that one mistake is not reported as two.
    fn native(&mut self, value: &Value<'_>) -> Native {
        let mut native = Native::new(0);
        let Some(fields) = value.get_ref().as_table() else {
            let why = "is written { schema = 3, max_buckets = 160 }";
            self.fault(value.span(), "native", why);
            return native;
        };
        if !fields.contains_key("schema") {
            self.fault(value.span(), "native.schema", "is missing");
        }
        for (key, value) in fields {
            match key.get_ref().as_ref() {
                "schema" => {
                    let number = match value.get_ref() {
                        DeValue::Integer(v) => i8::from_str_radix(v.as_str(), v.radix()).ok(),
                        _ => None,
                    };
                    match number {
                        Some(schema) => native.schema = schema,
                        None => {
                            let why =
                                format!("must be a whole number, {SCHEMA_MIN} to {SCHEMA_MAX}");
                            self.fault(value.span(), "native.schema", why);
                        }
                    }
                }
                "max_buckets" => {
                    if let Some(n) = self.count("native.max_buckets", value) {
                        native.max_buckets = n;
                    }
                }
                other => {
                    let field = format!("native.{other}");
                    self.fault(key.span(), &field, "is not a field of native buckets");
                }
            }
        }
        native
    }

    fn label(&mut self, value: &Value<'_>) -> Option<Label> {
        let Some(fields) = value.get_ref().as_table() else {
            self.fault(value.span(), "labels", "a label is written { name = \"…\", values = […] }");
            return None;
        };
        let mut given = Given::default();
        for (key, value) in fields {
            let key_name = key.get_ref().as_ref();
            let field = format!("labels.{key_name}");
            match key_name {
                "name" => given.name = self.text(&field, value),
                "values" => given.values = Some(self.list(&field, value, |r, v| r.text(&field, v))),
                "max_values" => given.max_values = self.count(&field, value),
                "max_bytes" => given.max_bytes = self.whole(&field, value),
                "pin" => given.pin = Some(self.list(&field, value, |r, v| r.text(&field, v))),
                "admit_after" => given.admit_after = self.count(&field, value),
                "admit_by" => {
                    const WORDS: [(&str, AdmitBy); 2] =
                        [("batch", AdmitBy::Batch), ("source", AdmitBy::Source)];
                    given.admit_by = self.one_of(&field, value, &WORDS);
                }
                "pattern" => given.pattern = self.text(&field, value),
                "template" => given.template = self.boolean(&field, value),
                "from" => given.from = self.value_from(&field, value),
                "otherwise" => {
                    const WORDS: [(&str, Otherwise); 2] =
                        [(OTHER, Otherwise::Other), ("refuse", Otherwise::Refuse)];
                    given.otherwise = self.one_of(&field, value, &WORDS);
                }
                _ => self.fault(key.span(), &field, "is not a field of a label"),
            }
        }
        let mut fault = |field: &str, why: &str| self.fault(value.span(), field, why);
        given.into_label(&mut fault)
    }

    /// `header:NAME`, `origin`, `key` or `const:VALUE`.
    fn value_from(&mut self, field: &str, value: &Value<'_>) -> Option<ValueFrom> {
        let text = self.text(field, value)?;
        let from = match (text.as_str(), text.split_once(':')) {
            ("origin", _) => Some(ValueFrom::Origin),
            ("key", _) => Some(ValueFrom::Key),
            (_, Some(("header", name))) => Some(ValueFrom::Header(name.to_owned())),
            (_, Some(("const", value))) => Some(ValueFrom::Const(value.to_owned())),
            _ => None,
        };
        if from.is_none() {
            let why = format!("`{text}` is not header:NAME, origin, key or const:VALUE");
            self.fault(value.span(), field, why);
        }
        from
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
                "streams_bytes" => {
                    if let Some(bytes) = self.bytes(&field, value) {
                        self.into.limits = limits.streams_bytes(bytes);
                    }
                }
                "series_per_family" => {
                    if let Some(n) = self.count(&field, value) {
                        self.into.limits = limits.series_per_family(n);
                    }
                }
                "new_series_per_second" => {
                    if let Some(n) = self.count(&field, value) {
                        self.into.limits = limits.new_series_per_second(n);
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

    /// A whole number that nobody needs larger than `u32` can say.
    fn count(&mut self, field: &str, value: &Value<'_>) -> Option<u32> {
        self.whole(field, value).map(|n| u32::try_from(n).unwrap_or(u32::MAX))
    }

    fn boolean(&mut self, field: &str, value: &Value<'_>) -> Option<bool> {
        let given = value.get_ref().as_bool();
        if given.is_none() {
            let why = format!("must be true or false, not {}", value.get_ref().type_str());
            self.fault(value.span(), field, why);
        }
        given
    }

    /// One of a few words, and what it stands for.
    fn one_of<T: Copy>(
        &mut self,
        field: &str,
        value: &Value<'_>,
        words: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(field, value)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let (last, first) = names.split_last().unwrap_or((&"", &[]));
            self.fault(
                value.span(),
                field,
                format!("`{text}` is not {} or {last}", first.join(", ")),
            );
        }
        found
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

/// The fields of a label as a file gives them.
#[derive(Default)]
struct Given {
    name: Option<String>,
    values: Option<Vec<String>>,
    max_values: Option<u32>,
    max_bytes: Option<u64>,
    pin: Option<Vec<String>>,
    admit_after: Option<u32>,
    admit_by: Option<AdmitBy>,
    pattern: Option<String>,
    template: Option<bool>,
    from: Option<ValueFrom>,
    otherwise: Option<Otherwise>,
}

impl Given {
    /// The label, unless what it is cannot be told.
    fn into_label(self, fault: &mut impl FnMut(&str, &str)) -> Option<Label> {
        let Some(name) = self.name else {
            fault("labels.name", "is missing");
            return None;
        };
        let for_open = [
            ("max_bytes", self.max_bytes.is_some()),
            ("pin", self.pin.is_some()),
            ("admit_after", self.admit_after.is_some()),
            ("admit_by", self.admit_by.is_some()),
            ("pattern", self.pattern.is_some()),
            ("template", self.template.is_some()),
        ];
        if self.max_values.is_none() {
            for (field, _) in for_open.iter().filter(|(_, given)| *given) {
                fault(&format!("labels.{field}"), "is for labels with max_values");
            }
        }
        let label = match (self.values, self.max_values, &self.from) {
            (None, None, Some(ValueFrom::Const(value))) => {
                if self.otherwise.is_some() {
                    let why = "is for labels with values, or with a pattern";
                    fault("labels.otherwise", why);
                }
                return Some(Label::constant(name, value.clone()));
            }
            (Some(values), None, _) => Label::closed(name, values),
            (None, Some(max_values), _) => {
                if self.otherwise.is_some() && self.pattern.is_none() {
                    let why = "is for labels with values, or with a pattern";
                    fault("labels.otherwise", why);
                }
                if self.admit_by.is_some() && self.admit_after.is_none() {
                    fault("labels.admit_by", "is for labels with admit_after");
                }
                let mut label = Label::open(name, max_values)
                    .pin(self.pin.unwrap_or_default())
                    .admit_after(self.admit_after.unwrap_or(1))
                    .admit_by(self.admit_by.unwrap_or_default());
                if let Some(bytes) = self.max_bytes {
                    label = label.max_bytes(usize::try_from(bytes).unwrap_or(usize::MAX));
                }
                if let Some(pattern) = self.pattern {
                    label = label.pattern(pattern);
                }
                if self.template == Some(true) {
                    label = label.template();
                }
                label
            }
            _ => {
                fault(
                    &format!("labels.{name}"),
                    "needs either `values`, a closed set, or `max_values`, the size of an open one",
                );
                return None;
            }
        };
        let label = match self.otherwise {
            Some(otherwise) => label.otherwise(otherwise),
            None => label,
        };
        Some(match self.from {
            Some(from) => label.value_from(from),
            None => label,
        })
    }
}

/// A whole number and its unit.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}
