//! The translation over real sockets: what `lastmile-http` answers comes through axum as it is,
//! wherever the routes are mounted.

mod adapter;
mod measure;
mod push;
#[path = "../../../lastmile-http/tests/it/rules/mod.rs"]
mod rules;
mod server;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use axum::serve::{Listener, ListenerExt};
use lastmile::{Aggregator, Family, Format, Label, Limits, Schema, Source};
use lastmile_axum::{Endpoint, router};
use lastmile_http::{Clock, Service};

use crate::server::Server;

fn aggregator() -> Aggregator {
    let loads = Family::counter("loads_total").label(Label::closed("app", ["student"]));
    let times =
        Family::histogram("x_seconds", (1..=100).map(f64::from)).label(Label::open("n", 9_000));
    let schema =
        Schema::builder().family(loads).family(times).build().expect("the schema is right");
    Aggregator::new(schema, Limits::default(), Clock::new().now()).expect("the schema fits")
}

const PUSH: &str = r#"{"lm":1,"m":{"loads_total;app=student":1}}"#;
const OPEN: &str = "\r\naccess-control-allow-origin: *\r\n";

#[test]
fn an_endpoint_answers_everything() {
    let server = Server::endpoint(Service::public_and_private(aggregator()));
    server.check(("POST /lm", PUSH), 204, &[OPEN], &["content-length", "content-type"]);
    server.check(("POST /lm?s=3", PUSH), 204, &[OPEN], &[]);
    server.check(("POST /record", "["), 400, &[OPEN, "\"offset\":1}", "\r\ncontent-length: "], &[]);
    server.check(("GET /lm", ""), 405, &["\r\nallow: post, options\r\n", OPEN], &[]);
    server.check(
        ("OPTIONS /record", ""),
        204,
        &["\r\naccess-control-max-age: 7200\r\n"],
        &["content-length"],
    );
    server.check(("GET /", ""), 404, &["application/problem+json", OPEN], &[]);
    let text = "\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n";
    server.check(("GET /metrics", ""), 200, &[text, "\nloads_total{app=\"student\"} 2\n"], &[OPEN]);
    server.check(("HEAD /metrics", ""), 200, &[text], &["loads_total", "content-length: 0"]);
    server.check(("POST /metrics", "loads_total{app=\"student\"} 1\n"), 204, &[OPEN], &[]);
    server.check(("HEAD /healthz", ""), 200, &["\r\ncontent-length: 8\r\n"], &["healthy"]);
    let large = "x".repeat(lastmile_http::BODY_BYTES_MAX + 1);
    server.check(("POST /record", &large), 413, &[OPEN], &[]);
}

#[test]
fn a_router_is_nested_and_merged() {
    let agg = aggregator();
    let app = Router::new()
        .route("/", get(|| async { "home" }))
        .route("/lm-{page}", get(|| async { "a page" }))
        .nest("/telemetry/v1", router(Service::public(agg.clone())))
        .merge(router(Service::private(agg)))
        .fallback(|| async { (axum::http::StatusCode::NOT_FOUND, "the application's own") });
    let server = Server::router(app);
    server.check(("POST /telemetry/v1/lm", PUSH), 204, &[OPEN], &["content-type"]);
    server.check(("POST /telemetry/v1/record?x", "[]"), 204, &[OPEN], &[]);
    let script = server.send("GET /telemetry/v1/lm.js", "", "");
    let (head, text) = script.split_once("\r\n\r\n").expect("a whole head");
    let hash = head.split("etag: W/\"").nth(1).and_then(|tag| tag.get(..16)).expect("a weak tag");
    let for_good = server.send(&format!("GET /telemetry/v1/lm-{hash}.js"), "", "");
    let is_same = for_good.ends_with(text) && for_good.contains("immutable");
    assert!(text.len() > 1_000 && is_same, "{for_good}");
    let problem = ["application/problem+json", "\r\ncache-control: no-store\r\n"];
    server.check(("GET /telemetry/v1/lm-0123456789abcdef.js", ""), 404, &problem, &[]);
    server.check(("GET /lm-0123456789abcdef.js", ""), 200, &["a page"], &["cache-control"]);
    server.check(
        ("DELETE /telemetry/v1/lm", ""),
        405,
        &["\r\nallow: post, options\r\n", OPEN],
        &[],
    );
    server.check(
        ("OPTIONS /telemetry/v1/lm", ""),
        204,
        &["\r\naccess-control-allow-headers: content-type,"],
        &[],
    );
    for path in ["/metrics", "/metrics/", "/metrics/app/student"] {
        let labels = if path.ends_with("student") { "" } else { "{app=\"student\"}" };
        let body = format!("loads_total{labels} 2\n");
        server.check((&format!("POST /telemetry/v1{path}"), &body), 204, &[OPEN], &[]);
    }
    server.check(("GET /metrics", ""), 200, &["\nloads_total{app=\"student\"} 7\n"], &[OPEN]);
    server.check(("HEAD /metrics", ""), 200, &["version=0.0.4"], &["loads_total"]);
    server.check(("POST /metrics", ""), 405, &["\r\nallow: get, head\r\n"], &[OPEN]);
    server.check(("GET /readyz", ""), 200, &["\r\n\r\nready\n"], &[]);
    server.check(("GET /", ""), 200, &["\r\n\r\nhome"], &[OPEN]);
    for path in ["/lm", "/telemetry/v1", "/telemetry/v1/", "/telemetry/v1/healthz", "/metrics/x"] {
        server.check((&format!("GET {path}"), ""), 404, &["the application's own"], &[OPEN]);
    }
}

