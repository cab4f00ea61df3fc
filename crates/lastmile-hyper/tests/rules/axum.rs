//! The rules of `lastmile-http`, as `lastmile-axum` answers them in an application that this crate's server
//! loop serves.

mod adapter {
    use std::net::SocketAddr;

    use axum::Router;
    use axum::extract::ConnectInfo;
    use http::Request;
    use hyper::service::service_fn;
    use lastmile_http::Service;
    use lastmile_hyper::{RequestBody, ServeLimits};
    use tokio::net::TcpListener;
    use tower_service::Service as _;

    /// Serves until the test process ends.
    pub(crate) async fn serve(listener: TcpListener, service: Service) {
        let app = Router::new().fallback_service(lastmile_axum::Endpoint::new(service));
        let make = move |peer: SocketAddr| {
            let app = app.clone();
            service_fn(move |mut request: Request<RequestBody>| {
                request.extensions_mut().insert(ConnectInfo(peer));
                app.clone().call(request)
            })
        };
        // Some rules are about heads that this loop would not let pass.
        let limits = ServeLimits::public().head_bytes(1 << 20);
        let server = lastmile_hyper::serve(listener, make, limits);
        std::future::pending::<()>().await;
        drop(server);
    }
}

#[path = "../../../lastmile-http/tests/it/rules/mod.rs"]
mod rules;
