//! The table of bad input: what is sent, and exactly what becomes of it. Tests and fuzz targets
//! share it. Every row runs on [`crate::schemas::everything`].

#[path = "rows/hits.rs"]
mod hits;
#[cfg(feature = "faro")]
#[path = "rows/mapped.rs"]
mod mapped;
#[cfg(feature = "otlp")]
#[path = "rows/otlp.rs"]
mod otlp;
#[path = "rows/prom_text.rs"]
mod prom_text;
#[path = "rows/reports.rs"]
mod reports;

use std::ops::RangeInclusive;

use lastmile::Format::{self, Lm1, Record};

pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) format: Format,
    pub(crate) body: Vec<u8>,
    pub(crate) outcome: Outcome,
}

#[derive(Debug)]
pub(crate) enum Outcome {
    /// It decodes: samples accepted, and samples refused by reason.
    Decoded(u64, &'static [(&'static str, u64)]),
    /// It does not: why, and at which byte.
    Failed(&'static str, RangeInclusive<usize>),
}

struct Rows(Vec<Row>);

impl Rows {
    fn decoded(
        &mut self,
        name: &'static str,
        format: Format,
        body: impl Into<Vec<u8>>,
        accepted: u64,
        refused: &'static [(&'static str, u64)],
    ) {
        let outcome = Outcome::Decoded(accepted, refused);
        self.0.push(Row { name, format, body: body.into(), outcome });
    }

    fn refused(&mut self, name: &'static str, format: Format, body: &str, reason: &'static str) {
        let once: &'static [(&str, u64)] = match reason {
            "not_a_number" => &[("not_a_number", 1)],
            "not_finite" => &[("not_finite", 1)],
            "negative" => &[("negative", 1)],
            "too_large" => &[("too_large", 1)],
            "bad_weight" => &[("bad_weight", 1)],
            "bad_count" => &[("bad_count", 1)],
            "malformed" => &[("malformed", 1)],
            "unknown_family" => &[("unknown_family", 1)],
            "type_mismatch" => &[("type_mismatch", 1)],
            "unknown_label" => &[("unknown_label", 1)],
            "missing_label" => &[("missing_label", 1)],
            "label_value" => &[("label_value", 1)],
            "label_too_long" => &[("label_too_long", 1)],
            "unknown_report" => &[("unknown_report", 1)],
            _ => panic!("{name}: no such reason: {reason}"),
        };
        self.decoded(name, format, body, 0, once);
    }

    fn failed(
        &mut self,
        name: &'static str,
        format: Format,
        body: impl Into<Vec<u8>>,
        reason: &'static str,
        at: RangeInclusive<usize>,
    ) {
        self.0.push(Row { name, format, body: body.into(), outcome: Outcome::Failed(reason, at) });
    }
}

/// The whole table. `huge` is how long a key of "10 MB" is, and how deep "100,000 brackets" are:
/// fuzz seeds are smaller.
pub(crate) fn rows(huge: usize) -> Vec<Row> {
    let mut rows = Rows(Vec::new());
    record_values(&mut rows);
    record_shapes(&mut rows);
    record_syntax(&mut rows, huge);
    lm1_values(&mut rows);
    lm1_lines(&mut rows, huge);
    prom_text::rows(&mut rows, huge);
    #[cfg(feature = "otlp")]
    otlp::rows(&mut rows, huge);
    reports::rows(&mut rows, huge);
    hits::rows(&mut rows);
    #[cfg(feature = "faro")]
    mapped::rows(&mut rows, huge);
    rows.0
}

