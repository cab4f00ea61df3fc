//! The text formats: Prometheus text and OpenMetrics, which differ in what a family's
//! [parts](super::parts) are.
//!
//! A line is `head body tail value \n`, where the body is the row's key as it is stored and the head and
//! the tail belong to the family: so a line costs three copies and the digits of its value.
//!
//! ```text
//! page_load_seconds_bucket{ app="x" ,le="0.5"}␣ 17 \n
//! └──────── head ─────────┘└ body ┘└── tail ──┘
//! ```

use super::number;
use super::parts::{Body, Line, Short, TextParts};
use super::{Out, PAD};
use crate::readers::View;
use crate::schema::Kind;
use crate::store::{Block, CounterValue, FamilyState, Row, Shard};
use crate::time::{Ticks, Timestamp, wall_ms_at};
use crate::value::summary::QUANTILES;
use crate::value::{Sum, histogram};

/// What a scrape writes of the rows of one family.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    pub(super) family: &'a FamilyState,
    pub(super) parts: &'a TextParts,
    pub(super) view: &'a View,
    pub(super) now: Ticks,
    /// Where series tell when they began: when tick 0 was.
    pub(super) started: Option<Timestamp>,
}

impl<'a> Lines<'a> {
    /// Upper bound of a block's text, the family's header included.
    pub(super) fn bytes_max(&self, block: &Block) -> usize {
        let (n_rows, key_bytes) = (block.rows.len(), block.key_bytes());
        let rows = self.parts.rows_bytes_max(n_rows, key_bytes, self.started.is_some());
        self.parts.header().len() + rows
    }

    /// A row's body, made in `scratch` if it is not the one that the store has.
    #[inline(always)]
    fn body<'b>(&self, block: &'b Block, row: &Row, scratch: &'b mut Vec<u8>) -> Body<'b>
    where
        'a: 'b,
    {
        let stored = block.body(row);
        if self.parts.keeps_bodies() {
            return Body { exact: stored, padded: block.bodies().padded(row) };
        }
        Body { exact: self.parts.body(self.family, stored, scratch), padded: None }
    }

    /// When the row's series began, where that is told.
    fn created(&self, out: &mut Out<'_>, body: Body<'_>, row: &Row) {
        if let (Some(line), Some(started)) = (&self.parts.created, self.started) {
            line.start(out, body);
            number::seconds(out, wall_ms_at(started, row.created));
        }
    }
}

/// Writes the rows of one block that are to be seen, the family's header before the first unless
/// `header_done`. The caller holds the shard's lock and has made room for [`Lines::bytes_max`].
pub(super) fn block(
    out: &mut Out<'_>,
    lines: &Lines<'_>,
    shard: &mut Shard,
    block_id: u32,
    header_done: &mut bool,
) {
    let Lines { family, parts, view, now, started } = *lines;
    if view.reader_kind() != 0 {
        shard.mark_shown(block_id, view);
    }
    let block = shard.block(block_id);
    let gauge = |i: usize| shard.gauge(block_id, i, family.ttl(), now);
    let is_gauge = family.kind() == Kind::Gauge;
    let rows = || block.rows.iter().enumerate().filter(|(_, row)| row.is_seen(view));
    if !*header_done {
        if !rows().any(|(i, _)| !is_gauge || gauge(i).is_some()) {
            return;
        }
        out.put(parts.header());
        *header_done = true;
    }
    let mut scratch = Vec::new();
    let mut local = out.reborrow();
    // A loop for each type, rather than the question with every row.
    match family.kind() {
        Kind::Counter if parts.keeps_bodies() && started.is_none() => {
            let end = counters(local.reborrow(), &parts.lines[0], shard, block_id, view);
            local.set_end(end);
        }
        Kind::Counter => {
            for (i, row) in rows() {
                let body = lines.body(block, row, &mut scratch);
                let value = if row.is_held(view) {
                    CounterValue::Whole(0)
                } else {
                    shard.counter(block_id, row, i)
                };
                let end = long_line(local.reborrow(), &parts.lines[0], body.exact, value);
                local.set_end(end);
                lines.created(&mut local, body, row);
            }
        }
        Kind::Gauge => {
            for (i, row) in rows() {
                if let Some(value) = gauge(i) {
                    parts.lines[0].start(&mut local, lines.body(block, row, &mut scratch));
                    number::float(&mut local, value);
                }
            }
        }
        Kind::Histogram => {
            for (i, row) in rows() {
                let body = lines.body(block, row, &mut scratch);
                if row.is_held(view) {
                    for line in &parts.lines {
                        line.start(&mut local, body);
                        local.put(b"0\n");
                    }
                } else {
                    histogram_row(&mut local, parts, body, block.cells(i));
                }
                lines.created(&mut local, body, row);
            }
        }
        Kind::Summary => summaries(&mut local, lines, block),
    }
    let end = local.end();
    out.set_end(end);
}

