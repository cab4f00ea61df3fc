//! One WebSocket without its socket: bytes that came in, bytes that are to go out.

use std::sync::Arc;

use http::HeaderMap;
use lastmile::{Aggregator, DecodeError, Format, PushReport, RequestRefusal, Timestamp};
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use super::frames::{Event, Frames, put};
use crate::budget::{Budget, Share};
use crate::caught::caught;
use crate::gate::Admitted;
use crate::json::Object;
use crate::options::PublicRules;
use crate::path::Labels;
use crate::push::Plain;
use crate::report;

/// Once so much is to go out, no further message is looked at until some of it went.
const OUT_BYTES_MAX: usize = 4 << 10;

/// What was counted of the pushes of one socket, and what its client is told.
///
/// Nothing is kept between two messages but who the client is, so that a silent socket costs little.
pub(super) struct Session {
    aggregator: Aggregator,
    rules: Arc<PublicRules>,
    admitted: Admitted,
    /// What of the request's head each push needs.
    headers: HeaderMap,
    frames: Frames,
    /// For what came of a message whose end did not.
    share: Option<Share<Arc<Budget>>>,
    /// Messages that came whole.
    n_messages: u64,
    /// Bytes that came and wait until those before them are answered.
    rest: Vec<u8>,
    out: Vec<u8>,
    n_sent: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// A close was said first by this side; the peer's is waited for.
    Closing,
    /// Nothing that the peer sends is looked at any more.
    Deaf,
    /// Both sides said so.
    Closed,
}

impl Session {
    pub(super) fn new(
        aggregator: Aggregator,
        rules: Arc<PublicRules>,
        admitted: Admitted,
        headers: HeaderMap,
    ) -> Self {
        Self {
            aggregator,
            rules,
            admitted,
            headers,
            frames: Frames::default(),
            share: None,
            n_messages: 0,
            rest: Vec::new(),
            out: Vec::new(),
            n_sent: 0,
            state: State::Open,
        }
    }

    /// What is to be sent.
    pub(super) fn out(&self) -> &[u8] {
        &self.out[self.n_sent..]
    }

    /// So much of it went out. When all of it has, its room goes too.
    pub(super) fn sent(&mut self, n: usize) {
        self.n_sent += n;
        if self.n_sent == self.out.len() {
            (self.out, self.n_sent) = (Vec::new(), 0);
        }
    }

