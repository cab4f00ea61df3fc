//! What lets pages of other origins push, and lets no page read the private side.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The headers that a preflight allows: those of the formats we take and of the clients that send
/// them. `x-api-key` and `x-faro-session-id` are Faro's, `traceparent` is added by tracing scripts
/// that wrap `fetch`.
const HEADERS: &str = "content-type, content-encoding, prefer, idempotency-key, x-api-key, x-faro-session-id, traceparent";

/// How long a browser may remember a preflight, in seconds. Chromium cuts longer times to this.
/// Source: Chromium, `kMaxTimeout` "2 hours", services/network/public/cpp/cors/preflight_result.cc.
const MAX_AGE_SECS: &str = "7200";

const TIMING_ALLOW_ORIGIN: HeaderName = HeaderName::from_static("timing-allow-origin");

/// The headers of every public answer that is not a preflight's, made once for each listener: a clone takes
/// 150 ns where the insertions take 350 (measured beside a loaded neighbour, axum's release profile with
/// thin LTO).
pub(crate) struct Cors {
    headers: HeaderMap,
    is_any: bool,
}

impl Cors {
    /// No credentials are allowed, so `*` is right where any origin is, and no `Vary` is needed. Cross-Origin
    /// Resource Policy lets a page under cross-origin isolation send here, Timing-Allow-Origin a page see how
    /// long its pushes took.
    pub(crate) fn new(is_any: bool) -> Self {
        // One more name on most answers that carry a body, and no growth for it.
        let mut headers = HeaderMap::with_capacity(8);
        if is_any {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            headers.insert(TIMING_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        } else {
            headers.insert(VARY, HeaderValue::from_static("Origin"));
        }
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After"));
        headers.insert(
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("cross-origin"),
        );
        Self { headers, is_any }
    }

    /// The headers of an answer to this request, whose page may push or not.
    pub(crate) fn headers(&self, request: &HeaderMap, may_push: bool) -> HeaderMap {
        let mut headers = self.headers.clone();
        if !self.is_any
            && may_push
            && let Some(origin) = request.get(ORIGIN)
        {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(TIMING_ALLOW_ORIGIN, origin.clone());
        }
        headers
    }
}

/// Adds what a preflight asks for.
pub(crate) fn answer_preflight(headers: &mut HeaderMap) {
    headers.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE_SECS));
}
