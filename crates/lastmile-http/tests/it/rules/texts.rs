//! Prometheus text that adds: `POST /metrics` and the labels of its path.

use lastmile_http::{PublicOptions, Service, TEXT_BYTES_MAX};

use super::server::{Server, aggregator, value};

/// What `promjs` 0.4.2 writes of one page load: a counter, and a histogram with its series without labels.
const PROMJS: &str = "# HELP loads_total Loads.\n# TYPE loads_total counter\nloads_total{app=\"student\"} 2\n\
    # HELP load_seconds Time.\n# TYPE load_seconds histogram\nload_seconds_count 3\nload_seconds_sum 1.75\n\
    load_seconds_bucket{le=\"1\"} 2\nload_seconds_bucket{le=\"+Inf\"} 3\nload_seconds_bucket{le=\"0.1\"} 1\n\n";

const STUDENT: &str = "loads_total{app=\"student\"}";

fn both() -> (Server, Server) {
    let agg = aggregator();
    (Server::start(Service::public(agg.clone())), Server::start(Service::private(agg)))
}

#[test]
fn pushes_add() {
    let (public, private) = both();
    for path in ["/metrics", "/metrics/", "/metrics?x=/job/y"] {
        public.check(&format!("POST {path}\n\n{PROMJS}"), "204\naccess-control-allow-origin: *");
    }
    for (series, wanted) in [
        (STUDENT, "6"),
        ("load_seconds_bucket{le=\"0.1\"}", "3"),
        ("load_seconds_bucket{le=\"1.0\"}", "6"),
        ("load_seconds_bucket{le=\"+Inf\"}", "9"),
        ("load_seconds_count", "9"),
        ("load_seconds_sum", "5.25"),
        ("lastmile_pushes_total{format=\"prom_text\"}", "3"),
        ("lastmile_samples_total{format=\"prom_text\"}", "18"),
    ] {
        let value = value(&private, series);
        assert_eq!(value, wanted, "{series}");
    }
}

#[test]
fn what_is_refused_is_told() {
    let (public, private) = both();
    let asks = "POST /metrics\nprefer: return=representation\n\n";
    public.check(
        &format!("{asks}loads_total{{app=\"student\"}} 1\nnope 2\nloads_total 3\n"),
        "200\n\n{\"accepted\":1,\"refused\":{\"unknown_family\":1,\"missing_label\":1}}",
    );
    let body = "loads_total{app=\"student\"} 1\nloads_total{app=\"student\" or\"} 1\n";
    let at = body.rfind("or").expect("it is there");
    let problem = format!(
        r#"{{"title":"Bad Request","status":400,"detail":"The push did not decode: expected `,` or `}}` at byte {at}. Nothing was counted.","reason":"syntax","offset":{at}}}"#
    );
    public.check(&format!("POST /metrics\n\n{body}"), &format!("400\n\n{problem}"));
    assert_eq!(value(&private, STUDENT), "1", "a body that does not decode changes nothing");
}

