//! The client that must not notice anything.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::wire::connect;

/// Where it pushes from; no attacker is there.
const SOURCE: [u8; 4] = [127, 0, 0, 2];

/// From one push to the next.
const PACE: Duration = Duration::from_millis(4);

/// Before the attacks and after them.
pub(crate) const CALM: usize = 0;
/// The storm is on another aggregator, on the cores of those who attack: what it costs the machine.
pub(crate) const BESIDE: usize = 1;
pub(crate) const STORM: usize = 2;
pub(crate) const CROWD: usize = 3;
pub(crate) const N_PHASES: usize = 4;
pub(crate) const PHASES: [&str; N_PHASES] = ["calm", "storm beside", "storm", "crowd"];

/// Times in nanoseconds, to three digits.
pub(crate) type Times = Histogram<u64>;

/// What it has done until now, shared with whoever watches.
pub(crate) struct Good {
    pub(crate) n_answered: AtomicU64,
    /// The times of each phase.
    pub(crate) times: [Mutex<Times>; N_PHASES],
    /// Which phase it is.
    pub(crate) phase: AtomicUsize,
    pub(crate) is_over: AtomicBool,
}

impl Good {
    pub(crate) fn new() -> Self {
        let times = |_| Mutex::new(Times::new(3).expect("three digits can be kept"));
        Self {
            n_answered: AtomicU64::new(0),
            times: std::array::from_fn(times),
            phase: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        }
    }

    /// Pushes on one connection until it is over. The time of a push that had to wait for the one before begins when
    /// it was due, so that none hides another. That of any other begins when it is sent: this stands for another
    /// machine, and the server is not late where this thread wakes late on the core that both have.
    ///
    /// # Panics
    /// At the first push that is not answered 204.
    pub(crate) fn run(&self, to: SocketAddr) {
        let mut stream = connect(SOURCE, to).expect("the server listens");
        stream.set_nodelay(true).expect("it is a socket");
        let mut due = Instant::now();
        for n in 0_u64.. {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let early = due.saturating_duration_since(Instant::now());
            thread::sleep(early);
            let begin = if early.is_zero() { due } else { Instant::now() };
            push(&mut stream, n);
            let time = u64::try_from(begin.elapsed().as_nanos()).expect("it is not for centuries");
            let phase = self.phase.load(Ordering::Relaxed);
            let mut times = self.times[phase].lock().expect("nobody panics with it");
            times.record(time).expect("the histogram grows");
            drop(times);
            self.n_answered.fetch_add(1, Ordering::Release);
            // From when it was sent, if this thread woke late.
            due = begin + PACE;
        }
    }
}

fn push(stream: &mut TcpStream, n: u64) {
    let body = format!(r#"{{"lm":1,"id":"good-{n:016}","m":{{"hits_total;by=good":1}}}}"#);
    let length = body.len();
    let push = format!("POST /lm HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(push.as_bytes()).expect("the server takes a good push");
    let (mut answer, mut n_bytes) = ([0; 1024], 0);
    while !answer[..n_bytes].ends_with(b"\r\n\r\n") {
        let n_more = stream.read(&mut answer[n_bytes..]).expect("a good push is answered");
        assert_ne!(n_more, 0, "a good connection stays open");
        n_bytes += n_more;
    }
    let answer = String::from_utf8_lossy(&answer[..n_bytes]);
    assert!(answer.starts_with("HTTP/1.1 204 "), "a good push was answered {answer}");
}
