//! What a silent WebSocket takes of memory: resident pages of this process, server and clients, which keep nothing but
//! a descriptor. Small unless `--full` says otherwise (`cargo xtask prove sockets`).
//!
//! Alone in its binary and without a harness, so that nothing else takes pages meanwhile.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use lastmile::{Aggregator, Family, Limits, Schema};
use lastmile_http::{Clock, PublicOptions, Service};
use lastmile_hyper::{ServeLimits, serve};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;

/// Most bytes a silent socket may take.
const BYTES_MAX: u64 = 16 << 10;

const HANDSHAKE: &[u8] = b"GET /lm/ws HTTP/1.1\r\nhost: localhost\r\nconnection: keep-alive, Upgrade\r\n\
    user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36\r\n\
    origin: https://app.example\r\nsec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n\
    upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn main() {
    let n = if std::env::args().any(|arg| arg == "--full") { 2_000 } else { 200 };
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("up to its own");
    for (name, is_axum) in [("lastmile-hyper", false), ("axum", true)] {
        measure(name, is_axum, n);
    }
}

fn measure(name: &str, is_axum: bool, n: u64) {
    let schema = Schema::builder().family(Family::counter("loads_total").max(1e6)).build();
    let agg = Aggregator::new(schema.expect("it is right"), Limits::default(), Clock::new().now());
    let agg = agg.expect("it fits");
    let options = PublicOptions::new().sockets(n as usize, n as usize);
    let service = Service::public_with(agg.clone(), &options).expect("the options are right");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("the system has threads");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let _in_runtime = runtime.enter();
    let server = if is_axum {
        let endpoint = lastmile_axum::Endpoint::new(service.clone());
        runtime.spawn(async { axum::serve(listener, endpoint).await });
        None
    } else {
        let limits = ServeLimits::public().connections_per_prefix(n as usize + 10);
        Some(serve(listener, lastmile_hyper::Endpoint::new(service.clone()), limits))
    };

    // Whatever is made once is there.
    let mut sockets: Vec<TcpStream> = (0..20).map(|_| open(address)).collect();
    sockets.iter_mut().for_each(|socket| push(socket, 60_000));
    let (n_first, before) = (sockets.len() as u64, resident());
    sockets.extend((n_first..n).map(|_| open(address)));
    assert_eq!(service.n_sockets() as u64, n);
    let silent = resident().saturating_sub(before) / (n - n_first);
    // Each had something to say, small and large, and is silent again.
    for bytes in [0, 60_000] {
        sockets.iter_mut().for_each(|socket| push(socket, bytes));
    }
    let after = resident().saturating_sub(before) / (n - n_first);
    println!("{name}: {n} silent sockets take {silent} bytes each, {after} after they spoke");
    assert!(silent <= BYTES_MAX && after <= BYTES_MAX, "more than {BYTES_MAX}");

    if let Some(server) = &server {
        assert_eq!(server.counts().active, n, "each holds its place");
    }
    let begin = Instant::now();
    let left = runtime.block_on(service.close_sockets(Duration::from_millis(50)));
    assert_eq!(left as u64, n, "nobody closed in its turn");
    for socket in &mut sockets {
        let mut close = [0; 4];
        socket.read_exact(&mut close).expect("it is told");
        assert_eq!(close, [0x88, 2, 0x03, 0xe9], "going away");
    }
    while service.n_sockets() > 0 {
        assert!(begin.elapsed() < Duration::from_secs(20), "{} are there", service.n_sockets());
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut text = Vec::new();
    agg.encode_to(&mut text, Clock::new().now()).expect("a Vec takes everything");
    let wanted = format!("\nloads_total {}\n", 2 * n + 20);
    assert!(String::from_utf8_lossy(&text).contains(&wanted), "each message was counted once");
}

fn open(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.write_all(HANDSHAKE).expect("the server takes it");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the server answers");
        head.extend(byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    stream
}

/// Counts one, in a message that is padded to this length, and reads the answer.
fn push(socket: &mut TcpStream, bytes: usize) {
    let text = format!("{:<bytes$}", r#"{"lm":1,"m":{"loads_total":1}}"#);
    let length = u16::try_from(text.len()).expect("less than 64 KiB").to_be_bytes();
    let head = [0x81, 0xfe, length[0], length[1], 0, 0, 0, 0];
    socket.write_all(&[&head, text.as_bytes()].concat()).expect("the server takes it");
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).expect("it is answered");
    assert_eq!(&answer, b"\x81\x0a{\"ack\":[]}");
}

/// Bytes of this process in memory. Source: proc(5), `VmRSS`.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("this is Linux");
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.trim().parse::<u64>().ok()).expect("a number") << 10
}
