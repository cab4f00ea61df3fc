//! What a meter counts, and in which series.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Debug;
use std::future::{pending, ready};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Extensions, Method, Request, Response, StatusCode, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use lastmile::{Aggregator, Family, Label, Limits, Schema};
use lastmile_http::{Clock, MeasureLayer, MeasuredBody, RequestMeter, Service};
use tokio::net::TcpListener;
use tower_layer::Layer;
use tower_service::Service as _;

fn schema(families: impl IntoIterator<Item = Family>) -> Schema {
    Schema::builder().families(families).build().expect("the families are right")
}

fn measured(limits: Limits) -> (Aggregator, RequestMeter) {
    let agg = Aggregator::new(schema(RequestMeter::families()), limits, Clock::new().now());
    let agg = agg.expect("the families fit");
    let meter = RequestMeter::new(&agg).expect("the families are declared");
    (agg, meter)
}

/// `method route status` of all requests that ended, without those of which there are none. Fails unless nothing
/// is active, and each histogram has counted as much.
#[track_caller]
fn counted(agg: &Aggregator) -> BTreeMap<String, f64> {
    let mut text = Vec::new();
    agg.encode_to(&mut text, Clock::new().now()).expect("memory takes it");
    let text = String::from_utf8(text).expect("it is text");
    let mut counted = BTreeMap::new();
    let (mut n_requests, mut n_observed) = (0.0, 0.0);
    for (series, value) in text.lines().filter_map(|line| line.rsplit_once(' ')) {
        let Ok(value) = value.parse::<f64>() else { continue };
        if series.starts_with("http_server_requests_total{") {
            n_requests += value;
            let labels = series.split('"').skip(1).step_by(2).collect::<Vec<_>>().join(" ");
            if value > 0.0 {
                assert_eq!(counted.insert(labels, value), None, "{text}");
            }
        } else if series.starts_with("http_server_request_duration_seconds_count{") {
            n_observed += value;
        } else if series.starts_with("http_server_active_requests{") {
            assert_eq!(value, 0.0, "{series}");
        }
    }
    assert_eq!(n_requests, n_observed, "{text}");
    counted
}

#[track_caller]
fn check(agg: &Aggregator, wanted: &[(&str, f64)]) {
    let wanted = wanted.iter().map(|(labels, n)| ((*labels).to_owned(), *n));
    assert_eq!(counted(agg), wanted.collect());
}

fn answer(status: u16) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from("x"));
    *answer.status_mut() = StatusCode::from_u16(status).expect("of three digits");
    answer
}

#[test]
fn every_request_has_its_class() {
    let (agg, meter) = measured(Limits::default());
    let get = || meter.begin(&Method::GET, Some("/"));
    for status in [100, 101, 199, 200, 204, 299, 300, 399, 400, 499, 500, 599, 600, 999] {
        drop(get().answered(answer(status)));
    }
    drop(get());
    check(
        &agg,
        &[
            ("GET / 1xx", 3.0),
            ("GET / 2xx", 3.0),
            ("GET / 3xx", 2.0),
            ("GET / 4xx", 2.0),
            ("GET / 5xx", 2.0),
            ("GET / aborted", 1.0),
            ("GET / other", 2.0),
        ],
    );
}

#[test]
fn methods_and_routes_are_bounded() {
    let (agg, meter) = measured(Limits::default());
    let (longest, longer) = ("x".repeat(256), "x".repeat(257));
    for (method, route) in [
        ("OPTIONS", Some("*")),
        ("CONNECT", None),
        ("brew", Some("/")),
        ("M-SEARCH", Some("/")),
        ("GET", Some("")),
        ("GET", Some("unmatched")),
        ("GET", Some("other")),
        ("GET", Some("/ü\n")),
        ("PUT", Some(&longest)),
        ("PUT", Some(&longer)),
    ] {
        let method = Method::from_bytes(method.as_bytes()).expect("it is a token");
        drop(meter.begin(&method, route).answered(answer(200)));
    }
    check(
        &agg,
        &[
            ("OPTIONS * 2xx", 1.0),
            ("CONNECT unmatched 2xx", 1.0),
            ("other / 2xx", 2.0),
            ("GET unmatched 2xx", 2.0),
            ("GET other 2xx", 1.0),
            // As text escapes it.
            ("GET /ü\\n 2xx", 1.0),
            (&format!("PUT {longest} 2xx"), 1.0),
            ("PUT other 2xx", 1.0),
        ],
    );
}

