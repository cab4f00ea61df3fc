//! A run of rows of one family: the unit of growth, of a scrape's lock hold, and of encoding.
//!
//! ```text
//! keys   app="student"app="teacher"…[pad]       label bodies, escaped, as they are exposed
//! rows   [value hash created touched off len flags] …   32 bytes each
//! cells  [buckets… sum] [buckets… sum] …         histograms and summaries, one stride a row
//! native [head buckets…] [head buckets…] …       histograms with native buckets, one stride a row
//! rolling [windows] [windows] …                   summaries only
//! ```
//! The label body *is* the key: a look-up compares raw values against it between the skeleton bytes it
//! knows, and a scrape copies it. Order of rows is order of exposition. A block never grows past what
//! one chunk of a scrape in text 0.0.4 can hold, so such a scrape copies whole blocks, each under one lock
//! hold, and its cursor is a block's number. In a format that takes more a scrape stops inside a block. Rows
//! are numbered as they come, so that it goes on where it stopped when rows before that have left.

use std::ops::Range;

use super::family::FamilyState;
use super::key::{Key, StoredBody, WINDOW};
use super::upcoming::prefetch;
use crate::exposition::CHUNK_BYTES;
use crate::push::Number;
use crate::readers::{Moment, ScrapeNo, View};
use crate::schema::Kind;
use crate::time::Ticks;
use crate::value::histogram;
use crate::value::native::{self, NativeView};
use crate::value::summary::{self, Quantiles, Rolling};

/// Most rows of a block; an index into it fits 8 bits of a row's id.
pub(super) const ROWS_MAX: usize = 1 << ROW_BITS;
pub(super) const ROW_BITS: u32 = if cfg!(all(test, shuttle)) { 1 } else { 8 };

/// Most rows of a block of this family. Those with native buckets have no more words than a chunk: what is
/// encoded or copied under one lock hold.
fn rows_max(family: &FamilyState) -> usize {
    match (family.kind(), family.n_native_cells()) {
        (Kind::Summary, _) => summary::ROWS_MAX,
        (_, 0) => ROWS_MAX,
        (_, n_cells) => (CHUNK_BYTES / size_of::<u64>() / n_cells).clamp(1, ROWS_MAX),
    }
}

/// A row keeps the offset of its key in 16 bits.
const KEY_BYTES_MAX: usize = 1 << 16;

/// The row was reserved and nothing was counted in it yet; it is not exposed.
pub(crate) const UNUSED: u16 = 1;
/// The label body has escapes.
pub(crate) const ESCAPED: u16 = 2;
/// A counter's value is the index of its [`Sum`](crate::value::Sum) in the shard.
pub(crate) const WIDE: u16 = 4;
/// A bound handle holds the row; see [`Pin`](super::pin::Pin).
pub(crate) const PINNED: u16 = 8;
/// A bit for each kind of reader that has been shown the row's value.
pub(super) const SHOWN: u16 = 0xff00;
/// Where those bits start.
const SHOWN_SHIFT: u32 = 8;
/// The row was made with its family, for what folds: it never leaves, it only starts again.
pub(crate) const RESERVED: u16 = 32;

/// One series. Aligned, so that none is on two cache lines.
#[derive(Clone, Debug)]
#[repr(align(32))]
pub(crate) struct Row {
    /// A counter's whole value, a gauge's bits, or the index of a wide counter's sum.
    pub(crate) value: u64,
    /// The half of the key's hash that the table is built from, kept so that it grows without the key.
    pub(crate) hash: u32,
    /// When the series came into being: its start time.
    pub(crate) created: Ticks,
    /// When it was last pushed to.
    pub(crate) touched: Ticks,
    /// The last scrape that had begun when the series came into being.
    pub(crate) born: ScrapeNo,
    key_offset: u16,
    key_len: u16,
    pub(crate) flags: u16,
    /// Counts the rows of a block as they come: where a scrape that stopped inside it goes on.
    ordinal: u16,
}

