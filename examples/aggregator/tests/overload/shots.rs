//! Requests that are wrong in one way each, or right in an unusual one: what is sent on one connection, and
//! what may be answered.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::wire::{connect, hit, statuses};

/// Labels of one push: as many as fit into what a body may be inflated to.
pub(crate) const N_LABELS: u32 = 20_000;

/// One connection's worth.
pub(crate) struct Shot {
    name: &'static str,
    bytes: Vec<u8>,
    /// Whether the sending half is closed behind it.
    is_half_closed: bool,
    /// What each answer may be. Where 204 is among them, it means a hit by `shots`; elsewhere there are
    /// only hits by `nobody`.
    wanted: &'static [u16],
    /// How many answers come, if that is certain.
    n_answers: Option<usize>,
    /// Whether 204 means `N_LABELS` of `p` instead.
    is_of_labels: bool,
}

/// What came of them.
#[derive(Default)]
pub(crate) struct Hits {
    pub(crate) n_connections: AtomicU64,
    pub(crate) n_hits: AtomicU64,
    pub(crate) n_labels: AtomicU64,
    /// Pushes that left without waiting for their answers.
    pub(crate) n_churned: AtomicU64,
    pub(crate) answers: Mutex<BTreeMap<u16, u64>>,
}

/// In one line, which [`Hits::read`] reads.
impl fmt::Display for Hits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [&self.n_connections, &self.n_hits, &self.n_labels, &self.n_churned];
        counts.iter().try_for_each(|n| write!(f, "{} ", n.load(Ordering::Relaxed)))?;
        let answers = self.answers.lock().expect("nobody panics with it");
        answers.iter().try_for_each(|(status, n)| write!(f, "{status} {n} "))
    }
}

impl Hits {
    /// What another process has printed.
    pub(crate) fn read(line: &str) -> Self {
        let mut numbers = line.split_whitespace().map(|n| n.parse::<u64>().expect("a number"));
        let [n_connections, n_hits, n_labels, n_churned] =
            [(); 4].map(|()| numbers.next().expect("four counts").into());
        let mut answers = BTreeMap::new();
        while let (Some(status), Some(n)) = (numbers.next(), numbers.next()) {
            answers.insert(status as u16, n);
        }
        Self { n_connections, n_hits, n_labels, n_churned, answers: answers.into() }
    }

    /// Counts one answer to anyone.
    ///
    /// # Panics
    /// If it is an error of the server's that is not 503.
    pub(crate) fn answer(&self, name: &str, status: u16) {
        assert!(status < 500 || status == 503, "{name}: {status}");
        *self.answers.lock().expect("nobody panics with it").entry(status).or_default() += 1;
    }

    /// Sends one shot and reads all that comes back.
    pub(crate) fn shoot(&self, shot: &Shot, source: [u8; 4], to: SocketAddr) {
        let mut stream = connect(source, to).expect("there are places");
        self.n_connections.fetch_add(1, Ordering::Relaxed);
        // A server that has answered may close before it has read all.
        drop(stream.write_all(&shot.bytes));
        if shot.is_half_closed {
            drop(stream.shutdown(Shutdown::Write));
        }
        let mut answers = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answers) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{}: {error}", shot.name);
        }
        let statuses = statuses(&answers).unwrap_or_else(|why| panic!("{}: {why}", shot.name));
        for status in &statuses {
            self.answer(shot.name, *status);
            let is_wanted = shot.wanted.contains(status) || *status == 503;
            assert!(is_wanted, "{}: {}", shot.name, String::from_utf8_lossy(&answers));
            if *status == 204 {
                let (cell, n) =
                    if shot.is_of_labels { (&self.n_labels, N_LABELS) } else { (&self.n_hits, 1) };
                cell.fetch_add(n.into(), Ordering::Relaxed);
            }
        }
        if let Some(n) = shot.n_answers {
            assert_eq!(statuses.len(), n, "{}: {statuses:?}", shot.name);
        }
    }
}

fn shot(name: &'static str, bytes: impl Into<Vec<u8>>, wanted: &'static [u16]) -> Shot {
    let bytes = bytes.into();
    Shot { name, bytes, is_half_closed: false, wanted, n_answers: None, is_of_labels: false }
}

/// Exactly so many answers.
fn answered(n: usize, shot: Shot) -> Shot {
    Shot { n_answers: Some(n), ..shot }
}

fn half_closed(shot: Shot) -> Shot {
    Shot { is_half_closed: true, ..shot }
}

/// A request with these headers and this body.
fn post(path: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body.as_ref()].concat()
}

fn encoded(path: &str, coding: &str, body: &[u8]) -> Vec<u8> {
    let headers = format!("content-encoding: {coding}\r\ncontent-length: {}\r\n", body.len());
    post(path, &headers, body)
}

fn chunked(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let chunks = body
        .chunks(1 << 16)
        .flat_map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    let chunks: Vec<u8> = chunks.chain(*b"0\r\n\r\n").collect();
    post(path, &format!("{headers}transfer-encoding: chunked\r\n"), chunks)
}

