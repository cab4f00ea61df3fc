use std::cell::Cell;
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use lastmile::{Aggregator, Family, Format, Limits, Schema, Source};

use crate::body::ResponseBody;
use crate::{Clock, PublicOptions, Service};

/// Does its work when it is dropped.
struct AtEnd(Option<Box<dyn FnOnce()>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            work();
        }
    }
}

thread_local! {
    static AT_END: Cell<AtEnd> = const { Cell::new(AtEnd(None)) };
}

pub(crate) fn aggregator() -> Aggregator {
    let schema = Schema::builder().family(Family::counter("loads_total")).build();
    let schema = schema.expect("the schema is right");
    Aggregator::new(schema, Limits::default(), Clock::new().now()).expect("it fits")
}

/// Runs `work` where every push panics: on a thread that has lost the buffers which it kept between pushes. What a
/// thread keeps goes in the opposite order to how it came.
pub(crate) fn where_pushes_panic<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (tell, told) = mpsc::channel();
    let work = move || tell.send(work()).expect("it is waited for");
    let ends = thread::spawn(|| {
        AT_END.set(AtEnd(Some(Box::new(work))));
        let (body, now) = (br#"{"lm":1,"m":{}}"#, Clock::new().now());
        aggregator().push(Format::Lm1, body, &Source::default(), now).expect("it decodes");
    });
    ends.join().expect("what panicked was caught");
    told.recv().expect("it is done")
}

/// How often the series of this name and labels was counted.
pub(crate) fn value(agg: &Aggregator, series: &str) -> String {
    let mut text = Vec::new();
    agg.encode_to(&mut text, Clock::new().now()).expect("a Vec takes everything");
    let text = String::from_utf8(text).expect("it is text");
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.expect("it is there").to_owned()
}

fn at_once(service: &Service, request: Request<Full<Bytes>>) -> Response<ResponseBody> {
    let answer = pin!(service.handle(request, None, Clock::new().now()));
    match answer.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("nothing is waited for"),
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_panic_is_answered_and_counted_wherever_it_was() {
    const PANICS: &str = "lastmile_requests_refused_total{reason=\"panic\"}";
    // A page without an origin is listed, so that a hit counts.
    let options = PublicOptions::new().origins(["null"]);
    let long = format!("loads_total 1\n# {}\n", "x".repeat(70_000));
    for (request, is_elsewhere, status) in [
        ("POST /lm {\"lm\":1,\"m\":{\"loads_total\":1}}", false, 204),
        (
            "POST /record [{\"metricName\":\"loads_total\",\"metricType\":\"counter\",\"labels\":{},\"inc\":1}]",
            false,
            204,
        ),
        ("GET /lm.gif?m=loads_total ", false, 200),
        (&format!("POST /metrics {long}"), false, 204),
        (&format!("POST /metrics {long}"), true, 204),
    ] {
        let agg = aggregator();
        let service = Service::public_with(agg.clone(), &options).expect("the options are right");
        let (method, rest) = request.split_once(' ').expect("a method");
        let (path, body) = rest.split_once(' ').expect("a path");
        let request = || {
            let body = Full::from(Bytes::copy_from_slice(body.as_bytes()));
            Request::builder().method(method).uri(path).body(body).expect("it is a request")
        };
        let now = || Clock::new().now();
        let answer = if is_elsewhere {
            service.set_offload(where_pushes_panic);
            service.handle(request(), None, now()).await
        } else {
            let (service, request) = (service.clone(), request());
            where_pushes_panic(move || at_once(&service, request))
        };
        assert_eq!(answer.status(), 500, "{path}");
        assert!(!answer.headers().contains_key("retry-after"), "{path}");
        let problem = answer.into_body().collect().await.expect("it does not break").to_bytes();
        let problem = String::from_utf8_lossy(&problem);
        assert!(problem.contains("\"reason\":\"panic\""), "{problem}");
        assert_eq!((value(&agg, PANICS), value(&agg, "loads_total")), ("1".into(), "0".into()));

        // The next one is taken.
        let service = Service::public_with(agg.clone(), &options).expect("the options are right");
        assert_eq!(service.handle(request(), None, now()).await.status(), status, "{path}");
        assert_eq!((value(&agg, PANICS), value(&agg, "loads_total")), ("1".into(), "1".into()));
    }
}
