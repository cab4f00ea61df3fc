use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// What lies between a socket and HTTP.
pub(crate) trait Transport: Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    fn open(&self, socket: TcpStream) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Nothing.
pub(crate) struct Plain;

impl Transport for Plain {
    type Stream = TcpStream;

    async fn open(&self, socket: TcpStream) -> io::Result<TcpStream> {
        Ok(socket)
    }
}

/// TLS, with the handshake first.
#[cfg(feature = "tls")]
pub(crate) struct Tls(pub(crate) tokio_rustls::TlsAcceptor);

#[cfg(feature = "tls")]
impl Transport for Tls {
    type Stream = tokio_rustls::server::TlsStream<TcpStream>;

    fn open(&self, socket: TcpStream) -> impl Future<Output = io::Result<Self::Stream>> + Send {
        self.0.accept(socket)
    }
}
