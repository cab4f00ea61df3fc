use std::convert::Infallible;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use lastmile_http::{Clock, Service};
use tokio::net::TcpListener;

/// Serves until the test process ends.
pub(crate) async fn serve(listener: TcpListener, service: Service) {
    let clock = Clock::new();
    #[cfg(feature = "ws")]
    service.set_sockets(
        |socket| drop(tokio::spawn(socket)),
        |time| Box::pin(tokio::time::sleep(time)),
    );
    loop {
        let (stream, peer) = listener.accept().await.expect("the listener works");
        let service = service.clone();
        let answer = service_fn(move |request: Request<Incoming>| {
            let service = service.clone();
            async move { Ok::<_, Infallible>(service.handle(request, Some(peer), clock.now()).await) }
        });
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), answer).with_upgrades();
        // A client that goes away early is part of some tests.
        tokio::spawn(async move { drop(connection.await) });
    }
}
