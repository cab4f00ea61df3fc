//! `GET /debug/refusals`: the last refusals, for whoever has to find out what a client does wrong.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Response};
use lastmile::{Aggregator, RecentRefusal};

use crate::body::{ResponseBody, without_body_for_head};
use crate::json::Object;

pub(crate) fn answer(aggregator: &Aggregator, method: &Method) -> Response<ResponseBody> {
    let refusals = aggregator.recent_refusals();
    let json = Object::new().array("refusals", refusals.iter().map(object)).finish();
    let mut response = Response::new(ResponseBody::full(json));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    without_body_for_head(response, method)
}

fn object(refusal: &RecentRefusal) -> Object {
    let mut object = Object::new()
        .number("at_ms", refusal.wall_ms())
        .string("format", refusal.format().as_str())
        .string("reason", refusal.reason())
        .number("samples", refusal.n_samples());
    for (name, text) in [("family", refusal.family()), ("label", refusal.label())] {
        if let Some(text) = text {
            object = object.string(name, text);
        }
    }
    for (name, n) in [("value_bytes", refusal.value_bytes()), ("offset", refusal.offset())] {
        if let Some(n) = n {
            object = object.number(name, n as u64);
        }
    }
    match refusal.value() {
        Some(value) => object.string("value", value),
        None => object,
    }
}
