use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Extensions, Request, Response, Uri};
use tower_layer::Layer;
use tower_service::Service;

use super::{MeasuredBody, RequestInFlight, RequestMeter};

/// Measures every request of the service that it is put around; see [`RequestMeter`].
///
/// `R` finds the template of the route that a request matched: `lastmile_axum::measure` knows axum's. For a
/// service that routes by itself, give a function of the URI:
///
/// ```
/// use http::{Extensions, Uri};
/// use lastmile_http::{MeasureLayer, RequestMeter};
///
/// # fn layer(meter: RequestMeter) {
/// let layer = MeasureLayer::new(meter, |uri: &Uri, _: &Extensions| match uri.path() {
///     "/" => Some("/"),
///     path if path.starts_with("/users/") => Some("/users/{id}"),
///     _ => None, // counts as `unmatched`
/// });
/// # let _ = layer;
/// # }
/// ```
///
/// It allocates nothing, for which the future of the service within has to be `Unpin`, as those of axum's
/// routes, of axum's middleware and of boxed services are. Box another, as with
/// `tower::util::BoxCloneSyncService`, or call [`RequestMeter::measure`] in it. A request that passes two such
/// layers counts twice.
#[derive(Clone)]
pub struct MeasureLayer<R> {
    meter: RequestMeter,
    route_of: R,
}

impl<R> MeasureLayer<R>
where
    R: for<'a> Fn(&'a Uri, &'a Extensions) -> Option<&'a str>,
{
    /// A layer that asks `route_of` for the route of each request, before the service within is called.
    pub fn new(meter: RequestMeter, route_of: R) -> Self {
        Self { meter, route_of }
    }
}

impl<S, R: Clone> Layer<S> for MeasureLayer<R> {
    type Service = Measure<S, R>;

    fn layer(&self, inner: S) -> Measure<S, R> {
        Measure { inner, layer: self.clone() }
    }
}

/// A service whose requests are measured, made by [`MeasureLayer`].
#[derive(Clone)]
pub struct Measure<S, R> {
    inner: S,
    layer: MeasureLayer<R>,
}

impl<S, R, A, B> Service<Request<A>> for Measure<S, R>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Unpin,
    R: for<'a> Fn(&'a Uri, &'a Extensions) -> Option<&'a str>,
{
    type Response = Response<MeasuredBody<B>>;
    type Error = S::Error;
    type Future = MeasureFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let MeasureLayer { meter, route_of } = &self.layer;
        let route = route_of(request.uri(), request.extensions());
        // Before the call, so that one that panics counts too.
        let in_flight = meter.begin(request.method(), route);
        MeasureFuture { in_flight: Some(in_flight), future: self.inner.call(request) }
    }
}

/// The answer to a request that is measured.
///
/// # Panics
/// If it is polled again after it was ready.
pub struct MeasureFuture<F> {
    future: F,
    in_flight: Option<RequestInFlight>,
}

impl<F, B, E> Future for MeasureFuture<F>
where
    F: Future<Output = Result<Response<B>, E>> + Unpin,
{
    type Output = Result<Response<MeasuredBody<B>>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.future).poll(cx));
        let in_flight = self.in_flight.take().expect("a future is not polled after it was ready");
        Poll::Ready(answer.map(|answer| in_flight.answered(answer)))
    }
}

impl<R> fmt::Debug for MeasureLayer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeasureLayer").finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, R> fmt::Debug for Measure<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measure").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for MeasureFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_flight = &self.in_flight;
        f.debug_struct("MeasureFuture").field("in_flight", in_flight).finish_non_exhaustive()
    }
}