impl Row {
    /// The number of this row among those of its block.
    #[inline]
    pub(crate) fn ordinal(&self) -> u16 {
        self.ordinal
    }

    /// Where its label body begins among those of its block.
    #[inline]
    pub(super) fn key_offset(&self) -> usize {
        self.key_offset.into()
    }

    /// The kinds of readers that have been shown the row's value.
    #[inline]
    pub(crate) fn shown(&self) -> u8 {
        (self.flags >> SHOWN_SHIFT) as u8
    }

    /// Whether a counter's value is all there is to it.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.flags & (WIDE | PINNED) == 0
    }

    /// Whether a scrape shows the row at all.
    #[inline(always)]
    pub(crate) fn is_seen(&self, view: &View) -> bool {
        self.flags & UNUSED == 0 && view.includes(self.born)
    }

    /// Whether it shows the row at 0, whatever it stands at.
    #[inline(always)]
    pub(crate) fn is_held(&self, view: &View) -> bool {
        !view.shows(self.born, self.created, self.shown())
    }

    /// These have been, too.
    #[inline]
    pub(super) fn mark_shown(&mut self, kinds: u8) {
        self.flags |= u16::from(kinds) << SHOWN_SHIFT;
    }
}

/// See the module's text. What a look-up by hash reads of a counter's stands on the first of its cache lines.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Block {
    keys: Vec<u8>,
    pub(crate) rows: Vec<Row>,
    /// Counts the blocks of a shard as they are made; a scrape's cursor.
    seq: u64,
    slot: u32,
    n_cells: u32,
    /// How often rows of it left, and others moved up.
    n_moves: u32,
    /// Upper bound of the text 0.0.4 of all rows together. Other formats may take more.
    text_bytes_max: usize,
    n_native_cells: usize,
    key_len_max: u16,
    /// The number of the next row.
    next_ordinal: u32,
    cells: Vec<u64>,
    native: Vec<u64>,
    rolling: Vec<Rolling>,
}

const _: () = assert!(std::mem::offset_of!(Block, n_moves) == 64);

/// The label bodies of a block's rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bodies<'a>(&'a [u8]);

impl<'a> Bodies<'a> {
    /// A row's body.
    #[inline]
    pub(crate) fn exact(self, row: &Row) -> &'a [u8] {
        let offset = usize::from(row.key_offset);
        &self.0[offset..offset + usize::from(row.key_len)]
    }

    /// A row's body and what a comparison may read behind it.
    #[inline]
    pub(super) fn compared(self, row: &Row) -> &'a [u8] {
        let start = usize::from(row.key_offset);
        let end = start + usize::from(row.key_len) + WINDOW;
        self.0.get(start..end.min(self.0.len())).unwrap_or_default()
    }

    /// Where a row's body stands among the others.
    #[inline]
    pub(super) fn stored(self, row: &Row) -> StoredBody<'a> {
        let (start, len) = (row.key_offset.into(), row.key_len.into());
        StoredBody { bodies: self.0, start, len, escaped: row.flags & ESCAPED != 0 }
    }

    /// A row's body with what stands behind it, if that makes `N` bytes, and the length of the body: to be
    /// copied in one piece of a constant size.
    #[inline(always)]
    pub(crate) fn padded<const N: usize>(self, row: &Row) -> Option<(&'a [u8; N], usize)> {
        let len = usize::from(row.key_len);
        let padded = self.0.get(usize::from(row.key_offset)..)?.first_chunk()?;
        (len <= N).then_some((padded, len))
    }
}

