//! A push on its way through the limits, each before the next costs more.

#[cfg(feature = "reports")]
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use http::header::{HeaderMap, HeaderName, HeaderValue, ORIGIN};
use http::request::Parts;
use http_body::Body;
use lastmile::{
    Aggregator, DecodeError, Format, Headers, LM1_LINES_MAX, PushReport, Source, Timestamp,
};

use crate::caught::caught;
use crate::gate::{Admitted, Gate};
use crate::inflate::{Coding, Uninflated};
use crate::intake::Intake;
use crate::offload::{self, Spawn};
use crate::options::PublicRules;
use crate::path::Labels;
use crate::problem::Problem;

/// Names one immutable body, so that a push that a network repeats can be counted once.
/// Source: draft-ietf-httpapi-idempotency-key-header; Faro sends it with every request.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A longer body, as it was sent or as it is once inflated, is decoded where a thread may be held. 64 KiB take a
/// millisecond at worst, which is when nobody sent these values before, and every push behind it on the same thread
/// would wait for that.
const INLINE_BYTES_MAX: usize = 16 << 10;

/// A listener's rules, and what its pushes go to.
#[derive(Clone, Copy)]
pub(crate) struct Door<'a> {
    pub(crate) aggregator: &'a Aggregator,
    pub(crate) rules: &'a Arc<PublicRules>,
    pub(crate) offload: Option<&'a Spawn>,
    /// Those that the path names.
    pub(crate) labels: &'a Labels,
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
        body: Pin<&mut B>,
        peer: Option<SocketAddr>,
        now: Timestamp,
    ) -> Result<PushReport, Problem> {
        let Self { aggregator, rules, offload, labels } = self;
        let caps = rules.caps(format);
        let headers = &head.headers;
        let admitted = rules.gate.admit(headers, head.uri.query(), peer, now);
        let admitted = admitted.map_err(Problem::denied)?;
        let coding = Coding::of(headers).ok_or_else(Problem::unknown_coding)?;

        let mut share = rules.budget.share(admitted.client.addr.map(Source::prefix_of));
        let mut waits_since: Option<Instant> = None;
        let read = Intake::read(body, caps.sent, &mut share, &mut waits_since).await;
        let mut body = read.map_err(|unread| Problem::unread(unread, caps.sent))?;
        // A body may take long to come; what is in it counts from when it was there.
        let arrived = waits_since.map_or(now, |since| now.after(since.elapsed()));
        let mut deflated = (coding != Coding::Identity)
            .then(|| Deflated { coding, bytes_max: Coding::bytes_max(body.len(), caps.inflated) });
        if let Some(small) = deflated.filter(|_| body.len() <= INLINE_BYTES_MAX)
            && let Some(inflated) = caught(|| small.inflate_if_short(body.bytes()))?
        {
            (body, deflated) = (Intake::Joined(inflated.into()), None);
        }
        // What is decoded here and now is gone before anyone waits: a thread has one of these at a time.
        let inflated = deflated.map_or(0, |deflated| deflated.bytes_max);
        let is_large = deflated.is_some() || body.len() > INLINE_BYTES_MAX;
        if is_large && !share.take_up_to(body.room().saturating_add(inflated)) {
            return Err(Problem::busy());
        }
        let plain = Plain { format, admitted, tells_ids: false, now: arrived };
        let arrival = Arrival { deflated, plain };
        let path = head.uri.path();
        match offload.filter(|_| is_large) {
            None => caught(|| {
                arrival.apply(aggregator, &rules.gate, headers, path, labels, body.bytes())
            }),
            Some(spawn) => {
                let (aggregator, rules) = (aggregator.clone(), Arc::clone(rules));
                let (headers, mut body) = (headers.clone(), body.into_joined());
                let (path, labels) = (path.to_owned(), labels.clone());
                let share = share.into_owned(&rules.budget);
                let work = move || {
                    let gate = &rules.gate;
                    let body = body.bytes();
                    let report =
                        caught(|| arrival.apply(&aggregator, gate, &headers, &path, &labels, body));
                    drop(share);
                    report
                };
                // It is lost if it never began, as where a runtime ends.
                offload::run(spawn, work).await.unwrap_or_else(|| Err(Problem::busy()))
            }
        }
    }

    /// Forgets what the totals of the group stood at that the path names.
    ///
    /// # Errors
    /// What to answer; nothing was forgotten then.
    #[cfg(feature = "pushgateway")]
    pub(crate) fn forget(
        self,
        head: &Parts,
        peer: Option<SocketAddr>,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let Self { aggregator, rules, labels, .. } = self;
        let admitted = rules.gate.admit(&head.headers, head.uri.query(), peer, now);
        let admitted = admitted.map_err(Problem::denied)?;
        let pairs: Vec<_> = labels.pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let mut source = Source::default().grouping_key(&pairs);
        if let Some(name) = admitted.key.and_then(|key| rules.gate.keys.name(key)) {
            source = source.key(name);
        }
        aggregator.forget_group(&source, now);
        Ok(())
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
        let plain = Plain { format, admitted, tells_ids: false, now };
        let (gate, path) = (&rules.gate, head.uri.path());
        caught(|| {
            let pushed = plain.apply(aggregator, gate, headers, path, labels, query.as_bytes());
            pushed.map_err(|error| Problem::undecodable(&error))
        })
    }
}

