use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use lastmile_http::{Clock, ResponseBody, Service};

use crate::serve::PerPeer;

/// A [`lastmile_http::Service`] as a [`hyper::service::Service`] that answers every request.
///
/// Give it to [`serve`](fn@crate::serve) and each connection knows its peer. In a server loop of your own,
/// [`for_peer`](PerPeer::for_peer) tells it: without a peer, a Prometheus that scrapes through here is
/// shown live values, as anyone is.
#[derive(Clone, Debug)]
pub struct Endpoint {
    service: Service,
    clock: Clock,
    peer: Option<SocketAddr>,
}

impl Endpoint {
    /// An endpoint that tells the time by the machine's [`Clock`], and decodes large bodies on the threads that
    /// tokio has for what blocks.
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

impl PerPeer for Endpoint {
    type Service = Self;

    fn for_peer(&self, peer: SocketAddr) -> Self {
        Self { peer: Some(peer), ..self.clone() }
    }
}

impl<B> hyper::service::Service<Request<B>> for Endpoint
where
    B: Body<Data: Send> + Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<B>) -> Answering {
        let Self { service, clock, peer } = self;
        Answering(Box::pin(service.clone().into_handle(request, *peer, clock.now())))
    }
}

/// The answer of an [`Endpoint`] on its way.
pub struct Answering(Pin<Box<dyn Future<Output = Response<ResponseBody>> + Send>>);

impl Future for Answering {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

impl fmt::Debug for Answering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answering").finish_non_exhaustive()
    }
}