impl Block {
    pub(super) fn new(family: &FamilyState, seq: u64) -> Self {
        let n_cells = match family.kind() {
            Kind::Histogram => histogram::n_cells(family.bounds().len()),
            Kind::Summary => histogram::n_cells(0),
            Kind::Counter | Kind::Gauge => 0,
        };
        Self {
            slot: family.slot(),
            seq,
            n_moves: 0,
            text_bytes_max: 0,
            n_cells: n_cells as u32,
            n_native_cells: family.n_native_cells(),
            key_len_max: 0,
            next_ordinal: 0,
            keys: Vec::new(),
            rows: Vec::new(),
            cells: Vec::new(),
            native: Vec::new(),
            rolling: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn slot(&self) -> u32 {
        self.slot
    }

    /// The number of this block among those of its shard.
    #[inline]
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// How often rows of it left, and others moved up: while this stays, each row is where it was.
    #[inline]
    pub(super) fn n_moves(&self) -> u32 {
        self.n_moves
    }

    /// The rows from this one on.
    pub(crate) fn rows_from(&self, ordinal: u16) -> Range<usize> {
        // A block is mostly begun at its start; a search would wait for its rows, one after the other.
        let start = match ordinal {
            0 => 0,
            _ => self.rows.partition_point(|row| row.ordinal < ordinal),
        };
        start..self.rows.len()
    }

    /// The label bodies of all rows, one behind the other.
    pub(super) fn keys(&self) -> &[u8] {
        &self.keys
    }

    /// The cells of all rows, [`n_cells`](Self::n_cells) each.
    pub(super) fn all_cells(&self) -> &[u64] {
        &self.cells
    }

    pub(super) fn n_cells(&self) -> usize {
        self.n_cells as usize
    }

    /// Asks for what is read of it before its rows are.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch(&self.keys);
        prefetch(&self.n_moves);
    }

    /// Bytes of the label bodies of all rows.
    pub(crate) fn key_bytes(&self) -> usize {
        self.keys.len()
    }

    /// Whether a row with a key of `key_len` bytes still fits.
    pub(super) fn has_room(&self, family: &FamilyState, key_len: usize) -> bool {
        self.rows.is_empty()
            || (self.rows.len() < rows_max(family)
                && self.next_ordinal <= u32::from(u16::MAX)
                && self.keys.len() + key_len < KEY_BYTES_MAX
                && self.text_bytes_max + family.text().row_bytes_max(key_len) <= CHUNK_BYTES)
    }

    /// Adds a row at the end and gives its index.
    pub(super) fn push(&mut self, key: &Key<'_>, hash: u32, flags: u16, now: Moment) -> usize {
        let offset = self.keys.len();
        key.write_body(&mut self.keys);
        let len = self.keys.len() - offset;
        self.text_bytes_max += key.family.text().row_bytes_max(len);
        self.key_len_max = self.key_len_max.max(len as u16);
        self.rows.push(Row {
            value: 0,
            hash,
            created: now.ticks,
            touched: now.ticks,
            born: now.scrape,
            key_offset: offset as u16,
            key_len: len as u16,
            flags: flags | if key.is_special() { ESCAPED } else { 0 },
            ordinal: self.next_ordinal as u16,
        });
        self.next_ordinal += 1;
        self.cells.resize(self.cells.len() + self.n_cells as usize, 0);
        self.native.resize(self.native.len() + self.n_native_cells, 0);
        if key.family.kind() == Kind::Summary {
            self.rolling.push(Rolling::default());
        }
        self.rows.len() - 1
    }

    /// Removes the rows that `keep` does not name, in order; what remains moves up.
    pub(super) fn retain(&mut self, family: &FamilyState, keep: &[bool]) {
        let kept = || keep.iter().enumerate().filter(|(_, keep)| **keep).map(|(i, _)| i);
        let n_kept = kept().count();
        let mut keys = Vec::with_capacity(self.keys.len());
        let mut rows = Vec::with_capacity(n_kept);
        let mut cells = Vec::with_capacity(n_kept * self.n_cells as usize);
        let mut native = Vec::with_capacity(n_kept * self.n_native_cells);
        let mut rolling = Vec::new();
        self.n_moves = self.n_moves.wrapping_add(1);
        self.text_bytes_max = 0;
        for i in kept() {
            let row = &self.rows[i];
            let offset = keys.len() as u16;
            keys.extend_from_slice(self.body(row));
            self.text_bytes_max += family.text().row_bytes_max(usize::from(row.key_len));
            rows.push(Row { key_offset: offset, ..row.clone() });
            cells.extend_from_slice(self.cells(i));
            native.extend_from_slice(self.native_cells(i));
            rolling.extend(self.rolling.get_mut(i).map(std::mem::take));
        }
        keys.shrink_to_fit();
        (self.keys, self.rows) = (keys, rows);
        (self.cells, self.native, self.rolling) = (cells, native, rolling);
    }

    /// Whether the rows of another block of the family may join these.
    pub(super) fn takes(&self, other: &Self, family: &FamilyState) -> bool {
        // Half full, or each row that comes and goes would part them and join them again. The models' blocks
        // are too small to have halves.
        let n_rows = if cfg!(all(test, shuttle)) { ROWS_MAX } else { rows_max(family) / 2 };
        self.rows.len() + other.rows.len() <= n_rows
            && self.keys.len() + other.keys.len() < KEY_BYTES_MAX
            && self.text_bytes_max + other.text_bytes_max <= CHUNK_BYTES
    }

    /// Adds the rows of another block, in order, and numbers them anew: no scrape is inside of either.
    pub(super) fn append(&mut self, mut other: Self) {
        let offset = self.keys.len() as u16;
        self.keys.append(&mut other.keys);
        self.rows.extend(
            other.rows.into_iter().map(|row| Row { key_offset: row.key_offset + offset, ..row }),
        );
        self.cells.append(&mut other.cells);
        self.native.append(&mut other.native);
        self.rolling.append(&mut other.rolling);
        self.text_bytes_max += other.text_bytes_max;
        self.key_len_max = self.key_len_max.max(other.key_len_max);
        for (row, ordinal) in self.rows.iter_mut().zip(0..) {
            row.ordinal = ordinal;
        }
        self.next_ordinal = self.rows.len() as u32;
    }

    /// No row will be added any more: gives spare capacity back.
    pub(super) fn close(&mut self) {
        self.keys.shrink_to_fit();
        self.rows.shrink_to_fit();
        self.cells.shrink_to_fit();
        self.native.shrink_to_fit();
    }

    /// A copy of what the rows hold, but for the windows of summaries, of which only
    /// [`quantiles`](Self::quantiles) is ever asked.
    pub(crate) fn copied(&self) -> Self {
        Self {
            keys: self.keys.clone(),
            rows: self.rows.clone(),
            cells: self.cells.clone(),
            native: self.native.clone(),
            rolling: Vec::new(),
            ..*self
        }
    }

    /// A row's label body.
    #[inline]
    pub(crate) fn body(&self, row: &Row) -> &[u8] {
        self.bodies().exact(row)
    }

    /// A row to be changed, and the label bodies of all.
    #[inline(always)]
    pub(super) fn row_mut(&mut self, i: usize) -> (&mut Row, Bodies<'_>) {
        (&mut self.rows[i], Bodies(&self.keys))
    }

    /// The label bodies of all rows, to be copied.
    #[inline]
    pub(crate) fn bodies(&self) -> Bodies<'_> {
        Bodies(&self.keys)
    }

