use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
#[cfg(feature = "ws")]
use std::{pin::Pin, time::Duration};

use http::{Request, Response};
use http_body::Body;
use lastmile::{Aggregator, Format, Timestamp};

use crate::body::ResponseBody;
use crate::cors::Cors;
use crate::error::Error;
use crate::options::{PublicOptions, PublicRules};
use crate::path::Labels;
use crate::private::{PrivateOptions, PrivateRules};
use crate::public::Public;
use crate::pushed::Pushed;
use crate::route::Route;
use crate::script;
use crate::shared::{Shared, handle};
#[cfg(feature = "ws")]
use crate::socket;

/// One listener's routes over one [`Aggregator`]. Clones share everything, readiness too.
///
/// The two sides are for two listeners: the public one takes pushes from anyone, the private one shows
/// the aggregate to whoever runs the service.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
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
    /// polls, as messages of WebSockets do. The first call counts; the adapters make it. Where such a thread has as much
    /// right to a core as those which poll, a small push may wait for a slice of its time, some 3 ms.
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
    pub fn handle<B: Body>(
        &self,
        request: Request<B>,
        peer: Option<SocketAddr>,
        now: Timestamp,
    ) -> impl Future<Output = Response<ResponseBody>> {
        handle(&*self.shared, request, peer, now)
    }

    /// The same as a future that borrows nothing, for a server that keeps it.
    pub fn into_handle<B: Body>(
        self,
        request: Request<B>,
        peer: Option<SocketAddr>,
        now: Timestamp,
    ) -> impl Future<Output = Response<ResponseBody>> + use<B> {
        handle(self.shared, request, peer, now)
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
        let labels = Labels::default();
        let refuse = |problem| self.shared.refuse_push(problem, &head, format);
        let door = self.shared.door(&labels, &head).map_err(refuse)?;
        let pushed = door.push(format, &head, pin!(body), peer, now).await;
        pushed.map(|report| self.shared.pushed(report, format, &labels, &head)).map_err(refuse)
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
