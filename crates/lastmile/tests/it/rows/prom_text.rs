//! Bad Prometheus text, and good text that looks bad.

use lastmile::Format::PromText;

use super::Rows;

pub(super) fn rows(rows: &mut Rows, huge: usize) {
    syntax(rows);
    values(rows);
    types(rows);
    labels(rows, huge);
    histograms(rows, huge);
}

fn syntax(rows: &mut Rows) {
    for (name, body, n) in [
        ("no body", "", 0),
        ("blank lines", "\n \t\n\n", 0),
        ("comments", "#\n# \n#x\n# HELP\n# HELP plain_total a \"b\n# UNIT x y\n", 0),
        ("no line feed at the end", "plain_total 1", 1),
        ("blanks everywhere", " \tplain_total \t 1 \t 1700000000000\t\n", 1),
        ("blanks in labels", "loads { app = \"student\" , } 1\n", 1),
        ("no blank before the value", "loads{app=\"student\"}1\n", 1),
        ("empty braces", "plain_total{} 1\n", 1),
        ("a timestamp", "plain_total 1 1700000000000\n", 1),
        ("a timestamp of OpenMetrics", "plain_total 1 1700000000.25\n# EOF\n", 1),
        ("no line feed behind EOF", "plain_total 1\n# EOF", 1),
        ("an exemplar", "plain_total 1 # {trace=\"x\"} 0.5 1700000000\n# EOF\n", 1),
        ("an exemplar behind a timestamp", "plain_total 1 2 # {} 0.5\n", 1),
        (
            "names in quotes",
            "{\"loads\",\"app\"=\"student\"} 1\n{app=\"teacher\",\"loads\"} 1\n",
            2,
        ),
        ("a name in quotes before braces", "\"loads\"{app=\"student\"} 1\n", 1),
        ("exponents", "plain_total 1e2\nplain_total 1E-2\nplain_total +1\n", 3),
        ("points", "plain_total .5\nplain_total 5.\nplain_total 0.10\n", 3),
        ("escapes", "views_total{page=\"a\\\\b\\\"c\\nd\"} 1\n", 1),
    ] {
        rows.decoded(name, PromText, body, n, &[]);
    }
    for (name, body, at) in [
        ("no value", "plain_total\n", 11),
        ("no value behind a blank", "plain_total \n", 12),
        ("no value behind labels", "loads{app=\"student\"}\n", 20),
        ("no name", "1\n", 0),
        ("no name with labels", "{app=\"student\"} 1\n", 15),
        ("a name with a dot", "plain.total 1\n", 5),
        ("a name with a dash in its labels", "loads{my-app=\"x\"} 1\n", 8),
        ("a name that begins with a digit", "1plain 1\n", 0),
        ("a value that is none", "plain_total one\n", 12),
        ("a value in hexadecimal", "plain_total 0x1p3\n", 12),
        ("a value with an underscore", "plain_total 1_000\n", 12),
        ("a value of JSON", "plain_total null\n", 12),
        ("two values and more", "plain_total 1 2 3\n", 16),
        ("a timestamp that is none", "plain_total 1 now\n", 14),
        ("a quote in a value, as promjs writes it", "views_total{page=\"a\"b\"} 1\n", 20),
        ("a line feed in a value, as promjs writes it", "views_total{page=\"a\nb\"} 1\n", 19),
        ("an escape that is none", "views_total{page=\"C:\\dir\"} 1\n", 20),
        ("a backslash before the quote", "views_total{page=\"a\\\"} 1\n", 24),
        ("a value without quotes", "loads{app=student} 1\n", 10),
        ("a value in single quotes", "loads{app='student'} 1\n", 10),
        ("a label without a value", "loads{app} 1\n", 9),
        ("labels that do not end", "loads{app=\"student\"", 19),
        ("labels that go on in the next line", "loads{app=\"student\",\n} 1\n", 20),
        ("no comma", "pairs_total{a=\"1\" b=\"2\"} 1\n", 18),
        ("two commas", "pairs_total{a=\"1\",,b=\"2\"} 1\n", 18),
        ("a comma alone", "plain_total{,} 1\n", 12),
        ("a bracket", "plain_total[1m] 1\n", 11),
        ("a carriage return", "plain_total 1\r\n", 12),
        ("JSON", "[{\"metricName\":\"plain_total\"}]", 0),
        ("lm1", "{\"lm\":1,\"m\":{}}", 5),
        ("HELP of two lines, as promjs writes it", "# HELP plain_total a\nb c\n", 23),
        ("TYPE without a name", "# TYPE\n", 6),
        ("TYPE without a type", "# TYPE plain_total\n", 18),
        ("TYPE of no type", "# TYPE plain_total Counter\n", 19),
        ("text behind TYPE", "# TYPE plain_total counter 1\n", 27),
        ("text behind EOF", "plain_total 1\n# EOF\nplain_total 1\n", 20),
        ("a line behind EOF", "plain_total 1\n# EOF\n\n", 20),
        ("an exemplar without labels", "plain_total 1 # 0.5\n", 16),
        ("an exemplar without a value", "plain_total 1 # {a=\"b\"}\n", 23),
        ("a quoted text alone in an exemplar", "plain_total 1 # {\"b\"} 1\n", 20),
        ("good lines before a bad one", "plain_total 1\nplain_total 2\nplain_total x\n", 40),
        ("NUL", "plain_total 1\n\0", 14),
        ("a BOM", "\u{feff}plain_total 1\n", 0),
    ] {
        // A value without its gap is looked at from its first byte.
        let at = if name == "a carriage return" { 12..=13 } else { at..=at };
        rows.failed(name, PromText, body, "syntax", at);
    }
    rows.failed("no UTF-8", PromText, b"views_total{page=\"\xff\"} 1\n", "invalid_utf8", 18..=18);
}

