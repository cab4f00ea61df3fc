//! `GET /metrics`: the core's chunks as the frames of a body.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Method, Response};
use lastmile::{Aggregator, Scrape, ScrapeOptions, Timestamp};

use crate::body::ResponseBody;

/// What marks a reader of which the core keeps a view. Prometheus, its agent mode and VictoriaMetrics
/// send it with every scrape; a person's `curl` does not.
const SCRAPE_TIMEOUT: &str = "x-prometheus-scrape-timeout-seconds";

/// A scrape that goes out as it is polled.
pub(crate) struct ScrapeStream {
    scrape: Scrape,
    started_at: Timestamp,
    started: Instant,
}

impl ScrapeStream {
    fn new(scrape: Scrape, now: Timestamp) -> Self {
        Self { scrape, started_at: now, started: Instant::now() }
    }

    /// The next chunk and what follows it; after the last one the scrape is complete.
    pub(crate) fn next_frame(mut self: Box<Self>) -> Option<(Bytes, Box<Self>)> {
        let mut chunk = Vec::new();
        if self.scrape.next_chunk(&mut chunk) {
            Some((Bytes::from(chunk), self))
        } else {
            self.scrape.complete(self.started_at.after(self.started.elapsed()));
            None
        }
    }
}

/// Answers `GET` with the exposition, `HEAD` with its headers: that one is no scrape.
pub(crate) fn answer(
    aggregator: &Aggregator,
    method: &Method,
    request: &HeaderMap,
    peer: Option<SocketAddr>,
    now: Timestamp,
) -> Response<ResponseBody> {
    let mut options = ScrapeOptions::text().clock(monotonic);
    if let (Some(peer), Some(timeout)) = (peer, request.get(SCRAPE_TIMEOUT)) {
        options = options.reader(peer, seconds(timeout));
    }
    let content_type = HeaderValue::from_static(options.content_type());
    let body = if method == Method::HEAD {
        ResponseBody::empty()
    } else {
        ResponseBody::scrape(ScrapeStream::new(aggregator.scrape(options, now), now))
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Label values come from strangers; a browser must not guess that they are a page.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Time since this was first asked.
fn monotonic() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// What a header says in seconds, which may have a fraction.
fn seconds(header: &HeaderValue) -> Option<Duration> {
    Duration::try_from_secs_f64(header.to_str().ok()?.trim().parse().ok()?).ok()
}
