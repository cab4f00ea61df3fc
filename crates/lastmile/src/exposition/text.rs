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

mod exemplar;

use std::ops::Range;

use super::number;
use super::parts::{Body, Short, TextParts};
use super::{Out, PAD};
use crate::readers::View;
use crate::schema::Kind;
use crate::store::{Block, CounterValue, FamilyState, Row, Shard, Turn, Upcoming};
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
    /// Upper bound of the text of all rows of a block.
    pub(super) fn block_bytes_max(&self, shard: &Shard, block_id: u32) -> usize {
        let block = shard.block(block_id);
        let bytes = self.rows_bytes_max(block.rows.len(), block.key_bytes());
        if !self.parts.takes_exemplars {
            return bytes;
        }
        bytes
            + (0..block.rows.len()).map(|i| exemplar::bytes_max(shard, block_id, i)).sum::<usize>()
    }

    /// Upper bound of the text of row `i` of a block.
    pub(super) fn row_bytes_max(&self, shard: &Shard, block_id: u32, i: usize) -> usize {
        let block = shard.block(block_id);
        let bytes = self.rows_bytes_max(1, block.body(&block.rows[i]).len());
        let exemplars =
            if self.parts.takes_exemplars { exemplar::bytes_max(shard, block_id, i) } else { 0 };
        bytes + exemplars
    }

    fn rows_bytes_max(&self, n_rows: usize, key_bytes: usize) -> usize {
        self.parts.rows_bytes_max(n_rows, key_bytes, self.started.is_some())
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

/// Writes those of these rows of a block that are to be seen, the family's header before the first unless
/// `header_done`. The caller holds the shard's lock and has made room for all of them.
pub(super) fn rows(
    out: &mut Out<'_>,
    lines: &Lines<'_>,
    shard: &mut Shard,
    turn: Turn,
    range: Range<usize>,
    header_done: &mut bool,
) {
    let Lines { family, parts, view, now, started } = *lines;
    let Turn { block: block_id, next } = turn;
    if view.reader_kind() != 0 {
        shard.mark_shown(block_id, range.clone(), view);
    }
    let shard = &*shard;
    let block = shard.block(block_id);
    let upcoming = Upcoming::new(shard.block(next));
    let gauge = |i: usize| shard.gauge(block_id, i, family.ttl(), now);
    let is_gauge = family.kind() == Kind::Gauge;
    let seen = || {
        let rows = range.clone().zip(&block.rows[range.clone()]);
        let rows = rows.inspect(|(i, row)| upcoming.prefetch(*i, row));
        rows.filter(|(_, row)| row.is_seen(view))
    };
    if !*header_done {
        if !seen().any(|(i, _)| !is_gauge || gauge(i).is_some()) {
            return;
        }
        out.put(parts.header());
        *header_done = true;
    }
    let mut scratch = Vec::new();
    let mut local = out.reborrow();
    // A loop for each type, rather than the question with every row.
    match family.kind() {
        Kind::Counter => {
            let long = LongLines { parts, shard, block_id, view };
            if parts.keeps_bodies() && started.is_none() {
                let end = counters(local.reborrow(), range, &long, upcoming);
                local.set_end(end);
            } else {
                for (i, row) in seen() {
                    let body = lines.body(block, row, &mut scratch);
                    let end = long.line(local.reborrow(), i, row, body.exact);
                    local.set_end(end);
                    lines.created(&mut local, body, row);
                }
            }
        }
        Kind::Gauge => {
            for (i, row) in seen() {
                if let Some(value) = gauge(i) {
                    parts.lines[0].start(&mut local, lines.body(block, row, &mut scratch));
                    number::float(&mut local, value);
                }
            }
        }
        Kind::Histogram => {
            for (i, row) in seen() {
                let body = lines.body(block, row, &mut scratch);
                if row.is_held(view) {
                    for line in &parts.lines {
                        line.start(&mut local, body);
                        local.put(b"0\n");
                    }
                } else if parts.takes_exemplars
                    && let Some(pin) = shard.pin_of(block_id, row, i)
                {
                    let cells = block.cells(i);
                    let end = exemplar::histogram_row(local.reborrow(), parts, body, cells, pin);
                    local.set_end(end);
                } else {
                    histogram_row(&mut local, parts, body, block.cells(i), |_, _| {});
                }
                lines.created(&mut local, body, row);
            }
        }
        Kind::Summary => summaries(&mut local, lines, block, range, upcoming),
    }
    let end = local.end();
    out.set_end(end);
}

/// Some rows of a counter's block, which is what most expositions mostly are: where they end.
#[inline(always)]
fn counters(out: Out<'_>, range: Range<usize>, long: &LongLines<'_>, next: Upcoming<'_>) -> usize {
    match (long.shard.block(long.block_id).body_bytes_max(), long.parts.lines[0].as_short()) {
        (_, None) => counters_of::<0>(out, range, &Short::default(), long, next),
        (..=64, Some(short)) => counters_of::<64>(out, range, &short, long, next),
        (..=80, Some(short)) => counters_of::<80>(out, range, &short, long, next),
        (..=96, Some(short)) => counters_of::<96>(out, range, &short, long, next),
        (_, Some(short)) => counters_of::<128>(out, range, &short, long, next),
    }
}

/// The same for bodies that mostly have `N` bytes at most; 0 for a line that is not short.
///
/// What is short takes one check of bounds a line, and no call: some fifty instructions and 3.5 ns, wherever the rows
/// are, as those of the next block are on their way meanwhile.
#[inline(never)]
fn counters_of<const N: usize>(
    mut out: Out<'_>,
    range: Range<usize>,
    short: &Short,
    long: &LongLines<'_>,
    next: Upcoming<'_>,
) -> usize {
    let LongLines { shard, block_id, view, .. } = *long;
    let block = shard.block(block_id);
    let (first, rows, bodies) = (range.start, &block.rows[range], block.bodies());
    let Short { head, head_len, tail, tail_len } = *short;
    for (i, row) in (first..).zip(rows) {
        next.prefetch_row(i, row);
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
            let body = bodies.exact(row);
            let end = long.line(out.reborrow(), i, row, body);
            out.set_end(end);
        }
    }
    out.end()
}

