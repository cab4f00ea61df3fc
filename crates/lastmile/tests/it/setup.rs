//! Set-up mistakes: every fault at once, a line each, with file, line, family and field.

use lastmile::{Aggregator, Family, Label, Limits, Schema};

use crate::oracle::start;

/// `faults` are the beginnings of the lines of the error.
#[track_caller]
fn toml(text: &str, faults: &[&str]) {
    let error = Schema::builder().toml("m.toml", text).build().expect_err(text);
    check(&error, faults);
}

#[track_caller]
fn check(error: &lastmile::Error, faults: &[&str]) {
    assert!(error.is_schema(), "{error}");
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), faults.len(), "{text}");
    for (line, fault) in lines.iter().zip(faults) {
        assert!(line.starts_with(fault), "{line:?} does not start with {fault:?}\n{text}");
        assert!(line.len() > fault.len() + 3, "it says why: {line:?}");
    }
}

#[test]
fn toml_faults_have_file_line_family_and_field() {
    toml("[[family]]\nname = \"x\"\ntype = \"meter\"", &["m.toml:3: family `x`, field `type`:"]);
    toml("[[family]]\ntype = \"counter\"", &["m.toml:"]);
    toml("[[family]]\nname = \"x\"", &["m.toml:"]);
    toml(
        "[[family]]\nname = \"1x\"\ntype = \"counter\"",
        &["m.toml:2: family `1x`, field `name`:"],
    );
    toml("[[family]\n", &["m.toml:1:"]);
    toml("[[famly]]\nname = \"x\"\n", &["m.toml:1:"]);
    toml(
        "[[family]]\nname = \"x\"\ntype = \"counter\"\nbounds = [1]\n",
        &["m.toml:4: family `x`, field `bounds`:"],
    );
    toml(
        "[[family]]\nname = \"x\"\ntype = \"counter\"\nhlep = \"typo\"\n",
        &["m.toml:4: family `x`, field `hlep`:"],
    );
    toml(
        "[[family]]\nname = \"x\"\ntype = \"counter\"\nmax = 1e17\n",
        &["m.toml:2: family `x`, field `max`:"],
    );
    toml(
        "[[family]]\nname = \"x\"\ntype = \"counter\"\nlabels = [\n { name = \"a\" },\n { name = \"b\", values = [\"1\"], max_values = 3 } ]\n",
        &["m.toml:5: family `x`, field `labels.a`:", "m.toml:6: family `x`, field `labels.b`:"],
    );
    toml("[limits]\nbytes = \"a lot\"\n", &["m.toml:2:"]);
}

#[test]
fn summaries_have_faults_of_their_own() {
    let family = |rest: &str| format!("[[family]]\nname = \"x\"\ntype = \"summary\"\n{rest}");
    let text = family("resolution = 0.01");
    if !crate::schemas::has_summaries() {
        let fault = "m.toml:2: family `x`, field `type`: needs the feature `summary`";
        let error = Schema::builder().toml("m.toml", &text).build().unwrap_err();
        return assert_eq!(error.to_string(), fault);
    }
    Schema::builder().toml("m.toml", &text).build().unwrap();
    let resolution = &["m.toml:2: family `x`, field `resolution`:"][..];
    for wrong in ["0", "-1", "nan", "inf", "86401", "1e-12", "1e-300"] {
        toml(&family(&format!("resolution = {wrong}")), resolution);
    }
    toml(&family("resolution = \"1ms\""), &["m.toml:4: family `x`, field `resolution`:"]);
    toml(&family("bounds = [1]"), &["m.toml:4: family `x`, field `bounds`:"]);
    toml(&family("min = -1"), &["m.toml:2: family `x`, field `min`:"]);
    toml(
        &family("labels = [{ name = \"quantile\", max_values = 3 }]"),
        &["m.toml:2: family `x`, field `labels.quantile`:"],
    );
    let other = "[[family]]\nname = \"y\"\ntype = \"histogram\"\nbounds = [1]\nresolution = 1";
    toml(other, &["m.toml:2: family `y`, field `resolution`:"]);
    let twice = family("[[family]]\nname = \"x_count\"\ntype = \"counter\"\n");
    toml(&twice, &["m.toml:5: family `x_count`, field `name`: exposes `x_count`"]);
}

