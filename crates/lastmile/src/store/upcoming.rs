//! What a scrape comes to next is on its way to the core while it writes what is there.
//!
//! Blocks lie anywhere in memory, each in a few pages, and what a core loads ahead by itself begins anew in each page.
//! A line takes 4 ns to write and two and a half times that to wait for, so with each row of a block the lines of
//! memory are asked for that hold the same row of the next. A prefetch waits for nothing and means nothing: no
//! exposition depends on it.

use super::block::{Block, Row};

/// Asks for the cache line that this begins in.
#[inline(always)]
pub(super) fn prefetch<T>(what: &T) {
    prefetch_index::prefetch_index(std::slice::from_ref(what), 0);
}

/// A block to write, and the one behind it, which is the same where it is the last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) block: u32,
    pub(crate) next: u32,
}

/// The block behind one that is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upcoming<'a> {
    rows: &'a [Row],
    keys: &'a [u8],
    cells: &'a [u64],
    n_cells: usize,
}

/// Bytes of a cache line on nearly all of today's machines; where they are more, some are asked for twice.
pub(super) const LINE_BYTES: usize = 64;

impl<'a> Upcoming<'a> {
    pub(crate) fn new(block: &'a Block) -> Self {
        let (keys, cells, n_cells) = (block.keys(), block.all_cells(), block.n_cells());
        Self { rows: &block.rows, keys, cells, n_cells }
    }

    /// Asks for the row, its key and its cells that stand where this one, row `i`, stands in its own block.
    #[inline(always)]
    pub(crate) fn prefetch(&self, i: usize, row: &Row) {
        self.prefetch_row(i, row);
        let cells = i * self.n_cells..(i + 1) * self.n_cells;
        for cell in cells.step_by(LINE_BYTES / size_of::<u64>()) {
            prefetch_index::prefetch_index(self.cells, cell);
        }
    }

    /// The same where rows have no cells.
    #[inline(always)]
    pub(crate) fn prefetch_row(&self, i: usize, row: &Row) {
        let key_at = row.key_offset();
        prefetch_index::prefetch_index(self.rows, i);
        prefetch_index::prefetch_index(self.keys, key_at);
        prefetch_index::prefetch_index(self.keys, key_at + LINE_BYTES);
    }
}
