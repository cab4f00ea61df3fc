//! The script for pages that were written for `prometheus-user-metrics`.

use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use crate::body::{ResponseBody, without_body_for_head};

/// Where its pages look for it.
pub(crate) const PATH: &str = "/static/aggregatorClient.js";

const TEXT: &str = include_str!("aggregatorClient.js");

/// Names the text, so that it is sent again only after it has changed.
const TAG: &str = {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    const BYTES: [u8; 18] = {
        let mut hash = fnv_1a(TEXT.as_bytes());
        let mut tag = [b'"'; 18];
        let mut at = 1;
        while at < 17 {
            tag[at] = HEX[(hash & 15) as usize];
            hash >>= 4;
            at += 1;
        }
        tag
    };
    match std::str::from_utf8(&BYTES) {
        Ok(tag) => tag,
        Err(_) => panic!("hexadecimal digits are text"),
    }
};

/// Source: draft-eastlake-fnv, §5, the 64-bit prime and basis.
const fn fnv_1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

/// The script, or 304 for whoever has it. It is the same for everyone, so any page may read it.
pub(crate) fn answer(method: &Method, request: &HeaderMap) -> Response<ResponseBody> {
    let is_known = is_known(request);
    let body = if is_known { ResponseBody::empty() } else { ResponseBody::full(TEXT) };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(ETAG, HeaderValue::from_static(TAG));
    // Five minutes old at most, and a day while a new one is fetched.
    let cache = HeaderValue::from_static("public, max-age=300, stale-while-revalidate=86400");
    headers.insert(CACHE_CONTROL, cache);
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("cross-origin"),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    let content = HeaderValue::from_static("text/javascript; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, content);
    without_body_for_head(response, method)
}

/// Whether the client has this text. Source: RFC 9110, §13.1.2, by weak comparison.
fn is_known(request: &HeaderMap) -> bool {
    let values = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == TAG)
}
