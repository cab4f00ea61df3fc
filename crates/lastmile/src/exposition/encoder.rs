//! What writes the rows of one family, and how many of them fit into a chunk.

use std::ops::Range;

#[cfg(feature = "protobuf")]
use super::protobuf;
use super::{CHUNK_BYTES, Out, text};
use crate::store::{Shard, Turn};

/// The encoder of one family in one format.
pub(super) enum Encoder<'a> {
    Text(text::Lines<'a>),
    #[cfg(feature = "protobuf")]
    Protobuf(protobuf::Messages<'a>),
}

/// Rows of a block that are written under one hold of the shard's lock.
pub(super) struct Part {
    pub(super) rows: Range<usize>,
    /// Most bytes that they take, the family's header included.
    pub(super) bytes_max: usize,
}

impl Encoder<'_> {
    /// Of these rows of a block, up to its last, as many as fit into `room` bytes; at least the first, whatever
    /// it takes, and all or none of a block that fits into one chunk.
    ///
    /// Blocks fit into a chunk in text 0.0.4, which is known without a look at their rows. In a format that takes
    /// more, rows are added up one by one.
    #[inline]
    pub(super) fn part(&self, shard: &Shard, block: u32, rows: Range<usize>, room: usize) -> Part {
        if rows.start == 0 {
            let bytes_max = self.header_bytes() + self.block_bytes_max(shard, block);
            if bytes_max <= CHUNK_BYTES {
                return Part { rows, bytes_max };
            }
        }
        self.part_of_large(shard, block, rows, room)
    }

    #[cold]
    #[inline(never)]
    fn part_of_large(&self, shard: &Shard, block: u32, rows: Range<usize>, room: usize) -> Part {
        let mut end = rows.start;
        let mut bytes_max = self.header_bytes();
        while end < rows.end {
            let more = self.row_bytes_max(shard, block, end);
            if end > rows.start && bytes_max + more > room {
                break;
            }
            (end, bytes_max) = (end + 1, bytes_max + more);
        }
        Part { rows: rows.start..end, bytes_max }
    }

    /// Bytes of what stands before the first rows.
    fn header_bytes(&self) -> usize {
        match self {
            Self::Text(lines) => lines.parts.header().len(),
            #[cfg(feature = "protobuf")]
            Self::Protobuf(messages) => messages.header_bytes_max(),
        }
    }

    /// Most bytes of all rows of a block.
    fn block_bytes_max(&self, shard: &Shard, block: u32) -> usize {
        match self {
            Self::Text(lines) => lines.block_bytes_max(shard, block),
            #[cfg(feature = "protobuf")]
            Self::Protobuf(messages) => messages.block_bytes_max(shard, block),
        }
    }

    /// Most bytes of row `i` of a block.
    fn row_bytes_max(&self, shard: &Shard, block: u32, i: usize) -> usize {
        match self {
            Self::Text(lines) => lines.row_bytes_max(shard, block, i),
            #[cfg(feature = "protobuf")]
            Self::Protobuf(messages) => messages.row_bytes_max(shard, block, i),
        }
    }

    /// Writes those of these rows of a block that are to be seen.
    pub(super) fn rows(
        &self,
        out: &mut Out<'_>,
        shard: &mut Shard,
        turn: Turn,
        rows: Range<usize>,
        header_done: &mut bool,
    ) {
        match self {
            Self::Text(lines) => text::rows(out, lines, shard, turn, rows, header_done),
            #[cfg(feature = "protobuf")]
            Self::Protobuf(messages) => messages.rows(out, shard, turn, rows),
        }
    }
}
