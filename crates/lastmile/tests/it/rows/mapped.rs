//! Faro's payloads and other clients' beacons.

use lastmile::Format::{Beacon, Faro};

use super::Rows;

pub(super) fn rows(rows: &mut Rows, huge: usize) {
    json(rows, huge);
    forms(rows);
    faro(rows, huge);
}

fn json(rows: &mut Rows, huge: usize) {
    for (name, body, n) in [
        ("a beacon", r#"{"kind":"click"}"#, 1),
        ("a beacon of several samples", r#"{"kind":"tap","took":12.5,"data":{"dns":3}}"#, 3),
        ("beacons in a list", r#"[{"took":1},{"took":2,"entries":[{"took":"x"}]}]"#, 2),
        ("no beacons in a list", " [ ] ", 0),
        ("a name with a dot", r#"{"data.dns":250}"#, 1),
        ("a field twice", r#"{"took":"x","took":20}"#, 1),
        ("an escaped name", r#"{"to\u006fk":20}"#, 1),
        ("an escaped value", r#"{"kind":"\u0063lick"}"#, 1),
        ("objects in objects", r#"{"a":{"x":1,"b":{"users":7,"y":{}}}}"#, 1),
        ("labels of each type", r#"{"value":1,"page":42,"device":true}"#, 1),
        (
            "a condition on a boolean",
            r#"{"kind":"view","sure":true,"url":"https://a.example/users/42?x"}"#,
            1,
        ),
        ("a condition on a number", r#"{"kind":"view","sure":1,"url":"/home"}"#, 1),
        ("a URL that is none", r#"{"kind":"view","sure":1,"url":"home"}"#, 1),
        ("a label that the server sets", r#"{"kind":"region","n":3,"region":"us"}"#, 1),
        ("a strange label", r#"{"value":1,"page":"a\"\\\nb\ud83d\ude00","device":"phone"}"#, 1),
    ] {
        rows.decoded(name, Beacon, body, n, &[]);
    }
    for (name, body, why) in [
        ("a beacon without what is mapped", r#"{"other":1}"#, "unknown_family"),
        ("an empty beacon", "{}", "unknown_family"),
        ("a condition that does not hold", r#"{"kind":"scroll"}"#, "unknown_family"),
        ("half a condition", r#"{"kind":"view","url":"/"}"#, "unknown_family"),
        ("a condition on null", r#"{"kind":null}"#, "unknown_family"),
        ("a number as text", r#"{"took":"12"}"#, "not_a_number"),
        ("a number that is null", r#"{"took":null}"#, "not_a_number"),
        ("a number that is an object", r#"{"took":{"a":1}}"#, "not_a_number"),
        ("a number that is a list", r#"{"took":[1]}"#, "not_a_number"),
        ("a number that is true", r#"{"took":true}"#, "not_a_number"),
        ("an infinite number", r#"{"took":1e999}"#, "not_finite"),
        ("a negative number", r#"{"took":-1}"#, "negative"),
        ("a number that is too large", r#"{"took":86400001}"#, "too_large"),
        ("no label", r#"{"value":1,"page":"/"}"#, "missing_label"),
        ("a label that is null", r#"{"value":1,"page":null,"device":"phone"}"#, "missing_label"),
        ("a label that is a list", r#"{"value":1,"page":[],"device":"phone"}"#, "missing_label"),
        ("no URL", r#"{"kind":"view","sure":1}"#, "missing_label"),
        ("a list of a number", "[1]", "malformed"),
        ("a list of a list", r#"[[{"took":1}]]"#, "malformed"),
    ] {
        rows.refused(name, Beacon, body, why);
    }
    let long = format!(r#"{{"value":1,"page":"{}","device":"phone"}}"#, "x".repeat(129));
    rows.refused("a label that is too long", Beacon, &long, "label_too_long");
    rows.decoded(
        "good and bad beacons",
        Beacon,
        r#"[{"took":1},7,{"took":"x","kind":"click"},{}]"#,
        2,
        &[("malformed", 1), ("not_a_number", 1), ("unknown_family", 1)],
    );
    let wide = format!("{{{}\"took\":1}}", "\"x\":0,".repeat(huge / 100));
    rows.decoded("many fields", Beacon, wide, 1, &[]);

    rows.failed("no beacon", Beacon, "", "empty", 0..=0);
    rows.failed("a beacon of blanks", Beacon, " \n\t", "empty", 0..=3);
    for (name, body) in [
        ("a beacon that does not end", r#"{"took":1"#),
        ("a beacon with a comma too many", r#"{"took":1,}"#),
        ("a list that does not end", r#"[{"took":1},"#),
        ("a list with a comma too many", r#"[{"took":1},]"#),
        ("two beacons", r#"{"took":1}{"took":1}"#),
        ("beacons in lines", "{\"took\":1}\n{\"took\":1}"),
        ("a beacon with a bad escape", r#"{"took\x":1}"#),
        ("a beacon whose ignored field is broken", r#"{"took":1,"entries":[{"a":tru}]}"#),
    ] {
        rows.failed(name, Beacon, body, "syntax", 0..=body.len());
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(32), "]".repeat(32));
    rows.failed("a beacon that is too deep", Beacon, deep, "too_deep", 5..=40);
    rows.failed(
        "a beacon that is no UTF-8",
        Beacon,
        b"{\"took\":\"\xff\"}".to_vec(),
        "invalid_utf8",
        9..=9,
    );
}

fn forms(rows: &mut Rows) {
    for (name, body, n) in [
        ("a form", "kind=click", 1),
        ("a form with numbers", "took=12.5&data.dns=250&u=https%3A%2F%2Fapp.example%2F", 2),
        ("a form with blanks and escapes", "value=1&page=a+b%2Bc%22%0A&device=phone", 1),
        ("a form whose names are escaped", "%74ook=1&data%2Edns=1", 2),
        ("a form with a field twice", "took=x&took=2", 1),
        ("a form with an escape that is none", "value=1&page=%zz%&device=phone", 1),
        ("a form with a value that is no UTF-8", "value=1&page=%ff&device=phone", 1),
        ("a form with a quote and a backslash", "value=1&page=a\"b\\c&device=phone", 1),
        ("a form with an empty label", "value=1&page=&device=phone", 1),
        ("a form of more than one line", "\nkind=click\n&took=1", 1),
    ] {
        rows.decoded(name, Beacon, body, n, &[]);
    }
    for (name, body, why) in [
        ("a form without what is mapped", "a=1", "unknown_family"),
        ("a word", "click", "unknown_family"),
        ("a form with a number that is none", "took=12ms", "not_a_number"),
        ("a form with an empty number", "took=", "not_a_number"),
        ("a form with a number that is a name", "took=NaN", "not_a_number"),
        ("a form with an infinite number", "took=1e999", "not_finite"),
        ("a form with a negative number", "took=-0.5", "negative"),
        ("a form without a label", "value=1&page=/", "missing_label"),
    ] {
        rows.refused(name, Beacon, body, why);
    }
    rows.failed("a form that is no UTF-8", Beacon, b"took=\xff".to_vec(), "invalid_utf8", 5..=5);
}

fn faro(rows: &mut Rows, huge: usize) {
    let payload = r#"{"meta":{"sdk":{"version":"2.12.1"},"page":{"url":"https://app.example/users/42?tab=1"},"session":{"id":"secret"},"app":{"name":"student"}},"measurements":[{"values":{"lcp":1240.5,"delta":1240.5},"type":"web-vitals","context":{"rating":"good"},"timestamp":"2026-01-01T00:00:00.000Z"},{"type":"custom","values":{"step":80},"context":{"phase":"dns"}},{"type":"page","values":{"n":2}}],"exceptions":[{"type":"TypeError","value":"x is not a function","stacktrace":{"frames":[{"filename":"/a.js"}]}}],"events":[{"name":"view","domain":"app","attributes":{"n":"5"}}],"logs":[{"message":"m","level":"error"}],"traces":{"resourceSpans":[]}}"#;
    rows.decoded("a payload of Faro", Faro, payload, 6, &[("not_a_number", 1)]);
    for (name, body, n) in [
        ("an empty payload", "{}", 0),
        ("a payload of meta data", r#"{"meta":{"app":{"name":"x"}}}"#, 0),
        ("empty lists", r#"{"measurements":[],"events":null,"exceptions":[]}"#, 0),
        (
            "a list before the meta data",
            r#"{"events":[{"name":"view"}],"meta":{"app":{"name":"student"}}}"#,
            1,
        ),
        (
            "a list twice",
            r#"{"logs":[{"level":"error"},{"level":"error"}],"logs":[{"level":"error"}]}"#,
            1,
        ),
        ("an escaped list", r#"{"l\u006fgs":[{"level":"error"}]}"#, 1),
        (
            "an item that measures twice",
            r#"{"measurements":[{"type":"web-vitals","values":{"lcp":1,"step":2},"context":{"phase":"tcp"}}]}"#,
            2,
        ),
        ("only traces", r#"{"traces":[{"name":"view"}]}"#, 0),
    ] {
        rows.decoded(name, Faro, body, n, &[]);
    }
    for (name, body, why) in [
        (
            "a measurement that is not mapped",
            r#"{"measurements":[{"type":"custom","values":{"x":1}}]}"#,
            "unknown_family",
        ),
        (
            "an event that is not mapped",
            r#"{"events":[{"name":"session_start"}]}"#,
            "unknown_family",
        ),
        ("an event without meta data", r#"{"events":[{"name":"view"}]}"#, "missing_label"),
        (
            "an event with meta data of its own",
            r#"{"events":[{"name":"view","meta":{"app":{"name":"student"}}}]}"#,
            "missing_label",
        ),
        (
            "an event with meta data of its own, with dots",
            r#"{"events":[{"name":"view","meta.app.name":"student"}]}"#,
            "missing_label",
        ),
        ("an exception without a type", r#"{"exceptions":[{"value":"x"}]}"#, "missing_label"),
        (
            "a vital that is null",
            r#"{"measurements":[{"type":"web-vitals","values":{"lcp":null}}]}"#,
            "not_a_number",
        ),
        (
            "a negative vital",
            r#"{"measurements":[{"type":"web-vitals","values":{"lcp":-1}}]}"#,
            "negative",
        ),
        ("an item that is a number", r#"{"logs":[1]}"#, "malformed"),
        ("a list that is an object", r#"{"logs":{"level":"error"}}"#, "malformed"),
        ("meta data that is a list", r#"{"meta":[],"events":[{"name":"view"}]}"#, "missing_label"),
    ] {
        rows.refused(name, Faro, body, why);
    }
    let many = format!(r#"{{"logs":[{}{{}}]}}"#, r#"{"level":"error"},"#.repeat(huge / 1000));
    rows.decoded("many logs", Faro, many, (huge / 1000) as u64, &[("unknown_family", 1)]);

    rows.failed("no payload", Faro, "", "syntax", 0..=0);
    rows.failed("a payload that is a list", Faro, " []", "expected_object", 1..=1);
    rows.failed("a payload that is text", Faro, "\"x\"", "expected_object", 0..=0);
    rows.failed(
        "a payload that does not end",
        Faro,
        r#"{"logs":[{"level":"error"}]"#,
        "syntax",
        27..=27,
    );
    rows.failed("two payloads", Faro, "{}{}", "syntax", 2..=2);
    rows.failed("a broken item", Faro, r#"{"logs":[{"level":"error"},{]}"#, "syntax", 0..=30);
    rows.failed(
        "a payload that is no UTF-8",
        Faro,
        b"{\"logs\":\"\xff\"}".to_vec(),
        "invalid_utf8",
        9..=9,
    );
    let deep = format!("{{\"meta\":{}{}}}", "[".repeat(32), "]".repeat(32));
    rows.failed("a payload that is too deep", Faro, deep, "too_deep", 8..=40);
}
