//! Families of the host's registries, behind those of the aggregate.
//!
//! They are written one by one, off every lock, and handed out in chunks like a row that is larger than one.
//! They are much fewer than rows, so nothing here is hot.

use std::fmt::Write as _;

use super::names::escape_text;
use super::number::{any_float, canonical};
use super::{CHUNK_BYTES, ExpositionFormat, Scrape};
use crate::bridge::{Appended, AppendedKind, Number, Point};
use crate::exemplar::Exemplar;

/// Those that are yet to be written.
pub(super) type Families = std::vec::IntoIter<Appended>;

impl Scrape {
    /// Writes of what is appended as much as there is room for: where it ends.
    pub(super) fn append(&mut self, chunk: &mut Vec<u8>, mut end: usize) -> usize {
        while end < CHUNK_BYTES {
            if self.spilled.is_empty() {
                let Some(family) = self.next_appended() else { break };
                self.spill.clear();
                write(&family, self.options.format, &mut self.spill);
                self.spilled = 0..self.spill.len();
            }
            end = self.hand_out(chunk, end);
        }
        end
    }

    /// The next family that is to be shown. The registries are read when the first is asked for.
    fn next_appended(&mut self) -> Option<Appended> {
        let filter = &self.options.filter;
        if !filter.takes_appended() {
            return None;
        }
        let families = self.appended.get_or_insert_with(|| {
            let outcome = self.agg.sources().read(&self.catalog);
            self.agg.own().appended(&outcome);
            outcome.shown.into_iter()
        });
        families.find(|family| filter.shows_appended(&family.text_name()))
    }
}

/// Writes one family.
fn write(family: &Appended, format: ExpositionFormat, out: &mut Vec<u8>) {
    let is_open_metrics = match format {
        ExpositionFormat::Text0_0_4 | ExpositionFormat::Text1_0_0(_) => false,
        ExpositionFormat::OpenMetrics1_0_0(_) => true,
        #[cfg(feature = "protobuf")]
        ExpositionFormat::Protobuf(_) => return super::protobuf::appended::write(family, out),
    };
    out.extend_from_slice(text(family, is_open_metrics).as_bytes());
}

/// What a type is called in text.
fn kind_name(kind: AppendedKind, is_open_metrics: bool) -> &'static str {
    match (kind, is_open_metrics) {
        (AppendedKind::Counter, _) => "counter",
        (AppendedKind::Histogram, _) => "histogram",
        (AppendedKind::Gauge, _) | (AppendedKind::Info, false) => "gauge",
        (AppendedKind::Info, true) => "info",
        (AppendedKind::Unknown, true) => "unknown",
        (AppendedKind::Unknown, false) => "untyped",
    }
}

fn text(family: &Appended, is_open_metrics: bool) -> String {
    let sample_name = family.text_name();
    let name = if is_open_metrics { &family.name } else { &sample_name };
    let mut help = String::new();
    if !family.help.is_empty() {
        help = format!("# HELP {name} ");
        escape_text(&family.help, is_open_metrics, &mut help);
        help.push('\n');
    }
    let kind = format!("# TYPE {name} {}\n", kind_name(family.kind, is_open_metrics));
    let mut out = match (&family.unit, is_open_metrics) {
        (Some(unit), true) => format!("{kind}# UNIT {name} {unit}\n{help}"),
        (None, true) => kind + &help,
        (_, false) => help + &kind,
    };
    let mut labels = String::new();
    for series in &family.series {
        labels.clear();
        put_labels(&series.labels, &mut labels);
        let mut line = |suffix: &str, le: &str, value: &str, exemplar: Option<&Exemplar>| {
            out.push_str(&sample_name);
            out.push_str(suffix);
            let comma = if labels.is_empty() || le.is_empty() { "" } else { "," };
            if !(labels.is_empty() && le.is_empty()) {
                let _ = write!(out, "{{{labels}{comma}{le}}}");
            }
            let _ = write!(out, " {value}");
            if let Some(exemplar) = exemplar.filter(|_| is_open_metrics) {
                put_exemplar(exemplar, &mut out);
            }
            out.push('\n');
        };
        match &series.point {
            Point::Number(n, exemplar) => line("", "", &number(*n), exemplar.as_ref()),
            Point::Histogram { sum, buckets } => {
                let mut count = 0;
                for bucket in buckets {
                    count = bucket.count;
                    let is_last = bucket.bound == f64::INFINITY;
                    let bound = if is_last { "+Inf".to_owned() } else { bound(bucket.bound) };
                    let le = format!("le=\"{bound}\"");
                    line("_bucket", &le, &count.to_string(), bucket.exemplar.as_ref());
                }
                line("_sum", "", &number(*sum), None);
                line("_count", "", &count.to_string(), None);
            }
        }
    }
    out
}

/// `app="x",page="/"`.
fn put_labels<T: AsRef<str>>(labels: &[(T, T)], out: &mut String) {
    for (i, (name, value)) in labels.iter().enumerate() {
        out.push_str(if i == 0 { "" } else { "," });
        out.push_str(name.as_ref());
        out.push_str("=\"");
        escape_text(value.as_ref(), true, out);
        out.push('"');
    }
}

fn put_exemplar(exemplar: &Exemplar, out: &mut String) {
    out.push_str(" # {");
    put_labels(&exemplar.labels, out);
    let _ = write!(out, "}} {}", any_float(exemplar.value));
    if let Some(ms) = exemplar.timestamp_ms {
        let _ = write!(out, " {}.{:03}", ms / 1000, ms % 1000);
    }
}

fn number(number: Number) -> String {
    match number {
        Number::Whole(n) => n.to_string(),
        Number::Float(v) => any_float(v),
    }
}

/// A bound as those of the aggregate are written.
fn bound(v: f64) -> String {
    if v.is_finite() { canonical(v) } else { any_float(v) }
}
