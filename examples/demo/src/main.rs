//! A sample page that measures itself, for trying lastmile out: one command, one page, and what the
//! page sends is on it a second later.
//!
//! By default the demo has an aggregator inside, and serves its pushes and `/metrics` beside the page.
//! A real service keeps `/metrics` away from pages; here a newcomer is meant to see it. With
//! `--aggregator URL` the page sends to an aggregator that runs elsewhere, from another origin.

mod page;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use axum::Router;
use clap::Parser;
use lastmile::{Aggregator, Limits, Schema};
use lastmile_axum::router;
use lastmile_http::{Clock, Service};
use tokio::net::TcpListener;

use page::Origin;

/// Serves a sample page that measures itself.
#[derive(Debug, Parser)]
#[command(name = "lastmile-demo", version)]
struct Args {
    /// Serve the page here; port 0 is any free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// Send to this aggregator's public address, such as http://127.0.0.1:3000, in place of the
    /// one inside; start it with `--default-schema --schema examples/demo/schema`
    #[arg(long, value_name = "URL")]
    aggregator: Option<Origin>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lastmile-demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let app = match &args.aggregator {
        Some(elsewhere) => page::routes(elsewhere),
        None => page::routes(&Origin::same()).merge(aggregator()?),
    };
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", args.listen))?;
    println!("open    http://{}/", listener.local_addr()?);
    match &args.aggregator {
        Some(elsewhere) => println!("it sends to {elsewhere}"),
        None => println!("metrics http://{}/metrics", listener.local_addr()?),
    }
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await?;
    Ok(())
}

/// The aggregator inside: the default schema, and the sample app's own families.
fn aggregator() -> Result<Router, Box<dyn Error>> {
    let schema = Schema::builder()
        .toml("app.toml", include_str!("../schema/app.toml"))
        .browser()
        .toml("performance-timing.toml", include_str!("../schema/performance-timing.toml"))
        .build()?;
    let aggregator = Aggregator::new(schema, Limits::default(), Clock::new().now())?;
    Ok(router(Service::public_and_private(aggregator)))
}
