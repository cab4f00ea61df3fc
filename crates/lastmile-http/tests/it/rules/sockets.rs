//! Lines of `lm1` over a WebSocket: `GET /lm/ws`. The client is tungstenite's, or bytes by hand.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use lastmile_http::{PublicOptions, Service};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, WebSocket};

use super::server::{Answer, Server, aggregator, wire};

const HANDSHAKE: &str = "GET /lm/ws\nupgrade: websocket\nsec-websocket-version: 13\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";

const STUDENT: &str = "loads_total{app=\"student\"}";

/// Long enough for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

struct Rig {
    service: Service,
    public: Server,
    private: Server,
}

impl Rig {
    fn new(options: &PublicOptions) -> Self {
        let agg = aggregator();
        let service = Service::public_with(agg.clone(), options).expect("the options are right");
        let public = Server::start(service.clone());
        Self { service, public, private: Server::start(Service::private(agg)) }
    }

    fn connect(&self) -> WebSocket<TcpStream> {
        let stream = self.public.connect();
        let (socket, _) = tungstenite::client("ws://localhost/lm/ws", stream).expect("it is taken");
        socket
    }

    /// An open socket without a client.
    fn by_hand(&self) -> TcpStream {
        let mut stream = self.public.connect();
        stream.write_all(&wire(HANDSHAKE, "keep-alive, Upgrade")).expect("the server takes it");
        assert_eq!(head(&mut stream).status, 101);
        stream
    }

    /// The status that a handshake is answered with.
    fn status(&self, more: &str) -> u16 {
        let mut stream = self.public.connect();
        let request = format!("{HANDSHAKE}{more}");
        stream.write_all(&wire(&request, "Upgrade")).expect("the server takes it");
        head(&mut stream).status
    }

    #[track_caller]
    fn reads(&self, series: &str, wanted: &str) {
        let text = self.private.send("GET /metrics").body;
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        assert_eq!(value, Some(wanted), "{series}");
    }

