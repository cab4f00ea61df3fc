//! A service that has metrics of its own in `prometheus_client`, and those of its pages beside them: `/metrics`
//! is lastmile's answer with the service's registry behind it, in every format; `/host` is the registry's own,
//! with what pages sent in it. Either is enough for Prometheus; a scrape of both counts everything twice.
//!
//! `cargo run -p embed-registry`, then see <http://127.0.0.1:9102/metrics>.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use lastmile::{Aggregator, Error, Family, Label, Limits, Schema, SchemaBuilder};
use lastmile_axum::router;
use lastmile_http::{Clock, Service};
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tokio::net::TcpListener;

/// What the service has always measured.
fn registry() -> Registry {
    let mut registry = Registry::default();
    // A prefix of all of the registry would stand before our families, too.
    let shop = registry.sub_registry_with_prefix("shop");
    let orders: Counter = Counter::default();
    orders.inc_by(3);
    shop.register("orders", "Orders placed", orders);
    let queries = Histogram::new([0.005, 0.05, 0.5]);
    queries.observe(0.02);
    shop.register_with_unit("query", "Time of a query", Unit::Seconds, queries);
    let labels = vec![("version", env!("CARGO_PKG_VERSION"))];
    shop.register("build", "What runs", Info::new(labels));
    registry
}

/// What pages send, and both registries of it.
fn app() -> Result<Router, Error> {
    let loads = Family::histogram("page_load_seconds", [0.1, 0.5, 1.0, 2.5, 5.0])
        .unit("seconds")
        .help("Time until a page was loaded.")
        .label(Label::open("page", 100));
    let shown = Family::counter("pages_shown_total").help("Pages that browsers showed.");
    let schema = [loads, shown].into_iter().fold(Schema::builder(), SchemaBuilder::family);
    let clock = Clock::new();
    let aggregator = Aggregator::new(schema.build()?, Limits::default(), clock.now())?;

    // One way: the service's registry behind our families. Handles to its metrics work on as ever.
    aggregator.append_registry(Arc::new(registry()));

    // The other way: our families in the service's registry.
    let mut host = registry();
    let (collected, now) = (aggregator.clone(), clock);
    host.register_collector(Box::new(collected.collector(move || now.now())));
    let host = Arc::new(host);
    let host = get(async move || {
        let mut body = String::new();
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        match text::encode(&mut body, &host) {
            Ok(()) => Ok(([("content-type", kind)], body)),
            Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
        }
    });
    Ok(router(Service::public_and_private(aggregator)).route("/host", host))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let at = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9102".to_owned());
    let listener = TcpListener::bind(at).await?;
    println!("metrics http://{}/metrics", listener.local_addr()?);
    let app = app()?.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await?;
    Ok(())
}
