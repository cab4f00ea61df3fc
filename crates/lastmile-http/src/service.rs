use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
#[cfg(feature = "ws")]
use std::{pin::Pin, time::Duration};

use http::header::{CACHE_CONTROL, CONTENT_TYPE, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use lastmile::{Aggregator, Format, Timestamp};

use crate::body::{ResponseBody, without_body_for_head};
use crate::cors::Cors;
use crate::error::Error;
use crate::offload::Spawn;
use crate::options::{PublicOptions, PublicRules};
use crate::path::Labels;
use crate::private::{PrivateOptions, PrivateRules};
use crate::problem::Problem;
use crate::public::{Entered, Public};
use crate::push::Door;
use crate::pushed::Pushed;
use crate::route::{Found, Route, Side};
#[cfg(feature = "ws")]
use crate::socket;
use crate::{hit, refusals, scrape, script};

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
    public: Option<Public>,
    private: Option<PrivateRules>,
    ready: AtomicBool,
    offload: OnceLock<Spawn>,
    #[cfg(feature = "ws")]
    sockets: OnceLock<socket::Runtime>,
}

impl Service {
    /// Pushes of every format and the client's scripts, for pages of any origin, with the limits that
    /// [`PublicOptions::new`] has.
    #[must_use]
    pub fn public(aggregator: Aggregator) -> Self {
        Self::new(aggregator, Some(PublicRules::default()), None)
    }

    /// The same for whom the options let in.
    ///
    /// # Errors
    /// All that is wrong with the options.
    pub fn public_with(aggregator: Aggregator, options: &PublicOptions) -> Result<Self, Error> {
        Ok(Self::new(aggregator, Some(options.rules()?), None))
    }

    /// `/metrics`, `/healthz`, `/readyz` and `/debug/refusals`, for whoever runs the service.
    #[must_use]
    pub fn private(aggregator: Aggregator) -> Self {
        Self::new(aggregator, None, Some(PrivateRules::default()))
    }

    /// The same for whom the options let in.
    ///
    /// # Errors
    /// All that is wrong with the options.
    pub fn private_with(aggregator: Aggregator, options: &PrivateOptions) -> Result<Self, Error> {
        Ok(Self::new(aggregator, None, Some(options.rules()?)))
    }

    /// Both sides on one listener: whoever can push can also read the aggregate. That is for a trusted
    /// network or a demonstration; two listeners are the safe way.
    #[must_use]
    pub fn public_and_private(aggregator: Aggregator) -> Self {
        Self::new(aggregator, Some(PublicRules::default()), Some(PrivateRules::default()))
    }

    /// The same for whom the options let in.
    ///
    /// # Errors
    /// All that is wrong with the options of either side.
    pub fn public_and_private_with(
        aggregator: Aggregator,
        public: &PublicOptions,
        private: &PrivateOptions,
    ) -> Result<Self, Error> {
        let (public, private) = Error::both(public.rules(), private.rules())?;
        Ok(Self::new(aggregator, Some(public), Some(private)))
    }

    fn new(
        aggregator: Aggregator,
        public: Option<PublicRules>,
        private: Option<PrivateRules>,
    ) -> Self {
        let public = public.map(|rules| {
            let cors = Cors::new(rules.gate.origins.is_any());
            Public { rules: Arc::new(rules), cors }
        });
        let (ready, offload) = (AtomicBool::new(true), OnceLock::new());
        Self {
            shared: Arc::new(Shared {
                aggregator,
                public,
                private,
                ready,
                offload,
                #[cfg(feature = "ws")]
                sockets: OnceLock::new(),
            }),
        }
    }

    /// What `/readyz` answers from now on: 200, as at first, or 503. Pushes are taken either way.
    pub fn set_ready(&self, ready: bool) {
        // No other memory is published with it.
        self.shared.ready.store(ready, Ordering::Relaxed);
    }

    /// How to run what may take some milliseconds, such as `tokio::task::spawn_blocking`: bodies of more
    /// than 16 KiB, as sent or once inflated, are then decoded there, and inflated. Without it they hold the thread that
    /// polls, as messages of WebSockets do. The first call counts; the adapters make it.
    pub fn set_offload(&self, spawn: impl Fn(Box<dyn FnOnce() + Send>) + Send + Sync + 'static) {
        self.shared.offload.get_or_init(|| Box::new(spawn));
    }

