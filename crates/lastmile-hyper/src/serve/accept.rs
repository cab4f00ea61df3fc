use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpListener;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::connection;
use super::counts::Event;
use super::places::Places;
use super::shared::{Shared, Stage, Stages};
use super::transport::Transport;
use super::{PerPeer, Serve};

/// How long accepting waits after it could not, for the first time and at most; twice as long each time.
/// What it then lacks, file descriptors or memory, comes back when a connection ends.
const PAUSE: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Accepts until the listener stops, and closes it then. Nothing of the caller's runs here.
pub(crate) async fn run<M, T>(
    listener: TcpListener,
    make: M,
    transport: T,
    shared: Arc<Shared>,
    mut stages: Stages,
) where
    M: PerPeer<Service: Serve> + Send + Sync + 'static,
    T: Transport,
{
    let make = Arc::new(make);
    let transport = Arc::new(transport);
    let places = Arc::new(Places::new(&shared.limits, shared.tally.clone()));
    let of_connections = stages.clone();
    let mut stopping = pin!(stages.reach(Stage::Stopping));
    let mut pause = Duration::ZERO;
    loop {
        let first = pause;
        let next = async {
            if !first.is_zero() {
                sleep(first).await;
            }
            let free = places.free().await;
            (free, listener.accept().await)
        };
        let mut next = pin!(next);
        let next = std::future::poll_fn(|cx| match stopping.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => next.as_mut().poll(cx).map(Some),
        });
        match next.await {
            None => return,
            Some((free, Ok((stream, peer)))) => {
                pause = Duration::ZERO;
                let Some(place) = places.take(free, peer.ip()) else { continue };
                // A socket that is gone already says so when it is read.
                drop(stream.set_nodelay(true));
                let unread = shared.limits.unread_bytes;
                drop(SockRef::from(&stream).set_send_buffer_size(unread));
                tokio::spawn(connection::run(
                    (stream, peer, place),
                    (make.clone(), transport.clone()),
                    shared.clone(),
                    of_connections.clone(),
                ));
                // A full backlog is taken one by one, beside everyone else's work: to accept costs more than a push.
                yield_now().await;
            }
            Some((_, Err(error))) if is_of_one_connection(&error) => {}
            Some((_, Err(_))) => {
                shared.tally.count(Event::AcceptError);
                pause = (2 * pause).clamp(PAUSE, PAUSE_MAX);
            }
        }
    }
}

/// A peer that went while it waited in the backlog. There is nothing to wait for: the next one may be
/// there already, and each of these has used one up.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
