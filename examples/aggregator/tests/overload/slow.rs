//! Sockets that are slow, all driven by one thread.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::shots::Hits;
use crate::wire::{connect, statuses};

/// From one look at all sockets to the next.
const PACE: Duration = Duration::from_millis(250);

/// What a socket is slow at: what it sends first, and what at each look from then on.
struct Slow {
    name: &'static str,
    first: &'static str,
    /// Bytes of blanks behind it.
    n_blanks: usize,
    then: &'static str,
    /// Whether it reads what is answered.
    reads: bool,
    is_private: bool,
}

const KINDS: [Slow; 6] = [
    Slow { name: "a head, byte by byte", first: "POST /lm HTTP/1.1\r\nhost: ", then: "x", ..NONE },
    Slow { name: "a head without end", first: "GET / HTTP/1.1\r\n", then: "x: y\r\n", ..NONE },
    Slow {
        name: "a body that lacks its last byte",
        first: "POST /lm HTTP/1.1\r\nhost: x\r\ncontent-length: 65536\r\n\r\n",
        n_blanks: (64 << 10) - 1,
        ..NONE
    },
    Slow {
        name: "chunks of a byte",
        first: "POST /record HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n",
        then: "1\r\n \r\n",
        ..NONE
    },
    Slow {
        name: "requests whose answers are not read",
        first: ASK,
        then: ASK,
        reads: false,
        ..NONE
    },
    Slow {
        name: "scrapes that are not read",
        first: SCRAPE,
        then: SCRAPE,
        reads: false,
        is_private: true,
        ..NONE
    },
];

const NONE: Slow =
    Slow { name: "", first: "", n_blanks: 0, then: "", reads: true, is_private: false };

/// Answered by a problem in JSON; a few thousand fill every buffer on the way.
const ASK: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const SCRAPE: &str = "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";

struct Socket {
    stream: TcpStream,
    /// What is to be sent, and how much of it was.
    out: Vec<u8>,
    n_sent: usize,
}

impl Socket {
    fn open(kind: &Slow, source: [u8; 4], to: SocketAddr) -> Self {
        let stream = connect(source, to).expect("there are places");
        stream.set_nonblocking(true).expect("it is a socket");
        let mut out = kind.first.as_bytes().to_vec();
        out.resize(out.len() + kind.n_blanks, b' ');
        Self { stream, out, n_sent: 0 }
    }

    /// Sends and reads what goes now; `false` when the connection is over.
    fn go(&mut self, kind: &Slow, hits: &Hits) -> bool {
        loop {
            if self.n_sent == self.out.len() {
                self.n_sent = 0;
                self.out.clear();
                // Who does not read sends as much as is taken.
                let n = if kind.reads { 1 } else { 100 };
                self.out.extend(kind.then.repeat(n).bytes());
                if kind.reads {
                    break;
                }
            }
            match self.stream.write(&self.out[self.n_sent..]) {
                Ok(n) => self.n_sent += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
        }
        if !kind.reads {
            return true;
        }
        let mut answer = [0; 4096];
        match self.stream.read(&mut answer) {
            Ok(0) => false,
            Ok(n) => {
                let statuses = statuses(&answer[..n]).unwrap_or_default();
                for status in statuses {
                    assert_ne!(status / 100, 2, "{}: nothing was whole", kind.name);
                    hits.answer(kind.name, status);
                }
                false
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }
}

/// Keeps `n` slow sockets at work, as many of each kind, each kind from an address of its own; of those on
/// the private side a quarter, as they are few there. Gives how many connections it took.
pub(crate) fn run(n: usize, sides: [SocketAddr; 2], hits: &Hits, is_over: &AtomicBool) -> u64 {
    let of = |i: usize| {
        let kind = &KINDS[i % KINDS.len()];
        let last = 10 + (i % KINDS.len()) as u8;
        (kind, [127, 0, 0, last], sides[usize::from(kind.is_private)])
    };
    let is_there = |i: &usize| !of(*i).0.is_private || i % (4 * KINDS.len()) < KINDS.len();
    let mut sockets = Vec::new();
    let mut n_opened = 0;
    for i in (0..).filter(is_there).take(n) {
        let (kind, source, to) = of(i);
        sockets.push((kind, source, to, Socket::open(kind, source, to)));
        n_opened += 1;
    }
    while !is_over.load(Ordering::Relaxed) {
        let next = Instant::now() + PACE;
        for (kind, source, to, socket) in &mut sockets {
            if !socket.go(kind, hits) {
                *socket = Socket::open(kind, *source, *to);
                n_opened += 1;
            }
        }
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    n_opened
}