    /// How to run a WebSocket for as long as it lives, and how to sleep, such as `tokio::spawn` and
    /// `tokio::time::sleep`. Without it `/lm/ws` answers 501, as it does where the server keeps its connections to
    /// itself. The first call counts; the adapters make it.
    #[cfg(feature = "ws")]
    pub fn set_sockets(
        &self,
        spawn: impl Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync + 'static,
        sleep: impl Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync + 'static,
    ) {
        self.shared
            .sockets
            .get_or_init(|| socket::Runtime { spawn: Arc::new(spawn), sleep: Arc::new(sleep) });
    }

    /// Closes all WebSockets with 1001, takes no more, and waits so long for their peers to close too; how many did
    /// not. What was read of them is counted and answered first. For a host that stops, before its server does.
    #[cfg(feature = "ws")]
    pub async fn close_sockets(&self, grace: Duration) -> usize {
        match &self.shared.public {
            Some(public) => {
                socket::close(&public.rules.seats, self.shared.sockets.get(), grace).await
            }
            None => 0,
        }
    }

    /// WebSockets that are open.
    #[cfg(feature = "ws")]
    #[must_use]
    pub fn n_sockets(&self) -> usize {
        self.shared.public.as_ref().map_or(0, |public| public.rules.seats.n_taken())
    }

    /// The paths that [`handle`](Self::handle) knows, each once, for an adapter to route. `{*labels}` at the end of one
    /// stands for whatever comes there, slashes too, and `{script}` for whatever has none. Those of the schema's mappings
    /// are as they are at this moment: a reload may change them, which `handle` knows at once, and a router that was made
    /// of them does not.
    pub fn paths(&self) -> impl Iterator<Item = Cow<'static, str>> + use<> {
        let shared = Arc::clone(&self.shared);
        let served = move |(i, (path, route)): (usize, (&'static str, Route))| {
            let is_served =
                |(known, route): &(&str, Route)| *known == path && shared.serves(*route);
            let is_first = !Route::ALL[..i].iter().any(is_served);
            (is_first && shared.serves(route)).then_some(Cow::Borrowed(path))
        };
        let is_served = |(_, route): &(&str, Route)| {
            matches!(route, Route::Script(_)) && self.shared.serves(*route)
        };
        let hashed = Route::ALL.iter().any(is_served).then_some(script::HASHED_PATH);
        let mapped = self.shared.mapped().into_iter().map(Cow::Owned);
        let known = Route::ALL.into_iter().enumerate().filter_map(served);
        known.chain(hashed.map(Cow::Borrowed)).chain(mapped)
    }

    /// Answers one request; the path chooses the route, and the method where both sides have that path.
    ///
    /// `peer` is the other end of the connection and marks whose scrape it is; without it a scraper is
    /// shown what anyone is. `now` is the moment the request's head came. A push is applied between two
    /// polls, so dropping the future either counts all of it or nothing; where it is decoded elsewhere (see
    /// [`set_offload`](Self::set_offload)), what was begun is counted.
    pub async fn handle<B: Body>(
        &self,
        request: Request<B>,
        peer: Option<SocketAddr>,
        now: Timestamp,
    ) -> Response<ResponseBody> {
        let Shared { public, private, .. } = &*self.shared;
        #[cfg_attr(not(feature = "ws"), allow(unused_mut))]
        let (mut head, body) = request.into_parts();
        match (self.shared.find(&head), public, private) {
            #[cfg(feature = "ws")]
            (Some(found @ Found { route: Route::Socket, .. }), Some(public), _) => {
                match self.shared.socket(public, found, &mut head, peer, now) {
                    Ok(response) => response,
                    Err(problem) => self.shared.refuse(problem, &head, None, Some(public)),
                }
            }
            (Some(found @ Found { route: Route::Script(script), .. }), Some(public), _) => {
                if found.route.takes(&head.method) {
                    return script::answer(script, &head);
                }
                let problem = Problem::method_not_allowed(found.methods);
                self.shared.refuse(problem, &head, None, Some(public))
            }
            (Some(found), Some(public), _) if found.route.side() == Side::Public => {
                match public.enter(found, &head) {
                    Ok(Entered::Preflight) => public.preflight(found, &head),
                    Ok(Entered::Push(format, labels)) => {
                        let pushed =
                            self.shared.take(format, &labels, &head, body, peer, now).await;
                        pushed.map_or_else(|refusal| refusal, Pushed::into_response)
                    }
                    Ok(Entered::Forget(labels)) => {
                        let forgotten = self.shared.forget(public, &labels, &head, peer, now);
                        forgotten.unwrap_or_else(|problem| {
                            self.shared.refuse(problem, &head, None, Some(public))
                        })
                    }
                    Ok(Entered::Query(format)) => {
                        let shown = self.shared.take_query(public, format, &head, peer, now);
                        shown.unwrap_or_else(|problem| {
                            self.shared.refuse(problem, &head, Some(format), Some(public))
                        })
                    }
                    Err(problem) => self.shared.refuse(problem, &head, None, Some(public)),
                }
            }
            (Some(found), _, Some(private)) => {
                match self.shared.show(private, found, &head, peer, now) {
                    Ok(response) => response,
                    Err(problem) => self.shared.refuse(problem, &head, None, None),
                }
            }
            // On a listener of the private side alone, a page of another host learns not even what is not there.
            (_, None, Some(private)) if !private.knows_host(&head) => {
                self.shared.refuse(Problem::unknown_host(), &head, None, None)
            }
            _ => {
                let problem = Problem::no_such_path(head.uri.path());
                self.shared.refuse(problem, &head, None, public.as_ref())
            }
        }
    }

