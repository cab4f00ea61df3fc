//! Bad requests of OpenTelemetry, and good ones that look bad.

use lastmile::Format::{OtlpJson, OtlpProtobuf};

use super::Rows;
use crate::otlp_proto::{self, Request};

/// A request with one metric, and where that stands in it.
fn one(metric: &str) -> (String, usize) {
    let before = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":["#;
    (format!("{before}{metric}]}}]}}]}}"), before.len())
}

/// A point of `plain_total`.
fn point(point: &str) -> (String, usize) {
    let before = r#"{"name":"plain_total","sum":{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":["#;
    let (body, at) = one(&format!("{before}{point}]}}}}"));
    (body, at + before.len())
}

fn histogram(point: &str) -> String {
    one(&format!(r#"{{"name":"wait_seconds","histogram":{{"aggregationTemporality":1,"dataPoints":[{point}]}}}}"#)).0
}

fn exponential(point: &str) -> String {
    one(&format!(r#"{{"name":"wait_seconds","exponentialHistogram":{{"aggregationTemporality":1,"dataPoints":[{point}]}}}}"#)).0
}

pub(super) fn rows(rows: &mut Rows, huge: usize) {
    shapes(rows);
    values(rows);
    types(rows);
    counted(rows);
    wire(rows);
    large(rows, huge);
}

/// What is JSON, and what is a request.
fn shapes(rows: &mut Rows) {
    for (name, body, n) in [
        ("nothing", "{}".to_owned(), 0),
        ("null for all", "null".to_owned(), 0),
        ("null for a list", r#"{"resourceMetrics":null}"#.to_owned(), 0),
        ("unknown fields", r#"{"x":[{"y":1}],"resourceMetrics":[{"schemaUrl":"","z":{}}]}"#.to_owned(), 0),
        ("names in snake case are unknown", r#"{"resource_metrics":[{"scope_metrics":5}]}"#.to_owned(), 0),
        ("a metric without data", one(r#"{"name":"plain_total"}"#).0, 0),
        ("data that nobody knows", one(r#"{"name":"plain_total","future":{"dataPoints":[{}]}}"#).0, 0),
        ("data that is null", one(r#"{"name":"plain_total","sum":null}"#).0, 0),
        ("the name behind the points", one(r#"{"sum":{"dataPoints":[{"asInt":1}],"isMonotonic":true,"aggregationTemporality":1},"name":"plain_total"}"#).0, 1),
        ("an escaped key", point(r#"{"asInt":1}"#).0.replace("name", "n\\u0061me"), 1),
        ("points in two lists", one(r#"{"name":"plain_total","sum":{"dataPoints":[{"asInt":1}],"isMonotonic":true,"dataPoints":[{"asInt":1}],"aggregationTemporality":1}}"#).0, 2),
        ("two kinds of data, of which the last counts", one(r#"{"name":"plain_total","gauge":{"dataPoints":[{"asInt":1}]},"sum":{"dataPoints":[{"asInt":1}],"isMonotonic":true,"aggregationTemporality":1}}"#).0, 1),
        ("whole numbers as text and as numbers", point(r#"{"asInt":"2","startTimeUnixNano":5,"timeUnixNano":"6"},{"asInt":2},{"asInt":2.0},{"asInt":"2e0"}"#).0, 4),
        ("doubles as text", point(r#"{"asDouble":"2.5"},{"asDouble":2},{"asDouble":"1e2"}"#).0, 3),
        ("a point that says that it has no value", point(r#"{"flags":1},{"asInt":1}"#).0, 2),
        ("exemplars, and times that are none", point(r#"{"asInt":1,"exemplars":[{"asInt":5}],"startTimeUnixNano":"18446744073709551615"}"#).0, 1),
        ("blanks", " { \"resourceMetrics\" : [ ] } \n".to_owned(), 0),
    ] {
        rows.decoded(name, OtlpJson, body, n, &[]);
    }
    for (name, body, at) in [
        ("no body", String::new(), 0),
        ("a list", "[]".to_owned(), 0),
        ("a number", "1".to_owned(), 0),
        ("two requests", "{}{}".to_owned(), 2),
        ("a list that is none", r#"{"resourceMetrics":{}}"#.to_owned(), 19),
        ("an element that is none", r#"{"resourceMetrics":[1]}"#.to_owned(), 20),
        ("a body that breaks off", r#"{"resourceMetrics":[{"#.to_owned(), 21),
        ("protobuf", "\n\u{0}".to_owned(), 1),
    ] {
        rows.failed(name, OtlpJson, body, "syntax", at..=at);
    }
    for (name, wrong, at) in [
        ("a whole number that is none", r#"{"asInt":1.5}"#, 9),
        ("a whole number that is too large", r#"{"asInt":"9223372036854775808"}"#, 9),
        ("a whole number with a sign", r#"{"asInt":"+1"}"#, 9),
        ("a whole number that is empty", r#"{"asInt":""}"#, 9),
        ("a whole number with a zero before it", r#"{"asInt":"01"}"#, 9),
        ("a double that is a word", r#"{"asDouble":"one"}"#, 12),
        ("a double that is infinite in Rust's words", r#"{"asDouble":"inf"}"#, 12),
        ("a double that is true", r#"{"asDouble":true}"#, 12),
        ("a time below 0", r#"{"timeUnixNano":-1}"#, 16),
        ("flags that are too many", r#"{"flags":4294967296}"#, 9),
        ("attributes that are a map", r#"{"attributes":{}}"#, 14),
        ("a key that is a number", r#"{"attributes":[{"key":5}]}"#, 22),
        ("a value that is no object", r#"{"attributes":[{"key":"a","value":"b"}]}"#, 34),
        ("a text that is a number", r#"{"attributes":[{"value":{"stringValue":5}}]}"#, 39),
        ("a point that is a number", "7", 0),
    ] {
        let (body, before) = point(wrong);
        rows.failed(name, OtlpJson, body, "syntax", before + at..=before + at);
    }
    let (body, before) =
        one(r#"{"name":"x","sum":{"aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA"}}"#);
    rows.failed("an enum by its name", OtlpJson, body, "syntax", before + 44..=before + 44);
    rows.failed("no UTF-8", OtlpJson, b"{\"x\":\"\xff\"}", "invalid_utf8", 6..=6);
    rows.failed(
        "nested too deep",
        OtlpJson,
        format!("{{\"x\":{}", "[".repeat(40)),
        "too_deep",
        36..=36,
    );
}

fn values(rows: &mut Rows) {
    for (name, wrong, why) in [
        ("NaN", r#"{"asDouble":"NaN"}"#, "not_a_number"),
        ("no value", "{}", "not_a_number"),
        ("null", r#"{"asDouble":null}"#, "not_a_number"),
        ("Infinity", r#"{"asDouble":"Infinity"}"#, "not_finite"),
        ("too large for a float", r#"{"asDouble":1e999}"#, "not_finite"),
        ("an increment below 0", r#"{"asInt":-1}"#, "negative"),
        ("too large", r#"{"asInt":10001}"#, "too_large"),
    ] {
        rows.refused(name, OtlpJson, &point(wrong).0, why);
    }
    rows.decoded(
        "each point is refused alone",
        OtlpJson,
        point(r#"{"asInt":1},{"asInt":-1},{},{"asInt":2}"#).0,
        2,
        &[("negative", 1), ("not_a_number", 1)],
    );
}

fn types(rows: &mut Rows) {
    let sum = |name: &str, temporality: i32, monotonic: bool| {
        one(&format!(r#"{{"name":"{name}","sum":{{"aggregationTemporality":{temporality},"isMonotonic":{monotonic},"dataPoints":[{{"asInt":1}}]}}}}"#)).0
    };
    let gauge = |name: &str| {
        one(&format!(r#"{{"name":"{name}","gauge":{{"dataPoints":[{{"asInt":1}}]}}}}"#)).0
    };
    for (name, body, why) in [
        ("no such family", sum("nope", 1, true), "unknown_family"),
        ("a family of our own", sum("lastmile_reloads_total", 1, true), "unknown_family"),
        ("a counter that is not monotonic", sum("plain_total", 1, false), "type_mismatch"),
        ("a gauge that only rises", sum("users", 2, true), "type_mismatch"),
        ("increments of a level", sum("users", 1, false), "type_mismatch"),
        ("a level of no temporality", sum("users", 0, false), "malformed"),
        ("no temporality", sum("plain_total", 0, true), "malformed"),
        ("a temporality that is none", sum("plain_total", 3, true), "malformed"),
        ("a gauge as a counter", gauge("plain_total"), "type_mismatch"),
        ("a gauge as a histogram", gauge("wait_seconds"), "type_mismatch"),
        ("a sum as a histogram", sum("wait_seconds", 1, true), "type_mismatch"),
        (
            "a summary",
            one(r#"{"name":"wait_seconds","summary":{"dataPoints":[{"count":1}]}}"#).0,
            "type_mismatch",
        ),
        ("no label", sum("loads", 1, true), "missing_label"),
    ] {
        rows.refused(name, OtlpJson, &body, why);
    }
    rows.decoded("a level", OtlpJson, sum("users", 2, false), 1, &[]);
    rows.decoded("a gauge", OtlpJson, gauge("users"), 1, &[]);
    let loads = |value: &str| {
        one(&format!(r#"{{"name":"strict_total","sum":{{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{{"asInt":1,"attributes":[{{"key":"app","value":{{"stringValue":"{value}"}}}}]}}]}}}}"#)).0
    };
    rows.decoded("a value that is listed", OtlpJson, loads("student"), 1, &[]);
    rows.refused(
        "a value that is not listed, of a total",
        OtlpJson,
        &loads("admin"),
        "label_value",
    );
}

fn counted(rows: &mut Rows) {
    for (name, point, n) in [
        (
            "own bounds",
            r#"{"count":3,"sum":1,"explicitBounds":[0.1,1,2.5],"bucketCounts":["1","1","1","0"]}"#,
            1,
        ),
        ("other bounds", r#"{"count":2,"sum":1.5,"explicitBounds":[0.5],"bucketCounts":[1,1]}"#, 1),
        ("no buckets", r#"{"count":2,"sum":1.5}"#, 1),
        ("nothing counted", r#"{"count":0,"explicitBounds":[1],"bucketCounts":[0,0]}"#, 1),
        ("nothing at all", "{}", 1),
        (
            "least and most",
            r#"{"count":1,"sum":1.5,"min":1.5,"max":1.5,"explicitBounds":[],"bucketCounts":[1]}"#,
            1,
        ),
    ] {
        rows.decoded(name, OtlpJson, histogram(point), n, &[]);
    }
    for (name, point, why) in [
        (
            "a count that is not its buckets",
            r#"{"count":3,"sum":1,"explicitBounds":[1],"bucketCounts":[1,1]}"#,
            "malformed",
        ),
        (
            "as many buckets as bounds",
            r#"{"count":2,"sum":1,"explicitBounds":[1,2],"bucketCounts":[1,1]}"#,
            "malformed",
        ),
        ("bounds and no buckets", r#"{"count":2,"sum":1,"explicitBounds":[1,2]}"#, "malformed"),
        (
            "bounds that fall",
            r#"{"count":1,"sum":1,"explicitBounds":[2,1],"bucketCounts":[1,0,0]}"#,
            "malformed",
        ),
        (
            "a bound of NaN",
            r#"{"count":1,"sum":1,"explicitBounds":["NaN"],"bucketCounts":[1,0]}"#,
            "malformed",
        ),
        ("no sum", r#"{"count":1,"explicitBounds":[1],"bucketCounts":[1,0]}"#, "malformed"),
        (
            "counts beyond 64 bits",
            r#"{"count":1,"sum":1,"explicitBounds":[1],"bucketCounts":["18446744073709551615","2"]}"#,
            "malformed",
        ),
        (
            "a sum below 0",
            r#"{"count":1,"sum":-1,"explicitBounds":[1],"bucketCounts":[1,0]}"#,
            "negative",
        ),
        (
            "a sum of NaN",
            r#"{"count":1,"sum":"NaN","explicitBounds":[1],"bucketCounts":[1,0]}"#,
            "not_a_number",
        ),
        (
            "an infinite sum",
            r#"{"count":1,"sum":1e999,"explicitBounds":[1],"bucketCounts":[1,0]}"#,
            "not_finite",
        ),
        (
            "a sum beyond its count",
            r#"{"count":1,"sum":1e6,"explicitBounds":[1],"bucketCounts":[1,0]}"#,
            "too_large",
        ),
        (
            "too many in a bucket",
            r#"{"count":10001,"sum":1,"explicitBounds":[1],"bucketCounts":[10001,0]}"#,
            "bad_count",
        ),
        (
            "a bucket below 0",
            r#"{"count":1,"sum":0,"explicitBounds":[-1],"bucketCounts":[1,0]}"#,
            "negative",
        ),
        (
            "a bucket above all",
            r#"{"count":1,"sum":1,"explicitBounds":[1e9],"bucketCounts":[0,1]}"#,
            "too_large",
        ),
    ] {
        rows.refused(name, OtlpJson, &histogram(point), why);
    }
    for (name, point) in [
        (
            "exponential",
            r#"{"count":4,"sum":5,"scale":1,"zeroCount":1,"positive":{"offset":-2,"bucketCounts":[1,0,2]},"negative":{"offset":5,"bucketCounts":[0]}}"#,
        ),
        ("exponential, and nothing counted", "{}"),
        (
            "the finest scale",
            r#"{"count":1,"sum":1,"scale":20,"positive":{"offset":-1,"bucketCounts":[1]}}"#,
        ),
        (
            "the coarsest scale",
            r#"{"count":1,"sum":1,"scale":-10,"positive":{"offset":-1,"bucketCounts":["1"]}}"#,
        ),
        (
            "a bucket that reaches beyond every float",
            r#"{"count":1,"sum":5,"scale":-10,"positive":{"bucketCounts":[1]}}"#,
        ),
        (
            "tiny buckets",
            r#"{"count":1,"sum":0,"scale":0,"positive":{"offset":-2147483648,"bucketCounts":[1]}}"#,
        ),
        ("a threshold for zero", r#"{"count":1,"sum":0.01,"zeroCount":1,"zeroThreshold":0.05}"#),
    ] {
        rows.decoded(name, OtlpJson, exponential(point), 1, &[]);
    }
    for (name, point, why) in [
        (
            "below 0, exponentially",
            r#"{"count":1,"sum":-1,"negative":{"bucketCounts":[1]}}"#,
            "negative",
        ),
        (
            "a scale that is too fine",
            r#"{"count":1,"sum":1,"scale":21,"positive":{"bucketCounts":[1]}}"#,
            "malformed",
        ),
        (
            "a scale that is too coarse",
            r#"{"count":1,"sum":1,"scale":-11,"positive":{"bucketCounts":[1]}}"#,
            "malformed",
        ),
        (
            "an exponential count that is not its buckets",
            r#"{"count":2,"sum":1,"positive":{"bucketCounts":[1]}}"#,
            "malformed",
        ),
        (
            "a threshold below 0",
            r#"{"count":1,"sum":0,"zeroCount":1,"zeroThreshold":-1}"#,
            "malformed",
        ),
        (
            "an offset at the end of all",
            r#"{"count":1,"sum":1,"positive":{"offset":2147483647,"bucketCounts":[1]}}"#,
            "too_large",
        ),
        ("too many at zero", r#"{"count":10001,"sum":0,"zeroCount":10001}"#, "bad_count"),
    ] {
        rows.refused(name, OtlpJson, &exponential(point), why);
    }
}

/// The same points in protobuf, and what is none.
fn wire(rows: &mut Rows) {
    let encode = |json: &str| -> Vec<u8> {
        let request: Request = otlp_proto::read(json).expect("it is a request");
        prost::Message::encode_to_vec(&request)
    };
    rows.decoded("no body", OtlpProtobuf, "", 0, &[]);
    rows.decoded("a point", OtlpProtobuf, encode(&point(r#"{"asInt":1}"#).0), 1, &[]);
    rows.decoded("a double", OtlpProtobuf, encode(&point(r#"{"asDouble":1.5}"#).0), 1, &[]);
    rows.decoded(
        "a histogram",
        OtlpProtobuf,
        encode(&histogram(r#"{"count":2,"sum":1.5,"explicitBounds":[0.5],"bucketCounts":[1,1]}"#)),
        1,
        &[],
    );
    rows.decoded(
        "an exponential histogram",
        OtlpProtobuf,
        encode(&exponential(
            r#"{"count":2,"sum":1.5,"scale":3,"positive":{"offset":-9,"bucketCounts":[1,1]}}"#,
        )),
        1,
        &[],
    );
    // Two messages one after the other are one: their lists are joined.
    let twice = [encode(&point(r#"{"asInt":1}"#).0), encode(&point(r#"{"asInt":1}"#).0)].concat();
    rows.decoded("two requests are one", OtlpProtobuf, twice, 2, &[]);
    for (name, body) in [
        (
            "unknown fields of every type",
            &b"\x10\x01\x19AAAAAAAA\x22\x01x\x2dBBBB\x33\x38\x05\x34"[..],
        ),
        ("an empty resource", b"\x0a\x00"),
        ("a resource twice", b"\x0a\x04\x0a\x00\x0a\x00"),
        ("a long way to write a number", b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
    ] {
        rows.decoded(name, OtlpProtobuf, body, 0, &[]);
    }
    for (name, body, at) in [
        ("JSON", &b"{\"resourceMetrics\":[]}"[..], 0..=22),
        ("a length beyond the end", b"\x0a\x05\x0a", 2..=2),
        ("a number that breaks off", b"\x10\x80", 1..=1),
        ("a number of more than 64 bits", b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 1..=1),
        (
            "a number of more than ten bytes",
            b"\x10\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
            1..=1,
        ),
        ("a type that is none", b"\x0e", 0..=0),
        ("a field of number 0", b"\x00\x01", 0..=0),
        ("a group that does not end", b"\x33\x38\x05", 3..=3),
        ("a group that ends as another", b"\x33\x3c", 2..=2),
        ("a group that did not begin", b"\x34", 1..=1),
        ("a known field of another type", b"\x08\x01", 1..=1),
        ("eight bytes that are four", b"\x11\x00\x00\x00\x00", 1..=1),
    ] {
        rows.failed(name, OtlpProtobuf, body, "syntax", at);
    }
    let name = b"\x0a\x0b\x12\x09\x12\x07\x0a\x01\xff\x3a\x02\x0a\x00";
    rows.failed("a name that is no UTF-8", OtlpProtobuf, name, "invalid_utf8", 8..=8);
    let groups = [vec![0x33; 101], vec![0x34; 101]].concat();
    rows.failed("groups that are nested too deep", OtlpProtobuf, groups, "too_deep", 101..=101);
}

fn large(rows: &mut Rows, huge: usize) {
    let resource = |n: usize| {
        let attributes = vec!["{}"; n].join(",");
        format!(r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{attributes}]}}}}]}}"#)
    };
    rows.decoded("a resource of many attributes", OtlpJson, resource(256), 0, &[]);
    let (body, at) = (resource(257), resource(257).len() - "]}}]}".len());
    rows.failed("a resource of too many", OtlpJson, body, "too_many_points", at..=at);
    if huge < 1_000_000 {
        return;
    }
    let many = vec![r#"{"asInt":1}"#; 1 << 18].join(",");
    rows.decoded("as many points as may be", OtlpJson, point(&many).0, 1 << 18, &[]);
    let (body, _) = point(&format!("{many},{{}}"));
    let at = body.len() - r#"]}}]}]}]}"#.len();
    rows.failed("one point more", OtlpJson, body, "too_many_points", at..=at);
}
