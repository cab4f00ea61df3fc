use std::io;
#[cfg(feature = "tls")]
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::counts::Event;
use super::limits::ServeLimits;
use super::turns::Turns;

/// What lies between a socket and HTTP.
pub(crate) trait Transport: Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Whether the time that opening takes is part of the first head's.
    const IS_PART_OF_HEAD: bool;

    /// How long opening may take, and what it is if it takes longer.
    fn longest(limits: &ServeLimits) -> (Duration, Event);

    /// Opens a stream on which a request may begin at once. What costs more than a look at the socket takes turns.
    fn open(
        &self,
        socket: TcpStream,
        turns: &Turns,
    ) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Nothing. Until a first byte is there hyper has no part of it, nor its buffers: who says nothing takes 3 KiB
/// instead of 11.
pub(crate) struct Plain;

impl Transport for Plain {
    type Stream = TcpStream;

    const IS_PART_OF_HEAD: bool = true;

    fn longest(limits: &ServeLimits) -> (Duration, Event) {
        (limits.head, Event::HeadTimeout)
    }

    async fn open(&self, socket: TcpStream, _: &Turns) -> io::Result<TcpStream> {
        socket.readable().await?;
        Ok(socket)
    }
}

/// TLS, with the handshake first.
#[cfg(feature = "tls")]
pub(crate) struct Tls(pub(crate) tokio_rustls::TlsAcceptor);

#[cfg(feature = "tls")]
impl Transport for Tls {
    type Stream = tokio_rustls::server::TlsStream<TcpStream>;

    const IS_PART_OF_HEAD: bool = false;

    fn longest(limits: &ServeLimits) -> (Duration, Event) {
        (limits.handshake, Event::HandshakeTimeout)
    }

    async fn open(&self, socket: TcpStream, turns: &Turns) -> io::Result<Self::Stream> {
        let mut accepting = pin!(self.0.accept(socket));
        turns.pace(|| false, |cx| accepting.as_mut().poll(cx)).await
    }
}