#[test]
fn every_fault_is_named_at_once() {
    let text = "\
[[family]]
name = \"a_total\"
type = \"counter\"
max = -1

[[family]]
name = \"b_seconds\"
type = \"histogram\"
bounds = [1, 0.5]

[[family]]
name = \"a_total\"
type = \"counter\"
labels = [{ name = \"le gal\", values = [] }]
";
    let error = Schema::builder().toml("m.toml", text).build().expect_err("three faults");
    let text = error.to_string();
    for part in [
        "m.toml:2: family `a_total`, field `max`",
        "m.toml:7: family `b_seconds`, field `bounds`",
        "m.toml:12: family `a_total`, field `name`",
        "le gal",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn names_that_would_break_an_exposition_are_faults() {
    let counter = || Family::counter("c");
    for (what, family) in [
        ("no name", Family::counter("")),
        ("a space", Family::counter("a b")),
        ("a quote", Family::counter("a\"")),
        ("a newline", Family::counter("a\nb 1")),
        ("a digit first", Family::counter("1a")),
        ("our own name", Family::counter("lastmile_pushes_total")),
        ("our own name", Family::counter("metrics_aggregator_record_total")),
        ("no label name", counter().label(Label::open("", 1))),
        ("a label name with a quote", counter().label(Label::open("a\"", 1))),
        ("a label name with a colon", counter().label(Label::open("a:b", 1))),
        ("a reserved label name", counter().label(Label::open("__name__", 1))),
        ("a label twice", counter().label(Label::open("a", 1)).label(Label::closed("a", ["x"]))),
        ("le", Family::histogram("h", [1.0]).label(Label::open("le", 1))),
        ("a value twice", counter().label(Label::closed("a", ["x", "x"]))),
        ("no bound is finite", Family::histogram("h", [f64::NAN])),
        ("bounds fall", Family::histogram("h", [1.0, 0.5])),
        ("bounds stand still", Family::histogram("h", [1.0, 1.0])),
        ("max is NaN", counter().max(f64::NAN)),
        ("max is infinite", counter().max(f64::INFINITY)),
        ("max above 2^53", counter().max(9_007_199_254_740_994.0)),
        ("min above max", counter().min(2.0).max(1.0)),
        ("min is NaN", Family::gauge("g").min(f64::NAN)),
        ("a counter that falls", counter().min(-1.0)),
    ] {
        let schema = Schema::builder().family(family).build();
        let error = schema.err().unwrap_or_else(|| panic!("{what} is accepted"));
        assert!(error.is_schema(), "{what}: {error}");
    }
}

#[test]
fn families_that_would_share_a_series_are_faults() {
    for (a, b) in [
        (Family::counter("x"), Family::counter("x")),
        (Family::counter("x"), Family::gauge("x")),
        (Family::histogram("x", [1.0]), Family::counter("x_count")),
        (Family::histogram("x", [1.0]), Family::counter("x_sum")),
        (Family::counter("x_bucket"), Family::histogram("x", [1.0])),
    ] {
        let names = format!("{} {}", a.name(), b.name());
        let error = Schema::builder().family(a).family(b).build().expect_err(&names);
        assert!(error.is_schema(), "{names}: {error}");
    }
}

#[test]
fn pum_files_have_their_faults_named() {
    let json = |family: &str| format!("{{\"allowedMetrics\": [\n{family}\n]}}");
    for (text, fault) in [
        ("{".to_owned(), "m.json:1:"),
        ("{\"allowed\": []}".to_owned(), "m.json:"),
        (
            json(r#"{"name":"x","help":"h","type":"meter","labels":[]}"#),
            "m.json:2: family `x`, field `type`:",
        ),
        (
            json(
                "{\"name\":\"x\",\"help\":\"h\",\"type\":\"histogram\",\n\"labels\":[],\n\"buckets\":[2,1]}",
            ),
            "m.json:2: family `x`, field `buckets`:",
        ),
    ] {
        let error = Schema::builder().allowed_metrics("m.json", &text).build().expect_err(&text);
        check(&error, &[fault]);
    }
}

#[test]
fn a_schema_that_does_not_fit_its_limits_is_a_fault() {
    let many: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let closed = Family::counter("product")
        .label(Label::closed("a", many.clone()))
        .label(Label::closed("b", many.clone()));
    let folding = Family::counter("folding")
        .label(Label::closed("a", many.clone()))
        .label(Label::open("b", 5));
    for (family, limits, fits) in [
        // 101 values each, with `other`.
        (closed.clone(), Limits::default().series_per_family(101 * 101), true),
        (closed.clone(), Limits::default().series_per_family(101 * 101 - 1), false),
        (folding.clone(), Limits::default().series_per_family(101), true),
        (folding.clone(), Limits::default().series_per_family(100), false),
        (folding, Limits::default().bytes(1000), false),
        (closed, Limits::default().bytes(100_000), false),
    ] {
        let name = family.name().to_owned();
        let schema = Schema::builder().family(family).build().unwrap();
        match Aggregator::new(schema, limits.clone(), start()) {
            Ok(_) => assert!(fits, "{name} fits {limits:?}"),
            Err(error) => {
                assert!(!fits && error.is_limit(), "{name} {limits:?}: {error}");
                assert!(error.to_string().contains(&name), "{error}");
            }
        }
    }
}
