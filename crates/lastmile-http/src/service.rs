use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use lastmile::{Aggregator, Format, Source, Timestamp};

use crate::body::{ResponseBody, without_body_for_head};
use crate::intake::{BODY_BYTES_MAX, Intake};
use crate::problem::Problem;
use crate::pushed::Pushed;
use crate::route::{Route, Side};
use crate::{cors, scrape};

/// Names one immutable body, so that a push that a network repeats can be counted once.
/// Source: draft-ietf-httpapi-idempotency-key-header; Faro sends it with every request.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// One listener's routes over one [`Aggregator`]. Clones share everything, readiness too.
///
/// The two sides are for two listeners: the public one takes pushes from anyone, the private one shows
/// the aggregate to whoever runs the service.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

struct Shared {
    aggregator: Aggregator,
    sides: Sides,
    ready: AtomicBool,
    /// What every answer of this listener has, made once: a clone takes 150 ns where the insertions take
    /// 350 (measured beside a loaded neighbour, axum's release profile with thin LTO).
    headers: HeaderMap,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sides {
    Public,
    Private,
    PublicAndPrivate,
}

impl Sides {
    fn serve(self, side: Side) -> bool {
        match self {
            Self::Public => side == Side::Public,
            Self::Private => side == Side::Private,
            Self::PublicAndPrivate => true,
        }
    }
}

impl Service {
    /// `POST /lm` and `POST /record`, for pages of any origin.
    #[must_use]
    pub fn public(aggregator: Aggregator) -> Self {
        Self::new(aggregator, Sides::Public)
    }

    /// `/metrics`, `/healthz` and `/readyz`, for whoever runs the service.
    #[must_use]
    pub fn private(aggregator: Aggregator) -> Self {
        Self::new(aggregator, Sides::Private)
    }

    /// Both sides on one listener: whoever can push can also read the aggregate. That is for a trusted
    /// network or a demonstration; two listeners are the safe way.
    #[must_use]
    pub fn public_and_private(aggregator: Aggregator) -> Self {
        Self::new(aggregator, Sides::PublicAndPrivate)
    }

    fn new(aggregator: Aggregator, sides: Sides) -> Self {
        let headers = match sides {
            Sides::Private => HeaderMap::new(),
            Sides::Public | Sides::PublicAndPrivate => cors::headers(),
        };
        let ready = AtomicBool::new(true);
        Self { shared: Arc::new(Shared { aggregator, sides, ready, headers }) }
    }

    /// What `/readyz` answers from now on: 200, as at first, or 503. Pushes are taken either way.
    pub fn set_ready(&self, ready: bool) {
        // No other memory is published with it.
        self.shared.ready.store(ready, Ordering::Relaxed);
    }

    /// The paths that [`handle`](Self::handle) knows, for an adapter to route.
    pub fn paths(&self) -> impl Iterator<Item = &'static str> + use<> {
        let sides = self.shared.sides;
        Route::ALL
            .into_iter()
            .filter(move |(_, route)| sides.serve(route.side()))
            .map(|(path, _)| path)
    }

