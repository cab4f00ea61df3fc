//! `/metrics`: its headers, its stream, and the scrape that nobody reads to its end.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use lastmile::{Family, Format, Label, Schema, Source};
use lastmile_http::{Clock, Service};

use crate::server::{Answer, Server, aggregator, wire, with_schema};

#[test]
fn metrics_are_text_of_the_exact_type() {
    let server = Server::start(Service::private(aggregator()));
    let head = "200\ncontent-type: text/plain; version=0.0.4; charset=utf-8\ncache-control: no-store\nx-content-type-options: nosniff";
    for accept in [
        "",
        "\naccept: application/openmetrics-text;version=1.0.0,*/*;q=0.1\naccept-encoding: gzip",
    ] {
        let request = format!("GET /metrics{accept}");
        let answer = server.send(&request);
        answer.check(&request, &format!("{head}\n\n{}", answer.body));
        assert!(answer.body.ends_with('\n'));
        assert!(
            answer.body.contains("# TYPE loads_total counter\nloads_total{app=\"student\"} 0\n")
        );
    }
    server.check("HEAD /metrics", &format!("{head}\n!transfer-encoding"));
}

#[test]
fn a_head_is_no_scrape() {
    let server = Server::start(Service::private(aggregator()));
    for _ in 0..3 {
        server.send("HEAD /metrics");
    }
    // A scrape counts itself only when it is over.
    for n in 0..2 {
        let text = server.send("GET /metrics").body;
        assert!(
            text.contains(&format!("lastmile_scrapes_total{{result=\"complete\"}} {n}\n")),
            "{text}"
        );
        assert!(text.contains("lastmile_scrapes_total{result=\"aborted\"} 0\n"), "{text}");
    }
}

#[test]
fn scrapers_send_their_header_and_see_the_same() {
    let agg = aggregator();
    let server = Server::start(Service::public_and_private(agg));
    server.check("POST /lm\n\n{\"lm\":1,\"m\":{\"loads_total;app=student\":3}}", "204");
    let answer = server.send("GET /metrics\nx-prometheus-scrape-timeout-seconds: 10");
    assert!(answer.body.contains("loads_total{app=\"student\"}"), "{answer}");
}

#[test]
fn a_scrape_that_is_broken_off_is_counted() {
    // Far more text than two sockets and the server hold.
    let family =
        Family::histogram("x_seconds", (1..=100).map(f64::from)).label(Label::open("n", 9_000));
    let agg = with_schema(Schema::builder().family(family).build().expect("the schema is right"));
    let now = Clock::new().now();
    for n in 0..6_000 {
        let push = format!("{{\"lm\":1,\"m\":{{\"x_seconds;n={n}\":[1]}}}}");
        let report = agg.push(Format::Lm1, push.as_bytes(), &Source::default(), now);
        assert_eq!(report.expect("it decodes").accepted(), 1);
    }
    let server = Server::start(Service::private(agg));
    let mut stream = server.connect();
    stream.write_all(&wire("GET /metrics", "close")).expect("the server takes it");
    let mut start = [0; 15];
    stream.read_exact(&mut start).expect("the server answers");
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    drop(stream);

    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let mut stream = server.connect();
        stream.write_all(&wire("GET /metrics", "close")).expect("the server takes it");
        let mut text = Vec::new();
        stream.read_to_end(&mut text).expect("the server answers");
        let body = Answer::read(&text, false).0.body;
        assert!(body.len() > 16 << 20, "{} bytes may fit in buffers", body.len());
        if body.contains("lastmile_scrapes_total{result=\"aborted\"} 1\n") {
            break;
        }
        assert!(Instant::now() < deadline, "the server never noticed");
    }
}
