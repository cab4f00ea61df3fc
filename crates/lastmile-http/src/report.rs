//! What was counted of a push, for the client that asks and for the one that has to know.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use lastmile::{DecodeError, Format, PushReport};

use crate::body::ResponseBody;
use crate::json::Object;

/// Source: RFC 7240, §2.
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Source: RFC 7240, §3.
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Says how many batches of the push had been counted before, if any had.
const LASTMILE_DUPLICATE: HeaderName = HeaderName::from_static("lastmile-duplicate");

/// Whether the first `return` preference is `representation`; only the first one of a name counts.
/// Source: RFC 7240, §2.
fn prefers_representation(request: &HeaderMap) -> bool {
    request
        .get_all(PREFER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|preference| preference.split(';').next()?.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("return"))
        .is_some_and(|(_, value)| value.trim().trim_matches('"') == "representation")
}

/// What tells a client of this format that its push was taken, where that is neither 204 nor 200.
/// Source: grafana/faro-web-sdk 2.12.1, transports/fetch/transport.ts, `ACCEPTED`.
fn status_of(format: Format) -> Option<StatusCode> {
    match format {
        #[cfg(feature = "faro")]
        Format::Faro => Some(StatusCode::ACCEPTED),
        _ => None,
    }
}

/// 204, or 200 with the report where the client asked for it or where lines of it were lost; the format's own status
/// if it has one. `headers` are those that every public answer has.
pub(crate) fn answer(
    report: &PushReport,
    format: Format,
    request: &HeaderMap,
    headers: HeaderMap,
) -> Response<ResponseBody> {
    let mut response = answer_of(report, format, request, headers);
    if report.duplicate_batches() > 0 {
        response.headers_mut().insert(LASTMILE_DUPLICATE, report.duplicate_batches().into());
    }
    response
}

fn answer_of(
    report: &PushReport,
    format: Format,
    request: &HeaderMap,
    headers: HeaderMap,
) -> Response<ResponseBody> {
    #[cfg(feature = "otlp")]
    if crate::otlp::is_answered(format) {
        return crate::otlp::answer(report, format, headers);
    }
    let preferred = prefers_representation(request);
    let has_content = preferred || !report.failed_lines().is_empty();
    let body = if has_content { ResponseBody::full(json(report)) } else { ResponseBody::empty() };
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    if has_content {
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if preferred {
            headers.insert(PREFERENCE_APPLIED, HeaderValue::from_static("return=representation"));
        }
    } else {
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    if let Some(status) = status_of(format) {
        *response.status_mut() = status;
    }
    response
}

fn json(report: &PushReport) -> String {
    let refused = report
        .refused()
        .fold(Object::new(), |refused, (refusal, n)| refused.number(refusal.as_str(), n));
    let mut json = Object::new().number("accepted", report.accepted()).object("refused", refused);
    if report.duplicate_samples() > 0 {
        json = json.number("duplicate", report.duplicate_samples());
    }
    if report.failed_lines().is_empty() {
        return json.finish();
    }
    let failed = report.failed_lines().iter().map(|line| failed(line.line(), line.error()));
    json.array("failed", failed).finish()
}

/// A line that did not decode, counted from 1.
pub(crate) fn failed(line: usize, error: DecodeError) -> Object {
    Object::new()
        .number("line", line as u64)
        .number("offset", error.offset() as u64)
        .string("reason", error.reason().as_str())
        .string("detail", &error.to_string())
}

#[cfg(test)]
mod tests {
    use super::prefers_representation;

    #[test]
    fn the_first_return_preference_counts() {
        for (wanted, values) in [
            (false, &[][..]),
            (true, &["return=representation"]),
            (true, &["Return = \"representation\"; a=b"]),
            (true, &["respond-async, return=representation"]),
            (true, &["wait=5", "return=representation"]),
            (true, &["return=representation, return=minimal"]),
            (false, &["return=minimal, return=representation"]),
            (false, &["return=minimal", "return=representation"]),
            (false, &["return"]),
            (false, &["return=Representation"]),
            (false, &["x=return=representation"]),
            (false, &["\u{e9}"]),
        ] {
            let mut headers = http::HeaderMap::new();
            for value in values {
                headers.append("prefer", value.parse().expect("a header's value"));
            }
            assert_eq!(prefers_representation(&headers), wanted, "{values:?}");
        }
    }
}
