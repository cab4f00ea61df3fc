use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};

use super::RequestInFlight;

/// The body of an answer that is measured: as it was, and the request ends with it.
///
/// It allocates nothing by itself; axum boxes it, as it does any body that is not its own. A `Body` only if the
/// one within is `Unpin`, as bodies of `hyper`, `http-body-util` and `axum` are; box another.
pub struct MeasuredBody<B> {
    body: B,
    in_flight: Option<RequestInFlight>,
}

impl<B> MeasuredBody<B> {
    pub(super) fn new(body: B, in_flight: RequestInFlight) -> Self {
        Self { body, in_flight: Some(in_flight) }
    }
}

impl<B: Body + Unpin> Body for MeasuredBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.in_flight = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> fmt::Debug for MeasuredBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_ended = self.in_flight.is_none();
        f.debug_struct("MeasuredBody").field("has_ended", &has_ended).finish_non_exhaustive()
    }
}
