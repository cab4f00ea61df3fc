//! What takes too long ends, what does not is left alone. All times are lower bounds: a slow machine
//! makes a test take longer, and never fail.

use std::io::{Read, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use lastmile_hyper::{ServeCounts, ServeLimits};

use crate::client::is_end;
use crate::server::{GET, Running, patient};

/// The limit that a test is about; all others are patient.
const SHORT: Duration = Duration::from_millis(150);

/// After `asked` was sent and answered and `sent` was sent, followed by one byte of `drip` at a time, the
/// server ends the connection, not before `SHORT` was over, and counts that as `wanted` says.
#[track_caller]
fn check(limits: ServeLimits, asked: &[&str], sent: &str, drip: &str, wanted: ServeCounts) {
    let running = Running::start(limits);
    let begin = Instant::now();
    let mut client = running.connect();
    for request in asked {
        client.ask(request).check(200, "hello");
    }
    client.send(sent);
    for byte in drip.bytes().cycle().take(if drip.is_empty() { 0 } else { 100_000 }) {
        // The server has closed it, or it is going to.
        if client.stream.write_all(&[byte]).is_err() || running.server.counts().active == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    client.ended();
    assert!(begin.elapsed() >= SHORT, "{:?}", begin.elapsed());
    running.wait_for("it is counted", |counts| counts.active == 0);
    assert_eq!(running.server.counts(), wanted);
    running.check(GET, 200, "hello");
}

fn counts(set: impl FnOnce(&mut ServeCounts)) -> ServeCounts {
    let mut counts = ServeCounts::default();
    counts.accepted = 1;
    set(&mut counts);
    counts
}

#[test]
fn a_head_takes_too_long() {
    let check = |asked: &[&str], sent: &str, drip: &str| {
        check(patient().head(SHORT), asked, sent, drip, counts(|counts| counts.head_timeouts = 1));
    };
    check(&[], "", "");
    check(&[], "G", "");
    check(&[], "GET /hello HTTP/1.1\r\n", "x");
    check(&[], "", "\r\n");
    check(&[GET], "GET /hello HTTP/1.1\r\n", "");
    check(&[GET, GET], "GET /hello HTTP/1.1\r\n", "x");
}

#[test]
fn a_body_takes_too_long() {
    let check = |asked: &[&str], sent: &str, drip: &str| {
        check(patient().body(SHORT), asked, sent, drip, counts(|counts| counts.body_timeouts = 1));
    };
    let long = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";
    let in_task = "POST /echo-in-task HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";
    let chunked = "POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    let expect = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n";
    check(&[], long, "");
    check(&[], long, "x");
    check(&[GET, GET], &(long.to_owned() + "x"), "");
    check(&[], in_task, "");
    check(&[GET], in_task, "x");
    check(&[], &(chunked.to_owned() + "2\r\nab\r\n"), "");
    check(&[], chunked, "1\r\nx\r\n");
    check(&[], expect, "");
}

#[test]
fn silence_between_requests_takes_too_long() {
    let idle = counts(|counts| counts.idle_timeouts = 1);
    check(patient().idle(SHORT), &[GET], "", "", idle);
    check(patient().idle(SHORT), &[GET; 50], "", "", idle);
    // A short wait behind a long one, and the other way round.
    let head = counts(|counts| counts.head_timeouts = 1);
    check(patient().idle(4 * SHORT).head(SHORT), &[GET], "G", "", head);
    check(patient().idle(SHORT).head(4 * SHORT), &[GET], "G", "", head);
}

#[test]
fn a_reader_that_stands_still_is_left() {
    let running = Running::start(patient().write(SHORT));
    let mut client = running.connect();
    let begin = Instant::now();
    client.send("GET /endless HTTP/1.1\r\nhost: x\r\n\r\n");
    running.wait_for("it is left", |counts| counts.write_timeouts == 1 && counts.active == 0);
    assert!(begin.elapsed() >= SHORT);
    // The place comes back a moment before.
    running
        .wait_for("its answer is gone with it", |_| running.n_dropped.load(Ordering::Relaxed) == 1);
    let (text, end) = client.rest();
    assert!(text.starts_with(b"HTTP/1.1 200 OK\r\n") && is_end(&end), "{end:?}");
    assert_eq!(running.server.counts(), counts(|counts| counts.write_timeouts = 1));
}

/// Handlers have all the time they take, with a body or without, and so have answers that stream.
#[test]
fn nobody_waits_for_the_client() {
    let limits = patient().head(SHORT).body(SHORT).idle(SHORT).write(SHORT);
    let running = Running::start(limits);
    let lasting = 4 * SHORT;
    for (request, body) in [
        ("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n", "waited"),
        ("POST /wait HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab", "waited"),
        ("GET /drip HTTP/1.1\r\nhost: x\r\n\r\n", "first second"),
    ] {
        let mut client = running.connect();
        client.send(request);
        std::thread::sleep(lasting);
        running.gate.add_permits(1);
        client.answer(false).check(200, body);
    }
    let counts = running.server.counts();
    assert_eq!((counts.body_timeouts, counts.write_timeouts), (0, 0), "{counts:?}");
}

/// What was upgraded has no more limits, but keeps its place.
#[test]
fn an_upgraded_connection_is_the_handlers() {
    let limits = patient().head(SHORT).body(SHORT).idle(SHORT).write(SHORT);
    let running = Running::start(limits.connections_per_prefix(1));
    let mut client = running.connect();
    client.send("GET /upgrade HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
    client.answer(false).check(101, "");
    std::thread::sleep(4 * SHORT);
    client.send("hello");
    let mut echo = [0; 5];
    client.stream.read_exact(&mut echo).expect("it comes back");
    assert_eq!(&echo, b"hello");
    running.connect().ended();
    drop(client);
    running.wait_for("its place is free", |counts| counts.active == 0);
    assert_eq!(running.server.counts(), counts(|counts| counts.refused_by_prefix = 1));
}
