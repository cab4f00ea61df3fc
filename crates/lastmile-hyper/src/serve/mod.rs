//! The server loop: `accept` takes connections that get a place (`places`) and spawns a task for each
//! (`connection`), which drives hyper under one timer (`timer`) by what `watch` sees around it (`io`,
//! `body`), each in its turn (`turns`). `shared` is how all of them stop.

mod accept;
mod body;
mod connection;
mod counts;
mod io;
mod limits;
mod places;
mod shared;
mod timer;
mod transport;
mod turns;
mod watch;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::service::Service;
use tokio::net::TcpListener;

pub use body::RequestBody;
pub use counts::ServeCounts;
pub use limits::ServeLimits;

use shared::{Shared, Stages};
use transport::{Plain, Transport};

/// Makes the service of each connection from its peer's address.
///
/// A closure that takes the address does, and so does an [`Endpoint`](crate::Endpoint). It runs in the
/// connection's own task.
pub trait PerPeer {
    /// The service of one connection.
    type Service;

    /// The service for the connection from `peer`.
    fn for_peer(&self, peer: SocketAddr) -> Self::Service;
}

impl<F: Fn(SocketAddr) -> S, S> PerPeer for F {
    type Service = S;

    fn for_peer(&self, peer: SocketAddr) -> S {
        self(peer)
    }
}

/// What [`serve()`] can serve: any hyper service that answers with a body it can send.
///
/// Every type that fits implements it, and none needs to say so. A body that is not `Unpin` fits in a box.
pub trait Serve:
    Service<
        Request<RequestBody>,
        Response = Response<Self::Body>,
        Error: Into<Box<dyn Error + Send + Sync>>,
        Future: Send,
    > + Send
    + 'static
{
    /// The body of its answers.
    type Body: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static;
}

impl<S, B> Serve for S
where
    S: Service<
            Request<RequestBody>,
            Response = Response<B>,
            Error: Into<Box<dyn Error + Send + Sync>>,
            Future: Send,
        > + Send
        + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    type Body = B;
}

/// Serves HTTP/1 on `listener` from now on, in tasks of the tokio runtime that this is called in, until
/// [`Server::stop`].
///
/// `make` gives the service of each connection; see the [crate's documentation](crate) for what a
/// connection may do under `limits`. An error of a service, as a panic, closes its connection.
///
/// # Panics
/// Outside of a tokio runtime, or in one whose timers are off.
pub fn serve<M>(listener: TcpListener, make: M, limits: ServeLimits) -> Server
where
    M: PerPeer<Service: Serve> + Send + Sync + 'static,
{
    Server::start(listener, make, Plain, limits)
}

/// Serves as [`serve()`] does, over TLS. HTTP/1.1 is what is agreed on (ALPN), unless `config` says.
///
/// The peer of a connection is known before its handshake, so caps hold for handshakes too. While an
/// answer waits for its reader, progress is seen in steps of rustls' buffer, 64 KiB.
///
/// # Panics
/// Outside of a tokio runtime, or in one whose timers are off.
#[cfg(feature = "tls")]
pub fn serve_tls<M>(
    listener: TcpListener,
    mut config: rustls::ServerConfig,
    make: M,
    limits: ServeLimits,
) -> Server
where
    M: PerPeer<Service: Serve> + Send + Sync + 'static,
{
    if config.alpn_protocols.is_empty() {
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
    }
    Server::start(listener, make, transport::Tls(Arc::new(config).into()), limits)
}

/// A listener that is served. Clones are handles of the same; dropping all of them stops nothing.
#[derive(Clone, Debug)]
pub struct Server {
    shared: Arc<Shared>,
}

impl Server {
    fn start<M, T>(listener: TcpListener, make: M, transport: T, limits: ServeLimits) -> Self
    where
        M: PerPeer<Service: Serve> + Send + Sync + 'static,
        T: Transport,
    {
        let (shared, stages): (_, Stages) = Shared::new(limits);
        tokio::spawn(accept::run(listener, make, transport, shared.clone(), stages));
        Self { shared }
    }

    /// What happened until now. Costs some loads, and disturbs nobody.
    #[must_use]
    pub fn counts(&self) -> ServeCounts {
        self.shared.tally.read()
    }

    /// Closes the listener and every connection without a request, gives the requests in flight `grace` to
    /// be answered, with `Connection: close`, and then closes what is left; says how many that were.
    ///
    /// A request is in flight from its first byte on, and its own timeouts hold. Connections that were
    /// upgraded are not waited for. Called again meanwhile, the shorter `grace` counts. A future that is
    /// dropped leaves the listener closed, and what is in flight to itself.
    pub async fn stop(&self, grace: Duration) -> usize {
        self.shared.stop(grace).await
    }
}
