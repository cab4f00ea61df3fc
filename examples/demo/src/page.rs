//! The page, its scripts, and the third party that it waits for.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;

/// The longest that the simulated third party takes to answer.
const THIRD_PARTY_MILLIS_MAX: u64 = 5_000;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Where the page sends to: `http://HOST[:PORT]`, or nothing for the page's own origin.
///
/// It is written into the page as it stands, so only what cannot leave a quoted string is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin(String);

impl Origin {
    pub(crate) fn same() -> Self {
        Self(String::new())
    }
}

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let origin = text.strip_suffix('/').unwrap_or(text);
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        let host = host.ok_or("it must start with http:// or https://")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        if host.is_empty() || !host.chars().all(plain) {
            return Err("it must be a scheme, a host and perhaps a port, with no path");
        }
        Ok(Self(origin.to_owned()))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The page's own routes; `sends_to` is where its pushes go.
pub(crate) fn routes(sends_to: &Origin) -> Router {
    let html = include_str!("../page/index.html").replace("{{aggregator}}", &sends_to.0);
    Router::new()
        .route("/", get(async move || asset(HTML, html.clone())))
        .route("/page/style.css", get(async || asset(CSS, include_str!("../page/style.css"))))
        .route("/page/app.js", get(async || asset(JAVASCRIPT, include_str!("../page/app.js"))))
        .route("/page/watch.js", get(async || asset(JAVASCRIPT, include_str!("../page/watch.js"))))
        .route(
            // That protocol as it is; a page that looks for it at /static/ finds the aggregator's own script.
            "/page/aggregatorClient.js",
            get(async || asset(JAVASCRIPT, include_str!("../page/aggregatorClient.js"))),
        )
        .route("/third-party/{millis}", get(third_party))
}

/// Nothing is cached: whoever edits the page wants to see it.
fn asset(content_type: &'static str, body: impl IntoResponse) -> impl IntoResponse {
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-store")], body)
}

/// Answers after as many milliseconds as asked for.
async fn third_party(Path(millis): Path<u64>) -> StatusCode {
    tokio::time::sleep(Duration::from_millis(millis.min(THIRD_PARTY_MILLIS_MAX))).await;
    StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use super::Origin;

    #[test]
    fn origins() {
        for (text, origin) in [
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("http://127.0.0.1:3000/", "http://127.0.0.1:3000"),
            ("https://metrics.example", "https://metrics.example"),
            ("http://[::1]:3000", "http://[::1]:3000"),
        ] {
            assert_eq!(text.parse(), Ok(Origin(origin.to_owned())));
        }
        for text in
            ["", "127.0.0.1:3000", "ftp://x", "http://", "http://x/lm", "http://x\"><script>"]
        {
            assert!(text.parse::<Origin>().is_err(), "{text:?} should be refused");
        }
    }
}
