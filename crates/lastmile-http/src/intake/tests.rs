use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame};

use super::{Budget, Intake, Unread};

/// Frames as they are given, each possibly in pieces; `None` is an error of the transport.
struct Frames(VecDeque<Option<Frame<Pieces>>>);

type Pieces = bytes::buf::Chain<Bytes, Bytes>;

fn data(a: &'static str, b: &'static str) -> Option<Frame<Pieces>> {
    Some(Frame::data(Bytes::from_static(a.as_bytes()).chain(Bytes::from_static(b.as_bytes()))))
}

fn trailers() -> Option<Frame<Pieces>> {
    Some(Frame::trailers(http::HeaderMap::new()))
}

impl Body for Frames {
    type Data = Pieces;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Pieces>, &'static str>>> {
        Poll::Ready(self.0.pop_front().map(|frame| frame.ok_or("broken")))
    }
}

/// Reads a body of which nothing has to be waited for, where all bodies in flight have so many bytes.
#[track_caller]
fn read_at_once<B: Body<Data: Buf>>(
    body: B,
    bytes_max: usize,
    in_flight: usize,
) -> Result<Intake<B::Data>, Unread> {
    let budget = Budget::new(in_flight, in_flight);
    let (mut share, mut waits_since) = (budget.share(None), None);
    let body = std::pin::pin!(body);
    let read = std::pin::pin!(Intake::read(body, bytes_max, &mut share, &mut waits_since));
    let Poll::Ready(read) = read.poll(&mut Context::from_waker(std::task::Waker::noop())) else {
        panic!("no frame is pending");
    };
    read
}

#[track_caller]
fn check<const N: usize>(frames: [Option<Frame<Pieces>>; N], wanted: Result<(&str, &str), Unread>) {
    check_within(100, frames, wanted);
}

/// The same where all bodies in flight have so many bytes.
#[track_caller]
fn check_within<const N: usize>(
    in_flight: usize,
    frames: [Option<Frame<Pieces>>; N],
    wanted: Result<(&str, &str), Unread>,
) {
    let body = Frames(VecDeque::from(frames));
    let mut read = read_at_once(body, 8, in_flight);
    let kind = read.as_mut().map(|intake| {
        let kind = match intake {
            Intake::Empty => "empty",
            Intake::Whole(_) => "whole",
            Intake::Joined(_) => "joined",
        };
        (kind, std::str::from_utf8(intake.bytes()).expect("the frames are text"))
    });
    assert_eq!(kind.map_err(|unread| *unread), wanted);
}

#[test]
fn joins_only_what_came_in_pieces() {
    check([], Ok(("empty", "")));
    check([trailers()], Ok(("empty", "")));
    check([data("", "")], Ok(("empty", "")));
    check([data("abc", "")], Ok(("whole", "abc")));
    check([data("", "abc")], Ok(("whole", "abc")));
    check([data("", ""), data("abc", ""), data("", ""), trailers()], Ok(("whole", "abc")));
    check([data("ab", "c")], Ok(("joined", "abc")));
    check([data("ab", "c"), data("d", "e")], Ok(("joined", "abcde")));
    check([data("abc", ""), data("d", "e"), data("", "fgh")], Ok(("joined", "abcdefgh")));
}

#[test]
fn stops_at_the_cap() {
    check([data("abcdefgh", "")], Ok(("whole", "abcdefgh")));
    check([data("abcdefgh", "i")], Err(Unread::TooLarge));
    check([data("abcd", "efgh"), data("", ""), data("i", "")], Err(Unread::TooLarge));
    // Nothing after the frame that is too much is asked for.
    check([data("abcd", "efgh"), data("i", ""), None], Err(Unread::TooLarge));
}

#[test]
fn takes_what_came_from_the_budget() {
    check_within(3, [data("abc", "")], Ok(("whole", "abc")));
    check_within(2, [data("abc", ""), None], Err(Unread::Busy));
    // What is joined has room for as much again, but for no more than may come: 6 and 8 bytes.
    check_within(6, [data("ab", ""), data("c", "")], Ok(("joined", "abc")));
    check_within(5, [data("ab", ""), data("c", ""), None], Err(Unread::Busy));
    check_within(8, [data("abc", ""), data("def", ""), data("gh", "")], Ok(("joined", "abcdefgh")));
    check_within(7, [data("abc", ""), data("def", ""), None], Err(Unread::Busy));
    check_within(0, [data("", "")], Ok(("empty", "")));
    check_within(6, [data("abcdefghi", "")], Err(Unread::TooLarge));
}

/// One that is known to end with its first frame, as a transport says that knows the length.
#[test]
fn takes_nothing_for_what_came_whole() {
    for (body, in_flight, wanted) in [
        ("abcdefgh", 0, Ok("abcdefgh")),
        ("", 0, Ok("")),
        ("abcdefghi", 100, Err(Unread::TooLarge)),
    ] {
        let body = http_body_util::Full::new(Bytes::from_static(body.as_bytes()));
        let mut read = read_at_once(body, 8, in_flight);
        let text = read.as_mut().map(|intake| std::str::from_utf8(intake.bytes()).expect("text"));
        assert_eq!(text.map_err(|unread| *unread), wanted);
    }
}

#[test]
fn room_is_made_for_no_more_than_may_come() {
    let frame = || Some(Frame::data(Bytes::from_static(&[b' '; 1_000]).chain(Bytes::new())));
    for n_frames in 1..=64 {
        let body = Frames((0..n_frames).map(|_| frame()).collect());
        let Ok(read) = read_at_once(body, 64_000, 1 << 20) else { panic!("all fit") };
        assert_eq!(read.len(), n_frames * 1_000);
        let most = (2 * read.len()).min(64_000);
        assert!(read.room() <= most, "{} for {}", read.room(), read.len());
    }
}

#[test]
fn reports_a_broken_transport() {
    check([None], Err(Unread::Broken));
    check([data("abc", ""), None], Err(Unread::Broken));
}

#[test]
fn refuses_a_declared_length_unread() {
    struct Declared(u64);
    impl Body for Declared {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            assert!(self.0 <= 8, "a body that is too long is not read");
            Poll::Ready(None)
        }
        fn size_hint(&self) -> http_body::SizeHint {
            http_body::SizeHint::with_exact(self.0)
        }
    }
    for (declared, fits) in [(0, true), (8, true), (9, false), (u64::MAX, false)] {
        let read = read_at_once(Declared(declared), 8, 0);
        assert!(read.is_ok() == fits, "{declared} bytes declared");
    }
}

#[test]
fn the_clock_is_read_for_a_body_that_is_waited_for() {
    /// Nothing at first, so often, and then its end.
    struct Late(usize);
    impl Body for Late {
        type Data = Bytes;
        type Error = &'static str;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
            match self.0.checked_sub(1) {
                Some(left) => {
                    self.0 = left;
                    Poll::Pending
                }
                None => Poll::Ready(None),
            }
        }
    }
    for n_pending in 0..3 {
        let budget = Budget::new(0, 0);
        let (mut share, mut waits_since) = (budget.share(None), None);
        {
            let body = std::pin::pin!(Late(n_pending));
            let mut read = std::pin::pin!(Intake::read(body, 8, &mut share, &mut waits_since));
            let mut context = Context::from_waker(std::task::Waker::noop());
            for _ in 0..n_pending {
                assert!(read.as_mut().poll(&mut context).is_pending());
            }
            assert!(matches!(read.poll(&mut context), Poll::Ready(Ok(Intake::Empty))));
        }
        assert_eq!(waits_since.is_some(), n_pending > 0, "{n_pending} times pending");
    }
}
