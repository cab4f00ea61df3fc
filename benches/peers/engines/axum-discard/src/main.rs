//! Reads each body whole and answers 204.

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;

fn main() -> std::io::Result<()> {
    let discard = post(|_: Bytes| async { StatusCode::NO_CONTENT });
    let public = Router::new().route("/record", discard.clone()).route("/lm", discard);
    serve::on_axum(public, None)
}
