//! Length-delimited protobuf: messages of `io.prometheus.client.MetricFamily`.
//!
//! ```text
//! len  name help type unit  metric metric …      one message a lock hold: a block of rows
//!                           └ label label … value with start time
//! ```
//! A family comes in as many messages as it has blocks with rows to show, and in more where a block is larger
//! than a chunk, one behind the other. Prometheus
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
mod parts;
mod rows;
mod wire;

use std::ops::Range;

pub(super) use self::parts::Parts;
use self::rows::Rows;
use self::wire::VARINT_BYTES_MAX;
use super::Out;
use crate::readers::View;
use crate::schema::Kind;
use crate::store::{FamilyState, Shard, Turn, Upcoming};
use crate::time::{Ticks, Timestamp};

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
    /// Most bytes of a message without its rows.
    pub(super) fn header_bytes_max(&self) -> usize {
        LEN_BYTES_MAX + self.parts.header.len()
    }

    /// Most bytes of all rows of a block.
    pub(super) fn block_bytes_max(&self, shard: &Shard, block_id: u32) -> usize {
        let block = shard.block(block_id);
        let n_rows = block.rows.len();
        // Values are no longer than they are with their escapes in a label body.
        let mut bytes = n_rows * self.parts.row_bytes_max + block.key_bytes();
        if self.family.native().is_some() {
            bytes += (0..n_rows).map(|i| self.native_bytes_max(shard, block_id, i)).sum::<usize>();
        }
        bytes + (0..n_rows).map(|i| exemplar::bytes_max(shard, block_id, i)).sum::<usize>()
    }

    /// Most bytes of row `i` of a block.
    pub(super) fn row_bytes_max(&self, shard: &Shard, block_id: u32, i: usize) -> usize {
        let block = shard.block(block_id);
        self.parts.row_bytes_max
            + block.body(&block.rows[i]).len()
            + self.native_bytes_max(shard, block_id, i)
            + exemplar::bytes_max(shard, block_id, i)
    }

    fn native_bytes_max(&self, shard: &Shard, block_id: u32, i: usize) -> usize {
        shard.block(block_id).native(i, self.family).map_or(0, native::bytes_max)
    }

    /// Writes those of these rows of a block that are to be seen as one message, none if there are none. The
    /// caller holds the shard's lock and has made room.
    pub(super) fn rows(
        &self,
        out: &mut Out<'_>,
        shard: &mut Shard,
        turn: Turn,
        range: Range<usize>,
    ) {
        let Turn { block: block_id, next } = turn;
        if self.view.reader_kind() != 0 {
            shard.mark_shown(block_id, range.clone(), self.view);
        }
        let shard = &*shard;
        let block = shard.block(block_id);
        let Parts { header, labels_bytes, .. } = self.parts;
        // Of part of a block its share of the keys; a length that turns out otherwise is mended.
        let key_bytes = block.key_bytes() * range.len() / block.rows.len().max(1);
        let expected_len = header.len() + range.len() * labels_bytes + key_bytes;
        let start = out.end();
        let mut n_rows = 0;
        wire::delimited(out, expected_len, |out| {
            out.put(header);
            let upcoming = Upcoming::new(shard.block(next));
            let rows = Rows { of: self, shard, block, block_id, range, upcoming };
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
