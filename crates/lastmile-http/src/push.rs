//! A push on its way through the limits, each before the next costs more.

#[cfg(feature = "reports")]
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;
use http::header::ORIGIN;
use http::request::Parts;
use http_body::Body;
use lastmile::{Aggregator, DecodeError, Format, Headers, PushReport, Source, Timestamp};

use crate::gate::{Admitted, Gate};
use crate::inflate::Coding;
use crate::intake::Intake;
use crate::offload::{self, Spawn};
use crate::options::PublicRules;
use crate::problem::Problem;

/// Names one immutable body, so that a push that a network repeats can be counted once.
/// Source: draft-ietf-httpapi-idempotency-key-header; Faro sends it with every request.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";

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
        let plain = Plain { format, admitted, tells_ids: false, now: arrived };
        let arrival = Arrival { coding, bytes_max, plain };
        match offload.filter(|_| is_large) {
            None => arrival.apply(aggregator, &rules.gate, headers, labels, body.bytes()),
            Some(spawn) => {
                let (aggregator, rules) = (aggregator.clone(), Arc::clone(rules));
                let (headers, body) = (headers.clone(), body.bytes().to_vec());
                let labels = labels.to_vec();
                let share = share.into_owned(&rules.budget);
                let work = move || {
                    let gate = &rules.gate;
                    let report = arrival.apply(&aggregator, gate, &headers, &labels, &body);
                    drop(share);
                    report
                };
                offload::run(spawn, work).await.unwrap_or_else(|| Err(Problem::busy()))
            }
        }
    }
}

/// A body that is there.
#[derive(Clone, Copy)]
struct Arrival {
    coding: Coding,
    /// Most bytes that it may be inflated to.
    bytes_max: usize,
    plain: Plain,
}

/// A body that is there and not compressed, or not any more.
#[derive(Clone, Copy)]
pub(crate) struct Plain {
    pub(crate) format: Format,
    pub(crate) admitted: Admitted,
    /// Whether the report is to name the batches.
    pub(crate) tells_ids: bool,
    pub(crate) now: Timestamp,
}

impl Arrival {
    fn apply(
        self,
        aggregator: &Aggregator,
        gate: &Gate,
        request: &HeaderMap,
        labels: &[(String, String)],
        body: &[u8],
    ) -> Result<PushReport, Problem> {
        let Self { coding, bytes_max, plain } = self;
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
        let pushed = plain.apply(aggregator, gate, request, labels, body);
        pushed.map_err(|error| Problem::undecodable(&error))
    }
}

impl Plain {
    /// Decodes and applies it, and charges what it turned out to hold.
    pub(crate) fn apply(
        self,
        aggregator: &Aggregator,
        gate: &Gate,
        request: &HeaderMap,
        labels: &[(String, String)],
        body: &[u8],
    ) -> Result<PushReport, DecodeError> {
        let Self { format, admitted, tells_ids, now } = self;
        let headers = Texts(request);
        let labels: Vec<_> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let mut source = Source::default().labels(&labels);
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
        #[cfg(feature = "reports")]
        if format == Format::Reports {
            // Keys of the standard library's maps are random in each thread, and no two are the same.
            source = source.seed(RandomState::new().hash_one(0));
        }
        if tells_ids {
            source = source.tell_ids();
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
        pushed
    }
}

/// The headers that are text; another is as good as none.
struct Texts<'a>(&'a HeaderMap);

impl Headers for Texts<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|value| value.to_str().ok())
    }
}