/// What lines of counters are made of that are not short.
#[derive(Clone, Copy)]
struct LongLines<'a> {
    parts: &'a TextParts,
    shard: &'a Shard,
    block_id: u32,
    view: &'a View,
}

impl LongLines<'_> {
    /// The line of row `i`, of any size and with any value: where it ends.
    #[cold]
    #[inline(never)]
    fn line(&self, mut out: Out<'_>, i: usize, row: &Row, body: &[u8]) -> usize {
        let line = &self.parts.lines[0];
        line.head.put(&mut out);
        out.put(body);
        line.tail.put(&mut out);
        if row.is_held(self.view) {
            number::whole(&mut out, 0);
            return out.end();
        }
        match self.shard.counter(self.block_id, row, i) {
            CounterValue::Whole(n) => number::whole(&mut out, n),
            CounterValue::Wide(sum) => number::sum(&mut out, sum),
        }
        if self.parts.takes_exemplars
            && let Some(pin) = self.shard.pin_of(self.block_id, row, i)
        {
            exemplar::of_counter(&mut out, pin);
        }
        out.end()
    }
}

/// The lines of a histogram's row; `behind` writes what stands behind that of a bucket.
#[inline(always)]
fn histogram_row(
    out: &mut Out<'_>,
    parts: &TextParts,
    body: Body<'_>,
    cells: &[u64],
    behind: impl Fn(&mut Out<'_>, usize),
) {
    let (counts, sum) = histogram::read(cells);
    let mut cumulative: u64 = 0;
    let (buckets, totals) = parts.lines.split_at(counts.len());
    for (i, (line, count)) in buckets.iter().zip(counts).enumerate() {
        cumulative = cumulative.saturating_add(*count);
        line.start(out, body);
        number::whole(out, cumulative);
        behind(out, i);
    }
    totals[0].start(out, body);
    number::sum(out, sum);
    totals[1].start(out, body);
    number::whole(out, cumulative);
}

/// The rows of a summary's block: a loop of its own, so that the others stay as small as they are. Only
/// totals are held at 0 for a reader; a quantile at 0 would say that it was measured so.
#[inline(never)]
fn summaries(
    out: &mut Out<'_>,
    lines: &Lines<'_>,
    block: &Block,
    range: Range<usize>,
    next: Upcoming<'_>,
) {
    let mut scratch = Vec::new();
    let (of_quantiles, totals) = lines.parts.lines.split_at(QUANTILES.len());
    for (i, row) in range.clone().zip(&block.rows[range]) {
        next.prefetch(i, row);
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
