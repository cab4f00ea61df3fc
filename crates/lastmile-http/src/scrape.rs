//! `GET /metrics`: the core's chunks as the frames of a body, compressed where the reader likes that.
//!
//! A chunk is copied out under its locks first and compressed after, so a lock is held no longer for it.

use std::collections::VecDeque;
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

/// Most chunks whose memory is used again, until the scrape ends. A connection of hyper holds no more of them at once, and
/// by default far fewer: it gives a system call 16 buffers (`MAX_BUF_LIST_BUFFERS`, src/proto/h1/io.rs).
const SENT_MAX: usize = 16;

/// A scrape that goes out as it is polled.
pub(crate) struct ScrapeStream {
    scrape: Scrape,
    /// What compresses it, until there is no more to compress.
    gzip: Option<Gzip>,
    /// The chunk that is compressed.
    chunk: Vec<u8>,
    /// Chunks that went out as they are, the first one first.
    sent: VecDeque<Bytes>,
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
            sent: VecDeque::new(),
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
        let mut chunk = self.spare();
        if self.scrape.next_chunk(&mut chunk) {
            let frame = Bytes::from(chunk);
            if self.sent.len() < SENT_MAX {
                self.sent.push_back(frame.clone());
            }
            return Some((frame, self));
        }
        self.scrape.complete(self.started_at.after(self.started.elapsed()));
        None
    }

    /// Memory for a chunk: that of one that the connection has let go of, if it has. Memory that is new each time is
    /// given back and mapped again by most allocators, page by page, which takes longer than to fill it.
    fn spare(&mut self) -> Vec<u8> {
        let is_free = self.sent.front().is_some_and(Bytes::is_unique);
        let sent = if is_free { self.sent.pop_front() } else { None };
        sent.map(Vec::from).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use lastmile::{Family, Format, Label, Limits, Schema, Source};

    use super::*;
    use crate::Clock;

    /// However long a connection holds on to what it was given, it reads the same text; what it has let go of is
    /// taken again.
    #[test]
    fn chunks_are_whole_and_their_memory_is_used_again() {
        let family = Family::counter("loads_total").label(Label::open("user", 10_000));
        let schema = Schema::builder().family(family).build().expect("a schema");
        let now = Clock::new().now();
        let aggregator = Aggregator::new(schema, Limits::default(), now).expect("an aggregator");
        let mut line = r#"{"lm":1,"m":{"#.to_owned();
        for i in 0..8_000 {
            write!(line, r#"{}"loads_total;user=u{i}":{i}"#, if i > 0 { "," } else { "" })
                .expect("a String takes it");
        }
        line += "}}";
        let pushed = aggregator.push(Format::Lm1, line.as_bytes(), &Source::default(), now);
        assert_eq!(pushed.expect("it decodes").accepted(), 8_000);
        let options = || ScrapeOptions::text().family("loads_total");
        let mut expected = Vec::new();
        let (mut scrape, mut chunk) = (aggregator.scrape(options(), now), Vec::new());
        while scrape.next_chunk(&mut chunk) {
            expected.extend_from_slice(&chunk);
        }

        for (n_held, n_buffers) in [(0, 1), (1, 2), (3, 4), (1_000, 0)] {
            let scrape = aggregator.scrape(options(), now);
            let mut stream = Some(Box::new(ScrapeStream::new(scrape, false, now)));
            let (mut held, mut text) = (VecDeque::new(), Vec::new());
            let (mut buffers, mut n_frames) = (std::collections::BTreeSet::new(), 0);
            while let Some((frame, rest)) = stream.take().and_then(ScrapeStream::next_frame) {
                buffers.insert(frame.as_ptr());
                n_frames += 1;
                held.push_back(frame);
                if held.len() > n_held {
                    text.extend_from_slice(&held.pop_front().expect("it is not empty"));
                }
                stream = Some(rest);
            }
            text.extend(held.iter().flatten());
            assert!(text == expected, "{n_held} held");
            assert!(n_frames > 4, "{n_frames}");
            let n_buffers = if n_buffers == 0 { n_frames } else { n_buffers };
            assert_eq!(buffers.len(), n_buffers, "{n_held} held");
        }
    }
}
