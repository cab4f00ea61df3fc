//! `GET /metrics`: the core's chunks as the frames of a body, compressed where the reader likes that.
//!
//! A chunk is copied out under its locks first and compressed after, so a lock is held no longer for it.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Method, Response};
use lastmile::{Aggregator, Scrape, ScrapeOptions, Timestamp};

use crate::body::ResponseBody;
use crate::gzip::Gzip;
use crate::problem::Problem;
use crate::{negotiate, query};

/// What marks a reader of which the core keeps a view. Prometheus, its agent mode and VictoriaMetrics
/// send it with every scrape; a person's `curl` does not.
const SCRAPE_TIMEOUT: &str = "x-prometheus-scrape-timeout-seconds";

/// What every answer varies with, a refusal too.
pub(crate) const VARIES: &str = "Accept, Accept-Encoding";

/// Most bytes of a frame; a chunk of a scrape has no more.
const FRAME_BYTES_MAX: usize = 64 << 10;

/// A scrape that goes out as it is polled.
pub(crate) struct ScrapeStream {
    scrape: Scrape,
    /// What compresses it, until there is no more to compress.
    gzip: Option<Gzip>,
    /// The chunk that is compressed.
    chunk: Vec<u8>,
    /// What is compressed and did not fit into a frame.
    compressed: Bytes,
    started_at: Timestamp,
    started: Instant,
}

impl ScrapeStream {
    fn new(scrape: Scrape, is_gzip: bool, now: Timestamp) -> Self {
        Self {
            scrape,
            gzip: is_gzip.then(Gzip::new),
            chunk: Vec::new(),
            compressed: Bytes::new(),
            started_at: now,
            started: Instant::now(),
        }
    }

    /// The next frame and what follows it; when the reader asks for more than there is, it has all of it,
    /// and the scrape is complete.
    pub(crate) fn next_frame(mut self: Box<Self>) -> Option<(Bytes, Box<Self>)> {
        if !self.compressed.is_empty() {
            return Some((self.compressed_frame(), self));
        }
        // What repeats itself so much that nothing comes out yet is compressed at memory's pace.
        while let Some(mut gzip) = self.gzip.take() {
            let compressed = if self.scrape.next_chunk(&mut self.chunk) {
                let compressed = gzip.write(&self.chunk);
                self.gzip = Some(gzip);
                compressed
            } else {
                gzip.finish()
            };
            if !compressed.is_empty() {
                self.compressed = Bytes::from(compressed);
                return Some((self.compressed_frame(), self));
            }
        }
        // After the last of what is compressed, the scrape is asked once more and has nothing either.
        let mut chunk = Vec::new();
        if self.scrape.next_chunk(&mut chunk) {
            return Some((Bytes::from(chunk), self));
        }
        self.scrape.complete(self.started_at.after(self.started.elapsed()));
        None
    }

    fn compressed_frame(&mut self) -> Bytes {
        self.compressed.split_to(self.compressed.len().min(FRAME_BYTES_MAX))
    }
}

/// Answers `GET` with the exposition, `HEAD` with its headers: that one is no scrape. The format and the
/// coding are those that the request's headers ask for, the families those of its query.
///
/// # Errors
/// When the query asks for what there is not.
pub(crate) fn answer(
    aggregator: &Aggregator,
    method: &Method,
    request: &HeaderMap,
    query: Option<&str>,
    peer: Option<SocketAddr>,
    now: Timestamp,
) -> Result<Response<ResponseBody>, Problem> {
    let options = ScrapeOptions::new(negotiate::format(request)).clock(monotonic);
    let mut options = query::narrow(options, query).map_err(Problem::bad_query)?;
    if let (Some(peer), Some(timeout)) = (peer, request.get(SCRAPE_TIMEOUT)) {
        options = options.reader(peer, seconds(timeout));
    }
    let is_gzip = negotiate::accepts_gzip(request);
    let content_type = HeaderValue::from_static(options.content_type());
    let body = if method == Method::HEAD {
        ResponseBody::empty()
    } else {
        ResponseBody::scrape(ScrapeStream::new(aggregator.scrape(options, now), is_gzip, now))
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.reserve(8);
    headers.insert(VARY, HeaderValue::from_static(VARIES));
    headers.insert(CONTENT_TYPE, content_type);
    if is_gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Label values come from strangers; a browser must not guess that they are a page.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
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
