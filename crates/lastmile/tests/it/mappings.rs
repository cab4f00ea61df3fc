//! Mappings: what is wrong with them, what the default schema makes of Faro, and how a reload changes them.

use lastmile::{
    Aggregator, Family, FaroItem, Format, Label, Limits, Mapping, Rule, Schema, Source,
};

use crate::expo;
use crate::oracle::start;

const FAMILIES: &str = r#"
[[family]]
name = "loads_total"
type = "counter"
labels = [{ name = "app", values = ["student", "teacher"], otherwise = "refuse" }]
[[family]]
name = "load_seconds"
type = "histogram"
bounds = [1]
labels = [{ name = "page", max_values = 10, template = true }, { name = "region", from = "const:eu" }]
[[family]]
name = "orders_total"
type = "counter"
host_only = true
"#;

const LOADS: &str = r#"family = "loads_total", labels = { app = "field:app" }"#;

fn build(mappings: &str) -> Result<Schema, lastmile::Error> {
    Schema::builder().toml("m.toml", &format!("{mappings}\n{FAMILIES}")).build()
}

#[test]
fn faults_of_samples_say_what_is_wrong() {
    for (sample, fault) in [
        (r#"labels = { app = "field:app" }"#, "field `mapping.samples.family`: is missing"),
        (r#"family = "nope""#, "family `nope`, field `mapping.samples.family`: is not declared"),
        (r#"family = "orders_total""#, "field `mapping.samples.family`: is for the host only"),
        (
            r#"family = "loads_total""#,
            "family `loads_total`, field `mapping.samples.labels.app`: is missing",
        ),
        (
            r#"family = "loads_total", labels = { app = "field:app", x = "field:x" }"#,
            "field `mapping.samples.labels.x`: `loads_total` has no such label",
        ),
        (
            r#"family = "loads_total", labels = { app = "const:nobody" }"#,
            "field `mapping.samples.labels.app`: does not take `nobody`",
        ),
        (
            r#"family = "loads_total", labels = { app = "path:url" }"#,
            "field `mapping.samples.labels.app`: is no open label with a template",
        ),
        (
            r#"family = "loads_total", labels = { app = "app" }"#,
            "field `mapping.samples.labels.app`: `app` is not field:NAME, path:NAME or const:VALUE",
        ),
        (
            r#"family = "load_seconds", labels = { page = "path:url" }"#,
            "field `mapping.samples.value`: is missing; only a counter does without",
        ),
        (
            r#"family = "load_seconds", value = "t", labels = { page = "path:url", region = "field:r" }"#,
            "field `mapping.samples.labels.region`: is for the server to set",
        ),
        (
            r#"family = "load_seconds", value = "t", scale = 0, labels = { page = "path:url" }"#,
            "field `mapping.samples.scale`: must be a number above 0",
        ),
        (
            r#"family = "load_seconds", value = "", labels = { page = "path:url" }"#,
            "a field's name has 1 to 256 bytes",
        ),
        (
            r#"family = "loads_total", scale = 2, labels = { app = "field:app" }"#,
            "field `mapping.samples.scale`: has nothing to multiply",
        ),
        (
            r#"family = "loads_total", when = { x = [] }, labels = { app = "field:app" }"#,
            "field `mapping.samples.when`: `x` needs 1 to 64 values",
        ),
        (
            r#"family = "loads_total", when = { x = 1 }, labels = { app = "field:app" }"#,
            "field `mapping.samples.when`: must be a list",
        ),
        (
            r#"family = "loads_total", unit = "s", labels = { app = "field:app" }"#,
            "field `mapping.samples.unit`: is not a field of a sample",
        ),
    ] {
        let text = format!("[[mapping]]\npath = \"/vitals\"\nsamples = [\n  {{ {sample} }},\n]");
        let error = build(&text).expect_err(sample);
        let lines: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
        assert!(lines[0].starts_with("m.toml:4: "), "{sample}: {lines:?}");
        assert!(lines[0].contains(fault), "{sample}: {lines:?}");
        // What cannot be read at a place may lack there, too.
        assert!(
            lines.len() == 1 || sample.contains("\"app\" }") || sample.contains("x = 1"),
            "{lines:?}"
        );
    }
}

#[test]
fn faults_of_mappings_say_what_is_wrong() {
    for (mapping, fault) in [
        (format!("samples = [{{ {LOADS} }}]"), "field `mapping.path`: is missing"),
        ("path = \"/x\"".to_owned(), "field `mapping.samples`: `/x` has none"),
        ("path = \"/x\"\nsamples = [1]".to_owned(), "field `mapping.samples`: a sample is written"),
        (format!("path = \"/x\"\nsamples = [{{ {LOADS} }}]\nas = 1"), "field `mapping.as`: is not"),
    ] {
        let error = build(&format!("[[mapping]]\n{mapping}")).expect_err(&mapping).to_string();
        assert!(error.lines().count() == 1 && error.contains(fault), "{mapping}: {error}");
    }
    for path in
        ["", "/", "x", "/x/", "//x", "/x y", "/x?y", "/x*", "/{x}", "/x/..", "/.", "/é", "/%41"]
    {
        let error = with_path(path).expect_err(path).to_string();
        assert!(error.contains("is no path such as /vitals"), "{path}: {error}");
    }
    for path in [
        "/lm",
        "/lm/ws",
        "/lm.gif",
        "/lm.js",
        "/lm-core.js",
        "/lm-0123456789abcdef.js",
        "/record",
        "/metrics",
        "/metrics/app/x",
        "/collect",
        "/reports",
        "/v1/metrics",
        "/static/aggregatorClient.js",
        "/healthz",
        "/readyz",
        "/debug/x",
    ] {
        let error = with_path(path).expect_err(path).to_string();
        assert!(error.contains("is kept for what lastmile has"), "{path}: {error}");
    }
    for path in ["/vitals", "/a/b-c_d.e~f/9", "/lmx", "/lm_x", "/lm.gifs", "/metric", "/v2/x"] {
        with_path(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    let conditions: String = (0..257).map(|i| format!("f{i} = \"x\", ")).collect();
    let many =
        format!("[[mapping]]\npath = \"/x\"\nsamples = [{{ {LOADS}, when = {{ {conditions} }} }}]");
    let error = build(&many).expect_err("too many").to_string();
    assert_eq!(
        error,
        "m.toml:2: field `mapping.samples`: `/x` looks at 258 fields; 256 are possible"
    );
    let many =
        format!("[[mapping]]\npath = \"/x\"\nsamples = [{}]", format!("{{ {LOADS} }},").repeat(65));
    let error = build(&many).expect_err("too many").to_string();
    assert_eq!(error, "m.toml:2: field `mapping.samples`: `/x` has 65; 64 are possible");
    let twice = format!("[[mapping]]\npath = \"/x\"\nsamples = [{{ {LOADS} }}]\n").repeat(2);
    let error = build(&twice).expect_err("it stands twice").to_string();
    assert_eq!(error, "m.toml:5: field `mapping.path`: `/x` is mapped twice");
    assert_eq!(
        build("mapping = 1").unwrap_err().to_string(),
        "m.toml:1: field `mapping`: must be written [[mapping]]"
    );
}

/// The mappings that the documentation has, with what each client sends. What Chromium sends is a test of the browser's.
#[test]
fn the_documented_mappings_know_their_clients() {
    let text = include_str!("../../mappings/beacons.toml");
    let schema = Schema::builder().browser().toml("beacons.toml", text).build().unwrap();
    let agg = Aggregator::new(schema, Limits::default(), start()).unwrap();
    for (path, body, n) in [
        (
            "/web-vitals",
            r#"{"name":"LCP","value":1240.5,"id":"v6-1","page_location":"https://app.example/"}"#,
            1,
        ),
        ("/web-vitals", r#"{"name":"CLS","value":0.1,"page_location":"https://app.example/"}"#, 1),
        (
            "/web-vitals-batch",
            r#"[{"name":"INP","value":72,"entries":[{"name":"click"}],"navigationURL":"https://app.example/"},{"name":"TTFB","value":18.7,"entries":[],"navigationURL":"https://app.example/"}]"#,
            2,
        ),
        ("/perfume", r#"{"attribution":{},"metricName":"FCP","data":52.5,"rating":"good"}"#, 1),
        (
            "/perfume",
            r#"{"metricName":"navigationTiming","data":{"fetchTime":9.1,"totalTime":12.2}}"#,
            1,
        ),
        (
            "/web-vitals-reporter",
            r#"{"id":"x","url":"https://app.example/","userAgent":"y","FCP":52.5,"LCP":1240.5,"CLS":0,"TTFB":18.7}"#,
            4,
        ),
        (
            "/boomerang",
            "t_done=81&t_resp=12&pt.fcp=60&u=https%3A%2F%2Fapp.example%2F&v=1.815.1&rt.start=navigation",
            3,
        ),
    ] {
        let report = agg
            .push(Format::Beacon, body.as_bytes(), &Source::default().path(path), start())
            .unwrap();
        assert_eq!((report.accepted(), report.n_refused()), (n, 0), "{path} {body}");
    }
    let mut text = Vec::new();
    agg.encode_to(&mut text, start()).unwrap();
    let exposition = expo::parse(&text);
    assert_eq!(exposition.total("client_web_vital_seconds_count"), 8.0);
    assert_eq!(exposition.total("client_layout_shift_count"), 2.0);
    let phase = |phase| exposition.value("client_navigation_seconds_sum", &[("phase", phase)]);
    assert_eq!((phase("loadEventEnd"), phase("responseStart")), (Some(0.081), Some(0.012)));
}

fn with_path(path: &str) -> Result<Schema, lastmile::Error> {
    let rule = Rule::new("loads_total").label("app", "app");
    let loads = Family::counter("loads_total").label(Label::closed("app", ["student"]));
    Schema::builder().family(loads).mapping(Mapping::new(path).rule(rule)).build()
}

#[test]
fn a_mistake_of_a_family_is_not_one_of_its_rules() {
    let text = "[[family]]\nname = \"x\"\ntype = \"meter\"\n[[mapping]]\npath = \"/x\"\nsamples = [{ family = \"x\" }]";
    let error = Schema::builder().toml("m.toml", text).build().unwrap_err().to_string();
    assert!(
        error.lines().count() == 1 && error.starts_with("m.toml:3: family `x`, field `type`"),
        "{error}"
    );
}

#[test]
fn faro_gives_no_one_away() {
    for field in [
        "meta.session.id",
        "meta.user.id",
        "meta.user.email",
        "meta.page.url",
        "meta.page.id",
        "value",
        "stacktrace",
        "message",
        "timestamp",
        "trace.trace_id",
        "meta.browser.userAgent",
        "values.",
        "context",
        "name",
        "meta",
    ] {
        let rule = |rule: Rule| {
            let loads = Family::counter("x_total").label(Label::open("app", 10).template());
            Schema::builder().family(loads).faro(FaroItem::Exception, rule).build()
        };
        for bad in [
            Rule::new("x_total").label("app", field),
            Rule::new("x_total").label_const("app", "a").when(field, ["x"]),
            Rule::new("x_total").label_const("app", "a").value(field),
        ] {
            let error = rule(bad).expect_err(field).to_string();
            assert!(
                error.contains(&format!("`{field}` is no field that exceptions may give")),
                "{error}"
            );
        }
        if field != "meta.page.url" {
            let error =
                rule(Rule::new("x_total").label_path("app", field)).expect_err(field).to_string();
            assert!(error.contains("takes the path of `meta.page.url` alone"), "{error}");
        }
        rule(Rule::new("x_total").label("app", "context.plan")).expect("a page says so itself");
        rule(Rule::new("x_total").label_path("app", "meta.page.url"))
            .expect("a template is all there is of it");
    }
    for (text, fault) in [
        ("family = \"loads_total\"", "field `faro.item`: is missing"),
        ("item = \"trace\"\nfamily = \"loads_total\"", "field `faro.item`: `trace` is not"),
        ("item = \"event\"", "field `faro.family`: is missing"),
        (
            "item = \"event\"\nfamily = \"loads_total\"\nlabels = { app = \"field:type\" }",
            "`type` is no field that events",
        ),
    ] {
        let error = build(&format!("[[faro]]\n{text}")).expect_err(text).to_string();
        assert!(error.lines().count() == 1 && error.contains(fault), "{text}: {error}");
    }
}

/// What a payload that Faro 2.12.1 sent from Chromium comes to, in the default schema.
#[test]
fn the_default_schema_knows_faro() {
    let agg =
        Aggregator::new(Schema::builder().browser().build().unwrap(), Limits::default(), start());
    let agg = agg.unwrap();
    let payload = include_bytes!("../data/faro.json");
    for _ in 0..3 {
        let report = agg.push(Format::Faro, payload, &Source::default(), start()).unwrap();
        assert_eq!(
            (report.accepted(), report.n_refused()),
            (7, 2),
            "the log and the own measurement are not mapped"
        );
    }
    let mut text = Vec::new();
    agg.encode_to(&mut text, start()).unwrap();
    let text = String::from_utf8(text).unwrap();
    let exposition = expo::parse(text.as_bytes());
    for (sample, labels, wanted) in [
        ("client_web_vital_seconds_count", &[("name", "LCP"), ("page", "/users/:id")][..], 1.0),
        ("client_web_vital_seconds_count", &[("name", "LCP"), ("page", "other")], 2.0),
        ("client_web_vital_seconds_sum", &[("name", "FCP"), ("page", "/users/:id")], 0.0625),
        ("client_layout_shift_sum", &[("page", "other")], 0.25),
        ("client_exceptions_total", &[("type", "TypeError")], 1.0),
        ("client_events_total", &[("name", "cart_filled")], 1.0),
        ("client_events_total", &[("name", "other")], 4.0),
    ] {
        assert_eq!(exposition.value(sample, labels), Some(wanted), "{sample}{labels:?}\n{text}");
    }
    for secret in
        ["app.example", "tab=1", "users/42", "a-session", "ann@", "not a function", "Chrome"]
    {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[test]
fn a_reload_changes_paths() {
    let schema = |path: &str| with_path(path).unwrap();
    let agg = Aggregator::new(schema("/one"), Limits::default(), start()).unwrap();
    let push = |path: &'static str| {
        let source = Source::default().path(path);
        agg.push(Format::Beacon, b"app=student", &source, start()).map(|report| report.accepted())
    };
    let fails = |path| push(path).unwrap_err().reason().as_str() == "unknown_path";
    assert_eq!(agg.beacon_paths(), ["/one"]);
    assert!(push("/one") == Ok(1) && fails("/two") && fails(""));
    agg.reload(&schema("/two"), start()).unwrap();
    assert_eq!(agg.beacon_paths(), ["/two"]);
    assert!(push("/two") == Ok(1) && fails("/one"));
    assert!(agg.takes_beacons("/two") && !agg.takes_beacons("/one"));
    let mut text = Vec::new();
    agg.encode_to(&mut text, start()).unwrap();
    assert_eq!(
        expo::parse(&text).value("loads_total", &[("app", "student")]),
        Some(2.0),
        "the series is kept"
    );
}

#[test]
fn a_key_names_a_path_and_a_body() {
    let agg = Aggregator::new(
        Schema::builder()
            .family(Family::counter("a_total"))
            .mapping(Mapping::new("/a").rule(Rule::new("a_total").value("n")))
            .mapping(Mapping::new("/b").rule(Rule::new("a_total").value("n")))
            .faro(FaroItem::Log, Rule::new("a_total"))
            .build()
            .unwrap(),
        Limits::default(),
        start(),
    );
    let agg = agg.unwrap();
    let key = Source::default().idempotency_key("0123456789abcdef");
    let push =
        |format, path, body: &[u8]| agg.push(format, body, &key.path(path), start()).unwrap();
    assert_eq!(push(Format::Beacon, "/a", b"n=2").accepted(), 1);
    assert_eq!(push(Format::Beacon, "/a", b"n=2").duplicate_samples(), 1);
    assert_eq!(push(Format::Beacon, "/b", b"n=2").accepted(), 1);
    assert_eq!(push(Format::Beacon, "/b", b"n=3").n_refused(), 1, "id_conflict");
    let key = Source::default().idempotency_key("0123456789abcdef");
    let push = |body: &[u8]| agg.push(Format::Faro, body, &key, start()).unwrap();
    assert_eq!(push(br#"{"logs":[{}]}"#).accepted(), 1);
    assert_eq!(push(br#"{"logs":[{}]}"#).duplicate_batches(), 1);
    let mut text = Vec::new();
    agg.encode_to(&mut text, start()).unwrap();
    assert_eq!(expo::parse(&text).total("a_total"), 5.0);
}

#[test]
fn a_thousandth_is_divided_by_a_thousand() {
    for (scale, value, wanted) in [
        (0.001, "1234.1", "1.2341"),
        (0.001, "0.3", "0.0003"),
        (0.1, "3", "0.3"),
        (0.25, "3", "0.75"),
        (1.0, "0.1", "0.1"),
        (1000.0, "0.1", "100"),
        (0.3, "10", "3"),
    ] {
        let rule = Rule::new("x_total").value("v").scale(scale);
        let schema = Schema::builder()
            .family(Family::counter("x_total"))
            .mapping(Mapping::new("/x").rule(rule));
        let agg = Aggregator::new(schema.build().unwrap(), Limits::default(), start()).unwrap();
        let body = format!("v={value}");
        agg.push(Format::Beacon, body.as_bytes(), &Source::default().path("/x"), start()).unwrap();
        let mut text = Vec::new();
        agg.encode_to(&mut text, start()).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains(&format!("x_total {wanted}\n")), "{scale} {value}: {text}");
    }
}

/// A record of two bytes may make many samples, which no cap on bytes sees.
#[test]
fn rules_make_no_more_samples_than_there_may_be() {
    let mapping = (0..4).fold(Mapping::new("/x"), |mapping, _| mapping.rule(Rule::new("x_total")));
    let schema =
        Schema::builder().family(Family::counter("x_total")).mapping(mapping).build().unwrap();
    let agg = Aggregator::new(schema, Limits::default(), start()).unwrap();
    let source = Source::default().path("/x");
    for (n_records, fits) in [(1, true), (4_096, true), (4_097, false), (60_000, false)] {
        let body = format!("[{}]", vec!["{}"; n_records].join(","));
        let pushed = agg.push(Format::Beacon, body.as_bytes(), &source, start());
        match pushed {
            Ok(report) => assert_eq!((report.accepted(), fits), (4 * n_records as u64, true)),
            Err(error) => {
                // Behind the record that was one too many.
                assert_eq!((error.offset(), fits), (1 + 3 * 4_097 - 1, false), "{error}");
            }
        }
    }
    let mut text = Vec::new();
    agg.encode_to(&mut text, start()).unwrap();
    assert_eq!(expo::parse(&text).total("x_total"), 4.0 * 4_097.0, "nothing of what does not fit");
}
