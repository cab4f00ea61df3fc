//! What it says and does with each way to configure it.

use std::net::TcpListener;
use std::process::Command;

use rustix::process::Signal;

use crate::process::{ANY_PORT, Aggregator, OWN, command, folder, push, run, send, wire};

#[test]
fn nothing_configured_is_the_default_schema() {
    let aggregator = Aggregator::start(command(&folder("starts-bare", &[]), &ANY_PORT, &[]));
    let (public, private) = (aggregator.public, aggregator.private);
    let mut first = aggregator.said.lines();
    let title = first.next().expect("it says what it is");
    assert!(title.starts_with("lastmile-aggregator 0.1.0 with "), "{title}");
    assert!(title.ends_with(" metric families, all built in"), "{title}");

    let body = r#"{"lm":1,"m":{"client_page_loads_total;type=navigate":1}}"#;
    assert_eq!(push(public, "/lm", body), r#"{"accepted":1,"refused":{}}"#);
    assert_eq!(aggregator.value("client_page_loads_total{type=\"navigate\"}"), "1");
    assert!(send(private, "GET /readyz HTTP/1.0\r\n\r\n").ends_with("\r\n\r\nready\n"));
    assert!(send(private, "POST /lm HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 404 "));
    assert!(send(public, "GET /metrics HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 405 "));

    // Connections are limited on both sides: a head of 17 KiB is too large.
    let large = format!("GET /readyz HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(17 << 10));
    for side in [public, private] {
        let answer = send(side, &large);
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }

    aggregator.signal(Signal::TERM);
    let (code, said, logged) = aggregator.end();
    assert_eq!(code, Some(0));
    assert!(said.contains(&format!("\npublic  http://{public}\n")), "{said}");
    assert!(said.contains(&format!("\nprivate http://{private}/metrics\n")), "{said}");
    assert!(said.contains(&format!("'{body}' http://{public}/lm\n")), "{said}");
    assert!(logged.contains(" INFO lastmile_aggregator::run: started "), "{logged}");
}

#[test]
fn it_says_where_to_look() {
    let (load, lm) =
        ("Pages load P/lm.js (`lastmile-aggregator scripts` prints its tag)", "P/lm (lm1)");
    let (record, text) =
        ("P/record (prometheus-user-metrics)", "P/metrics (Prometheus text that adds)");
    let jobs = "Jobs send totals to P/metrics/job/ (as to a Pushgateway)";
    let curl =
        "Try it: curl -d '{\"lm\":1,\"m\":{\"client_page_loads_total;type=navigate\":1}}' P/lm";
    let built_in =
        "What /lm.js measures by itself is in the built-in families: see --default-schema";
    let with_key = &curl.replace("curl", "curl -H 'X-API-Key: …'");
    let pages = |paths: &str| format!("Pages send to {paths}");
    let others = |paths: &str| format!("Others send to {paths}");
    let both =
        [pages(&format!("{lm} or {record}")), others(&format!("{text} or P/v1/metrics (OTLP)"))];
    let folder = folder("starts-told", &[("own.toml", OWN)]);
    for (flag, wanted) in [
        ("--hold=readers", &[load, &both[0], &both[1], jobs, curl][..]),
        ("--schema=own.toml", &[load, &both[0], &both[1], jobs, built_in]),
        ("--routes=/lm,/metrics", &[&pages(lm), &others(text), curl]),
        ("--routes=/lm.js,/record,/metrics/job/", &[load, &pages(record), jobs]),
        ("--routes=/reports", &[]),
        ("--keys=web=8f1c0a", &[load, &both[0], &both[1], jobs, with_key]),
    ] {
        let args = [&ANY_PORT, &[flag][..]].concat();
        let aggregator = Aggregator::start(command(&folder, &args, &[]));
        let public = format!("http://{}", aggregator.public);
        let (_, said, _) = aggregator.stop();
        let told: Vec<_> = said.lines().skip(3).map(|line| line.replace(&public, "P")).collect();
        assert_eq!(told, wanted, "{flag}");
    }
}

#[test]
fn a_flag_wins_over_a_variable_and_that_over_the_file() {
    let file = "public = \"127.0.0.2:0\"\nprivate = \"127.0.0.2:0\"\nlog = \"off\"\n";
    let folder = folder("starts-precedence", &[("c.toml", file)]);
    let variables = [("LASTMILE_PUBLIC", "127.0.0.3:0"), ("LASTMILE_CONFIG", "c.toml")];
    for (args, variables, public) in [
        (&["--config", "c.toml"][..], &[][..], "127.0.0.2"),
        (&[], &variables, "127.0.0.3"),
        (&["--public", "127.0.0.4:0"], &variables, "127.0.0.4"),
        (&["--public", "[::1]:0", "--config", "c.toml"], &[], "::1"),
    ] {
        let aggregator = Aggregator::start(command(&folder, args, variables));
        assert_eq!(aggregator.public.ip().to_string(), public);
        assert_eq!(aggregator.private.ip().to_string(), "127.0.0.2");
        aggregator.signal(Signal::TERM);
        assert_eq!(aggregator.end().2, "", "nothing is logged");
    }
}

#[test]
fn the_seeds_own_configuration_takes_the_seeds_page_load() {
    let wire = wire();
    let config = wire.join("pum-config");
    let variables = [("PUM_CONFIG_PATH", config.to_str().expect("the path is text"))];
    let aggregator = Aggregator::start(command(&folder("starts-pum", &[]), &ANY_PORT, &variables));
    let body = std::fs::read_to_string(wire.join("seed-page-load.json"))
        .expect("it is beside the project");
    assert_eq!(push(aggregator.public, "/record", &body), r#"{"accepted":16,"refused":{}}"#);
    for (series, value) in [
        ("app_load_succeeded{app=\"student\"}", "1"),
        ("usage_total{browser=\"chrome\",feature=\"quickQuestion\"}", "2"),
        ("performance_timing_domComplete_count", "1"),
        ("performance_timing_domComplete_bucket{le=\"1\"}", "1"),
        ("metrics_aggregator_record_total", "1"),
    ] {
        assert_eq!(aggregator.value(series), value, "{series}");
    }
}

#[test]
fn the_file_in_the_help_is_right() {
    let help = run(command(&folder("starts-help", &[]), &["--help"], &[])).stdout;
    let help = String::from_utf8(help).expect("it is text");
    let (_, file) = help.split_once("every key is optional:\n").expect("there is one");
    let lines: Vec<_> =
        file.lines().take_while(|line| line.is_empty() || line.starts_with("  ")).collect();
    let file = lines.join("\n");
    assert!(lines.len() > 10, "{file}");
    let files = [("lastmile.toml", file.as_str()), ("metrics/a.toml", OWN), ("more.toml", "")];
    let folder = folder("starts-help", &files);
    let args = [&ANY_PORT, &["--config", "lastmile.toml"][..]].concat();
    let aggregator = Aggregator::start(command(&folder, &args, &[]));
    let body = r#"{"lm":1,"m":{"page_views_total;device=phone;page=%2f":1,"own_total":1,"client_user_seconds_total":1}}"#;
    assert_eq!(push(aggregator.public, "/lm?key=8f1c0a", body), r#"{"accepted":3,"refused":{}}"#);
}

#[test]
fn an_address_in_use_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let taken = taken.local_addr().map(|address| address.to_string());
    let taken = taken.expect("it is bound");
    let folder = folder("starts-in-use", &[]);
    let check = |command: Command, side: &str| {
        let output = run(command);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            format!(
                "lastmile-aggregator: cannot listen on the {side} address {taken}: it is in use; choose a free one with --{side}\n"
            )
        );
    };
    check(command(&folder, &["--public", &taken, "--private", "127.0.0.1:0"], &[]), "public");
    check(command(&folder, &["--private", &taken, "--public", "127.0.0.1:0"], &[]), "private");
}
