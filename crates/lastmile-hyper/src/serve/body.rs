use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::watch::Watch;

/// The body of a request that [`serve()`](crate::serve()) took: hyper's own, under a timeout.
#[derive(Debug)]
pub struct RequestBody {
    inner: Incoming,
    /// `None` once it was read to its end.
    watched: Option<Watched>,
}

/// One request of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    watch: Arc<Watch>,
    request: u32,
}

impl Watched {
    /// The head of `request` is complete.
    pub(crate) fn begin(
        watch: &Arc<Watch>,
        request: Request<Incoming>,
    ) -> (Self, Request<RequestBody>) {
        let has_body = !request.body().is_end_stream();
        let watched = Self { request: watch.begin(has_body), watch: watch.clone() };
        let of_body = has_body.then(|| watched.clone());
        (watched, request.map(|inner| RequestBody { inner, watched: of_body }))
    }

    pub(crate) fn answer<B>(self, mut answer: Response<B>) -> Response<AnswerBody<B>> {
        if self.watch.is_closing() {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer.map(|inner| AnswerBody { inner, watched: self })
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Some(Watched { watch, request }) = &self.watched {
            let is_end = match &polled {
                Poll::Pending => {
                    watch.body_awaited(*request);
                    false
                }
                Poll::Ready(Some(Ok(_))) => self.inner.is_end_stream(),
                Poll::Ready(None) => true,
                // What is left of it is never read.
                Poll::Ready(Some(Err(_))) => false,
            };
            if is_end {
                watch.body_done(*request);
                self.watched = None;
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(Watched { watch, request }) = &self.watched {
            watch.body_left(*request);
        }
    }
}

/// The body of an answer, which marks its end.
#[derive(Debug)]
pub(crate) struct AnswerBody<B> {
    inner: B,
    watched: Watched,
}

impl<B: Body + Unpin> Body for AnswerBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> Drop for AnswerBody<B> {
    fn drop(&mut self) {
        self.watched.watch.answered(self.watched.request);
    }
}
