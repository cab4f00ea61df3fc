//! `prometheus-user-metrics`' own files: `{"allowedMetrics":[{"name","help","type","labels","buckets"}]}`.
//!
//! Read as that server reads them: labels sorted by name, unlisted values refused, numbers among the
//! allowed values as their text.

use super::Lines;
use super::family::{Family, Kind, LeStyle};
use super::label::{Label, Otherwise};
use crate::error::Fault;
use crate::push::DecodeError;
use crate::push::json::{Json, RawStr, unescape};

type Result<T> = std::result::Result<T, DecodeError>;

/// Adds a file's families, and its mistakes.
pub(super) fn read(file: &str, text: &str, families: &mut Vec<Family>, faults: &mut Vec<Fault>) {
    let mut reader = Reader {
        text,
        lines: Lines::new(file, text),
        json: Json::new(text.as_bytes(), 0),
        families,
        faults,
        family: String::new(),
    };
    if let Err(e) = reader.file() {
        let place = reader.lines.place(e.offset());
        let why = format!("is not what an allowedMetrics file holds: {e}");
        reader.faults.push(Fault { place, family: reader.family, field: String::new(), why });
    }
}

struct Reader<'a> {
    text: &'a str,
    lines: Lines<'a>,
    json: Json<'a>,
    families: &'a mut Vec<Family>,
    faults: &'a mut Vec<Fault>,
    /// The family being read, once it has told its name.
    family: String,
}

