//! A site that sees whether its pages arrive: the server counts those it sends, the browser those it
//! shows and how long they took, and Prometheus scrapes both from `127.0.0.1:9102/metrics`.
//!
//! `cargo run -p embed-hyper`, then open <http://127.0.0.1:8080>.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Either, Full};
use hyper::service::{Service as _, service_fn};
use lastmile::{Aggregator, Error, Family, Limits, Schema, SchemaBuilder};
use lastmile_http::{Clock, Service};
use lastmile_hyper::{Endpoint, PerPeer, RequestBody, Serve, ServeLimits, serve};
use tokio::net::TcpListener;

const PAGE: &str = r#"<!doctype html><title>Hello</title><h1>Hello</h1><script>
addEventListener("load", () => navigator.sendBeacon("/lm", JSON.stringify({
  lm: 1, id: crypto.randomUUID(),
  m: { "pages_shown_total": 1, "page_load_seconds": [performance.now() / 1000] },
})));
</script>"#;

/// The site for everyone, and the metrics for Prometheus alone.
fn app() -> Result<(impl PerPeer<Service: Serve> + Send + Sync, Endpoint), Error> {
    let sent = Family::counter("pages_sent_total").help("Pages that the server sent.").host_only(); // a page cannot push to it
    let shown = Family::counter("pages_shown_total").help("Pages that browsers showed.");
    let loads = Family::histogram("page_load_seconds", [0.1, 0.5, 1.0, 2.5, 5.0])
        .help("Time until a page was loaded.");
    let families = [sent, shown, loads].into_iter();
    let schema = families.fold(Schema::builder(), SchemaBuilder::family).build()?;
    let aggregator = Aggregator::new(schema, Limits::default(), Clock::new().now())?;

    let sent = aggregator.counter("pages_sent_total", &[])?;
    let telemetry = Endpoint::new(Service::public(aggregator.clone()));
    let site = move |peer: SocketAddr| {
        let (sent, telemetry) = (sent.clone(), telemetry.for_peer(peer));
        service_fn(move |request: Request<RequestBody>| {
            let answer = match request.uri().path() {
                "/" => Err(page(&sent)),
                _ => Ok(telemetry.call(request)),
            };
            async move {
                match answer {
                    Ok(answer) => answer.await.map(|answer| answer.map(Either::Left)),
                    Err(page) => Ok(page.map(Either::Right)),
                }
            }
        })
    };
    Ok((site, Endpoint::new(Service::private(aggregator))))
}

fn page(sent: &lastmile::Counter) -> Response<Full<Bytes>> {
    sent.inc();
    let mut page = Response::new(Full::from(PAGE));
    let html = http::HeaderValue::from_static("text/html; charset=utf-8");
    page.headers_mut().insert("content-type", html);
    page
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (site, metrics) = app()?;
    let public = TcpListener::bind("127.0.0.1:8080").await?;
    let private = TcpListener::bind("127.0.0.1:9102").await?;
    let public = serve(public, site, ServeLimits::public());
    let private = serve(private, metrics, ServeLimits::private());
    tokio::signal::ctrl_c().await?;
    let grace = Duration::from_secs(10);
    tokio::join!(public.stop(grace), private.stop(grace));
    Ok(())
}

#[cfg(test)]
mod tests;
