//! The listener's end, and what does not end it.

use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body_util::Empty;
use hyper::service::service_fn;
use lastmile_hyper::{RequestBody, serve};

use crate::client::{Client, PATIENCE, wait_until};
use crate::server::{GET, Running, patient};

const WAIT: &str = "GET /wait HTTP/1.1\r\nhost: x\r\n\r\n";

/// Stops with a client that was served once and then sent `sent`. `then` is run once the listener is
/// closed. Says how many were broken off.
#[track_caller]
fn stop(sent: &str, grace: Duration, then: impl FnOnce(&Running, &mut Client)) -> usize {
    let running = Running::in_order(|listener, handlers| serve(listener, handlers, patient()));
    let mut silent = running.connect();
    let mut client = running.connect();
    client.ask(GET).check(200, "hello");
    client.send(sent);
    running.check(GET, 200, "hello");

    let server = running.server.clone();
    let (tell, stopped) = mpsc::channel();
    let task = running.runtime.spawn(async move { tell.send(server.stop(grace).await) });
    wait_until("the listener closes", || TcpStream::connect(running.address).is_err());
    silent.ended();
    then(&running, &mut client);
    client.ended();
    let broken_off = stopped.recv_timeout(PATIENCE).expect("it stops");
    running.runtime.block_on(task).expect("it does not panic").expect("we listen");
    running.wait_for("all left", |counts| counts.active == 0);
    assert_eq!(running.server.counts().broken_off, broken_off as u64);
    broken_off
}

#[test]
fn requests_in_flight_are_answered() {
    let nothing = |_: &Running, _: &mut Client| {};
    assert_eq!(stop("", PATIENCE, nothing), 0);
    let open = |running: &Running, client: &mut Client| {
        running.gate.add_permits(1);
        let answer = client.answer(false);
        answer.check(200, "waited");
        assert!(answer.closes(), "{answer:?}");
    };
    assert_eq!(stop(WAIT, PATIENCE, open), 0);
    // Of two, the second is never begun.
    assert_eq!(stop(&WAIT.repeat(2), PATIENCE, open), 0);
    let finish = |rest: &'static str, body: &'static str| {
        move |_: &Running, client: &mut Client| {
            let answer = client.ask(rest);
            answer.check(200, body);
            assert!(answer.closes(), "{answer:?}");
        }
    };
    let post = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\na";
    assert_eq!(stop(post, PATIENCE, finish("b", "ab")), 0);
    assert_eq!(stop("GET /hello HTTP/1.1\r\n", PATIENCE, finish("host: x\r\n\r\n", "hello")), 0);
    assert_eq!(
        stop("POST /echo HTTP/1.1\r\ncontent-length: 1\r\n", PATIENCE, finish("\r\na", "a")),
        0
    );
}

#[test]
fn grace_has_an_end() {
    let begin = Instant::now();
    let grace = Duration::from_millis(150);
    for sent in [WAIT, "GET /hello HTTP/1.1\r\n", "GET /endless HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let then = |running: &Running, client: &mut Client| {
            if sent.contains("endless") {
                running.wait_for("it is broken off", |counts| counts.broken_off == 1);
                // What was sent before is still there.
                drop(client.rest());
            }
        };
        assert_eq!(stop(sent, grace, then), 1, "{sent}");
    }
    assert!(begin.elapsed() >= 3 * grace);
}

#[test]
fn it_stops_again_and_sooner() {
    let running = Running::in_order(|listener, handlers| serve(listener, handlers, patient()));
    let mut client = running.connect();
    client.send(WAIT);
    running.check(GET, 200, "hello");
    let server = running.server.clone();
    let slow = running.runtime.spawn(async move { server.stop(PATIENCE * 10).await });
    wait_until("the listener closes", || TcpStream::connect(running.address).is_err());
    assert_eq!(running.runtime.block_on(running.server.stop(Duration::ZERO)), 1);
    client.ended();
    assert_eq!(running.runtime.block_on(slow).expect("it does not panic"), 0);
    assert_eq!(running.runtime.block_on(running.server.stop(PATIENCE)), 0);
}

#[test]
fn a_panic_takes_its_connection_alone() {
    let running = Running::start(patient());
    let mut waiting = running.connect();
    waiting.send(WAIT);
    for n in 1..=3 {
        let mut client = running.connect();
        client.ask(GET).check(200, "hello");
        client.send("GET /panic HTTP/1.1\r\nhost: x\r\n\r\n");
        client.ended();
        running.wait_for("it is counted", |counts| counts.panics == n && counts.active == 1);
    }
    running.gate.add_permits(1);
    waiting.answer(false).check(200, "waited");

    // A panic before there is a service.
    let make = |peer: SocketAddr| {
        assert!(peer.ip().to_string() != "127.0.0.9", "as it was asked to");
        service_fn(async |_: Request<RequestBody>| {
            Ok::<_, std::convert::Infallible>(Response::new(Empty::<bytes::Bytes>::new()))
        })
    };
    let running = Running::service(make, patient());
    Client::connect_from([127, 0, 0, 9], running.address).ended();
    running.check(GET, 200, "");
    running.wait_for("it is counted", |counts| counts.panics == 1);
}
