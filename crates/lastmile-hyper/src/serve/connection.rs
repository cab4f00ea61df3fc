//! One connection from its place to its end.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::coop::unconstrained;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

use super::body::Watched;
use super::counts::Event;
use super::io::Io;
use super::places::Place;
use super::shared::{Shared, Stage, Stages};
use super::timer::Timer;
use super::transport::Transport;
use super::watch::{Wait, Watch};
use super::{PerPeer, Serve};

pub(crate) async fn run<M, T>(
    (stream, peer, place): (TcpStream, SocketAddr, Place),
    (make, transport): (Arc<M>, Arc<T>),
    shared: Arc<Shared>,
    mut stages: Stages,
) where
    M: PerPeer<Service: Serve>,
    T: Transport,
{
    let tally = &shared.tally;
    let accepted = Instant::now();
    let (longest, late) = T::longest(&shared.limits);
    let opened = {
        let mut opening = pin!(timeout(longest, transport.open(stream, &shared.turns)));
        let mut stopping = pin!(stages.reach(Stage::Stopping));
        std::future::poll_fn(|cx| match opening.as_mut().poll(cx) {
            Poll::Pending => stopping.as_mut().poll(cx).map(|()| None),
            opened => opened.map(Some),
        })
        .await
    };
    let stream = match opened {
        Some(Ok(Ok(stream))) => stream,
        Some(Ok(Err(_))) => return tally.count(Event::HandshakeFailure),
        Some(Err(_)) => return tally.count(late),
        None => return,
    };

    let watch = Arc::new(Watch::default());
    let io = TokioIo::new(Io::new(stream, watch.clone(), place));
    let service = make.for_peer(peer);
    let watched_by_service = watch.clone();
    let answer = move |request: Request<Incoming>| {
        let (watched, request) = Watched::begin(&watched_by_service, request);
        // Who sends many requests at once has one answered, then it is the turn of others. hyper would do 16.
        let takes_turn = watched_by_service.takes_turn();
        let answer = service.call(request);
        async move {
            if !takes_turn {
                yield_now().await;
            }
            answer.await.map(|answer| watched.answer(answer))
        }
    };
    let mut connection = pin!(shared.http.serve_connection(io, service_fn(answer)).with_upgrades());
    let begins = if T::IS_PART_OF_HEAD { accepted } else { Instant::now() };
    let sleep = pin!(sleep(shared.limits.head));
    let mut timer = Timer::new(&watch, &shared.limits, sleep, begins);

    let mut is_to_close = false;
    for next in [Stage::Stopping, Stage::Closed] {
        // A task that has spent its budget must not miss the news for it.
        let mut reached = pin!(unconstrained(stages.reach(next)));
        let mut is_told = false;
        let poll = |cx: &mut Context<'_>| {
            // hyper takes a connection for idle until a head is complete, and would close it.
            if is_to_close && !watch.is_in_head() {
                is_to_close = false;
                connection.as_mut().graceful_shutdown();
            }
            watch.begin_turn();
            if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                return Poll::Ready(Some(Ended::Done(result)));
            }
            if let Poll::Ready(wait) = timer.poll(cx) {
                return Poll::Ready(Some(Ended::Late(wait)));
            }
            // Polled again only if there is news: it takes a lock, and the task is always the same.
            if !is_told || shared.stage() >= next {
                is_told = true;
                return reached.as_mut().poll(cx).map(|()| None);
            }
            Poll::Pending
        };
        match shared.turns.pace(|| watch.is_prompt(), poll).await {
            Some(Ended::Done(result)) => {
                if let Err(error) = result {
                    note(&error, &shared);
                }
                return;
            }
            Some(Ended::Late(wait)) => {
                match wait {
                    Wait::Head => tally.count(Event::HeadTimeout),
                    Wait::Body => tally.count(Event::BodyTimeout),
                    Wait::Write => tally.count(Event::WriteTimeout),
                    Wait::Idle => tally.count(Event::IdleTimeout),
                    // Its answer is out; the other two are nobody's fault.
                    Wait::Linger | Wait::Reader | Wait::Handler => {}
                }
                return;
            }
            None => {
                watch.close();
                is_to_close = next == Stage::Stopping;
            }
        }
    }
    tally.count(Event::BrokenOff);
}

enum Ended {
    Done(hyper::Result<()>),
    Late(Wait),
}

/// Of what ends a connection, the peer's breaking off is no news.
fn note(error: &hyper::Error, shared: &Shared) {
    if error.is_parse_too_large() {
        shared.tally.count(Event::LargeHead);
    } else if error.is_parse() {
        shared.tally.count(Event::BadHead);
    }
}