    /// Takes a push from whatever path and method a host has for it, and gives the report too: all that
    /// [`handle`](Self::handle) does behind its own routes, from the page's origin on. It is counted between two
    /// polls, as there.
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
        self.shared.take(format, &Labels::default(), &head, body, peer, now).await
    }
}

impl Shared {
    /// What a request's path means here.
    fn find(&self, head: &Parts) -> Option<Found> {
        let path = head.uri.path();
        let on = |side| {
            let is_there = match side {
                Side::Public => self.public.is_some(),
                Side::Private => self.private.is_some(),
            };
            let route = if is_there { Route::find(path, side) } else { None };
            route.filter(|route| self.serves(*route))
        };
        let found = Found::new(on(Side::Public), on(Side::Private), &head.method);
        found.or_else(|| self.find_mapped(path))
    }

    /// The same for the path of a mapping: what the schema in force says, whatever the routes are.
    #[cfg(feature = "mapping")]
    fn find_mapped(&self, path: &str) -> Option<Found> {
        let route = Route::Push(Format::Beacon);
        let is_mapped = self.public.is_some() && self.aggregator.takes_beacons(path);
        is_mapped.then_some(Found { route, methods: route.methods() })
    }

    #[cfg(not(feature = "mapping"))]
    fn find_mapped(&self, _: &str) -> Option<Found> {
        None
    }

    /// The paths of mappings that are served.
    fn mapped(&self) -> Vec<String> {
        #[cfg(feature = "mapping")]
        if self.public.is_some() {
            return self.aggregator.beacon_paths();
        }
        Vec::new()
    }

    fn serves(&self, route: Route) -> bool {
        match route.side() {
            Side::Public => self.public.as_ref().is_some_and(|public| {
                public.rules.routes.as_ref().is_none_or(|routes| routes.contains(&route))
            }),
            Side::Private => self.private.is_some(),
        }
    }

    /// Says why a request is refused, in the way of its format if it is known to be a push, and counts it.
    fn refuse(
        &self,
        problem: Problem,
        head: &Parts,
        format: Option<Format>,
        public: Option<&Public>,
    ) -> Response<ResponseBody> {
        if let Some(why) = problem.why() {
            self.aggregator.refuse_request(why);
        }
        let headers = public.map_or_else(HeaderMap::new, |public| public.cors(head));
        problem.into_answer(&head.method, format, headers)
    }

    /// Takes a push with the labels that its path names, from the page's origin on.
    async fn take<B: Body>(
        &self,
        format: Format,
        labels: &Labels,
        head: &Parts,
        body: B,
        peer: Option<SocketAddr>,
        now: Timestamp,
    ) -> Result<Pushed, Response<ResponseBody>> {
        let Some(public) = &self.public else {
            return Err(self.refuse(Problem::no_such_path(head.uri.path()), head, None, None));
        };
        let refuse = |problem| self.refuse(problem, head, Some(format), Some(public));
        if !public.rules.gate.allows_origin(&head.headers) {
            return Err(refuse(Problem::origin_not_listed()));
        }
        let Self { aggregator, offload, .. } = self;
        let offload = offload.get();
        let door = Door { aggregator, rules: &public.rules, offload, labels };
        match door.push(format, head, body, peer, now).await {
            // Its origin was let in above.
            Ok(report) => {
                let cors = public.cors.headers(&head.headers, true);
                let pushed = Pushed::new(report, format, &head.headers, cors);
                Ok(if labels.is_group { pushed.of_group() } else { pushed })
            }
            Err(problem) => Err(refuse(problem)),
        }
    }

