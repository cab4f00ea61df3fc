//! Length-delimited protobuf: messages of `io.prometheus.client.MetricFamily`.
//!
//! ```text
//! len  name help type unit  metric metric …      one message a block of rows, one lock hold
//!                           └ label label … value with start time
//! ```
//! A family comes in as many messages as it has blocks with rows to show, one behind the other. Prometheus
//! reads them one by one, keeps no table of names, and takes the series of each: in 2.42 and 2.53
//! `ProtobufParser.Next` calls `readDelimited` for the next message when a family's metrics are at their end
//! (model/textparse/protobufparse.go, state `EntryInvalid`), in 3.x `MetricStreamingDecoder.NextMetricFamily`
//! (prompb/io/prometheus/client/decoder.go), and what it stores of help, type and unit is the same each time.
//!
//! The names of a family are those that it has in text, a counter's with its `_total`: Prometheus takes the name
//! of a message's counters as it is, so the series that are stored do not depend on the format.
//!
//! Schema: client_model, io/prometheus/client/metrics.proto; the numbers of its fields are below.
//! It is written by hand over the rows as they are stored, with nothing between that would have to be allocated;
//! messages of generated types are the twin in tests.

#[cfg(feature = "prometheus-client")]
pub(super) mod appended;
mod exemplar;
mod native;
mod wire;

use self::wire::{VARINT_BYTES_MAX, double_tag, len_tag, varint_tag};
use super::{Escaping, Out, Piece, ends_in_unit};
use crate::exemplar::Exemplar;
use crate::readers::View;
use crate::schema::Kind;
use crate::store::{Block, CounterValue, ESCAPED, FamilyState, Pin, Row, Shard, body_values};
use crate::time::{Ticks, Timestamp, wall_ms_at};
use crate::value::native::NativeView;
use crate::value::summary::QUANTILES;
use crate::value::{Sum, histogram};

mod family_field {
    pub(super) const NAME: u8 = 1;
    pub(super) const HELP: u8 = 2;
    pub(super) const TYPE: u8 = 3;
    pub(super) const METRIC: u8 = 4;
    pub(super) const UNIT: u8 = 5;
}

mod metric_field {
    pub(super) const LABEL: u8 = 1;
    pub(super) const GAUGE: u8 = 2;
    pub(super) const COUNTER: u8 = 3;
    pub(super) const SUMMARY: u8 = 4;
    pub(super) const HISTOGRAM: u8 = 7;
}

mod histogram_field {
    pub(super) const SAMPLE_COUNT: u8 = 1;
    pub(super) const SAMPLE_SUM: u8 = 2;
    pub(super) const BUCKET: u8 = 3;
    pub(super) const SCHEMA: u8 = 5;
    pub(super) const ZERO_THRESHOLD: u8 = 6;
    pub(super) const ZERO_COUNT: u8 = 7;
    pub(super) const POSITIVE_SPAN: u8 = 12;
    pub(super) const POSITIVE_DELTA: u8 = 13;
    pub(super) const CREATED: u8 = 15;
}

/// The number of a type in `MetricType`.
fn type_number(kind: Kind) -> u64 {
    match kind {
        Kind::Counter => 0,
        Kind::Gauge => 1,
        Kind::Summary => 2,
        Kind::Histogram => 4,
    }
}

/// Most bytes of a start time as a field.
const CREATED_BYTES_MAX: usize = 32;

/// Most bytes of a tag and a number.
const NUMBER_BYTES_MAX: usize = 1 + VARINT_BYTES_MAX;

/// Bytes of a tag and a float.
const DOUBLE_BYTES: usize = 9;

/// Most bytes of a tag and a length; no message is 2^35 bytes long.
const LEN_BYTES_MAX: usize = 6;

/// This many empty buckets between two others are deltas, more begin another span, which takes as many bytes.
/// Source: client_golang `makeBuckets` (prometheus/histogram.go).
const GAP_MAX: usize = 2;

/// The pieces of a family's messages that do not change.
#[derive(Debug)]
pub(super) struct Parts {
    /// Name, help, type and unit.
    header: Vec<u8>,
    labels: Vec<LabelParts>,
    /// Bytes of a row's labels without their values, where no value is long.
    labels_bytes: usize,
    /// Bytes of a label body that are no values.
    skeleton_bytes: usize,
    /// Most bytes of a row without its label values and its native buckets.
    row_bytes_max: usize,
}