    fn until_sockets(&self, n: usize) {
        let begin = Instant::now();
        while self.service.n_sockets() != n {
            assert!(begin.elapsed() < PATIENCE, "{} sockets, not {n}", self.service.n_sockets());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn close_all(&self) -> usize {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("the system has threads").block_on(self.service.close_sockets(PATIENCE))
    }
}

/// The head of an answer, byte by byte, so that what follows it stays.
fn head(stream: &mut TcpStream) -> Answer {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the server answers");
        text.extend(byte);
    }
    Answer::read(&text, true).0
}

fn line(id: &str, n: u32) -> String {
    format!(r#"{{"lm":1,"id":"{id}","m":{{"loads_total;app=student":{n}}}}}"#)
}

/// A masked frame by hand; the mask is 0, which a client may draw.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short one");
    assert!(length < 126);
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

#[track_caller]
fn check(socket: &mut WebSocket<TcpStream>, text: &str, wanted: &str) {
    socket.send(Message::text(text)).expect("the server takes it");
    assert_eq!(socket.read().expect("it is answered"), Message::text(wanted), "{text}");
}

/// The code that the server closes with.
#[track_caller]
fn closed(socket: &mut WebSocket<TcpStream>) -> u16 {
    loop {
        match socket.read() {
            Ok(Message::Close(Some(frame))) => return frame.code.into(),
            Ok(_) => {}
            Err(error) => panic!("no close: {error}"),
        }
    }
}

#[test]
fn a_handshake_is_answered_as_the_standard_has_it() {
    let rig = Rig::new(&PublicOptions::new());
    let mut stream = rig.public.connect();
    stream.write_all(&wire(HANDSHAKE, "Upgrade")).expect("the server takes it");
    let answer = head(&mut stream);
    answer.check(
        HANDSHAKE,
        "101\nupgrade: websocket\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n!sec-websocket-extensions\n!content-length",
    );
    assert!(answer.header("connection").expect("it is there").eq_ignore_ascii_case("upgrade"));
}

#[test]
fn batches_are_acknowledged_by_their_ids() {
    let rig = Rig::new(&PublicOptions::new());
    let socket = &mut rig.connect();
    let [a, b] = ["aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"].map(|id| line(id, 2));
    check(socket, &a, r#"{"ack":["aaaaaaaaaaaaaaaa"]}"#);
    check(socket, &format!("{a}\n{b}\n"), r#"{"ack":["aaaaaaaaaaaaaaaa","bbbbbbbbbbbbbbbb"]}"#);
    rig.reads(STUDENT, "4");
    rig.reads("lastmile_duplicate_batches_total{format=\"lm1\"}", "1");
    // The same batches over another way are the same.
    rig.public.check(&format!("POST /lm\n\n{a}"), "204\nlastmile-duplicate: 1");
    // Refused for good: sending it again would change nothing.
    check(socket, &line("aaaaaaaaaaaaaaaa", 3), r#"{"ack":["aaaaaaaaaaaaaaaa"]}"#);
    rig.reads("lastmile_refused_total{reason=\"id_conflict\"}", "1");
    check(socket, r#"{"lm":1,"m":{"loads_total;app=student":1}}"#, r#"{"ack":[]}"#);
    rig.reads(STUDENT, "5");
    let bad = format!("{}\n{{\"lm\":2}}\n{}", line("cccccccccccccccc", 1), line("short", 1));
    check(
        socket,
        &bad,
        r#"{"ack":["cccccccccccccccc"],"failed":[{"line":2,"offset":73,"reason":"unsupported_version","detail":"expected `\"lm\":1` at byte 73"},{"line":3,"offset":89,"reason":"bad_id","detail":"`id` must be 16 to 64 characters of [A-Za-z0-9_-] at byte 89"}]}"#,
    );
    for (text, answer) in [
        (
            "",
            r#"{"ack":[],"failed":[{"line":1,"offset":0,"reason":"empty","detail":"there is nothing in it at byte 0"}]}"#,
        ),
        (
            "\n\n{",
            r#"{"ack":[],"failed":[{"line":3,"offset":3,"reason":"syntax","detail":"the text ends too early at byte 3"}]}"#,
        ),
    ] {
        check(socket, text, answer);
    }
    rig.reads(STUDENT, "6");
    rig.reads("lastmile_push_errors_total{format=\"lm1\",reason=\"bad_id\"}", "1");
}

/// Headers of a proxy are kept for what labels are set from, and the key of one body is none of them.
#[test]
fn a_key_of_the_request_names_no_message() {
    let rig = Rig::new(&PublicOptions::new().trusted_proxies(["127.0.0.1"]));
    let mut stream = rig.public.connect();
    let more = "\nx-forwarded-for: 203.0.113.7\nidempotency-key: 0123456789abcdef";
    let request = format!("{HANDSHAKE}{more}");
    stream.write_all(&wire(&request, "Upgrade")).expect("the server takes it");
    assert_eq!(head(&mut stream).status, 101);
    for n in 1..=3 {
        let text = format!(r#"{{"lm":1,"m":{{"loads_total;app=student":{n}}}}}"#);
        stream.write_all(&frame(0x81, text.as_bytes())).expect("the server takes it");
        stream.read_exact(&mut [0; 12]).expect("it is answered");
    }
    rig.reads(STUDENT, "6");
}

#[test]
fn who_may_not_push_is_told_before_the_upgrade() {
    let rig = Rig::new(
        &PublicOptions::new().origins(["https://app.example"]).key("web", "8f1c0a").sockets(3, 2),
    );
    let page = "\norigin: https://app.example";
    let key = "\nx-api-key: 8f1c0a";
    assert_eq!(rig.status(&format!("\norigin: https://evil.example{key}")), 403);
    assert_eq!(rig.status(page), 401);
    assert_eq!(rig.status(&format!("{page}{key}")), 101);
    // A page cannot set a header.
    let mut stream = rig.public.connect();
    let request = HANDSHAKE.replace("/lm/ws", "/lm/ws?key=8f1c0a");
    stream.write_all(&wire(&format!("{request}{page}"), "Upgrade")).expect("the server takes it");
    assert_eq!(head(&mut stream).status, 101);
    rig.until_sockets(1);
    rig.reads("lastmile_requests_refused_total{reason=\"origin\"}", "1");
    rig.reads("lastmile_requests_refused_total{reason=\"key\"}", "1");
    for (request, status) in [
        ("GET /lm/ws", 426),
        ("GET /lm/ws\nupgrade: websocket", 426),
        (&HANDSHAKE.replace("13", "8"), 426),
        (&HANDSHAKE.replace("dGhl", ""), 426),
        (&HANDSHAKE.replace("websocket\n", "h2c\n"), 426),
        ("POST /lm/ws\n\n", 405),
        ("OPTIONS /lm/ws", 405),
    ] {
        let answer = rig
            .public
            .send(&format!("{request}\norigin: https://app.example").replace("\n\n\n", "\n"));
        assert_eq!(answer.status, status, "{request}");
        let header = if status == 426 { ("upgrade", "websocket") } else { ("allow", "GET") };
        assert_eq!(answer.header(header.0), Some(header.1), "{request}");
    }
}

#[test]
fn there_are_so_many_sockets() {
    let rig = Rig::new(&PublicOptions::new().sockets(3, 2));
    let first = rig.by_hand();
    let second = rig.by_hand();
    assert_eq!(rig.status(""), 429, "one client has two");
    drop(first);
    rig.until_sockets(1);
    let third = rig.by_hand();
    assert_eq!(rig.service.n_sockets(), 2);
    drop((second, third));
    let rig = Rig::new(&PublicOptions::new().sockets(1, 5));
    let first = rig.by_hand();
    assert_eq!(rig.status(""), 503, "there is one");
    rig.reads("lastmile_requests_refused_total{reason=\"busy\"}", "1");
    drop(first);
}

#[test]
fn each_line_takes_a_token() {
    let rig = Rig::new(&PublicOptions::new().rate("1/s burst 4".parse().expect("a rate")));
    // The handshake is one, and each line.
    let socket = &mut rig.connect();
    let lines: Vec<String> = (0..4).map(|i| line(&format!("{i:0>16}"), 1)).collect();
    let acks =
        r#"{"ack":["0000000000000000","0000000000000001","0000000000000002","0000000000000003"]}"#;
    check(socket, &lines.join("\n"), acks);
    let next = line("dddddddddddddddd", 1);
    socket.send(Message::text(&next)).expect("the server takes it");
    let answer = socket.read().expect("it is answered").to_string();
    assert!(answer.starts_with(r#"{"ack":[],"retry_after":"#), "{answer}");
    rig.reads(STUDENT, "4");
    rig.reads("lastmile_requests_refused_total{reason=\"rate\"}", "1");
    let begin = Instant::now();
    loop {
        std::thread::sleep(Duration::from_millis(200));
        socket.send(Message::text(&next)).expect("the server takes it");
        if socket.read().expect("it is answered").to_string().contains("dddd") {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "the token never came back");
    }
    rig.reads(STUDENT, "5");
}

#[test]
fn what_is_no_message_closes_the_socket() {
    let rig = Rig::new(&PublicOptions::new());
    for (message, code) in [
        (Message::binary(&b"x"[..]), CloseCode::Unsupported),
        (Message::text("x".repeat(65_537)), CloseCode::Size),
    ] {
        let mut socket = rig.connect();
        // The server may be done before all of it went.
        drop(socket.send(message));
        assert_eq!(closed(&mut socket), u16::from(code));
    }
    for (bytes, code) in [
        (frame(0x81, b"\xff"), 1007),
        (b"\x81\x01x".to_vec(), 1002),
        (frame(0xc1, b"x"), 1002),
        (frame(0x80, b"x"), 1002),
    ] {
        let mut stream = rig.by_hand();
        stream.write_all(&bytes).expect("the server takes it");
        let mut close = [0; 4];
        stream.read_exact(&mut close).expect("it is closed");
        assert_eq!((close[0], close[1]), (0x88, 2));
        assert_eq!(u16::from_be_bytes([close[2], close[3]]), code, "{bytes:?}");
    }
    let socket = &mut rig.connect();
    let pad = format!("{}{}", line("eeeeeeeeeeeeeeee", 1), " ".repeat(65_536));
    check(socket, &pad[..65_536], r#"{"ack":["eeeeeeeeeeeeeeee"]}"#);
    rig.reads(STUDENT, "1");
}

#[test]
fn a_message_may_come_in_any_pieces() {
    let rig = Rig::new(&PublicOptions::new());
    let mut stream = rig.by_hand();
    let text = line("ffffffffffffffff", 1);
    let (first, last) = text.as_bytes().split_at(20);
    let bytes = [frame(0x01, first), frame(0x89, b"hi"), frame(0x80, last)].concat();
    for byte in bytes {
        stream.write_all(&[byte]).expect("the server takes it");
        stream.flush().expect("it goes");
    }
    let wanted = [&b"\x8a\x02hi\x81\x1c"[..], br#"{"ack":["ffffffffffffffff"]}"#].concat();
    let mut answers = vec![0; wanted.len()];
    stream.read_exact(&mut answers).expect("it is answered");
    assert_eq!(answers, wanted);
    rig.reads(STUDENT, "1");
}

/// A client that reads no answers is soon listened to no more; when it reads, nothing was lost.
#[test]
fn who_does_not_read_is_not_read() {
    let rig = Rig::new(&PublicOptions::new());
    let mut stream = rig.by_hand();
    stream.set_nonblocking(true).expect("it is a socket");
    let text = frame(0x81, br#"{"lm":1,"m":{"loads_total;app=student":1}}"#);
    let (mut n_written, mut quiet_since) = (0, Instant::now());
    // The buffers of the system in between are all that is left to fill.
    while quiet_since.elapsed() < Duration::from_millis(500) {
        assert!(n_written < 64 << 20, "the server reads on and on");
        let at = n_written % text.len();
        match stream.write(&text[at..]) {
            Ok(n) => (n_written, quiet_since) = (n_written + n, Instant::now()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => panic!("{error}"),
        }
    }
    stream.set_nonblocking(false).expect("it is a socket");
    let n_sent = n_written / text.len();
    let mut answers = vec![0; n_sent * 12];
    stream.read_exact(&mut answers).expect("all are answered");
    assert!(answers.chunks(12).all(|answer| answer == b"\x81\x0a{\"ack\":[]}"));
    rig.reads(STUDENT, &n_sent.to_string());
}

#[test]
fn who_is_silent_is_asked() {
    let rig = Rig::new(&PublicOptions::new().socket_ping(Duration::from_millis(300)));
    let mut dead = rig.by_hand();
    let mut alive = rig.connect();
    alive.get_mut().set_read_timeout(Some(Duration::from_millis(50))).expect("a time");
    let begin = Instant::now();
    let mut n_pings = 0;
    while rig.service.n_sockets() > 1 || n_pings < 3 {
        match alive.read() {
            Ok(Message::Ping(_)) => n_pings += 1,
            Ok(other) => panic!("{other}"),
            Err(Error::Io(error))
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(begin.elapsed() < PATIENCE, "{n_pings} pings");
    }
    let mut rest = Vec::new();
    dead.read_to_end(&mut rest).expect("it is closed");
    assert_eq!(rest, b"\x89\x00", "it was asked once");
    alive.get_mut().set_read_timeout(Some(PATIENCE)).expect("a time");
    alive.send(Message::text(line("gggggggggggggggg", 1))).expect("it is open");
    while !alive.read().expect("it is answered").is_text() {}
    rig.reads(STUDENT, "1");
}

/// It would hold its bytes, of those that all share, for as long as it answers.
#[test]
fn who_never_ends_a_message_is_given_up() {
    let rig = Rig::new(&PublicOptions::new().socket_ping(Duration::from_millis(200)));
    let mut idle = rig.by_hand();
    // A text of 125 bytes, of which two come, and then pongs.
    idle.write_all(b"\x81\xfd\0\0\0\0ab").expect("it is open");
    idle.set_read_timeout(Some(Duration::from_millis(20))).expect("a time");
    let begin = Instant::now();
    let mut seen = Vec::new();
    while !seen.ends_with(b"\x88\x02\x03\xf0") {
        assert!(begin.elapsed() < PATIENCE, "{seen:?}");
        // It may be closed by now.
        drop(idle.write_all(b"\x8a\x80\0\0\0\0"));
        let mut bytes = [0; 64];
        if let Ok(n) = idle.read(&mut bytes) {
            seen.extend_from_slice(&bytes[..n]);
        }
    }
    assert!(begin.elapsed() >= Duration::from_millis(200), "it had time");
    // One that ends each of its messages stays.
    let mut slow = rig.connect();
    for n in 0..6 {
        std::thread::sleep(Duration::from_millis(100));
        let id = format!("{n:016}");
        slow.send(Message::text(line(&id, 1))).expect("it is open");
        while !slow.read().expect("it is answered").is_text() {}
    }
}

#[test]
fn a_client_closes_and_is_answered() {
    let rig = Rig::new(&PublicOptions::new());
    let mut socket = rig.connect();
    check(&mut socket, &line("hhhhhhhhhhhhhhhh", 1), r#"{"ack":["hhhhhhhhhhhhhhhh"]}"#);
    socket.close(None).expect("it is open");
    assert!(matches!(socket.read(), Ok(Message::Close(None))));
    assert!(matches!(socket.read(), Err(Error::ConnectionClosed)));
    rig.until_sockets(0);
    // And one that just goes.
    drop(rig.by_hand());
    rig.until_sockets(0);
}

#[test]
fn a_stop_closes_in_good_order() {
    let rig = Rig::new(&PublicOptions::new());
    let ids = ["iiiiiiiiiiiiiiii", "jjjjjjjjjjjjjjjj", "kkkkkkkkkkkkkkkk"];
    let sockets: Vec<_> = ids
        .map(|id| {
            let mut socket = rig.connect();
            check(&mut socket, &line(id, 1), &format!("{{\"ack\":[\"{id}\"]}}"));
            socket
        })
        .into_iter()
        .collect();
    let clients: Vec<_> = sockets
        .into_iter()
        .map(|mut socket| {
            std::thread::spawn(move || {
                // What was sent before the close came is answered, or not counted.
                let mut n_acks = 1;
                for i in 0.. {
                    let id = format!("{i:0>16x}{:?}", std::thread::current().id());
                    let id: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
                    if socket.send(Message::text(line(&id, 1))).is_err() {
                        return n_acks;
                    }
                    match socket.read() {
                        Ok(Message::Text(_)) => n_acks += 1,
                        Ok(Message::Close(Some(frame))) => {
                            assert_eq!(frame.code, CloseCode::Away);
                            assert!(matches!(socket.read(), Err(Error::ConnectionClosed)));
                            return n_acks;
                        }
                        other => panic!("{other:?}"),
                    }
                }
                n_acks
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(rig.close_all(), 0, "all of them went");
    let n_acks: usize = clients.into_iter().map(|client| client.join().expect("it holds")).sum();
    rig.reads(STUDENT, &n_acks.to_string());
    assert_eq!(rig.status(""), 503, "none is taken any more");
    rig.public.check(&format!("POST /lm\n\n{}", line("llllllllllllllll", 1)), "204");
}
