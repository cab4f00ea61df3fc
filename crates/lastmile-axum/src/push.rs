use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRef, FromRequest, Request};
use axum::response::{IntoResponse, Response};
use lastmile::{Format, PushReport};
use lastmile_http::{Clock, Pushed, Service};

use crate::endpoint::translate;

/// A push that a host's own handler takes, on a route of the host's own behind its own middleware.
///
/// The push **is counted when it is extracted**: the handler is told what became of it and chooses the answer,
/// and cannot take it back. Whoever may not push is turned away before: by middleware, or by an extractor that
/// stands before this one, as `Push` reads the body and so comes last. Dropped while the body comes, it counts
/// nothing.
///
/// The [`Service`] comes from the state, and with it all that it does for its own routes: origins, keys, rates and
/// the caps on the body, ids that are counted once, the peer from [`ConnectInfo<SocketAddr>`](ConnectInfo) if the
/// request has it. As an answer a `Push` is what those routes answer, 204 or the report that the client asked for; a
/// rejection is their problem, 400, 401, 403, 413, 415, 429 or 503, with nothing counted. Both have the service's
/// CORS headers, which a CORS layer of the host's own replaces.
///
/// `F` is the format: [`Lm1`], unless it says [`Record`] or [`PromText`], or with the feature `faro` `Faro`.
///
/// ```
/// use axum::Router;
/// use axum::routing::post;
/// use lastmile::{Aggregator, Limits, Schema};
/// use lastmile_axum::Push;
/// use lastmile_http::{Clock, Service};
///
/// async fn collect(push: Push) -> Push {
///     if push.report().n_refused() > 0 {
///         eprintln!("refused: {:?}", push.report().refused().collect::<Vec<_>>());
///     }
///     push // 204, as the service itself would answer
/// }
///
/// let schema = Schema::builder().browser().build()?;
/// let aggregator = Aggregator::new(schema, Limits::default(), Clock::new().now())?;
/// let app: Router =
///     Router::new().route("/collect", post(collect)).with_state(Service::public(aggregator));
/// # let _ = app;
/// # Ok::<(), lastmile::Error>(())
/// ```
pub struct Push<F = Lm1> {
    pushed: Pushed,
    format: PhantomData<fn() -> F>,
}

impl<F> Push<F> {
    /// What was counted, and what was refused.
    #[must_use]
    pub fn report(&self) -> &PushReport {
        self.pushed.report()
    }
}

/// The format of a [`Push`].
pub trait PushFormat: sealed::Sealed {
    /// What its bodies are decoded as.
    const FORMAT: Format;
}

/// Lines of `lm1`, which `lastmile.js` sends.
#[derive(Clone, Copy, Debug)]
pub enum Lm1 {}

/// The JSON array of `prometheus-user-metrics`.
#[derive(Clone, Copy, Debug)]
pub enum Record {}

/// Prometheus text that adds, which `promjs` sends.
#[derive(Clone, Copy, Debug)]
pub enum PromText {}

/// What browsers report by themselves; see [`Format::Reports`].
#[cfg(feature = "reports")]
#[derive(Clone, Copy, Debug)]
pub enum Reports {}

#[cfg(feature = "reports")]
impl PushFormat for Reports {
    const FORMAT: Format = Format::Reports;
}

#[cfg(feature = "reports")]
impl sealed::Sealed for Reports {}

impl PushFormat for Lm1 {
    const FORMAT: Format = Format::Lm1;
}

impl PushFormat for Record {
    const FORMAT: Format = Format::Record;
}

impl PushFormat for PromText {
    const FORMAT: Format = Format::PromText;
}

/// What Faro sends.
#[cfg(feature = "faro")]
#[derive(Clone, Copy, Debug)]
pub enum Faro {}

#[cfg(feature = "faro")]
impl PushFormat for Faro {
    const FORMAT: Format = Format::Faro;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::PromText {}
    #[cfg(feature = "faro")]
    impl Sealed for super::Faro {}
    impl Sealed for super::Lm1 {}
    impl Sealed for super::Record {}
}

impl<S, F> FromRequest<S> for Push<F>
where
    S: Send + Sync,
    Service: FromRef<S>,
    F: PushFormat,
{
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let now = Clock::new().now();
        let service = Service::from_ref(state);
        service.set_offload(|work| drop(tokio::task::spawn_blocking(work)));
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
        match service.take(F::FORMAT, request, peer, now).await {
            Ok(pushed) => Ok(Self { pushed, format: PhantomData }),
            Err(refusal) => Err(translate(refusal)),
        }
    }
}

impl<F> IntoResponse for Push<F> {
    fn into_response(self) -> Response {
        translate(self.pushed.into_response())
    }
}

impl<F> fmt::Debug for Push<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Push").field(self.report()).finish()
    }
}
