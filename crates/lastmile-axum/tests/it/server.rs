//! A server on a free port, and a client of HTTP/1.0.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use axum::Router;
use lastmile_axum::Endpoint;
use lastmile_http::Service;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Something that listens until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) runtime: Runtime,
}

impl Server {
    pub(crate) fn bind() -> (Self, TcpListener) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("the system has threads");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        (Self { address, runtime }, listener)
    }

    pub(crate) fn router(app: Router) -> Self {
        let (server, listener) = Self::bind();
        server.runtime.spawn(async { axum::serve(listener, app).await });
        server
    }

    pub(crate) fn endpoint(service: Service) -> Self {
        let (server, listener) = Self::bind();
        server.runtime.spawn(async { axum::serve(listener, Endpoint::new(service)).await });
        server
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time that is not zero");
        stream
    }

    /// Sends a request of HTTP/1.0, whose answer ends with the connection.
    pub(crate) fn send(&self, line: &str, headers: &str, body: &str) -> String {
        let length = body.len();
        let mut stream = self.connect();
        let request = format!("{line} HTTP/1.0\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
        stream.write_all(request.as_bytes()).expect("the server takes the request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the server answers with text");
        answer
    }

    /// Sends a request and compares the status, and what the answer contains and does not.
    #[track_caller]
    pub(crate) fn check(&self, request: (&str, &str), status: u16, has: &[&str], lacks: &[&str]) {
        let answer = self.send(request.0, "", request.1);
        let shown = answer.to_lowercase();
        assert!(
            shown.starts_with(&format!("http/1.0 {status} ")),
            "{request:?} {status}\n{answer}"
        );
        for part in has {
            assert!(shown.contains(part), "{request:?} is to have {part}\n{answer}");
        }
        for part in lacks {
            assert!(!shown.contains(part), "{request:?} is not to have {part}\n{answer}");
        }
    }
}
