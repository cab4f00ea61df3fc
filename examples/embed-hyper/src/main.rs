//! A site that sees whether its pages arrive: the server counts the requests that it answers and how long
//! they take, the browser the pages that it shows and how long those took, and Prometheus scrapes both from
//! `127.0.0.1:9102/metrics`.
//!
//! `cargo run -p embed-hyper`, then open <http://127.0.0.1:8080>.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Either, Full};
use hyper::service::{Service as _, service_fn};
use lastmile::{Aggregator, Counter, Error, Family, Limits, Schema};
use lastmile_http::{Clock, RequestMeter, Service};
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
    let shown = Family::counter("pages_shown_total").help("Pages that browsers showed.");
    let loads = Family::histogram("page_load_seconds", [0.1, 0.5, 1.0, 2.5, 5.0])
        .help("Time until a page was loaded.");
    let greetings =
        Family::counter("greetings_total").help("Greetings that the server sent.").host_only(); // a page cannot push to it
    let schema = Schema::builder()
        .families([shown, loads, greetings])
        .families(RequestMeter::families()) // the server's own requests, as the meter below counts them
        .build()?;
    let aggregator = Aggregator::new(schema, Limits::default(), Clock::new().now())?;

    let greetings = aggregator.counter("greetings_total", &[])?;
    let meter = RequestMeter::new(&aggregator)?;
    let telemetry = Endpoint::new(Service::public(aggregator.clone()));
    let site = move |peer: SocketAddr| {
        let (meter, greetings) = (meter.clone(), greetings.clone());
        let telemetry = telemetry.for_peer(peer);
        service_fn(move |request: Request<RequestBody>| {
            let (meter, method) = (meter.clone(), request.method().clone());
            let route = ["/", "/lm"].into_iter().find(|route| *route == request.uri().path());
            let answer = match route {
                Some("/") => Err(page(&greetings)),
                _ => Ok(telemetry.call(request)),
            };
            let answer = async move {
                match answer {
                    Ok(answer) => answer.await.map(|answer| answer.map(Either::Left)),
                    Err(page) => Ok(page.map(Either::Right)),
                }
            };
            async move { meter.measure(&method, route, answer).await }
        })
    };
    Ok((site, Endpoint::new(Service::private(aggregator))))
}

fn page(greetings: &Counter) -> Response<Full<Bytes>> {
    greetings.inc();
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