/// How a body is to be inflated.
#[derive(Clone, Copy)]
struct Deflated {
    coding: Coding,
    /// Most bytes that it may have then.
    bytes_max: usize,
}

impl Deflated {
    fn inflate(self, body: &[u8]) -> Result<Vec<u8>, Problem> {
        let Self { coding, bytes_max } = self;
        let inflated = coding.inflate(body, bytes_max);
        inflated.map_err(|uninflated| Problem::uninflated(uninflated, bytes_max))
    }

    /// The same if it is short then. What proves longer is begun again elsewhere.
    fn inflate_if_short(self, body: &[u8]) -> Result<Option<Vec<u8>>, Problem> {
        let Self { coding, bytes_max } = self;
        match coding.inflate(body, bytes_max.min(INLINE_BYTES_MAX)) {
            Err(Uninflated::TooLarge) if bytes_max > INLINE_BYTES_MAX => Ok(None),
            inflated => inflated.map(Some).map_err(|why| Problem::uninflated(why, bytes_max)),
        }
    }
}

/// A body that is there.
#[derive(Clone, Copy)]
struct Arrival {
    /// Unless it is inflated.
    deflated: Option<Deflated>,
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
        path: &str,
        labels: &Labels,
        body: &[u8],
    ) -> Result<PushReport, Problem> {
        let Self { deflated, plain } = self;
        let inflated;
        let body = match deflated {
            None => body,
            Some(deflated) => {
                inflated = deflated.inflate(body)?;
                &inflated
            }
        };
        let pushed = plain.apply(aggregator, gate, request, path, labels, body);
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
        path: &str,
        labels: &Labels,
        body: &[u8],
    ) -> Result<PushReport, DecodeError> {
        let Self { format, admitted, tells_ids, now } = self;
        let headers = Texts(request);
        let pairs: Vec<_> = labels.pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let mut source = Source::default();
        #[cfg(feature = "pushgateway")]
        if labels.is_group {
            source = source.grouping_key(&pairs);
            source = if labels.is_whole { source.whole_group() } else { source };
        }
        if !labels.is_group {
            source = source.labels(&pairs);
        }
        #[cfg(feature = "mapping")]
        if format == Format::Beacon {
            source = source.path(path);
        }
        #[cfg(not(feature = "mapping"))]
        let _ = path;
        if let Some(addr) = admitted.client.addr {
            source = source.addr(addr);
        }
        if let Some(origin) = text(request.get(ORIGIN)) {
            source = source.origin(origin);
        }
        if let Some(key) = text(request.get(IDEMPOTENCY_KEY)) {
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
                body.split(|byte| *byte == b'\n').take(LM1_LINES_MAX).count()
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
        text(self.0.get(name))
    }
}

fn text(value: Option<&HeaderValue>) -> Option<&str> {
    value.and_then(|value| value.to_str().ok())
}
