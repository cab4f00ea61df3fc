use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Method, Response};
use http_body::{Body, Frame, SizeHint};

use crate::scrape::ScrapeStream;

/// The body of an answer: nothing, one piece, or a scrape that is encoded as it is sent.
///
/// A scrape gives at most 64 KiB a frame and encodes, and compresses, the next one only when it is asked
/// for it, so a slow reader costs one frame; a compressed one keeps a chunk and its compressor besides,
/// some 400 KiB. It counts as complete when its end was reached, and as aborted when
/// it is dropped before.
pub struct ResponseBody(Repr);

enum Repr {
    Empty,
    Full(Bytes),
    /// Boxed, because the other two are what most answers have.
    Scrape(Box<ScrapeStream>),
}

impl ResponseBody {
    pub(crate) fn empty() -> Self {
        Self(Repr::Empty)
    }

    pub(crate) fn full(bytes: impl Into<Bytes>) -> Self {
        Self(Repr::Full(bytes.into()))
    }

    pub(crate) fn scrape(scrape: ScrapeStream) -> Self {
        Self(Repr::Scrape(Box::new(scrape)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = match std::mem::replace(&mut self.0, Repr::Empty) {
            Repr::Empty => None,
            Repr::Full(bytes) => Some(bytes).filter(|bytes| !bytes.is_empty()),
            Repr::Scrape(scrape) => match scrape.next_frame() {
                Some((frame, rest)) => {
                    self.0 = Repr::Scrape(rest);
                    Some(frame)
                }
                None => None,
            },
        };
        Poll::Ready(frame.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Repr::Empty => true,
            Repr::Full(bytes) => bytes.is_empty(),
            // Its end is where it is completed, so it must be reached.
            Repr::Scrape(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Repr::Empty => SizeHint::with_exact(0),
            Repr::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Repr::Scrape(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.0 {
            Repr::Empty => "empty",
            Repr::Full(_) => "full",
            Repr::Scrape(_) => "scrape",
        };
        f.debug_tuple("ResponseBody").field(&name).finish()
    }
}

/// `HEAD` is answered with the headers of `GET`, its length among them.
pub(crate) fn without_body_for_head(
    mut response: Response<ResponseBody>,
    method: &Method,
) -> Response<ResponseBody> {
    if method == Method::HEAD {
        let length = response.body().size_hint().lower();
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
        *response.body_mut() = ResponseBody::empty();
    }
    response
}
