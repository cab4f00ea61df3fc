//! One shard: a table of row ids over blocks of rows, all behind one lock.

use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;
use prefetch_index::prefetch_index;

use super::block::{Block, PINNED, ROW_BITS, ROWS_MAX, Row, UNUSED, WIDE};
use super::family::FamilyState;
use super::key::Key;
use super::pin::Pin;
use super::upcoming::{LINE_BYTES, Turn};
use super::wide::{CounterValue, Wides, add_to_counter, add_whole_to_counter};
use crate::push::Number;
use crate::readers::{Moment, View};
use crate::schema::{Combine, Kind};
use crate::table::Table;
use crate::time::Ticks;
use crate::value::Sum;

/// A row's block and its index in it.
pub(super) type RowId = u32;

/// Where a row was, to be asked for whether it still is.
///
/// The number of a block that has rows is never another's of its shard, and a row stays in its place until one of its
/// block leaves, which the block counts. Where blocks join, rows are added behind those of the first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Locator {
    block: u64,
    n_moves: u32,
    row: RowId,
}

impl Locator {
    /// No block that has rows has this number.
    pub(crate) const NOWHERE: Self = Self { block: 0, n_moves: 0, row: 0 };
}

/// See the module's text. Everything in here happens under the shard's lock: updates are plain adds,
/// so all lines of one series agree whenever a scrape looks.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    pub(super) table: Table,
    pub(super) blocks: Vec<Block>,
    /// Places in `blocks` whose block has left.
    pub(super) free_blocks: Vec<u32>,
    next_seq: u64,
    /// By family slot, its blocks in the order of exposition. A slot that has none is not in here, as
    /// reloads use up slots.
    pub(super) families: HashMap<u32, Vec<u32>, foldhash::fast::RandomState>,
    pub(super) wide: Wides,
    pub(super) pins: HashMap<RowId, Arc<Pin>, foldhash::fast::RandomState>,
}

/// More rows than this of one shard, with their keys, are not all in a core's own cache: 4,096 take 450 kB, and to look
/// ahead costs 2 ns a sample where they are. Tests and models have few.
const LARGE_ROWS: usize = if cfg!(test) { 4 } else { 4_096 };

#[inline]
fn split(id: RowId) -> (usize, usize) {
    ((id >> ROW_BITS) as usize, id as usize & (ROWS_MAX - 1))
}

impl Shard {
    /// The row of this series, if there is one.
    #[inline]
    pub(super) fn find(&self, key: &Key<'_>) -> Option<RowId> {
        self.table.find(key.hash as u32, |id| self.is(id, key))
    }

    /// The row of this series if any row is, as far as its hash tells. Looks at the table alone.
    #[inline]
    pub(super) fn candidate(&self, hash: u64) -> Option<RowId> {
        self.table.find(hash as u32, |_| true)
    }

    /// Whether a row is this series.
    #[inline]
    pub(super) fn is(&self, id: RowId, key: &Key<'_>) -> bool {
        let (block, i) = split(id);
        let block = &self.blocks[block];
        let row = &block.rows[i];
        block.slot() == key.family.slot() && key.matches(block.bodies().stored(row))
    }

    /// Counts these samples, which are checked, in a row if it is this series: whether it is. It may be where this says
    /// no, if its values need escapes.
    #[inline(always)]
    pub(super) fn count(
        &mut self,
        id: RowId,
        key: &Key<'_>,
        numbers: &[Number],
        now: Moment,
    ) -> bool {
        let family = key.family;
        let (block, i) = split(id);
        let block = &mut self.blocks[block];
        if block.slot() != family.slot() {
            return false;
        }
        let (row, bodies) = block.row_mut(i);
        let body = bodies.stored(row);
        if body.escaped || !key.matches_plain(body) {
            return false;
        }
        if family.kind() == Kind::Counter && row.flags & UNUSED == 0 {
            row.touched = row.touched.max(now.ticks);
            for number in numbers {
                add_to_counter(row, &mut self.wide, number.value, number.n);
            }
        } else {
            self.update(id, family, numbers, now);
        }
        true
    }

    /// The same in whatever row is the series, if any.
    #[cold]
    #[inline(never)]
    pub(super) fn find_and_count(
        &mut self,
        key: &Key<'_>,
        numbers: &[Number],
        now: Moment,
    ) -> bool {
        let found = self.find(key);
        if let Some(row) = found {
            self.update(row, key.family, numbers, now);
        }
        found.is_some()
    }

