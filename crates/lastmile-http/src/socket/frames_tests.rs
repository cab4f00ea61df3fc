use std::io::{self, Read, Write};

use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

use super::*;

/// A frame as a client sends it.
fn masked(opcode: OpCode, is_final: bool, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let head = FrameHeader { opcode, is_final, mask: Some(mask), ..FrameHeader::default() };
    let mut bytes = Vec::new();
    head.format(payload.len() as u64, &mut bytes).expect("a Vec takes everything");
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

const TEXT: OpCode = OpCode::Data(Data::Text);
const MORE: OpCode = OpCode::Data(Data::Continue);
const PING: OpCode = OpCode::Control(Control::Ping);
const CLOSE: OpCode = OpCode::Control(Control::Close);

/// What is read of `bytes` that come in pieces of this size.
fn read(bytes: &[u8], piece: usize) -> (Vec<Event>, Option<Fault>) {
    let (mut frames, mut events) = (Frames::default(), Vec::new());
    for mut input in bytes.chunks(piece) {
        loop {
            match frames.next(&mut input) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(fault) => return (events, Some(fault)),
            }
        }
        assert_eq!(input, b"", "all of it is taken");
    }
    (events, None)
}

#[test]
fn messages_are_read_whatever_the_pieces() {
    let large = "é".repeat(MESSAGE_BYTES_MAX / 2);
    let text = |text: &str| Event::Text(text.as_bytes().to_vec());
    let halves =
        [masked(TEXT, false, b"a\xc3"), masked(PING, true, b"x"), masked(MORE, true, b"\xa9")];
    let many: Vec<u8> = (1..FRAMES_MAX).flat_map(|_| masked(MORE, false, b"")).collect();
    for (name, bytes, wanted) in [
        ("one", masked(TEXT, true, b"a"), vec![text("a")]),
        ("none", masked(TEXT, true, b""), vec![text("")]),
        (
            "two",
            [masked(TEXT, true, b"a"), masked(TEXT, true, b"b")].concat(),
            vec![text("a"), text("b")],
        ),
        (
            "in halves, a ping between",
            halves.concat(),
            vec![Event::Ping(b"x".to_vec()), text("aé")],
        ),
        ("as large as one may be", masked(TEXT, true, large.as_bytes()), vec![text(&large)]),
        ("a long ping", masked(PING, true, &[b'x'; 125]), vec![Event::Ping(vec![b'x'; 125])]),
        ("a pong", masked(OpCode::Control(Control::Pong), true, b"x"), vec![Event::Pong]),
        ("a close", masked(CLOSE, true, b""), vec![Event::Close(None)]),
        (
            "a close with a code",
            masked(CLOSE, true, b"\x03\xe8bye"),
            vec![Event::Close(Some(CloseCode::Normal))],
        ),
        (
            "many frames",
            [masked(TEXT, false, b"a"), many[..many.len() - 6].to_vec(), masked(MORE, true, b"b")]
                .concat(),
            vec![text("ab")],
        ),
    ] {
        for piece in [1, 2, 7, 4_096, bytes.len()] {
            assert_eq!(read(&bytes, piece), (wanted.iter().map(copy).collect(), None), "{name}");
        }
    }
}

fn copy(event: &Event) -> Event {
    match event {
        Event::Text(text) => Event::Text(text.clone()),
        Event::Ping(payload) => Event::Ping(payload.clone()),
        Event::Pong => Event::Pong,
        Event::Close(code) => Event::Close(*code),
    }
}

