//! A push on its way through the limits, each before the next costs more.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;
use http::header::ORIGIN;
use http::request::Parts;
use http_body::Body;
use lastmile::{Aggregator, Format, Headers, PushReport, Source, Timestamp};

use crate::gate::{Admitted, Gate};
use crate::inflate::Coding;
use crate::intake::Intake;
use crate::offload::{self, Spawn};
use crate::options::PublicRules;
use crate::problem::Problem;

/// Names one immutable body, so that a push that a network repeats can be counted once.
/// Source: draft-ietf-httpapi-idempotency-key-header; Faro sends it with every request.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A body that may be longer than this once it is inflated is decoded where a thread may be held: a
/// megabyte takes about a millisecond.
const INLINE_BYTES_MAX: usize = 256 << 10;

/// Most lines of an `lm1` body that decodes at all, as the core has it.
const LINES_MAX: usize = 16;

/// A listener's rules, and what its pushes go to.
#[derive(Clone, Copy)]
pub(crate) struct Door<'a> {
    pub(crate) aggregator: &'a Aggregator,
    pub(crate) rules: &'a Arc<PublicRules>,
    pub(crate) offload: Option<&'a Spawn>,
    /// Those that the path names.
    pub(crate) labels: &'a [(String, String)],
}

impl Door<'_> {
    /// Reads, inflates, decodes and applies the body of a push whose origin may push.
    ///
    /// # Errors
    /// What to answer; nothing was counted then.
    pub(crate) async fn push<B: Body>(
        self,
        format: Format,
        head: &Parts,
        body: B,
        peer: Option<SocketAddr>,
        now: Timestamp,
    ) -> Result<PushReport, Problem> {
        let Self { aggregator, rules, offload, labels } = self;
        let caps = rules.caps(format);
        let (headers, started) = (&head.headers, Instant::now());
        let admitted = rules.gate.admit(headers, head.uri.query(), peer, now);
        let admitted = admitted.map_err(Problem::denied)?;
        let coding = Coding::of(headers).ok_or_else(Problem::unknown_coding)?;

        let mut share = rules.budget.share(admitted.client.addr.map(Source::prefix_of));
        let read = Intake::read(body, caps.sent, &mut share).await;
        let body = read.map_err(|unread| Problem::unread(unread, caps.sent))?;
        let bytes_max = match coding {
            Coding::Identity => body.bytes().len(),
            _ => Coding::bytes_max(body.bytes().len(), caps.inflated),
        };
        // What is decoded here and now is gone before anyone waits: a thread has one of these at a time.
        let is_large = bytes_max > INLINE_BYTES_MAX;
        let inflated = if coding == Coding::Identity { 0 } else { bytes_max };
        if is_large && !share.take_up_to(body.bytes().len().saturating_add(inflated)) {
            return Err(Problem::busy());
        }
        // A body may take long to come; what is in it counts from when it was there.
        let arrived = now.after(started.elapsed());
        let arrival = Arrival { format, coding, bytes_max, admitted, now: arrived };
        let path = head.uri.path();
        match offload.filter(|_| is_large) {
            None => arrival.apply(aggregator, &rules.gate, headers, path, labels, body.bytes()),
            Some(spawn) => {
                let (aggregator, rules) = (aggregator.clone(), Arc::clone(rules));
                let (headers, body) = (headers.clone(), body.bytes().to_vec());
                let (path, labels) = (path.to_owned(), labels.to_vec());
                let share = share.into_owned(&rules.budget);
                let work = move || {
                    let gate = &rules.gate;
                    let report = arrival.apply(&aggregator, gate, &headers, &path, &labels, &body);
                    drop(share);
                    report
                };
                offload::run(spawn, work).await.unwrap_or_else(|| Err(Problem::busy()))
            }
        }
    }

    /// Decodes and applies what stands in the query of a request whose page may push. It is there with the head, so
    /// nothing is waited for.
    ///
    /// # Errors
    /// What to answer; nothing was counted then.
    pub(crate) fn push_query(
        self,
        format: Format,
        head: &Parts,
        peer: Option<SocketAddr>,
        now: Timestamp,
    ) -> Result<PushReport, Problem> {
        let Self { aggregator, rules, labels, .. } = self;
        let (headers, query) = (&head.headers, head.uri.query().unwrap_or_default());
        let admitted = rules.gate.admit(headers, head.uri.query(), peer, now);
        let admitted = admitted.map_err(Problem::denied)?;
        let bytes_max = rules.caps(format).sent;
        if query.len() > bytes_max {
            return Err(Problem::too_large(bytes_max));
        }
        let arrival = Arrival { format, coding: Coding::Identity, bytes_max, admitted, now };
        arrival.apply(aggregator, &rules.gate, headers, head.uri.path(), labels, query.as_bytes())
    }
}

/// A body that is there.
#[derive(Clone, Copy)]
struct Arrival {
    format: Format,
    coding: Coding,
    /// Most bytes that it may be inflated to.
    bytes_max: usize,
    admitted: Admitted,
    now: Timestamp,
}

impl Arrival {
    fn apply(
        self,
        aggregator: &Aggregator,
        gate: &Gate,
        request: &HeaderMap,
        path: &str,
        labels: &[(String, String)],
        body: &[u8],
    ) -> Result<PushReport, Problem> {
        let Self { format, coding, bytes_max, admitted, now } = self;
        let inflated;
        let body = match coding {
            Coding::Identity => body,
            _ => {
                inflated = coding
                    .inflate(body, bytes_max)
                    .map_err(|uninflated| Problem::uninflated(uninflated, bytes_max))?;
                &inflated
            }
        };
        let headers = Texts(request);
        let labels: Vec<_> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let mut source = Source::default().labels(&labels);
        #[cfg(feature = "mapping")]
        if format == Format::Beacon {
            source = source.path(path);
        }
        #[cfg(not(feature = "mapping"))]
        let _ = path;
        if let Some(addr) = admitted.client.addr {
            source = source.addr(addr);
        }
        if let Some(origin) = headers.header(ORIGIN.as_str()) {
            source = source.origin(origin);
        }
        if let Some(key) = headers.header(IDEMPOTENCY_KEY) {
            source = source.idempotency_key(key);
        }
        if let Some(name) = admitted.key.and_then(|key| gate.keys.name(key)) {
            source = source.key(name);
        }
        if admitted.client.by_proxy {
            source = source.headers(&headers);
        }
        let pushed = aggregator.push(format, body, &source, now);
        // Each line of `lm1` costs as much as a request of its own, also where none of them decoded.
        let n_lines = match &pushed {
            Ok(report) => report.batches() as usize + report.failed_lines().len(),
            Err(_) if format == Format::Lm1 => {
                body.split(|byte| *byte == b'\n').take(LINES_MAX).count()
            }
            Err(_) => 1,
        };
        let further = n_lines.saturating_sub(1) as u32;
        gate.charge(request, admitted.client, further, now);
        pushed.map_err(|error| Problem::undecodable(&error))
    }
}

/// The headers that are text; another is as good as none.
struct Texts<'a>(&'a HeaderMap);

impl Headers for Texts<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|value| value.to_str().ok())
    }
}
