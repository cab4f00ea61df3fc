use lastmile_axum::Endpoint;
use lastmile_http::Service;
use tokio::net::TcpListener;

/// Serves until the test process ends.
pub(crate) async fn serve(listener: TcpListener, service: Service) {
    axum::serve(listener, Endpoint::new(service)).await.expect("the listener works");
}
