//! SIGTERM and SIGINT.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use rustix::process::Signal;

use crate::process::{ANY_PORT, Aggregator, PATIENCE, command, connect, folder, send};

fn start(name: &str) -> Aggregator {
    Aggregator::start(command(&folder(name, &[]), &ANY_PORT, &[]))
}

#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

fn is_refused(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

#[test]
fn a_signal_ends_it_well() {
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")] {
        let aggregator = start(&format!("stops-{name}"));
        // Connections that do nothing delay nothing.
        let silent = connect(aggregator.public);
        let mut idle = connect(aggregator.private);
        idle.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it is taken");
        let mut answer = [0; 15];
        idle.read_exact(&mut answer).expect("it answers");
        assert_eq!(&answer, b"HTTP/1.1 200 OK");

        let begin = Instant::now();
        aggregator.signal(signal);
        let (code, _, logged) = aggregator.end();
        assert_eq!(code, Some(0), "{logged}");
        assert!(begin.elapsed().as_secs() < 5, "{logged}");
        assert!(logged.contains(&format!("stopping signal=\"{name}\"")), "{logged}");
        assert!(logged.trim_end().ends_with("stopped"), "{logged}");
        drop((silent, idle));
    }
}

#[test]
fn requests_in_flight_are_finished() {
    let aggregator = start("stops-in-flight");
    let mut stream = connect(aggregator.public);
    stream
        .write_all(b"POST /record HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n[")
        .expect("it is taken");
    assert!(send(aggregator.private, "GET /readyz HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 200 "));
    // The connection is accepted once a later one on the same listener has been answered.
    assert!(send(aggregator.public, "GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 404 "));

    aggregator.signal(Signal::TERM);
    wait_until("the public listener closes", || is_refused(aggregator.public));
    let ready = send(aggregator.private, "GET /readyz HTTP/1.0\r\n\r\n");
    assert!(ready.starts_with("HTTP/1.0 503 "), "{ready}");
    let healthy = send(aggregator.private, "GET /healthz HTTP/1.0\r\n\r\n");
    assert!(healthy.starts_with("HTTP/1.0 200 "), "{healthy}");

    stream.write_all(b"]").expect("the connection is open");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers and closes");
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    let (code, _, logged) = aggregator.end();
    assert_eq!(code, Some(0), "{logged}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let aggregator = start("stops-twice");
    let mut stream = connect(aggregator.public);
    stream
        .write_all(b"POST /record HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n[")
        .expect("it is taken");
    assert!(send(aggregator.public, "GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 404 "));
    aggregator.signal(Signal::TERM);
    wait_until("the public listener closes", || is_refused(aggregator.public));
    aggregator.signal(Signal::INT);
    let (code, _, logged) = aggregator.end();
    assert_eq!(code, Some(0), "{logged}");
    assert!(logged.contains("stopped at once signal=\"SIGINT\""), "{logged}");
}