#[test]
fn what_no_client_may_send_is_told() {
    let with = |change: fn(&mut Vec<u8>)| {
        let mut bytes = masked(TEXT, true, b"a");
        change(&mut bytes);
        bytes
    };
    let many: Vec<u8> = (1..=FRAMES_MAX).flat_map(|_| masked(MORE, false, b"")).collect();
    let halves = [masked(TEXT, false, &[b'x'; 40_000]), masked(MORE, true, &[b'x'; 30_000])];
    for (name, bytes, fault) in [
        ("no mask", with(|bytes| bytes[1] &= 0x7f), Fault::Protocol),
        ("a bit of an extension", with(|bytes| bytes[0] |= 0x40), Fault::Protocol),
        ("an opcode of data", with(|bytes| bytes[0] = 0x83), Fault::Protocol),
        ("an opcode of control", with(|bytes| bytes[0] = 0x8b), Fault::Protocol),
        ("more of nothing", masked(MORE, true, b"a"), Fault::Protocol),
        (
            "text within text",
            [masked(TEXT, false, b"a"), masked(TEXT, true, b"b")].concat(),
            Fault::Protocol,
        ),
        (
            "binary within text",
            [masked(TEXT, false, b"a"), masked(OpCode::Data(Data::Binary), true, b"b")].concat(),
            Fault::Protocol,
        ),
        ("binary", masked(OpCode::Data(Data::Binary), true, b"a"), Fault::Binary),
        ("a ping in halves", masked(PING, false, b"a"), Fault::Protocol),
        ("a ping that is long", masked(PING, true, &[b'x'; 126]), Fault::Protocol),
        ("half a code", masked(CLOSE, true, b"\x03"), Fault::Protocol),
        ("a code that is never sent", masked(CLOSE, true, b"\x03\xed"), Fault::Protocol),
        ("a reason that is no text", masked(CLOSE, true, b"\x03\xe8\xff"), Fault::Utf8),
        ("text that is no text", masked(TEXT, true, b"\xff"), Fault::Utf8),
        ("text that ends in a character", masked(TEXT, true, b"\xc3"), Fault::Utf8),
        ("too large", masked(TEXT, true, &[b'x'; MESSAGE_BYTES_MAX + 1]), Fault::TooLarge),
        ("too large in halves", halves.concat(), Fault::TooLarge),
        (
            "larger than a machine",
            b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0".to_vec(),
            Fault::TooLarge,
        ),
        ("frames without end", [masked(TEXT, false, b"a"), many].concat(), Fault::TooLarge),
    ] {
        for piece in [1, 4_096, bytes.len()] {
            assert_eq!(read(&bytes, piece), (vec![], Some(fault)), "{name}");
        }
    }
}

#[test]
fn nothing_is_kept_between_two_messages() {
    let mut frames = Frames::default();
    let bytes = masked(TEXT, true, &[b'x'; 60_000]);
    let (first, last) = bytes.split_at(50_000);
    assert_eq!(frames.next(&mut &first[..]), Ok(None));
    assert!((49_000..=MESSAGE_BYTES_MAX).contains(&frames.n_kept()), "{}", frames.n_kept());
    assert!(matches!(frames.next(&mut &last[..]), Ok(Some(Event::Text(_)))));
    assert_eq!(frames.n_kept(), 0);
    let mut half = &masked(TEXT, true, &[b'x'; 60_000])[..20];
    assert_eq!(frames.next(&mut half), Ok(None));
    assert!(frames.n_kept() < 100, "what did not come takes no room: {}", frames.n_kept());
}

/// Bytes that came, and what was answered, which nobody reads.
struct Pipe<'a>(&'a [u8]);

impl Read for Pipe<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.read(out)
    }
}

impl Write for Pipe<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How tungstenite ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Waiting,
    Refused,
    /// Text is none, which it says before the message is complete.
    NoText,
}

