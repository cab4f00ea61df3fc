//! OpenTelemetry's metrics and Prometheus text decoded and applied, beside what merely reads the same bytes:
//! `cargo bench -p lastmile-benches --bench otlp`.
//!
//! The others are what a server would begin with: `serde_json` into structs that borrow from the body, `prost` into the
//! messages as it derives them, and for text the standard library's lines and numbers. None looks anything up or counts
//! anything. Text has a target in bytes, as registries are pushed whole.

mod borrowed;
mod messages;
mod text;

use std::hint::black_box;

use lastmile::{Aggregator, Family, Format, Label, Limits, Native, Schema, Source};
use lastmile_benches::{
    Comparison, compare, exposition, is_bench, now, otlp_page_load, print_host,
};
use prost::Message;

/// Data points of the page load.
const N_POINTS: u64 = 12;

fn main() {
    let n_calls = if is_bench() { 5_000 } else { 20 };
    print_host();
    println!();
    println!(
        "{:<44} {:>9} {:>9} {:>7}  to reach",
        "median CPU time, ns", "lastmile", "other", "ratio"
    );
    let (json, protobuf) = otlp_page_load();

    let borrowed: borrowed::Request<'_> = serde_json::from_slice(json).expect("valid");
    assert_eq!(borrowed.n_points(), N_POINTS);
    let comparison = beside(Format::OtlpJson, json, n_calls, |body| {
        let request: borrowed::Request<'_> = serde_json::from_slice(body).expect("valid");
        black_box(&request);
    });
    row("otlp json / serde_json, borrowed", comparison, "1.5 x");

    let decoded = messages::Request::decode(protobuf).expect("valid");
    assert_eq!(decoded.n_points(), N_POINTS);
    let comparison = beside(Format::OtlpProtobuf, protobuf, n_calls, |body| {
        let request = messages::Request::decode(body).expect("valid");
        black_box(&request);
    });
    row("otlp protobuf / prost", comparison, "1.5 x");

    text::rows(n_calls);
}

/// Pushes a body over and over, beside another reader of it.
fn beside(format: Format, body: &[u8], n_calls: usize, mut read: impl FnMut(&[u8])) -> Comparison {
    let aggregator = aggregator();
    let mut n_sent = 0_u64;
    let comparison = compare(
        31,
        n_calls,
        || {
            let report = aggregator.push(format, black_box(body), &Source::default(), now());
            assert_eq!(report.expect("the push decodes").accepted(), N_POINTS);
            n_sent += 1;
        },
        || read(black_box(body)),
    );
    let after = exposition(&aggregator);
    assert_eq!(after.value(r#"app_load_succeeded{app="student"}"#), n_sent as f64);
    let count = r#"firebase_response_time_count{firebaseHost="pd-dev-1.firebaseio.com"}"#;
    assert_eq!(after.value(count), 9.0 * n_sent as f64);
    comparison
}

fn row(what: &str, comparison: Comparison, target: &str) {
    let Comparison { a_nanos, b_nanos, ratio } = comparison;
    println!("{what:<44} {a_nanos:>9.1} {b_nanos:>9.1} {ratio:>7.2}  {target}");
}

/// The families that the page load counts in: two with the bounds that come, one with others and native buckets too.
fn aggregator() -> Aggregator {
    let own = [0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 1.2, 1.5, 2.0, 5.0, 10.0];
    let families = [
        Family::counter("app_load_succeeded").label(Label::closed("app", ["student", "teacher"])),
        Family::counter("usage_total")
            .label(Label::open("browser", 10))
            .label(Label::open("feature", 50)),
        Family::counter("lm_errors_total").label(Label::open("kind", 10)),
        Family::histogram("firebase_response_time", own).label(Label::open("firebaseHost", 10)),
        Family::histogram("lm_web_vital", own).label(Label::open("name", 10)),
        Family::histogram("lm_navigation_seconds", [0.1, 0.25, 1.0])
            .native(Native::new(3))
            .label(Label::open("phase", 20)),
    ];
    let schema = families.into_iter().fold(Schema::builder(), |all, family| all.family(family));
    let schema = schema.build().expect("the families are valid");
    Aggregator::new(schema, Limits::default(), now()).expect("the schema fits")
}
