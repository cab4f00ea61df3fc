//! Requests that others wrote, names, attributes, and ids.

use std::fs;
use std::path::Path;

use lastmile::{Family, Format, Schema, Source};

use super::{aggregator, exposition, push_both};
use crate::oracle::{natives, start};

/// One metric with points, as JSON.
pub(super) fn request(metric: &str) -> String {
    format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"shop"}}}}]}},"scopeMetrics":[{{"metrics":[{metric}]}}]}}]}}"#
    )
}

fn sum(name: &str, unit: &str, attributes: &str) -> String {
    request(&format!(
        r#"{{"name":"{name}","unit":"{unit}","sum":{{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":[{{"attributes":[{attributes}],"asInt":"3"}}]}}}}"#
    ))
}

fn text(key: &str, value: &str) -> String {
    format!(r#"{{"key":"{key}","value":{value}}}"#)
}

#[test]
fn the_worked_page_load() {
    let wire = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/wire");
    let Ok(json) = fs::read(wire.join("worked-otlp.json")) else {
        println!("skipped: no {}", wire.display());
        return;
    };
    let protobuf = fs::read(wire.join("worked-otlp.pb")).unwrap();
    let families = r#"
        [[family]]
        name = "app_load_succeeded"
        type = "counter"
        labels = [{ name = "app", values = ["student"] }]
        [[family]]
        name = "usage_total"
        type = "counter"
        labels = [{ name = "feature", max_values = 9 }, { name = "browser", max_values = 9 }]
        [[family]]
        name = "lm_errors_total"
        type = "counter"
        labels = [{ name = "kind", max_values = 9 }, { name = "service_name", max_values = 9 }]
        [[family]]
        name = "firebase_response_time"
        type = "histogram"
        bounds = [0.01, 0.05, 0.1, 0.2, 0.5, 1, 1.2, 1.5, 2, 5, 10]
        labels = [{ name = "firebaseHost", max_values = 9 }]
        [[family]]
        name = "lm_web_vital"
        type = "histogram"
        bounds = [0.2, 1]
        native = { schema = 3 }
        labels = [{ name = "name", max_values = 9 }]
    "#;
    let agg = aggregator(families, start());
    for (times, (format, body)) in
        [(Format::OtlpJson, &json), (Format::OtlpProtobuf, &protobuf)].into_iter().enumerate()
    {
        let report = agg.push(format, body, &Source::default(), start()).unwrap();
        let refused: Vec<_> = report.refused().map(|(why, n)| (why.as_str(), n)).collect();
        assert_eq!((report.accepted(), refused), (10, vec![("unknown_family", 2)]));
        let now = exposition(&agg, start());
        let times = times as f64 + 1.0;
        for (name, labels, value) in [
            ("app_load_succeeded", &[("app", "student")][..], 1.0),
            ("usage_total", &[("feature", "quickQuestion"), ("browser", "chrome")], 3.0),
            ("lm_errors_total", &[("kind", "js"), ("service_name", "unknown_service:node")], 1.0),
            (
                "firebase_response_time_bucket",
                &[("firebaseHost", "pd-dev-1.firebaseio.com"), ("le", "0.1")],
                3.0,
            ),
            ("firebase_response_time_sum", &[("firebaseHost", "pd-dev-1.firebaseio.com")], 3.4564),
            ("lm_web_vital_bucket", &[("name", "LCP"), ("le", "1.0")], 1.0),
            ("lm_web_vital_bucket", &[("name", "FCP"), ("le", "0.2")], 0.0),
        ] {
            assert_eq!(now.value(name, labels), Some(value * times), "{name} {labels:?}");
        }
    }
}

#[test]
fn the_official_example() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    let Ok(json) = fs::read_to_string(shared.join("otlp-examples/metrics.json")) else {
        println!("skipped: no {}", shared.display());
        return;
    };
    let family = |name: &str, kind: &str, label: &str, more: &str| {
        format!(
            "[[family]]\nname = '{name}'\ntype = '{kind}'\n{more}\nlabels = [{{ name = '{label}', max_values = 9 }}]\n"
        )
    };
    let families = [
        family("my_counter_total", "counter", "my_counter_attr", ""),
        family("my_gauge_ratio", "gauge", "my.gauge.attr", ""),
        family("my_histogram", "histogram", "my_histogram_attr", "bounds = [1, 2]"),
        family(
            "my_exponential_histogram",
            "histogram",
            "my_exponential_histogram_attr",
            "bounds = [2, 8]\nnative = { schema = 3 }",
        ),
    ];
    let families = families.concat();
    let pair = [&aggregator(&families, start()), &aggregator(&families, start())];
    assert_eq!(push_both(&json, pair, start()).accepted(), 4);
    for agg in pair {
        let now = exposition(agg, start());
        let of = |label| (label, "some value");
        for (name, labels, value) in [
            ("my_counter_total", vec![of("my_counter_attr")], 5.0),
            // As text 0.0.4 writes what is no name of its own.
            ("my_gauge_ratio", vec![of("my_gauge_attr")], 10.0),
            ("my_histogram_bucket", vec![of("my_histogram_attr"), ("le", "1.0")], 1.0),
            ("my_histogram_count", vec![of("my_histogram_attr")], 2.0),
            (
                "my_exponential_histogram_bucket",
                vec![of("my_exponential_histogram_attr"), ("le", "2.0")],
                1.0,
            ),
            (
                "my_exponential_histogram_bucket",
                vec![of("my_exponential_histogram_attr"), ("le", "8.0")],
                3.0,
            ),
            ("my_exponential_histogram_sum", vec![of("my_exponential_histogram_attr")], 10.0),
        ] {
            let found = now.value(name, &labels);
            assert_eq!(found, Some(value), "{name} {labels:?}");
        }
        let natives = natives(agg, start());
        let (_, (schema, zeros, buckets)) = natives.iter().next().expect("one has them");
        assert_eq!((*schema, *zeros), (0, 1), "no finer than what came");
        assert_eq!(buckets.iter().map(|(i, n)| (*i, *n)).collect::<Vec<_>>(), [(3, 2)]);
    }
}

