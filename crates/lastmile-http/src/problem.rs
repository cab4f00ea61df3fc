//! Answers that say what was wrong, for programs and for people.

use std::borrow::Cow;

#[cfg(feature = "ws")]
use http::header::UPGRADE;
use http::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use lastmile::{DecodeError, Format, RequestRefusal};

use crate::body::{ResponseBody, without_body_for_head};
use crate::gate::Denied;
use crate::inflate::{CODINGS, Uninflated};
use crate::intake::Unread;
use crate::json::Object;
#[cfg(feature = "otlp")]
use crate::otlp;
use crate::route;
use crate::scrape::VARIES;

/// Source: RFC 9457, §3, "application/problem+json".
const CONTENT: &str = "application/problem+json";

/// One problem, before it is written.
///
/// No `type` is sent, which means `about:blank`: a title that is the status' own phrase, and all that
/// is particular in `reason` and `detail`. Source: RFC 9457, §4.2.1.
pub(crate) struct Problem {
    status: StatusCode,
    reason: &'static str,
    /// What it counts as, unless the aggregator counts it itself.
    why: Option<RequestRefusal>,
    detail: Cow<'static, str>,
    offset: Option<usize>,
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl Problem {
    fn new(
        status: StatusCode,
        reason: &'static str,
        why: RequestRefusal,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (why, detail) = (Some(why), detail.into());
        Self { status, reason, why, detail, offset: None, header: None }
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    /// Why the request is refused before its body is decoded, if it is.
    pub(crate) fn why(&self) -> Option<RequestRefusal> {
        self.why
    }

    pub(crate) fn no_such_path(path: &str) -> Self {
        // What is echoed is cut, so that the answer stays small whatever was asked.
        let shown: String = path.chars().take(100).collect();
        let dots = if shown.len() < path.len() { "…" } else { "" };
        let detail = format!("There is nothing at {shown}{dots} on this listener.");
        // It may be there after the next release, whatever a cache makes of an answer that does not say.
        Self::new(StatusCode::NOT_FOUND, "not_found", RequestRefusal::Path, detail)
            .with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
    }

    /// What may be asked for instead.
    pub(crate) fn method_not_allowed(methods: &[Method]) -> Self {
        let detail = format!("This path takes {} only.", route::joined(methods, " and "));
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self::new(status, "method_not_allowed", RequestRefusal::Method, detail)
            .with(ALLOW, route::allow(methods))
    }

    /// The path names labels in a way that is none.
    pub(crate) fn bad_labels(detail: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "path", RequestRefusal::Path, detail)
    }

    pub(crate) fn bad_query(detail: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "query", RequestRefusal::Query, detail)
            .with(VARY, HeaderValue::from_static(VARIES))
    }

    pub(crate) fn unknown_host() -> Self {
        let detail = "This host is not served here. Ask by an address, as localhost, or by a name that is listed (private_hosts of the aggregator, PrivateOptions::hosts).";
        Self::new(StatusCode::MISDIRECTED_REQUEST, "host", RequestRefusal::Host, detail)
    }

