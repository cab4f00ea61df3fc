//! OpenTelemetry's metrics: `POST /v1/metrics` in both encodings.

use flate2::Compression;
use lastmile_http::{PublicOptions, Service, TEXT_BYTES_MAX};

use super::server::{Server, aggregator, gzip};

const JSON: &str = "POST /v1/metrics\ncontent-type: application/json";
const PROTOBUF: &str = "POST /v1/metrics\ncontent-type: application/x-protobuf";

/// Two points of `loads_total`, which its name in OpenTelemetry is without `_total`.
fn loads(first: &str, second: &str) -> String {
    let point = |app: &str| {
        format!(
            r#"{{"attributes":[{{"key":"app","value":{{"stringValue":"{app}"}}}}],"asInt":"1"}}"#
        )
    };
    format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"loads","sum":{{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":[{},{}]}}}}]}}]}}]}}"#,
        point(first),
        point(second)
    )
}

/// A field of bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let len = u8::try_from(bytes.len()).expect("short in tests");
    assert!(len < 0x80);
    [&[number << 3 | 2, len], bytes].concat()
}

/// One point of `loads_total` as protobuf.
fn protobuf(name: &str) -> Vec<u8> {
    let value = field(2, &field(1, b"student"));
    let attribute = field(7, &[field(1, b"app"), value].concat());
    let point = [attribute, vec![0x31, 1, 0, 0, 0, 0, 0, 0, 0]].concat();
    let sum = [field(1, &point), vec![0x10, 1, 0x18, 1]].concat();
    let metric = [field(1, name.as_bytes()), field(7, &sum)].concat();
    field(1, &field(2, &field(2, &metric)))
}

#[track_caller]
fn value(private: &Server, series: &str) -> String {
    let text = private.send("GET /metrics").body;
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("there is no {series}")).to_owned()
}

fn both() -> (Server, Server) {
    let agg = aggregator();
    (Server::start(Service::public(agg.clone())), Server::start(Service::private(agg)))
}

#[test]
fn both_encodings_are_answered_in_their_own() {
    let (public, private) = both();
    let all = "200\ncontent-type: application/json\naccess-control-allow-origin: *\n\n{}";
    public.check(&format!("{JSON}\n\n{}", loads("student", "student")), all);
    public.check(&format!("{JSON}; charset=utf-8\nprefer: return=representation\n\n{{}}"), all);
    let partial =
        r#"{"partialSuccess":{"rejectedDataPoints":"2","errorMessage":"unknown_family: 2"}}"#;
    let unknown = loads("student", "teacher").replace("loads", "nope");
    public.check(&format!("{JSON}\n\n{unknown}"), &format!("200\n\n{partial}"));

    let send = |body: &[u8]| {
        let answer =
            public.send_bytes(&format!("{PROTOBUF}\ncontent-length: {}", body.len()), body);
        assert_eq!(answer.header("content-type"), Some("application/x-protobuf"));
        (answer.status, answer.raw)
    };
    assert_eq!(send(&protobuf("loads")), (200, vec![]));
    assert_eq!(send(b""), (200, vec![]));
    let refused = [vec![0x08, 1], field(2, b"unknown_family: 1")].concat();
    assert_eq!(send(&protobuf("nope")), (200, field(1, &refused)));
    let message =
        b"The push did not decode: the message ends too early at byte 2. Nothing was counted.";
    assert_eq!(send(b"\x0a\x05"), (400, field(2, message)));
    for (series, wanted) in [
        ("loads_total{app=\"student\"}", "3"),
        ("lastmile_pushes_total{format=\"otlp_json\"}", "3"),
        ("lastmile_pushes_total{format=\"otlp_protobuf\"}", "3"),
        ("lastmile_refused_total{reason=\"unknown_family\"}", "3"),
    ] {
        assert_eq!(value(&private, series), wanted, "{series}");
    }
}

#[test]
fn errors_are_messages_of_their_encoding() {
    let options = PublicOptions::new().origins(["https://app.example"]).key("app", "k");
    let service = Service::public_with(aggregator(), &options).expect("the options are right");
    let server = Server::start(service);
    let key = "x-api-key: k";
    for (request, status, message) in [
        (
            format!("{JSON}\n{key}\n\n{{"),
            400,
            "The push did not decode: the text ends too early at byte 1. Nothing was counted.",
        ),
        (
            format!("{JSON}\n\n{{}}"),
            401,
            "Send a key that is known, in X-API-Key or as ?key=. Nothing was counted.",
        ),
        (
            format!("{JSON}\n{key}\norigin: https://other.example\n\n{{}}"),
            403,
            "Pages of this origin may not push here. Nothing was counted.",
        ),
        (
            format!("{JSON}\n{key}\ncontent-encoding: br\n\n{{}}"),
            415,
            "Send the body as it is, or as one of gzip, deflate and zstd.",
        ),
        (
            format!("{JSON}\n{key}\ncontent-length: 4194305"),
            413,
            "A push has at most 4194304 bytes. Nothing was counted.",
        ),
    ] {
        let wanted =
            format!("{status}\ncontent-type: application/json\n\n{{\"message\":\"{message}\"}}");
        server.check(&request, &wanted);
    }
    // What cannot be told to be a push of either encoding is a problem.
    for content_type in ["", "\ncontent-type: text/plain", "\ncontent-type: application/grpc"] {
        let problem = r#"{"title":"Unsupported Media Type","status":415,"detail":"Send application/json or application/x-protobuf. Nothing was counted.","reason":"media_type"}"#;
        server.check(
            &format!("POST /v1/metrics{content_type}\n{key}\n\n{{}}"),
            &format!("415\ncontent-type: application/problem+json\n\n{problem}"),
        );
    }
    let answer = server.send("GET /v1/metrics");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST, OPTIONS")));
    let preflight = "OPTIONS /v1/metrics\norigin: https://app.example\naccess-control-request-method: POST\naccess-control-request-headers: content-type";
    let answer = server.send(preflight);
    let allowed = answer.header("access-control-allow-headers").unwrap_or_default();
    assert!(answer.status == 204 && allowed.contains("content-type"), "{answer}");
}

#[test]
fn bodies_may_be_long_and_compressed() {
    let (public, private) = both();
    let body = loads("student", "teacher");
    let long = body.clone() + &" ".repeat(TEXT_BYTES_MAX - body.len());
    public.check(&format!("{JSON}\n\n{long}"), "200\n\n{}");
    let short = gzip(&long, Compression::default());
    let head = format!("{JSON}\ncontent-encoding: gzip\ncontent-length: {}", short.len());
    // A hundred times itself is the most, and blanks are more.
    assert_eq!(public.send_bytes(&head, &short).status, 413);
    let short = gzip(&body, Compression::default());
    let head = format!("{JSON}\ncontent-encoding: gzip\ncontent-length: {}", short.len());
    public.send_bytes(&head, &short).check(&head, "200\n\n{}");
    assert_eq!(value(&private, "loads_total{app=\"teacher\"}"), "2");
}

#[test]
fn a_repeated_request_is_counted_once() {
    let (public, private) = both();
    let request =
        format!("{JSON}\nidempotency-key: 0123456789abcdef\n\n{}", loads("student", "student"));
    public.check(&request, "200\n!lastmile-duplicate\n\n{}");
    public.check(&request, "200\nlastmile-duplicate: 1\n\n{}");
    assert_eq!(value(&private, "loads_total{app=\"student\"}"), "2");
}
