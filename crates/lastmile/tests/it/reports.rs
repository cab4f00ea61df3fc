//! What browsers report, in the families of the default schema.

use std::fs;
use std::path::Path;

use lastmile::{Aggregator, Format, Limits, PushReport, Schema, Source};

use crate::expo::{self, Exposition};
use crate::oracle::start;

fn browser() -> Aggregator {
    let schema = Schema::builder().browser().build().expect("the default schema is right");
    Aggregator::new(schema, Limits::default(), start()).expect("it fits")
}

fn push(agg: &Aggregator, body: &str, source: &Source<'_>) -> PushReport {
    agg.push(Format::Reports, body.as_bytes(), source, start()).expect("it decodes")
}

fn exposed(agg: &Aggregator) -> Exposition {
    let mut text = Vec::new();
    agg.encode_to(&mut text, start()).expect("a Vec takes everything");
    expo::parse(&text)
}

/// A series as `name{label=value,…}`.
fn written(sample: &expo::Sample) -> String {
    let labels: Vec<_> =
        sample.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{}{{{}}}", sample.name, labels.join(","))
}

/// Pushes `body`; what the families of browsers then show that is not 0, but for buckets.
#[track_caller]
fn check(body: &str, refused: &[(&str, u64)], wanted: &[(&str, f64)]) {
    let agg = browser();
    let report = push(&agg, body, &Source::default());
    let reasons: Vec<_> = report.refused().map(|(why, n)| (why.as_str(), n)).collect();
    assert_eq!(reasons, refused, "{body}");
    let exposition = exposed(&agg);
    let samples = exposition.samples();
    let shown: Vec<(String, f64)> = samples
        .filter(|s| {
            s.name.starts_with("browser_") && !s.name.ends_with("_bucket") && s.value() != 0.0
        })
        .map(|s| (written(s), s.value()))
        .collect();
    let mut shown: Vec<(&str, f64)> = shown.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    // Rows of an open family stand where the process' seed puts them.
    let by_name = |a: &(&str, f64), b: &(&str, f64)| a.0.cmp(b.0);
    shown.sort_by(by_name);
    let mut wanted = wanted.to_vec();
    wanted.sort_by(by_name);
    assert_eq!(shown, wanted, "{body}");
}

/// Those of the specifications. The fractions among them are whole when they are weights.
#[test]
fn the_examples_of_the_specifications() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/reporting-nel");
    if !folder.exists() {
        return println!("skipped: reporting-nel: no {}", folder.display());
    }
    let read = |file: &str| fs::read_to_string(folder.join(file)).expect("it is there");
    check(
        &read("nel_examples.json"),
        &[],
        &[
            ("browser_network_errors_total{phase=dns,type=dns.name_not_resolved}", 2.0),
            ("browser_network_errors_total{phase=dns,type=dns.address_changed}", 2.0),
            ("browser_network_errors_total{phase=application,type=ok}", 2.0),
            ("browser_network_errors_total{phase=application,type=http.protocol.error}", 2.0),
            ("browser_network_error_seconds_sum{phase=dns}", 0.191),
            ("browser_network_error_seconds_count{phase=dns}", 4.0),
            ("browser_network_error_seconds_sum{phase=application}", 1.646),
            ("browser_network_error_seconds_count{phase=application}", 2.0),
        ],
    );
    check(&read("reporting_example.json"), &[("unknown_report", 2)], &[]);
}

