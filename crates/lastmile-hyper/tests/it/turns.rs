//! Peers that send many requests at once, beside others and alone.

use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use lastmile_hyper::{RequestBody, serve};

use crate::client::{Client, wait_until};
use crate::server::{GET, Running, patient};

type Answer = Result<Response<Full<Bytes>>, Infallible>;

/// Keeps the server's one thread busy while all that is sent comes in.
fn while_busy(running: &Running, send: impl FnOnce()) {
    let (busy, is_busy) = std::sync::mpsc::channel();
    let (go, goes) = std::sync::mpsc::channel::<()>();
    running.runtime.spawn(async move {
        busy.send(()).expect("it is waited for");
        goes.recv().expect("it is told to go on");
    });
    is_busy.recv().expect("the task runs");
    send();
    std::thread::sleep(Duration::from_millis(20));
    go.send(()).expect("it waits");
}

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
    // Both are served before.
    let peers = [&mut many, &mut few].map(|client| {
        client.ask(GET).check(200, "");
        client.stream.local_addr().expect("it is connected")
    });
    while_busy(&running, || {
        many.send(GET.repeat(MANY));
        few.send(GET.repeat(10));
    });
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

/// A connection of before, and `n` new ones that say the same after it has: how many of the new ones are served
/// before it.
fn n_served_before(known: &[&str], last: &str, n: usize) -> usize {
    let log: Arc<Mutex<Vec<SocketAddr>>> = Arc::default();
    let of_service = log.clone();
    let make = move |peer: SocketAddr| {
        let log = of_service.clone();
        service_fn(move |request: Request<RequestBody>| {
            let log = log.clone();
            async move {
                drop(request.into_body().collect().await);
                log.lock().expect("nobody panics with it").push(peer);
                Answer::Ok(Response::default())
            }
        })
    };
    let running = Running::in_order(|listener, _| serve(listener, make, patient()));
    let mut client = running.connect();
    for request in known {
        client.ask(request).check(200, "");
    }
    let mut others: Vec<_> = (0..n).map(|_| running.connect()).collect();
    running.wait_for("all are there", |counts| counts.active == 1 + n as u64);
    // Who wakes last is the one whom a thread of tokio polls next, out of order.
    let (very_last, others) = others.split_last_mut().expect("there are others");
    while_busy(&running, || {
        others.iter_mut().for_each(|other| other.send(GET));
        client.send(last);
        very_last.send(GET);
    });
    client.answer(false).check(200, "");
    let me = client.stream.local_addr().expect("it is connected");
    let log = log.lock().expect("nobody panics with it");
    // Others may have been served since.
    let last = log.iter().rposition(|peer| *peer == me).expect("it was served");
    log[..last].iter().filter(|peer| **peer != me).count()
}

/// Who was answered before, and asks for little, goes before all who are new.
#[test]
fn who_is_known_goes_first() {
    const N: usize = 100;
    let post = |n: usize| {
        format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {n}\r\n\r\n{}", "x".repeat(n))
    };
    let (small, large) = (post(2_000), post(40_000));
    let check = |known: &[&str], last: &str, is_first: bool| {
        let n = n_served_before(known, last, N);
        let is_right = if is_first { n <= 2 } else { n >= N / 2 };
        assert!(is_right, "{n} before, {} known", known.len());
    };
    check(&[], GET, false);
    check(&[GET], GET, true);
    check(&[GET, &small, &small], &small, true);
    // A long request makes nobody known, neither while it comes nor behind it, until a short one has.
    check(&[&large], GET, false);
    check(&[GET], &large, false);
    check(&[&large, GET], GET, true);
}

/// Turns end with HTTP: what was upgraded reads on, however much comes.
#[test]
fn an_upgraded_connection_reads_on() {
    let running = Running::start(patient());
    let mut client = running.connect();
    client.send("GET /upgrade HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
    client.answer(false).check(101, "");
    let mut stream = client.stream.try_clone().expect("the system has descriptors");
    let sent: Vec<u8> = (0..300_000_u32).map(|i| (i / 7) as u8).collect();
    let of_thread = sent.clone();
    let sending = std::thread::spawn(move || stream.write_all(&of_thread));
    let mut back = vec![0; sent.len()];
    client.stream.read_exact(&mut back).expect("it comes back");
    sending.join().expect("no panic").expect("it is taken");
    assert!(back == sent);
}
