//! The rules of `lastmile-http`, as this crate's service answers them through its server loop.

mod adapter {
    use lastmile_http::Service;
    use lastmile_hyper::{Endpoint, ServeLimits};
    use tokio::net::TcpListener;

    /// Serves until the test process ends.
    pub(crate) async fn serve(listener: TcpListener, service: Service) {
        // Some rules are about heads that this loop would not let pass.
        let limits = ServeLimits::public().head_bytes(1 << 20);
        let server = lastmile_hyper::serve(listener, Endpoint::new(service), limits);
        std::future::pending::<()>().await;
        drop(server);
    }
}

#[path = "../../../lastmile-http/tests/it/rules/mod.rs"]
mod rules;