    /// The row of this series, if there is one, for as long as it stays where it is.
    pub(super) fn locate(&self, key: &Key<'_>) -> Option<Locator> {
        let row = self.find(key)?;
        let block = &self.blocks[split(row).0];
        Some(Locator { block: block.seq(), n_moves: block.n_moves(), row })
    }

    /// Counts these samples, which are checked, in the row that was located, if it is still there: whether it is.
    #[inline]
    pub(super) fn count_at(
        &mut self,
        at: &Locator,
        family: &FamilyState,
        numbers: &[Number],
        now: Moment,
    ) -> bool {
        let block = self.blocks.get(split(at.row).0);
        let is_there = block.is_some_and(|b| b.seq() == at.block && b.n_moves() == at.n_moves);
        if is_there {
            self.update(at.row, family, numbers, now);
        }
        is_there
    }

    /// Asks for a row and its cells.
    #[inline]
    pub(super) fn prefetch_row(&self, id: RowId) {
        let (block, i) = split(id);
        let block = &self.blocks[block];
        prefetch_index(&block.rows, i);
        let cells = block.cells(i);
        if !cells.is_empty() {
            // A sum stands behind the buckets.
            prefetch_index(cells, 0);
            prefetch_index(cells, cells.len() - 1);
        }
    }

    /// Asks for what a comparison reads of a row's label body: three cache lines if it is as short as most are.
    #[inline]
    pub(super) fn prefetch_compared(&self, id: RowId) {
        let (block, i) = split(id);
        let block = &self.blocks[block];
        let body = block.bodies().compared(&block.rows[i]);
        if let Some(last) = body.len().checked_sub(1) {
            for at in [0, last.min(LINE_BYTES), last] {
                prefetch_index(body, at);
            }
        }
    }

    /// Whether the rows are more than a core's caches hold.
    #[inline]
    pub(super) fn is_large(&self) -> bool {
        self.table.len() > LARGE_ROWS
    }

    /// Adds a series that is not there, which the caller has checked and reserved room for.
    pub(super) fn insert(&mut self, key: &Key<'_>, flags: u16, now: Moment) -> RowId {
        let family = key.family;
        let of_family = self.families.entry(family.slot()).or_default();
        let mut body_len = 0;
        for (i, literal) in family.literals().iter().enumerate() {
            // Escaping at most doubles a value.
            body_len += literal.len() + 2 * key.value(i).len() + 1;
        }
        let last = of_family.last().map(|b| *b as usize);
        let block = match last {
            Some(b) if self.blocks[b].has_room(family, body_len) => b,
            full => {
                if let Some(full) = full {
                    self.blocks[full].close();
                }
                self.next_seq += 1;
                let block = Block::new(family, self.next_seq);
                let b = match self.free_blocks.pop() {
                    Some(b) => {
                        self.blocks[b as usize] = block;
                        b as usize
                    }
                    None => {
                        self.blocks.push(block);
                        self.blocks.len() - 1
                    }
                };
                of_family.push(b as u32);
                b
            }
        };
        let hash = key.hash as u32;
        let i = self.blocks[block].push(key, hash, flags, now);
        let id = (block as u32) << ROW_BITS | i as u32;
        self.table.insert(hash, id);
        id
    }

    /// Counts these samples, which are checked, in a row.
    #[inline]
    pub(super) fn update(
        &mut self,
        id: RowId,
        family: &FamilyState,
        numbers: &[Number],
        now: Moment,
    ) {
        let (block, i) = split(id);
        let block = &mut self.blocks[block];
        let row = &mut block.rows[i];
        let idle = now.ticks.saturating_sub(row.touched);
        let fresh = row.flags & UNUSED != 0;
        if fresh {
            row.begin(now);
        }
        row.touched = row.touched.max(now.ticks);
        match family.kind() {
            Kind::Counter => {
                for number in numbers {
                    add_to_counter(row, &mut self.wide, number.value, number.n);
                }
            }
            Kind::Histogram => block.observe(i, family, numbers),
            Kind::Summary => {
                for number in numbers {
                    block.observe_rolling(i, family, number, now.ticks);
                }
            }
            Kind::Gauge => {
                let pin = (row.flags & PINNED != 0).then(|| self.pins.get(&id)).flatten();
                let alone = fresh || (idle > family.ttl() && pin.is_none());
                let combined = |mut value: f64| {
                    for (i, number) in numbers.iter().enumerate() {
                        value = match family.combine() {
                            _ if alone && i == 0 => number.value,
                            Combine::Last => number.value,
                            Combine::Min => value.min(number.value),
                            Combine::Max => value.max(number.value),
                        };
                    }
                    value
                };
                match pin {
                    // In one step, as a handle changes it without the shard's lock.
                    Some(pin) => pin.update(combined),
                    None => row.value = combined(f64::from_bits(row.value)).to_bits(),
                }
            }
        }
    }

