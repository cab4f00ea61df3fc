//! OpenTelemetry's metrics, in both encodings.

mod cumulative;
mod examples;

use lastmile::{Aggregator, Format, PushReport, Schema, Source, Timestamp};
use proptest::prelude::*;
use prost::Message;

use crate::expo::{self, Exposition};
use crate::oracle::{Pair, start};
use crate::otlp_proto::{Request, read, write};
use crate::pushes::{config, otlp_both};
use crate::schemas::{everything, mixed};

/// An aggregator of families in TOML.
fn aggregator(families: &str, now: Timestamp) -> Aggregator {
    let schema = Schema::builder().toml("schema.toml", families).build();
    let schema = schema.unwrap_or_else(|error| panic!("{error}"));
    let limits = schema.limits().clone();
    Aggregator::new(schema, limits, now).unwrap()
}

fn exposition(agg: &Aggregator, now: Timestamp) -> Exposition {
    let mut text = Vec::new();
    agg.encode_to(&mut text, now).unwrap();
    expo::parse(&text)
}

/// Pushes JSON to one and the same as protobuf to another, which must agree on the report.
#[track_caller]
fn push_both(json: &str, [first, second]: [&Aggregator; 2], now: Timestamp) -> PushReport {
    let request = read(json).unwrap_or_else(|| panic!("{json} is no request"));
    let report = first.push(Format::OtlpJson, json.as_bytes(), &Source::default(), now).unwrap();
    let body = request.encode_to_vec();
    let other = second.push(Format::OtlpProtobuf, &body, &Source::default(), now).unwrap();
    assert_eq!(report, other, "{json}");
    report
}

#[test]
fn json_is_written_as_it_is_read() {
    let json = r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"a","value":{"intValue":"5"}}]},"scopeMetrics":[{"scope":{"name":"s","version":"","attributes":[]},"metrics":[{"name":"n","unit":"","sum":{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":[{"attributes":[],"startTimeUnixNano":"1","timeUnixNano":"2","flags":0,"asInt":"7"}]}}]}]}]}"#;
    assert_eq!(write(&read(json).expect("it is a request")), json);
    assert_eq!(read("[]"), None);
}

proptest! {
    #![proptest_config(config(192))]

    /// Both encodings mean the same, and what the twin says.
    #[test]
    fn both_encodings_mean_the_same(
        pushes in proptest::collection::vec((otlp_both(&everything().families), 0..5_000_u64), 1..6)
    ) {
        let (mut json, mut protobuf) = (Pair::new(&everything()), Pair::new(&everything()));
        for ((as_json, as_protobuf), wait) in pushes {
            let first = json.push(Format::OtlpJson, &as_json);
            let second = protobuf.push(Format::OtlpProtobuf, &as_protobuf);
            prop_assert_eq!(first, second);
            for pair in [&mut json, &mut protobuf] {
                pair.check();
                pair.now = pair.now.after(std::time::Duration::from_millis(wait));
            }
        }
    }

    /// Where there is less room, and a schema of every policy.
    #[test]
    fn totals_of_mixed_families(
        pushes in proptest::collection::vec(otlp_both(&mixed().families), 1..8)
    ) {
        let mut pair = Pair::new(&mixed());
        for (_, body) in pushes {
            pair.push(Format::OtlpProtobuf, &body).unwrap();
            pair.check();
            pair.now = pair.now.after(std::time::Duration::from_millis(700));
        }
    }
}

#[test]
fn a_push_of_nothing_is_a_push() {
    let agg = aggregator("", start());
    for (format, body) in [
        (Format::OtlpJson, &b"{}"[..]),
        (Format::OtlpJson, b"{\"resourceMetrics\":[]}"),
        (Format::OtlpProtobuf, b""),
        (Format::OtlpProtobuf, &Request::default().encode_to_vec()),
    ] {
        let report = agg.push(format, body, &Source::default(), start()).unwrap();
        assert_eq!((report.accepted(), report.n_refused(), report.batches()), (0, 0, 1));
    }
}