/// What stands before a label's value.
#[derive(Debug)]
struct LabelParts {
    /// The name as a field, and the tag of the value.
    head: Piece,
    /// Bytes of what stands before the value in a row's label body.
    literal_bytes: usize,
}

impl Parts {
    /// Those of a family, with its name and those of its labels in this escaping.
    pub(super) fn new(family: &FamilyState, escaping: Escaping) -> Self {
        let declared = family.declared();
        let mut header = Vec::new();
        let mut put_text = |field: u8, text: &str| {
            let mut field_bytes = vec![0; text.len() + LEN_BYTES_MAX + super::SLACK];
            let mut out = Out::new(&mut field_bytes, 0);
            wire::text(&mut out, len_tag(field), text.as_bytes());
            header.extend_from_slice(&out.bytes[..out.end]);
        };
        let name = escaping.metric_name(declared.name());
        put_text(family_field::NAME, &name);
        if !declared.help_text().is_empty() {
            put_text(family_field::HELP, declared.help_text());
        }
        // The declared name ends in it, an escaped one may not: Prometheus refuses a scrape where it does not.
        let unit = declared.unit_name().filter(|unit| ends_in_unit(&name, family.kind(), unit));
        if let Some(unit) = unit {
            put_text(family_field::UNIT, unit);
        }
        header.extend([varint_tag(family_field::TYPE), type_number(family.kind()) as u8]);
        let mut name_bytes = 0;
        let labels: Vec<LabelParts> = std::iter::zip(family.labels(), family.literals())
            .map(|(label, literal)| {
                let name = escaping.label_name(label.name());
                name_bytes += name.len();
                let mut head = vec![0; name.len() + LEN_BYTES_MAX + super::SLACK];
                let mut out = Out::new(&mut head, 0);
                wire::text(&mut out, len_tag(1), name.as_bytes());
                out.put(&[len_tag(2)]);
                let end = out.end();
                LabelParts { head: Piece::of(&head[..end]), literal_bytes: literal.len() }
            })
            .collect();
        // A tag, a length, and the length of the value.
        let labels_bytes = labels.iter().map(|label| label.head.len() + 3).sum();
        let quote = usize::from(!labels.is_empty());
        let skeleton_bytes = labels.iter().map(|l| l.literal_bytes).sum::<usize>() + quote;
        // The metric, its labels with their names and values, and its value.
        let row_bytes_max = LEN_BYTES_MAX
            + labels.len() * 3 * LEN_BYTES_MAX
            + name_bytes
            + LEN_BYTES_MAX
            + value_bytes_max(family);
        Self { header, labels, labels_bytes, skeleton_bytes, row_bytes_max }
    }
}

/// Most bytes of a value of this family, but for native buckets.
fn value_bytes_max(family: &FamilyState) -> usize {
    let totals = NUMBER_BYTES_MAX + DOUBLE_BYTES + CREATED_BYTES_MAX;
    match family.kind() {
        Kind::Counter | Kind::Gauge => DOUBLE_BYTES + CREATED_BYTES_MAX,
        Kind::Summary => totals + QUANTILES.len() * (LEN_BYTES_MAX + 2 * DOUBLE_BYTES),
        Kind::Histogram => {
            let bucket = LEN_BYTES_MAX + NUMBER_BYTES_MAX + DOUBLE_BYTES;
            totals + (family.bounds().len() + 1) * bucket
        }
    }
}

/// A row's start time as the field of a message, kept for the next row that has the same.
struct Created {
    started: Timestamp,
    tag: u8,
    of: Option<Ticks>,
    bytes: [u8; CREATED_BYTES_MAX + super::SLACK],
    len: usize,
}