    /// Forgets what a group stood at. 202 is what clients of a Pushgateway expect, which deletes later.
    /// Source: prometheus/pushgateway README, "DELETE method".
    fn forget(
        &self,
        public: &Public,
        labels: &Labels,
        head: &Parts,
        peer: Option<SocketAddr>,
        now: Timestamp,
    ) -> Result<Response<ResponseBody>, Problem> {
        if !public.rules.gate.allows_origin(&head.headers) {
            return Err(Problem::origin_not_listed());
        }
        #[cfg(feature = "pushgateway")]
        {
            let Self { aggregator, .. } = self;
            let door = Door { aggregator, rules: &public.rules, offload: None, labels };
            door.forget(head, peer, now)?;
        }
        #[cfg(not(feature = "pushgateway"))]
        let _ = (labels, peer, now);
        let mut response = Response::new(ResponseBody::empty());
        *response.status_mut() = StatusCode::ACCEPTED;
        *response.headers_mut() = public.cors(head);
        Ok(response)
    }

    /// Takes a WebSocket, from the method on.
    #[cfg(feature = "ws")]
    fn socket(
        &self,
        public: &Public,
        found: Found,
        head: &mut Parts,
        peer: Option<SocketAddr>,
        now: Timestamp,
    ) -> Result<Response<ResponseBody>, Problem> {
        if !found.route.takes(&head.method) {
            return Err(Problem::method_not_allowed(found.methods));
        }
        if !public.rules.gate.allows_origin(&head.headers) {
            return Err(Problem::origin_not_listed());
        }
        socket::accept((&self.aggregator, &public.rules), self.sockets.get(), head, peer, now)
    }

    /// Takes what stands in a query: a hit, or a beacon that an image sends. Nothing is counted of what a browser only
    /// looks ahead for, nor for a page that is not listed.
    fn take_query(
        &self,
        public: &Public,
        format: Format,
        head: &Parts,
        peer: Option<SocketAddr>,
        now: Timestamp,
    ) -> Result<Response<ResponseBody>, Problem> {
        let (gate, cors) = (&public.rules.gate, public.cors(head));
        let is_hit = format == Format::Hit;
        if head.method != Method::GET || hit::is_ahead_of_time(&head.headers) {
            return Ok(hit::answer(is_hit, &head.method, cors));
        }
        // An image has no origin, and a hit no mapping that somebody declared: without a list nothing counts.
        // A script's request has one, which says more than where it was sent from.
        let is_listed = (!is_hit && head.headers.contains_key(ORIGIN))
            || gate.allows_referer(&head.headers).unwrap_or(!is_hit);
        if !gate.allows_origin(&head.headers) || !is_listed {
            let problem = Problem::origin_not_listed();
            if !is_hit {
                return Err(problem);
            }
            // Who looks at the page is not to see it.
            problem.why().into_iter().for_each(|why| self.aggregator.refuse_request(why));
            return Ok(hit::answer(is_hit, &head.method, cors));
        }
        let Self { aggregator, offload, .. } = self;
        let offload = offload.get();
        let door = Door { aggregator, rules: &public.rules, offload, labels: &Labels::default() };
        door.push_query(format, head, peer, now)?;
        Ok(hit::answer(is_hit, &head.method, cors))
    }

    /// Answers on the private side.
    fn show(
        &self,
        private: &PrivateRules,
        Found { route, methods }: Found,
        head: &Parts,
        peer: Option<SocketAddr>,
        now: Timestamp,
    ) -> Result<Response<ResponseBody>, Problem> {
        let method = &head.method;
        if !private.knows_host(head) {
            return Err(Problem::unknown_host());
        }
        if !route.takes(method) {
            return Err(Problem::method_not_allowed(methods));
        }
        // A probe has no token, and learns nothing but that somebody is here.
        let is_probe = matches!(route, Route::Healthy | Route::Ready);
        if !is_probe && !private.admits(head) {
            return Err(Problem::no_token(private.challenge()));
        }
        Ok(match route {
            Route::Metrics => {
                let query = head.uri.query();
                scrape::answer(&self.aggregator, method, &head.headers, query, peer, now)?
            }
            Route::Refusals => refusals::answer(&self.aggregator, method),
            Route::Ready if !self.ready.load(Ordering::Relaxed) => {
                state(method, StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
            }
            Route::Ready => state(method, StatusCode::OK, "ready\n"),
            _ => state(method, StatusCode::OK, "healthy\n"),
        })
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("paths", &self.paths().collect::<Vec<_>>())
            .field("ready", &self.shared.ready)
            .finish_non_exhaustive()
    }
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
