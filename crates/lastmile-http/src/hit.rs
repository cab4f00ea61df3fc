//! What an image asks for: the image, or nothing that a page could show.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use crate::body::{ResponseBody, without_body_for_head};

/// One transparent pixel. Source: GIF89a; the 42 bytes that web servers commonly send, as nginx' `empty_gif`.
const GIF: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x01D\0;";

/// Headers that a browser sends with what it fetches ahead of time, which nobody may come to see.
/// Source: Fetch, §"Sec-Purpose"; `Purpose` of older Chromium and Safari, `X-Moz` of older Firefox.
static PURPOSES: [HeaderName; 3] = [
    HeaderName::from_static("sec-purpose"),
    HeaderName::from_static("purpose"),
    HeaderName::from_static("x-moz"),
];

/// Whether a request is made ahead of time.
pub(crate) fn is_ahead_of_time(headers: &HeaderMap) -> bool {
    let values = PURPOSES.iter().flat_map(|name| headers.get_all(name));
    // `prefetch`, `prefetch;prerender`, `prefetch;anonymous-client-ip`.
    let mut tokens = values.flat_map(|value| value.as_bytes().split(|b| b";,".contains(b)));
    tokens.any(|token| {
        let token = token.trim_ascii();
        [&b"prefetch"[..], b"preview", b"prerender"].iter().any(|t| token.eq_ignore_ascii_case(t))
    })
}

/// The image for a hit, 204 for a beacon. `headers` are those that every public answer has.
pub(crate) fn answer(is_hit: bool, method: &Method, headers: HeaderMap) -> Response<ResponseBody> {
    let body = if is_hit { ResponseBody::full(GIF) } else { ResponseBody::empty() };
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if is_hit {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("image/gif"));
        return without_body_for_head(response, method);
    }
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fetched_ahead_of_time_says_so() {
        for (wanted, name, value) in [
            (true, "sec-purpose", "prefetch"),
            (true, "Sec-Purpose", "prefetch;prerender"),
            (true, "sec-purpose", "prefetch; anonymous-client-ip"),
            (true, "purpose", "Prefetch"),
            (true, "purpose", "preview"),
            (true, "x-moz", "prefetch"),
            (false, "sec-purpose", "prefetching"),
            (false, "purpose", ""),
            (false, "sec-fetch-dest", "prefetch"),
        ] {
            let mut headers = HeaderMap::new();
            let name: HeaderName = name.parse().expect("a header's name");
            headers.insert(name, value.parse().expect("a header's value"));
            assert_eq!(is_ahead_of_time(&headers), wanted, "{value}");
        }
        assert!(!is_ahead_of_time(&HeaderMap::new()));
    }
}
