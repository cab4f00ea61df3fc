//! The two server loops that engines are measured on, each with and without lastmile behind it, on the
//! runtime of `lastmile-aggregator`: tokio's multi-threaded one with as many workers as the process has
//! cores (one, as the runner pins it).

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;

use axum::Router;
use axum::serve::ListenerExt;
use lastmile::{Aggregator, Schema};
use lastmile_http::Clock;
use lastmile_hyper::{PerPeer, Serve, ServeLimits};
use tokio::net::TcpListener;

/// An aggregator of the files of allowed metrics that the program's arguments name, or of the default schema.
///
/// # Errors
///
/// When a file cannot be read, or the schema has a fault.
pub fn aggregator() -> Result<Aggregator, Box<dyn Error>> {
    let mut schema = Schema::builder();
    let files: Vec<String> = std::env::args().skip(1).collect();
    for file in &files {
        schema = schema.allowed_metrics(file, &std::fs::read_to_string(file)?);
    }
    if files.is_empty() {
        schema = schema.browser();
    }
    let schema = schema.build()?;
    let limits = schema.limits().clone();
    Ok(Aggregator::new(schema, limits, Clock::new().now())?)
}

/// Serves `public`, and `private` if there is one, as axum's own server does, on ports of the system's
/// choice until the process is killed. Prints their addresses as the runner expects them.
///
/// # Errors
///
/// When a listener cannot be bound.
pub fn on_axum(public: Router, private: Option<Router>) -> io::Result<()> {
    runtime()?.block_on(async {
        let listener = listen("public").await?;
        if let Some(private) = private {
            let listener = listen("private").await?;
            tokio::spawn(serve_router(listener, private));
        }
        serve_router(listener, public).await
    })
}

/// Serves both by `lastmile_hyper::serve`, under every limit that it has by default.
///
/// # Errors
///
/// When a listener cannot be bound.
pub fn on_hyper<P, Q>(public: P, private: Option<Q>) -> io::Result<()>
where
    P: PerPeer<Service: Serve> + Send + Sync + 'static,
    Q: PerPeer<Service: Serve> + Send + Sync + 'static,
{
    runtime()?.block_on(async {
        lastmile_hyper::serve(listen("public").await?, public, ServeLimits::public());
        if let Some(private) = private {
            lastmile_hyper::serve(listen("private").await?, private, ServeLimits::private());
        }
        std::future::pending().await
    })
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

async fn listen(side: &str) -> io::Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{side} http://{}", listener.local_addr()?)?;
    stdout.flush()?;
    Ok(listener)
}

async fn serve_router(listener: TcpListener, router: Router) -> io::Result<()> {
    let listener = listener.tap_io(|connection| {
        // An answer is one small write: waiting for more to fill a segment would only delay it. A
        // connection that keeps its delay works too.
        let _ = connection.set_nodelay(true);
    });
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(std::future::pending())
        .await
}