impl Reader<'_> {
    fn fault(&mut self, at: usize, field: &str, why: impl Into<String>) {
        self.faults.push(Fault {
            place: self.lines.place(at),
            family: self.family.clone(),
            field: field.to_owned(),
            why: why.into(),
        });
    }

    fn text(&self, raw: RawStr) -> String {
        let mut bytes = Vec::new();
        unescape(&self.text.as_bytes()[raw.start..raw.end], &mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn file(&mut self) -> Result<()> {
        let mut found = false;
        self.object("expected `{\"allowedMetrics\": […]}`", |reader, key, _| match key {
            "allowedMetrics" => {
                found = true;
                reader.array("expected a list of metrics", Self::metric)
            }
            _ => reader.json.skip(),
        })?;
        self.json.end()?;
        if !found {
            self.fault(0, "allowedMetrics", "is missing");
        }
        Ok(())
    }

    fn metric(&mut self) -> Result<()> {
        self.json.peek();
        let at = self.json.offset();
        self.family = self.name_ahead();
        let mut family = Family::counter(self.family.clone());
        family.le_style = LeStyle::JavaScript;
        family.place = self.lines.place(at);
        let mut kind = None;
        let mut buckets_at = None;
        self.object("expected a metric, an object", |reader, key, at| match key {
            "name" => {
                if reader.string("name")?.is_some() {
                    family.place = reader.lines.place(at);
                }
                Ok(())
            }
            "help" => {
                family.help = reader.string("help")?.unwrap_or_default();
                Ok(())
            }
            "type" => {
                let at = reader.json.offset();
                match reader.string("type")?.as_deref() {
                    Some("counter") => kind = Some(Kind::Counter),
                    Some("histogram") => kind = Some(Kind::Histogram),
                    Some("gauge") => kind = Some(Kind::Gauge),
                    Some(other) => {
                        reader.fault(
                            at,
                            "type",
                            format!("`{other}` is not counter, gauge or histogram"),
                        );
                        kind = Some(Kind::Counter);
                    }
                    None => kind = Some(Kind::Counter),
                }
                Ok(())
            }
            "labels" => reader.array("expected a list of labels", |reader| {
                family.labels.extend(reader.label()?);
                Ok(())
            }),
            "buckets" => {
                buckets_at = Some(at);
                reader.array("expected a list of bounds", |reader| {
                    family.bounds.extend(reader.number("buckets")?);
                    Ok(())
                })
            }
            _ => {
                reader.fault(at, key, "is not a field of a metric");
                reader.json.skip()
            }
        })?;
        if family.name.is_empty() {
            self.fault(at, "name", "is missing");
        }
        match kind {
            None => self.fault(at, "type", "is missing"),
            Some(kind) => family.kind = kind,
        }
        if let (Some(at), Some(Kind::Counter | Kind::Gauge)) = (buckets_at, kind) {
            self.fault(at, "buckets", "is for histograms");
        }
        family.labels.sort_by(|a, b| a.name.cmp(&b.name));
        if !family.name.is_empty() && kind.is_some() {
            self.families.push(family);
        }
        self.family.clear();
        Ok(())
    }

    /// The name of the metric that starts here, so that mistakes before it name it too.
    fn name_ahead(&mut self) -> String {
        let mut ahead = Reader {
            text: self.text,
            lines: Lines::new("", ""),
            json: self.json.clone(),
            families: &mut Vec::new(),
            faults: &mut Vec::new(),
            family: String::new(),
        };
        let mut name = String::new();
        let _ = ahead.object("", |reader, key, _| {
            if key == "name" && reader.json.peek() == b'"' {
                let raw = reader.json.string()?;
                name = reader.text(raw);
                return Ok(());
            }
            reader.json.skip()
        });
        name
    }

    fn label(&mut self) -> Result<Option<Label>> {
        self.json.peek();
        let at = self.json.offset();
        let mut name = None;
        let mut values = None;
        self.object("expected a label, an object", |reader, key, at| match key {
            "name" => {
                name = reader.string("labels.name")?;
                Ok(())
            }
            "allowedValues" => {
                let mut list = Vec::new();
                reader.array("expected a list of values", |reader| {
                    list.extend(reader.value()?);
                    Ok(())
                })?;
                values = Some(list);
                Ok(())
            }
            _ => {
                reader.fault(at, &format!("labels.{key}"), "is not a field of a label");
                reader.json.skip()
            }
        })?;
        match (name, values) {
            (Some(name), Some(values)) => {
                Ok(Some(Label::closed(name, values).otherwise(Otherwise::Refuse)))
            }
            (name, _) => {
                let missing = if name.is_none() { "name" } else { "allowedValues" };
                self.fault(at, &format!("labels.{missing}"), "is missing");
                Ok(None)
            }
        }
    }

    /// An allowed value: text, or a number or boolean as its text.
    fn value(&mut self) -> Result<Option<String>> {
        match self.json.peek() {
            b'"' => self.string("labels.allowedValues"),
            b'{' | b'[' | b'n' => {
                self.fault(
                    self.json.offset(),
                    "labels.allowedValues",
                    "holds something that is no text",
                );
                self.json.skip().map(|()| None)
            }
            _ => {
                let start = self.json.offset();
                self.json.skip()?;
                Ok(Some(self.text[start..self.json.offset()].to_owned()))
            }
        }
    }

    fn string(&mut self, field: &str) -> Result<Option<String>> {
        if self.json.peek() == b'"' {
            let raw = self.json.string()?;
            return Ok(Some(self.text(raw)));
        }
        self.fault(self.json.offset(), field, "must be text");
        self.json.skip().map(|()| None)
    }

    fn number(&mut self, field: &str) -> Result<Option<f64>> {
        if matches!(self.json.peek(), b'-' | b'0'..=b'9') {
            return self.json.number().map(Some);
        }
        self.fault(self.json.offset(), field, "must hold numbers");
        self.json.skip().map(|()| None)
    }

    /// Reads an object; `member` is given each key and where it stands.
    fn object(
        &mut self,
        what: &'static str,
        mut member: impl FnMut(&mut Self, &str, usize) -> Result<()>,
    ) -> Result<()> {
        self.json.open(b'{', what)?;
        if self.json.is_empty(b'}') {
            return Ok(());
        }
        loop {
            self.json.peek();
            let at = self.json.offset();
            let raw = self.json.key()?;
            let key = self.text(raw);
            self.json.peek();
            member(self, &key, at)?;
            if !self.json.another(b'}')? {
                return Ok(());
            }
        }
    }

    fn array(
        &mut self,
        what: &'static str,
        mut element: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.json.open(b'[', what)?;
        if self.json.is_empty(b']') {
            return Ok(());
        }
        loop {
            element(self)?;
            if !self.json.another(b']')? {
                return Ok(());
            }
        }
    }
}
