//! `/metrics` for every scraper: its format by `Accept`, its coding by `Accept-Encoding`, and its families by
//! the query.

use std::time::{Duration, Instant};

use lastmile_http::Service;

use super::server::{Server, aggregator};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT_1: &str = "text/plain; version=1.0.0; charset=utf-8; escaping=";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=";
const PROTOBUF: &str = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=";
const DELIMITED: &str =
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

/// Checks what `Accept` lines are answered with, on `GET` and `HEAD`.
#[track_caller]
fn check(server: &Server, accept: &[&str], format: &str, escaping: &str) {
    let accept: String = accept.iter().map(|line| format!("\naccept: {line}")).collect();
    let wanted = format!(
        "200\ncontent-type: {format}{escaping}\nvary: Accept, Accept-Encoding\n!content-encoding\ncache-control: no-store\nx-content-type-options: nosniff"
    );
    let get = format!("GET /metrics{accept}");
    let answer = server.send(&get);
    answer.check(&get, &format!("{wanted}\n\n{}", answer.body));
    assert!(!answer.raw.is_empty());
    server.check(&format!("HEAD /metrics{accept}"), &wanted);
}

#[test]
fn every_scraper_gets_its_best_format() {
    let server = Server::start(Service::private(aggregator()));
    // Captured from the scrapers themselves, but for 3.x with native histograms, which is by its source
    // (`scrape.acceptHeader`); without a feature for protobuf a scraper gets its next best.
    let (native, native_3) = if cfg!(feature = "protobuf") {
        ((PROTOBUF, "underscores"), (PROTOBUF, "allow-utf-8"))
    } else {
        ((OPEN_METRICS, "underscores"), (OPEN_METRICS, "allow-utf-8"))
    };
    for (scraper, accept, (format, escaping)) in [
        (
            "Prometheus 2.42",
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            (OPEN_METRICS, "underscores"),
        ),
        (
            "Prometheus 2.42 with native histograms",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            native,
        ),
        (
            "Prometheus 2.53",
            "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            (OPEN_METRICS, "underscores"),
        ),
        (
            "Prometheus 3.5, 3.14",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            (OPEN_METRICS, "allow-utf-8"),
        ),
        (
            "Prometheus 3.5 with native histograms",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            native_3,
        ),
        ("VictoriaMetrics", "text/plain;version=0.0.4;q=1,*/*;q=0.1", (TEXT, "")),
    ] {
        println!("{scraper}");
        check(&server, &[accept], format, escaping);
        // A header may come in several lines.
        check(&server, &accept.split(',').collect::<Vec<_>>(), format, escaping);
    }
}

#[test]
fn anything_in_accept_has_an_answer() {
    let server = Server::start(Service::private(aggregator()));
    let long = |part: &str| part.repeat(10_000 / part.len());
    let hidden = format!("{}application/openmetrics-text", long("a/b,"));
    let (quotes, digits) = (long("\""), format!("text/plain;q=0.{}", long("1")));
    for accept in [
        "",
        "*/*",
        "text/*",
        "text/plain",
        "text/plain;version=0.0.4",
        "text/plain;version=0.0.4;escaping=values",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
        "application/json",
        "application/*",
        "application/openmetrics-text;version=0.0.1",
        "application/openmetrics-text;version=2.0.0",
        "application/openmetrics-text;version=2.0.0,text/plain;version=0.0.4;q=0.1",
        "application/openmetrics-text;version=1.0.0;q=0",
        "application/openmetrics-text;version=1.0.0;q=0, */*;q=0.1",
        "text/plain;q=0",
        "*/*;q=0",
        "application/openmetrics-text;q=x",
        "application/openmetrics-text;q=1.1",
        "application/openmetrics-text;q=-0.5",
        "application/openmetrics-text;q=nan",
        "application/openmetrics-text;version=\"1.0.0",
        "\"application/openmetrics-text;version=1.0.0",
        "text/plain;version=3.0.0",
        "application/vnd.google.protobuf",
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
        "application/vnd.google.protobuf;proto=other;encoding=delimited",
        ",,,;;;===\"\\",
        ";q=1",
        "é/ü;q=0.5",
        &quotes,
        &digits,
        &hidden,
        &long("*/*;q=0.1,"),
        &long("text/plain;version=1.0.0;q=0,"),
        &long(";a=b"),
        &long(","),
    ] {
        check(&server, &[accept], TEXT, "");
    }
    for (accept, format, escaping) in [
        ("application/openmetrics-text", OPEN_METRICS, "underscores"),
        ("APPLICATION/OpenMetrics-Text; Version = \"1.0.0\" ; Q=0.5", OPEN_METRICS, "underscores"),
        (
            "application/openmetrics-text;version=2.0.0,application/openmetrics-text;version=1.0.0;q=0.9",
            OPEN_METRICS,
            "underscores",
        ),
        (
            "application/openmetrics-text;version=0.0.1,application/openmetrics-text;q=0.1",
            OPEN_METRICS,
            "underscores",
        ),
        ("application/openmetrics-text;escaping=\"DOTS\"", OPEN_METRICS, "dots"),
        ("application/openmetrics-text;escaping=unheard-of", OPEN_METRICS, "underscores"),
        (
            "application/openmetrics-text;a=\"b,text/plain;c\";escaping=values",
            OPEN_METRICS,
            "values",
        ),
        ("text/plain;version=1.0.0", TEXT_1, "underscores"),
        ("text/plain;version=1.0.0;escaping=allow-utf-8;charset=utf-8", TEXT_1, "allow-utf-8"),
        ("text/plain;version=1.0.0;escaping=;q=0.1,*/*;q=0.01", TEXT_1, "underscores"),
        ("\t text/plain\t;\tversion=1.0.0\t;\tescaping=dots", TEXT_1, "dots"),
    ] {
        check(&server, &[accept], format, escaping);
    }
    if cfg!(feature = "protobuf") {
        check(&server, &[DELIMITED], PROTOBUF, "underscores");
        let quoted = "application/vnd.google.protobuf; proto=\"io.prometheus.client.MetricFamily\"; Encoding=\"Delimited\"; escaping=dots";
        check(&server, &[quoted], PROTOBUF, "dots");
        check(&server, &[&format!("{DELIMITED};q=0"), "text/plain;q=0.1"], TEXT, "");
    }
}

