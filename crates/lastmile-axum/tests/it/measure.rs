//! The layer over real sockets: what it counts is what was asked, whatever becomes of a request.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use axum::response::Redirect;
use axum::routing::get;
use http_body::Frame;
use lastmile::{Aggregator, Limits, Schema};
use lastmile_axum::{measure, router};
use lastmile_http::{Clock, RequestMeter, Service};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::PUSH;
use crate::server::Server;

/// A server whose requests are measured, and the other end of the streams that `/stream` answers.
struct Measured {
    server: Server,
    agg: Aggregator,
    streams: Arc<Mutex<Vec<UnboundedSender<&'static str>>>>,
}

/// A body of what a channel brings.
struct Stream(UnboundedReceiver<&'static str>);

impl HttpBody for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|text| text.map(|text| Ok(Frame::data(Bytes::from(text)))))
    }
}

fn aggregator() -> Aggregator {
    let families = RequestMeter::families();
    let schema = Schema::builder().browser().families(families).build().expect("they are right");
    Aggregator::new(schema, Limits::default(), Clock::new().now()).expect("they fit")
}

impl Measured {
    /// `wrap` puts the layer around the application's routes.
    fn new(wrap: impl FnOnce(Router, RequestMeter) -> Router) -> Self {
        let agg = aggregator();
        let streams = Arc::new(Mutex::new(Vec::new()));
        let open = Arc::clone(&streams);
        let stream = async move || {
            let (sender, receiver) = unbounded_channel();
            open.lock().expect("no one panicked").push(sender);
            Body::new(Stream(receiver))
        };
        let orders = Router::new().route("/orders/{id}", get(|| async { "one" }).post(|| async {}));
        let v1 = Router::new().nest("/v1", orders).route("/", get(|| async { "the root" }));
        let own = Router::new().route("/in", get(|| async {}));
        let app = Router::new()
            .route("/", get(|| async { "home" }))
            .route("/users/{id}", get(|| async { "someone" }))
            .route("/moved", get(|| async { Redirect::to("/") }))
            .route("/fails", get(|| async { StatusCode::BAD_GATEWAY }))
            .route(
                "/strange",
                get(|| async { StatusCode::from_u16(799).expect("of three digits") }),
            )
            .route("/panics", get(|| async { panic!("as it is to") as () }))
            .route("/pending", get(std::future::pending::<()>))
            .route("/stream", get(stream))
            .nest("/api", v1)
            .nest("/telemetry", router(Service::public(agg.clone())))
            .nest_service("/inner", own);
        let meter = RequestMeter::new(&agg).expect("the families are declared");
        let server = Server::router(wrap(app, meter));
        Self { server, agg, streams }
    }

    fn layered() -> Self {
        Self::new(|app, meter| app.layer(measure(meter)))
    }

    /// Every series of the three families, histograms by their `_count`, but for what is 0.
    fn series(&self) -> BTreeMap<String, f64> {
        let mut text = Vec::new();
        self.agg.encode_to(&mut text, Clock::new().now()).expect("memory takes it");
        let text = String::from_utf8(text).expect("it is text");
        let values =
            text.lines().filter(|line| line.starts_with("http_server_")).filter_map(|line| {
                let (series, value) = line.rsplit_once(' ')?;
                let value: f64 = value.parse().expect("a number");
                (value != 0.0).then(|| (series.to_owned(), value))
            });
        values.filter(|(series, _)| !series.contains("_bucket{")).collect()
    }

    fn value(&self, series: &str) -> f64 {
        self.series().get(series).copied().unwrap_or(0.0)
    }

    /// Waits until no request is active, which happens some time after the client saw its end.
    #[track_caller]
    fn settle(&self) {
        self.wait(|series| !series.keys().any(|name| name.contains("_active_")));
    }

