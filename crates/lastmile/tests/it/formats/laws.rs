//! All formats show the same samples.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use lastmile::{
    Aggregator, Escaping, ExpositionFormat, Family, Format, Label, Limits, Schema, ScrapeOptions,
    Source,
};

use super::conformance::shared;
use super::names::{label_name, metric_name};
use super::reader::Dialect;
use super::{ESCAPINGS, formats, read};
use crate::expo::{self, Exposition, Labels};
use crate::oracle::start;
use crate::schemas::has_summaries;

/// Families whose names are of every sort, with samples in them.
fn aggregator() -> Aggregator {
    let histogram = |name| Family::histogram(name, [0.05, 1.0, 10.0, 1e6]).unit("seconds");
    let mut builder = Schema::builder()
        .family(Family::counter("loads_total").help("plain \\ \"quoted\"\nlines"))
        .family(Family::counter("hits").help("no total"))
        .family(Family::counter("my.loads_total").label(Label::closed("app.x", ["a", "b\"\n\\"])))
        .family(Family::counter("x.total").label(Label::open("plain", 9)))
        .family(
            Family::gauge("花火").min(-9.0).label(Label::open("a:b", 9)).label(Label::open("9", 9)),
        )
        .family(Family::gauge("my.rate_per_second").unit("per_second"))
        .family(histogram("wait_seconds"))
        .family(histogram("my.wait_seconds").label(Label::open("o", 9)))
        .family(histogram("a;b=c%\"\\\n_seconds").label(Label::open(";=%\"\\\n", 9)))
        .allowed_metrics("pum.json", PUM);
    builder = builder.family(Family::counter("_total"));
    if has_summaries() {
        builder = builder.family(Family::summary("sum mary").label(Label::open("l", 9)));
    }
    let agg = Aggregator::new(builder.build().unwrap(), Limits::default(), start()).unwrap();
    let values = ["", "x", "a.b", "q\"\\\n", "{}=,", "é花"];
    for (i, value) in values.into_iter().enumerate() {
        let n = i + 1;
        let lm1 = |text: &str| {
            let text = text.replace('%', "%25").replace(';', "%3b");
            text.replace('=', "%3d")
        };
        let m = serde_json::json!({
            "loads_total": n,
            "hits": 0.1,
            format!("my.loads_total;app.x={}", lm1("b\"\n\\")): n,
            format!("x.total;plain={}", lm1(value)): n,
            format!("花火;9={};a:b={}", lm1(value), lm1(value)): -1.5,
            "wait_seconds": [0.01, [2, n]],
            format!("my.wait_seconds;o={}", lm1(value)): [1, 1e6, 2e6],
            format!("{};{}={}", lm1("a;b=c%\"\\\n_seconds"), lm1(";=%\"\\\n"), lm1(value)): [0.5],
            "pum": [1, 30],
            "my.rate_per_second": 0.25,
            "_total": 1,
        });
        let body = serde_json::json!({ "lm": 1, "m": m }).to_string();
        let report = agg.push(Format::Lm1, body.as_bytes(), &Source::default(), start()).unwrap();
        assert_eq!(report.accepted(), 15, "{body}: {report:?}");
        let labels = serde_json::json!({ ";=%\"\\\n": value });
        let body = serde_json::json!([{ "metricName": "a;b=c%\"\\\n_seconds",
            "metricType": "histogram", "labels": labels, "observations": [0.5] }]);
        let body = body.to_string();
        let report = agg.push(Format::Record, body.as_bytes(), &Source::default(), start());
        assert_eq!(report.unwrap().accepted(), 1, "{body}");
        if has_summaries() {
            agg.summary("sum mary", &[("l", value)]).unwrap().observe(0.5).unwrap();
        }
    }
    agg
}

const PUM: &str = r#"{"allowedMetrics": [
    {"name": "pum", "help": "h", "type": "histogram", "labels": [], "buckets": [1, 25, 1000000]}
]}"#;

pub(super) type Samples = BTreeMap<(String, Labels), f64>;