#[test]
fn a_hostile_accept_costs_no_time() {
    let server = Server::start(Service::private(aggregator()));
    let accept = "text/plain;version=\"1.0.0\";q=0.9,".repeat(3_000);
    let started = Instant::now();
    for _ in 0..20 {
        server.check(&format!("HEAD /metrics\naccept: {accept}\naccept-encoding: {accept}"), "200");
    }
    // Far more than a linear look takes on a busy machine; what is quadratic in 100 kB takes longer.
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn what_is_compressed_is_what_is_not() {
    let server = Server::start(Service::public_and_private(aggregator()));
    server.check(
        "POST /lm\n\n{\"lm\":1,\"m\":{\"loads_total;app=student\":3,\"load_seconds\":[0.5]}}",
        "204",
    );
    // The aggregator's own metrics count scrapes, so they differ between two.
    for (query, is_empty) in
        [("?own=none", false), ("?family[]=load_seconds", false), ("?family=x", true)]
    {
        let plain = server.send(&format!("GET /metrics{query}"));
        assert_eq!((plain.header("content-encoding"), plain.body.is_empty()), (None, is_empty));
        for (encoding, is_gzip) in [
            ("gzip", true),
            ("gzip;q=0", false),
            ("gzip;q=0, *", false),
            ("*", true),
            ("identity;q=0", false),
            ("zstd, br", false),
        ] {
            let get = format!("GET /metrics{query}\naccept-encoding: {encoding}");
            let coding = if is_gzip { "content-encoding: gzip" } else { "!content-encoding" };
            let wanted =
                format!("200\ncontent-type: {TEXT}\nvary: Accept, Accept-Encoding\n{coding}");
            let answer = server.send(&get);
            answer.check(&get, &format!("{wanted}\n\n{}", plain.body));
            assert_eq!(answer.raw == answer.body.as_bytes(), !is_gzip);
            server.check(&get.replacen("GET", "HEAD", 1), &wanted);
        }
    }
    let all = server.send("GET /metrics\naccept-encoding: gzip");
    assert!(all.raw.len() * 3 < all.body.len(), "{} of {}", all.raw.len(), all.body.len());
    assert!(all.body.contains("lastmile_scrapes_total{result=\"aborted\"} 0\n"), "{}", all.body);
    // Every `GET` above is complete: 3 of plain text, 3 × 6, and none before this one.
    assert!(all.body.contains("lastmile_scrapes_total{result=\"complete\"} 21\n"), "{}", all.body);
}

#[test]
fn a_query_narrows_a_scrape() {
    let server = Server::start(Service::private(aggregator()));
    let families = |query: &str| -> Vec<String> {
        let answer = server.send(&format!("GET /metrics?{query}"));
        assert_eq!(answer.status, 200, "{query}");
        let types = answer.body.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        types.map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
    };
    let (all, own) = (families(""), families("own=only"));
    assert_eq!(families("own=none"), ["loads_total", "load_seconds"]);
    assert_eq!(all.len(), own.len() + 2);
    assert!(own.iter().all(|name| !["loads_total", "load_seconds"].contains(&name.as_str())));
    for query in ["&&=&x=y", "Family=loads_total", "families[]=x", "own[]=only", "%66=", "?"] {
        assert_eq!(families(query), all, "{query}");
    }
    for query in [
        "family[]=loads_total",
        "family%5B%5D=loads_total",
        "%66amily=loads%5ftotal",
        "family=loads_total&family[]=loads_total&family=nothing",
        "own=none&family[]=loads_total&family[]=lastmile_readers",
    ] {
        assert_eq!(families(query), ["loads_total"], "{query}");
    }
    for name in ["loads", "loads_created"] {
        assert_eq!(families(&format!("family={name}")), ["loads_total"], "{name}");
    }
    for suffix in ["", "_bucket", "_sum", "_count", "_created"] {
        let found = families(&format!("family=load_seconds{suffix}"));
        assert_eq!(found, ["load_seconds"], "{suffix}");
    }
    let long = format!("family={}", "x".repeat(10_000));
    for query in [
        "family",
        "family[]=",
        "family=%",
        "family=%zz%ff%0a",
        "family=load",
        "family=loads_count",
        "family=load_seconds_total",
        "own=only&family=loads_total",
        &long,
    ] {
        assert_eq!(families(query), [""; 0], "{query}");
    }
    let many = |n: usize| "family[]=x&".repeat(n) + "family[]=loads_total";
    assert_eq!(families(&many(63)), ["loads_total"]);
    for query in [&many(64), &many(4_000), "own=", "own=yes", "own=only&own=Only", "own=%6fnl"] {
        let answer = server.send(&format!("GET /metrics?{query}"));
        let headers = (answer.header("content-type"), answer.header("vary"));
        let wanted = (Some("application/problem+json"), Some("Accept, Accept-Encoding"));
        assert_eq!((answer.status, headers), (400, wanted), "{query:.100}");
        assert_eq!(server.send(&format!("HEAD /metrics?{query}")).status, 400);
    }
}