/// The rows of a counter's block, which is what most expositions mostly are: where they end.
#[inline(always)]
fn counters(out: Out<'_>, line: &Line, shard: &Shard, block_id: u32, view: &View) -> usize {
    match (shard.block(block_id).body_bytes_max(), line.as_short()) {
        (_, None) => counters_of::<0>(out, line, &Short::default(), shard, block_id, view),
        (..=64, Some(short)) => counters_of::<64>(out, line, &short, shard, block_id, view),
        (..=80, Some(short)) => counters_of::<80>(out, line, &short, shard, block_id, view),
        (..=96, Some(short)) => counters_of::<96>(out, line, &short, shard, block_id, view),
        (_, Some(short)) => counters_of::<128>(out, line, &short, shard, block_id, view),
    }
}

/// The same for bodies that mostly have `N` bytes at most; 0 for a line that is not short.
///
/// What is short takes one check of bounds a line, and no call: some fifty instructions and 5 ns where the
/// rows are in the core's cache. Where they are not, fewer instructions let a core look further ahead, which
/// hid more of the memory than loading a block's lines before its rows did.
#[inline(never)]
fn counters_of<const N: usize>(
    mut out: Out<'_>,
    line: &Line,
    short: &Short,
    shard: &Shard,
    block_id: u32,
    view: &View,
) -> usize {
    let block = shard.block(block_id);
    let (bodies, Short { head, head_len, tail, tail_len }) = (block.bodies(), *short);
    for (i, row) in block.rows.iter().enumerate() {
        if !row.is_seen(view) {
            continue;
        }
        let held = row.is_held(view);
        if N > 0
            && (held || row.is_plain())
            && let Some((body, body_len)) = bodies.padded::<N>(row)
        {
            let n = if held { 0 } else { row.value };
            // What the compiler cannot know: nothing is longer than what it is padded to.
            let (body_at, tail_at) = (head_len.min(PAD), head_len.min(PAD) + body_len.min(N));
            let room = out.room();
            room[..PAD].copy_from_slice(&head);
            room[body_at..body_at + N].copy_from_slice(body);
            room[tail_at..tail_at + tail.len()].copy_from_slice(&tail);
            let len = number::digits(room, tail_at + tail_len, n);
            out.advance(len);
        } else {
            let value = if held { CounterValue::Whole(0) } else { shard.counter(block_id, row, i) };
            let end = long_line(out.reborrow(), line, block.body(row), value);
            out.set_end(end);
        }
    }
    out.end()
}

/// A counter's line of any size: where it ends.
#[cold]
#[inline(never)]
fn long_line(mut out: Out<'_>, line: &Line, body: &[u8], value: CounterValue) -> usize {
    line.head.put(&mut out);
    out.put(body);
    line.tail.put(&mut out);
    match value {
        CounterValue::Whole(n) => number::whole(&mut out, n),
        CounterValue::Wide(sum) => number::sum(&mut out, sum),
    }
    out.end()
}

#[inline(always)]
fn histogram_row(out: &mut Out<'_>, parts: &TextParts, body: Body<'_>, cells: &[u64]) {
    let (counts, sum) = histogram::read(cells);
    let mut cumulative: u64 = 0;
    let (buckets, totals) = parts.lines.split_at(counts.len());
    for (line, count) in buckets.iter().zip(counts) {
        cumulative = cumulative.saturating_add(*count);
        line.start(out, body);
        number::whole(out, cumulative);
    }
    totals[0].start(out, body);
    number::sum(out, sum);
    totals[1].start(out, body);
    number::whole(out, cumulative);
}

/// The rows of a summary's block: a loop of its own, so that the others stay as small as they are. Only
/// totals are held at 0 for a reader; a quantile at 0 would say that it was measured so.
#[inline(never)]
fn summaries(out: &mut Out<'_>, lines: &Lines<'_>, block: &Block) {
    let mut scratch = Vec::new();
    let (of_quantiles, totals) = lines.parts.lines.split_at(QUANTILES.len());
    for (i, row) in block.rows.iter().enumerate() {
        if !row.is_seen(lines.view) {
            continue;
        }
        let body = lines.body(block, row, &mut scratch);
        let quantiles = block.quantiles(i, lines.family, lines.now);
        for (line, value) in of_quantiles.iter().zip(quantiles.iter().flatten()) {
            line.start(out, body);
            number::float(out, *value);
        }
        let (mut count, mut sum) = (0, Sum::default());
        if !row.is_held(lines.view) {
            let (counts, total) = histogram::read(block.cells(i));
            (count, sum) = (counts[0], total);
        }
        totals[0].start(out, body);
        number::sum(out, sum);
        totals[1].start(out, body);
        number::whole(out, count);
        lines.created(out, body, row);
    }
}