    /// The blocks of a family, in the order of exposition.
    #[inline]
    pub(crate) fn blocks_of(&self, slot: u32) -> &[u32] {
        self.families.get(&slot).map_or(&[], Vec::as_slice)
    }

    /// The first block of a family behind the one numbered `seq`.
    #[inline]
    pub(crate) fn block_after(&self, slot: u32, seq: u64) -> Option<u32> {
        let blocks = self.blocks_of(slot);
        blocks.get(self.place_after(blocks, seq, 0)).copied()
    }

    /// The same with the block behind it, and its place among those of the family, which is this `guess` if nothing
    /// has changed. What is read of the one behind these before its rows is asked for.
    #[inline]
    pub(crate) fn turn_after(&self, slot: u32, seq: u64, guess: usize) -> Option<(usize, Turn)> {
        let blocks = self.blocks_of(slot);
        let place = self.place_after(blocks, seq, guess);
        let block = *blocks.get(place)?;
        if let Some(b) = blocks.get(place + 2) {
            self.block(*b).prefetch();
        }
        let next = blocks.get(place + 1).copied().unwrap_or(block);
        Some((place, Turn { block, next }))
    }

    /// Where these blocks go on behind the one numbered `seq`. A search waits for memory with each of them that it
    /// asks for its number.
    #[inline]
    fn place_after(&self, blocks: &[u32], seq: u64, guess: usize) -> usize {
        let seq_of = |b: &u32| self.block(*b).seq();
        let before_guess = guess.checked_sub(1).and_then(|i| blocks.get(i));
        match seq {
            // No block that has rows has this number.
            0 => 0,
            _ if before_guess.is_some_and(|b| seq_of(b) == seq) => guess,
            _ => blocks.partition_point(|b| seq_of(b) <= seq),
        }
    }

    /// Marks those of these rows of a block that a reader is shown at their value.
    pub(crate) fn mark_shown(&mut self, block: u32, rows: Range<usize>, view: &View) {
        let kinds = view.reader_kind();
        for row in &mut self.blocks[block as usize].rows[rows] {
            let is_new = row.flags & UNUSED == 0 && row.shown() & kinds == 0;
            if is_new && view.includes(row.born) && view.shows(row.born, row.created, 0) {
                row.mark_shown(kinds);
            }
        }
    }

    #[inline]
    pub(crate) fn block(&self, block: u32) -> &Block {
        &self.blocks[block as usize]
    }

    /// What row `i` of a counter's block stands at.
    #[inline]
    pub(crate) fn counter(&self, block: u32, row: &Row, i: usize) -> CounterValue {
        if row.is_plain() {
            return CounterValue::Whole(row.value);
        }
        self.counter_slow(row, block << ROW_BITS | i as u32)
    }

    #[cold]
    fn counter_slow(&self, row: &Row, id: RowId) -> CounterValue {
        let mut sum = self.row_sum(row);
        if row.flags & PINNED != 0
            && let Some(pin) = self.pins.get(&id)
        {
            sum.add_whole(pin.load());
        }
        match sum.as_whole().map(u64::try_from) {
            Some(Ok(whole)) => CounterValue::Whole(whole),
            _ => CounterValue::Wide(sum),
        }
    }

    fn row_sum(&self, row: &Row) -> Sum {
        if row.flags & WIDE == 0 { Sum::from_whole(row.value) } else { self.wide.get(row.value) }
    }

    /// The pin of row `i`, if a handle holds it: its exemplars are those of the row.
    pub(crate) fn pin_of(&self, block: u32, row: &Row, i: usize) -> Option<&Pin> {
        if row.flags & PINNED == 0 {
            return None;
        }
        self.pins.get(&(block << ROW_BITS | i as u32)).map(|pin| &**pin)
    }

