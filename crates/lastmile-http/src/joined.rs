//! A body that came in several frames, in memory until its end is there.

/// Bytes of a piece. A body grows within its first by doubling, and from then on by a piece: one of 4 MiB is never
/// copied to make room, has no more room than a piece too much, and leaves holes that the next one fits into.
const PIECE_BYTES: usize = 64 << 10;

/// Bytes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    /// Each of `PIECE_BYTES`.
    full: Vec<Vec<u8>>,
    /// What is behind them; all of it once it was asked for in one.
    last: Vec<u8>,
}

impl Joined {
    pub(crate) fn len(&self) -> usize {
        self.full.len() * PIECE_BYTES + self.last.len()
    }

    /// Bytes of memory, as there are now.
    pub(crate) fn room(&self) -> usize {
        self.full.len() * PIECE_BYTES + self.last.capacity()
    }

    /// Bytes of memory, as there are to be with `more` bytes, of at most `bytes_max` in all. A body that is held for
    /// long, one byte before its end, takes no more than twice its bytes.
    pub(crate) fn room_with(&self, more: usize, bytes_max: usize) -> usize {
        let needed = self.len() + more;
        let grown = match needed {
            _ if needed <= self.room() => self.room(),
            0..PIECE_BYTES => room(&self.last, more, PIECE_BYTES),
            _ => needed.next_multiple_of(PIECE_BYTES),
        };
        grown.min(bytes_max.max(self.room()))
    }

    /// Adds bytes behind the others, as [`room_with`](Self::room_with) says.
    pub(crate) fn extend(&mut self, mut bytes: &[u8], bytes_max: usize) {
        while !bytes.is_empty() {
            if self.last.len() == PIECE_BYTES {
                self.full.push(std::mem::take(&mut self.last));
            }
            let now = bytes.split_off(..bytes.len().min(PIECE_BYTES - self.last.len()));
            let now = now.unwrap_or_default();
            let before = self.full.len() * PIECE_BYTES;
            let room = self.room_with(now.len(), bytes_max) - before;
            self.last.reserve_exact(room - self.last.len());
            self.last.extend_from_slice(now);
        }
    }

    /// All of it in one place. A piece is given back as soon as it is copied.
    pub(crate) fn bytes(&mut self) -> &[u8] {
        if !self.full.is_empty() {
            let mut all = Vec::with_capacity(self.len());
            let pieces = std::mem::take(&mut self.full);
            pieces.into_iter().for_each(|piece| all.extend_from_slice(&piece));
            all.extend_from_slice(&self.last);
            self.last = all;
        }
        &self.last
    }
}

impl From<Vec<u8>> for Joined {
    fn from(all: Vec<u8>) -> Self {
        Self { full: Vec::new(), last: all }
    }
}

/// Bytes of memory for `joined` and `more`: as much again as there is then, but for no more than may come.
pub(crate) fn room(joined: &Vec<u8>, more: usize, bytes_max: usize) -> usize {
    let needed = joined.len() + more;
    if needed <= joined.capacity() {
        return joined.capacity();
    }
    needed.saturating_mul(2).min(bytes_max)
}

#[cfg(test)]
mod tests {
    use super::{Joined, PIECE_BYTES};

    /// Frames of so many bytes come, so many times, where so many may come.
    fn check(frame: usize, n: usize, bytes_max: usize) {
        let mut joined = Joined::default();
        let bytes: Vec<u8> = (0..frame * n).map(|i| (i / 7) as u8).collect();
        for frame in bytes.chunks(frame) {
            let room = joined.room_with(frame.len(), bytes_max);
            joined.extend(frame, bytes_max);
            assert_eq!(joined.room(), room, "as it was said");
            let most = (2 * joined.len()).min(joined.len() + PIECE_BYTES).min(bytes_max);
            assert!((joined.len()..=most).contains(&room), "{room} for {}", joined.len());
        }
        assert_eq!(joined.len(), bytes.len());
        assert!(joined.bytes() == bytes, "{n} frames of {frame}");
        assert!(joined.bytes() == bytes, "again");
    }

    #[test]
    fn room_is_as_said_and_little_more_than_needed() {
        for frame in [1, 1_000, 16_383, PIECE_BYTES - 1, PIECE_BYTES, 3 * PIECE_BYTES + 1] {
            for n in [1, 2, 3, 65] {
                let all = frame * n;
                for bytes_max in [all, all + 1, 2 * all, all.next_multiple_of(PIECE_BYTES), 4 << 20]
                {
                    check(frame, n, bytes_max.max(all));
                }
            }
        }
    }
}