    pub(crate) fn no_token(challenge: &'static str) -> Self {
        let detail = "Send a token or password that is known, in Authorization.";
        Self::new(StatusCode::UNAUTHORIZED, "token", RequestRefusal::Key, detail)
            .with(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }

    pub(crate) fn origin_not_listed() -> Self {
        let detail = "Pages of this origin may not push here. Nothing was counted.";
        Self::new(StatusCode::FORBIDDEN, "origin", RequestRefusal::Origin, detail)
    }

    pub(crate) fn denied(denied: Denied) -> Self {
        match denied {
            Denied::Key => {
                let detail =
                    "Send a key that is known, in X-API-Key or as ?key=. Nothing was counted.";
                // Clients expect a challenge with 401; no browser asks anybody for this one.
                Self::new(StatusCode::UNAUTHORIZED, "key", RequestRefusal::Key, detail)
                    .with(WWW_AUTHENTICATE, HeaderValue::from_static("X-API-Key"))
            }
            Denied::Rate(secs) => {
                let detail = "Too many pushes; send again later. Nothing was counted.";
                Self::new(StatusCode::TOO_MANY_REQUESTS, "rate", RequestRefusal::Rate, detail)
                    .with(RETRY_AFTER, secs.into())
            }
        }
    }

    pub(crate) fn busy() -> Self {
        let detail = "Too much is on its way in; send again later. Nothing was counted.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", RequestRefusal::Busy, detail)
            .with(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// Clients of OTLP take it for final, as they do not take 503; nobody knows a better body to send.
    /// Source: opentelemetry-proto docs/specification.md, "Retryable Response Codes".
    pub(crate) fn panicked() -> Self {
        let detail = "A mistake in this server ended the push, of which some may have been counted. Do not send it again.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "panic", RequestRefusal::Panic, detail)
    }

    #[cfg(feature = "ws")]
    pub(crate) fn no_websocket() -> Self {
        let detail = "This path takes WebSockets only: send Upgrade: websocket, Sec-WebSocket-Version: 13 and a key of 16 bytes.";
        Self::new(StatusCode::UPGRADE_REQUIRED, "upgrade", RequestRefusal::Upgrade, detail)
            // Source: RFC 9110, §15.5.22 and §7.6.1; RFC 6455, §4.4.
            .with(UPGRADE, HeaderValue::from_static("websocket"))
    }

    /// Whoever serves the connections gives none away.
    #[cfg(feature = "ws")]
    pub(crate) fn no_upgrades() -> Self {
        let detail = "This server has no WebSockets. Send to /lm.";
        Self::new(StatusCode::NOT_IMPLEMENTED, "upgrade", RequestRefusal::Upgrade, detail)
    }

    #[cfg(feature = "ws")]
    pub(crate) fn too_many_sockets() -> Self {
        let detail = "This client has as many WebSockets as it may; close one, or send to /lm.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "sockets", RequestRefusal::Busy, detail)
            .with(RETRY_AFTER, HeaderValue::from_static("60"))
    }

    pub(crate) fn unknown_coding() -> Self {
        let detail = "Send the body as it is, or as one of gzip, deflate and zstd.";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new(status, "content_encoding", RequestRefusal::Encoding, detail)
            .with(ACCEPT_ENCODING, HeaderValue::from_static(CODINGS))
    }

    #[cfg(any(feature = "otlp", feature = "pushgateway"))]
    pub(crate) fn unknown_type(known: &str) -> Self {
        let detail = format!("Send {known}. Nothing was counted.");
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new(status, "media_type", RequestRefusal::MediaType, detail)
    }

    pub(crate) fn too_large(bytes_max: usize) -> Self {
        let detail = format!("A push has at most {bytes_max} bytes. Nothing was counted.");
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Self::new(status, "body_too_large", RequestRefusal::TooLarge, detail)
    }

    pub(crate) fn unread(unread: Unread, bytes_max: usize) -> Self {
        match unread {
            Unread::TooLarge => Self::too_large(bytes_max),
            Unread::Broken => Self::new(
                StatusCode::BAD_REQUEST,
                "body_broken",
                RequestRefusal::Broken,
                "The body ended before it was complete. Nothing was counted.",
            ),
            Unread::Busy => Self::busy(),
        }
    }

    pub(crate) fn uninflated(uninflated: Uninflated, bytes_max: usize) -> Self {
        match uninflated {
            Uninflated::TooLarge => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                RequestRefusal::TooLarge,
                format!("This push may inflate to at most {bytes_max} bytes. Nothing was counted."),
            ),
            Uninflated::Corrupt => Self::new(
                StatusCode::BAD_REQUEST,
                "content_encoding",
                RequestRefusal::Encoding,
                "The body is not what its Content-Encoding says. Nothing was counted.",
            ),
        }
    }

    pub(crate) fn undecodable(error: &DecodeError) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            reason: error.reason().as_str(),
            why: None,
            detail: format!("The push did not decode: {error}. Nothing was counted.").into(),
            offset: Some(error.offset()),
            header: None,
        }
    }

    /// The same for a push of this format, which may have answers of its own.
    pub(crate) fn into_answer(
        self,
        method: &Method,
        format: Option<Format>,
        headers: HeaderMap,
    ) -> Response<ResponseBody> {
        #[cfg(feature = "otlp")]
        if let Some(format) = format.filter(|format| otlp::is_answered(*format)) {
            let mut response = otlp::status(self.status, &self.detail, format, headers);
            if let Some((name, value)) = self.header.map(|header| *header) {
                response.headers_mut().insert(name, value);
            }
            return response;
        }
        #[cfg(not(feature = "otlp"))]
        let _ = format;
        self.into_response(method, headers)
    }

    /// `headers` are those that every answer of the same side has.
    fn into_response(self, method: &Method, headers: HeaderMap) -> Response<ResponseBody> {
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
        if let Some((name, value)) = self.header.map(|header| *header) {
            headers.insert(name, value);
        }
        without_body_for_head(response, method)
    }
}
