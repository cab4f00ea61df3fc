//! One shard: a table of row ids over blocks of rows, all behind one lock.

use std::sync::Arc;

use hashbrown::{HashMap, HashTable};

use super::block::{Block, PINNED, RESERVED, ROW_BITS, ROWS_MAX, Row, SHOWN, UNUSED, WIDE};
use super::family::FamilyState;
use super::key::Key;
use super::pin::Pin;
use crate::push::Number;
use crate::readers::{Moment, View};
use crate::schema::{Combine, Kind};
use crate::time::Ticks;
use crate::value::{Sum, histogram};

/// A row's block and its index in it.
pub(super) type RowId = u32;

/// See the module's text. Everything in here happens under the shard's lock: updates are plain adds,
/// so all lines of one series agree whenever a scrape looks.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    table: HashTable<RowId>,
    blocks: Vec<Block>,
    /// Places in `blocks` whose block has left.
    free_blocks: Vec<u32>,
    next_seq: u64,
    /// By family slot, its blocks in the order of exposition.
    families: Vec<Vec<u32>>,
    wide: Wides,
    pins: HashMap<RowId, Arc<Pin>, foldhash::fast::RandomState>,
}

/// Spreads the stored half of a hash over the bits that the table looks at, low ones and top ones.
#[inline]
fn table_hash(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[inline]
fn split(id: RowId) -> (usize, usize) {
    ((id >> ROW_BITS) as usize, id as usize & (ROWS_MAX - 1))
}

impl Shard {
    /// The row of this series, if there is one.
    #[inline]
    pub(super) fn find(&self, key: &Key<'_>) -> Option<RowId> {
        let hash = key.hash as u32;
        let slot = key.family.slot();
        self.table
            .find(table_hash(hash), |&id| {
                let (block, i) = split(id);
                let block = &self.blocks[block];
                let row = &block.rows[i];
                row.hash == hash
                    && block.slot() == slot
                    && key.matches(block.body(row), row.flags & super::block::ESCAPED != 0)
            })
            .copied()
    }

    /// Adds a series that is not there, which the caller has checked and reserved room for.
    pub(super) fn insert(&mut self, key: &Key<'_>, flags: u16, now: Moment) -> RowId {
        let family = key.family;
        let slot = family.slot() as usize;
        if self.families.len() <= slot {
            self.families.resize_with(slot + 1, Vec::new);
        }
        let mut body_len = 0;
        for (i, literal) in family.literals().iter().enumerate() {
            // Escaping at most doubles a value.
            body_len += literal.len() + 2 * key.value(i).len() + 1;
        }
        let last = self.families[slot].last().map(|b| *b as usize);
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
                self.families[slot].push(b as u32);
                b
            }
        };
        let hash = key.hash as u32;
        let i = self.blocks[block].push(key, hash, flags, now);
        let id = (block as u32) << ROW_BITS | i as u32;
        let blocks = &self.blocks;
        self.table.insert_unique(table_hash(hash), id, |&id| {
            let (block, i) = split(id);
            table_hash(blocks[block].rows[i].hash)
        });
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
            Kind::Histogram => {
                let cells = block.cells_mut(i);
                for number in numbers {
                    histogram::observe(cells, family.bounds(), number.value, number.n);
                }
            }
            Kind::Summary => {
                for number in numbers {
                    block.observe(i, family, number, now.ticks);
                }
            }
            Kind::Gauge => {
                let pin = (row.flags & PINNED != 0).then(|| self.pins.get(&id)).flatten();
                let mut alone = fresh || (idle > family.ttl() && pin.is_none());
                let mut value = f64::from_bits(pin.map_or(row.value, |pin| pin.load()));
                for number in numbers {
                    value = match family.combine() {
                        _ if alone => number.value,
                        Combine::Last => number.value,
                        Combine::Min => value.min(number.value),
                        Combine::Max => value.max(number.value),
                    };
                    alone = false;
                }
                match pin {
                    Some(pin) => pin.store(value.to_bits()),
                    None => row.value = value.to_bits(),
                }
            }
        }
    }

    /// The blocks of a family, in the order of exposition.
    #[inline]
    pub(crate) fn blocks_of(&self, slot: u32) -> &[u32] {
        self.families.get(slot as usize).map_or(&[], Vec::as_slice)
    }

    /// The first block of a family behind the one numbered `seq`.
    #[inline]
    pub(crate) fn block_after(&self, slot: u32, seq: u64) -> Option<u32> {
        let blocks = self.blocks_of(slot);
        let at = blocks.partition_point(|b| self.blocks[*b as usize].seq() <= seq);
        blocks.get(at).copied()
    }

    /// Marks the rows of a block that a reader is shown at their value.
    pub(crate) fn mark_shown(&mut self, block: u32, view: &View) {
        for row in &mut self.blocks[block as usize].rows {
            if row.flags & (SHOWN | UNUSED) == 0
                && view.includes(row.born)
                && view.shows(row.born, row.created, false)
            {
                row.flags |= SHOWN;
            }
        }
    }

    /// Lets the rows of a family leave that `leaves` names, with all that belongs to them, and shows the
    /// label body of each that is gone to `gone`. Works on one block, the first behind the one numbered
    /// `seq`, and gives that one's number; `None` behind the last.
    pub(super) fn expire(
        &mut self,
        family: &FamilyState,
        seq: u64,
        leaves: impl Fn(&Row) -> bool,
        mut gone: impl FnMut(&[u8]),
    ) -> Option<u64> {
        let b = self.block_after(family.slot(), seq)?;
        let block = &mut self.blocks[b as usize];
        let seq = block.seq();
        let mut keep = [true; ROWS_MAX];
        let n_rows = block.rows.len();
        for (i, keep) in keep[..n_rows].iter_mut().enumerate() {
            let row = &mut block.rows[i];
            if row.flags & (PINNED | UNUSED) != 0 || !leaves(row) {
                continue;
            }
            if row.flags & WIDE != 0 {
                self.wide.free.push(row.value as u32);
            }
            if row.flags & RESERVED != 0 {
                row.value = 0;
                row.flags = row.flags & !(WIDE | SHOWN) | UNUSED;
                block.clear_cells(i);
            } else {
                *keep = false;
            }
        }
        if keep[..n_rows].iter().all(|keep| *keep) {
            return Some(seq);
        }
        let id = |i: usize| b << ROW_BITS | i as u32;
        let mut next = 0;
        for (i, keep) in keep[..n_rows].iter().enumerate() {
            let row = &block.rows[i];
            let entry = self.table.find_entry(table_hash(row.hash), |other| *other == id(i));
            if *keep {
                if let Ok(mut entry) = entry {
                    *entry.get_mut() = id(next);
                }
                if let Some(pin) = self.pins.remove(&id(i)) {
                    pin.moved_to(id(next));
                    self.pins.insert(id(next), pin);
                }
                next += 1;
            } else {
                gone(block.body(row));
                if let Ok(entry) = entry {
                    entry.remove();
                }
            }
        }
        if next > 0 {
            block.retain(family, &keep[..n_rows]);
        } else {
            *block = Block::new(family, 0);
            self.families[family.slot() as usize].retain(|other| *other != b);
            self.free_blocks.push(b);
        }
        Some(seq)
    }

    #[inline]
    pub(crate) fn block(&self, block: u32) -> &Block {
        &self.blocks[block as usize]
    }

    /// What row `i` of a counter's block stands at.
    #[inline]
    pub(crate) fn counter(&self, block: u32, row: &Row, i: usize) -> CounterValue {
        if row.flags & (WIDE | PINNED) == 0 {
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
        if row.flags & WIDE == 0 {
            Sum::from_whole(row.value)
        } else {
            self.wide.sums[row.value as usize]
        }
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
        family: &FamilyState,
        now: Moment,
    ) -> Arc<Pin> {
        let (block, i) = split(id);
        let row = &mut self.blocks[block].rows[i];
        if row.flags & UNUSED != 0 {
            row.begin(now);
        }
        row.flags |= PINNED;
        let initial = if family.kind() == Kind::Gauge { row.value } else { 0 };
        let pin = self
            .pins
            .entry(id)
            .or_insert_with(|| Arc::new(Pin::new(family.slot(), shard as u32, id, initial)));
        pin.acquire();
        Arc::clone(pin)
    }

    /// Gives a handle back; the last one's cell is folded into the row.
    pub(super) fn unpin(&mut self, pin: &Pin, family: &FamilyState, now: Ticks) {
        if !pin.release_last() {
            return;
        }
        let id = pin.row();
        let (block, i) = split(id);
        let row = &mut self.blocks[block].rows[i];
        row.flags &= !PINNED;
        row.touched = row.touched.max(now);
        match family.kind() {
            Kind::Counter => add_whole_to_counter(row, &mut self.wide, pin.load()),
            Kind::Gauge => row.value = pin.load(),
            Kind::Histogram | Kind::Summary => {}
        }
        self.pins.remove(&id);
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
        histogram::merge(block.cells_mut(i), cells);
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

/// Sums of counters that got fractions or outgrew 64 bits.
#[derive(Debug, Default)]
struct Wides {
    sums: Vec<Sum>,
    free: Vec<u32>,
}

impl Wides {
    fn insert(&mut self, sum: Sum) -> u64 {
        match self.free.pop() {
            Some(i) => {
                self.sums[i as usize] = sum;
                u64::from(i)
            }
            None => {
                self.sums.push(sum);
                (self.sums.len() - 1) as u64
            }
        }
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

/// A counter's value, exact.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CounterValue {
    Whole(u64),
    Wide(Sum),
}

#[inline]
fn add_to_counter(row: &mut Row, wide: &mut Wides, v: f64, n: u64) {
    if row.flags & WIDE == 0 {
        let whole = v as u64;
        if whole as f64 == v
            && let Some(total) = whole.checked_mul(n).and_then(|add| row.value.checked_add(add))
        {
            row.value = total;
            return;
        }
        widen(row, wide);
    }
    wide.sums[row.value as usize].add(v, n);
}

fn add_whole_to_counter(row: &mut Row, wide: &mut Wides, n: u64) {
    if row.flags & WIDE == 0 {
        if let Some(total) = row.value.checked_add(n) {
            row.value = total;
            return;
        }
        widen(row, wide);
    }
    wide.sums[row.value as usize].add_whole(n);
}

/// Moves a counter's value into a sum that takes fractions and does not overflow.
#[cold]
fn widen(row: &mut Row, wide: &mut Wides) {
    row.value = wide.insert(Sum::from_whole(row.value));
    row.flags |= WIDE;
}
