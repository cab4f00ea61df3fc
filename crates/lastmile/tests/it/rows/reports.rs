//! Reports of browsers.

use lastmile::Format::Reports;

use super::Rows;

pub(super) fn rows(rows: &mut Rows, huge: usize) {
    shapes(rows, huge);
    network_errors(rows);
    others(rows);
}

/// A report of this type with this body.
fn one(kind: &str, about: &str) -> String {
    format!(
        r#"[{{"age":73,"body":{about},"type":"{kind}","url":"https://app.example/","user_agent":"Mozilla/5.0"}}]"#
    )
}

fn shapes(rows: &mut Rows, huge: usize) {
    rows.decoded("no report", Reports, "[]", 0, &[]);
    rows.decoded("blanks around none", Reports, " \r\n\t[ ] \n", 0, &[]);
    rows.decoded("one alone", Reports, r#"{"type":"crash","body":{}}"#, 1, &[]);
    for (name, body) in [
        ("a number as a report", "[7]"),
        ("null as a report", "[null]"),
        ("a list as a report", "[[]]"),
        ("an empty report", "[{}]"),
        ("no type", r#"[{"body":{"reason":"oom"}}]"#),
        ("a type that is null", r#"[{"type":null,"body":{"reason":"oom"}}]"#),
        ("a type that is a number", r#"[{"type":1,"body":{}}]"#),
        ("a type that is a list", r#"[{"type":["crash"],"body":{}}]"#),
        ("no body in a report", r#"[{"type":"crash"}]"#),
        ("a body that is null", r#"[{"type":"crash","body":null}]"#),
        ("a body that is text", r#"[{"type":"crash","body":"{}"}]"#),
        ("a body that is a list", r#"[{"type":"crash","body":[]}]"#),
        ("a csp-report that is text", r#"{"csp-report":"x"}"#),
        ("a csp-report and a type", r#"{"type":"crash","csp-report":{}}"#),
        ("the last of two bodies", r#"[{"type":"crash","body":{},"body":7}]"#),
        ("a reason that is a number", r#"[{"type":"crash","body":{"reason":7}}]"#),
        ("a reason that is an object", r#"[{"type":"crash","body":{"reason":{"oom":1}}}]"#),
    ] {
        rows.refused(name, Reports, body, "malformed");
    }
    let body = r#"[{"type":7,"body":{"reason":7,"reason":"oom"},"type":"cr\u0061sh"}]"#;
    rows.decoded("the last of two types, with escapes", Reports, body, 1, &[]);
    for (name, body, reason, at) in [
        ("no body", "", "syntax", 0),
        ("text", "\"x\"", "expected_array", 0),
        ("null", "null", "expected_array", 0),
        ("a number", " 7", "expected_array", 1),
        ("a list that does not end", r#"[{"type":"crash","body":{}}"#, "syntax", 27),
        ("a comma at the end", r#"[{"type":"crash","body":{}},]"#, "syntax", 28),
        ("two lists", "[] []", "syntax", 3),
        ("an object and a list", "{}[]", "syntax", 2),
        (
            "a syntax error behind a good report",
            r#"[{"type":"crash","body":{}},{"a"}]"#,
            "syntax",
            32,
        ),
        ("a syntax error in a body", r#"[{"type":"crash","body":{"reason":oom}}]"#, "syntax", 34),
        ("a line of lm1 and another", "{\"lm\":1,\"m\":{}}\n{\"lm\":1,\"m\":{}}", "syntax", 16),
    ] {
        rows.failed(name, Reports, body, reason, at..=at);
    }
    rows.failed("no UTF-8", Reports, b"[{\"type\":\"\xff\"}]", "invalid_utf8", 10..=10);
    let deep = "[".repeat(huge / 100);
    rows.failed("very many brackets", Reports, deep, "too_deep", 32..=32);
    let deep = one("crash", &format!("{{\"reason\":{}1{}}}", "[".repeat(30), "]".repeat(30)));
    rows.failed("a reason that is too deep", Reports, deep, "too_deep", 0..=100);
    let long = one("crash", &format!("{{\"x\":\"{}\"}}", "y".repeat(huge)));
    rows.decoded("a huge member that nobody looks at", Reports, long, 1, &[]);
    let long = one("crash", &format!("{{\"reason\":\"{}\"}}", "y".repeat(huge)));
    rows.decoded("a huge reason", Reports, long, 1, &[]);
    let long = one("deprecation", &format!("{{\"id\":\"{}\"}}", "y".repeat(huge)));
    rows.refused("a huge id", Reports, &long, "label_too_long");
    let long = one(&"y".repeat(huge), "{}");
    rows.refused("a huge type", Reports, &long, "unknown_report");
}

fn network_errors(rows: &mut Rows) {
    let refused = r#""phase":"dns","type":"tcp.refused","elapsed_time":143"#;
    for (name, more, accepted, reasons) in [
        ("a network error", "", 2, &[][..]),
        ("all of it", r#","sampling_fraction":1.0"#, 2, &[]),
        ("half of them", r#","sampling_fraction":0.5"#, 2, &[]),
        ("a fraction between", r#","sampling_fraction":0.3"#, 2, &[]),
        ("a thousandth", r#","sampling_fraction":0.001"#, 2, &[]),
        ("less than a thousandth", r#","sampling_fraction":1e-300"#, 2, &[]),
        ("a fraction of 0", r#","sampling_fraction":0"#, 2, &[]),
        ("a fraction above 1", r#","sampling_fraction":1e999"#, 2, &[]),
        ("a fraction that is null", r#","sampling_fraction":null"#, 2, &[]),
        ("a fraction below 0", r#","sampling_fraction":-0.5"#, 0, &[("bad_weight", 2)]),
        ("a fraction in quotes", r#","sampling_fraction":"1""#, 0, &[("bad_weight", 2)]),
        ("a fraction that is a list", r#","sampling_fraction":[1]"#, 0, &[("bad_weight", 2)]),
        ("the last of two times", r#","elapsed_time":"x""#, 1, &[("not_a_number", 1)]),
        ("a time below 0", r#","elapsed_time":-1"#, 1, &[("negative", 1)]),
        ("a time above all that may be", r#","elapsed_time":86400001"#, 1, &[("too_large", 1)]),
        ("a time that is infinite", r#","elapsed_time":1e999"#, 1, &[("not_finite", 1)]),
        ("a phase that is not listed", r#","phase":"ip""#, 2, &[]),
        ("a type that is not listed", r#","type":"tcp.melted""#, 2, &[]),
        ("a phase that is null", r#","phase":null"#, 2, &[]),
        ("a phase that is a number", r#","phase":1"#, 0, &[("malformed", 2)]),
        ("a type that is true", r#","type":true"#, 0, &[("malformed", 2)]),
        ("what went well", r#","type":"ok""#, 1, &[]),
        ("a phase of what went well", r#","type":"ok","phase":{}"#, 0, &[("malformed", 1)]),
        (
            "half of what went well",
            r#","type":"ok","sampling_fraction":"x""#,
            0,
            &[("bad_weight", 1)],
        ),
    ] {
        let about = format!("{{{refused}{more}}}");
        rows.decoded(name, Reports, one("network-error", &about), accepted, reasons);
    }
    let body = one("network-error", r#"{"phase":"dns","type":"tcp.refused"}"#);
    rows.decoded("no time", Reports, body, 1, &[("not_a_number", 1)]);
    let body = one("network-error", "{}");
    rows.decoded("nothing of an error", Reports, body, 1, &[("not_a_number", 1)]);
}

fn others(rows: &mut Rows) {
    for (name, kind, about) in [
        (
            "a CSP violation",
            "csp-violation",
            r#"{"effectiveDirective":"img-src","disposition":"enforce","blockedURL":"https://x.example/"}"#,
        ),
        (
            "a directive that is not listed",
            "csp-violation",
            r#"{"effectiveDirective":"x-src","disposition":"x"}"#,
        ),
        ("nothing of a violation", "csp-violation", "{}"),
        ("a crash", "crash", r#"{"reason":"oom","is_top_level":true}"#),
        ("a crash without a reason", "crash", r#"{"crash_report_api":{}}"#),
        (
            "a deprecation",
            "deprecation",
            r#"{"id":"UnloadHandler","message":"…","sourceFile":"https://app.example/a.js"}"#,
        ),
        ("an id that is null", "deprecation", r#"{"id":null}"#),
        ("an intervention", "intervention", r#"{"id":"HeavyAd"}"#),
        (
            "an embedder policy",
            "coep",
            r#"{"type":"worker initialization","disposition":"enforce"}"#,
        ),
        ("an opener policy", "coop", r#"{"type":"navigation-from-response"}"#),
        ("a permissions policy", "permissions-policy-violation", r#"{"policyId":"geolocation"}"#),
        (
            "a permissions policy of old",
            "permissions-policy-violation",
            r#"{"featureId":"camera"}"#,
        ),
        (
            "a permissions policy that might be",
            "potential-permissions-policy-violation",
            r#"{"policyId":null,"featureId":"usb"}"#,
        ),
        ("a document policy", "document-policy-violation", r#"{"policyId":"sync-xhr"}"#),
        ("no integrity", "integrity-violation", r#"{"destination":"script","blockedURL":""}"#),
    ] {
        rows.decoded(name, Reports, one(kind, about), 1, &[]);
    }
    for (name, about) in [
        (
            "a csp-report",
            r#"{"effective-directive":"img-src","violated-directive":"img-src","disposition":"report"}"#,
        ),
        (
            "a csp-report before CSP 3",
            r#"{"violated-directive":"img-src 'none'","document-uri":"https://app.example/"}"#,
        ),
        ("a directive of one word", r#"{"violated-directive":"img-src"}"#),
        ("an empty directive", r#"{"violated-directive":""}"#),
        ("an empty csp-report", "{}"),
    ] {
        rows.decoded(name, Reports, format!("{{\"csp-report\":{about}}}"), 1, &[]);
    }
    let legacy = r#"{"csp-report":{"violated-directive":["img-src"]}}"#;
    rows.refused("a directive that is a list", Reports, legacy, "malformed");
    let legacy = r#"{"csp-report":{"effective-directive":"img-src","disposition":1}}"#;
    rows.refused("a disposition that is a number", Reports, legacy, "malformed");
    for kind in
        ["security-violation", "cpu-on-fire", "csp-hash", "csp-report", "Crash", "crash ", "other"]
    {
        rows.refused(
            "a type that is not known",
            Reports,
            &one(kind, r#"{"id":"x"}"#),
            "unknown_report",
        );
    }
    let body = r#"[{"type":"crash","body":{"reason":"oom"}},7,{"type":"x","body":{}},{"type":"coop","body":{}}]"#;
    let refused = &[("malformed", 1), ("unknown_report", 1)];
    rows.decoded("good reports among bad ones", Reports, body, 2, refused);
}