    #[track_caller]
    fn wait(&self, until: impl Fn(&BTreeMap<String, f64>) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !until(&self.series()) {
            assert!(Instant::now() < deadline, "still {:#?}", self.series());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Compares all that was counted with `(method, route, status, requests)`, and each histogram with the sum
    /// over status.
    #[track_caller]
    fn check(&self, counted: &[(&str, &str, &str, f64)]) {
        self.settle();
        let mut wanted = BTreeMap::new();
        for (method, route, status, n) in counted {
            let labels = format!("method=\"{method}\",route=\"{route}\"");
            let total = format!("http_server_requests_total{{{labels},status=\"{status}\"}}");
            assert_eq!(wanted.insert(total, *n), None, "twice in the table: {labels} {status}");
            let count = format!("http_server_request_duration_seconds_count{{{labels}}}");
            *wanted.entry(count).or_insert(0.0) += n;
        }
        let mut shown = self.series();
        shown.retain(|name, _| !name.contains("_seconds_sum{"));
        assert_eq!(shown, wanted);
    }
}

#[test]
fn requests_are_counted_by_method_route_and_status() {
    let app = Measured::layered();
    let long = format!("GET /{}", "x".repeat(1_000));
    for (line, body, n) in [
        ("GET /", "", 3),
        ("HEAD /", "", 2),
        ("POST /", "", 1),
        ("GET /users/1", "", 1),
        ("GET /users/2?x=/users/3", "", 1),
        ("DELETE /users/4", "", 1),
        ("GET /moved", "", 1),
        ("GET /fails", "", 2),
        ("GET /strange", "", 1),
        ("GET /panics", "", 2),
        ("GET /api", "", 1),
        ("GET /api/v1/orders/7", "", 1),
        ("POST /api/v1/orders/8", "", 1),
        ("GET /api/v1/nothing", "", 1),
        ("GET /inner/in", "", 1),
        ("POST /telemetry/lm", PUSH, 1),
        ("POST /telemetry/lm", "{", 1),
        ("OPTIONS /telemetry/lm", "", 1),
        ("GET /nothing", "", 1),
        (&long, "", 1),
        ("BREW /", "", 1),
        ("PROPFIND /nothing", "", 1),
        ("get /", "", 1),
        ("TRACE /nothing", "", 1),
        ("PATCH /nothing", "", 1),
        ("PUT /nothing", "", 1),
    ] {
        for _ in 0..n {
            let answer = app.server.send(line, "", body);
            assert_eq!(answer.is_empty(), line == "GET /panics", "{line}: {answer}");
        }
    }
    app.check(&[
        ("GET", "/", "2xx", 3.0),
        ("HEAD", "/", "2xx", 2.0),
        ("POST", "/", "4xx", 1.0),
        ("GET", "/users/{id}", "2xx", 2.0),
        ("DELETE", "/users/{id}", "4xx", 1.0),
        ("GET", "/moved", "3xx", 1.0),
        ("GET", "/fails", "5xx", 2.0),
        ("GET", "/strange", "other", 1.0),
        ("GET", "/panics", "aborted", 2.0),
        ("GET", "/api", "2xx", 1.0),
        ("GET", "/api/v1/orders/{id}", "2xx", 1.0),
        ("POST", "/api/v1/orders/{id}", "2xx", 1.0),
        // axum matches no more than the prefix of a service that is nested.
        ("GET", "unmatched", "2xx", 1.0),
        ("POST", "/telemetry/lm", "2xx", 1.0),
        ("POST", "/telemetry/lm", "4xx", 1.0),
        ("OPTIONS", "/telemetry/lm", "2xx", 1.0),
        ("GET", "unmatched", "4xx", 3.0),
        ("other", "/", "4xx", 2.0),
        ("other", "unmatched", "4xx", 1.0),
        ("TRACE", "unmatched", "4xx", 1.0),
        ("PATCH", "unmatched", "4xx", 1.0),
        ("PUT", "unmatched", "4xx", 1.0),
    ]);
}

#[test]
fn route_layers_and_other_middleware_measure_what_they_are_around() {
    let app = Measured::new(|app, meter| app.route_layer(measure(meter)));
    app.server.send("GET /nothing", "", "");
    app.server.send("GET /users/1", "", "");
    app.check(&[("GET", "/users/{id}", "2xx", 1.0)]);

    // Another middleware between the routes and the layer, a fallback, and the layer of one router of two.
    let app = Measured::new(|app, meter| {
        let turned_away =
            axum::middleware::from_fn(async |request, next: axum::middleware::Next| {
                let mut answer = next.run(request).await;
                *answer.status_mut() = StatusCode::UNAUTHORIZED;
                answer
            });
        let app = app.fallback(|| async { "the fallback" });
        let app = app.layer(turned_away).layer(measure(meter));
        app.merge(Router::new().route("/late", get(|| async {})))
    });
    for path in ["/", "/nothing", "/late"] {
        app.server.send(&format!("GET {path}"), "", "");
    }
    app.check(&[("GET", "/", "4xx", 1.0), ("GET", "unmatched", "4xx", 1.0)]);

    // A router that is nested as a service knows its prefix.
    let app = Measured::new(|app, meter| {
        let own = Router::new().route("/in/{n}", get(|| async {})).layer(measure(meter));
        app.nest_service("/second", own)
    });
    for path in ["/", "/second/in/1", "/second/out"] {
        app.server.send(&format!("GET {path}"), "", "");
    }
    app.check(&[("GET", "/second/in/{n}", "2xx", 1.0), ("GET", "unmatched", "4xx", 1.0)]);
}

#[test]
fn a_client_that_goes_away_is_an_aborted_request() {
    let app = Measured::layered();
    let active = "http_server_active_requests{method=\"GET\",route=\"/pending\"}";
    let clients: Vec<_> = (0..5).map(|_| app.server.connect()).collect();
    for (i, mut stream) in clients.iter().enumerate() {
        stream.write_all(b"GET /pending HTTP/1.1\r\nhost: x\r\n\r\n").expect("it is taken");
        app.wait(|series| series.get(active) == Some(&(i as f64 + 1.0)));
    }
    // What is under way is counted nowhere else.
    assert_eq!(app.series().len(), 1, "{:?}", app.series());
    drop(clients);
    app.check(&[("GET", "/pending", "aborted", 5.0)]);
}

#[test]
fn a_stream_is_active_until_its_end() {
    let app = Measured::layered();
    let active = "http_server_active_requests{method=\"GET\",route=\"/stream\"}";
    let began = Instant::now();
    let mut stream = app.server.connect();
    stream.write_all(b"GET /stream HTTP/1.0\r\n\r\n").expect("it is taken");
    app.wait(|series| series.contains_key(active));
    let sender = loop {
        if let Some(sender) = app.streams.lock().expect("no one panicked").pop() {
            break sender;
        }
    };
    sender.send("first").expect("the stream is read");
    let mut head = Vec::new();
    while !head.ends_with(b"first") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the answer goes on");
        head.push(byte[0]);
    }
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(app.series().len(), 1, "only active: {:?}", app.series());
    sender.send(" last").expect("the stream is read");
    drop(sender);
    let mut rest = String::new();
    stream.read_to_string(&mut rest).expect("the answer ends");
    assert_eq!(rest, " last");
    app.check(&[("GET", "/stream", "2xx", 1.0)]);
    let sum =
        app.value("http_server_request_duration_seconds_sum{method=\"GET\",route=\"/stream\"}");
    assert!((0.06..=began.elapsed().as_secs_f64()).contains(&sum), "{sum} s");

    // One whose client goes away counts under the status that was sent.
    let mut stream = app.server.connect();
    stream.write_all(b"GET /stream HTTP/1.0\r\n\r\n").expect("it is taken");
    stream.read_exact(&mut [0; 10]).expect("the answer begins");
    stream.shutdown(Shutdown::Both).expect("it was open");
    app.check(&[("GET", "/stream", "2xx", 2.0)]);
}

/// Requests on one connection, each sent before the last was answered.
fn pipeline(server: &Server, lines: impl Iterator<Item = String>) -> String {
    let mut requests = lines.fold(String::new(), |mut requests, line| {
        write!(requests, "{line} HTTP/1.1\r\nhost: x\r\n\r\n").expect("memory takes it");
        requests
    });
    requests += "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let mut stream = server.connect();
    let mut writer = stream.try_clone().expect("the system has descriptors");
    let sender = std::thread::spawn(move || writer.write_all(requests.as_bytes()));
    let mut answers = String::new();
    stream.read_to_string(&mut answers).expect("the server answers with text");
    sender.join().expect("no panic").expect("the server takes them");
    answers
}

#[test]
fn clients_cannot_make_series() {
    let app = Measured::layered();
    let paths = (0..10_000).map(|n| match n % 2 {
        0 => format!("GET /users/{n}"),
        _ => format!("GET /{n}/nothing"),
    });
    let answers = pipeline(&app.server, paths);
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 5_001);
    assert_eq!(answers.matches("HTTP/1.1 404 Not Found").count(), 5_000);
    let answers = pipeline(&app.server, (0..500).map(|n| format!("M{n} /")));
    assert_eq!(answers.matches("HTTP/1.1 405 Method Not Allowed").count(), 500);
    app.check(&[
        ("GET", "/", "2xx", 2.0),
        ("GET", "/users/{id}", "2xx", 5_000.0),
        ("GET", "unmatched", "4xx", 5_000.0),
        ("other", "/", "4xx", 500.0),
    ]);
    // Nor series at 0, which the table passes over.
    let mut text = Vec::new();
    app.agg.encode_to(&mut text, Clock::new().now()).expect("memory takes it");
    let text = String::from_utf8(text).expect("it is text");
    assert_eq!(text.matches("http_server_requests_total{").count(), 4, "{text}");
}

#[test]
fn pages_cannot_push_to_them() {
    let app = Measured::layered();
    let push = r#"{"lm":1,"m":{"http_server_requests_total;method=GET;route=/;status=2xx":1,"http_server_active_requests;method=GET;route=/":5,"http_server_request_duration_seconds;method=GET;route=/":[1]}}"#;
    let answer = app.server.send("POST /telemetry/lm", "prefer: return=representation\r\n", push);
    assert!(answer.ends_with("{\"accepted\":0,\"refused\":{\"unknown_family\":3}}"), "{answer}");
    app.check(&[("POST", "/telemetry/lm", "2xx", 1.0)]);
}