fn record_values(rows: &mut Rows) {
    for (name, inc, reason) in [
        ("a number in quotes", r#""1""#, "not_a_number"),
        ("NaN in quotes", r#""NaN""#, "not_a_number"),
        ("null", "null", "not_a_number"),
        ("an array", "[1]", "not_a_number"),
        ("an object", r#"{"valueOf":1}"#, "not_a_number"),
        ("true", "true", "not_a_number"),
        ("negative", "-1", "negative"),
        ("very negative", "-1000000", "negative"),
        ("tiny negative", "-1e-300", "negative"),
        ("1e999", "1e999", "not_finite"),
        ("-1e999", "-1e999", "not_finite"),
        ("1e300", "1e300", "too_large"),
        ("just above max", "10000.001", "too_large"),
        ("2^64", "18446744073709551616", "too_large"),
    ] {
        let body =
            format!(r#"[{{"metricName":"plain_total","metricType":"counter","inc":{inc}}}]"#);
        rows.refused(name, Record, &body, reason);
        let body = format!(r#"[{{"metricName":"wait_seconds","observations":[{inc}]}}]"#);
        rows.refused(name, Record, &body.replace("10000.001", "86400.001"), reason);
    }
    let entry = r#"{"metricName":"plain_total","inc":1.7e308}"#;
    let body = format!("[{entry},{entry}]");
    rows.decoded("1.7e308 twice", Record, body, 0, &[("too_large", 2)]);
    let body = r#"[{"metricName":"plain_total","metricType":"counter","labels":{}}]"#;
    rows.refused("inc is missing", Record, body, "not_a_number");
    let body = r#"[{"metricName":"wait_seconds","observations":["zz top"]}]"#;
    rows.refused("zz top", Record, body, "not_a_number");
    let body = r#"[{"metricName":"wait_seconds","observations":"zz top"}]"#;
    rows.refused("observations is a string", Record, body, "not_a_number");
    let body = r#"[{"metricName":"wait_seconds","inc":1}]"#;
    rows.refused("observations are missing", Record, body, "not_a_number");
    let body = r#"[{"metricName":"wait_seconds","observations":[[0.5,3]]}]"#;
    rows.refused("no pairs in /record", Record, body, "not_a_number");
    let body = r#"[{"metricName":"wait_seconds","observations":[0.1,"x",-1,1e999,90000,0.2]}]"#;
    rows.decoded(
        "the good among the bad",
        Record,
        body,
        2,
        &[("negative", 1), ("not_a_number", 1), ("not_finite", 1), ("too_large", 1)],
    );
    let body = r#"[{"metricName":"wait_seconds","observations":[]}]"#;
    rows.decoded("no observation", Record, body, 0, &[]);
    let body =
        r#"[{"metricName":"nope","observations":[]},{"metricName":"nope","observations":[1,2]}]"#;
    rows.decoded("unknown with observations", Record, body, 0, &[("unknown_family", 3)]);
    let body = r#"[{"metricName":"plain_total","inc":10000},{"metricName":"plain_total","inc":0},
        {"metricName":"plain_total","inc":-0},{"metricName":"plain_total","inc":3.5}]"#;
    rows.decoded("the largest, zero, minus zero and a fraction", Record, body, 4, &[]);
    let body = r#"[{"metricName":"users","inc":9007199254740992},{"metricName":"users","inc":9007199254740994}]"#;
    rows.decoded("a gauge up to 2^53", Record, body, 1, &[("too_large", 1)]);
    let body = r#"[{"metricName":"users","metricType":"gauge","inc":-1}]"#;
    rows.refused("a gauge below 0", Record, body, "negative");
}

fn record_shapes(rows: &mut Rows) {
    for name in ["constructor", "__proto__", "hasOwnProperty", "", "plain_total ", "PLAIN_TOTAL"] {
        let body = format!(r#"[{{"metricName":"{name}","inc":1}}]"#);
        rows.refused("unknown family", Record, &body, "unknown_family");
    }
    let own = r#"[{"metricName":"lastmile_pushes_total","labels":{"format":"record"},"inc":5}]"#;
    rows.refused("our own family", Record, own, "unknown_family");
    let own = r#"[{"metricName":"metrics_aggregator_record_total","inc":5}]"#;
    rows.refused("our own family without labels", Record, own, "unknown_family");
    for name in ["null", "5", "[]", "{}", "true"] {
        let body = format!(r#"[{{"metricName":{name},"inc":1}}]"#);
        rows.refused("a name that is no string", Record, &body, "malformed");
    }
    rows.refused("no name", Record, r#"[{"inc":1}]"#, "malformed");
    let entries = r#"[null,1,"x",[],[{"metricName":"plain_total","inc":1}],true]"#;
    rows.decoded("entries that are no objects", Record, entries, 0, &[("malformed", 6)]);
    rows.decoded("an empty array", Record, "[]", 0, &[]);
    rows.decoded("an empty array in white space", Record, " \t\r\n[ \n] ", 0, &[]);
    for metric_type in [r#""histogram""#, r#""gauge""#, r#""summary""#, r#""""#, "null", "1", "[]"]
    {
        let body =
            format!(r#"[{{"metricName":"plain_total","metricType":{metric_type},"inc":1}}]"#);
        rows.refused("another type", Record, &body, "type_mismatch");
    }
    let body = r#"[{"metricName":"wait_seconds","metricType":"counter","inc":1}]"#;
    rows.refused("a histogram sent as a counter", Record, body, "type_mismatch");
    let body = r#"[{"metricName":"wait_seconds","metricType":"counter","observations":[1,2]}]"#;
    rows.decoded("all of its observations", Record, body, 0, &[("type_mismatch", 2)]);
    for labels in
        ["null", "1", r#""app""#, "[1]", r#"{"app":null}"#, r#"{"app":[]}"#, r#"{"app":{}}"#]
    {
        let body = format!(r#"[{{"metricName":"loads","labels":{labels},"inc":1}}]"#);
        rows.refused("labels of a bad shape", Record, &body, "malformed");
    }
    let body = r#"[{"metricName":"loads","labels":{"app":"student","x":"y"},"inc":1}]"#;
    rows.refused("an unknown label", Record, body, "unknown_label");
    let body = r#"[{"metricName":"plain_total","labels":{"constructor":"x"},"inc":1}]"#;
    rows.refused("a label where none is declared", Record, body, "unknown_label");
    let body = r#"[{"metricName":"loads","inc":1},{"metricName":"loads","labels":[],"inc":1}]"#;
    rows.decoded("a missing label", Record, body, 0, &[("missing_label", 2)]);
    let body = r#"[{"metricName":"strict_total","labels":{"app":"constructor"},"inc":1}]"#;
    rows.refused("an unlisted value that is refused", Record, body, "label_value");
    let body = r#"[{"metricName":"loads","labels":{"app":"constructor"},"inc":1}]"#;
    rows.decoded("an unlisted value that becomes other", Record, body, 1, &[]);
    let body = r#"[{"metricName":"views_total","labels":{"page":1.50},"inc":1},
        {"metricName":"views_total","labels":{"page":true},"inc":1}]"#;
    rows.decoded("numbers and booleans as label values", Record, body, 2, &[]);
    for (n_bytes, accepted) in [(128, true), (129, false)] {
        for page in ["x".repeat(n_bytes), "é".repeat(n_bytes / 2) + &"x".repeat(n_bytes % 2)] {
            let body =
                format!(r#"[{{"metricName":"views_total","labels":{{"page":"{page}"}},"inc":1}}]"#);
            if accepted {
                rows.decoded("128 bytes", Record, body, 1, &[]);
            } else {
                rows.refused("129 bytes", Record, &body, "label_too_long");
            }
        }
    }
    let body = r#"[{"metricName":"views_total","labels":{"page":"x\"} 1\nup{job=\"victim\"} 0\nz{a=\""},"inc":1}]"#;
    rows.decoded("a forged sample in a label value", Record, body, 1, &[]);
    let body = r#"[{"metricName":"plain_total","inc":1,"inc":"x"},{"metricName":5,"metricName":"plain_total","inc":"x","inc":1},
        {"metricName":"loads","labels":{"app":null,"app":"student"},"inc":1},{"metricName":"loads","labels":null,"labels":{"app":"student"},"inc":1}]"#;
    rows.decoded("of duplicate keys the last", Record, body, 3, &[("not_a_number", 1)]);
    let body = r#"[{"metricName":"views_total","labels":{"page":"\ud800"},"inc":1},{"metricName":"views_total","labels":{"page":"\udc00\ud800x"},"inc":1}]"#;
    rows.decoded("lone surrogates", Record, body, 2, &[]);
    let body = r#"[{"\ud800":"\udfff","metricName":"plain_total","inc":1}]"#;
    rows.decoded("lone surrogates where nobody looks", Record, body, 1, &[]);
    let body = r#"[{"metricN\u0061me":"pl\u0061in_tot\u0061l","inc":1}]"#;
    rows.decoded("escapes in keys and names", Record, body, 1, &[]);
    let body = r#"[{"metricName":"plain_total","inc":1},{"metricName":"nope","inc":1},{"metricName":"plain_total","inc":2}]"#;
    rows.decoded("one bad entry between two good", Record, body, 2, &[("unknown_family", 1)]);
}

fn record_syntax(rows: &mut Rows, huge: usize) {
    let good = r#"{"metricName":"plain_total","inc":1}"#;
    let n = good.len();
    rows.failed("no body", Record, "", "syntax", 0..=0);
    rows.failed("white space only", Record, " \n", "syntax", 2..=2);
    rows.failed("a BOM", Record, format!("\u{feff}[{good}]"), "syntax", 0..=0);
    rows.failed("NaN", Record, r#"[{"metricName":"plain_total","inc":NaN}]"#, "syntax", 35..=35);
    rows.failed(
        "Infinity",
        Record,
        r#"[{"metricName":"plain_total","inc":Infinity}]"#,
        "syntax",
        35..=35,
    );
    rows.failed("a fault after good entries", Record, format!("[{good},{good},]"), "syntax", {
        let at = 2 * n + 3;
        at..=at
    });
    rows.failed("cut off", Record, format!("[{good},{}", &good[..20]), "syntax", n + 22..=n + 22);
    rows.failed("text behind the array", Record, format!("[{good}] x"), "syntax", n + 3..=n + 3);
    rows.failed("two arrays", Record, format!("[{good}][{good}]"), "syntax", n + 2..=n + 2);
    rows.failed("single quotes", Record, "[{'metricName':1}]", "syntax", 2..=2);
    rows.failed("a comment", Record, format!("[/**/{good}]"), "syntax", 1..=1);
    rows.failed("a leading zero", Record, r#"[{"inc":01}]"#, "syntax", 8..=9);
    rows.failed("a plus sign", Record, r#"[{"inc":+1}]"#, "syntax", 8..=8);
    rows.failed("a bare dot", Record, r#"[{"inc":1.}]"#, "syntax", 8..=10);
    rows.failed("a raw newline in a string", Record, "[\"a\nb\"]", "syntax", 3..=3);
    rows.failed("a raw NUL in a string", Record, "[\"a\0b\"]", "syntax", 3..=3);
    rows.failed("an unknown escape", Record, r#"["ab\x"]"#, "syntax", 4..=5);
    rows.failed("half an escape", Record, r#"["\u12"]"#, "syntax", 2..=6);
    rows.failed("an object", Record, good, "expected_array", 0..=0);
    rows.failed("a number", Record, " 1", "expected_array", 1..=1);
    rows.failed("a string", Record, r#""[]""#, "expected_array", 0..=0);
    rows.failed("null", Record, "null", "expected_array", 0..=0);
    rows.failed("invalid UTF-8", Record, *b"[{\"metricName\":\"\xff\"}]", "invalid_utf8", 16..=16);
    rows.failed("invalid UTF-8 outside", Record, *b"[] \xc3\x28", "invalid_utf8", 3..=3);
    rows.failed("half a character", Record, *b"[\"\xe2\x82\"]", "invalid_utf8", 2..=2);
    rows.failed("a surrogate in UTF-8", Record, *b"[\"\xed\xa0\x80\"]", "invalid_utf8", 2..=2);
    rows.failed("an overlong slash", Record, *b"[\"\xc0\xaf\"]", "invalid_utf8", 2..=2);
    rows.failed("open brackets", Record, "[".repeat(huge / 100), "too_deep", 32..=32);
    let open = r#"{"a":"#;
    let body = format!("[{}", open.repeat(huge / 100));
    rows.failed("open objects", Record, body, "too_deep", 1 + 31 * 5..=1 + 31 * 5);
    let nest = |n: usize| format!(r#"[{{"x":{}{},{}]"#, "[".repeat(n), "]".repeat(n), &good[1..]);
    rows.decoded("32 deep", Record, nest(30), 1, &[]);
    rows.failed("33 deep", Record, nest(31), "too_deep", 6 + 30..=6 + 30);
    let key = "k".repeat(huge);
    let body = format!(r#"[{{"{key}":1,{}]"#, &good[1..]);
    rows.decoded("a huge key", Record, body, 1, &[]);
    let body = format!(r#"[{{"metricName":"{key}","inc":1}}]"#);
    rows.refused("a huge name", Record, &body, "unknown_family");
    let body = format!(r#"[{{"metricName":"views_total","labels":{{"page":"{key}"}},"inc":1}}]"#);
    rows.refused("a huge value", Record, &body, "label_too_long");
    let body = format!(r#"[{{"metricName":"views_total","labels":{{"{key}":"x"}},"inc":1}}]"#);
    rows.refused("a huge label", Record, &body, "unknown_label");
    let body = format!(r#"[{{"metricName":"plain_total","inc":1{}}}]"#, "0".repeat(huge / 10));
    rows.refused("a huge number", Record, &body, "not_finite");
    let body = format!(r#"[{{"metricName":"plain_total","inc":1.{}1}}]"#, "0".repeat(huge / 10));
    rows.decoded("a huge fraction", Record, body, 1, &[]);
    rows.decoded(
        "an exponent beyond i64",
        Record,
        r#"[{"metricName":"plain_total","inc":0e99999999999999999999}]"#,
        1,
        &[],
    );
}

fn lm1_values(rows: &mut Rows) {
    let line = |m: &str| format!(r#"{{"lm":1,"m":{{{m}}}}}"#);
    for w in ["0", "0.5", "1e15", "-1", "1001", "1.5", "1e999", r#""1""#, "null", "[]", "true"] {
        let body =
            format!(r#"{{"lm":1,"w":{w},"m":{{"plain_total":1,"wait_seconds":[1,2],"nope":1}}}}"#);
        rows.decoded("a bad weight", Lm1, body, 0, &[("bad_weight", 4)]);
    }
    let body = r#"{"lm":1,"w":1000,"m":{"plain_total":10,"loads;app=student":10.001,"users":5,"wait_seconds":[[2,3]]}}"#;
    rows.decoded("a weight multiplies before max", Lm1, body, 3, &[("too_large", 1)]);
    let body = r#"{"lm":1,"w":2,"m":{"plain_total":1.7e308}}"#;
    rows.refused("infinite only with its weight", Lm1, body, "too_large");
    let body = r#"{"lm":1,"m":{"wait_seconds;nope=":[],"nope":[],"plain_total":[]}}"#;
    rows.decoded(
        "empty arrays that are refused",
        Lm1,
        body,
        0,
        &[("type_mismatch", 1), ("unknown_family", 1), ("unknown_label", 1)],
    );
    let long = "x".repeat(129);
    let body = format!(
        r#"{{"lm":1,"m":{{"step_seconds;phase=nope":[],"step_seconds":[],"view_seconds;device=phone;page={long}":[]}}}}"#
    );
    rows.decoded(
        "empty arrays of bad labels",
        Lm1,
        body,
        0,
        &[("label_too_long", 1), ("label_value", 1), ("missing_label", 1)],
    );
    let body = r#"{"lm":1,"w":0,"m":{"wait_seconds":[],"nope":[],"plain_total":[]}}"#;
    rows.decoded("empty arrays of a bad weight", Lm1, body, 0, &[("bad_weight", 2)]);
    for (name, element, reason) in [
        ("[v,1e15]", "[0.5,1e15]", "bad_count"),
        ("[v,0]", "[0.5,0]", "bad_count"),
        ("[v,10001]", "[0.5,10001]", "bad_count"),
        ("[v,1.5]", "[0.5,1.5]", "bad_count"),
        ("[v,-1]", "[0.5,-1]", "bad_count"),
        ("[v,\"2\"]", r#"[0.5,"2"]"#, "bad_count"),
        ("[v,null]", "[0.5,null]", "bad_count"),
        ("[]", "[]", "not_a_number"),
        ("[v]", "[0.5]", "not_a_number"),
        ("[v,n,n]", "[0.5,1,1]", "not_a_number"),
        ("[\"v\",n]", r#"["0.5",1]"#, "not_a_number"),
        ("a string", r#""0.5""#, "not_a_number"),
        ("null", "null", "not_a_number"),
        ("an object", r#"{"v":1}"#, "not_a_number"),
        ("negative", "-0.5", "negative"),
        ("[negative,2]", "[-0.5,2]", "negative"),
        ("infinite", "1e999", "not_finite"),
        ("[infinite,2]", "[1e999,2]", "not_finite"),
        ("too large", "1e6", "too_large"),
        ("[1.7e308,10000]", "[1.7e308,10000]", "too_large"),
    ] {
        rows.refused(name, Lm1, &line(&format!(r#""wait_seconds":[{element}]"#)), reason);
    }
    rows.decoded("[v,10000]", Lm1, line(r#""wait_seconds":[[86400,10000],[0.5,1.0]]"#), 2, &[]);
    rows.decoded("no observation", Lm1, line(r#""wait_seconds":[]"#), 0, &[]);
    rows.decoded("nothing", Lm1, line(""), 0, &[]);
    rows.decoded("a repeated key", Lm1, line(r#""plain_total":1,"plain_total":2"#), 2, &[]);
    for (name, m, reason) in [
        ("unknown", r#""constructor":1"#, "unknown_family"),
        ("unknown, no observation", r#""constructor":[]"#, "unknown_family"),
        ("a counter as a histogram", r#""plain_total":[1]"#, "type_mismatch"),
        ("a counter as an empty histogram", r#""plain_total":[]"#, "type_mismatch"),
        ("a histogram as a counter", r#""wait_seconds":1"#, "type_mismatch"),
        ("a gauge as a histogram", r#""users":[1]"#, "type_mismatch"),
        ("a string", r#""plain_total":"1""#, "not_a_number"),
        ("a string for a histogram", r#""wait_seconds":"1""#, "not_a_number"),
        ("null", r#""plain_total":null"#, "not_a_number"),
        ("an object", r#""plain_total":{"a":1}"#, "not_a_number"),
        ("a string without its label", r#""loads":"1""#, "missing_label"),
        ("no label", r#""loads":1"#, "missing_label"),
        ("another label", r#""loads;app=student;x=y":1"#, "unknown_label"),
        ("only another label", r#""loads;x=y":1"#, "unknown_label"),
        ("unlisted and refused", r#""strict_total;app=x":1"#, "label_value"),
        ("no name", r#""":1"#, "malformed"),
        ("no name but a label", r#"";app=student":1"#, "malformed"),
        ("a trailing semicolon", r#""plain_total;":1"#, "malformed"),
        ("a label without value", r#""loads;app":1"#, "malformed"),
        ("a value without label", r#""loads;=student":1"#, "malformed"),
        ("a label twice", r#""loads;app=student;app=student":1"#, "malformed"),
        ("a bare percent", r#""loads;app=100%":1"#, "malformed"),
        ("half a percent", r#""loads;app=%4":1"#, "malformed"),
        ("no hex", r#""loads;app=%4g":1"#, "malformed"),
        ("a sign is no hex", r#""loads;app=%+4":1"#, "malformed"),
        ("percent-encoded invalid UTF-8", r#""views_total;page=%ff":1"#, "malformed"),
        ("a percent-encoded surrogate", r#""views_total;page=%ed%a0%80":1"#, "malformed"),
        ("half a character behind a whole one", r#""views_total;page=é%c3":1"#, "malformed"),
        ("malformed before unknown", r#""constructor;x":1"#, "malformed"),
        ("a malformed key, no observation", r#""wait_seconds;":[]"#, "malformed"),
    ] {
        rows.refused(name, Lm1, &line(m), reason);
    }
    let m = r#""views_total;page=%2Fhome":1,"views_total;page=%2fhome":1,"%76iews_total;%70age=\u002fhome":1"#;
    rows.decoded("one page in three spellings", Lm1, line(m), 3, &[]);
    let m = r#""views_total;page=%0a%22%5c%00%25%3b%3d":1,"pairs_total;b=2;a=1":1,"pairs_total;a=1;b=2":1"#;
    rows.decoded("escapes, and labels in any order", Lm1, line(m), 3, &[]);
    let m = r#""views_total;page=\ud800":1"#;
    rows.decoded("a lone surrogate", Lm1, line(m), 1, &[]);
    let m = format!(r#""views_total;page={}":1"#, "%78".repeat(128));
    rows.decoded("128 bytes once decoded", Lm1, line(&m), 1, &[]);
    let m = format!(r#""views_total;page={}":1"#, "%78".repeat(129));
    rows.refused("129 bytes once decoded", Lm1, &line(&m), "label_too_long");
}

fn lm1_lines(rows: &mut Rows, huge: usize) {
    let good = r#"{"lm":1,"m":{"plain_total":1}}"#;
    let n = good.len();
    rows.failed("no body", Lm1, "", "empty", 0..=0);
    rows.failed("blank lines", Lm1, "\n \t\r\n\n", "empty", 0..=6);
    rows.decoded("16 lines and blanks", Lm1, format!("{good}\n\n").repeat(16), 16, &[]);
    let body = format!("{good}\n").repeat(17);
    let len = body.len();
    rows.failed("17 lines", Lm1, body, "too_many_lines", 0..=len);
    for (name, line, reason) in [
        ("version 2", r#"{"lm":2,"m":{"plain_total":1}}"#, "unsupported_version"),
        ("version \"1\"", r#"{"lm":"1","m":{"plain_total":1}}"#, "unsupported_version"),
        ("version null", r#"{"lm":null,"m":{"plain_total":1}}"#, "unsupported_version"),
        ("no version", r#"{"m":{"plain_total":1}}"#, "unsupported_version"),
        (
            "no version at the end",
            r#"{"m":{"plain_total":1},"id":"0123456789abcdef"}"#,
            "unsupported_version",
        ),
        ("a short id", r#"{"lm":1,"id":"0123456789abcde","m":{"plain_total":1}}"#, "bad_id"),
        ("an id with a dot", r#"{"lm":1,"id":"0123456789abcde.","m":{"plain_total":1}}"#, "bad_id"),
        ("an id of digits", r#"{"lm":1,"id":1234567890123456,"m":{"plain_total":1}}"#, "bad_id"),
        ("an id null", r#"{"lm":1,"id":null,"m":{"plain_total":1}}"#, "bad_id"),
        ("a bad id behind m", r#"{"lm":1,"m":{"plain_total":1},"id":"x"}"#, "bad_id"),
        ("no m", r#"{"lm":1}"#, "missing_m"),
        ("m is an array", r#"{"lm":1,"m":[]}"#, "missing_m"),
        ("m is null", r#"{"lm":1,"m":null}"#, "missing_m"),
        ("lm twice", r#"{"lm":1,"lm":1,"m":{"plain_total":1}}"#, "duplicate_key"),
        (
            "id twice",
            r#"{"lm":1,"id":"0123456789abcdef","id":"0123456789abcdef","m":{}}"#,
            "duplicate_key",
        ),
        ("w twice", r#"{"lm":1,"w":1,"m":{"plain_total":1},"w":1}"#, "duplicate_key"),
        ("m twice", r#"{"lm":1,"m":{"plain_total":1},"m":{"plain_total":1}}"#, "duplicate_key"),
        (
            "m twice, once escaped",
            r#"{"lm":1,"m":{"plain_total":1},"\u006d":{"plain_total":1}}"#,
            "duplicate_key",
        ),
        ("an array", "[]", "expected_object"),
        ("a number", "1", "expected_object"),
        ("a string", r#""lm""#, "expected_object"),
    ] {
        rows.failed(name, Lm1, line, reason, 0..=line.len());
    }
    let id = "A-_z".repeat(16);
    let body = format!(r#"{{"lm":1,"id":"{id}","m":{{"plain_total":1}}}}"#);
    rows.decoded("an id of 64", Lm1, body.clone(), 1, &[]);
    let body = body.replace(&id, &format!("{id}0"));
    let len = body.len();
    rows.failed("an id of 65", Lm1, body, "bad_id", 0..=len);
    rows.failed("cut off", Lm1, &good[..n - 1], "syntax", n - 1..=n - 1);
    rows.failed("text behind the object", Lm1, format!("{good} {good}"), "syntax", n + 1..=n + 1);
    rows.failed("a BOM", Lm1, format!("\u{feff}{good}"), "syntax", 0..=0);
    rows.failed("two bad lines: the first", Lm1, "\n{]\n[]", "syntax", 2..=2);
    let body =
        br#"{"lm":1,"m":{"loads;app=X":1}}"#.map(|byte| if byte == b'X' { 0xff } else { byte });
    rows.failed("invalid UTF-8", Lm1, body, "invalid_utf8", 24..=24);
    let body = format!("{good}\n{{\"lm\":1,\n{good}");
    rows.decoded("a bad line between two good", Lm1, body, 2, &[]);
    let body = r#"{"lm":1,"x":{"m":{"plain_total":1}},"m":{"plain_total":1}}"#;
    rows.decoded("only the m of the top counts", Lm1, body, 1, &[]);
    let deep = "[".repeat(huge / 100);
    let body = format!(r#"{{"lm":1,"m":{{"wait_seconds":{deep}"#);
    rows.failed("open brackets", Lm1, body, "too_deep", 28 + 30..=28 + 30);
    let key = "k".repeat(huge);
    let body = format!(r#"{{"lm":1,"{key}":1,"m":{{"plain_total":1}}}}"#);
    rows.decoded("a huge key", Lm1, body, 1, &[]);
    let body = format!(r#"{{"lm":1,"m":{{"{key}":1}}}}"#);
    rows.refused("a huge name", Lm1, &body, "unknown_family");
    let body = format!(r#"{{"lm":1,"m":{{"plain_total;{key}=1":1}}}}"#);
    rows.refused("a huge label", Lm1, &body, "unknown_label");
    let body = format!(r#"{{"lm":1,"m":{{"views_total;page={key}":1}}}}"#);
    rows.refused("a huge value", Lm1, &body, "label_too_long");
    let body = format!(r#"{{"lm":1,"m":{{"views_total;page={}":1}}}}"#, "%6b".repeat(huge / 3));
    rows.refused("a huge value in percents", Lm1, &body, "label_too_long");
}