#[test]
fn names_are_found_by_prometheus_rules() {
    let family =
        |name: &str, more: &str| format!("[[family]]\nname = '{name}'\ntype = 'counter'\n{more}\n");
    let families = [
        family("app_loads_total", ""),
        family("app.clicks", ""),
        family("sent_bytes_total", "unit = 'bytes'"),
        family("plain_name", ""),
        family("renamed_total", "otel = 'old.name'"),
        family("taken", "otel = 'app.taken'"),
        family("app_taken_total", ""),
    ]
    .concat();
    for (name, unit, wanted) in [
        ("app.loads", "", Ok("app_loads_total")),
        ("app.loads", "1", Ok("app_loads_total")),
        ("app.loads", "{load}", Ok("app_loads_total")),
        ("app/loads.total", "", Ok("app_loads_total")),
        ("app_loads_total", "", Ok("app_loads_total")),
        ("app.loads", "By", Ok("app_loads_total")),
        // As text 0.0.4 writes what is no name of its own.
        ("app.clicks", "", Ok("app_clicks")),
        ("sent", "By", Ok("sent_bytes_total")),
        ("sent.bytes", "", Ok("sent_bytes_total")),
        ("sent_bytes_total", "kBy", Err("type_mismatch")),
        ("sent", "kBy", Err("unknown_family")),
        ("plain.name", "", Ok("plain_name")),
        ("old.name", "", Ok("renamed_total")),
        ("renamed", "", Ok("renamed_total")),
        ("app.taken", "", Ok("taken")),
        ("", "", Err("unknown_family")),
        ("App.loads", "", Err("unknown_family")),
    ] {
        let pair = [&aggregator(&families, start()), &aggregator(&families, start())];
        let report = push_both(&sum(name, unit, ""), pair, start());
        let refused = report.refused().next().map(|(why, _)| why.as_str());
        let now = exposition(pair[0], start());
        match wanted {
            Ok(family) => assert_eq!(now.value(family, &[]), Some(3.0), "{name} {unit}"),
            Err(why) => assert_eq!(refused, Some(why), "{name} {unit}"),
        }
        assert_eq!(report.accepted() + report.n_refused(), 1);
    }
    let build = |families: [Family; 2]| {
        families.into_iter().fold(Schema::builder(), |all, family| all.family(family)).build()
    };
    for (otel, other, why) in [
        ("a.b", Family::counter("other_total").otel("a.b"), "is what family"),
        ("other_total", Family::counter("other_total"), "is the name of another family"),
        ("", Family::counter("other_total"), "is empty"),
    ] {
        let error = build([Family::counter("x_total").otel(otel), other]).unwrap_err().to_string();
        assert!(error.contains("field `otel`") && error.contains(why), "{error}");
    }
}

