//! Peers that send many requests at once, beside others and alone.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::service::service_fn;
use lastmile_hyper::{RequestBody, serve};

use crate::client::{Client, wait_until};
use crate::server::{GET, Running, patient};

type Answer = Result<Response<Full<Bytes>>, Infallible>;

/// Two peers' requests are answered in turn, whoever sent more of them before.
#[test]
fn one_request_in_a_turn() {
    const MANY: usize = 200;
    let log: Arc<Mutex<Vec<SocketAddr>>> = Arc::default();
    let of_service = log.clone();
    let make = move |peer: SocketAddr| {
        let log = of_service.clone();
        service_fn(move |_: Request<RequestBody>| {
            log.lock().expect("nobody panics with it").push(peer);
            async { Answer::Ok(Response::default()) }
        })
    };
    let running = Running::in_order(|listener, _| serve(listener, make, patient()));
    let [mut many, mut few] = [(); 2].map(|()| running.connect());
    // Both are served before the one thread is kept busy, while all of it comes in.
    let peers = [&mut many, &mut few].map(|client| {
        client.ask(GET).check(200, "");
        client.stream.local_addr().expect("it is connected")
    });
    let (busy, is_busy) = std::sync::mpsc::channel();
    let (go, goes) = std::sync::mpsc::channel::<()>();
    running.runtime.spawn(async move {
        busy.send(()).expect("it is waited for");
        goes.recv().expect("it is told to go on");
    });
    is_busy.recv().expect("the task runs");
    many.send(GET.repeat(MANY));
    few.send(GET.repeat(10));
    std::thread::sleep(Duration::from_millis(20));
    go.send(()).expect("it waits");
    (0..10).for_each(|_| few.answer(false).check(200, ""));
    (0..MANY).for_each(|_| many.answer(false).check(200, ""));

    let log = log.lock().expect("nobody panics with it");
    let last_of_few = log.iter().rposition(|peer| *peer == peers[1]).expect("it was served");
    let before = log[..last_of_few].iter().filter(|peer| **peer == peers[0]).count();
    // One each, but for what a turn's order and the first of all make of it.
    assert!(before <= 20, "{before} of the other's before the tenth of one");
    assert_eq!(log.len(), 2 + MANY + 10);
}

/// Whoever reads nothing is answered as far as the system keeps it, and no further.
#[test]
fn no_more_answers_than_are_kept() {
    const ANSWER: usize = 1_000;
    for (kept, most) in [(16 << 10, 400), (64 << 10, 1_000)] {
        let n_answered: Arc<AtomicUsize> = Arc::default();
        let of_service = n_answered.clone();
        let make = move |_| {
            let n_answered = of_service.clone();
            service_fn(move |_: Request<RequestBody>| {
                n_answered.fetch_add(1, Ordering::Relaxed);
                async { Answer::Ok(Response::new(Full::from(vec![b'x'; ANSWER]))) }
            })
        };
        let running = Running::service(make, patient().unread_bytes(kept));
        let client = Client::connect_from_small([127, 0, 0, 1], running.address);
        let mut stream = client.stream.try_clone().expect("the system has descriptors");
        stream.set_write_timeout(Some(Duration::from_millis(300))).expect("a time");
        // Until nothing more is taken, or what is far too much.
        for _ in 0..200 {
            if std::io::Write::write_all(&mut stream, GET.repeat(100).as_bytes()).is_err() {
                break;
            }
        }
        let mut n = 0;
        wait_until("no more are answered", || {
            std::thread::sleep(Duration::from_millis(200));
            let before = std::mem::replace(&mut n, n_answered.load(Ordering::Relaxed));
            n == before && n > 0
        });
        assert!(kept / ANSWER <= n && n <= most, "{n} answers of {ANSWER} for {kept} bytes");
    }
}
