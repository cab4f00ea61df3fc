//! `lastmile-http` over the server loop.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use http::Request;
use hyper::service::service_fn;
use lastmile::{Aggregator, Family, Label, Limits, Schema};
use lastmile_http::{Clock, Service};
use lastmile_hyper::{Endpoint, RequestBody};
use tower_service::Service as _;

use crate::client::Client;
use crate::server::{Running, patient};

fn aggregator() -> Aggregator {
    let loads = Family::counter("loads_total").label(Label::closed("app", ["student"]));
    let pages = Family::counter("pages_total").label(Label::open("page", 10));
    let schema =
        Schema::builder().family(loads).family(pages).build().expect("the schema is right");
    Aggregator::new(schema, Limits::default(), Clock::new().now()).expect("the schema fits")
}

fn push(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn it_answers_as_the_service_does() {
    let endpoint = Endpoint::new(Service::public_and_private(aggregator()));
    let running = Running::service(endpoint, patient());
    let check = |request: &str, status: u16, heads: &[&str], bodies: &[&str]| {
        let answer = running.connect().ask(request);
        let body = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, status, "{request}: {answer:?}");
        assert!(heads.iter().all(|head| answer.head.contains(head)), "{request}: {answer:?}");
        assert!(bodies.iter().all(|part| body.contains(part)), "{request}: {body}");
    };
    let open = "\r\naccess-control-allow-origin: *\r\n";
    let loads = r#"{"lm":1,"m":{"loads_total;app=student":1}}"#;
    check(&push("/lm", loads), 204, &[open], &[]);
    check(&push("/lm?s=3", loads), 204, &[open], &[]);
    check(&push("/record", "["), 400, &[open], &["\"offset\":1}"]);
    check(&push("/record", &"x".repeat(lastmile_http::BODY_BYTES_MAX + 1)), 413, &[open], &[]);
    check(&push("/record", &"x".repeat(3_000_000)), 413, &[open], &["\"reason\":"]);
    check(
        "GET /lm HTTP/1.1\r\nhost: localhost\r\n\r\n",
        405,
        &["\r\nallow: POST, OPTIONS\r\n"],
        &[],
    );
    let text = "\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n";
    let loads = "\nloads_total{app=\"student\"} 2\n";
    check("GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n", 200, &[text], &[loads]);
    check("HEAD /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n", 200, &[text], &[]);
    check("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n", 404, &["application/problem+json"], &[]);
}

/// A scraper is its peer's address and port: each connection of it sees a new series at 0 once.
#[track_caller]
fn check_scraper(running: &Running) {
    let mut scraper = running.connect();
    let mut scrape = |wanted: &str| {
        let header = "x-prometheus-scrape-timeout-seconds: 10\r\n";
        let answer =
            scraper.ask(format!("GET /metrics HTTP/1.1\r\nhost: localhost\r\n{header}\r\n"));
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(body.contains(wanted), "{wanted}: {body}");
    };
    scrape("\nloads_total{app=\"student\"} 0\n");
    running.check(&push("/lm", r#"{"lm":1,"m":{"pages_total;page=a":3}}"#), 204, "");
    scrape("\npages_total{page=\"a\"} 0\n");
    scrape("\npages_total{page=\"a\"} 3\n");
}

#[test]
fn a_scraper_is_known_by_its_connection() {
    let endpoint = Endpoint::new(Service::public_and_private(aggregator()));
    check_scraper(&Running::service(endpoint, patient()));
}

/// An axum application, its handlers and `lastmile-axum` in it, with the peers that they ask for.
#[test]
fn axum_is_served_too() {
    let app = Router::new()
        .route("/", get(|peer: ConnectInfo<SocketAddr>| async move { peer.to_string() }))
        .merge(lastmile_axum::router(Service::public_and_private(aggregator())));
    let make = move |peer: SocketAddr| {
        let app = app.clone();
        service_fn(move |mut request: Request<RequestBody>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            app.clone().call(request)
        })
    };
    let running = Running::service(make, patient());
    let mut client = Client::connect_from([127, 0, 0, 5], running.address);
    let me = client.stream.local_addr().expect("it is bound");
    client.ask("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").check(200, &me.to_string());
    client.ask("GET /else HTTP/1.1\r\nhost: localhost\r\n\r\n").check(404, "");
    check_scraper(&running);
}
