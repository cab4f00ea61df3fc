use std::convert::Infallible;
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
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Self { service, clock, peer } = self.clone();
        Box::pin(async move {
            let peer = peer.or_else(|| {
                request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0)
            });
            let response = service.handle(request, peer, clock.now()).await;
            Ok(translate(response))
        })
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
