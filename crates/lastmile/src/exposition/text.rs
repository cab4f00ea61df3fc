//! Prometheus text 0.0.4.
//!
//! A line is `head body tail value \n`, where the body is the row's key as it is stored and the head and
//! the tail belong to the family: so a line costs three copies and the digits of its value.
//!
//! ```text
//! page_load_seconds_bucket{ app="x" ,le="0.5"}␣ 17 \n
//! └──────── head ─────────┘└ body ┘└── tail ──┘
//! ```

use super::number::{self, canonical, javascript};
use super::{Out, PAD, Piece};
use crate::readers::View;
use crate::schema::{Family, Kind, LeStyle};
use crate::store::{Block, CounterValue, FamilyState, Row, Shard, UNUSED};
use crate::time::Ticks;
use crate::value::summary::QUANTILES;
use crate::value::{Sum, histogram};

/// Longest value: 39 digits of a 128-bit whole number; an `f64` takes 24.
const VALUE_BYTES_MAX: usize = 40;

/// The pieces of a family's text that do not change.
#[derive(Debug)]
pub(crate) struct TextParts {
    /// The `# HELP` and `# TYPE` lines.
    header: Vec<u8>,
    /// Of a counter or gauge one line, of a histogram or summary the buckets or quantiles, `_sum`
    /// and `_count`.
    lines: Vec<Line>,
    /// Bytes of one row's text without its keys.
    fixed_bytes_max: usize,
}

/// What stands around the body in one line of a row.
#[derive(Debug)]
struct Line {
    head: Piece,
    tail: Piece,
}

impl TextParts {
    pub(crate) fn new(family: &Family) -> Self {
        let name = family.name();
        let mut header = Vec::new();
        if !family.help_text().is_empty() {
            header.extend_from_slice(format!("# HELP {name} ").as_bytes());
            escape_help(family.help_text(), &mut header);
            header.push(b'\n');
        }
        header.extend_from_slice(format!("# TYPE {name} {}\n", family.kind()).as_bytes());
        let bare = family.labels().is_empty();
        let plain = |name: &str| {
            let (open, close) = if bare { ("", " ") } else { ("{", "} ") };
            Line { head: Piece::new(&format!("{name}{open}")), tail: Piece::new(close) }
        };
        let mut lines = Vec::new();
        if family.kind() == Kind::Histogram {
            let spell = match family.le_style {
                LeStyle::Canonical => canonical,
                LeStyle::JavaScript => javascript,
            };
            let comma = if bare { "" } else { "," };
            let bounds = family.bounds().iter().map(|b| spell(*b)).chain(["+Inf".to_owned()]);
            lines.extend(bounds.map(|le| Line {
                head: Piece::new(&format!("{name}_bucket{{")),
                tail: Piece::new(&format!("{comma}le=\"{le}\"}} ")),
            }));
            lines.push(plain(&format!("{name}_sum")));
            lines.push(plain(&format!("{name}_count")));
        } else if family.kind() == Kind::Summary {
            let comma = if bare { "" } else { "," };
            lines.extend(QUANTILES.map(|quantile| Line {
                head: Piece::new(&format!("{name}{{")),
                tail: Piece::new(&format!("{comma}quantile=\"{quantile}\"}} ")),
            }));
            lines.push(plain(&format!("{name}_sum")));
            lines.push(plain(&format!("{name}_count")));
        } else {
            lines.push(plain(name));
        }
        let fixed_bytes_max =
            lines.iter().map(|l| l.head.len() + l.tail.len() + VALUE_BYTES_MAX + 1).sum();
        Self { header, lines, fixed_bytes_max }
    }

    /// Upper bound of the text of a row whose key has `key_len` bytes.
    #[inline]
    pub(crate) fn row_bytes_max(&self, key_len: usize) -> usize {
        self.fixed_bytes_max + self.lines.len() * key_len
    }

    pub(super) fn header(&self) -> &[u8] {
        &self.header
    }
}

/// HELP escapes `\` and line feed only.
/// Source: Prometheus docs/instrumenting/exposition_formats.md, "Comments, help text, and type information".
fn escape_help(help: &str, out: &mut Vec<u8>) {
    for b in help.bytes() {
        match b {
            b'\\' => out.extend_from_slice(br"\\"),
            b'\n' => out.extend_from_slice(br"\n"),
            _ => out.push(b),
        }
    }
}

