//! The client's scripts: each where pages look for it, which is for the moment, and at a path that names its bytes,
//! which is for good.

use std::sync::OnceLock;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use lastmile_web::Script;

use crate::body::{ResponseBody, without_body_for_head};
use crate::{gzip, negotiate};

/// How an adapter routes the paths that name bytes. One that names none is answered here too, so that a page of the
/// next release is told 404 by a server of the last one in a way that no cache keeps.
pub(crate) const HASHED_PATH: &str = "/lm-{script}";

/// An hour old at most, and a day while a new one is fetched.
const FOR_THE_MOMENT: &str = "public, max-age=3600, stale-while-revalidate=86400";

/// A year, the most that caches are asked for. Source: RFC 9111, §5.2.2.1; RFC 8246, §2, `immutable`.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// The script whose bytes a path names.
pub(crate) fn by_hash(path: &str) -> Option<Script> {
    let hash = path.strip_prefix("/lm-")?.strip_suffix(".js")?;
    lastmile_web::ALL.into_iter().find(|script| script.hash() == hash)
}

/// The script, or 304 for whoever has it. It is the same for everyone, so any page may read it.
pub(crate) fn answer(script: Script, request: &Parts) -> Response<ResponseBody> {
    // One tag for both codings, as a weak one may be. Source: RFC 9110, §8.8.1.
    let tag = format!("W/\"{}\"", script.hash());
    let is_known = is_known(&request.headers, &tag);
    let is_gzip = negotiate::accepts_gzip(&request.headers);
    let body = match (is_known, is_gzip) {
        (true, _) => ResponseBody::empty(),
        (false, true) => ResponseBody::full(compressed(script)),
        (false, false) => ResponseBody::full(script.text()),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.reserve(8);
    headers.insert(ETAG, HeaderValue::try_from(tag).expect("hexadecimal digits in quotes"));
    let is_for_good = by_hash(request.uri.path()).is_some();
    let cache = if is_for_good { FOR_GOOD } else { FOR_THE_MOMENT };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
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
    headers.insert(CONTENT_TYPE, content);
    if is_gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    without_body_for_head(response, &request.method)
}

/// The text as gzip, made when it is first asked for.
fn compressed(script: Script) -> Bytes {
    static TEXTS: [OnceLock<Bytes>; lastmile_web::ALL.len()] =
        [const { OnceLock::new() }; lastmile_web::ALL.len()];
    let compress = || Bytes::from(gzip::best(script.text().as_bytes()));
    let mut texts = lastmile_web::ALL.into_iter().zip(&TEXTS);
    match texts.find(|(known, _)| *known == script) {
        Some((_, text)) => text.get_or_init(compress).clone(),
        None => compress(),
    }
}

/// Whether the client has this text. Source: RFC 9110, §13.1.2, by weak comparison.
fn is_known(request: &HeaderMap, tag: &str) -> bool {
    let values = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|known| known == "*" || opaque(known) == opaque(tag))
}

fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}
