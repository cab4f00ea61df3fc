//! The server loop over real sockets: each limit, each way to end, and what hyper leaves to it.

mod caps;
mod client;
mod endpoint;
mod server;
mod stops;
mod timeouts;
#[cfg(feature = "tls")]
mod tls;
mod turns;
mod wire;
