//! The rows of a block as metrics.

use std::ops::Range;

use super::parts::plain_labels;
use super::wire::{self, double_tag, len_tag, varint_tag};
use super::{
    CREATED_BYTES_MAX, DOUBLE_BYTES, Messages, exemplar, family_field, histogram_field,
    metric_field, native,
};
use crate::exemplar::Exemplar;
use crate::exposition::{Out, SLACK};
use crate::store::{Block, CounterValue, ESCAPED, Pin, Row, Shard, Upcoming, body_values};
use crate::time::{Ticks, Timestamp, wall_ms_at};
use crate::value::native::NativeView;
use crate::value::summary::QUANTILES;
use crate::value::{Sum, histogram};

/// A row's start time as the field of a message, kept for the next row that has the same.
struct Created {
    started: Timestamp,
    tag: u8,
    of: Option<Ticks>,
    bytes: [u8; CREATED_BYTES_MAX + SLACK],
    len: usize,
}

impl Created {
    /// Of rows of an aggregator that was started then.
    fn new(started: Timestamp, field: u8) -> Self {
        let bytes = [0; CREATED_BYTES_MAX + SLACK];
        Self { started, tag: len_tag(field), of: None, bytes, len: 0 }
    }

    /// The wall clock's time when the row came into being.
    #[inline(always)]
    fn of(&mut self, row: &Row) -> (&[u8; CREATED_BYTES_MAX], usize) {
        if self.of != Some(row.created) {
            self.set(row.created);
        }
        (self.bytes.first_chunk().expect("it is longer"), self.len)
    }

    #[inline(never)]
    fn set(&mut self, created: Ticks) {
        let mut out = Out::new(&mut self.bytes, 0);
        wire::timestamp(&mut out, self.tag, wall_ms_at(self.started, created));
        (self.len, self.of) = (out.end(), Some(created));
    }
}

/// Some rows of a block. Each method writes those of one type, and says how many.
pub(super) struct Rows<'a> {
    pub(super) of: &'a Messages<'a>,
    pub(super) shard: &'a Shard,
    pub(super) block: &'a Block,
    pub(super) block_id: u32,
    pub(super) range: Range<usize>,
    pub(super) upcoming: Upcoming<'a>,
}

impl<'a> Rows<'a> {
    /// Those that are to be seen.
    #[inline(always)]
    fn seen(&self) -> impl Iterator<Item = (usize, &'a Row)> {
        let view = self.of.view;
        let rows = self.range.clone().zip(&self.block.rows[self.range.clone()]);
        let upcoming = self.upcoming;
        let rows = rows.inspect(move |(i, row)| upcoming.prefetch(*i, row));
        rows.filter(move |(_, row)| row.is_seen(view))
    }

    /// Whether the reader sees the row at 0.
    #[inline(always)]
    fn is_held(&self, row: &Row) -> bool {
        row.is_held(self.of.view)
    }