/// What Chromium 156 sent, whole.
#[test]
fn what_chromium_sends() {
    let envelope =
        r#""url":"https://app.example/p?q=1","user_agent":"Mozilla/5.0 (X11; Linux x86_64)""#;
    let report = |kind: &str, about: &str| {
        format!(r#"{{"age":73,"body":{{{about}}},"type":"{kind}",{envelope}}}"#)
    };
    let all = [
        report(
            "network-error",
            r#""elapsed_time":12,"method":"GET","phase":"connection","protocol":"http/1.1","referrer":"","sampling_fraction":1.0,"server_ip":"127.0.0.1","status_code":0,"type":"tcp.refused""#,
        ),
        report(
            "csp-violation",
            r#""blockedURL":"https://evil.example/x.js","columnNumber":1,"disposition":"enforce","documentURL":"https://app.example/","effectiveDirective":"script-src-elem","lineNumber":3,"originalPolicy":"script-src 'self'","referrer":"","sample":"","sourceFile":"https://app.example/","statusCode":200"#,
        ),
        report(
            "crash",
            r#""crash_report_api":{},"is_top_level":true,"visibility_state":"visible""#,
        ),
        report(
            "deprecation",
            r#""anticipatedRemoval":null,"columnNumber":8,"id":"UnloadHandler","lineNumber":1,"message":"Unload event listeners are deprecated","sourceFile":"https://app.example/""#,
        ),
        report(
            "permissions-policy-violation",
            r#""columnNumber":23,"disposition":"enforce","lineNumber":1,"message":"Permissions policy violation","policyId":"geolocation","sourceFile":"https://app.example/""#,
        ),
        report(
            "coep",
            r#""blockedURL":"https://cdn.example/i.png","destination":"image","disposition":"enforce","type":"corp""#,
        ),
    ];
    check(
        &format!("[{}]", all.join(",")),
        &[],
        &[
            ("browser_network_errors_total{phase=connection,type=tcp.refused}", 1.0),
            ("browser_network_error_seconds_sum{phase=connection}", 0.012),
            ("browser_network_error_seconds_count{phase=connection}", 1.0),
            ("browser_csp_violations_total{directive=script-src-elem,disposition=enforce}", 1.0),
            ("browser_crashes_total{reason=other}", 1.0),
            ("browser_reports_total{type=deprecation,id=UnloadHandler}", 1.0),
            ("browser_reports_total{type=coep,id=corp}", 1.0),
            ("browser_reports_total{type=permissions-policy-violation,id=geolocation}", 1.0),
        ],
    );
}

/// Whatever stands where a word should, no series has it that the schema does not know.
#[test]
fn nothing_of_a_page_becomes_a_label() {
    for word in [
        "https://app.example/users/42",
        "203.0.113.7",
        "Mozilla/5.0 (X11)",
        "anna@app.example",
        "1",
    ] {
        let report = |kind: &str, member: &str| {
            format!(
                r#"{{"type":"{kind}","url":"{word}","user_agent":"{word}","body":{{"{member}":"{word}","elapsed_time":5}}}}"#
            )
        };
        let all = [
            report("network-error", "type"),
            report("network-error", "phase"),
            report("csp-violation", "effectiveDirective"),
            report("crash", "reason"),
            report("deprecation", "id"),
            report("coop", "type"),
        ];
        let agg = browser();
        assert_eq!(push(&agg, &format!("[{}]", all.join(",")), &Source::default()).n_refused(), 0);
        let mut text = Vec::new();
        agg.encode_to(&mut text, start()).expect("a Vec takes everything");
        let text = String::from_utf8(text).expect("an exposition is UTF-8");
        assert!(!text.contains(&format!("=\"{word}\"")), "{word} is a label");
        for series in [
            "browser_reports_total{type=\"deprecation\",id=\"other\"} 1\n",
            "browser_csp_violations_total{directive=\"other\",disposition=\"other\"} 1\n",
            "browser_crashes_total{reason=\"other\"} 1\n",
        ] {
            assert!(text.contains(series), "{series}");
        }
    }
}

/// A weight between two whole numbers becomes one of them, and both often enough for the mean.
#[test]
fn weights_have_the_right_mean() {
    // As many seeds as make three standard deviations of the mean less than 0.02.
    const N: u64 = 10_000;
    for (fraction, mean) in [
        ("1", 1.0f64),
        ("0.9", 1.0 / 0.9),
        ("0.4", 2.5),
        ("0.3", 10.0 / 3.0),
        ("0.001", 1_000.0),
        ("0", 1_000.0),
    ] {
        let body = format!(
            r#"[{{"type":"network-error","body":{{"phase":"dns","type":"ok","sampling_fraction":{fraction}}}}}]"#
        );
        let agg = browser();
        let total = || {
            let ok = |s: &expo::Sample| s.label("type") == Some("ok");
            let exposition = exposed(&agg);
            exposition.samples().filter(|s| ok(s)).map(|s| s.value()).sum::<f64>()
        };
        let first = push(&agg, &body, &Source::default().seed(7)).accepted();
        assert_eq!(first, 1, "a report is a sample, whatever it weighs");
        let one = total();
        assert!([mean.floor(), mean.ceil()].contains(&one), "{fraction}: {one}");
        (1..N).for_each(|seed| drop(push(&agg, &body, &Source::default().seed(seed << 20))));
        let got = total() / N as f64;
        assert!((got - mean).abs() < 0.02, "{fraction}: {got} on average, not {mean}");
    }
}

/// Without a seed the body decides, by a key that each aggregator has of its own.
#[test]
fn without_a_seed_the_content_decides() {
    let body = |age: u32| {
        format!(
            r#"[{{"age":{age},"type":"network-error","body":{{"phase":"dns","type":"ok","sampling_fraction":0.4}}}}]"#
        )
    };
    let weight = |agg: &Aggregator, age: u32| {
        let total = |e: &Exposition| e.total("browser_network_errors_total");
        let before = total(&exposed(agg));
        push(agg, &body(age), &Source::default());
        total(&exposed(agg)) - before
    };
    let agg = browser();
    let weights: Vec<f64> = (0..40).map(|age| weight(&agg, age)).collect();
    let again: Vec<f64> = (0..40).map(|age| weight(&agg, age)).collect();
    assert_eq!(weights, again, "the same body is rounded in the same way");
    assert!(weights.contains(&2.0) && weights.contains(&3.0), "{weights:?}");
    let other = browser();
    let others: Vec<f64> = (0..40).map(|age| weight(&other, age)).collect();
    assert_ne!(weights, others, "nobody outside can know in which");
}

/// Two reports of one body are rounded each by its own.
#[test]
fn reports_of_one_body_are_rounded_apart() {
    let one =
        r#"{"type":"network-error","body":{"phase":"dns","type":"ok","sampling_fraction":0.4}}"#;
    let body = format!("[{}]", vec![one; 1_000].join(","));
    let agg = browser();
    assert_eq!(push(&agg, &body, &Source::default().seed(1)).accepted(), 1_000);
    let total = exposed(&agg).total("browser_network_errors_total");
    // Five standard deviations of a thousand halves are 79.
    assert!((total - 2_500.0).abs() < 80.0, "{total}");
}

#[test]
fn a_key_of_the_request_names_a_push() {
    let agg = browser();
    let source = Source::default().idempotency_key("Zk3vTq81mWc0xHs9");
    let body = r#"[{"type":"crash","body":{"reason":"oom"}}]"#;
    assert_eq!(push(&agg, body, &source).accepted(), 1);
    let again = push(&agg, body, &source);
    assert_eq!((again.accepted(), again.duplicate_samples()), (0, 1));
    assert_eq!(exposed(&agg).total("browser_crashes_total"), 1.0);
}