    /// Bytes that came wait for room in what goes out.
    pub(super) fn has_rest(&self) -> bool {
        !self.rest.is_empty()
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether the connection is to be closed, once all is sent.
    pub(super) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Takes what came in, message by message; what is left once too much is to go out waits.
    pub(super) fn receive(&mut self, mut input: &[u8], now: Timestamp) {
        debug_assert!(self.rest.is_empty(), "what came before goes first");
        self.read(&mut input, now);
        self.rest = input.to_vec();
    }

    /// Goes on with what waits.
    pub(super) fn resume(&mut self, now: Timestamp) {
        let rest = std::mem::take(&mut self.rest);
        self.receive(&rest, now);
    }

    fn read(&mut self, input: &mut &[u8], now: Timestamp) {
        while self.out().len() < OUT_BYTES_MAX {
            if matches!(self.state, State::Deaf | State::Closed) {
                *input = &[];
                return;
            }
            match self.frames.next(input) {
                Ok(Some(event)) => self.event(event, now),
                Ok(None) => return self.hold(),
                Err(fault) => return self.deafen(fault.code(), input),
            }
        }
    }

    fn event(&mut self, event: Event, now: Timestamp) {
        match (event, self.state) {
            (Event::Text(text), State::Open) => self.text(&text, now),
            (Event::Ping(payload), State::Open) => {
                put(&mut self.out, OpCode::Control(Control::Pong), &payload);
            }
            (Event::Close(code), State::Open) => {
                self.say_close(code);
                self.state = State::Closed;
            }
            (Event::Close(_), _) => self.state = State::Closed,
            // What comes behind our close was not counted, and is not answered: whoever sent it sends it again.
            (Event::Text(_) | Event::Ping(_) | Event::Pong, _) => {}
        }
    }

    /// Accounts for what came of a message while the rest of it is waited for.
    fn hold(&mut self) {
        let n_kept = self.frames.n_kept();
        if n_kept == 0 {
            self.share = None;
            return;
        }
        let budget = &self.rules.budget;
        let client = self.admitted.client.addr.map(lastmile::Source::prefix_of);
        let share = self.share.get_or_insert_with(|| budget.share(client).into_owned(budget));
        if !share.take_up_to(n_kept) {
            self.aggregator.refuse_request(RequestRefusal::Busy);
            self.frames = Frames::default();
            self.deafen(CloseCode::Again, &mut &[][..]);
        }
    }

    /// Decodes and applies the lines of a message, and answers.
    fn text(&mut self, text: &[u8], now: Timestamp) {
        self.n_messages += 1;
        let Self { aggregator, rules, admitted, headers, .. } = self;
        self.share = None;
        let answer = match rules.gate.take(headers, admitted.client, now) {
            Err(secs) => {
                aggregator.refuse_request(RequestRefusal::Rate);
                Object::new().strings("ack", [].into_iter()).number("retry_after", secs)
            }
            Ok(()) => {
                let plain =
                    Plain { format: Format::Lm1, admitted: *admitted, tells_ids: true, now };
                let (gate, labels) = (&rules.gate, &Labels::default());
                let pushed =
                    caught(|| Ok(plain.apply(aggregator, gate, headers, "", labels, text)));
                match pushed {
                    Ok(pushed) => answer(text, &pushed),
                    Err(problem) => {
                        problem.why().into_iter().for_each(|why| aggregator.refuse_request(why));
                        return self.deafen(CloseCode::Error, &mut &[][..]);
                    }
                }
            }
        };
        put(&mut self.out, OpCode::Data(Data::Text), answer.finish().as_bytes());
    }

    /// Which message has come in part, if one has.
    pub(super) fn part(&self) -> Option<u64> {
        self.share.as_ref().map(|_| self.n_messages)
    }

    /// Gives up a peer that does not end its message: what came of it takes room from all others.
    pub(super) fn tire(&mut self) {
        self.frames = Frames::default();
        self.deafen(CloseCode::Policy, &mut &[][..]);
    }

    pub(super) fn ping(&mut self) {
        if self.is_open() && self.out().is_empty() {
            put(&mut self.out, OpCode::Control(Control::Ping), &[]);
        }
    }

    /// Closes in good order: what was read is applied, and what comes from now on is not.
    pub(super) fn close(&mut self, code: CloseCode, now: Timestamp) {
        if !self.is_open() {
            return;
        }
        // What waits for room has been read. Its answers are as many as one read can bring.
        let rest = std::mem::take(&mut self.rest);
        let mut input = rest.as_slice();
        while self.is_open() {
            match self.frames.next(&mut input) {
                Ok(Some(event)) => self.event(event, now),
                Ok(None) => break,
                Err(fault) => return self.deafen(fault.code(), &mut input),
            }
        }
        if self.is_open() {
            self.say_close(Some(code));
            self.state = State::Closing;
        }
    }

    /// Says why nothing more is read.
    fn deafen(&mut self, code: CloseCode, input: &mut &[u8]) {
        if self.is_open() {
            self.say_close(Some(code));
        }
        (self.state, self.share, *input) = (State::Deaf, None, &[]);
    }

    fn say_close(&mut self, code: Option<CloseCode>) {
        let code = code.map(|code| u16::from(code).to_be_bytes());
        let payload = code.as_ref().map_or(&[][..], |code| &code[..]);
        put(&mut self.out, OpCode::Control(Control::Close), payload);
    }
}

/// What a client is told of one message: `{"ack":["id",…]}`, and which lines failed.
fn answer(text: &[u8], pushed: &Result<PushReport, DecodeError>) -> Object {
    match pushed {
        Ok(report) => {
            let answer = Object::new().strings("ack", report.ids());
            if report.failed_lines().is_empty() {
                return answer;
            }
            let failed =
                report.failed_lines().iter().map(|line| report::failed(line.line(), line.error()));
            answer.array("failed", failed)
        }
        // Of lines that all failed the first is told.
        Err(error) => {
            let before = &text[..error.offset().min(text.len())];
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            let failed = [report::failed(line, *error)];
            Object::new().strings("ack", [].into_iter()).array("failed", failed.into_iter())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;
    use crate::caught::tests::{aggregator, value, where_pushes_panic};
    use crate::gate::Client;

    #[test]
    fn a_panic_closes_the_socket_and_is_counted() {
        let text = r#"{"lm":1,"m":{"loads_total":1}}"#;
        // Masked by 0, as a client may.
        let frame = [&[0x81, 0x80 | text.len() as u8, 0, 0, 0, 0], text.as_bytes()].concat();
        let agg = aggregator();
        let session = || {
            let client = Client { addr: None, by_proxy: false };
            let (admitted, rules) = (Admitted { client, key: None }, PublicRules::default());
            Session::new(agg.clone(), Arc::new(rules), admitted, HeaderMap::new())
        };
        let (mut panics, twice) = (session(), frame.repeat(2));
        let panics = where_pushes_panic(move || {
            panics.receive(&twice, Clock::new().now());
            panics
        });
        let close = [0x88, 2, (1011 >> 8) as u8, (1011 & 0xff) as u8];
        assert_eq!((panics.out(), panics.is_open()), (&close[..], false), "no second is read");
        let count = "lastmile_requests_refused_total{reason=\"panic\"}";
        assert_eq!((value(&agg, count), value(&agg, "loads_total")), ("1".into(), "0".into()));

        let mut next = session();
        next.receive(&frame, Clock::new().now());
        assert_eq!(next.out(), [&[0x81, 10][..], br#"{"ack":[]}"#].concat());
        assert_eq!(value(&agg, "loads_total"), "1");
    }
}
