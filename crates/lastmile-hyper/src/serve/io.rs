use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, Take};

use super::places::Place;
use super::watch::Watch;

/// Most bytes taken off a connection after its answer: what a push may have at most, by any path.
const LINGER_BYTES_MAX: usize = 4 << 20;

/// Bytes of those that are taken in one turn, some microseconds. Others have theirs before the next: a hundred
/// peers who send as fast as they can would else hold everyone up by some 30 ms, as long as it lasts.
const DRAINED_AT_ONCE: usize = 16 << 10;

/// Most bytes of one read. hyper doubles the buffer of a connection, up to the most that it may have, as
/// often as a read fills it, and keeps it for as long as the connection lasts; with one byte less than 8 KiB
/// a read it stays at 8 KiB, where a thousand connections that send fast would have 96 MiB.
/// Source: hyper 1.12, `proto::h1::io::ReadStrategy`, `INIT_BUFFER_SIZE` 8192.
const READ_BYTES_MAX: u64 = (8 << 10) - 1;

/// A socket that marks in a [`Watch`] what it does, and holds its place as long as it is there, which is
/// longer than its connection where that is upgraded.
#[derive(Debug)]
pub(crate) struct Io<T> {
    inner: Take<T>,
    watch: Arc<Watch>,
    _place: Place,
    is_at_end: bool,
    is_shut: bool,
    n_drained: usize,
}

impl<T: AsyncRead> Io<T> {
    pub(crate) fn new(inner: T, watch: Arc<Watch>, place: Place) -> Self {
        let inner = inner.take(READ_BYTES_MAX);
        Self { inner, watch, _place: place, is_at_end: false, is_shut: false, n_drained: 0 }
    }

    /// The socket without a limit.
    fn socket(&mut self) -> Pin<&mut T>
    where
        T: Unpin,
    {
        Pin::new(self.inner.get_mut())
    }

    fn mark<R>(&self, polled: Poll<R>) -> Poll<R> {
        match polled {
            Poll::Ready(_) => self.watch.written(),
            Poll::Pending => self.watch.blocked(),
        }
        polled
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Io<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.watch.has_read_enough() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        self.inner.set_limit(READ_BYTES_MAX);
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if let Poll::Ready(Ok(())) = polled {
            let n = buf.filled().len() - before;
            if n > 0 {
                self.watch.received(n);
            } else if buf.remaining() > 0 {
                self.is_at_end = true;
            }
        }
        polled
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Io<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = self.socket().poll_write(cx, buf);
        self.mark(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = self.socket().poll_write_vectored(cx, bufs);
        self.mark(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.get_ref().is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.socket().poll_flush(cx);
        self.mark(polled)
    }

    /// Closes the sending half, then takes what a peer still sends that was answered before its body
    /// ended. If it was not taken, the system would answer it with a reset, and that makes the peer's own
    /// system throw away the answer that it has not read yet.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut {
            let polled = self.socket().poll_shutdown(cx);
            ready!(self.mark(polled))?;
            self.is_shut = true;
            if !self.watch.linger() {
                self.is_at_end = true;
            }
        }
        if self.is_at_end || self.n_drained >= LINGER_BYTES_MAX {
            return Poll::Ready(Ok(()));
        }
        let mut waste = [0; DRAINED_AT_ONCE];
        let mut waste = ReadBuf::new(&mut waste);
        // The answer is out, so an error is no news.
        self.is_at_end =
            ready!(self.socket().poll_read(cx, &mut waste)).is_err() || waste.filled().is_empty();
        self.n_drained += waste.filled().len();
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
