//! Reads each body whole and answers 204.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::service::service_fn;
use lastmile_hyper::{Endpoint, RequestBody};

async fn discard(request: Request<RequestBody>) -> Result<Response<Empty<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let mut answer = Response::new(Empty::new());
    *answer.status_mut() = match (&head.method, head.uri.path()) {
        (&Method::POST, "/lm" | "/record") => {
            body.collect().await?.to_bytes();
            StatusCode::NO_CONTENT
        }
        _ => StatusCode::NOT_FOUND,
    };
    Ok(answer)
}

fn main() -> std::io::Result<()> {
    serve::on_hyper(|_: SocketAddr| service_fn(discard), None::<Endpoint>)
}
