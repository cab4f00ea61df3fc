//! OTLP over HTTP: what a request is encoded in, and answers in the same.
//!
//! Source: opentelemetry-proto docs/specification.md, "OTLP/HTTP Request" and "OTLP/HTTP Response".

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use lastmile::{Format, PushReport};

use crate::body::ResponseBody;
use crate::json::Object;

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

/// What a request's `Content-Type` says that its body is; `None` if that is neither.
pub(crate) fn format(request: &HeaderMap) -> Option<Format> {
    let value = request.get(CONTENT_TYPE)?.to_str().ok()?;
    let kind = value.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case(JSON) {
        Some(Format::OtlpJson)
    } else if kind.eq_ignore_ascii_case(PROTOBUF) {
        Some(Format::OtlpProtobuf)
    } else {
        None
    }
}

/// `ExportMetricsServiceResponse`, with what was refused, if anything was.
pub(crate) fn answer(
    report: &PushReport,
    format: Format,
    headers: HeaderMap,
) -> Response<ResponseBody> {
    let n_refused = report.n_refused();
    let why = report.refused().map(|(why, n)| format!("{why}: {n}")).collect::<Vec<_>>().join(", ");
    let body = match format {
        Format::OtlpJson => {
            let mut answer = Object::new();
            if n_refused > 0 {
                let refused = Object::new()
                    .string("rejectedDataPoints", &n_refused.to_string())
                    .string("errorMessage", &why);
                answer = answer.object("partialSuccess", refused);
            }
            ResponseBody::full(answer.finish())
        }
        // A message without fields has no bytes.
        _ if n_refused == 0 => ResponseBody::empty(),
        _ => {
            let mut refused = vec![1 << 3];
            put_varint(&mut refused, n_refused);
            put_bytes(&mut refused, 2, why.as_bytes());
            let mut answer = Vec::new();
            put_bytes(&mut answer, 1, &refused);
            ResponseBody::full(answer)
        }
    };
    encoded(StatusCode::OK, body, format, headers)
}

/// A `Status`, which has the message that a problem has as its detail; OTLP uses no other field of it.
pub(crate) fn status(
    status: StatusCode,
    detail: &str,
    format: Format,
    headers: HeaderMap,
) -> Response<ResponseBody> {
    let body = match format {
        Format::OtlpJson => ResponseBody::full(Object::new().string("message", detail).finish()),
        _ => {
            let mut message = Vec::new();
            put_bytes(&mut message, 2, detail.as_bytes());
            ResponseBody::full(message)
        }
    };
    encoded(status, body, format, headers)
}

/// Whether pushes of this format are answered here.
pub(crate) fn is_answered(format: Format) -> bool {
    matches!(format, Format::OtlpJson | Format::OtlpProtobuf)
}

fn encoded(
    status: StatusCode,
    body: ResponseBody,
    format: Format,
    headers: HeaderMap,
) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    let content = if format == Format::OtlpJson { JSON } else { PROTOBUF };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content));
    response
}

/// Source: protobuf.dev, "Encoding", "Length-Delimited Records".
fn put_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_names_an_encoding() {
        for (value, wanted) in [
            ("application/json", Some(Format::OtlpJson)),
            ("Application/JSON; charset=utf-8", Some(Format::OtlpJson)),
            ("application/x-protobuf", Some(Format::OtlpProtobuf)),
            (" application/x-protobuf ;a=b", Some(Format::OtlpProtobuf)),
            ("application/protobuf", None),
            ("text/plain", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, value.parse().expect("a header's value"));
            assert_eq!(format(&headers), wanted, "{value}");
        }
        assert_eq!(format(&HeaderMap::new()), None);
    }

    #[test]
    fn numbers_have_seven_bits_a_byte() {
        for (n, wanted) in [(0, &[0][..]), (127, &[127]), (128, &[0x80, 1]), (300, &[0xac, 2])] {
            let mut out = Vec::new();
            put_varint(&mut out, n);
            assert_eq!(out, wanted);
        }
    }
}
