use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use lastmile_http::{Clock, ResponseBody, Service};

/// A [`lastmile_http::Service`] as a `tower` service that answers every request.
///
/// Give it to [`axum::serve`](fn@axum::serve) and each connection knows its peer; or to
/// [`Router::nest_service`](axum::Router::nest_service),
/// [`Router::fallback_service`](axum::Router::fallback_service) or
/// [`Router::route_service`](axum::Router::route_service), where the peer is the request's
/// [`ConnectInfo<SocketAddr>`](ConnectInfo), if it has one.
#[derive(Clone, Debug)]
pub struct Endpoint {
    service: Service,
    clock: Clock,
    peer: Option<SocketAddr>,
}

impl Endpoint {
    /// An endpoint that tells the time by the machine's [`Clock`], and decodes large bodies on the threads that
    /// the runtime has for what blocks.
    #[must_use]
    pub fn new(service: Service) -> Self {
        service.set_offload(|work| drop(tokio::task::spawn_blocking(work)));
        #[cfg(feature = "ws")]
        service.set_sockets(
            |socket| drop(tokio::spawn(socket)),
            |time| Box::pin(tokio::time::sleep(time)),
        );
        Self { service, clock: Clock::new(), peer: None }
    }
}

impl tower_service::Service<Request> for Endpoint {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Self { service, clock, peer } = self;
        let told = || request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
        let peer = peer.or_else(told);
        Answering(Box::pin(service.clone().into_handle(request, peer, clock.now())))
    }
}

/// The answer of an [`Endpoint`] on its way.
pub struct Answering(Pin<Box<dyn Future<Output = Response<ResponseBody>> + Send>>);

impl Future for Answering {
    type Output = Result<Response, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(|answer| Ok(translate(answer)))
    }
}

impl fmt::Debug for Answering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answering").finish_non_exhaustive()
    }
}

/// An answer with axum's body, whose own empty one is the one that it does not allocate for.
pub(crate) fn translate(answer: Response<ResponseBody>) -> Response {
    answer.map(|body| if body.is_end_stream() { Body::empty() } else { Body::new(body) })
}

/// One service for each connection, with that connection's peer.
impl<L: Listener<Addr = SocketAddr>> tower_service::Service<IncomingStream<'_, L>> for Endpoint {
    type Response = Self;
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, stream: IncomingStream<'_, L>) -> Self::Future {
        ready(Ok(Self { peer: Some(*stream.remote_addr()), ..self.clone() }))
    }
}