fn values(rows: &mut Rows) {
    for (name, body, why) in [
        ("NaN", "plain_total NaN\n", "not_a_number"),
        ("nan", "plain_total nan\n", "not_a_number"),
        ("+Inf", "plain_total +Inf\n", "not_finite"),
        ("-Inf", "plain_total -Inf\n", "not_finite"),
        ("too large for a float", "plain_total 1e999\n", "not_finite"),
        ("below 0", "plain_total -1\n", "negative"),
        ("too large", "plain_total 10001\n", "too_large"),
        ("too large by a timestamp in its place", "plain_total 1700000000000\n", "too_large"),
        ("a gauge of NaN", "users NaN\n", "not_a_number"),
        ("no such family", "nope 1\n", "unknown_family"),
        ("a family of our own", "lastmile_pushes_total{format=\"lm1\"} 1\n", "unknown_family"),
        ("a histogram by its name alone", "wait_seconds 1\n", "type_mismatch"),
        ("a part of a counter", "plain_total_sum 1\n", "unknown_family"),
        (
            "a quantile",
            "# TYPE wait_seconds summary\nwait_seconds{quantile=\"0.5\"} 1\n",
            "type_mismatch",
        ),
    ] {
        rows.refused(name, PromText, body, why);
    }
    rows.decoded(
        "each sample is refused alone",
        PromText,
        "plain_total 1\nplain_total -1\nnope 3\nplain_total 2\n",
        2,
        &[("negative", 1), ("unknown_family", 1)],
    );
    rows.decoded("nothing", PromText, "plain_total 0\nplain_total -0\n", 2, &[]);
    rows.decoded(
        "gauges combine",
        PromText,
        "users 3\nusers 2\nworst_seconds{page=\"/\"} 2\n",
        3,
        &[],
    );
}

