//! Exemplars of a row that a handle holds, as OpenMetrics writes them behind a sample:
//! `jobs_total 3 # {trace_id="5f1c"} 2 1700000000.250`.
//!
//! Few rows have any, so all of it is out of the loops over rows.

use super::super::parts::VALUE_BYTES_MAX;
use super::{Body, Out, Shard, TextParts, number};
use crate::exemplar::Exemplar;
use crate::store::Pin;

/// Most bytes of an instant with the space before it: of a `u64` in milliseconds, and a point.
const TIMESTAMP_BYTES_MAX: usize = 22;

/// Most bytes of the exemplars of row `i` of a block. The shard's lock is held from here to where they are
/// written.
pub(super) fn bytes_max(shard: &Shard, block_id: u32, i: usize) -> usize {
    let of = |exemplar: &Exemplar| {
        // Escaping at most doubles a value; `=`, two quotes and a comma stand around it.
        let label = |(name, value): &(Box<str>, Box<str>)| name.len() + 2 * value.len() + 4;
        let labels: usize = exemplar.labels.iter().map(label).sum();
        " # {".len() + labels + "} ".len() + VALUE_BYTES_MAX + TIMESTAMP_BYTES_MAX
    };
    let row = &shard.block(block_id).rows[i];
    let pin = shard.pin_of(block_id, row, i);
    pin.map_or(0, |pin| pin.exemplars().iter().flatten().map(of).sum())
}

/// Writes that of a counter behind its line, if it has one.
#[cold]
#[inline(never)]
pub(super) fn of_counter(out: &mut Out<'_>, pin: &Pin) {
    if let Some(Some(exemplar)) = pin.exemplars().first() {
        put(out, exemplar);
    }
}

/// A histogram's row that a handle holds, with the exemplars of its buckets: where it ends.
#[cold]
#[inline(never)]
pub(super) fn histogram_row(
    mut out: Out<'_>,
    parts: &TextParts,
    body: Body<'_>,
    cells: &[u64],
    pin: &Pin,
) -> usize {
    let exemplars = pin.exemplars();
    super::histogram_row(&mut out, parts, body, cells, |out, bucket_idx| {
        if let Some(Some(exemplar)) = exemplars.get(bucket_idx) {
            put(out, exemplar);
        }
    });
    out.end()
}

/// Writes one at the end of the line before.
fn put(out: &mut Out<'_>, exemplar: &Exemplar) {
    back(out);
    out.put(b" # {");
    for (i, (name, value)) in exemplar.labels.iter().enumerate() {
        out.put(if i == 0 { b"" } else { b"," });
        out.put(name.as_bytes());
        out.put(b"=\"");
        // Source: OpenMetrics 1.0 §Escaping (specification/OpenMetrics.md).
        for byte in value.bytes() {
            match byte {
                b'\\' => out.put(br"\\"),
                b'"' => out.put(b"\\\""),
                b'\n' => out.put(br"\n"),
                byte => out.put(&[byte]),
            }
        }
        out.put(b"\"");
    }
    out.put(b"} ");
    number::float(out, exemplar.value);
    if let Some(ms) = exemplar.timestamp_ms {
        back(out);
        out.put(b" ");
        number::seconds(out, ms);
    }
}

/// Goes back before the line feed that each number ends with.
fn back(out: &mut Out<'_>) {
    let end = out.end() - 1;
    out.set_end(end);
}