    /// Writes one metric whose value is expected to have so many bytes.
    #[inline(always)]
    fn metric(
        &self,
        out: &mut Out<'_>,
        row: &Row,
        value_len: usize,
        value: impl FnOnce(&mut Out<'_>),
    ) {
        let body = self.block.body(row);
        let values_len = body.len().saturating_sub(self.of.parts.skeleton_bytes);
        let expected_len = self.of.parts.labels_bytes + values_len + value_len;
        wire::message(out, len_tag(family_field::METRIC), expected_len, |out| {
            if row.flags & ESCAPED == 0 {
                plain_labels(out, &self.of.parts.labels, body);
            } else {
                for (label, value) in
                    std::iter::zip(&self.of.parts.labels, body_values(self.of.family, body))
                {
                    label.put(out, &value);
                }
            }
            value(out);
        });
    }

    #[inline(never)]
    pub(super) fn counters(&self, out: &mut Out<'_>) -> usize {
        let mut created = Created::new(self.of.started, 3);
        let mut n_rows = 0;
        for (i, row) in self.seen() {
            n_rows += 1;
            let value = if self.is_held(row) {
                0.0
            } else {
                match self.shard.counter(self.block_id, row, i) {
                    CounterValue::Whole(n) => n as f64,
                    CounterValue::Wide(sum) => sum.to_f64(),
                }
            };
            let (created, created_len) = created.of(row);
            if let Some(pin) = self.shard.pin_of(self.block_id, row, i)
                && let Some(Some(exemplar)) = pin.exemplars().first()
                && !self.is_held(row)
            {
                self.metric(out, row, 0x80, |out| {
                    wire::message(out, len_tag(metric_field::COUNTER), 0x80, |out| {
                        wire::double(out, double_tag(1), value);
                        exemplar::put(out, &[len_tag(2)], exemplar);
                        out.put_padded(created, created_len);
                    });
                });
                continue;
            }
            let len = DOUBLE_BYTES + created_len;
            self.metric(out, row, 2 + len, |out| {
                wire::number(out, len_tag(metric_field::COUNTER), len as u64);
                wire::double(out, double_tag(1), value);
                out.put_padded(created, created_len);
            });
        }
        n_rows
    }

    pub(super) fn gauges(&self, out: &mut Out<'_>) -> usize {
        let mut n_rows = 0;
        for (i, row) in self.seen() {
            let ttl = self.of.family.ttl();
            let Some(value) = self.shard.gauge(self.block_id, i, ttl, self.of.now) else {
                continue;
            };
            n_rows += 1;
            self.metric(out, row, 2 + DOUBLE_BYTES, |out| {
                wire::number(out, len_tag(metric_field::GAUGE), DOUBLE_BYTES as u64);
                wire::double(out, double_tag(1), value);
            });
        }
        n_rows
    }

    pub(super) fn histograms(&self, out: &mut Out<'_>) -> usize {
        let mut created = Created::new(self.of.started, histogram_field::CREATED);
        let mut n_rows = 0;
        for (i, row) in self.seen() {
            n_rows += 1;
            let (counts, sum) = histogram::read(self.block.cells(i));
            let native = self.block.native(i, self.of.family);
            let held = self.is_held(row);
            let (created, created_len) = created.of(row);
            // Almost any has more than 128 bytes.
            self.metric(out, row, 0x80, |out| {
                wire::message(out, len_tag(metric_field::HISTOGRAM), 0x80, |out| {
                    let total = counts.iter().fold(0_u64, |total, n| total.saturating_add(*n));
                    let (total, sum) = if held { (0, Sum::default()) } else { (total, sum) };
                    wire::number(out, varint_tag(histogram_field::SAMPLE_COUNT), total);
                    wire::double(out, double_tag(histogram_field::SAMPLE_SUM), sum.to_f64());
                    out.put_padded(created, created_len);
                    let pin = self.shard.pin_of(self.block_id, row, i).filter(|_| !held);
                    let exemplars = pin.map(Pin::exemplars);
                    let exemplars = exemplars.as_deref().map_or(&[][..], Vec::as_slice);
                    self.buckets(out, counts, held, exemplars);
                    if let (Some(native), Some(declared)) = (native, self.of.family.native()) {
                        // A reader that sees it at 0 sees a histogram of nothing.
                        let nothing = NativeView {
                            schema: declared.schema,
                            zero_count: 0,
                            first: 0,
                            counts: &[],
                        };
                        native::put(out, if held { nothing } else { native });
                        for exemplar in exemplars.iter().flatten() {
                            exemplar::put(out, &exemplar::NATIVE_TAG, exemplar);
                        }
                    }
                });
            });
        }
        n_rows
    }

    /// The classic buckets, which a family with native ones alone has not: where native ones are not wanted,
    /// Prometheus adds the one for `+Inf` by itself, as it is in text.
    #[inline(always)]
    fn buckets(
        &self,
        out: &mut Out<'_>,
        counts: &[u64],
        held: bool,
        exemplars: &[Option<Exemplar>],
    ) {
        let bounds = self.of.family.bounds();
        if bounds.is_empty() && self.of.family.native().is_some() {
            return;
        }
        let mut cumulative = 0_u64;
        for (i, (bound, count)) in bounds.iter().chain([&f64::INFINITY]).zip(counts).enumerate() {
            if !held {
                cumulative = cumulative.saturating_add(*count);
            }
            let len = 1 + wire::varint_len(cumulative) + DOUBLE_BYTES;
            wire::message(out, len_tag(histogram_field::BUCKET), len, |out| {
                wire::number(out, varint_tag(1), cumulative);
                wire::double(out, double_tag(2), *bound);
                if let Some(Some(exemplar)) = exemplars.get(i) {
                    exemplar::put(out, &[len_tag(3)], exemplar);
                }
            });
        }
    }

    /// Only totals are held at 0 for a reader; a quantile at 0 would say that it was measured so.
    pub(super) fn summaries(&self, out: &mut Out<'_>) -> usize {
        let mut created = Created::new(self.of.started, 4);
        let mut n_rows = 0;
        for (i, row) in self.seen() {
            n_rows += 1;
            let quantiles = self.block.quantiles(i, self.of.family, self.of.now);
            let (mut count, mut sum) = (0, Sum::default());
            if !self.is_held(row) {
                let (counts, total) = histogram::read(self.block.cells(i));
                (count, sum) = (counts[0], total);
            }
            let (created, created_len) = created.of(row);
            let expected_len = if quantiles.is_some() { 0x80 } else { 0 };
            self.metric(out, row, 0x40, |out| {
                wire::message(out, len_tag(metric_field::SUMMARY), expected_len, |out| {
                    wire::number(out, varint_tag(1), count);
                    wire::double(out, double_tag(2), sum.to_f64());
                    for (quantile, value) in std::iter::zip(QUANTILES, quantiles.iter().flatten()) {
                        wire::number(out, len_tag(3), 2 * DOUBLE_BYTES as u64);
                        wire::double(out, double_tag(1), quantile);
                        wire::double(out, double_tag(2), *value);
                    }
                    out.put_padded(created, created_len);
                });
            });
        }
        n_rows
    }
}
