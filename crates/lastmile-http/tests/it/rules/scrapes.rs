//! `/metrics`: its headers, its stream, and the scrape that nobody reads to its end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use lastmile::{Aggregator, Family, Format, Label, Schema, Source};
use lastmile_http::{Clock, Service};

use super::server::{Answer, Server, aggregator, wire, with_schema};

#[test]
fn metrics_are_text_of_the_exact_type() {
    let server = Server::start(Service::private(aggregator()));
    let head = "200\ncontent-type: text/plain; version=0.0.4; charset=utf-8\ncache-control: no-store\nx-content-type-options: nosniff";
    for accept in [
        "",
        "\naccept: application/openmetrics-text;version=2.0.0,*/*;q=0.1\naccept-encoding: gzip",
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

/// An exposition with far more text than two sockets and the server hold, also when it is compressed.
fn large() -> Aggregator {
    let family =
        Family::histogram("x_seconds", (1..=10).map(f64::from)).label(Label::open("n", 9_500));
    let agg = with_schema(Schema::builder().family(family).build().expect("the schema is right"));
    let now = Clock::new().now();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..9_000 {
        // A label that does not compress well.
        let mut label = String::new();
        for _ in 0..8 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            label += &format!("{random:016x}");
        }
        let push = format!("{{\"lm\":1,\"m\":{{\"x_seconds;n={label}\":[1]}}}}");
        let report = agg.push(Format::Lm1, push.as_bytes(), &Source::default(), now);
        assert_eq!(report.expect("it decodes").accepted(), 1);
    }
    agg
}

/// Asks for `/metrics`, and reads the first bytes of the answer alone.
fn ask(server: &Server, headers: &str) -> TcpStream {
    let mut stream = server.connect();
    let request = wire(&format!("GET /metrics{headers}"), "close");
    stream.write_all(&request).expect("the server takes it");
    let mut start = [0; 15];
    stream.read_exact(&mut start).expect("the server answers");
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    stream
}

#[test]
fn a_scrape_that_is_broken_off_is_counted_and_locks_nothing() {
    let server = Server::start(Service::public_and_private(large()));
    for (n, headers) in [(1, ""), (2, "\naccept-encoding: gzip")] {
        let stream = ask(&server, headers);
        // The reader reads no further: pushes to what it has not read, and to a new series, go through.
        let push = format!("{{\"lm\":1,\"m\":{{\"x_seconds;n=new{n}\":[1]}}}}");
        let started = Instant::now();
        for _ in 0..20 {
            server.check(&format!("POST /lm\n\n{push}"), "204");
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        let text = server.send("GET /metrics?own=only").body;
        let aborted = |n: u32| format!("lastmile_scrapes_total{{result=\"aborted\"}} {n}\n");
        assert!(text.contains(&aborted(n - 1)), "it is under way: {text}");
        drop(stream);

        let deadline = Instant::now() + Duration::from_secs(20);
        while !server.send("GET /metrics?own=only").body.contains(&aborted(n)) {
            assert!(Instant::now() < deadline, "the server never noticed");
            std::thread::sleep(Duration::from_millis(20));
        }
        server.check(&format!("POST /lm\n\n{push}"), "204");
    }
    let answer = server.send("GET /metrics\naccept-encoding: gzip");
    let lens = (answer.raw.len(), answer.body.len());
    assert!(lens.0 > 1 << 20, "so few bytes may fit in buffers: {lens:?}");
    for n in [1, 2] {
        let count = format!("x_seconds_count{{n=\"new{n}\"}} 21\n");
        assert!(answer.body.contains(&count));
    }
}

#[test]
fn a_slow_reader_gets_all_of_it() {
    let server = Server::start(Service::public_and_private(large()));
    let plain = server.send("GET /metrics?own=none").body;
    for headers in ["?own=none", "?own=none\naccept-encoding: gzip"] {
        let mut stream = ask(&server, headers);
        std::thread::sleep(Duration::from_millis(200));
        let mut text = b"HTTP/1.1 200 OK".to_vec();
        stream.read_to_end(&mut text).expect("the server answers");
        assert_eq!(Answer::read(&text, false).0.body, plain);
    }
}