/// All samples, as a scraper stores them.
pub(super) fn samples(exposition: &Exposition) -> Samples {
    let stored = |sample: &expo::Sample| {
        let mut labels = sample.labels.clone();
        for (name, value) in &mut labels {
            // Scrapers read bounds as numbers.
            if name == "le" {
                *value = value.parse::<f64>().unwrap().to_string();
            }
        }
        ((sample.name.clone(), labels), sample.value())
    };
    exposition.samples().map(stored).collect()
}

/// The samples of names that are not escaped, as an escaping names them.
pub(super) fn escaped(exposition: &Exposition, escaping: Escaping) -> Samples {
    let mut all = Samples::new();
    for family in &exposition.families {
        for sample in &family.samples {
            let suffix = sample.name.strip_prefix(family.name.as_str()).unwrap();
            let name = metric_name(&family.name, escaping) + suffix;
            let labels = sample.labels.iter();
            let labels = labels.map(|(name, v)| (label_name(name, escaping), v.clone())).collect();
            let renamed = expo::Sample { name, labels, ..sample.clone() };
            let family = expo::Family { samples: vec![renamed], ..expo::Family::default() };
            all.extend(samples(&Exposition { families: vec![family] }));
        }
    }
    all
}

#[test]
fn every_format_shows_the_same_samples() {
    let agg = aggregator();
    let all =
        read(&agg, &ScrapeOptions::new(ExpositionFormat::Text1_0_0(Escaping::AllowUtf8)), start());
    assert!(all.samples().count() > 100);
    for (format, _) in formats() {
        let expected = escaped(&all, format.escaping());
        assert_eq!(
            samples(&read(&agg, &ScrapeOptions::new(format), start())),
            expected,
            "{format:?}"
        );
    }
    // And the strict reader of 0.0.4 reads it.
    let mut text = Vec::new();
    agg.encode_to(&mut text, start()).unwrap();
    let mut plain = expo::parse(&text);
    let is_own = |name: &str| name.starts_with("lastmile_") || name.starts_with("metrics_");
    plain.families.retain(|family| !is_own(&family.name));
    assert_eq!(samples(&plain), escaped(&all, Escaping::Underscores));
}

#[test]
fn what_was_pushed_is_shown_under_its_name() {
    let agg = aggregator();
    let all = read(
        &agg,
        &ScrapeOptions::new(ExpositionFormat::OpenMetrics1_0_0(Escaping::AllowUtf8)),
        start(),
    );
    for (name, labels, value) in [
        ("loads_total", &[][..], 21.0),
        ("my.loads_total", &[("app.x", "b\"\n\\")], 21.0),
        ("my.loads_total", &[("app.x", "a")], 0.0),
        ("x.total", &[("plain", "q\"\\\n")], 4.0),
        ("花火", &[("a:b", "é花"), ("9", "é花")], -1.5),
        ("my.wait_seconds_bucket", &[("o", "x"), ("le", "1e+06")], 2.0),
        ("a;b=c%\"\\\n_seconds_count", &[(";=%\"\\\n", "a.b")], 2.0),
        ("pum_bucket", &[("le", "1.0")], 6.0),
        ("pum_bucket", &[("le", "1e+06")], 12.0),
    ] {
        assert_eq!(all.value(name, labels), Some(value), "{name} {labels:?}");
    }
    // Which of them OpenMetrics can call counters.
    let kind = |name: &str| all.family(name).map(|family| family.kind.as_str());
    for (name, expect) in [
        ("loads", Some("counter")),
        ("my.loads", Some("counter")),
        ("x.total", Some("unknown")),
        ("_total", Some("unknown")),
        ("wait_seconds", Some("histogram")),
        ("my.rate_per_second", Some("gauge")),
    ] {
        assert_eq!(kind(name), expect, "{name}");
    }
    let help = all.family("loads").unwrap().help.as_deref();
    assert_eq!(help, Some("plain \\ \"quoted\"\nlines"));
}