/// The bodies of 4 MiB, which are sent at once.
pub(crate) fn large_bodies() -> Vec<Shot> {
    let body = vec![b' '; 4 << 20];
    let declared = |path, headers: &str| {
        post(path, &format!("{headers}content-length: {}\r\n", body.len()), &body)
    };
    let otlp = "content-type: application/json\r\n";
    vec![
        answered(1, shot("4 MiB to /lm", declared("/lm", ""), &[413])),
        answered(1, shot("4 MiB of OTLP", declared("/v1/metrics", otlp), &[400])),
        answered(1, shot("4 MiB to no path", declared("/nowhere", ""), &[404])),
        answered(1, shot("4 MiB chunked to /record", chunked("/record", "", &body), &[413])),
        answered(1, shot("4 MiB chunked of OTLP", chunked("/v1/metrics", otlp, &body), &[400])),
        answered(1, shot("4 MiB chunked to no path", chunked("/nowhere", "", &body), &[404])),
    ]
}

/// All others. `bomb` is how many blanks the bombs inflate to.
pub(crate) fn all(bomb: usize) -> Vec<Shot> {
    let line = |by: &str| format!(r#"{{"lm":1,"m":{{"hits_total;by={by}":1}}}}"#);
    let (ours, nobodys) = (line("shots"), line("nobody"));
    let n = ours.len();
    let gzip_bomb = gzip_blanks(bomb);
    let with = |headers: &str| post("/lm", headers, &nobodys);
    let hits = |headers: &str| post("/lm", headers, &ours);
    let chunks = format!("{n:x}\r\n{ours}\r\n0\r\n\r\n");
    let no_chunks = format!("{:x}\r\n{nobodys}\r\n0\r\n\r\n", nobodys.len());
    let many = |n: usize| -> String { (0..n).map(|i| format!("x-{i}: y\r\n")).collect() };
    let key = format!("hits_total;by=nobody{}", ";a=1".repeat(N_LABELS as usize));
    let key = format!(r#"{{"lm":1,"m":{{"{key}":1}}}}"#);
    let pairs: String = (0..N_LABELS / 2).map(|i| format!(",\"l{i}\":\"v\"")).collect();
    let record = format!(
        r#"[{{"metricName":"hits_total","metricType":"counter","labels":{{"by":"nobody"{pairs}}},"inc":1}}]"#
    );
    let pipelined = |last: &str| hit("shots", "").repeat(50) + last;
    let close = "connection: close\r\n";
    vec![
        answered(1, shot("gzip bomb", encoded("/lm", "gzip", &gzip_bomb), &[413])),
        answered(
            1,
            shot(
                "gzip bomb that fits",
                encoded("/record", "gzip", &gzip_bomb[..gzip_bomb.len().min(1 << 16)]),
                &[413],
            ),
        ),
        answered(1, shot("zstd bomb", encoded("/lm", "zstd", &zstd_blanks(bomb)), &[413])),
        answered(1, shot("gzip twice", encoded("/lm", "gzip, gzip", b"x"), &[415])),
        answered(1, shot("gzip that is none", encoded("/lm", "gzip", nobodys.as_bytes()), &[400])),
        Shot {
            is_of_labels: true,
            ..answered(1, shot("20,000 values", encoded("/lm", "gzip", &gzip(&values())), &[204]))
        },
        answered(
            1,
            shot(
                "20,000 labels",
                post("/lm", &format!("content-length: {}\r\n", key.len()), &key),
                &[413],
            ),
        ),
        half_closed(shot("length too short", with("content-length: 5\r\n"), &[400])),
        half_closed(shot("length too long", with("content-length: 500\r\n"), &[400])),
        shot("no length", with(""), &[400]),
        shot("two lengths", with("content-length: 5\r\ncontent-length: 6\r\n"), &[400]),
        shot("two lengths in one", with("content-length: 5, 6\r\n"), &[400]),
        shot("length twice", hits(&format!("content-length: {n}\r\n").repeat(2)), &[204, 400]),
        shot("no number", with("content-length: -1\r\n"), &[400]),
        shot("too large a number", with("content-length: 99999999999999999999\r\n"), &[400]),
        shot(
            "the largest number",
            with("content-length: 18446744073709551615\r\n"),
            &[400, 413, 431],
        ),
        answered(
            1,
            shot("chunked", post("/lm", "transfer-encoding: chunked\r\n", &chunks), &[204]),
        ),
        shot(
            "chunked with a length",
            post("/lm", "content-length: 3\r\ntransfer-encoding: chunked\r\n", &chunks),
            &[204, 400],
        ),
        shot(
            "chunked, then gzip",
            post("/lm", "transfer-encoding: chunked, gzip\r\n", &no_chunks),
            &[400],
        ),
        shot(
            "no chunk's size",
            post("/lm", "transfer-encoding: chunked\r\n", format!("zz\r\n{nobodys}")),
            &[400],
        ),
        shot(
            "a chunk of all bytes",
            {
                post(
                    "/lm",
                    "transfer-encoding: chunked\r\n",
                    format!("ffffffffffffffffff\r\n{nobodys}"),
                )
            },
            &[400],
        ),
        half_closed(shot(
            "a chunk that ends early",
            post("/lm", "transfer-encoding: chunked\r\n", format!("ffff\r\n{nobodys}")),
            &[400],
        )),
        shot(
            "a chunk's extension without end",
            post("/lm", "transfer-encoding: chunked\r\n", format!("1;{}", "x".repeat(1 << 18))),
            &[400],
        ),
        answered(51, shot("pipelined", pipelined(&hit("shots", close)), &[204])),
        shot("pipelined before nonsense", pipelined("nonsense\r\n\r\n"), &[204, 400]),
        answered(1, half_closed(shot("half closed", hit("shots", ""), &[204]))),
        half_closed(shot("half a head", "POST /lm HTTP/1.1\r\nhost: x\r\ncont", &[400])),
        half_closed(shot("nothing", "", &[])),
        shot("101 headers", with(&many(101)), &[431]),
        shot("1,000 headers", with(&many(1_000)), &[431]),
        shot("a header of 17 KiB", with(&format!("x: {}\r\n", "y".repeat(17 << 10))), &[431]),
        shot("headers without end", with(&many(100_000)), &[431]),
        shot("a line without end", vec![b'x'; 1 << 20], &[400, 431]),
        half_closed(shot("random bytes", random(1 << 16), &[400, 431])),
        half_closed(shot("zeros", vec![0; 1 << 16], &[400, 431])),
        shot("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[400]),
        half_closed(shot(
            "TLS",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(40),
            &[400],
        )),
        answered(
            1,
            shot(
                "20,000 labels of one sample",
                encoded("/record", "gzip", &gzip(record.as_bytes())),
                &[204],
            ),
        )
        .of_nobody(),
    ]
}

impl Shot {
    /// Answered 204 as what it has is refused, and nothing is counted.
    fn of_nobody(self) -> Self {
        Self { wanted: &[200], bytes: prefer_report(&self.bytes), ..self }
    }
}

/// The same request, which asks for the report: its 200 tells it from what is counted.
fn prefer_report(request: &[u8]) -> Vec<u8> {
    let line = request.windows(2).position(|end| end == b"\r\n").expect("a first line") + 2;
    [&request[..line], b"prefer: return=representation\r\n", &request[line..]].concat()
}

/// One push of so many values of one label.
fn values() -> Vec<u8> {
    let digit = |n: u32| char::from_digit(n % 36, 36).expect("it is below 36");
    let keys = (0..N_LABELS).map(|n| {
        let value: String = [n / 46_656, n / 1_296, n / 36, n].map(digit).iter().collect();
        format!("\"p;p={value}\":1")
    });
    let keys: Vec<String> = keys.collect();
    format!(r#"{{"lm":1,"m":{{{}}}}}"#, keys.join(",")).into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes).expect("a Vec takes all");
    gzip.finish().expect("a Vec takes all")
}

fn gzip_blanks(n_bytes: usize) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let blanks = vec![b' '; 1 << 20];
    for _ in 0..n_bytes >> 20 {
        gzip.write_all(&blanks).expect("a Vec takes all");
    }
    gzip.finish().expect("a Vec takes all")
}

/// A frame whose blocks are each a byte that is repeated. Source: RFC 8878, §3.1.1.
fn zstd_blanks(n_bytes: usize) -> Vec<u8> {
    /// Of one block at most; so large is the window too: 2 to the power of 10 + 7.
    const BLOCK: usize = 128 << 10;
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3];
    let n_blocks = n_bytes / BLOCK;
    for i in 1..=n_blocks {
        let is_last = u32::from(i == n_blocks);
        let header = ((BLOCK as u32) << 3 | 1 << 1 | is_last).to_le_bytes();
        frame.extend([header[0], header[1], header[2], b' ']);
    }
    frame
}

/// The same bytes every time (xorshift64, Marsaglia 2003).
fn random(n: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let bytes = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    });
    bytes.take(n).collect()
}

/// Connects and leaves: at once, in the middle of a head, or without waiting for the answer to a push.
/// Gives how many pushes that were.
pub(crate) fn churn(round: u64, source: [u8; 4], to: SocketAddr) -> u64 {
    let mut stream = connect(source, to).expect("there are places");
    let bytes = match round % 4 {
        0 => String::new(),
        1 => "POST /lm HTTP/1.1\r\nho".to_owned(),
        _ => hit("churn", ""),
    };
    drop(stream.write_all(bytes.as_bytes()));
    if round % 2 == 1 {
        // A reset.
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).expect("a socket");
    }
    u64::from(round % 4 > 1)
}