#[test]
fn an_endpoint_is_mounted_as_a_service() {
    let agg = aggregator();
    let app = Router::new()
        .nest_service("/push", Endpoint::new(Service::public(agg.clone())))
        .fallback_service(Endpoint::new(Service::private(agg)));
    let server = Server::router(app);
    server.check(("POST /push/lm", PUSH), 204, &[OPEN], &[]);
    server.check(
        ("POST /push/else", PUSH),
        404,
        &["there is nothing at /else on this listener", OPEN],
        &[],
    );
    server.check(("GET /metrics", ""), 200, &["\nloads_total{app=\"student\"} 1\n"], &[]);
    server.check(("GET /else", ""), 404, &["application/problem+json"], &[OPEN]);
}

/// A scraper's header, with the peer from the listener, from the application's own `ConnectInfo`, from
/// a listener that is tapped, and from nowhere.
#[test]
fn scrapers_are_served_with_and_without_a_peer() {
    let service = || Service::public_and_private(aggregator());
    let with_info = {
        let (server, listener) = Server::bind();
        let app: Router = router(service());
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        server.runtime.spawn(async { axum::serve(listener, app).await });
        server
    };
    let tapped = {
        let (server, listener) = Server::bind();
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("it is open"));
        assert_eq!(listener.local_addr().expect("it is bound"), server.address);
        let endpoint = Endpoint::new(service());
        server.runtime.spawn(async { axum::serve(listener, endpoint).await });
        server
    };
    for server in
        [Server::endpoint(service()), with_info, tapped, Server::router(router(service()))]
    {
        assert!(server.send("POST /lm", "", PUSH).starts_with("HTTP/1.0 204 "));
        for header in ["", "x-prometheus-scrape-timeout-seconds: 10\r\n"] {
            let answer = server.send("GET /metrics", header, "");
            assert!(answer.contains("\nloads_total{app=\"student\"} "), "{answer}");
        }
    }
}

#[test]
fn a_scrape_that_is_broken_off_is_counted() {
    let agg = aggregator();
    for n in 0..6_000 {
        let push = format!("{{\"lm\":1,\"m\":{{\"x_seconds;n={n}\":[1]}}}}");
        let now = Clock::new().now();
        let report = agg.push(Format::Lm1, push.as_bytes(), &Source::default(), now);
        assert_eq!(report.expect("it decodes").accepted(), 1);
    }
    let server = Server::endpoint(Service::private(agg));
    let mut stream = server.connect();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .expect("the server takes it");
    stream.read_exact(&mut [0; 100]).expect("the server answers");
    drop(stream);

    let deadline = Instant::now() + Duration::from_secs(20);
    while !server
        .send("GET /metrics", "", "")
        .contains("lastmile_scrapes_total{result=\"aborted\"} 1\n")
    {
        assert!(Instant::now() < deadline, "the server never noticed");
    }
}
