use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::Result;
use crate::scenario::Scenario;

/// The most bytes of one answer.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Sends pushes in a closed loop: each connection sends the next when the last was answered.
///
/// One thread and one `write` and one `read` a push, so that the generator is quicker than the
/// quickest server and the server never idles: an idle server pays for waking up, and would pay
/// more the quicker it is. Nor does the generator sleep, which has a core of its own: who sends to a
/// thread that sleeps pays for waking it, and would pay more the slower it is.
#[derive(Debug)]
pub(crate) struct Load {
    poll: Poll,
    connections: Vec<Connection>,
    n_ids: u64,
    /// Where ids stand in the request.
    ids: Vec<Range<usize>>,
}

/// What one [`Load::run`] saw.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// From the first byte sent to the last byte received, in nanoseconds.
    pub(crate) latency_nanos: Histogram<u64>,
    pub(crate) seconds: f64,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    n_written: usize,
    answer: Box<[u8]>,
    n_read: usize,
    sent_at: Instant,
}

impl Load {
    /// Pushes that have the scenario's body `n_bodies` times, a line each, with ids that come after the
    /// first `n_ids`.
    pub(crate) fn new(
        addr: SocketAddr,
        path: &str,
        scenario: &Scenario,
        n_bodies: usize,
        n_ids: u64,
        n_connections: usize,
    ) -> Result<Self> {
        let body = vec![&scenario.body[..]; n_bodies].join(&b'\n');
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nhost: {addr}\r\norigin: https://app.example\r\n\
             content-type: {}\r\ncontent-length: {}\r\n\r\n",
            scenario.content_type,
            body.len()
        )
        .into_bytes();
        let body_at = request.len();
        let ids = scenario.id.iter().flat_map(|id| {
            let starts = (0..n_bodies).map(|i| body_at + i * (scenario.body.len() + 1));
            starts.map(|start| start + id.start..start + id.end)
        });
        let ids = ids.collect();
        request.extend_from_slice(&body);

        let poll = Poll::new()?;
        let mut connections = Vec::new();
        for idx in 0..n_connections {
            let stream = std::net::TcpStream::connect(addr)?;
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(
                &mut stream,
                Token(idx),
                Interest::READABLE | Interest::WRITABLE,
            )?;
            connections.push(Connection {
                stream,
                request: request.clone(),
                n_written: 0,
                answer: vec![0; ANSWER_BYTES_MAX].into(),
                n_read: 0,
                sent_at: Instant::now(),
            });
        }
        Ok(Self { poll, connections, n_ids, ids })
    }

    /// Sends `n_pushes` and waits for every answer, each of which must be a success.
    pub(crate) fn run(&mut self, n_pushes: u64) -> Result<Outcome> {
        let mut latency_nanos = Histogram::new_with_bounds(1, 60_000_000_000, 3)?;
        let (mut n_sent, mut n_answered) = (0, 0);
        let start = Instant::now();
        for connection in &mut self.connections {
            if n_sent < n_pushes {
                n_sent += 1;
                next_ids(&mut self.n_ids, &self.ids, &mut connection.request);
                connection.send()?;
            } else {
                connection.n_written = connection.request.len();
            }
        }
        let mut events = Events::with_capacity(self.connections.len());
        while n_answered < n_pushes {
            match self.poll.poll(&mut events, Some(Duration::ZERO)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            for event in &events {
                let connection = &mut self.connections[event.token().0];
                if connection.n_written < connection.request.len() {
                    connection.write()?;
                }
                if !event.is_readable() || !connection.read()? {
                    continue;
                }
                n_answered += 1;
                let nanos = connection.sent_at.elapsed().as_nanos();
                latency_nanos.record(u64::try_from(nanos)?)?;
                if n_sent < n_pushes {
                    n_sent += 1;
                    next_ids(&mut self.n_ids, &self.ids, &mut connection.request);
                    connection.send()?;
                }
            }
        }
        Ok(Outcome { latency_nanos, seconds: start.elapsed().as_secs_f64() })
    }
}

/// Writes ids that were not there before: the count, scattered one to one over all 64 bits
/// (the finalizer of splitmix64), in hexadecimal.
fn next_ids(n_ids: &mut u64, ids: &[Range<usize>], request: &mut [u8]) {
    for id in ids {
        *n_ids += 1;
        let mut mixed = n_ids.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        for (digit_idx, digit) in request[id.clone()].iter_mut().rev().enumerate() {
            // A longer id has leading zeroes.
            let nibble = if digit_idx < 16 { mixed >> (4 * digit_idx) & 0xf } else { 0 };
            *digit = b"0123456789abcdef"[nibble as usize];
        }
    }
}

impl Connection {
    fn send(&mut self) -> io::Result<()> {
        (self.n_written, self.n_read) = (0, 0);
        self.sent_at = Instant::now();
        self.write()
    }

    /// Writes what the socket takes.
    fn write(&mut self) -> io::Result<()> {
        while self.n_written < self.request.len() {
            match self.stream.write(&self.request[self.n_written..]) {
                Ok(n_bytes) => self.n_written += n_bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what is there. Answers whether the answer is whole.
    fn read(&mut self) -> Result<bool> {
        loop {
            match self.stream.read(&mut self.answer[self.n_read..]) {
                Ok(0) => {
                    return Err("the server closed a connection, or its answer is too long".into());
                }
                Ok(n_bytes) => self.n_read += n_bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            }
            if let Some(n_bytes) = answer_bytes(&self.answer[..self.n_read])? {
                if n_bytes != self.n_read {
                    return Err("the server answered more than was asked".into());
                }
                return Ok(true);
            }
        }
    }
}

/// The length of the answer if it is whole; an error unless it is a success.
fn answer_bytes(answer: &[u8]) -> Result<Option<usize>> {
    let Some(head_bytes) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&answer[..head_bytes])?;
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/1.1 2") {
        return Err(format!("the server answered `{status}`").into());
    }
    let mut body_bytes = 0;
    for line in lines {
        let (name, value) = line.split_once(':').ok_or("a header has a colon")?;
        if name.eq_ignore_ascii_case("content-length") {
            body_bytes = value.trim().parse()?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err("the server answered in chunks, which this generator does not read".into());
        }
    }
    let n_bytes = head_bytes + 4 + body_bytes;
    Ok((answer.len() >= n_bytes).then_some(n_bytes))
}