/// What tungstenite reads, as far as we would.
fn twin(bytes: &[u8]) -> (Vec<Event>, End) {
    let config = WebSocketConfig::default()
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
        .max_message_size(Some(MESSAGE_BYTES_MAX));
    let (mut context, mut events) = (WebSocketContext::new(Role::Server, Some(config)), Vec::new());
    let mut pipe = Pipe(bytes);
    loop {
        match context.read(&mut pipe) {
            Ok(Message::Text(text)) => events.push(Event::Text(text.as_bytes().to_vec())),
            Ok(Message::Ping(payload)) => events.push(Event::Ping(payload.to_vec())),
            Ok(Message::Pong(_)) => events.push(Event::Pong),
            // It answers a code that may not be sent with 1002, and is done.
            Ok(Message::Close(Some(frame))) if frame.reason.as_str() == "Protocol violation" => {
                return (events, End::Refused);
            }
            Ok(Message::Close(frame)) => {
                events.push(Event::Close(frame.map(|frame| frame.code)));
                return (events, End::Waiting);
            }
            Ok(Message::Binary(_) | Message::Frame(_)) => return (events, End::Refused),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return (events, End::Waiting);
            }
            Err(Error::Utf8(_)) => return (events, End::NoText),
            Err(_) => return (events, End::Refused),
        }
    }
}

/// Random frames, mostly such as a client sends, cut anywhere: tungstenite reads the same messages, and refuses where
/// we do. We may refuse earlier, by a head; and later, text of several frames by its end.
#[test]
fn tungstenite_reads_the_same() {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut below = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % n
    };
    let (mut n_events, mut n_faults) = (0, 0);
    for _ in 0..20_000 {
        let (mut bytes, mut is_open) = (Vec::new(), false);
        for _ in 0..=below(6) {
            let payload = match below(8) {
                0 => vec![b'x'; below(140)],
                1 => "é😀".as_bytes()[..[0, 2, 6, 6, 3][below(5)]].to_vec(),
                2 => vec![0x03, 0xe8 + below(16) as u8, b'b'],
                3 if below(50) == 0 => vec![b'x'; 65_500 + below(50)],
                _ => vec![b'{'; below(10)],
            };
            let data = if is_open { 0 } else { 1 };
            let worse = [0, 1, 2, 3, 8, 8, 11][below(7)];
            let opcode = [data, data, data, data, data, 9, 10, worse][below(8)];
            let is_final = below(4) > 0 || opcode > 8;
            is_open = if opcode < 8 { !is_final } else { is_open };
            let mut frame = masked(OpCode::from(opcode), is_final, &payload);
            if below(40) == 0 {
                let at = below(frame.len().min(8));
                frame[at] ^= 1 << below(8);
            }
            bytes.append(&mut frame);
        }
        bytes.truncate(bytes.len() - below(8).saturating_sub(5));
        let (mut ours, fault) = read(&bytes, 1 + below(200));
        // Behind a close nothing counts.
        if let Some(end) = ours.iter().position(|event| matches!(event, Event::Close(_))) {
            ours.truncate(end + 1);
        }
        let is_closed = matches!(ours.last(), Some(Event::Close(_)));
        let (theirs, end) = twin(&bytes);
        n_events += ours.len();
        n_faults += usize::from(fault.is_some());
        let is_refused = fault.is_some() && !is_closed;
        // Text of several frames is looked at when it is complete.
        let is_later = end == End::NoText && ours.starts_with(&theirs);
        // A head that may not be, of a frame whose end is not there.
        let is_earlier = end == End::Waiting && is_refused && fault != Some(Fault::Utf8);
        if fault == Some(Fault::Binary) {
            // It takes these, frame by frame.
            assert!(theirs.starts_with(&ours), "{ours:?}, {theirs:?}: {bytes:?}");
        } else if !is_later {
            assert_eq!(ours, theirs, "{bytes:?}");
            let agree = is_refused == (end != End::Waiting) || is_earlier;
            assert!(agree, "{fault:?}, {end:?}: {bytes:?}");
        }
    }
    assert!(n_events > 20_000 && n_faults > 2_000, "{n_events} events, {n_faults} faults");
}

#[test]
fn what_is_sent_is_a_servers_frame() {
    let mut out = Vec::new();
    put(&mut out, TEXT, br#"{"ack":[]}"#);
    put(&mut out, PING, b"");
    let mut wanted = Vec::new();
    Frame::message(&br#"{"ack":[]}"#[..], TEXT, true).format(&mut wanted).expect("a Vec");
    Frame::ping(&b""[..]).format(&mut wanted).expect("a Vec");
    assert_eq!(out, wanted);
}
