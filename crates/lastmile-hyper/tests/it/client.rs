//! A client that sends bytes as it is told to and sees each answer whole.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use tokio::net::TcpSocket;

/// Long enough for a loaded machine; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One connection.
#[derive(Debug)]
pub(crate) struct Client<S = TcpStream> {
    pub(crate) stream: S,
    /// What came behind the last answer.
    read: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time that is not zero");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time that is not zero");
        Self::over(stream)
    }

    /// Connects from another address of this machine.
    pub(crate) fn connect_from(source: [u8; 4], address: SocketAddr) -> Self {
        Self::connect_with(source, address, None)
    }

    /// The same, with as little room for what it has not read as the system lets it have.
    pub(crate) fn connect_from_small(source: [u8; 4], address: SocketAddr) -> Self {
        Self::connect_with(source, address, Some(4096))
    }

    fn connect_with(source: [u8; 4], address: SocketAddr, unread: Option<u32>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let connect = async {
            let socket = TcpSocket::new_v4()?;
            if let Some(bytes) = unread {
                socket.set_recv_buffer_size(bytes)?;
            }
            socket.bind((Ipv4Addr::from(source), 0).into())?;
            socket.connect(address).await?.into_std()
        };
        let stream = runtime.expect("the system has threads").block_on(connect);
        let stream = stream.expect("127.0.0.0/8 is this machine's");
        stream.set_nonblocking(false).expect("it is a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time that is not zero");
        Self::over(stream)
    }
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self { stream, read: Vec::new() }
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the server takes it");
    }

    /// Sends and reads the answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Answer {
        self.send(&bytes);
        self.answer(bytes.as_ref().starts_with(b"HEAD "))
    }

    /// The next answer.
    #[track_caller]
    pub(crate) fn answer(&mut self, to_head: bool) -> Answer {
        let head = self.until(b"\r\n\r\n");
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        let mut answer = Answer { status: status.expect("a status"), head, body: Vec::new() };
        if to_head || answer.status < 200 {
        } else if answer.head.contains("\r\ntransfer-encoding: chunked\r\n") {
            loop {
                let size = self.until(b"\r\n");
                let size = usize::from_str_radix(size.trim(), 16).expect("a chunk's size");
                answer.body.extend(self.exactly(size));
                assert_eq!(self.exactly(2), b"\r\n");
                if size == 0 {
                    break;
                }
            }
        } else if let Some((_, rest)) = answer.head.split_once("\r\ncontent-length: ") {
            let length = rest.split("\r\n").next().and_then(|length| length.parse().ok());
            answer.body = self.exactly(length.expect("a length"));
        }
        answer
    }

    #[track_caller]
    fn until(&mut self, end: &[u8]) -> String {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|window| window == end) {
                let text = self.read.drain(..at + end.len()).collect();
                return String::from_utf8(text).expect("heads are text");
            }
            self.more();
        }
    }

    #[track_caller]
    fn exactly(&mut self, n: usize) -> Vec<u8> {
        while self.read.len() < n {
            self.more();
        }
        self.read.drain(..n).collect()
    }

    #[track_caller]
    fn more(&mut self) {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes) {
            Ok(n) if n > 0 => self.read.extend(&bytes[..n]),
            end => panic!("{end:?} behind {:?}", String::from_utf8_lossy(&self.read)),
        }
    }

    /// Reads to the connection's end: what came, and how it ended.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, io::Result<()>) {
        let mut rest = std::mem::take(&mut self.read);
        let end = self.stream.read_to_end(&mut rest).map(drop);
        (rest, end)
    }

    /// Waits for the connection's end, before which nothing comes.
    #[track_caller]
    pub(crate) fn ended(&mut self) {
        let (rest, end) = self.rest();
        assert_eq!(String::from_utf8_lossy(&rest), "");
        assert!(is_end(&end), "{end:?}");
    }
}

/// A close by the server, with whatever of ours it did not read; not our own patience.
pub(crate) fn is_end(end: &io::Result<()>) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    match end {
        Ok(()) => true,
        Err(error) => matches!(error.kind(), ConnectionReset | BrokenPipe | UnexpectedEof),
    }
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub(crate) fn check(&self, status: u16, body: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(String::from_utf8_lossy(&self.body), body, "{}", self.head);
    }

    pub(crate) fn closes(&self) -> bool {
        self.head.contains("\r\nconnection: close\r\n")
    }
}

#[track_caller]
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