impl Created {
    /// Of rows of an aggregator that was started then.
    fn new(started: Timestamp, field: u8) -> Self {
        let bytes = [0; CREATED_BYTES_MAX + super::SLACK];
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

/// How a family's rows are shown.
pub(super) struct Messages<'a> {
    pub(super) family: &'a FamilyState,
    pub(super) parts: &'a Parts,
    pub(super) view: &'a View,
    pub(super) now: Ticks,
    /// When tick 0 was.
    pub(super) started: Timestamp,
}

impl Messages<'_> {
    /// Most bytes of the message of a block.
    pub(super) fn bytes_max(&self, shard: &Shard, block_id: u32) -> usize {
        let block = shard.block(block_id);
        let n_rows = block.rows.len();
        let Parts { header, row_bytes_max, .. } = self.parts;
        // Values are no longer than they are with their escapes in a label body.
        let mut bytes = LEN_BYTES_MAX + header.len() + n_rows * row_bytes_max + block.key_bytes();
        if self.family.native().is_some() {
            let natives = (0..n_rows).filter_map(|i| block.native(i, self.family));
            bytes += natives.map(native::bytes_max).sum::<usize>();
        }
        for (i, row) in block.rows.iter().enumerate() {
            bytes += shard.pin_of(block_id, row, i).map_or(0, exemplar::bytes_max);
        }
        bytes
    }

    /// Writes the rows of one block that are to be seen as one message, none if there are none. The caller
    /// holds the shard's lock and has made room.
    pub(super) fn block(&self, out: &mut Out<'_>, shard: &mut Shard, block_id: u32) {
        if self.view.reader_kind() != 0 {
            shard.mark_shown(block_id, self.view);
        }
        let shard = &*shard;
        let block = shard.block(block_id);
        let Parts { header, labels_bytes, .. } = self.parts;
        let expected_len = header.len() + block.rows.len() * labels_bytes + block.key_bytes();
        let start = out.end();
        let mut n_rows = 0;
        wire::delimited(out, expected_len, |out| {
            out.put(header);
            let rows = Rows { of: self, shard, block, block_id };
            let mut local = out.reborrow();
            // A loop for each type, rather than the question with every row.
            n_rows = match self.family.kind() {
                Kind::Counter => rows.counters(&mut local),
                Kind::Gauge => rows.gauges(&mut local),
                Kind::Histogram => rows.histograms(&mut local),
                Kind::Summary => rows.summaries(&mut local),
            };
            let end = local.end();
            out.set_end(end);
        });
        if n_rows == 0 {
            out.set_end(start);
        }
    }
}

/// The rows of a block. Each method writes those of one type, and says how many.
struct Rows<'a> {
    of: &'a Messages<'a>,
    shard: &'a Shard,
    block: &'a Block,
    block_id: u32,
}

impl<'a> Rows<'a> {
    /// Those that are to be seen.
    #[inline(always)]
    fn seen(&self) -> impl Iterator<Item = (usize, &'a Row)> {
        let view = self.of.view;
        self.block.rows.iter().enumerate().filter(move |(_, row)| row.is_seen(view))
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
    fn counters(&self, out: &mut Out<'_>) -> usize {
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

    fn gauges(&self, out: &mut Out<'_>) -> usize {
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

    fn histograms(&self, out: &mut Out<'_>) -> usize {
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
    fn summaries(&self, out: &mut Out<'_>) -> usize {
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

impl LabelParts {
    /// Writes the label with this value.
    #[inline(always)]
    fn put(&self, out: &mut Out<'_>, value: &[u8]) {
        let len = self.head.len() + wire::varint_len(value.len() as u64) + value.len();
        wire::number(out, len_tag(metric_field::LABEL), len as u64);
        self.head.put(out);
        wire::varint(out, value.len() as u64);
        out.put(value);
    }
}

/// Writes the labels of a body that has no escapes: a value ends at the next quote, the last one before the last.
#[inline(always)]
fn plain_labels(out: &mut Out<'_>, labels: &[LabelParts], body: &[u8]) {
    let Some((last, labels)) = labels.split_last() else { return };
    let mut rest = body;
    for label in labels {
        let value = &rest[label.literal_bytes..];
        let end = memchr::memchr(b'"', value).unwrap_or(value.len());
        label.put(out, &value[..end]);
        rest = &value[end..];
    }
    let end = rest.len().saturating_sub(1).max(last.literal_bytes);
    last.put(out, &rest[last.literal_bytes..end]);
}