    /// Answers one request; the path alone chooses the route, and only `/metrics` looks at the query.
    ///
    /// `peer` is the other end of the connection and marks whose scrape it is; without it a scraper is
    /// shown what anyone is. `now` is the moment the request's head came. A push is applied between two
    /// polls, so dropping the future either counts all of it or nothing.
    pub async fn handle<B: Body>(
        &self,
        request: Request<B>,
        peer: Option<SocketAddr>,
        now: Timestamp,
    ) -> Response<ResponseBody> {
        let method = request.method();
        let path = request.uri().path();
        let Some(route) = Route::find(path).filter(|route| self.shared.sides.serve(route.side()))
        else {
            return Problem::no_such_path(path).into_response(method, self.shared.headers.clone());
        };
        if !route.takes(method) {
            let headers = match route.side() {
                Side::Public => self.shared.headers.clone(),
                Side::Private => HeaderMap::new(),
            };
            return Problem::method_not_allowed(route).into_response(method, headers);
        }
        match route {
            Route::Push(_) if method == Method::OPTIONS => self.preflight(route),
            Route::Push(format) => self
                .take(format, request, peer, now)
                .await
                .map_or_else(|refusal| refusal, Pushed::into_response),
            Route::Metrics => {
                let (headers, query) = (request.headers(), request.uri().query());
                scrape::answer(&self.shared.aggregator, method, headers, query, peer, now)
            }
            Route::Healthy => state(method, StatusCode::OK, "healthy\n"),
            Route::Ready if self.shared.ready.load(Ordering::Relaxed) => {
                state(method, StatusCode::OK, "ready\n")
            }
            Route::Ready => state(method, StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        }
    }

    /// Takes a push from whatever path and method a host has for it, and gives the report too: all that
    /// [`handle`](Self::handle) does behind its own routes. It is counted between two polls, as there.
    ///
    /// ```
    /// # use lastmile::{Aggregator, Family, Format, Limits, Schema};
    /// # use lastmile_http::{Clock, Service};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let now = Clock::new().now();
    /// # let schema = Schema::builder().family(Family::counter("loads_total")).build()?;
    /// let service = Service::public(Aggregator::new(schema, Limits::default(), now)?);
    /// let request = http::Request::put("/collect").body(String::from(r#"{"lm":1,"m":{"loads_total":2}}"#))?;
    /// let pushed = service.take(Format::Lm1, request, None, now).await.expect("it decodes");
    /// assert_eq!(pushed.report().accepted(), 1);
    /// assert_eq!(pushed.into_response().status(), 204);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The answer that says why nothing was counted.
    pub async fn take<B: Body>(
        &self,
        format: Format,
        request: Request<B>,
        peer: Option<SocketAddr>,
        now: Timestamp,
    ) -> Result<Pushed, Response<ResponseBody>> {
        let (head, body) = request.into_parts();
        let refuse =
            |problem: Problem| problem.into_response(&head.method, self.shared.headers.clone());
        if !is_identity(&head.headers) {
            return Err(refuse(Problem::encoded_body()));
        }
        let started = Instant::now();
        let body = match Intake::read(body, BODY_BYTES_MAX).await {
            Ok(body) => body,
            Err(unread) => return Err(refuse(Problem::unread(unread))),
        };
        // A body may take long to come; what is in it counts from when it was there.
        let now = now.after(started.elapsed());
        let source = source(&head.headers, peer);
        match self.shared.aggregator.push(format, body.bytes(), &source, now) {
            Ok(report) => Ok(Pushed::new(report, &head.headers, self.shared.headers.clone())),
            Err(error) => Err(refuse(Problem::undecodable(&error))),
        }
    }

    fn preflight(&self, route: Route) -> Response<ResponseBody> {
        let mut response = Response::new(ResponseBody::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        *response.headers_mut() = self.shared.headers.clone();
        cors::answer_preflight(response.headers_mut());
        response.headers_mut().insert(ALLOW, route.allow());
        response
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("sides", &self.shared.sides)
            .field("ready", &self.shared.ready)
            .finish_non_exhaustive()
    }
}

/// Whether the body is as it was written: no `Content-Encoding`, or `identity` alone.
fn is_identity(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().all(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case(b"identity"))
    })
}

/// What is known of the sender. A header that is no text is as good as none.
fn source<'a>(headers: &'a HeaderMap, peer: Option<SocketAddr>) -> Source<'a> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let mut source = Source::default();
    if let Some(peer) = peer {
        source = source.addr(peer.ip());
    }
    if let Some(origin) = text(ORIGIN) {
        source = source.origin(origin);
    }
    if let Some(key) = text(IDEMPOTENCY_KEY) {
        source = source.idempotency_key(key);
    }
    source
}

/// An answer about the process itself.
fn state(method: &Method, status: StatusCode, text: &'static str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    without_body_for_head(response, method)
}
