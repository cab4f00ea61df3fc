//! A server with a handler for each kind of trouble.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use lastmile_hyper::{PerPeer, RequestBody, Serve, ServeCounts, ServeLimits, Server, serve};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use crate::client::{Client, wait_until};

/// No test waits for these: an hour for each time.
pub(crate) fn patient() -> ServeLimits {
    let hour = Duration::from_secs(3600);
    ServeLimits::public().handshake(hour).head(hour).body(hour).idle(hour).write(hour)
}

/// Something that listens until it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) server: Server,
    pub(crate) runtime: Runtime,
    /// What `/wait` and `/drip` wait for.
    pub(crate) gate: Arc<Semaphore>,
    /// Endless bodies that were dropped.
    pub(crate) n_dropped: Arc<AtomicUsize>,
}

impl Running {
    /// The handlers below.
    pub(crate) fn start(limits: ServeLimits) -> Self {
        Self::with(|listener, handlers| serve(listener, handlers, limits))
    }

    /// Anything else.
    pub(crate) fn service<M>(make: M, limits: ServeLimits) -> Self
    where
        M: PerPeer<Service: Serve> + Send + Sync + 'static,
    {
        Self::with(|listener, _| serve(listener, make, limits))
    }

    /// What a client has sent here before another was answered has been seen: one thread takes what comes
    /// in the order in which it came.
    pub(crate) fn in_order(start: impl FnOnce(TcpListener, Handlers) -> Server) -> Self {
        Self::on_threads(1, start)
    }

    pub(crate) fn with(start: impl FnOnce(TcpListener, Handlers) -> Server) -> Self {
        Self::on_threads(2, start)
    }

    fn on_threads(n: usize, start: impl FnOnce(TcpListener, Handlers) -> Server) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(n)
            .enable_all()
            .build()
            .expect("the system has threads");
        let (gate, n_dropped) = (Arc::new(Semaphore::new(0)), Arc::default());
        let handlers = Handlers { gate: gate.clone(), n_dropped: Arc::clone(&n_dropped) };
        let (address, server) = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
            let address = listener.local_addr().expect("it is bound");
            (address, start(listener, handlers))
        });
        Self { address, server, runtime, gate, n_dropped }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// One request on a connection of its own.
    #[track_caller]
    pub(crate) fn check(&self, request: &str, status: u16, body: &str) {
        self.connect().ask(request).check(status, body);
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, holds: impl Fn(&ServeCounts) -> bool) {
        wait_until(&format!("{what}: {:?}", self.server.counts()), || holds(&self.server.counts()));
    }
}

pub(crate) const GET: &str = "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

fn text(status: u16, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(text.into()).boxed_unsync());
    *answer.status_mut() = status.try_into().expect("a status");
    answer
}

/// Sends back what comes, in no protocol that anyone knows.
fn upgrade(mut request: Request<RequestBody>) -> Answer {
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let upgraded = TokioIo::new(upgraded.await.expect("it was answered so"));
        let (mut read, mut write) = tokio::io::split(upgraded);
        tokio::io::copy(&mut read, &mut write).await.expect("the client reads");
    });
    let mut answer = text(101, "");
    answer.headers_mut().insert("upgrade", http::HeaderValue::from_static("echo"));
    answer.headers_mut().insert("connection", http::HeaderValue::from_static("upgrade"));
    answer
}

/// The service of all connections.
#[derive(Clone)]
pub(crate) struct Handlers {
    gate: Arc<Semaphore>,
    n_dropped: Arc<AtomicUsize>,
}

impl PerPeer for Handlers {
    type Service = Box<
        dyn hyper::service::Service<
                Request<RequestBody>,
                Response = Answer,
                Error = &'static str,
                Future = Pin<Box<dyn Future<Output = Result<Answer, &'static str>> + Send>>,
            > + Send,
    >;

    fn for_peer(&self, peer: SocketAddr) -> Self::Service {
        let handlers = self.clone();
        Box::new(service_fn(move |request: Request<RequestBody>| {
            let answer = handlers.clone().answer(request, peer);
            Box::pin(answer) as Pin<Box<dyn Future<Output = _> + Send>>
        }))
    }
}

impl Handlers {
    async fn answer(
        self,
        request: Request<RequestBody>,
        peer: SocketAddr,
    ) -> Result<Answer, &'static str> {
        if request.uri().path() == "/upgrade" {
            return Ok(upgrade(request));
        }
        let (head, body) = request.into_parts();
        Ok(match head.uri.path() {
            "/hello" => text(200, "hello"),
            "/peer" => text(200, peer.to_string()),
            "/echo" => match body.collect().await {
                Ok(body) => text(200, body.to_bytes()),
                Err(_) => text(400, "broken"),
            },
            "/echo-in-task" => match tokio::spawn(body.collect()).await {
                Ok(Ok(body)) => text(200, body.to_bytes()),
                _ => text(400, "broken"),
            },
            // The body is dropped.
            "/refuse" => {
                drop(body);
                text(413, "too large")
            }
            // The body is kept meanwhile.
            "/wait" => {
                self.open().await;
                drop(body);
                text(200, "waited")
            }
            "/drip" => {
                let drip = Drip { n_given: 0, opening: Box::pin(async move { self.open().await }) };
                Response::new(drip.boxed_unsync())
            }
            "/endless" => Response::new(Endless(self.n_dropped).boxed_unsync()),
            "/panic" => panic!("as it was asked to"),
            "/fail" => return Err("as it was asked to"),
            _ => text(404, ""),
        })
    }

    async fn open(&self) {
        self.gate.acquire().await.expect("nobody closes it").forget();
    }
}

/// One frame, and another when the gate opens.
struct Drip {
    n_given: u8,
    opening: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Body for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = match self.n_given {
            0 => "first ",
            1 => {
                std::task::ready!(self.opening.as_mut().poll(cx));
                "second"
            }
            _ => return Poll::Ready(None),
        };
        self.n_given += 1;
        Poll::Ready(Some(Ok(Frame::data(frame.into()))))
    }
}

/// Frames for ever.
struct Endless(Arc<AtomicUsize>);

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 64 << 10])))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
