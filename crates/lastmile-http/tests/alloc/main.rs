//! A request of a method and route that were seen before is measured without an allocation.
//!
//! Alone in its binary and without a harness, so that no other thread's allocations are counted.

use std::alloc::System;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Extensions, Method, Request, Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::Full;
use lastmile::{Aggregator, Limits, Schema};
use lastmile_http::{Clock, MeasureLayer, RequestMeter};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tower_layer::Layer;
use tower_service::Service;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Answers at once, and allocates nothing itself.
struct AtOnce(StatusCode);

impl Service<Request<()>> for AtOnce {
    type Response = Response<Full<Bytes>>;
    type Error = std::convert::Infallible;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        let mut answer = Response::new(Full::from(Bytes::from_static(b"answer")));
        *answer.status_mut() = self.0;
        ready(Ok(answer))
    }
}

fn main() {
    let schema = Schema::builder().families(RequestMeter::families()).build();
    let schema = schema.expect("the families are right");
    let agg = Aggregator::new(schema, Limits::default(), Clock::new().now()).expect("it fits");
    let meter = RequestMeter::new(&agg).expect("the families are declared");
    fn route_of<'a>(_: &'a Uri, _: &'a Extensions) -> Option<&'a str> {
        Some("/api/v1/users/{id}")
    }
    let mut cx = Context::from_waker(Waker::noop());
    let layer = MeasureLayer::new(meter.clone(), route_of);
    for (status, read) in [(200, true), (404, true), (500, false)] {
        let mut service =
            layer.layer(AtOnce(StatusCode::from_u16(status).expect("of three digits")));
        let mut request = || {
            let mut answer = service.call(Request::new(()));
            let Poll::Ready(Ok(answer)) = Pin::new(&mut answer).poll(&mut cx) else {
                panic!("it answers at once");
            };
            let mut body = answer.into_body();
            if read {
                while let Poll::Ready(Some(frame)) = Pin::new(&mut body).poll_frame(&mut cx) {
                    frame.expect("it does not break");
                }
            }
        };
        (0..3).for_each(|_| request());
        let region = Region::new(ALLOCATOR);
        (0..100).for_each(|_| request());
        let change = region.change();
        assert_eq!(change.allocations + change.reallocations, 0, "{status}: {change:?}");
    }
    drop(meter.begin(&Method::GET, None));
    let region = Region::new(ALLOCATOR);
    (0..100).for_each(|_| drop(meter.begin(&Method::GET, None)));
    let change = region.change();
    assert_eq!(change.allocations + change.reallocations, 0, "aborted: {change:?}");
    println!("measured requests allocate nothing: ok");
}
