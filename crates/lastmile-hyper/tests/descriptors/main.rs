//! A process without file descriptors: accepting waits for one, and neither ends nor spins. Alone in its
//! process, whose limit it lowers.

use std::convert::Infallible;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::service::service_fn;
use lastmile_hyper::{RequestBody, ServeLimits, serve};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;

/// Long enough for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn accepting_waits_for_a_descriptor() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("the system has threads");
    let make = |_: SocketAddr| {
        service_fn(async |_: Request<RequestBody>| {
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        })
    };
    let (address, server) = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        (address, serve(listener, make, ServeLimits::public()))
    });
    let ask = |mut stream: &TcpStream| {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time that is not zero");
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").expect("it is taken");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("it is answered");
            answer.extend(byte);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    };
    let first = TcpStream::connect(address).expect("it listens");
    ask(&first);

    let before = getrlimit(Resource::Nofile);
    let mut lowered = before;
    lowered.current = Some(64);
    setrlimit(Resource::Nofile, lowered).expect("less is always allowed");
    let mut held: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(held.len() < 64);
    // One for the client, none for the server.
    drop(held.pop());
    let begin = Instant::now();
    let second = TcpStream::connect(address).expect("the system accepts it");
    while server.counts().accept_errors < 4 {
        assert!(begin.elapsed() < PATIENCE, "it never failed: {:?}", server.counts());
        std::thread::sleep(Duration::from_millis(1));
    }
    // After n errors it has waited for 5 (2^n - 1) ms: never more of them than that allows.
    let errors = server.counts().accept_errors;
    let waited = (1..errors).map(|n| Duration::from_millis(5 << (n - 1).min(7))).sum::<Duration>();
    assert!(begin.elapsed() >= waited, "{errors} in {:?}", begin.elapsed());
    ask(&first);
    held.clear();
    ask(&second);
    assert_eq!(server.counts().active, 2);
}
