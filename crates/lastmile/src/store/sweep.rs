//! How rows leave a shard, and how what is left of their blocks comes together.

use super::block::{Block, ROW_BITS, ROWS_MAX, Row, SHOWN, UNUSED, WIDE};
use super::family::FamilyState;
use super::shard::{RowId, Shard};
use crate::readers::{Moment, NOT_BORN};

/// What becomes of a row that a sweep looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Stays,
    /// It was reserved for what folds: it begins anew where it is, hidden until it is used.
    Restarts,
    Leaves,
}

/// The id of row `i` of a block.
fn id(block: u32, i: usize) -> RowId {
    block << ROW_BITS | i as u32
}

impl Shard {
    /// Does with the rows of a family what `fate` says, and shows the label body of each that is gone to
    /// `gone`. What is left of a block joins the one before it if `joins`, which no scrape's cursor may stand
    /// between. Works on one block, the first behind the one numbered `seq`, and gives that one's number;
    /// `None` behind the last.
    pub(super) fn sweep(
        &mut self,
        family: &FamilyState,
        seq: u64,
        joins: bool,
        fate: impl Fn(RowId, &Row) -> Fate,
        mut gone: impl FnMut(&[u8]),
    ) -> Option<u64> {
        let b = self.block_after(family.slot(), seq)?;
        let block = &mut self.blocks[b as usize];
        let seq = block.seq();
        let mut keep = [true; ROWS_MAX];
        let n_rows = block.rows.len();
        for (i, keep) in keep[..n_rows].iter_mut().enumerate() {
            let row = &mut block.rows[i];
            let fate = fate(id(b, i), row);
            if fate == Fate::Stays {
                continue;
            }
            if row.flags & WIDE != 0 {
                self.wide.free(row.value);
            }
            if fate == Fate::Restarts {
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
        let mut next = 0;
        for (i, keep) in keep[..n_rows].iter().enumerate() {
            let row = &block.rows[i];
            if *keep {
                self.table.rename(row.hash, id(b, i), id(b, next));
                if let Some(pin) = self.pins.remove(&id(b, i)) {
                    pin.moved_to(id(b, next));
                    self.pins.insert(id(b, next), pin);
                }
                next += 1;
            } else {
                gone(block.body(row));
                self.table.remove(row.hash, id(b, i));
            }
        }
        if next > 0 {
            block.retain(family, &keep[..n_rows]);
            if joins {
                self.join_the_one_before(family, b);
            }
        } else {
            self.remove_block(family, b);
        }
        Some(seq)
    }

    /// Moves the rows of a block to the one before it, if both together are half full at most: what stays of
    /// many blocks would otherwise cost a scrape a lock and memory a block each.
    fn join_the_one_before(&mut self, family: &FamilyState, b: u32) {
        let of_family = self.blocks_of(family.slot());
        let Some(before) = of_family.iter().position(|other| *other == b).filter(|at| *at > 0)
        else {
            return;
        };
        let before = of_family[before - 1];
        if !self.blocks[before as usize].takes(&self.blocks[b as usize], family) {
            return;
        }
        let moved = self.remove_block(family, b);
        let first = self.blocks[before as usize].rows.len();
        for (i, row) in moved.rows.iter().enumerate() {
            let (from, to) = (id(b, i), id(before, first + i));
            self.table.rename(row.hash, from, to);
            if let Some(pin) = self.pins.remove(&from) {
                pin.moved_to(to);
                self.pins.insert(to, pin);
            }
        }
        self.blocks[before as usize].append(moved);
    }

    /// Takes a block out of its family, and gives it.
    fn remove_block(&mut self, family: &FamilyState, b: u32) -> Block {
        self.free_blocks.push(b);
        if let Some(of_family) = self.families.get_mut(&family.slot()) {
            of_family.retain(|other| *other != b);
            if of_family.is_empty() {
                self.families.remove(&family.slot());
            }
        }
        std::mem::replace(&mut self.blocks[b as usize], Block::new(family, 0))
    }

    /// Has those rows of a family born that wait for it. Works on one block, the first behind the one
    /// numbered `seq`, and gives that one's number; `None` behind the last.
    pub(super) fn bear(&mut self, slot: u32, seq: u64, now: Moment) -> Option<u64> {
        let b = self.block_after(slot, seq)?;
        let block = &mut self.blocks[b as usize];
        for row in block.rows.iter_mut().filter(|row| row.born == NOT_BORN) {
            (row.created, row.born) = (now.ticks, now.scrape);
        }
        Some(block.seq())
    }
}
