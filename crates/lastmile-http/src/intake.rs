//! Reading a request's body under a cap, without copying one that came in one piece.

use std::pin::Pin;
use std::time::Instant;

use bytes::Buf;
use http_body::Body;

use crate::budget::{Budget, Share};
use crate::joined::Joined;

/// Longest body of a push, in bytes as sent: 64 KiB. One byte more is answered 413.
///
/// Browsers hold `sendBeacon` and `fetch` with `keepalive` to the same 65,536 bytes.
/// Source: Fetch, §HTTP-network-or-cache fetch, "64 kibibytes".
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Longest body of a push once it is inflated, in bytes: 256 KiB, four times what may be sent.
pub const INFLATED_BYTES_MAX: usize = 256 * 1024;

/// Longest body of Prometheus text, or of OTLP, in bytes as sent: 4 MiB. A page's registry has some kilobytes; a
/// server's that pushes what it counted has more.
pub const TEXT_BYTES_MAX: usize = 4 << 20;

/// Longest body of Prometheus text, or of OTLP, once it is inflated, in bytes: 16 MiB.
pub const TEXT_INFLATED_BYTES_MAX: usize = 16 << 20;

/// Longest body in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caps {
    /// As sent.
    pub(crate) sent: usize,
    /// Inflated.
    pub(crate) inflated: usize,
}

impl Caps {
    /// Those of Prometheus text unless the options say otherwise.
    pub(crate) const TEXT: Self = Self { sent: TEXT_BYTES_MAX, inflated: TEXT_INFLATED_BYTES_MAX };

    /// The same where all bodies together may have so many bytes.
    pub(crate) fn within(self, bytes: usize) -> Self {
        let sent = self.sent.min(bytes / 2);
        Self { sent, inflated: self.inflated.min(bytes - sent) }
    }

    /// What a compressed body takes, as sent and inflated.
    pub(crate) fn both(self) -> usize {
        self.sent.saturating_add(self.inflated)
    }
}

impl Default for Caps {
    fn default() -> Self {
        Self { sent: BODY_BYTES_MAX, inflated: INFLATED_BYTES_MAX }
    }
}

/// A body in memory, as it came.
pub(crate) enum Intake<D> {
    Empty,
    /// One frame whose bytes lie in one place.
    Whole(D),
    /// Several frames, or one in pieces, copied together.
    Joined(Joined),
}

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is longer than the cap.
    TooLarge,
    /// The transport broke off, or what it carried was no HTTP.
    Broken,
    /// All bodies in flight leave it no room.
    Busy,
}

impl<D: Buf> Intake<D> {
    /// Reads all of `body`, at most `bytes_max` bytes. Room for them is taken from `share` as they come, before it is
    /// made: a length that is only declared takes nothing from others. Nor does a body that ends with its first frame,
    /// if it has no more than 16 KiB once inflated: it is applied before anything is waited for again, so whoever sends
    /// bodies that never end cannot use up the room of those that come whole.
    ///
    /// A length that is declared and too large is refused before anything is read; one that is not
    /// declared is refused at the first frame that exceeds the cap. `waits_since` is set where it has to be waited for.
    pub(crate) async fn read<B>(
        mut body: Pin<&mut B>,
        bytes_max: usize,
        share: &mut Share<&Budget>,
        waits_since: &mut Option<Instant>,
    ) -> Result<Self, Unread>
    where
        B: Body<Data = D>,
    {
        if body.size_hint().lower() > bytes_max as u64 {
            return Err(Unread::TooLarge);
        }
        let mut intake = Self::Empty;
        while let Some(data) = next_data(body.as_mut(), waits_since).await? {
            let is_all = matches!(intake, Self::Empty) && body.is_end_stream();
            intake = intake.join(data, bytes_max, if is_all { None } else { Some(&mut *share) })?;
            // A transport that knows the length says so here, which saves it a wake-up.
            if body.is_end_stream() {
                break;
            }
        }
        Ok(intake)
    }

    /// Takes one frame more; what it makes room for comes from `share`, if there is one.
    fn join(
        self,
        mut data: D,
        bytes_max: usize,
        mut share: Option<&mut Share<&Budget>>,
    ) -> Result<Self, Unread> {
        let more = data.remaining();
        if more > bytes_max - self.len() {
            return Err(Unread::TooLarge);
        }
        if more == 0 {
            return Ok(self);
        }
        let mut hold = |bytes| {
            let fits = share.as_mut().is_none_or(|share| share.take_up_to(bytes));
            if fits { Ok(()) } else { Err(Unread::Busy) }
        };
        let (first, mut joined) = match self {
            Self::Empty if data.chunk().len() == more => {
                hold(more)?;
                return Ok(Self::Whole(data));
            }
            Self::Empty => (None, Joined::default()),
            Self::Whole(first) => (Some(first), Joined::default()),
            Self::Joined(joined) => (None, joined),
        };
        let first = first.as_ref().map_or(&[][..], Buf::chunk);
        hold(joined.room_with(first.len() + more, bytes_max))?;
        joined.extend(first, bytes_max);
        while data.has_remaining() {
            let chunk = data.chunk();
            joined.extend(chunk, bytes_max);
            let n = chunk.len();
            data.advance(n);
        }
        Ok(Self::Joined(joined))
    }

    /// Its bytes, copied only where they are the transport's.
    pub(crate) fn into_joined(self) -> Joined {
        match self {
            Self::Empty => Joined::default(),
            Self::Whole(data) => data.chunk().to_vec().into(),
            Self::Joined(joined) => joined,
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Whole(data) => data.remaining(),
            Self::Joined(joined) => joined.len(),
        }
    }

    /// Bytes of memory that it holds.
    pub(crate) fn room(&self) -> usize {
        match self {
            Self::Joined(joined) => joined.room(),
            other => other.len(),
        }
    }

    /// All of it in one place, where a long one is copied to.
    pub(crate) fn bytes(&mut self) -> &[u8] {
        match self {
            Self::Empty => &[],
            Self::Whole(data) => D::chunk(data),
            Self::Joined(joined) => joined.bytes(),
        }
    }
}

/// The next frame's data; trailers are passed over.
async fn next_data<B: Body>(
    mut body: Pin<&mut B>,
    waits_since: &mut Option<Instant>,
) -> Result<Option<B::Data>, Unread> {
    loop {
        let next = std::future::poll_fn(|cx| {
            let next = body.as_mut().poll_frame(cx);
            if next.is_pending() {
                waits_since.get_or_insert_with(Instant::now);
            }
            next
        });
        match next.await {
            None => return Ok(None),
            Some(Err(_)) => return Err(Unread::Broken),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
