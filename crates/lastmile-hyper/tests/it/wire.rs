//! Bytes in, answers out.

use std::io::Write;
use std::net::Shutdown;

use crate::server::{GET, Running, patient};

/// What a connection does after its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It takes another request.
    Open,
    /// The server closes it.
    Closed,
    /// The client closes its sending half after what it sent, and the server the rest after its answers.
    HalfClosed,
}
use Then::{Closed, HalfClosed, Open};

/// Sends all at once; each answer is a status and a body.
#[track_caller]
fn check(running: &Running, sent: impl AsRef<[u8]>, wanted: &[(u16, &str)], then: Then) {
    let sent = sent.as_ref();
    let mut client = running.connect();
    client.send(sent);
    if then == HalfClosed {
        client.stream.shutdown(Shutdown::Write).expect("it is open");
    }
    for (status, body) in wanted {
        client.answer(sent.starts_with(b"HEAD ")).check(*status, body);
    }
    match then {
        Open => client.ask(GET).check(200, "hello"),
        Closed | HalfClosed => client.ended(),
    }
}

fn post(path: &str, headers: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n{body}")
}

/// A head of exactly this many bytes.
fn head_of(n_bytes: usize) -> String {
    let frame = "GET /hello HTTP/1.1\r\nhost: x\r\na: \r\n\r\n".len();
    format!("GET /hello HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "x".repeat(n_bytes - frame))
}

fn headers(n: usize) -> String {
    let headers: String = (1..n).map(|i| format!("x-{i}: 1\r\n")).collect();
    format!("GET /hello HTTP/1.1\r\nhost: x\r\n{headers}\r\n")
}

#[test]
fn requests_are_answered() {
    let running = Running::start(patient());
    let check = |sent: &str, wanted: &[(u16, &str)], then| check(&running, sent, wanted, then);
    let hello = (200, "hello");
    check(GET, &[hello], Open);
    check(&GET.repeat(3), &[hello; 3], Open);
    check(&GET.repeat(100), &[hello; 100], Open);
    let pushes = post("/echo", "content-length: 2\r\n", "ab") + GET;
    check(&pushes.repeat(2), &[(200, "ab"), hello, (200, "ab"), hello], Open);
    check("HEAD /hello HTTP/1.1\r\nhost: x\r\n\r\n", &[(200, "")], Open);
    check("\r\n\r\nGET /hello HTTP/1.1\r\nhost: x\r\n\r\n", &[hello], Open);
    check("GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", &[hello], Closed);
    check("GET /hello HTTP/1.0\r\n\r\n", &[hello], Closed);
    check("GET /hello HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", &[hello], Open);
    check("GET /fail HTTP/1.1\r\nhost: x\r\n\r\n", &[], Closed);

    // Bodies.
    let chunked = "transfer-encoding: chunked\r\n";
    check(&post("/echo", "", ""), &[(200, "")], Open);
    check(&post("/echo", "content-length: 0\r\n", ""), &[(200, "")], Open);
    check(&post("/echo", chunked, "0\r\n\r\n"), &[(200, "")], Open);
    check(&post("/echo", chunked, "2\r\nab\r\n3;x=y\r\ncde\r\n0\r\n\r\n"), &[(200, "abcde")], Open);
    check(&post("/echo", chunked, "2\r\nab\r\n0\r\nx: y\r\n\r\n"), &[(200, "ab")], Open);
    check(&post("/echo-in-task", "content-length: 2\r\n", "ab"), &[(200, "ab")], Open);
    let large = "x".repeat(300_000);
    let length = format!("content-length: {}\r\n", large.len());
    check(&post("/echo", &length, &large), &[(200, &large)], Open);
    let expect = "expect: 100-continue\r\ncontent-length: 2\r\n";
    check(&post("/echo", expect, "ab"), &[(100, ""), (200, "ab")], Open);
    check(&post("/refuse", expect, ""), &[(413, "too large")], Closed);
    // A body that nobody wants is passed over if it is there.
    check(&post("/refuse", "content-length: 2\r\n", "ab"), &[(413, "too large")], Open);
    let counts = running.server.counts();
    assert_eq!((counts.bad_heads, counts.large_heads, counts.panics), (0, 0, 0), "{counts:?}");
}

#[test]
fn what_is_wrong_is_answered_too() {
    let running = Running::start(patient());
    let check = |sent: &str, wanted: &[(u16, &str)], then| check(&running, sent, wanted, then);
    let chunked = "transfer-encoding: chunked\r\n";
    let broken = (400, "broken");
    check(&post("/echo", chunked, "zz\r\n"), &[broken], Closed);
    check(&post("/echo", chunked, "2\r\nabc\r\n0\r\n\r\n"), &[broken], Closed);
    check(&post("/echo", chunked, "fffffffffffffffff\r\n"), &[broken], Closed);
    let trailer = format!("0\r\nx: {}\r\n\r\n", "y".repeat(17 << 10));
    check(&post("/echo", chunked, &trailer), &[broken], Closed);

    // Each of these is a bad head.
    let before = running.server.counts().bad_heads;
    let bad = [
        post("/echo", "content-length: 1\r\ncontent-length: 2\r\n", "ab"),
        post("/echo", "content-length: x\r\n", "ab"),
        post("/echo", "content-length: -1\r\n", "ab"),
        post("/echo", "content-length: 99999999999999999999\r\n", "ab"),
        post("/echo", "transfer-encoding: gzip\r\n", "ab"),
        "GET /hello HTTP/1.1\r\nno colon\r\n\r\n".to_owned(),
        "GET /hello HTTP/1.1\r\na: \0\r\n\r\n".to_owned(),
        "GET /hello HTTP/3.0\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0".to_owned(),
    ];
    for sent in &bad {
        check(sent, &[(400, "")], Closed);
    }
    // What follows a body that is longer than it says is the next head.
    check(&post("/echo", "content-length: 1\r\n", "a{}\r\n\r\n"), &[(200, "a"), (400, "")], Closed);
    check("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[], Closed);
    running.wait_for("all were bad", |counts| {
        counts.bad_heads - before == bad.len() as u64 + 2 && counts.active == 0
    });
    assert_eq!(running.server.counts().large_heads, 0);
}

#[test]
fn heads_are_bounded() {
    let running = Running::start(patient());
    let check = |sent: &str, wanted: &[(u16, &str)], then| check(&running, sent, wanted, then);
    let hello = (200, "hello");
    check(&head_of(16 << 10), &[hello], Open);
    check(&headers(100), &[hello], Open);
    let too_large = [
        head_of((16 << 10) + 1),
        // The connection ends before all of it was read, and the client can read its answer all the same.
        head_of(3 << 20),
        headers(101),
        headers(100_000),
        format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(16 << 10)),
        "x".repeat(1 << 20),
    ];
    for sent in &too_large {
        check(sent, &[(431, "")], Closed);
    }
    // A keep-alive connection is held to the same.
    check(&(GET.to_owned() + &headers(101)), &[hello, (431, "")], Closed);
    running.wait_for("all were too large", |counts| {
        counts.large_heads == too_large.len() as u64 + 1 && counts.active == 0
    });

    let fewer = Running::start(patient().head_bytes(1 << 10).headers(5));
    let check = |sent: &str, wanted: &[(u16, &str)], then| self::check(&fewer, sent, wanted, then);
    check(&head_of(1 << 10), &[hello], Open);
    check(&head_of((1 << 10) + 1), &[(431, "")], Closed);
    check(&headers(5), &[hello], Open);
    check(&headers(6), &[(431, "")], Closed);
    let more = Running::start(patient().head_bytes(1 << 20).headers(1_000));
    self::check(&more, head_of(1 << 20), &[hello], Open);
    self::check(&more, headers(1_000), &[hello], Open);
}

#[test]
fn a_half_closed_connection_is_answered() {
    let running = Running::start(patient());
    let check = |sent: &str, wanted: &[(u16, &str)]| check(&running, sent, wanted, HalfClosed);
    check("", &[]);
    check(GET, &[(200, "hello")]);
    check(&GET.repeat(2), &[(200, "hello"); 2]);
    check(&post("/echo", "content-length: 2\r\n", "ab"), &[(200, "ab")]);
    check(&post("/echo", "content-length: 3\r\n", "ab"), &[(400, "broken")]);
    check(&post("/echo", "transfer-encoding: chunked\r\n", "2\r\nab\r\n"), &[(400, "broken")]);
    check("GET /hello HTTP/1.1\r\nhos", &[]);
    running.gate.add_permits(1);
    check("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n", &[(200, "waited")]);
    running.wait_for("all end", |counts| counts.active == 0);
}

/// Answered before the body was sent: the client sends it all the same, then reads the answer.
#[test]
fn an_early_answer_can_be_read() {
    let running = Running::start(patient());
    for (headers, body) in [
        ("content-length: 3000000\r\n", "x".repeat(3_000_000)),
        ("transfer-encoding: chunked\r\n", format!("2dc6c0\r\n{}\r\n", "x".repeat(3_000_000))),
    ] {
        check(&running, post("/refuse", headers, &body), &[(413, "too large")], Closed);
    }
    // One that does not stop is left, after two seconds or four mebibytes; what lies in buffers, which is
    // about as much, it has sent too.
    let mut client = running.connect();
    client.send(post("/refuse", "transfer-encoding: chunked\r\n", "ffffffff\r\n"));
    client.answer(false).check(413, "too large");
    let n_sent = (0..).take_while(|_| client.stream.write_all(&[b'x'; 1 << 16]).is_ok()).count();
    assert!(n_sent << 16 < 32 << 20, "{n_sent} times 64 KiB");
    running.wait_for("it is left", |counts| counts.active == 0);
}
