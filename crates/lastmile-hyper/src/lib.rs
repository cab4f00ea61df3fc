//! [lastmile](lastmile_http) over [hyper], and one server loop that holds its own against the internet.
//!
//! [`Endpoint`] is translation and nothing else: a [`lastmile_http::Service`] as a hyper service, for
//! any server loop. [`serve()`] is such a loop, for any hyper service: it has the timeouts and the caps on
//! connections that a listener open to everyone needs, and stops without breaking off what is in flight.
//! What the paths do is told in [`lastmile_http`].
//!
//! ```
//! use std::time::Duration;
//!
//! use lastmile::{Aggregator, Limits, Schema};
//! use lastmile_http::{Clock, Service};
//! use lastmile_hyper::{Endpoint, ServeLimits, serve};
//! use tokio::net::TcpListener;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let schema = Schema::builder().browser().build()?;
//! let aggregator = Aggregator::new(schema, Limits::default(), Clock::new().now())?;
//!
//! // Pages push here, Prometheus scrapes a listener that pages cannot reach.
//! let public = TcpListener::bind("127.0.0.1:0").await?;
//! let private = TcpListener::bind("127.0.0.1:0").await?;
//! # let address = public.local_addr()?;
//! let pushes = Endpoint::new(Service::public(aggregator.clone()));
//! let scrapes = Endpoint::new(Service::private(aggregator));
//! let public = serve(public, pushes, ServeLimits::public());
//! let private = serve(private, scrapes, ServeLimits::private());
//!
//! # use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! # let mut stream = tokio::net::TcpStream::connect(address).await?;
//! # stream.write_all(b"POST /record HTTP/1.0\r\ncontent-length: 2\r\n\r\n[]").await?;
//! # let mut answer = String::new();
//! # stream.read_to_string(&mut answer).await?;
//! # assert!(answer.starts_with("HTTP/1.0 204 "), "{answer}");
//! // When it is time to go: requests in flight get ten seconds.
//! let broken_off = public.stop(Duration::from_secs(10)).await;
//! private.stop(Duration::from_secs(10)).await;
//! assert_eq!(broken_off, 0);
//! # assert_eq!(public.counts().accepted, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # What a connection may do
//! | it | default, public | private | and then |
//! |---|---|---|---|
//! | takes long to send a head, from its first byte or from its start | 10 s | 10 s | it is closed |
//! | keeps a handler waiting for a body, in all | 30 s | 30 s | it is closed, without 408: Chromium would send the request again |
//! | is silent between two requests | 75 s | 6 min | it is closed |
//! | does not read its answer | 30 s without progress | 30 s | it is closed, and the rest of a scrape is never encoded |
//! | has answers that it did not read | 32 KiB | 256 KiB | the next is not begun |
//! | sends a head of more bytes, or more headers | 16 KiB, 100 | the same | 431 and closed |
//! | sends what is no HTTP | – | – | 400 and closed |
//! | sends many requests at once | one after the other, in turn with other connections | the same | |
//! | is new, slow, or sends more than 16 KiB | waits for its turn behind all who are none of these | the same | |
//! | is one too many of its address prefix | 1,024 | 128 | it is closed at once |
//! | is one too many in all | 4,096 | 256 | it waits in the system's backlog until another leaves |
//!
//! A turn reads 64 KiB at most, and a thread of the runtime does one of them between two looks at its sockets. Whoever
//! was answered a short request goes before everyone in line: a crowd of slow sockets costs a push one turn, not one
//! of each. `axum::serve` and other server loops have no such line.
//!
//! [`ServeLimits`] changes each, and [`Server::counts`] says how often each happened. A prefix is an IPv4
//! address, mapped or not, or an IPv6 /56. A handler has all the time it takes, and so has an answer that is
//! streamed while somebody reads it. A handler that panics loses its connection and nothing else.
//!
//! HTTP/1.1 and 1.0 are spoken, no HTTP/2: Prometheus scrapes over 1.1, and browsers, which speak 2 only over
//! TLS, reach a service through a proxy that speaks 1.1 to it, or agree on 1.1 in `serve_tls`.
//! A client that closes its sending half after a request is still answered. An answer that was given before
//! all of the body was read can be read by its client: the connection takes two seconds more of the body
//! before it closes.
//!
//! # Any service
//! A closure makes the service of a connection from its peer, so an axum application is served like this,
//! with the `ConnectInfo` that its handlers may ask for:
//!
//! ```
//! use std::net::SocketAddr;
//!
//! use axum::Router;
//! use axum::extract::ConnectInfo;
//! use axum::routing::get;
//! use http::Request;
//! use hyper::service::service_fn;
//! use lastmile_hyper::{RequestBody, ServeLimits, serve};
//! use tower_service::Service as _;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let app = Router::new().route("/", get(|peer: ConnectInfo<SocketAddr>| async move { peer.to_string() }));
//! let app = move |peer: SocketAddr| {
//!     let app = app.clone();
//!     service_fn(move |mut request: Request<RequestBody>| {
//!         request.extensions_mut().insert(ConnectInfo(peer));
//!         app.clone().call(request)
//!     })
//! };
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let address = listener.local_addr()?;
//! let server = serve(listener, app, ServeLimits::public());
//! # use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! # let mut stream = tokio::net::TcpStream::connect(address).await?;
//! # let me = stream.local_addr()?;
//! # stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
//! # let mut answer = String::new();
//! # stream.read_to_string(&mut answer).await?;
//! # assert!(answer.ends_with(&format!("\r\n\r\n{me}")), "{answer}");
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//! - `tls`, not by default: `serve_tls`, over rustls. It brings no cryptography: the caller's
//!   `rustls::ServerConfig` has its own provider, such as `ring`.
//! - `faro`, `mapping`, `otlp`, `protobuf`, `pushgateway` and `reports`, none by default: see [`lastmile_http`].
//! - `ws`, not by default: takes lines of `lm1` over WebSockets; see [`lastmile_http`]. A socket keeps its
//!   connection's place, and none of the timeouts but its own; close all with `Service::close_sockets` before
//!   [`Server::stop`], which does not wait for them.

mod endpoint;
mod serve;

pub use endpoint::{Answering, Endpoint};
#[cfg(feature = "tls")]
pub use serve::serve_tls;
pub use serve::{PerPeer, RequestBody, Serve, ServeCounts, ServeLimits, Server, serve};