/// Threads that bring the same 600 routes at once, each in an order of its own.
#[test]
fn routes_beyond_the_limit_are_other() {
    let (agg, meter) = measured(Limits::default());
    thread::scope(|scope| {
        for step in [1, 7, 11, 599] {
            let meter = &meter;
            scope.spawn(move || {
                for i in 0..6_000 {
                    let route = format!("/a/long/enough/prefix/{}/{{id}}", i * step % 600);
                    drop(meter.begin(&Method::GET, Some(&route)).answered(answer(200)));
                }
            });
        }
    });
    let counted = counted(&agg);
    assert_eq!(counted.values().sum::<f64>(), 24_000.0);
    assert_eq!(counted.len(), 513, "512 routes and `other`");
    assert_eq!(counted["GET other 2xx"], 88.0 * 40.0);
    let (least, most) = counted
        .values()
        .fold((f64::MAX, 0.0_f64), |(least, most), n| (least.min(*n), most.max(*n)));
    assert_eq!((least, most), (40.0, 88.0 * 40.0));
}

#[test]
fn a_limit_of_the_aggregator_loses_no_request() {
    // 70 series are reserved, for every method and status of routes that find no place.
    let (agg, meter) = measured(Limits::default().series_per_family(80));
    for n in 0..100 {
        drop(meter.begin(&Method::GET, Some(&format!("/{n}"))).answered(answer(200)));
    }
    let counted = counted(&agg);
    assert_eq!(counted.values().sum::<f64>(), 100.0);
    assert!((2..=11).contains(&counted.len()), "{counted:?}");
    assert!(counted["GET other 2xx"] >= 90.0, "{counted:?}");
}

#[test]
fn a_reload_without_the_families_ends_the_counting() {
    let (agg, meter) = measured(Limits::default());
    let get = |route| drop(meter.begin(&Method::GET, Some(route)).answered(answer(200)));
    get("/");
    check(&agg, &[("GET / 2xx", 1.0)]);
    agg.reload(&schema([]), Clock::new().now()).expect("there is nothing that could not fit");
    get("/");
    get("/new");
    check(&agg, &[]);
}

#[test]
fn what_is_missing_is_told_at_the_start() {
    let [requests, seconds, active] = RequestMeter::families();
    let closed = Label::closed("method", ["GET"]);
    for (families, wanted) in [
        (vec![], "no metric family `http_server_active_requests` is declared"),
        (
            vec![requests.clone(), active.clone()],
            "`http_server_request_duration_seconds` is declared",
        ),
        (vec![seconds.clone(), active.clone()], "`http_server_requests_total` is declared"),
        (
            vec![requests.clone(), seconds.clone(), Family::counter(active.name())],
            "is a counter, not a gauge",
        ),
        (
            vec![requests, seconds, Family::gauge(active.name()).label(closed)],
            "a label is given that it does not declare",
        ),
    ] {
        let agg = Aggregator::new(schema(families), Limits::default(), Clock::new().now());
        let error = RequestMeter::new(&agg.expect("they fit")).expect_err(wanted);
        assert!(error.is_handle(), "{error}");
        assert!(error.to_string().contains(wanted), "{error} is to say {wanted}");
    }
}

type Answered = Result<Response<Full<Bytes>>, &'static str>;

/// A service that does as the path says.
#[derive(Clone, Debug)]
struct Paths;

impl tower_service::Service<Request<()>> for Paths {
    type Response = Response<Full<Bytes>>;
    type Error = &'static str;
    type Future = Pin<Box<dyn Future<Output = Answered> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        match request.uri().path() {
            "/answers" => Box::pin(ready(Ok(answer(404)))),
            "/fails" => Box::pin(ready(Err("no answer"))),
            "/waits" => Box::pin(pending()),
            "/panics" => Box::pin(async { panic!("as it is to") }),
            _ => panic!("as it is to, before there is a future"),
        }
    }
}

fn route_of<'a>(uri: &'a Uri, _: &'a Extensions) -> Option<&'a str> {
    Some(uri.path())
}

/// Polls once; what panics or is pending gives nothing.
fn poll_once<F: Future>(future: impl FnOnce() -> F) -> Option<F::Output> {
    let polled = catch_unwind(AssertUnwindSafe(|| {
        let mut future = pin!(future());
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        }
    }));
    polled.ok().flatten()
}

