//! What one connection waits for, as seen from around hyper.
//!
//! The socket, the service and the bodies of a connection mark here what happens to them, a store each.
//! The connection's task looks once a poll, and reads the clock and moves its one timer only if what it
//! waits for has changed. So a request that comes and goes within one poll costs one reading of the clock.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

/// All of it is read by the task that makes the connection's progress. A body may be read by another task;
/// what it marks is then seen a little later. Nothing else is published with any of it, so relaxed.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    phase: AtomicU8,
    body: AtomicU8,
    n_requests: AtomicU32,
    is_blocked: AtomicBool,
    n_writes: AtomicU32,
    is_closing: AtomicBool,
    has_had_turn: AtomicBool,
    n_prompt: AtomicU8,
    n_read: AtomicU32,
    n_read_in_turn: AtomicU32,
}

/// How often a connection is polled at once for an answer that it got: for a head, for a body, for a handler that
/// waited for something, and for a reader who had to take something first.
const PROMPT_POLLS: u8 = 4;

/// Longest request whose connection is prompt behind it, in bytes: what is decoded at once, and two reads.
const PROMPT_BYTES: u32 = 16 << 10;

/// Most bytes that a connection reads in a poll, some 30 µs. Others have their turns before it reads on.
const TURN_BYTES: u32 = 64 << 10;

// Phases.
/// Nothing came yet.
const NEW: u8 = 0;
/// All requests are answered, and nothing came since.
const IDLE: u8 = 1;
/// A head began.
const HEAD: u8 = 2;
/// A request is with its handler, or its answer is on its way.
const REQUEST: u8 = 3;
/// The answer is out; what is left of the input is taken for a while.
const LINGER: u8 = 4;

// Bodies of requests.
/// Read to its end, or there is none.
const DONE: u8 = 0;
/// The handler has it and did not have to wait for it.
const UNREAD: u8 = 1;
/// The handler waits for it, or did before.
const AWAITED: u8 = 2;
/// The handler let go of it before its end.
const LEFT: u8 = 3;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Head,
    Body,
    /// A handler that does not read its body yet.
    Reader,
    Handler,
    Write,
    Idle,
    Linger,
}

impl Watch {
    /// What is waited for now, and a number that tells it from an earlier wait of the same kind.
    pub(crate) fn wait(&self) -> (Wait, u32) {
        if self.is_blocked.load(Ordering::Relaxed) {
            return (Wait::Write, self.n_writes.load(Ordering::Relaxed));
        }
        let phase = self.phase.load(Ordering::Relaxed);
        let wait = match (phase, self.body.load(Ordering::Relaxed)) {
            (LINGER, _) => Wait::Linger,
            (_, AWAITED) => Wait::Body,
            (_, UNREAD) => Wait::Reader,
            (REQUEST, _) => Wait::Handler,
            // What of a pipelined head came with the request before it is not seen here: such a head has
            // the idle time, and from its next byte on the time for a head.
            (IDLE, _) => Wait::Idle,
            // A connection's first head has its time from the start, and its first byte gives it no more.
            _ => Wait::Head,
        };
        (wait, self.n_requests.load(Ordering::Relaxed))
    }

    /// Bytes came in.
    pub(crate) fn received(&self, n: usize) {
        // Of one read.
        let n = n as u32;
        self.n_read_in_turn
            .store(self.n_read_in_turn.load(Ordering::Relaxed) + n, Ordering::Relaxed);
        let n_read = self.n_read.load(Ordering::Relaxed).saturating_add(n);
        self.n_read.store(n_read, Ordering::Relaxed);
        if n_read > PROMPT_BYTES {
            self.n_prompt.store(0, Ordering::Relaxed);
        }
        if matches!(self.phase.load(Ordering::Relaxed), NEW | IDLE) {
            self.phase.store(HEAD, Ordering::Relaxed);
        }
    }

    /// Bytes went out, or there are none that could.
    pub(crate) fn written(&self) {
        if self.is_blocked.load(Ordering::Relaxed) {
            self.is_blocked.store(false, Ordering::Relaxed);
            self.n_writes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The peer takes no more for now.
    pub(crate) fn blocked(&self) {
        self.is_blocked.store(true, Ordering::Relaxed);
    }

    /// A head is complete; gives the request's number on this connection.
    pub(crate) fn begin(&self, has_body: bool) -> u32 {
        self.phase.store(REQUEST, Ordering::Relaxed);
        self.body.store(if has_body { UNREAD } else { DONE }, Ordering::Relaxed);
        self.n_requests.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    pub(crate) fn body_awaited(&self, request: u32) {
        self.body(request, AWAITED);
    }

    pub(crate) fn body_done(&self, request: u32) {
        self.body(request, DONE);
    }

    pub(crate) fn body_left(&self, request: u32) {
        self.body(request, LEFT);
    }

    /// A handler may hold the end of a body for longer than its request lasts.
    fn body(&self, request: u32, state: u8) {
        if self.n_requests.load(Ordering::Relaxed) == request {
            self.body.store(state, Ordering::Relaxed);
        }
    }

    /// The answer was given to the last byte.
    pub(crate) fn answered(&self, request: u32) {
        if self.n_requests.load(Ordering::Relaxed) == request {
            self.phase.store(IDLE, Ordering::Relaxed);
            if self.n_read.swap(0, Ordering::Relaxed) <= PROMPT_BYTES {
                self.n_prompt.store(PROMPT_POLLS, Ordering::Relaxed);
            }
        }
    }

    /// Whether the connection is polled at once, which it is so often only until it is answered again. It is
    /// not one that is new, sends slowly, sends much, or many requests at once.
    pub(crate) fn is_prompt(&self) -> bool {
        let n = self.n_prompt.load(Ordering::Relaxed);
        self.n_prompt.store(n.saturating_sub(1), Ordering::Relaxed);
        n > 0
    }

    /// Whether so much was read that it is others' turn; says so once.
    pub(crate) fn has_read_enough(&self) -> bool {
        let is_enough = self.n_read_in_turn.load(Ordering::Relaxed) >= TURN_BYTES;
        if is_enough {
            self.n_read_in_turn.store(0, Ordering::Relaxed);
        }
        is_enough
    }

    /// The connection's task is polled.
    pub(crate) fn begin_turn(&self) {
        self.has_had_turn.store(false, Ordering::Relaxed);
        self.n_read_in_turn.store(0, Ordering::Relaxed);
    }

    /// Whether a request is the first in this poll of its connection's task. Another waits for the next.
    pub(crate) fn takes_turn(&self) -> bool {
        let is_first = !self.has_had_turn.swap(true, Ordering::Relaxed);
        if !is_first {
            self.n_prompt.store(0, Ordering::Relaxed);
        }
        is_first
    }

    /// Whether a head has begun and is not complete.
    pub(crate) fn is_in_head(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == HEAD
    }

    /// The next answer is the last.
    pub(crate) fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed)
    }

    /// The connection ends; says whether its peer may still be sending.
    pub(crate) fn linger(&self) -> bool {
        let is_in_head = self.phase.swap(LINGER, Ordering::Relaxed) == HEAD;
        is_in_head || self.body.load(Ordering::Relaxed) != DONE
    }
}