/// Writes the rows of one block that are to be seen, the family's header before the first unless
/// `header_done`. The caller holds the shard's lock and has made room for the header and the block.
pub(super) fn block(
    out: &mut Out<'_>,
    family: &FamilyState,
    shard: &mut Shard,
    block_id: u32,
    view: &View,
    now: Ticks,
    header_done: &mut bool,
) {
    if view.reader_kind() != 0 {
        shard.mark_shown(block_id, view);
    }
    let block = shard.block(block_id);
    let text = family.text();
    let gauge = |i: usize| shard.gauge(block_id, i, family.ttl(), now);
    let is_gauge = family.kind() == Kind::Gauge;
    let rows = || block.rows.iter().enumerate().filter(|(_, row)| is_seen(row, view));
    if !*header_done {
        if !rows().any(|(i, _)| !is_gauge || gauge(i).is_some()) {
            return;
        }
        out.put(text.header());
        *header_done = true;
    }
    let held = |row: &Row| !view.shows(row.born, row.created, row.shown());
    let mut local = out.reborrow();
    // A loop for each type, rather than the question with every row.
    match family.kind() {
        Kind::Counter => {
            let end = counters(local.reborrow(), &text.lines[0], shard, block_id, view);
            local.set_end(end);
        }
        Kind::Gauge => {
            for (i, row) in rows() {
                if let Some(value) = gauge(i) {
                    text.lines[0].start(&mut local, Body::of(block, row));
                    number::float(&mut local, value);
                }
            }
        }
        Kind::Histogram => {
            for (i, row) in rows() {
                let (body, cells) = (Body::of(block, row), block.cells(i));
                if held(row) {
                    for line in &text.lines {
                        line.start(&mut local, body);
                        local.put(b"0\n");
                    }
                } else {
                    histogram_row(&mut local, text, body, cells);
                }
            }
        }
        Kind::Summary => summaries(&mut local, family, block, view, now),
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
        if !is_seen(row, view) {
            continue;
        }
        let held = !view.shows(row.born, row.created, row.shown());
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

/// Whether a scrape shows a row at all.
#[inline(always)]
fn is_seen(row: &Row, view: &View) -> bool {
    row.flags & UNUSED == 0 && view.includes(row.born)
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
fn histogram_row(out: &mut Out<'_>, text: &TextParts, body: Body<'_>, cells: &[u64]) {
    let (counts, sum) = histogram::read(cells);
    let mut cumulative: u64 = 0;
    let (buckets, totals) = text.lines.split_at(counts.len());
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
fn summaries(out: &mut Out<'_>, family: &FamilyState, block: &Block, view: &View, now: Ticks) {
    let (lines, totals) = family.text().lines.split_at(QUANTILES.len());
    for (i, row) in block.rows.iter().enumerate() {
        if !is_seen(row, view) {
            continue;
        }
        let body = Body::of(block, row);
        let quantiles = block.quantiles(i, family, now);
        for (line, value) in lines.iter().zip(quantiles.iter().flatten()) {
            line.start(out, body);
            number::float(out, *value);
        }
        let (mut count, mut sum) = (0, Sum::default());
        if view.shows(row.born, row.created, row.shown()) {
            let (counts, total) = histogram::read(block.cells(i));
            (count, sum) = (counts[0], total);
        }
        totals[0].start(out, body);
        number::sum(out, sum);
        totals[1].start(out, body);
        number::whole(out, count);
    }
}

/// What stands around the body of a short line: a name of at most 31 bytes, and no label behind the body.
#[derive(Clone, Copy, Default)]
struct Short {
    head: [u8; PAD],
    head_len: usize,
    tail: [u8; 4],
    tail_len: usize,
}

impl Line {
    fn as_short(&self) -> Option<Short> {
        let (head, head_len) = self.head.as_padded()?;
        let (tail, tail_len) = self.tail.as_padded()?;
        let tail = (tail_len <= 4).then(|| tail.first_chunk().copied()).flatten()?;
        Some(Short { head: *head, head_len, tail, tail_len })
    }

    /// All of a line but its value.
    #[inline(always)]
    fn start(&self, out: &mut Out<'_>, body: Body<'_>) {
        self.head.put(out);
        match body.padded {
            Some((padded, len)) => out.put_padded(padded, len),
            None => out.put_rare(body.exact),
        }
        self.tail.put(out);
    }
}

/// A label body, and the same in [`BODY_PAD`] bytes if it is no longer than that and not at the end of its
/// block.
#[derive(Clone, Copy)]
struct Body<'a> {
    exact: &'a [u8],
    padded: Option<(&'a [u8; BODY_PAD], usize)>,
}

/// What most label bodies fit into.
const BODY_PAD: usize = 96;

impl<'a> Body<'a> {
    #[inline(always)]
    fn of(block: &'a Block, row: &Row) -> Self {
        Self { exact: block.body(row), padded: block.bodies().padded(row) }
    }
}