    /// Bytes of the longest label body that the block ever had.
    pub(crate) fn body_bytes_max(&self) -> usize {
        usize::from(self.key_len_max)
    }

    #[inline]
    fn cells_at(&self, i: usize) -> Range<usize> {
        let n_cells = self.n_cells as usize;
        i * n_cells..(i + 1) * n_cells
    }

    /// The cells of row `i`, without native buckets; empty unless this is a histogram's or a summary's block.
    #[inline]
    pub(crate) fn cells(&self, i: usize) -> &[u64] {
        // A counter's block has nothing that would have to be loaded for that.
        if self.n_cells == 0 { &[] } else { &self.cells[self.cells_at(i)] }
    }

    #[inline]
    pub(super) fn cells_mut(&mut self, i: usize) -> &mut [u64] {
        let at = self.cells_at(i);
        &mut self.cells[at]
    }

    #[inline]
    fn native_cells(&self, i: usize) -> &[u64] {
        &self.native[i * self.n_native_cells..(i + 1) * self.n_native_cells]
    }

    #[inline]
    fn native_cells_mut(&mut self, i: usize) -> &mut [u64] {
        &mut self.native[i * self.n_native_cells..(i + 1) * self.n_native_cells]
    }

    /// The native buckets of row `i`, if its family has any.
    #[inline]
    pub(crate) fn native(&self, i: usize, family: &FamilyState) -> Option<NativeView<'_>> {
        let declared = family.native()?;
        Some(native::read(self.native_cells(i), declared.schema))
    }

    /// Counts observations in row `i` of a histogram's block.
    #[inline]
    pub(super) fn observe(&mut self, i: usize, family: &FamilyState, numbers: &[Number]) {
        if let Some((sum, finest, buckets)) = Number::split_counted(numbers) {
            return self.observe_counted(i, family, sum, finest, buckets);
        }
        let cells = self.cells_mut(i);
        for number in numbers {
            histogram::observe(cells, family.bounds(), number.value, number.n);
        }
        if let Some(declared) = family.native() {
            let cells = self.native_cells_mut(i);
            for number in numbers {
                native::observe(cells, declared.schema, number.value, number.n);
            }
        }
    }

    /// Adds what a client counted into buckets itself: each count goes where its bucket's upper edge does, which
    /// is exact where the bounds are the same.
    #[inline(never)]
    fn observe_counted(
        &mut self,
        i: usize,
        family: &FamilyState,
        sum: f64,
        finest: i8,
        buckets: &[Number],
    ) {
        let counts = buckets.iter().map(|bucket| (bucket.value, bucket.n)).filter(|(_, n)| *n > 0);
        histogram::add_counted(self.cells_mut(i), family.bounds(), sum, counts.clone());
        if let Some(declared) = family.native() {
            let cells = self.native_cells_mut(i);
            native::limit_resolution(cells, declared.schema, finest);
            for (edge, n) in counts {
                // Nothing above the largest observation that the family takes was counted.
                native::observe(cells, declared.schema, edge.min(family.max()), n);
            }
        }
    }

    /// Adds to row `i` of a histogram's block cells of the same layout, native ones behind the others.
    pub(super) fn merge(&mut self, i: usize, other: &[u64]) {
        let (cells, native) = other.split_at(self.n_cells as usize);
        histogram::merge(self.cells_mut(i), cells);
        if !native.is_empty() {
            native::merge(self.native_cells_mut(i), native);
        }
    }

    /// Counts an observation in row `i` of a summary's block.
    pub(super) fn observe_rolling(
        &mut self,
        i: usize,
        family: &FamilyState,
        number: &Number,
        now: Ticks,
    ) {
        histogram::observe(self.cells_mut(i), &[], number.value, number.n);
        self.rolling[i].observe(family.scale(), number.value, number.n, now);
    }

    /// What a summary's row observed in the last minutes, if anything.
    pub(crate) fn quantiles(
        &self,
        i: usize,
        family: &FamilyState,
        now: Ticks,
    ) -> Option<Quantiles> {
        self.rolling.get(i)?.quantiles(family.scale(), now)
    }

    /// Row `i` has counted nothing yet.
    pub(super) fn clear_cells(&mut self, i: usize) {
        self.cells_mut(i).fill(0);
        self.native_cells_mut(i).fill(0);
        if let Some(rolling) = self.rolling.get_mut(i) {
            *rolling = Rolling::default();
        }
    }
}
