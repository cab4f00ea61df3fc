//! Set-up mistakes: every fault at once, a line each, with file, line, family and field.

use lastmile::{AdmitBy, Aggregator, Family, Label, Limits, Native, Otherwise, Schema, ValueFrom};

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
    toml("[[family]]\nname = \"\"\ntype = \"counter\"", &["m.toml:2: field `name`:"]);
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
fn faults_of_label_policies_say_what_is_wrong() {
    let label = |fields: &str, why: &str| {
        let text = format!(
            "[[family]]\nname = \"x\"\ntype = \"counter\"\nlabels = [{{ name = \"a\", {fields} }}]\n"
        );
        let error = Schema::builder().toml("m.toml", &text).build().expect_err(fields);
        assert!(error.to_string().contains(why), "{fields}: {error}");
    };
    label("max_values = 2, pin = [\"1\", \"2\", \"3\"]", "pins 3 values, and max_values is 2");
    label("max_values = 9, pin = [\"1\", \"1\"]", "pins `1`, twice");
    label("max_values = 9, pin = [\"other\"]", "pins `other`, which has a place in any case");
    label("max_values = 9, pin = [\"/a/1\"], template = true", "which the template changes");
    label("max_values = 9, pin = [\"A\"], pattern = \"[a-z]\"", "which does not match the pattern");
    label("max_values = 9, pin = [\"abc\"], max_bytes = 2", "which is longer than max_bytes");
    label("max_values = 9, pattern = \"(\"", "pattern: unclosed group");
    label("max_values = 9, pattern = \"\\\\w{999}\"", "limit");
    label("max_values = 9, admit_after = 0", "admit_after must be 1 to 32");
    label("max_values = 9, admit_after = 33", "admit_after must be 1 to 32");
    label("max_values = 9, admit_by = \"source\"", "is for labels with admit_after");
    label("max_values = 9, admit_after = 2, admit_by = \"page\"", "`page` is not batch or source");
    label("max_values = 9, template = 1", "must be true or false, not integer");
    label("max_values = 9, otherwise = \"refuse\"", "is for labels with values, or with a pattern");
    label(
        "max_values = 9, from = \"cookie\"",
        "`cookie` is not header:NAME, origin, key or const:VALUE",
    );
    label("max_values = 9, from = \"header:X-Country\"", "a header in lower case");
    label("from = \"origin\"", "needs either `values`, a closed set, or `max_values`");
    label("values = [\"x\"], pin = [\"x\"]", "is for labels with max_values");
    label("from = \"const:eu\", pin = [\"a\"], pattern = \"[\"", "is for labels with max_values");
    label("from = \"const:eu\", otherwise = \"other\"", "is for labels with values");
    label("from = \"const:eu\", values = [\"us\"]", "does not take `eu`");
    label("from = \"const:eu\", max_values = 2, pattern = \"[0-9]\"", "does not take `eu`");
    label("from = \"const:eu\", max_values = 2, max_bytes = 1", "does not take `eu`");
    label("max_values = 2, max_bytes = 9223372036854775807", "lower max_bytes");
    label("values = [\"x\"], template = true", "is for labels with max_values");
}

