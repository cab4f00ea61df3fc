//! A buffer that encoders write into, and pieces that they write often.

/// What is short is copied as this many bytes, two vector registers: a copy of a constant size is a few
/// instructions where one of any size is a call.
pub(crate) const PAD: usize = 32;

/// What is written with one check of its bounds, a line of a counter for example. So many bytes more must fit
/// behind what is written.
pub(crate) const SLACK: usize = 256;

/// Writes into a buffer of whose size the caller has made sure, [`SLACK`] included.
///
/// All of it is inlined into the loop over a block's rows, where an `Out` is a local value: so how far
/// the buffer is written stays in a register from piece to piece. Through memory, each piece would wait
/// for the one before to be stored, which doubles the time of a line.
pub(crate) struct Out<'a> {
    pub(super) bytes: &'a mut [u8],
    pub(super) end: usize,
}

impl<'a> Out<'a> {
    pub(crate) fn new(bytes: &'a mut [u8], end: usize) -> Self {
        Self { bytes, end }
    }

    pub(crate) fn end(&self) -> usize {
        self.end
    }

    /// The same place as a value of its own; [`set_end`](Self::set_end) says how far it came.
    pub(crate) fn reborrow(&mut self) -> Out<'_> {
        Out { bytes: self.bytes, end: self.end }
    }

    pub(crate) fn set_end(&mut self, end: usize) {
        self.end = end;
    }

    /// Writes bytes of any number.
    #[inline(always)]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.end..][..bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }

    /// The same where it is rare: a call of its own, or the compiler makes one call of this and of a copy of
    /// a constant size beside it.
    #[inline(always)]
    pub(crate) fn put_rare(&mut self, bytes: &[u8]) {
        put_aside(self.bytes, self.end, bytes);
        self.end += bytes.len();
    }

    /// Room for what is written next, to be followed by [`advance`](Self::advance).
    #[inline(always)]
    pub(crate) fn room(&mut self) -> &mut [u8; SLACK] {
        self.bytes[self.end..].first_chunk_mut().expect("the caller made sure of it")
    }

    /// So many bytes of the room are written.
    #[inline(always)]
    pub(crate) fn advance(&mut self, len: usize) {
        self.end += len;
    }

    /// Writes the first `len` of these bytes, at most [`SLACK`].
    #[inline(always)]
    pub(crate) fn put_padded<const N: usize>(&mut self, padded: &[u8; N], len: usize) {
        self.bytes[self.end..][..N].copy_from_slice(padded);
        self.end += len;
    }
}

#[cold]
#[inline(never)]
fn put_aside(out: &mut [u8], at: usize, bytes: &[u8]) {
    out[at..][..bytes.len()].copy_from_slice(bytes);
}

/// Bytes that are written often.
#[derive(Debug)]
pub(crate) struct Piece {
    first: [u8; PAD],
    /// Those beyond [`PAD`], which few have.
    rest: Box<[u8]>,
    len: usize,
}

impl Piece {
    pub(crate) fn new(text: &str) -> Self {
        Self::of(text.as_bytes())
    }

    pub(crate) fn of(bytes: &[u8]) -> Self {
        let (first, rest) = bytes.split_at(bytes.len().min(PAD));
        let mut padded = [0; PAD];
        padded[..first.len()].copy_from_slice(first);
        Self { first: padded, rest: rest.into(), len: bytes.len() }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// It, if it has no more than [`PAD`] bytes.
    pub(crate) fn as_padded(&self) -> Option<(&[u8; PAD], usize)> {
        self.rest.is_empty().then_some((&self.first, self.len))
    }

    #[inline(always)]
    pub(crate) fn put(&self, out: &mut Out<'_>) {
        out.put_padded(&self.first, self.len.min(PAD));
        if !self.rest.is_empty() {
            out.put(&self.rest);
        }
    }
}
