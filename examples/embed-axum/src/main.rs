//! A site that sees whether its pages arrive: the server counts the requests that it answers and how long
//! they take, the browser the pages that it shows and how long those took, and Prometheus scrapes both from
//! `127.0.0.1:9102/metrics`.
//!
//! `cargo run -p embed-axum`, then open <http://127.0.0.1:8080>.

use std::net::SocketAddr;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use lastmile::{Aggregator, Error, Family, Limits, Schema};
use lastmile_axum::{Endpoint, measure, router};
use lastmile_http::{Clock, RequestMeter, Service};
use tokio::net::TcpListener;

const PAGE: &str = r#"<!doctype html><title>Hello</title><h1>Hello</h1><script>
addEventListener("load", () => navigator.sendBeacon("/telemetry/lm", JSON.stringify({
  lm: 1, id: crypto.randomUUID(),
  m: { "pages_shown_total": 1, "page_load_seconds": [performance.now() / 1000] },
})));
</script>"#;

/// The site for everyone, and the metrics for Prometheus alone.
fn app() -> Result<(Router, Endpoint), Error> {
    let shown = Family::counter("pages_shown_total").help("Pages that browsers showed.");
    let loads = Family::histogram("page_load_seconds", [0.1, 0.5, 1.0, 2.5, 5.0])
        .help("Time until a page was loaded.");
    let greetings =
        Family::counter("greetings_total").help("Greetings that the server sent.").host_only(); // a page cannot push to it
    let schema = Schema::builder()
        .families([shown, loads, greetings])
        .families(RequestMeter::families()) // the server's own requests, as the layer below counts them
        .build()?;
    let aggregator = Aggregator::new(schema, Limits::default(), Clock::new().now())?;

    let greetings = aggregator.counter("greetings_total", &[])?;
    let page = get(async move || {
        greetings.inc();
        Html(PAGE)
    });
    let telemetry = router(Service::public(aggregator.clone()));
    let site = Router::new()
        .route("/", page)
        .nest("/telemetry", telemetry)
        .layer(measure(RequestMeter::new(&aggregator)?));
    Ok((site, Endpoint::new(Service::private(aggregator))))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (site, metrics) = app()?;
    let site = site.into_make_service_with_connect_info::<SocketAddr>();
    let public = TcpListener::bind("127.0.0.1:8080").await?;
    let private = TcpListener::bind("127.0.0.1:9102").await?;
    tokio::spawn(async { axum::serve(private, metrics).await });
    axum::serve(public, site).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
