//! Worked pushes: what the seed's own client sends must read as the seed's own server shows it, and a
//! page load of `lastmile.js` must give its numbers in the default schema.

use std::fs;
use std::path::{Path, PathBuf};

use lastmile::{Aggregator, Format, Limits, Schema, Source};

use crate::expo::{self, Exposition};
use crate::oracle::start;

fn wire(file: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/wire");
    if root.exists() {
        return Some(root.join(file));
    }
    println!("skipped: {file}: no {}", root.display());
    None
}

fn exposition(agg: &Aggregator) -> Exposition {
    let mut text = Vec::new();
    agg.encode_to(&mut text, start()).unwrap();
    expo::parse(&text)
}

#[test]
fn seed_page_load() {
    let Some(body) = wire("seed-page-load.json") else {
        return;
    };
    let mut files: Vec<PathBuf> =
        fs::read_dir(wire("pum-config").unwrap()).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let schema = files.iter().fold(Schema::builder(), |builder, file| {
        builder.allowed_metrics(&file.display().to_string(), &fs::read_to_string(file).unwrap())
    });
    let agg = Aggregator::new(schema.build().unwrap(), Limits::default(), start()).unwrap();
    let body = fs::read(body).unwrap();
    let report = agg.push(Format::Record, &body, &Source::default(), start()).unwrap();
    assert_eq!((report.accepted(), report.n_refused(), report.batches()), (16, 0, 1));

    // The seed writes `{}` where there is no label; nothing else differs from what we read.
    let seeds = fs::read_to_string(wire("seed-page-load.expected.prom").unwrap()).unwrap();
    let mut seeds = expo::parse(seeds.replace("{} ", " ").as_bytes());
    let mut ours = exposition(&agg);
    ours.families.retain(|family| !family.name.starts_with("lastmile_"));
    // Its own counter stands between the files; ours comes after them.
    seeds.families.sort_by_key(|family| family.name == "metrics_aggregator_record_total");
    assert_eq!(ours, seeds);
}

#[test]
fn page_load_in_lm1() {
    let Some(body) = wire("page-load.lm1") else {
        return;
    };
    let schema = Schema::builder().browser().build().unwrap();
    let agg = Aggregator::new(schema, Limits::default(), start()).unwrap();
    // A page takes a place with the third batch that it comes in, and is `other` before.
    let seen = br#"{"lm":1,"m":{"client_layout_shift;page=/home":[0],"client_web_vital_seconds;name=LCP;page=/home":[0]}}"#;
    for _ in 0..2 {
        agg.push(Format::Lm1, seen, &Source::default(), start()).unwrap();
    }
    let body = fs::read(body).unwrap();
    let report = agg.push(Format::Lm1, &body, &Source::default(), start()).unwrap();
    assert_eq!(report.refused().collect::<Vec<_>>(), []);
    assert_eq!((report.accepted(), report.batches()), (18, 1));

    let exposition = exposition(&agg);
    let counter = |name: &str, labels: &[(&str, &str)]| {
        exposition.value(name, labels).unwrap_or_else(|| panic!("{name}{labels:?} is not there"))
    };
    assert_eq!(counter("client_page_loads_total", &[("type", "navigate")]), 1.0);
    assert_eq!(counter("client_errors_total", &[("kind", "js")]), 1.0);
    assert_eq!(counter("client_user_seconds_total", &[]), 10.002);
    for (name, labels, values) in [
        (
            "client_ping_seconds",
            &[("target", "firebase")][..],
            &[0.031, 0.0712, 0.0712, 0.153, 0.302, 0.7, 1.52, 0.31, 0.298][..],
        ),
        ("client_web_vital_seconds", &[("name", "TTFB"), ("page", "/home")], &[0.166]),
        ("client_web_vital_seconds", &[("name", "FCP"), ("page", "/home")], &[0.236]),
        ("client_web_vital_seconds", &[("name", "LCP"), ("page", "/home")], &[0.812]),
        ("client_web_vital_seconds", &[("name", "INP"), ("page", "/home")], &[0.072]),
        ("client_layout_shift", &[("page", "/home")], &[0.178]),
        ("client_navigation_seconds", &[("phase", "domInteractive")], &[0.235]),
        ("client_navigation_seconds", &[("phase", "loadEventEnd")], &[0.238]),
    ] {
        histogram_is(&exposition, name, labels, values);
    }
    // Nothing else counted anything.
    let counted = exposition.samples().filter(|s| s.name.starts_with("client_") && s.value() > 0.0);
    let counted = counted.filter(|s| s.name.ends_with("_count") || s.name.ends_with("_total"));
    assert_eq!(counted.filter(|s| s.label("page") != Some("other")).count(), 11);
    assert_eq!(exposition.value("client_layout_shift_count", &[("page", "other")]), Some(2.0));
    assert!(exposition.samples().all(|s| !s.name.starts_with("browser_") || s.value() == 0.0));
}

/// The series holds these observations and no other.
fn histogram_is(exposition: &Exposition, name: &str, labels: &[(&str, &str)], values: &[f64]) {
    let context = format!("{name}{labels:?}");
    let value = |suffix: &str| exposition.value(&format!("{name}{suffix}"), labels);
    assert_eq!(value("_count"), Some(values.len() as f64), "{context}");
    let sum: f64 = values.iter().sum();
    assert!(value("_sum").is_some_and(|got| (got - sum).abs() < 1e-12), "{context}");
    let family = exposition.family(name).expect(&context);
    let mut n_buckets = 0;
    for bucket in &family.samples {
        let Some(le) = bucket.label("le") else {
            continue;
        };
        if !labels.iter().all(|(label, value)| bucket.label(label) == Some(value)) {
            continue;
        }
        let le: f64 = le.replace("+Inf", "inf").parse().unwrap();
        let below = values.iter().filter(|value| **value <= le).count();
        assert_eq!(bucket.value(), below as f64, "{context}, le {le}");
        n_buckets += 1;
    }
    assert!(n_buckets > 3, "{context} has {n_buckets} buckets");
}