#[test]
fn a_path_names_labels() {
    let (public, private) = both();
    for (path, body, wanted) in [
        ("/metrics/app/student", "loads_total 1", r#"{"accepted":1,"refused":{}}"#),
        ("/metrics/%61pp/s%74udent", "loads_total{} 1", r#"{"accepted":1,"refused":{}}"#),
        ("/metrics/app@base64/c3R1ZGVudA", "loads_total 1", r#"{"accepted":1,"refused":{}}"#),
        ("/metrics/app@base64/c3R1ZGVudA==", "loads_total 1", r#"{"accepted":1,"refused":{}}"#),
        (
            "/metrics/app/teacher",
            "loads_total{app=\"student\"} 1",
            r#"{"accepted":0,"refused":{"malformed":1}}"#,
        ),
        ("/metrics/app/a/app/b", "loads_total 1", r#"{"accepted":0,"refused":{"malformed":1}}"#),
        (
            "/metrics/app/student/x/y",
            "loads_total 1",
            r#"{"accepted":0,"refused":{"unknown_label":1}}"#,
        ),
        (
            "/metrics/le/1",
            "load_seconds_bucket 1",
            r#"{"accepted":0,"refused":{"unknown_label":1}}"#,
        ),
        ("/metrics/app/student", "nope 1", r#"{"accepted":0,"refused":{"unknown_family":1}}"#),
    ] {
        let request = format!("POST {path}\nprefer: return=representation\n\n{body}\n");
        public.check(&request, &format!("200\n\n{wanted}"));
    }
    assert_eq!(value(&private, STUDENT), "4");
    for (path, detail) in [
        ("/metrics/app", "The last label has no value."),
        ("/metrics/app/student/", "A label has no name."),
        ("/metrics//student", "A label has no name."),
        ("/metrics/app/%ff", "A label's value is no UTF-8 or has a `%` that is none."),
        ("/metrics/app@base64/*", "A label's value is no base64 of UTF-8."),
    ] {
        let problem = format!(
            r#"{{"title":"Bad Request","status":400,"detail":"{detail}","reason":"path"}}"#
        );
        public.check(&format!("POST {path}\n\nloads_total 1\n"), &format!("400\n\n{problem}"));
    }
    assert_eq!(value(&private, STUDENT), "4");
    assert_eq!(value(&private, "lastmile_requests_refused_total{reason=\"path\"}"), "5");
}

#[test]
fn on_one_listener_the_method_tells_push_and_scrape_apart() {
    let server = Server::start(Service::public_and_private(aggregator()));
    server.check(&format!("POST /metrics\n\n{PROMJS}"), "204");
    assert_eq!(value(&server, STUDENT), "2");
    assert_eq!(server.send("HEAD /metrics").status, 200);
    let preflight =
        "OPTIONS /metrics\norigin: https://app.example\naccess-control-request-method: POST";
    server.check(
        preflight,
        "204\nallow: GET, HEAD, POST, OPTIONS\naccess-control-allow-methods: POST",
    );
    server.check(&preflight.replace("/metrics", "/metrics/app/x"), "204\nallow: POST, OPTIONS");
}

#[test]
fn a_key_names_a_path_and_a_body() {
    let (public, private) = both();
    let key = "idempotency-key: 0123456789abcdef";
    for (path, header) in [
        ("/metrics/app/student", "!lastmile-duplicate"),
        ("/metrics/app/student", "lastmile-duplicate: 1"),
        ("/metrics/app/teacher", "!lastmile-duplicate"),
    ] {
        let request = format!("POST {path}\n{key}\n\nloads_total 1\n");
        public.check(&request, &format!("204\n{header}"));
    }
    assert_eq!(value(&private, STUDENT), "1");
    assert_eq!(value(&private, "loads_total{app=\"teacher\"}"), "1");
    let refused = r#"{"accepted":0,"refused":{"id_conflict":1}}"#;
    let other = format!(
        "POST /metrics/app/student\n{key}\nprefer: return=representation\n\nloads_total 2\n"
    );
    public.check(&other, &format!("200\n\n{refused}"));
}

#[test]
fn text_may_be_longer() {
    let (public, private) = both();
    let line = "loads_total{app=\"student\"} 1\n";
    let body = |n: usize| line.to_owned() + &"#".repeat(n - line.len());
    public.check(&format!("POST /metrics\n\n{}", body(TEXT_BYTES_MAX)), "204");
    let problem = r#"{"title":"Payload Too Large","status":413,"detail":"A push has at most 4194304 bytes. Nothing was counted.","reason":"body_too_large"}"#;
    public.check("POST /metrics\ncontent-length: 4194305", &format!("413\n\n{problem}"));
    assert_eq!(value(&private, STUDENT), "1");

    let options = PublicOptions::new().text_bytes(100, 200).routes(["/metrics"]);
    let service = Service::public_with(aggregator(), &options).expect("the options are right");
    assert_eq!(service.paths().count(), 3);
    let server = Server::start(service);
    server.check(&format!("POST /metrics/\n\n{}", body(100)), "204");
    assert_eq!(server.send(&format!("POST /metrics/app/x\n\n{}", body(101))).status, 413);
    assert_eq!(server.send("POST /lm\n\n").status, 404);

    // What all bodies may have is no less than one may, unless somebody says so.
    let small = PublicOptions::new().bytes_in_flight(400_000);
    assert!(small.check().is_ok() && small.text_bytes(1, 400_000).check().is_err());
}