#[test]
fn attributes_become_labels() {
    let families = "
        [[family]]
        name = 'loads_total'
        type = 'counter'
        labels = [{ name = 'v', max_values = 99 }, { name = 'service_name', max_values = 9 }]
    ";
    for (attributes, wanted) in [
        (text("v", r#"{"stringValue":"a\"b\n"}"#), Ok(("a\"b\n", "shop"))),
        (text("v", r#"{"stringValue":""}"#), Ok(("", "shop"))),
        (text("v", r#"{"boolValue":true}"#), Ok(("true", "shop"))),
        (text("v", r#"{"intValue":"-5"}"#), Ok(("-5", "shop"))),
        (text("v", r#"{"intValue":7}"#), Ok(("7", "shop"))),
        (text("v", r#"{"doubleValue":1.0}"#), Ok(("1", "shop"))),
        (text("v", r#"{"doubleValue":2.5e-9}"#), Ok(("2.5e-9", "shop"))),
        (text("v", r#"{"doubleValue":1e21}"#), Ok(("1e+21", "shop"))),
        (text("v", r#"{"doubleValue":"-Infinity"}"#), Ok(("-Infinity", "shop"))),
        (text("v", r#"{"arrayValue":{"values":[]}}"#), Err("malformed")),
        (text("v", r#"{"bytesValue":"AA=="}"#), Err("malformed")),
        (text("v", "{}"), Err("missing_label")),
        (text("w", r#"{"stringValue":"a"}"#), Err("missing_label")),
        (
            format!("{},{}", text("v", r#"{"intValue":1}"#), text("v", r#"{"intValue":1}"#)),
            Err("malformed"),
        ),
        (
            format!(
                "{},{}",
                text("service.name", r#"{"stringValue":"own"}"#),
                text("v", r#"{"intValue":1}"#)
            ),
            Ok(("1", "own")),
        ),
        (
            format!(
                "{},{},{}",
                text("service.name", r#"{"stringValue":"dots"}"#),
                text("service_name", r#"{"stringValue":"exact"}"#),
                text("v", r#"{"intValue":1}"#)
            ),
            Ok(("1", "exact")),
        ),
        (
            format!(
                "{},{},{}",
                text("service.name", r#"{"stringValue":"dots"}"#),
                text("service-name", r#"{"stringValue":"dash"}"#),
                text("v", r#"{"intValue":1}"#)
            ),
            Err("malformed"),
        ),
        (
            format!("{},{}", text("more", r#"{"kvlistValue":{}}"#), text("v", r#"{"intValue":1}"#)),
            Ok(("1", "shop")),
        ),
    ] {
        let pair = [&aggregator(families, start()), &aggregator(families, start())];
        let report = push_both(&sum("loads", "", &attributes), pair, start());
        for agg in pair {
            let now = exposition(agg, start());
            match wanted {
                Ok((v, service)) => {
                    let labels = [("v", v), ("service_name", service)];
                    assert_eq!(now.value("loads_total", &labels), Some(3.0), "{attributes}");
                }
                Err(why) => {
                    let refused: Vec<_> = report.refused().map(|(r, n)| (r.as_str(), n)).collect();
                    assert_eq!(refused, [(why, 1)], "{attributes}");
                }
            }
        }
    }
}

#[test]
fn series_that_differ_in_what_is_not_declared_are_one() {
    let families = "
        [[family]]
        name = 'loads_total'
        type = 'counter'
        [[family]]
        name = 'up_total'
        type = 'counter'
    ";
    let agg = aggregator(families, start());
    let point = |page: &str, n: u32| {
        format!(
            r#"{{"attributes":[{}],"startTimeUnixNano":"1767225601000000000","timeUnixNano":"1767225602000000000","asInt":"{n}"}}"#,
            text("page", &format!(r#"{{"stringValue":"{page}"}}"#))
        )
    };
    let metric = |name: &str, temporality: u8, a: u32, b: u32| {
        request(&format!(
            r#"{{"name":"{name}","sum":{{"aggregationTemporality":{temporality},"isMonotonic":true,"dataPoints":[{},{}]}}}}"#,
            point("a", a),
            point("b", b)
        ))
    };
    let now = start().after(std::time::Duration::from_secs(3));
    for (body, loads, up) in [
        (metric("loads", 1, 3, 4), 7.0, 0.0),
        (metric("up", 2, 3, 4), 7.0, 7.0),
        (metric("up", 2, 3, 4), 7.0, 7.0),
        (metric("up", 2, 5, 4), 7.0, 9.0),
    ] {
        let report = agg.push(Format::OtlpJson, body.as_bytes(), &Source::default(), now).unwrap();
        assert_eq!(report.accepted(), 2);
        let seen = exposition(&agg, now);
        let values = (seen.value("loads_total", &[]), seen.value("up_total", &[]));
        assert_eq!(values, (Some(loads), Some(up)), "{body}");
    }
}

#[test]
fn a_key_names_a_request() {
    let agg = aggregator("[[family]]\nname = 'loads_total'\ntype = 'counter'\n", start());
    let source = Source::default().idempotency_key("0123456789abcdef");
    let cumulative = sum("loads", "", "").replace(r#"Temporality":1"#, r#"Temporality":2"#);
    let cumulative = cumulative.replace(
        r#""asInt""#,
        r#""startTimeUnixNano":"1767225600500000000","timeUnixNano":"1767225600900000000","asInt""#,
    );
    let now = start().after(std::time::Duration::from_secs(1));
    let push = |body: &str| agg.push(Format::OtlpJson, body.as_bytes(), &source, now).unwrap();
    assert_eq!(push(&cumulative).accepted(), 1);
    assert_eq!(push(&cumulative).duplicate_samples(), 1);
    assert_eq!(push(&sum("loads", "", "")).n_refused(), 1, "another body");
    assert_eq!(exposition(&agg, now).value("loads_total", &[]), Some(3.0));
}