fn types(rows: &mut Rows) {
    for (name, body, n) in [
        ("TYPE counter", "# TYPE plain_total counter\nplain_total 1\n", 1),
        ("TYPE counter of OpenMetrics", "# TYPE plain counter\nplain_total 1\n", 1),
        ("TYPE untyped", "# TYPE plain_total untyped\nplain_total 1\n", 1),
        ("TYPE unknown", "# TYPE users unknown\nusers 1\n", 1),
        ("TYPE gauge", "#TYPE\tusers\tgauge\t\nusers 1\n", 1),
        ("TYPE in quotes", "# TYPE \"users\" gauge\nusers 1\n", 1),
        ("TYPE of another family", "# TYPE users gauge\nplain_total 1\n", 1),
        ("TYPE of a family whose name is longer", "# TYPE plain gauge\nplain_total 1\n", 1),
        ("when a series began", "# TYPE plain counter\nplain_created 1700000000\n", 0),
        ("when it began, as 0.0.4", "# TYPE plain_created gauge\nplain_created 17e8\n", 0),
        ("when it began, of no type", "plain_created 1700000000\n", 0),
        ("when a histogram began, of no type", "wait_seconds_created{x=\"y\"} 1\n", 0),
    ] {
        rows.decoded(name, PromText, body, n, &[]);
    }
    for (name, body) in [
        ("TYPE gauge of a counter", "# TYPE plain_total gauge\nplain_total 1\n"),
        ("TYPE histogram of a counter", "# TYPE plain_total histogram\nplain_total 1\n"),
        ("TYPE counter of a gauge", "# TYPE users counter\nusers 1\n"),
        ("TYPE gauge of a histogram", "# TYPE wait_seconds gauge\nwait_seconds_sum 1\n"),
        ("TYPE untyped of a histogram", "# TYPE wait_seconds untyped\nwait_seconds_count 1\n"),
        (
            "TYPE gaugehistogram",
            "# TYPE wait_seconds gaugehistogram\nwait_seconds_bucket{le=\"1\"} 1\n",
        ),
    ] {
        rows.refused(name, PromText, body, "type_mismatch");
    }
    for (name, body) in [
        ("when a gauge began", "users_created 1700000000\n"),
        ("when a family began that is not declared", "other_created 1700000000\n"),
    ] {
        rows.refused(name, PromText, body, "unknown_family");
    }
}

fn labels(rows: &mut Rows, huge: usize) {
    for (name, body, why) in [
        ("no label", "loads 1\n", "missing_label"),
        ("another label", "loads{ap=\"student\"} 1\n", "unknown_label"),
        ("a label too many", "loads{app=\"student\",x=\"\"} 1\n", "unknown_label"),
        ("a label twice", "loads{app=\"student\",app=\"student\"} 1\n", "malformed"),
        ("le of a counter", "plain_total{le=\"1\"} 1\n", "unknown_label"),
        ("le of a sum", "wait_seconds_sum{le=\"1\"} 1\n", "unknown_label"),
        ("le twice", "wait_seconds_bucket{le=\"1\",le=\"1\"} 1\n", "unknown_label"),
        ("a label of the server", "region_total{region=\"eu\"} 1\n", "unknown_label"),
        ("a value that is refused", "strict_total{app=\"x\"} 1\n", "label_value"),
    ] {
        rows.refused(name, PromText, body, why);
    }
    rows.decoded("a value that is not listed", PromText, "loads{app=\"x\"} 1\n", 1, &[]);
    rows.decoded("any order", PromText, "pairs_total{b=\"1\",a=\"2\"} 1\n", 1, &[]);
    rows.decoded("what the server sets", PromText, "region_total 1\n", 1, &[]);
    rows.decoded("a template", PromText, "paths_total{page=\"/users/42\"} 1\n", 1, &[]);
    rows.decoded("a value that waits", PromText, "waits_total{page=\"/x\"} 1\n", 1, &[]);
    let value = "v".repeat(huge);
    let body = format!("views_total{{page=\"{value}\"}} 1\n");
    rows.refused("a huge value", PromText, &body, "label_too_long");
    rows.refused("a huge name", PromText, &format!("{value} 1\n"), "unknown_family");
    let many: String = (0..huge / 100).map(|i| format!("l{i}=\"\",")).collect();
    let body = format!("views_total{{{many}}} 1\n");
    rows.refused("very many labels", PromText, &body, "unknown_label");
}