#[test]
fn label_policies_are_read_as_the_builder_takes_them() {
    let text = r#"
        [[family]]
        name = "views_total"
        type = "counter"
        labels = [
          { name = "page", max_values = 9, admit_after = 3, admit_by = "source", template = true, pattern = "/.*", otherwise = "refuse", pin = ["/"], max_bytes = 50 },
          { name = "country", from = "header:x-country", max_values = 50 },
          { name = "site", from = "origin", values = ["https://a.example"], otherwise = "refuse" },
          { name = "key", from = "key", max_values = 5 },
          { name = "region", from = "const:eu" },
        ]
        [limits]
        new_series_per_second = 7
    "#;
    let schema = Schema::builder().toml("m.toml", text).build().unwrap();
    let built = Family::counter("views_total")
        .label(
            Label::open("page", 9)
                .admit_after(3)
                .admit_by(AdmitBy::Source)
                .template()
                .pattern("/.*")
                .otherwise(Otherwise::Refuse)
                .pin(["/"])
                .max_bytes(50),
        )
        .label(Label::open("country", 50).value_from(ValueFrom::Header("x-country".into())))
        .label(
            Label::closed("site", ["https://a.example"])
                .otherwise(Otherwise::Refuse)
                .value_from(ValueFrom::Origin),
        )
        .label(Label::open("key", 5).value_from(ValueFrom::Key))
        .label(Label::constant("region", "eu"));
    assert_eq!(schema.families().next().unwrap().labels(), built.labels());
    assert_eq!(*schema.limits(), Limits::default().new_series_per_second(7));
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
fn native_buckets_have_faults_of_their_own() {
    let family =
        |kind: &str, rest: &str| format!("[[family]]\nname = \"x\"\ntype = \"{kind}\"\n{rest}");
    let histogram = |rest: &str| family("histogram", rest);
    let schema = &["m.toml:2: family `x`, field `native.schema`: must be"][..];
    let max_buckets = &["m.toml:2: family `x`, field `native.max_buckets`: must be"][..];
    for (text, faults) in [
        (histogram("native = { schema = 9 }"), schema),
        (histogram("native = { schema = -5 }"), schema),
        (histogram("native = { schema = 3, max_buckets = 11 }"), max_buckets),
        (histogram("native = { schema = 3, max_buckets = 1025 }"), max_buckets),
        (histogram("native = { schema = 3, max_buckets = 99999999999 }"), max_buckets),
        (
            histogram("native = { schema = 3, max_buckets = -1 }"),
            &["m.toml:4: family `x`, field `native.max_buckets`: must be a"],
        ),
        (histogram("native = {}"), &["m.toml:4: family `x`, field `native.schema`: is"]),
        (
            histogram("native = { schema = 1.5 }"),
            &["m.toml:4: family `x`, field `native.schema`: must be a"],
        ),
        (
            histogram("native = { schema = 300 }"),
            &["m.toml:4: family `x`, field `native.schema`: must be a"],
        ),
        (
            histogram("native = { schema = 3, buckets = 160 }"),
            &["m.toml:4: family `x`, field `native.buckets`: is not a field"],
        ),
        (histogram("native = 3"), &["m.toml:4: family `x`, field `native`: is written"]),
        (histogram("native = true"), &["m.toml:4: family `x`, field `native`: is written"]),
        (histogram(""), &["m.toml:2: family `x`, field `bounds`: a histogram needs"]),
        (
            family("counter", "native = { schema = 3 }"),
            &["m.toml:2: family `x`, field `native`: is for histograms;"],
        ),
        (
            family("gauge", "native = { schema = 9 }"),
            &["m.toml:2: family `x`, field `native`: is for histograms", schema[0]],
        ),
    ] {
        toml(&text, faults);
    }
    let error = Schema::builder()
        .family(Family::summary("s").native(Native::new(3)))
        .family(Family::native_histogram("h", Native::new(i8::MIN).max_buckets(u32::MAX)))
        .build()
        .unwrap_err();
    for field in ["`native`", "`native.schema`", "`native.max_buckets`"] {
        assert!(error.to_string().contains(field), "{error}");
    }
}

#[test]
fn native_buckets_are_read_as_the_builder_takes_them() {
    for (text, built) in [
        (
            "bounds = [0.1, 2]\nnative = { schema = 3, max_buckets = 80 }",
            Family::histogram("x", [0.1, 2.0]).native(Native::new(3).max_buckets(80)),
        ),
        ("native = { schema = -4 }", Family::native_histogram("x", Native::new(-4))),
        (
            "native = { max_buckets = 1_024, schema = 0x8 }",
            Family::native_histogram("x", Native::new(8).max_buckets(1_024)),
        ),
        ("bounds = [0.1, 2]", Family::histogram("x", [0.1, 2.0])),
    ] {
        let text = format!("[[family]]\nname = \"x\"\ntype = \"histogram\"\n{text}");
        let schema = Schema::builder().toml("m.toml", &text).build().expect(&text);
        let family = schema.families().next().unwrap();
        assert_eq!(family.native_buckets(), built.native_buckets());
        assert_eq!(family.bounds(), built.bounds());
    }
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
labels = [{ name = \"__le gal\", values = [] }]
";
    let error = Schema::builder().toml("m.toml", text).build().expect_err("three faults");
    let text = error.to_string();
    for part in [
        "m.toml:2: family `a_total`, field `max`",
        "m.toml:7: family `b_seconds`, field `bounds`",
        "m.toml:12: family `a_total`, field `name`",
        "__le gal",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn names_that_would_break_an_exposition_are_faults() {
    let counter = || Family::counter("c");
    for (what, family) in [
        ("no name", Family::counter("")),
        ("a NUL", Family::counter("a\0")),
        ("our own name", Family::counter("lastmile_pushes_total")),
        ("our own name", Family::counter("metrics_aggregator_record_total")),
        ("no label name", counter().label(Label::open("", 1))),
        ("a reserved label name", counter().label(Label::open("__name__", 1))),
        ("a label twice", counter().label(Label::open("a", 1)).label(Label::closed("a", ["x"]))),
        ("le", Family::histogram("h", [1.0]).label(Label::open("le", 1))),
        ("a value twice", counter().label(Label::closed("a", ["x", "x"]))),
        ("no bound is finite", Family::histogram("h", [f64::NAN])),
        ("a bound below 0", Family::histogram("h", [-1.0, 1.0])),
        ("minus 0", Family::histogram("h", [-0.0, 1.0])),
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
        (
            json(r#"{"name":"x","help":"h","type":"histogram","labels":[],"buckets":[-1,1]}"#),
            "m.json:2: family `x`, field `buckets`: must not be below 0",
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

/// Names are any UTF-8, so what must not meet are the names that any format gives them.
#[test]
fn families_and_labels_that_any_format_would_confuse_are_named_both() {
    let check = |families: Vec<Family>, faults: &[&str]| {
        let schema = families.into_iter().fold(Schema::builder(), lastmile::SchemaBuilder::family);
        check(&schema.build().expect_err("they clash"), faults);
    };
    let histogram = |name| Family::histogram(name, [1.0]);
    for (first, second, why) in [
        (Family::counter("x_total"), Family::gauge("x"), "exposes `x`, as family `x_total`"),
        (Family::counter("x_total"), Family::counter("x"), "exposes `x`, as family `x_total`"),
        (Family::counter("x_total"), Family::gauge("x_created"), "exposes `x_created`, as"),
        (histogram("x"), Family::gauge("x_created"), "exposes `x_created`, as family `x`"),
        (histogram("x"), Family::gauge("x_sum"), "exposes `x_sum`, as family `x`"),
        (histogram("x"), Family::counter("x_total"), "exposes `x`, as family `x`"),
        (histogram("x"), Family::counter("x_count_total"), "exposes `x_count`, as family `x`"),
        (
            Family::gauge("x.y"),
            Family::gauge("x_y"),
            "exposes `x_y` where names are escaped as `underscores`, as family `x.y`",
        ),
        (
            Family::gauge("x-y"),
            Family::gauge("x.y"),
            "exposes `x_y` where names are escaped as `underscores`, as family `x-y`",
        ),
        (
            Family::gauge("x.y"),
            Family::gauge("x_dot_y"),
            "exposes `x_dot_y` where names are escaped as `dots`, as family `x.y`",
        ),
        (
            Family::gauge("x.y"),
            Family::gauge("U__x_2e_y"),
            "exposes `U__x_2e_y` where names are escaped as `values`, as family `x.y`",
        ),
        (
            histogram("x.y"),
            Family::gauge("x_y_sum"),
            "exposes `x_y_sum` where names are escaped as `underscores`, as family `x.y`",
        ),
    ] {
        let name = second.name().to_owned();
        let fault = format!("family `{name}`, field `name`: {why}");
        check(vec![first, second], &[&fault]);
    }
    // Every pair once, whatever else they share.
    let three = vec![histogram("x"), Family::summary("x.y"), Family::counter("x_total")];
    let faults = ["family `x_total`, field `name`: exposes `x`, as family `x`"];
    if crate::schemas::has_summaries() {
        check(three, &faults);
    }
    let labels = |names: [&str; 2]| {
        let label = |family: Family, name| family.label(Label::open(name, 3));
        vec![names.into_iter().fold(Family::gauge("g"), label)]
    };
    for (names, why) in [
        (["a.b", "a_b"], "is exposed as `a_b` where names are escaped as `underscores`, as label"),
        (["a:b", "a.b"], "is exposed as `a_b` where names are escaped as `underscores`, as label"),
        (["é", "U___e9_"], "is exposed as `U___e9_` where names are escaped as `values`, as label"),
        (["a", "a"], "is declared"),
        (["a", "__x"], "is not a label name"),
        (["a", "-.name-."], "is not a label name"),
    ] {
        let fault = format!("family `g`, field `labels.{}`: {why}", names[1]);
        check(labels(names), &[&fault]);
    }
    for family in [
        Family::gauge("lastmile.x"),
        Family::gauge("metrics.aggregator.record"),
        Family::gauge("metrics_aggregator_record_created"),
        histogram("metrics_aggregator_record"),
        Family::counter("metrics_aggregator_record_total"),
    ] {
        let fault = format!("family `{}`, field `name`: is kept for", family.name());
        check(vec![family], &[&fault]);
    }
    for (family, fault) in [
        (Family::gauge(""), "field `name`: is"),
        (Family::gauge("a\0b"), "family `a\0b`, field `name`: holds U+0000"),
        (Family::gauge("é".repeat(129)), "family `éé"),
        (
            Family::gauge("g").label(Label::open("", 3)),
            "family `g`, field `labels`: has a label whose",
        ),
        (Family::gauge("a_m/s").unit("m/s"), "family `a_m/s`, field `unit`: is not a unit"),
        (Family::gauge("a_").unit(""), "family `a_`, field `unit`: is not a unit"),
    ] {
        check(vec![family], &[fault]);
    }
}
