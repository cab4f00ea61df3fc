//! [lastmile](lastmile_http) in an [axum] application: translation and nothing else.
//!
//! [`router`] gives a [`Router`] of the service's own paths, to merge into an application
//! or to nest under any path of it. [`Endpoint`] answers every request, the unknown path included: for
//! a listener of its own. What the paths do is told in [`lastmile_http`]. [`measure`] is a layer that measures the
//! application's own requests into the same aggregate, and [`Push`] an extractor with which a handler of its own
//! takes a push.
//!
//! ```
//! use std::net::SocketAddr;
//!
//! use axum::Router;
//! use axum::routing::get;
//! use lastmile::{Aggregator, Limits, Schema};
//! use lastmile_axum::{Endpoint, router};
//! use lastmile_http::{Clock, Service};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let schema = Schema::builder().browser().build()?;
//! let aggregator = Aggregator::new(schema, Limits::default(), Clock::new().now())?;
//!
//! // Pages push to `/telemetry/lm`, beside the application's own routes.
//! let app = Router::new()
//!     .route("/", get(|| async { "hello" }))
//!     .nest("/telemetry", router(Service::public(aggregator.clone())));
//! let public = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let address = public.local_addr()?;
//! tokio::spawn(async move {
//!     axum::serve(public, app.into_make_service_with_connect_info::<SocketAddr>()).await
//! });
//!
//! // Prometheus scrapes a listener that pages cannot reach.
//! let private = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! tokio::spawn(async move {
//!     axum::serve(private, Endpoint::new(Service::private(aggregator))).await
//! });
//! # use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! # let mut stream = tokio::net::TcpStream::connect(address).await?;
//! # stream.write_all(b"POST /telemetry/record HTTP/1.0\r\ncontent-length: 2\r\n\r\n[]").await?;
//! # let mut answer = String::new();
//! # stream.read_to_string(&mut answer).await?;
//! # assert!(answer.starts_with("HTTP/1.0 204 "), "{answer}");
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//! - `faro`, `mapping`, `otlp`, `protobuf`, `pushgateway`, `reports` and `ws`, none by default: see [`lastmile_http`].
//!   WebSockets outlive a graceful shutdown of `axum::serve`, which does not know of them: close them with
//!   `Service::close_sockets` before.
//!
//! # What `axum::serve` does not do
//! The limits on bodies, rates and origins are the service's own and hold wherever it is mounted. Those of
//! connections are not: [`axum::serve`](fn@axum::serve) has no time-out for a head that does not end, a body that
//! does not come, a connection that is silent or an answer that nobody reads, and no cap on connections, in all or
//! by address. Where pages of anyone reach the listener, serve the application with `lastmile_hyper::serve`, which
//! has all of them, or behind a proxy that has.

mod endpoint;
mod measure;
mod push;

/// The project's README, whose example is compiled with these tests. `examples/embed-axum` is run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;

use axum::Router;
use lastmile_http::Service;

pub use endpoint::{Answering, Endpoint};
pub use measure::measure;
#[cfg(feature = "faro")]
pub use push::Faro;
#[cfg(feature = "reports")]
pub use push::Reports;
pub use push::{Lm1, PromText, Push, PushFormat, Record};

/// The routes of `service` at their own paths, to `merge` or to `nest` under any path.
///
/// Other paths stay the application's, and so do those of mappings that a later
/// [`reload`](lastmile::Aggregator::reload) brings, which [`Endpoint`] knows at once. A peer is known where the
/// application is served with
/// [`into_make_service_with_connect_info::<SocketAddr>`](Router::into_make_service_with_connect_info);
/// without one a Prometheus that scrapes through here is shown live values, as anyone is.
pub fn router<S: Clone + Send + Sync + 'static>(service: Service) -> Router<S> {
    let paths = service.paths();
    let endpoint = Endpoint::new(service);
    paths.fold(Router::new(), |router, path| router.route_service(&path, endpoint.clone()))
}
