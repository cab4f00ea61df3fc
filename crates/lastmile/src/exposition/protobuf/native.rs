//! The native part of a histogram.

use super::wire::{self, double_tag, len_tag, varint_tag};
use super::{DOUBLE_BYTES, GAP_MAX, LEN_BYTES_MAX, NUMBER_BYTES_MAX, histogram_field};
use crate::exposition::Out;
use crate::value::native::{NativeView, ZERO_THRESHOLD};

/// Most bytes of it.
pub(super) fn bytes_max(native: NativeView<'_>) -> usize {
    let span = LEN_BYTES_MAX + 2 * NUMBER_BYTES_MAX;
    let fixed = 2 * NUMBER_BYTES_MAX + DOUBLE_BYTES + span;
    // A span begins behind a gap and has a bucket.
    let n_spans_max = native.counts.len().div_ceil(GAP_MAX + 2);
    fixed + native.counts.len() * NUMBER_BYTES_MAX + n_spans_max * span
}

/// The native part of a histogram. It always has a threshold for what counts as zero and a span, one of no bucket
/// if need be: what has neither, Prometheus takes for classic (`isNativeHistogram` in
/// model/textparse/protobufparse.go), and the first that it stores of the series would not be its zero.
pub(super) fn put(out: &mut Out<'_>, native: NativeView<'_>) {
    let schema = wire::zigzag(i64::from(native.schema));
    wire::number(out, varint_tag(histogram_field::SCHEMA), schema);
    wire::double(out, double_tag(histogram_field::ZERO_THRESHOLD), ZERO_THRESHOLD);
    wire::number(out, varint_tag(histogram_field::ZERO_COUNT), native.zero_count);
    let mut put_span = |offset: i64, len: usize| {
        wire::message(out, len_tag(histogram_field::POSITIVE_SPAN), 0, |out| {
            wire::number(out, varint_tag(1), wire::zigzag(offset));
            wire::number(out, varint_tag(2), len as u64);
        });
    };
    if native.counts.is_empty() {
        put_span(0, 0);
    }
    // The first is where it starts, each other how far behind the one before.
    let mut from = i64::from(native.first);
    for (gap, span) in spans(native.counts) {
        put_span(from + gap as i64, span.len());
        from = 0;
    }
    let mut before = 0_i64;
    for count in spans(native.counts).flat_map(|(_, span)| span) {
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        wire::number(
            out,
            varint_tag(histogram_field::POSITIVE_DELTA),
            wire::zigzag(count - before),
        );
        before = count;
    }
}

/// Runs of buckets without more than [`GAP_MAX`] empty ones in a row, and how many are empty before each.
fn spans(counts: &[u64]) -> impl Iterator<Item = (usize, &[u64])> {
    let mut rest = counts;
    std::iter::from_fn(move || {
        let gap = rest.iter().position(|n| *n > 0)?;
        let run = &rest[gap..];
        let mut len = 1;
        while let Some(more) = run[len..].iter().take(GAP_MAX + 1).position(|n| *n > 0) {
            len += more + 1;
        }
        rest = &run[len..];
        Some((gap, &run[..len]))
    })
}
