//! `GET /lm/ws`: lines of `lm1` over a WebSocket, and an answer to each message.
//!
//! `session` is a WebSocket without its socket, over `frames`; `drive` moves its bytes, `seats` says how many there
//! may be. What spawns and sleeps comes from the adapter, as everything else that needs a runtime.

mod drive;
mod frames;
mod seats;
mod session;

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::{CONNECTION, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use lastmile::{Aggregator, Source, Timestamp};
use tungstenite::handshake::derive_accept_key;

use crate::body::ResponseBody;
use crate::options::PublicRules;
use crate::problem::Problem;
use crate::push::IDEMPOTENCY_KEY;
use drive::{Drive, Pulse};
use seats::NoSeat;
pub(crate) use seats::Seats;
use session::Session;

/// Work that goes on by itself.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a WebSocket needs of the adapter's runtime.
#[derive(Clone)]
pub(crate) struct Runtime {
    pub(crate) spawn: Arc<dyn Fn(Task) + Send + Sync>,
    pub(crate) sleep: Arc<dyn Fn(Duration) -> Task + Send + Sync>,
}

const VERSION: HeaderName = HeaderName::from_static("sec-websocket-version");

/// Whether a header that is a list has this word.
fn has(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|listed| listed.trim().eq_ignore_ascii_case(word))
}

/// The key of a request that asks for a WebSocket. Source: RFC 6455, §4.2.1.
fn key(head: &Parts) -> Option<&HeaderValue> {
    let headers = &head.headers;
    let asks = has(headers, CONNECTION, "upgrade")
        && has(headers, UPGRADE, "websocket")
        && headers.get(VERSION).is_some_and(|version| version == "13");
    // Base64 of 16 bytes.
    headers.get(SEC_WEBSOCKET_KEY).filter(|key| asks && key.len() == 24)
}

/// Takes a WebSocket whose origin may push, or says why not; nothing is upgraded then.
pub(crate) fn accept(
    (aggregator, rules): (&Aggregator, &Arc<PublicRules>),
    runtime: Option<&Runtime>,
    head: &mut Parts,
    peer: Option<SocketAddr>,
    now: Timestamp,
) -> Result<Response<ResponseBody>, Problem> {
    let key = key(head).ok_or_else(Problem::no_websocket)?.clone();
    let connection = head.extensions.remove::<OnUpgrade>();
    let (Some(runtime), Some(connection)) = (runtime, connection) else {
        return Err(Problem::no_upgrades());
    };
    let admitted = rules.gate.admit(&head.headers, head.uri.query(), peer, now);
    let admitted = admitted.map_err(Problem::denied)?;
    let seat = rules.seats.take(admitted.client.addr.map(Source::prefix_of));
    let seat = seat.map_err(|none| match none {
        NoSeat::Full => Problem::busy(),
        NoSeat::Client => Problem::too_many_sockets(),
    })?;
    // What is kept for as long as the socket lives is little, unless a proxy that is trusted sets labels.
    let mut headers = match (admitted.client.by_proxy, head.headers.get(ORIGIN)) {
        (true, _) => head.headers.clone(),
        // Copied, as it is a part of all that was read with it.
        (false, Some(origin)) => {
            let origin = HeaderValue::from_bytes(origin.as_bytes());
            origin.map(|origin| HeaderMap::from_iter([(ORIGIN, origin)])).unwrap_or_default()
        }
        (false, None) => HeaderMap::new(),
    };
    // It names one body, and a socket brings many.
    headers.remove(IDEMPOTENCY_KEY);
    let session = Session::new(aggregator.clone(), Arc::clone(rules), admitted, headers);
    let (of_drive, interval) = (runtime.clone(), rules.socket_ping);
    (runtime.spawn)(Box::pin(async move {
        if let Ok(io) = connection.await {
            let (runtime, pulse) = (of_drive, Pulse::default());
            Drive { io, session, seat, runtime, interval, pulse }.await;
        }
    }));
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::try_from(derive_accept_key(key.as_bytes())) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    Ok(response)
}

/// Tells all to go and waits for them, so long at most; how many are still there.
pub(crate) async fn close(seats: &Seats, runtime: Option<&Runtime>, grace: Duration) -> usize {
    seats.close();
    // Without a runtime there never was one.
    let Some(runtime) = runtime else { return 0 };
    let mut sleep = (runtime.sleep)(grace);
    poll_fn(|cx| {
        if seats.poll_empty(cx) {
            return Poll::Ready(());
        }
        sleep.as_mut().poll(cx)
    })
    .await;
    seats.n_taken()
}