/// The layer, and the function without it, in every way that a request can end.
#[test]
fn whatever_becomes_of_a_request_it_ends_once() {
    for (path, is_answered, wanted) in [
        ("/answers", true, "GET /answers 4xx"),
        ("/fails", true, "GET /fails aborted"),
        ("/waits", false, "GET /waits aborted"),
        ("/panics", false, "GET /panics aborted"),
        ("/panics-early", false, "GET /panics-early aborted"),
    ] {
        let (agg, meter) = measured(Limits::default());
        let mut service = MeasureLayer::new(meter, route_of).layer(Paths);
        let is_ready = service.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready();
        assert!(is_ready, "{service:?}");
        let request = || Request::get(path).body(()).expect("a good path");
        let layered = poll_once(|| service.call(request()));
        assert_eq!(layered.is_some(), is_answered, "{path}");
        drop(layered);
        check(&agg, &[(wanted, 1.0)]);

        let (agg, meter) = measured(Limits::default());
        let called = poll_once(|| async {
            let future = async { Paths.call(request()).await };
            meter.measure(&Method::GET, Some(path), future).await
        });
        assert_eq!(called.is_some(), is_answered, "{path}");
        drop(called);
        check(&agg, &[(wanted, 1.0)]);
    }
    let (agg, meter) = measured(Limits::default());
    drop(meter.measure::<(), ()>(&Method::GET, Some("/"), pending()));
    check(&agg, &[]);
}

/// A body of two frames, of which the second may be an error.
struct Frames {
    left: u32,
    breaks: bool,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        self.left = self.left.saturating_sub(1);
        Poll::Ready(match (self.left, self.breaks) {
            (0, _) => None,
            (1, true) => Some(Err("broken")),
            _ => Some(Ok(Frame::data(Bytes::from_static(b"x")))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left <= 1
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(2)
    }
}

#[tokio::test]
async fn a_body_passes_as_it_is_and_ends_its_request() {
    for breaks in [false, true] {
        let (agg, meter) = measured(Limits::default());
        let in_flight = meter.begin(&Method::POST, None);
        let mut body = in_flight.answered(Response::new(Frames { left: 3, breaks })).into_body();
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(2), false));
        assert!(body.frame().await.is_some_and(|frame| frame.is_ok()));
        let second = body.frame().await.expect("there are two");
        assert_eq!(second.is_err(), breaks);
        let is_over = || counted(&agg).contains_key("POST unmatched 2xx");
        assert!(body.is_end_stream());
        if breaks {
            assert!(is_over());
        }
        assert!(body.frame().await.is_none());
        assert!(is_over(), "{body:?}");
        drop(body);
        check(&agg, &[("POST unmatched 2xx", 1.0)]);
    }
}

async fn pages(
    meter: RequestMeter,
    service: Service,
    request: Request<Incoming>,
) -> Result<Response<MeasuredBody<lastmile_http::ResponseBody>>, Infallible> {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = service.paths().find(|known| *known == path);
    let route = route.as_deref();
    meter
        .measure(&method, route, async {
            match path.as_str() {
                "/panics" => panic!("as it is to"),
                "/waits" => pending().await,
                _ => Ok(service.handle(request, None, Clock::new().now()).await),
            }
        })
        .await
}

/// lastmile's own routes in plain hyper, measured.
#[test]
fn hyper_measures_without_a_layer() {
    let (agg, meter) = measured(Limits::default());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("the system has threads");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let service = Service::public_and_private(agg.clone());
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (meter, service) = (meter.clone(), service.clone());
            let answer = service_fn(move |request| pages(meter.clone(), service.clone(), request));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    let send = |line: &str, body: &str| {
        let mut stream = TcpStream::connect(address).expect("the server listens");
        let request = format!("{line} HTTP/1.0\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).expect("it is taken");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("the server ends it");
        text
    };
    assert!(send("POST /lm", r#"{"lm":1,"m":{}}"#).starts_with("HTTP/1.0 204 "));
    assert!(send("POST /lm", "{").starts_with("HTTP/1.0 400 "));
    assert!(
        send("GET /metrics", "")
            .contains("\nhttp_server_active_requests{method=\"GET\",route=\"/metrics\"} 1\n")
    );
    assert!(send("HEAD /metrics", "").starts_with("HTTP/1.0 200 "));
    assert!(send("GET /nothing", "").starts_with("HTTP/1.0 404 "));
    assert_eq!(send("GET /panics", ""), "");
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.write_all(b"GET /waits HTTP/1.1\r\nhost: x\r\n\r\n").expect("it is taken");
    let waits =
        agg.gauge("http_server_active_requests", &[("method", "GET"), ("route", "unmatched")]);
    let waits = waits.expect("it is declared");
    let wait_for = |n: f64| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while waits.value() != n {
            assert!(Instant::now() < deadline, "{} are active", waits.value());
            thread::sleep(Duration::from_millis(2));
        }
    };
    wait_for(1.0);
    drop(stream);
    wait_for(0.0);
    check(
        &agg,
        &[
            ("POST /lm 2xx", 1.0),
            ("POST /lm 4xx", 1.0),
            ("GET /metrics 2xx", 1.0),
            ("HEAD /metrics 2xx", 1.0),
            ("GET unmatched 4xx", 1.0),
            ("GET unmatched aborted", 2.0),
        ],
    );
}
