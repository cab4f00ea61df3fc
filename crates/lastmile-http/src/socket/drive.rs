//! A WebSocket on its connection: one future, which holds no buffer while it waits.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Read, ReadBuf, Write};
use tungstenite::protocol::frame::coding::CloseCode;

use super::seats::Seat;
use super::session::Session;
use super::{Runtime, Task};
use crate::clock::Clock;

/// How long a peer may take to close in its turn. Browsers take a round trip.
const CLOSING: Duration = Duration::from_secs(2);

/// Bytes that are read at once, on the stack of whoever polls.
const READ_BYTES: usize = 4 << 10;

/// Reads between two looks at what else the thread has to do.
const READS_MAX: usize = 16;

pub(super) struct Drive<IO> {
    pub(super) io: IO,
    pub(super) session: Session,
    pub(super) seat: Seat,
    pub(super) runtime: Runtime,
    /// Silence after which the peer is asked whether it is there, and then once more before it is given up.
    pub(super) interval: Duration,
    pub(super) pulse: Pulse,
}

/// When the peer was last heard of.
#[derive(Default)]
pub(super) struct Pulse {
    sleep: Option<Task>,
    /// Something came since the last beat, or went after it could not.
    is_heard: bool,
    is_blocked: bool,
    is_asked: bool,
    /// The message that had come in part at the last beat.
    part: Option<u64>,
    /// What was written is not all flushed yet.
    is_to_flush: bool,
}

impl<IO: Read + Write + Unpin> Drive<IO> {
    /// Looks at the time; ready when the peer is given up.
    fn beat(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Self { runtime, interval, pulse, session, .. } = self;
            let time = if session.is_open() { *interval } else { CLOSING };
            let sleep = pulse.sleep.get_or_insert_with(|| (runtime.sleep)(time));
            ready!(sleep.as_mut().poll(cx));
            pulse.sleep = None;
            if !session.is_open() || (pulse.is_asked && !pulse.is_heard) {
                return Poll::Ready(());
            }
            let part = session.part();
            if part.is_some() && part == std::mem::replace(&mut pulse.part, part) {
                session.tire();
                continue;
            }
            pulse.is_asked = !std::mem::take(&mut pulse.is_heard);
            if pulse.is_asked {
                session.ping();
            }
        }
    }

    /// Begins the time for a close anew, if this one has just begun.
    fn closing(&mut self, was_open: bool) {
        if was_open && !self.session.is_open() {
            self.pulse.sleep = None;
        }
    }

    /// Sends all there is to send.
    fn write(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        while !self.session.out().is_empty() {
            let polled = Pin::new(&mut self.io).poll_write(cx, self.session.out());
            // Whoever did not read and now does is there; what the system's buffers take says nothing.
            self.pulse.is_heard |= self.pulse.is_blocked && polled.is_ready();
            self.pulse.is_blocked = polled.is_pending();
            let n = ready!(polled)?;
            if n == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            self.session.sent(n);
            self.pulse.is_to_flush = true;
        }
        if self.pulse.is_to_flush {
            // TLS takes more than the socket does.
            let polled = Pin::new(&mut self.io).poll_flush(cx);
            self.pulse.is_heard |= self.pulse.is_blocked && polled.is_ready();
            self.pulse.is_blocked = polled.is_pending();
            ready!(polled)?;
            self.pulse.is_to_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once; ready with whether there is more to come.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<bool>> {
        let mut bytes = [0; READ_BYTES];
        let mut buffer = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer.unfilled()))?;
        if buffer.filled().is_empty() {
            return Poll::Ready(Ok(false));
        }
        self.pulse.is_heard = true;
        self.session.receive(buffer.filled(), Clock::new().now());
        Poll::Ready(Ok(true))
    }
}

impl<IO: Read + Write + Unpin> Future for Drive<IO> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        for _ in 0..READS_MAX {
            if this.session.is_open() && this.seat.poll_closed(cx) {
                this.session.close(CloseCode::Away, Clock::new().now());
                this.closing(true);
            }
            // Before the others, so that a peer that keeps them busy is timed too.
            if this.beat(cx).is_ready() {
                return Poll::Ready(());
            }
            // The next message is not read before the answers to those before it went out.
            match ready!(this.write(cx)) {
                Ok(()) if this.session.is_closed() => {
                    return Pin::new(&mut this.io).poll_shutdown(cx).map(drop);
                }
                Ok(()) => {}
                Err(_) => return Poll::Ready(()),
            }
            let was_open = this.session.is_open();
            if this.session.has_rest() {
                this.session.resume(Clock::new().now());
            } else {
                match ready!(this.read(cx)) {
                    Ok(true) => {}
                    // It went without a word, or broke off.
                    Ok(false) | Err(_) => return Poll::Ready(()),
                }
            }
            this.closing(was_open);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
