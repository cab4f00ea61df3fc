//! What the clones of a service share, and the way of a request through it: from its path to an answer, or to a push
//! whose body is to be read.

use std::net::SocketAddr;
use std::ops::Deref;
use std::pin::pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{CACHE_CONTROL, CONTENT_TYPE, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use lastmile::{Aggregator, Format, PushReport, Timestamp};

use crate::body::{ResponseBody, without_body_for_head};
use crate::offload::Spawn;
use crate::path::Labels;
use crate::private::PrivateRules;
use crate::problem::Problem;
use crate::public::{Entered, Public};
use crate::push::Door;
use crate::pushed::Pushed;
use crate::route::{Found, Route, Side};
#[cfg(feature = "ws")]
use crate::socket;
use crate::{hit, refusals, scrape, script};

pub(crate) struct Shared {
    pub(crate) aggregator: Aggregator,
    pub(crate) public: Option<Public>,
    pub(crate) private: Option<PrivateRules>,
    pub(crate) ready: AtomicBool,
    pub(crate) offload: OnceLock<Spawn>,
    #[cfg(feature = "ws")]
    pub(crate) sockets: OnceLock<socket::Runtime>,
}

/// What a request comes to before anything of its body is read.
enum Begun {
    Answered(Response<ResponseBody>),
    Push(Format, Labels),
}

/// Answers one request. What waits for a body is one future that has the head once, and the body where it came and where
/// it is read: each layer of `async fn` would keep its arguments beside what it makes of them, and whoever keeps the
/// future allocates for all.
pub(crate) fn handle<B: Body>(
    shared: impl Deref<Target = Shared>,
    request: Request<B>,
    peer: Option<SocketAddr>,
    now: Timestamp,
) -> impl Future<Output = Response<ResponseBody>> {
    let (mut head, body) = request.into_parts();
    async move {
        let shared = &*shared;
        let (format, labels) = match shared.begin(&mut head, peer, now) {
            Begun::Answered(answer) => return answer,
            Begun::Push(format, labels) => (format, labels),
        };
        let refuse = |problem| shared.refuse_push(problem, &head, format);
        let door = match shared.door(&labels, &head) {
            Ok(door) => door,
            Err(problem) => return refuse(problem),
        };
        match door.push(format, &head, pin!(body), peer, now).await {
            Ok(report) => shared.pushed(report, format, &labels, &head).into_response(),
            Err(problem) => refuse(problem),
        }
    }
}

impl Shared {
    /// What a request's head says.
    fn begin(&self, head: &mut Parts, peer: Option<SocketAddr>, now: Timestamp) -> Begun {
        let Self { public, private, .. } = self;
        let answer = match (self.find(head), public, private) {
            #[cfg(feature = "ws")]
            (Some(found @ Found { route: Route::Socket, .. }), Some(public), _) => {
                match self.socket(public, found, head, peer, now) {
                    Ok(response) => response,
                    Err(problem) => self.refuse(problem, head, None, Some(public)),
                }
            }
            (Some(found @ Found { route: Route::Script(script), .. }), Some(public), _) => {
                if found.route.takes(&head.method) {
                    script::answer(script, head)
                } else {
                    let problem = Problem::method_not_allowed(found.methods);
                    self.refuse(problem, head, None, Some(public))
                }
            }
            (Some(found), Some(public), _) if found.route.side() == Side::Public => {
                match public.enter(found, head) {
                    Ok(Entered::Preflight) => public.preflight(found, head),
                    Ok(Entered::Push(format, labels)) => return Begun::Push(format, labels),
                    Ok(Entered::Forget(labels)) => {
                        let forgotten = self.forget(public, &labels, head, peer, now);
                        forgotten.unwrap_or_else(|problem| {
                            self.refuse(problem, head, None, Some(public))
                        })
                    }
                    Ok(Entered::Query(format)) => {
                        let shown = self.take_query(public, format, head, peer, now);
                        shown.unwrap_or_else(|problem| {
                            self.refuse(problem, head, Some(format), Some(public))
                        })
                    }
                    Err(problem) => self.refuse(problem, head, None, Some(public)),
                }
            }
            (Some(found), _, Some(private)) => match self.show(private, found, head, peer, now) {
                Ok(response) => response,
                Err(problem) => self.refuse(problem, head, None, None),
            },
            // On a listener of the private side alone, a page of another host learns not even what is not there.
            (_, None, Some(private)) if !private.knows_host(head) => {
                self.refuse(Problem::unknown_host(), head, None, None)
            }
            _ => {
                let problem = Problem::no_such_path(head.uri.path());
                self.refuse(problem, head, None, public.as_ref())
            }
        };
        Begun::Answered(answer)
    }

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
    pub(crate) fn mapped(&self) -> Vec<String> {
        #[cfg(feature = "mapping")]
        if self.public.is_some() {
            return self.aggregator.beacon_paths();
        }
        Vec::new()
    }

    pub(crate) fn serves(&self, route: Route) -> bool {
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

    /// Says why a push is refused.
    pub(crate) fn refuse_push(
        &self,
        problem: Problem,
        head: &Parts,
        format: Format,
    ) -> Response<ResponseBody> {
        self.refuse(problem, head, Some(format), self.public.as_ref())
    }

    /// What a push with these labels goes to, if its page's origin may push.
    ///
    /// # Errors
    /// Why it may not.
    pub(crate) fn door<'a>(
        &'a self,
        labels: &'a Labels,
        head: &Parts,
    ) -> Result<Door<'a>, Problem> {
        let Self { aggregator, public, offload, .. } = self;
        let Some(Public { rules, .. }) = public else {
            return Err(Problem::no_such_path(head.uri.path()));
        };
        if !rules.gate.allows_origin(&head.headers) {
            return Err(Problem::origin_not_listed());
        }
        Ok(Door { aggregator, rules, offload: offload.get(), labels })
    }

    /// What became of a push that came through the [`door`](Self::door), and its answer.
    pub(crate) fn pushed(
        &self,
        report: PushReport,
        format: Format,
        labels: &Labels,
        head: &Parts,
    ) -> Pushed {
        // Its origin was let in.
        let cors = self.public.as_ref().map(|public| public.cors.headers(&head.headers, true));
        let pushed = Pushed::new(report, format, &head.headers, cors.unwrap_or_default());
        if labels.is_group { pushed.of_group() } else { pushed }
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
        let door = self.door(labels, head)?;
        #[cfg(feature = "pushgateway")]
        door.forget(head, peer, now)?;
        #[cfg(not(feature = "pushgateway"))]
        let _ = (door, peer, now);
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

/// An answer about the process itself.
fn state(method: &Method, status: StatusCode, text: &'static str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    without_body_for_head(response, method)
}
