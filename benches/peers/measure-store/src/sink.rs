use std::hint::black_box;
use std::{fmt, io};

use crate::Result;

/// Bytes that are handed out at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Where an exposition goes: 64 KiB at a time to nobody, as a server hands it to a socket. Every library
/// here can write to a stream, so none pays for a text of 100 MB in one piece.
#[derive(Debug)]
pub struct Sink {
    chunk: Vec<u8>,
    /// All of it, where it is to be checked.
    kept: Option<Vec<u8>>,
    n_bytes: usize,
}

impl Sink {
    /// Lets go of what it is given.
    pub(crate) fn discard() -> Self {
        Self { chunk: Vec::with_capacity(CHUNK_BYTES), kept: None, n_bytes: 0 }
    }

    /// Keeps what it is given.
    pub(crate) fn keep() -> Self {
        Self { kept: Some(Vec::new()), ..Self::discard() }
    }

    /// Takes a chunk that the library filled by itself.
    pub fn take(&mut self, chunk: &[u8]) {
        self.n_bytes += chunk.len();
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(chunk);
        }
        black_box(chunk);
    }

    /// Bytes so far.
    pub(crate) fn n_bytes(&self) -> usize {
        self.n_bytes + self.chunk.len()
    }

    /// Lines of the metric `name` and the sum of their values.
    pub(crate) fn total(&mut self, name: &str) -> Result<(usize, f64)> {
        self.hand_out();
        let text = std::str::from_utf8(self.kept.as_deref().ok_or("nothing was kept")?)?;
        let (mut n_lines, mut sum) = (0, 0.0);
        for line in text.lines() {
            let Some(rest) = line.strip_prefix(name) else { continue };
            if rest.starts_with('{') {
                let (_, value) = rest.rsplit_once(' ').ok_or("a sample has a value")?;
                sum += value.parse::<f64>()?;
                n_lines += 1;
            }
        }
        Ok((n_lines, sum))
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if self.chunk.len() + bytes.len() > CHUNK_BYTES {
            self.hand_out();
        }
        self.chunk.extend_from_slice(bytes);
    }

    #[cold]
    fn hand_out(&mut self) {
        let mut chunk = std::mem::take(&mut self.chunk);
        self.take(&chunk);
        chunk.clear();
        self.chunk = chunk;
    }
}

impl io::Write for Sink {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes);
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.put(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Write for Sink {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        Ok(())
    }
}