    /// What row `i` of a gauge's block stands at, unless its time to live is over.
    pub(crate) fn gauge(&self, block: u32, i: usize, ttl: Ticks, now: Ticks) -> Option<f64> {
        let row = &self.blocks[block as usize].rows[i];
        if row.flags & PINNED != 0
            && let Some(pin) = self.pins.get(&(block << ROW_BITS | i as u32))
        {
            return Some(f64::from_bits(pin.load()));
        }
        (now.saturating_sub(row.touched) <= ttl).then(|| f64::from_bits(row.value))
    }

    /// Binds one more handle to a row, which is exposed from now on.
    pub(super) fn pin(
        &mut self,
        id: RowId,
        shard: usize,
        family: &Arc<FamilyState>,
        now: Moment,
    ) -> Arc<Pin> {
        let (block, i) = split(id);
        let row = &mut self.blocks[block].rows[i];
        if row.flags & UNUSED != 0 {
            row.begin(now);
        }
        // A value whose time to live is over is none to begin with.
        let is_over =
            row.flags & PINNED == 0 && now.ticks.saturating_sub(row.touched) > family.ttl();
        row.flags |= PINNED;
        let is_gauge = family.kind() == Kind::Gauge;
        let initial = if is_gauge && !is_over { row.value } else { 0 };
        let pin = self
            .pins
            .entry(id)
            .or_insert_with(|| Arc::new(Pin::new(family, shard as u32, id, initial)));
        pin.acquire();
        Arc::clone(pin)
    }

    /// Gives a handle back; the last one's cell is folded into the row, which is then given.
    pub(super) fn unpin(&mut self, pin: &Pin, now: Ticks) -> Option<RowId> {
        if !pin.release_last() {
            return None;
        }
        let id = pin.row();
        let (block, i) = split(id);
        let row = &mut self.blocks[block].rows[i];
        row.flags &= !PINNED;
        row.touched = row.touched.max(now);
        match pin.family().kind() {
            Kind::Counter => add_whole_to_counter(row, &mut self.wide, pin.load()),
            Kind::Gauge => row.value = pin.load(),
            Kind::Histogram | Kind::Summary => {}
        }
        self.pins.remove(&id);
        Some(id)
    }

    /// A row's label body.
    #[cfg(test)]
    pub(super) fn body_of(&self, id: RowId) -> &[u8] {
        let (block, i) = split(id);
        self.blocks[block].body(&self.blocks[block].rows[i])
    }

    /// The number of the block that a row is in.
    pub(super) fn seq_of(&self, id: RowId) -> u64 {
        self.blocks[split(id).0].seq()
    }

    /// Adds to the counter that a handle holds.
    pub(super) fn add_pinned(&mut self, pin: &Pin, v: f64) {
        let (block, i) = split(pin.row());
        add_to_counter(&mut self.blocks[block].rows[i], &mut self.wide, v, 1);
    }

    /// Adds a whole number to the row of the counter that a handle holds.
    pub(super) fn add_whole_pinned(&mut self, pin: &Pin, n: u64) {
        let (block, i) = split(pin.row());
        add_whole_to_counter(&mut self.blocks[block].rows[i], &mut self.wide, n);
    }

    /// Adds cells of the same layout to the histogram that a handle holds.
    pub(super) fn merge_pinned(&mut self, pin: &Pin, cells: &[u64], now: Ticks) {
        let (block, i) = split(pin.row());
        let block = &mut self.blocks[block];
        let row = &mut block.rows[i];
        row.touched = row.touched.max(now);
        block.merge(i, cells);
    }

    /// What the counter that a handle holds stands at.
    pub(super) fn read_pinned(&self, pin: &Pin) -> Sum {
        let (block, i) = split(pin.row());
        let mut sum = self.row_sum(&self.blocks[block].rows[i]);
        sum.add_whole(pin.load());
        sum
    }

    /// The row id that a handle holds.
    pub(super) fn pinned_row(pin: &Pin) -> RowId {
        pin.row()
    }
}

impl Row {
    /// A reserved row is used for the first time: the series begins now.
    fn begin(&mut self, now: Moment) {
        self.flags &= !UNUSED;
        self.created = now.ticks;
        self.born = now.scrape;
    }
}
