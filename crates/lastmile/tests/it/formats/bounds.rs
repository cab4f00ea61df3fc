//! Chunks keep their bound where rows are as long as they can be.

use std::fmt::Write as _;

use lastmile::{Aggregator, Family, Format, Label, Limits, Schema, ScrapeOptions, Source};

use super::{formats, scraped};
use crate::formats::reader;
use crate::oracle::start;

/// Pushes `n_series` series with a value of `value_bytes` bytes in each of the labels, all of which must be
/// shown whole in every format.
#[track_caller]
fn check(family: Family, n_series: usize, value: &str) {
    let name = family.name().to_owned();
    let labels: Vec<String> = family.labels().iter().map(|l| l.name().to_owned()).collect();
    let is_histogram = !family.bounds().is_empty();
    let schema = Schema::builder().family(family).build().unwrap();
    let agg = Aggregator::new(schema, Limits::default(), start()).unwrap();
    for n in 0..n_series {
        let mut key = name.clone();
        for label in &labels {
            write!(key, ";{label}={value}{n:03}").unwrap();
        }
        let v = if is_histogram { serde_json::json!([0.5]) } else { serde_json::json!(1) };
        let body = serde_json::json!({ "lm": 1, "m": { key: v } }).to_string();
        let report = agg.push(Format::Lm1, body.as_bytes(), &Source::default(), start()).unwrap();
        assert_eq!(report.accepted(), 1, "{report:?}");
    }
    for (format, dialect) in formats() {
        for created in [false, true] {
            let text = scraped(&agg, ScrapeOptions::new(format).created(created), start());
            let exposition = reader::read(&text, dialect).unwrap();
            let suffix = if is_histogram { "_count" } else { "" };
            let name = super::names::metric_name(&name, format.escaping()) + suffix;
            assert_eq!(exposition.total(&name), n_series as f64, "{format:?}");
        }
    }
}

#[test]
fn blocks_of_short_rows_that_are_long_in_other_formats() {
    let label = "😱.".repeat(20);
    for len in [1, 60, 100, 124] {
        let value = "v".repeat(len);
        check(Family::counter("c_total").label(Label::open("l", 1000)), 600, &value);
        check(Family::counter("c.d_total").label(Label::open("l", 1000)), 600, &value);
        check(Family::counter("c_total").label(Label::open(&label, 1000)), 600, &value);
        check(Family::histogram("h.i", [1.0, 2.0]).label(Label::open(&label, 1000)), 300, &value);
    }
}

#[test]
fn rows_that_alone_are_larger_than_a_chunk() {
    let bounds = || (0..128).map(f64::from);
    for label in ["l", "é.", &"é.".repeat(80)] {
        for value in ["v".repeat(3_900), "é".repeat(1_900)] {
            let label = Label::open(label, 1000).max_bytes(3_910);
            check(Family::histogram("h", bounds()).label(label.clone()), 3, &value);
            check(Family::counter("c_total").label(label), 30, &value);
        }
    }
}
