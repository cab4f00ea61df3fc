//! What a push is told.

use lastmile_http::Service;

use super::server::{Server, aggregator};

/// Two samples that are counted and three that are refused, for two reasons.
const MIXED: &str = r#"[
{"metricName":"loads_total","metricType":"counter","labels":{"app":"student"},"inc":2},
{"metricName":"load_seconds","metricType":"histogram","labels":{},"observations":[0.5,-1]},
{"metricName":"constructor","metricType":"counter","labels":{},"inc":1},
{"metricName":"load_seconds","metricType":"histogram","labels":{},"observations":["zz top"]}]"#;

#[test]
fn a_push_that_decodes_is_a_success() {
    let server = Server::start(Service::public(aggregator()));
    for push in ["[]", MIXED, r#"[{"metricName":"nothing","inc":1}]"#, "[1,null,{}]"] {
        server.check(&format!("POST /record\n\n{push}"), "204\n!content-type\n!content-length");
    }
    for push in
        [r#"{"lm":1,"m":{}}"#, r#"{"lm":1,"m":{"nothing":1}}"#, "\n{\"lm\":1,\"m\":{}}\r\n\n"]
    {
        server.check(&format!("POST /lm\n\n{push}"), "204\n!content-type\n!content-length");
    }
}

#[test]
fn a_report_is_sent_to_who_prefers_it() {
    let server = Server::start(Service::public(aggregator()));
    let prefer = "prefer: return=representation";
    let head = "200\ncontent-type: application/json\npreference-applied: return=representation";
    server.check(
        &format!("POST /record\n{prefer}\n\n{MIXED}"),
        &format!("{head}\n\n{{\"accepted\":2,\"refused\":{{\"unknown_family\":1,\"not_a_number\":1,\"negative\":1}}}}"),
    );
    server.check(
        &format!("POST /lm\n{prefer}\n\n{{\"lm\":1,\"m\":{{\"loads_total;app=student\":1}}}}"),
        &format!("{head}\n\n{{\"accepted\":1,\"refused\":{{}}}}"),
    );
    server.check(
        &format!("POST /record\n{prefer}\n\n[]"),
        &format!("{head}\n\n{{\"accepted\":0,\"refused\":{{}}}}"),
    );
    server.check("POST /record\nprefer: return=minimal\n\n[]", "204\n!preference-applied");
}

#[test]
fn lines_that_fail_are_named() {
    let server = Server::start(Service::public(aggregator()));
    let good = r#"{"lm":1,"m":{"loads_total;app=teacher":1}}"#;
    let failed = |line: usize, offset: usize, reason: &str, detail: &str| {
        format!(r#"{{"line":{line},"offset":{offset},"reason":"{reason}","detail":"{detail}"}}"#)
    };
    for prefer in ["", "\nprefer: return=representation"] {
        let answer = server.send(&format!(
            "POST /lm{prefer}\n\n{good}\n{{\"lm\":1,\"m\"\n\n{{\"lm\":2,\"m\":{{}}}}\n{good}"
        ));
        let (first, third) = (good.len() + 1, good.len() + 1 + 12);
        let detail_at = |n: usize| {
            let body: serde_json::Value = serde_json::from_str(&answer.body).expect("it is JSON");
            body["failed"][n]["detail"].as_str().expect("there is one").replace('"', "\\\"")
        };
        let wanted = [
            failed(2, first + 11, "syntax", &detail_at(0)),
            failed(4, third + 7, "unsupported_version", &detail_at(1)),
        ];
        answer.check(
            "two lines of four fail",
            &format!(
                "200\ncontent-type: application/json\n\n{{\"accepted\":2,\"refused\":{{}},\"failed\":[{},{}]}}",
                wanted[0], wanted[1]
            ),
        );
        assert!(detail_at(0).ends_with(&format!(" at byte {}", first + 11)), "{}", detail_at(0));
    }
}

#[test]
fn a_push_that_does_not_decode_is_told_why_and_where() {
    let server = Server::start(Service::public(aggregator()));
    for (path, push, reason, offset) in [
        ("/record", "", "syntax", 0),
        ("/record", "[", "syntax", 1),
        ("/record", "[{]", "syntax", 2),
        ("/record", "[]]", "syntax", 2),
        ("/record", "{}", "expected_array", 0),
        ("/record", " 7", "expected_array", 1),
        ("/record", "[\"~\"]", "invalid_utf8", 2),
        ("/record", "\u{feff}[]", "syntax", 0),
        ("/record", &"[".repeat(40_000), "too_deep", 32),
        ("/lm", "", "empty", 0),
        ("/lm", "\n \r\n", "empty", 0),
        ("/lm", "[]", "expected_object", 0),
        ("/lm", "\n[]", "expected_object", 1),
        ("/lm", r#"{"lm":1}"#, "missing_m", 0),
        ("/lm", r#"{"lm":1,"lm":1,"m":{}}"#, "duplicate_key", 8),
        ("/lm", r#"{"lm":1,"id":"short","m":{}}"#, "bad_id", 13),
    ] {
        let request = format!("POST {path}\n\n{push}");
        let answer = server.send(&request);
        let body: serde_json::Value = serde_json::from_str(&answer.body).expect("it is JSON");
        let detail = body["detail"].as_str().expect("there is one").to_owned();
        assert!(
            detail.starts_with("The push did not decode: ")
                && detail.ends_with(". Nothing was counted."),
            "{detail}"
        );
        let wanted = serde_json::json!({
            "title": "Bad Request", "status": 400, "detail": detail, "reason": reason, "offset": offset,
        });
        assert_eq!(body, wanted, "{request:.60}");
        let body = answer.body.clone();
        answer.check(&request, &format!("400\ncontent-type: application/problem+json\n\n{body}"));
    }
}

#[test]
fn nothing_before_a_fault_is_counted() {
    let agg = aggregator();
    let private = Server::start(Service::private(agg.clone()));
    let public = Server::start(Service::public(agg));
    let before = private.send("GET /metrics").body;
    assert_eq!(
        public.send(&format!("POST /record\n\n{},{{", MIXED.trim_end_matches(']'))).status,
        400
    );
    let after = private.send("GET /metrics").body;
    let own = |text: &str| {
        text.lines().filter(|line| line.starts_with("load")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(own(&before), own(&after));
    assert!(
        after.contains("lastmile_push_errors_total{format=\"record\",reason=\"syntax\"} 1\n"),
        "{after}"
    );
}