/// Lines by what tells them apart, and what they read.
type Lines = &'static [(&'static str, &'static str)];

/// Buckets, other lines, and what they are refused for.
type Fault = (&'static str, Lines, Lines, &'static [(&'static str, u64)]);

/// A series of `wait_seconds`, whose bounds are 0.1, 1 and 2.5, from `le=n` and what else there is.
fn wait(buckets: &[(&str, &str)], more: &[(&str, &str)]) -> String {
    let buckets = buckets.iter().map(|(le, n)| format!("wait_seconds_bucket{{le=\"{le}\"}} {n}\n"));
    let more = more.iter().map(|(part, n)| format!("wait_seconds_{part} {n}\n"));
    buckets.chain(more).collect()
}

fn histograms(rows: &mut Rows, huge: usize) {
    let same: Lines = &[("0.1", "1"), ("1", "3"), ("2.5", "3"), ("+Inf", "4")];
    let total: Lines = &[("sum", "7.5"), ("count", "4")];
    for (name, body, n) in [
        ("the schema's bounds", wait(same, total), 6),
        ("no count", wait(same, &total[..1]), 5),
        ("no +Inf", wait(&same[..3], total), 5),
        ("+Inf alone", wait(&same[3..], total), 3),
        ("other bounds", wait(&[("0.05", "1"), ("0.2", "2"), ("7", "3"), ("+Inf", "4")], total), 6),
        (
            "nothing observed",
            wait(&[("0.1", "0"), ("+Inf", "0")], &[("sum", "0"), ("count", "0")]),
            4,
        ),
        ("counts as floats", wait(&[("1e-1", "1.0"), ("inf", "4e0")], total), 4),
        ("10,000 in each bucket", wait(&[("1", "10000"), ("+Inf", "20000")], &[("sum", "9")]), 3),
        ("a timestamp on each", wait(&[("+Inf", "1 5")], &[("sum", "1 5")]), 2),
        (
            "as promjs orders them",
            "wait_seconds_count 4\nwait_seconds_sum 7.5\n".to_owned()
                + &wait(&[("1", "3"), ("+Inf", "4"), ("0.1", "1"), ("2.5", "3")], &[]),
            6,
        ),
    ] {
        rows.decoded(name, PromText, body, n, &[]);
    }
    let faults: [Fault; 24] = [
        ("no sum", same, &[("count", "4")], &[("malformed", 5)]),
        ("no bucket", &[], total, &[("malformed", 2)]),
        ("a sum alone", &[], &total[..1], &[("malformed", 1)]),
        ("neither +Inf nor count", &same[..3], &total[..1], &[("malformed", 4)]),
        ("+Inf is not the count", same, &[("sum", "1"), ("count", "5")], &[("malformed", 6)]),
        (
            "counts that fall",
            &[("1", "3"), ("2.5", "2"), ("+Inf", "4")],
            total,
            &[("malformed", 5)],
        ),
        (
            "a count below a bucket",
            &[("1", "3")],
            &[("sum", "1"), ("count", "2")],
            &[("malformed", 3)],
        ),
        ("a bucket twice", &[("1", "3"), ("1.0", "3"), ("+Inf", "4")], total, &[("malformed", 5)]),
        ("a sum twice", same, &[("sum", "1"), ("sum", "1")], &[("malformed", 6)]),
        (
            "a count twice",
            same,
            &[("sum", "1"), ("count", "4"), ("count", "4")],
            &[("malformed", 7)],
        ),
        ("le that is no number", &[("x", "1"), ("+Inf", "4")], total, &[("malformed", 4)]),
        ("le of NaN", &[("NaN", "1"), ("+Inf", "4")], total, &[("malformed", 4)]),
        ("a sum of NaN", same, &[("sum", "NaN")], &[("not_a_number", 5)]),
        ("an infinite sum", same, &[("sum", "+Inf")], &[("not_finite", 5)]),
        ("a sum below 0", same, &[("sum", "-1")], &[("negative", 5)]),
        ("a sum that so few cannot have", same, &[("sum", "4000001")], &[("too_large", 5)]),
        ("a sum of nothing", &[("+Inf", "0")], &[("sum", "1")], &[("too_large", 2)]),
        ("a count with a fraction", &[("+Inf", "1.5")], &[("sum", "1")], &[("bad_count", 2)]),
        ("a count of NaN", &[("+Inf", "NaN")], &[("sum", "1")], &[("not_a_number", 2)]),
        ("an infinite count", same, &[("sum", "1"), ("count", "+Inf")], &[("not_finite", 6)]),
        ("a count below 0", &[("+Inf", "-1")], &[("sum", "1")], &[("negative", 2)]),
        ("10,001 in a bucket", &[("+Inf", "10001")], &[("sum", "1")], &[("bad_count", 2)]),
        (
            "an observation below 0",
            &[("-1", "1"), ("+Inf", "1")],
            &[("sum", "1")],
            &[("negative", 3)],
        ),
        ("a count beyond any float", &[("+Inf", "1e300")], &[("sum", "1")], &[("bad_count", 2)]),
    ];
    for (name, buckets, more, refused) in faults {
        rows.decoded(name, PromText, wait(buckets, more), 0, refused);
    }
    let body = wait(&[("1000000", "0"), ("+Inf", "1")], &[("sum", "5")]);
    rows.decoded("an observation above all that may be", PromText, body, 0, &[("too_large", 3)]);
    let body = "wait_seconds_bucket 1\nwait_seconds_bucket{le=\"+Inf\"} 1\nwait_seconds_sum 1\n";
    rows.decoded("a bucket without le", PromText, body, 0, &[("malformed", 3)]);
    let body = "step_seconds_sum{phase=\"x\"} NaN\nstep_seconds_sum{phase=\"dns\"} NaN\n";
    let refused = &[("label_value", 1), ("malformed", 1)];
    rows.decoded("a refused value goes first", PromText, body, 0, refused);
    // The series without labels is what promjs begins with.
    let body = "step_seconds_count 0\nstep_seconds_sum 0\nstep_seconds_bucket{le=\"+Inf\"} 0\n\
                step_seconds_count{phase=\"dns\"} 2\nstep_seconds_sum{phase=\"dns\"} 3\n\
                step_seconds_bucket{le=\"1\",phase=\"dns\"} 1\nstep_seconds_bucket{le=\"+Inf\",phase=\"dns\"} 2\n";
    rows.decoded("a series without its labels", PromText, body, 4, &[("missing_label", 3)]);
    let body = "step_seconds_sum{phase=\"dns\"} 1\nstep_seconds_sum{phase=\"tcp\"} 2\nplain_total 1\n\
                step_seconds_count{phase=\"dns\"} 1\nstep_seconds_count{phase=\"tcp\"} 1\n\
                step_seconds_bucket{phase=\"tcp\",le=\"1\"} 0\nstep_seconds_bucket{le=\"1\",phase=\"dns\"} 1\n";
    rows.decoded("series whose lines are mixed", PromText, body, 7, &[]);
    let body = "# TYPE wait_seconds histogram\nwait_seconds_created 17e8\n".to_owned()
        + &wait(same, total);
    rows.decoded("when a histogram began", PromText, body, 6, &[]);
    let native = "native_seconds_bucket{page=\"/\",le=\"0.5\"} 1\nnative_seconds_bucket{page=\"/\",le=\"300\"} 3\n\
                  native_seconds_bucket{page=\"/\",le=\"+Inf\"} 4\nnative_seconds_sum{page=\"/\"} 700\n";
    rows.decoded("native buckets", PromText, native, 4, &[]);
    let n = huge / 1000;
    let many: String =
        (0..n).rev().map(|i| format!("wait_seconds_bucket{{le=\"{i}e-3\"}} {i}\n")).collect();
    let body = many + &format!("wait_seconds_count {n}\nwait_seconds_sum 1\n");
    rows.decoded("very many buckets", PromText, body, n as u64 + 2, &[]);
}