/// Each series of a counter, a histogram or a summary tells when it began, in OpenMetrics alone, and nothing
/// else changes by that.
#[test]
fn series_tell_when_they_began_where_they_are_asked_to() {
    let agg = aggregator();
    let later = start().after(Duration::from_millis(12_345));
    let body = br#"{"lm":1,"m":{"x.total;plain=late":1,"my.wait_seconds;o=late":[1]}}"#;
    agg.push(Format::Lm1, body, &Source::default(), later).unwrap();
    for (format, dialect) in formats() {
        let mut with = read(&agg, &ScrapeOptions::new(format).created(true), later);
        let without = read(&agg, &ScrapeOptions::new(format), later);
        if dialect == Dialect::Text {
            assert_eq!(with, without, "{format:?}");
            continue;
        }
        for family in &mut with.families {
            let created = format!("{}_created", family.name);
            let series = |family: &expo::Family, suffix: &str| -> Vec<Labels> {
                let name = format!("{}{suffix}", family.name);
                let named = family.samples.iter().filter(|sample| sample.name == name);
                named.map(|sample| sample.labels.clone()).collect()
            };
            let counted = match family.kind.as_str() {
                "counter" => series(family, "_total"),
                "histogram" | "summary" => series(family, "_count"),
                _ => Vec::new(),
            };
            assert_eq!(series(family, "_created"), counted, "{format:?}");
            for sample in family.samples.iter().filter(|sample| sample.name == created) {
                let is_late = sample.labels.iter().any(|(_, value)| value == "late");
                let secs = if is_late { "1767225612.300" } else { "1767225600.000" };
                assert_eq!(sample.text, secs, "{sample:?}");
            }
            family.samples.retain(|sample| sample.name != created);
        }
        assert_eq!(with, without, "{format:?}");
    }
}

/// A reader sees a new series at 0 in each format alike, and every series once it has seen it.
#[test]
fn readers_see_the_same_in_every_format() {
    for (i, escaping) in ESCAPINGS.into_iter().enumerate() {
        let agg = aggregator();
        let format = ExpositionFormat::OpenMetrics1_0_0(escaping);
        let peer = format!("10.0.0.{i}:4000").parse().unwrap();
        let options = || ScrapeOptions::new(format).reader(peer, None).created(true);
        let first = read(&agg, &options(), start());
        let totals = |exposition: &Exposition| -> f64 {
            let is_total =
                |s: &&expo::Sample| s.name.ends_with("total") || s.name.ends_with("_count");
            exposition.samples().filter(is_total).map(expo::Sample::value).sum()
        };
        assert_eq!(totals(&first), 0.0, "{escaping:?}");
        let mut scrape = agg.scrape(options(), start());
        let mut chunk = Vec::new();
        while scrape.next_chunk(&mut chunk) {}
        scrape.complete(start());
        let second = read(&agg, &options(), start());
        let live = totals(&read(&agg, &ScrapeOptions::new(format), start()));
        assert!(live > 100.0);
        assert_eq!(totals(&second), live, "{escaping:?}");
    }
}

/// What others write is what we write of the same: each name of the cases is taken, and comes back.
#[test]
fn names_of_the_conformance_cases_come_back() {
    let Some(folder) = shared("escaping") else { return };
    let text = fs::read_to_string(folder.join("escape_name.json")).unwrap();
    let cases: serde_json::Value = serde_json::from_str(&text).unwrap();
    for case in cases.as_array().unwrap() {
        let Some(name) = case["input"].as_str() else { continue };
        let family = Family::gauge(name).label(Label::closed(name.replace(':', "."), ["v"]));
        let schema = Schema::builder().family(family).build().unwrap();
        let agg = Aggregator::new(schema, Limits::default(), start()).unwrap();
        let label = name.replace(':', ".");
        agg.gauge(name, &[(&label, "v")]).unwrap().set(7.0);
        for (format, _) in formats() {
            let exposition = read(&agg, &ScrapeOptions::new(format), start());
            let (name, label) =
                (metric_name(name, format.escaping()), label_name(&label, format.escaping()));
            assert_eq!(exposition.value(&name, &[(&label, "v")]), Some(7.0), "{format:?} {name}");
        }
    }
}
