//! Laws and regressions: what goes wrong in peers, and must never here.

mod handles;
mod identity;
mod limits;
mod natives;
mod numbers;
mod peers;
mod policies;
mod recorders;
mod reload;
mod scrapes;
#[cfg(feature = "summary")]
mod summaries;
mod threads;

use lastmile::{Aggregator, Family, Format, Limits, Schema, Source};

use crate::expo::{self, Exposition};
use crate::oracle::start;
use crate::pushes::quote;

fn aggregator(families: impl IntoIterator<Item = Family>, limits: Limits) -> Aggregator {
    let add = lastmile::SchemaBuilder::family;
    let schema = families.into_iter().fold(Schema::builder(), add);
    Aggregator::new(schema.build().unwrap(), limits, start()).unwrap()
}

/// Pushes samples that must all be accepted.
#[track_caller]
fn push(agg: &Aggregator, format: Format, body: &str) {
    let report = agg.push(format, body.as_bytes(), &Source::default(), start()).unwrap();
    let refused: Vec<_> = report.refused().collect();
    assert!(refused.is_empty() && report.failed_lines().is_empty(), "{report:?}");
}

fn inc(name: &str, labels: &[(&str, &str)], inc: &str) -> String {
    let labels: Vec<String> =
        labels.iter().map(|(label, value)| format!("{}:{}", quote(label), quote(value))).collect();
    let labels = labels.join(",");
    format!(r#"{{"metricName":"{name}","labels":{{{labels}}},"inc":{inc}}}"#)
}

fn text(agg: &Aggregator) -> String {
    let mut text = Vec::new();
    agg.encode_to(&mut text, start()).unwrap();
    String::from_utf8(text).unwrap()
}

fn read(agg: &Aggregator) -> Exposition {
    expo::parse(text(agg).as_bytes())
}

/// How a number is written.
fn written(agg: &Aggregator, name: &str) -> String {
    let exposition = read(agg);
    let sample = exposition.samples().find(|sample| sample.name == name);
    sample.unwrap_or_else(|| panic!("no {name}")).text.clone()
}
