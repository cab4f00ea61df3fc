//! Answers that say what was wrong, for programs and for people.

use http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use lastmile::DecodeError;

use crate::body::{ResponseBody, without_body_for_head};
use crate::intake::{BODY_BYTES_MAX, Unread};
use crate::json::Object;
use crate::route::Route;

/// Source: RFC 9457, §3, "application/problem+json".
const CONTENT: &str = "application/problem+json";

/// One problem, before it is written.
///
/// No `type` is sent, which means `about:blank`: a title that is the status' own phrase, and all that
/// is particular in `reason` and `detail`. Source: RFC 9457, §4.2.1.
pub(crate) struct Problem {
    status: StatusCode,
    reason: &'static str,
    detail: String,
    offset: Option<usize>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    fn new(status: StatusCode, reason: &'static str, detail: impl Into<String>) -> Self {
        Self { status, reason, detail: detail.into(), offset: None, header: None }
    }

    pub(crate) fn no_such_path(path: &str) -> Self {
        // What is echoed is cut, so that the answer stays small whatever was asked.
        let shown: String = path.chars().take(100).collect();
        let dots = if shown.len() < path.len() { "…" } else { "" };
        let detail = format!("There is nothing at {shown}{dots} on this listener.");
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    pub(crate) fn method_not_allowed(route: Route) -> Self {
        let allow = route.allow();
        let methods = allow.to_str().unwrap_or_default().replace(", ", " and ");
        let detail = format!("This path takes {methods} only.");
        Self {
            header: Some((ALLOW, allow)),
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
        }
    }

    pub(crate) fn bad_query(detail: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "query", detail)
    }

    pub(crate) fn encoded_body() -> Self {
        Self {
            header: Some((ACCEPT_ENCODING, HeaderValue::from_static("identity"))),
            ..Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "content_encoding",
                "Send the body as it is, without Content-Encoding.",
            )
        }
    }

    pub(crate) fn unread(unread: Unread) -> Self {
        match unread {
            Unread::TooLarge => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                format!("A push has at most {BODY_BYTES_MAX} bytes. Nothing was counted."),
            ),
            Unread::Broken => Self::new(
                StatusCode::BAD_REQUEST,
                "body_broken",
                "The body ended before it was complete. Nothing was counted.",
            ),
        }
    }

    pub(crate) fn undecodable(error: &DecodeError) -> Self {
        Self {
            offset: Some(error.offset()),
            ..Self::new(
                StatusCode::BAD_REQUEST,
                error.reason().as_str(),
                format!("The push did not decode: {error}. Nothing was counted."),
            )
        }
    }

    /// `headers` are those that every answer of the same side has.
    pub(crate) fn into_response(
        self,
        method: &Method,
        headers: HeaderMap,
    ) -> Response<ResponseBody> {
        let mut json = Object::new()
            .string("title", self.status.canonical_reason().unwrap_or_default())
            .number("status", u64::from(self.status.as_u16()))
            .string("detail", &self.detail)
            .string("reason", self.reason);
        if let Some(offset) = self.offset {
            json = json.number("offset", offset as u64);
        }

        let mut response = Response::new(ResponseBody::full(json.finish()));
        *response.status_mut() = self.status;
        *response.headers_mut() = headers;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT));
        if let Some((name, value)) = self.header {
            headers.insert(name, value);
        }
        without_body_for_head(response, method)
    }
}
