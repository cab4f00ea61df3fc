//! Bytes to messages: what RFC 6455 asks of whoever reads frames, with nothing kept between two messages.
//!
//! Heads of frames are tungstenite's. The rest of its reader keeps a buffer as large as the largest frame that ever
//! came, and takes all of a frame's room when its head came; so a message is put together here, in room that grows
//! with what came of it and goes with it. Its reader is the twin in tests.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use crate::joined::room;

/// Longest message in bytes, of one frame or of several: 64 KiB, as of a body of `POST /lm`.
pub(super) const MESSAGE_BYTES_MAX: usize = crate::BODY_BYTES_MAX;

/// Longest payload of a ping, a pong or a close. Source: RFC 6455, §5.5, "125 bytes or less".
const CONTROL_BYTES_MAX: usize = 125;

/// Longest head of a frame: two bytes, eight of length, four of mask. Source: RFC 6455, §5.2.
const HEAD_BYTES_MAX: usize = 14;

/// Most frames of one message, which may be empty. Nobody who sends 64 KiB needs more.
const FRAMES_MAX: u32 = 1_024;

/// What came whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    Text(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    /// The peer closes, with this code.
    Close(Option<CloseCode>),
}

/// Why nothing more is read of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is no frame that a client may send.
    Protocol,
    /// A binary message.
    Binary,
    /// Text that is no UTF-8.
    Utf8,
    TooLarge,
}

impl Fault {
    /// Source: RFC 6455, §7.4.1.
    pub(super) fn code(self) -> CloseCode {
        match self {
            Self::Protocol => CloseCode::Protocol,
            Self::Binary => CloseCode::Unsupported,
            Self::Utf8 => CloseCode::Invalid,
            Self::TooLarge => CloseCode::Size,
        }
    }
}

/// The reader of one socket.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Bytes of a head that is not complete.
    head: [u8; HEAD_BYTES_MAX],
    n_head: usize,
    frame: Option<Frame>,
    /// Frames of the message whose end has not come, 0 if there is none.
    n_frames: u32,
    /// The message as far as it came.
    message: Vec<u8>,
    /// The payload of a control frame, which may stand between two frames of a message.
    control: Vec<u8>,
}

/// A frame whose end has not come.
#[derive(Debug)]
struct Frame {
    opcode: OpCode,
    is_final: bool,
    mask: [u8; 4],
    /// Bytes of it that came, and that are to come.
    n_came: usize,
    n_left: usize,
}

impl Frames {
    /// Takes bytes off `input` until something came whole; nothing if they were too few.
    ///
    /// # Errors
    /// If the peer must not be listened to any more.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Fault> {
        loop {
            let Some(mut frame) = self.frame.take() else {
                match self.head(input)? {
                    Some(frame) => self.frame = Some(frame),
                    None => return Ok(None),
                }
                continue;
            };
            let (now, rest) = input.split_at(frame.n_left.min(input.len()));
            *input = rest;
            let is_control = matches!(frame.opcode, OpCode::Control(_));
            let (payload, bytes_max) = match is_control {
                true => (&mut self.control, CONTROL_BYTES_MAX),
                false => (&mut self.message, MESSAGE_BYTES_MAX),
            };
            payload.reserve_exact(room(payload, now.len(), bytes_max) - payload.len());
            let masked = now.iter().zip(frame.n_came..);
            payload.extend(masked.map(|(byte, i)| byte ^ frame.mask[i % 4]));
            frame.n_came += now.len();
            frame.n_left -= now.len();
            if frame.n_left > 0 {
                self.frame = Some(frame);
                return Ok(None);
            }
            match frame.opcode {
                OpCode::Control(control) => return self.control(control).map(Some),
                OpCode::Data(_) if frame.is_final => return self.text().map(Some),
                OpCode::Data(_) => {}
            }
        }
    }

    /// Bytes that are kept until more come.
    pub(super) fn n_kept(&self) -> usize {
        self.message.capacity() + self.control.capacity()
    }

    /// The next frame, once its head is complete.
    fn head(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Fault> {
        let n = input.len().min(HEAD_BYTES_MAX - self.n_head);
        self.head[self.n_head..self.n_head + n].copy_from_slice(&input[..n]);
        let mut cursor = Cursor::new(&self.head[..self.n_head + n]);
        let Some((head, length)) = FrameHeader::parse(&mut cursor).map_err(|_| Fault::Protocol)?
        else {
            self.n_head += n;
            *input = &input[n..];
            return Ok(None);
        };
        let n_read = cursor.position() as usize;
        // Of a head that came in parts the first were taken off before.
        *input = &input[n_read - self.n_head..];
        self.n_head = 0;
        let (Some(mask), false) = (head.mask, head.rsv1 || head.rsv2 || head.rsv3) else {
            return Err(Fault::Protocol);
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        match head.opcode {
            OpCode::Control(_) if !head.is_final || length > CONTROL_BYTES_MAX => {
                return Err(Fault::Protocol);
            }
            OpCode::Control(_) => {}
            OpCode::Data(data) => {
                match (data, self.n_frames) {
                    (Data::Text, 0) | (Data::Continue, 1..) => {}
                    (Data::Binary, 0) => return Err(Fault::Binary),
                    _ => return Err(Fault::Protocol),
                }
                self.n_frames += 1;
                if length > MESSAGE_BYTES_MAX - self.message.len() || self.n_frames > FRAMES_MAX {
                    return Err(Fault::TooLarge);
                }
            }
        }
        let (opcode, is_final) = (head.opcode, head.is_final);
        Ok(Some(Frame { opcode, is_final, mask, n_came: 0, n_left: length }))
    }

    fn text(&mut self) -> Result<Event, Fault> {
        self.n_frames = 0;
        let message = std::mem::take(&mut self.message);
        match std::str::from_utf8(&message) {
            Ok(_) => Ok(Event::Text(message)),
            Err(_) => Err(Fault::Utf8),
        }
    }

    fn control(&mut self, control: Control) -> Result<Event, Fault> {
        let payload = std::mem::take(&mut self.control);
        match control {
            Control::Ping => Ok(Event::Ping(payload)),
            Control::Pong => Ok(Event::Pong),
            Control::Close => match payload.as_slice() {
                [] => Ok(Event::Close(None)),
                // Source: RFC 6455, §7.4: a code of two bytes that may be sent, and text.
                [high, low, reason @ ..] => {
                    let code = CloseCode::from(u16::from_be_bytes([*high, *low]));
                    if std::str::from_utf8(reason).is_err() {
                        return Err(Fault::Utf8);
                    }
                    if code.is_allowed() {
                        Ok(Event::Close(Some(code)))
                    } else {
                        Err(Fault::Protocol)
                    }
                }
                [_] => Err(Fault::Protocol),
            },
            Control::Reserved(_) => Err(Fault::Protocol),
        }
    }
}

/// Appends one frame as a server sends it.
pub(super) fn put(out: &mut Vec<u8>, opcode: OpCode, payload: &[u8]) {
    let head = FrameHeader { opcode, ..FrameHeader::default() };
    // A Vec takes everything.
    let _ = head.format(payload.len() as u64, out);
    out.extend_from_slice(payload);
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
