//! A server on a free port and a client that sees every byte of its answers.

use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use lastmile::{Aggregator, Family, Label, Limits, Schema};
use lastmile_http::{Clock, Service};
use tokio::net::{TcpListener, TcpSocket};

/// Long enough for a loaded machine; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The schema of most tests.
pub(crate) fn aggregator() -> Aggregator {
    let loads = Family::counter("loads_total").label(Label::closed("app", ["student", "teacher"]));
    let times = Family::histogram("load_seconds", [0.1, 1.0]).help("Time until loaded.");
    let schema =
        Schema::builder().family(loads).family(times).build().expect("the schema is right");
    with_schema(schema)
}

pub(crate) fn with_schema(schema: Schema) -> Aggregator {
    Aggregator::new(schema, Limits::default(), Clock::new().now()).expect("the schema fits")
}

/// A body that is compressed.
pub(crate) fn gzip(text: impl AsRef<[u8]>, level: Compression) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(text.as_ref()).and_then(|()| encoder.finish()).expect("memory takes it")
}

/// A service that listens until the test process ends.
pub(crate) struct Server(SocketAddr);

impl Server {
    pub(crate) fn start(service: Service) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("the system has threads");
        let listener = runtime.block_on(async { listen() }).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        thread::spawn(move || runtime.block_on(crate::adapter::serve(listener, service)));
        Self(address)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.0).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time that is not zero");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time that is not zero");
        stream
    }

    /// Sends `request` and closes the connection after its answer. Its lines end in `\n`; `host` if there is none,
    /// `connection`, and the length of a body that does not say its own are added.
    pub(crate) fn send(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        stream.write_all(&wire(request, "close")).expect("the server takes the request");
        let mut text = Vec::new();
        stream.read_to_end(&mut text).expect("the server answers");
        let (answer, rest) = Answer::read(&text, request.starts_with("HEAD "));
        assert_eq!(rest, b"", "nothing follows the answer");
        answer
    }

    /// Sends the head of a request, which says its length, and a body of any bytes.
    pub(crate) fn send_bytes(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = self.connect();
        let request = [&wire(head, "close")[..], body].concat();
        // A server that refuses by the head may close before it has read all of the body.
        drop(stream.write_all(&request));
        let mut text = Vec::new();
        drop(stream.read_to_end(&mut text));
        Answer::read(&text, false).0
    }

    /// Sends `request`, and compares what is written in `wanted`: the status, then headers that are to
    /// be there (`name: value`) or not to be (`!name`), then the body after an empty line. A wanted
    /// answer without an empty line has no body.
    #[track_caller]
    pub(crate) fn check(&self, request: &str, wanted: &str) {
        self.send(request).check(request, wanted);
    }
}

/// What a line of the private side's exposition reads.
#[track_caller]
pub(crate) fn value(private: &Server, series: &str) -> String {
    let text = private.send("GET /metrics").body;
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("there is no {series}")).to_owned()
}

/// A listener whose connections buffer little, so that a reader that stands still is felt soon.
fn listen() -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_send_buffer_size(64 << 10)?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    socket.listen(64)
}

/// `request` as bytes; a `~` in its body stands for a byte that is no UTF-8.
pub(crate) fn wire(request: &str, connection: &str) -> Vec<u8> {
    let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
    let mut wire = String::new();
    for (i, line) in head.lines().enumerate() {
        wire += line;
        if i == 0 {
            let host = if head.contains("\nhost:") { "" } else { "\r\nhost: localhost" };
            wire += &format!(" HTTP/1.1{host}\r\nconnection: {connection}");
        }
        wire += "\r\n";
    }
    let says_length =
        ["content-length:", "transfer-encoding:"].iter().any(|name| head.contains(name));
    if !says_length && (head.starts_with("POST ") || head.starts_with("PUT ")) {
        wire += &format!("content-length: {}\r\n", body.len());
    }
    wire += "\r\n";
    let body = body.bytes().map(|byte| if byte == b'~' { 0xff } else { byte });
    wire.into_bytes().into_iter().chain(body).collect()
}

/// An answer, taken apart.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// As it was sent.
    pub(crate) raw: Vec<u8>,
    /// The same inflated, if it says that it is compressed.
    pub(crate) body: String,
}

impl Answer {
    /// The first answer in `text`, and what follows it.
    pub(crate) fn read(text: &[u8], to_head: bool) -> (Self, &[u8]) {
        let end = text.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
        let head = std::str::from_utf8(&text[..end]).expect("the head is text");
        let mut rest = &text[end + 4..];
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.get(9..12)?.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers =
            headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let mut answer = Self {
            status: status.expect("a status line"),
            headers,
            raw: Vec::new(),
            body: String::new(),
        };
        answer.raw = if to_head {
            Vec::new()
        } else if answer.header("transfer-encoding") == Some("chunked") {
            dechunk(&mut rest)
        } else {
            let length =
                answer.header("content-length").map_or(0, |n| n.parse().expect("a number"));
            let (body, after) = rest.split_at(length);
            rest = after;
            body.to_vec()
        };
        let is_gzip = !to_head && answer.header("content-encoding") == Some("gzip");
        let body = if is_gzip { inflate(&answer.raw) } else { answer.raw.clone() };
        // Every answer is text but protobuf and an image, of which what is text stays readable.
        answer.body = match String::from_utf8(body) {
            Ok(text) => text,
            Err(error) => {
                let content_type = answer.header("content-type").unwrap_or_default();
                let is_binary = content_type.contains("protobuf") || content_type == "image/gif";
                assert!(is_binary, "{content_type} that is no text");
                String::from_utf8_lossy(error.as_bytes()).into_owned()
            }
        };
        (answer, rest)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Its status and body, as [`check`](Self::check) wants them.
    pub(crate) fn as_wanted(&self) -> String {
        format!("{}\n\n{}", self.status, self.body)
    }

    #[track_caller]
    pub(crate) fn check(&self, request: &str, wanted: &str) {
        let (head, body) = wanted.split_once("\n\n").unwrap_or((wanted, ""));
        for (i, line) in head.lines().enumerate() {
            let holds = if i == 0 {
                line == self.status.to_string()
            } else if let Some(name) = line.strip_prefix('!') {
                self.header(name).is_none()
            } else {
                let (name, value) = line.split_once(": ").expect("name: value");
                self.header(name) == Some(value)
            };
            assert!(holds, "{request}\nis to be answered with {line}, and was with\n{self}");
        }
        assert_eq!(self.body, body, "the body that answers\n{request}");
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value}")?;
        }
        write!(f, "\n{}", self.body)
    }
}

/// One whole gzip stream and nothing behind it.
fn inflate(mut gzip: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut decoder = GzDecoder::new(&mut gzip);
    decoder.read_to_end(&mut text).expect("it is gzip, and its checksum holds");
    assert_eq!(gzip, b"", "nothing follows the stream");
    text
}

/// Takes a chunked body off `text`.
fn dechunk(text: &mut &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = text.windows(2).position(|two| two == b"\r\n").expect("a chunk's size");
        let size = std::str::from_utf8(&text[..end]).ok();
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.expect("a size in hexadecimal digits");
        body.extend_from_slice(&text[end + 2..end + 2 + size]);
        *text = &text[end + 2 + size + 2..];
        if size == 0 {
            return body;
        }
    }
}
