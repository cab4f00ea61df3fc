//! How many may be connected.

use std::io::Write;
use std::time::Duration;

use crate::client::Client;
use crate::server::{GET, Running, patient};

/// From this address, a connection that is served.
#[track_caller]
fn served(running: &Running, source: [u8; 4]) -> Client {
    let mut client = Client::connect_from(source, running.address);
    client.ask(GET).check(200, "hello");
    client
}

#[test]
fn a_prefix_has_its_share() {
    let running = Running::start(patient().connections_per_prefix(2));
    let (one, other) = ([127, 0, 0, 2], [127, 0, 0, 3]);
    let first = served(&running, one);
    let second = served(&running, one);
    for n in 1..=3 {
        Client::connect_from(one, running.address).ended();
        running.wait_for("it is counted", |counts| counts.refused_by_prefix == n);
    }
    let third = served(&running, other);
    drop(first);
    running.wait_for("one left", |counts| counts.active == 2);
    let fourth = served(&running, one);
    let counts = running.server.counts();
    assert_eq!((counts.accepted, counts.active, counts.refused_by_prefix), (4, 3, 3));
    drop((second, third, fourth));
    running.wait_for("all left", |counts| counts.active == 0);
}

#[test]
fn a_full_listener_makes_the_next_wait() {
    let running = Running::start(patient().connections(2));
    let first = served(&running, [127, 0, 0, 2]);
    let second = served(&running, [127, 0, 0, 3]);
    running.wait_for("it stopped accepting", |counts| counts.paused == 1);
    let mut waiting = Client::connect(running.address);
    waiting.send(GET);
    let mut waiting_too = Client::connect(running.address);
    waiting_too.send(GET);
    // As long as nobody leaves, nobody comes.
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(running.server.counts().accepted, 2);
    drop(first);
    waiting.answer(false).check(200, "hello");
    drop(second);
    waiting_too.answer(false).check(200, "hello");
    let counts = running.server.counts();
    assert_eq!((counts.accepted, counts.refused_by_prefix), (4, 0));
    // A prefix that is refused does not take a place from anyone.
    let running = Running::start(patient().connections(2).connections_per_prefix(1));
    let first = served(&running, [127, 0, 0, 2]);
    for n in 1..=5 {
        Client::connect_from([127, 0, 0, 2], running.address).ended();
        running.wait_for("it is counted", |counts| counts.refused_by_prefix == n);
    }
    drop((first, served(&running, [127, 0, 0, 3])));
}

/// A thousand heads that never end, from ten addresses, hold up nobody and end by themselves.
#[test]
fn a_thousand_slow_heads() {
    let short = Duration::from_millis(300);
    let running = Running::start(patient().head(short));
    let mut slow = Vec::new();
    for n in 0..1_000_u32 {
        let source = [127, 0, 1, u8::try_from(n % 10).expect("it is small")];
        let mut client = Client::connect_from(source, running.address);
        // Some of the first may be closed by now.
        drop(client.stream.write_all(b"GET /hello HTTP/1.1\r\nx: "));
        slow.push(client);
        if n % 100 == 0 {
            running.check(GET, 200, "hello");
        }
    }
    running.check(GET, 200, "hello");
    running
        .wait_for("all are closed", |counts| counts.head_timeouts == 1_000 && counts.active == 0);
    for mut client in slow {
        client.ended();
    }
    assert_eq!(running.server.counts().accepted, 1_000 + 11);
}
