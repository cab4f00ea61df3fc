//! Families of the host's registries, which become messages like those of the aggregate.

use super::wire::{double_tag, len_tag, varint_tag};
use super::{
    CREATED_BYTES_MAX, DOUBLE_BYTES, LEN_BYTES_MAX, NUMBER_BYTES_MAX, exemplar, family_field,
    histogram_field, metric_field, wire,
};
use crate::bridge::{Appended, AppendedKind, AppendedSeries, Point};
use crate::exposition::{Out, SLACK};

/// Most series of one message: as many as a block of rows has.
const SERIES_MAX: usize = 256;

/// The field of a metric whose type is not known, `Untyped` in `metrics.proto`.
const UNTYPED: u8 = 5;

/// The number of a type in `MetricType`, and the field of a metric that has its value.
fn numbers(kind: AppendedKind) -> (u64, u8) {
    match kind {
        AppendedKind::Counter => (0, metric_field::COUNTER),
        AppendedKind::Gauge | AppendedKind::Info => (1, metric_field::GAUGE),
        AppendedKind::Unknown => (3, UNTYPED),
        AppendedKind::Histogram => (4, metric_field::HISTOGRAM),
    }
}

/// Writes a family as one message for each [`SERIES_MAX`] of its series.
pub(in crate::exposition) fn write(family: &Appended, bytes: &mut Vec<u8>) {
    let name = family.text_name();
    let unit = family.unit.as_deref().unwrap_or_default();
    let header_bytes = name.len() + family.help.len() + unit.len() + 5 * NUMBER_BYTES_MAX;
    for series in family.series.chunks(SERIES_MAX) {
        let start = bytes.len();
        let series_bytes: usize = series.iter().map(bytes_max).sum();
        bytes.resize(start + header_bytes + series_bytes + SLACK, 0);
        let mut out = Out::new(bytes, start);
        wire::delimited(&mut out, 0x80, |out| {
            wire::text(out, len_tag(family_field::NAME), name.as_bytes());
            for (field, text) in [(family_field::HELP, &*family.help), (family_field::UNIT, unit)] {
                if !text.is_empty() {
                    wire::text(out, len_tag(field), text.as_bytes());
                }
            }
            let (type_number, field) = numbers(family.kind);
            wire::number(out, varint_tag(family_field::TYPE), type_number);
            for series in series {
                wire::message(out, len_tag(family_field::METRIC), 0x80, |out| {
                    metric(out, series, field);
                });
            }
        });
        let end = out.end();
        bytes.truncate(end);
    }
}

/// Most bytes of a series.
fn bytes_max(series: &AppendedSeries) -> usize {
    let labels = series.labels.iter();
    let labels: usize =
        labels.map(|(name, value)| name.len() + value.len() + 3 * LEN_BYTES_MAX).sum();
    let value = match &series.point {
        Point::Number(_, of) => of.as_ref().map_or(0, exemplar::bytes_max_of),
        Point::Histogram { buckets, .. } => {
            let bucket = LEN_BYTES_MAX + NUMBER_BYTES_MAX + DOUBLE_BYTES;
            let exemplars = buckets.iter().flat_map(|bucket| &bucket.exemplar);
            NUMBER_BYTES_MAX
                + buckets.len() * bucket
                + exemplars.map(exemplar::bytes_max_of).sum::<usize>()
        }
    };
    2 * LEN_BYTES_MAX + labels + DOUBLE_BYTES + CREATED_BYTES_MAX + value
}

/// The content of a metric whose value is in `field`.
fn metric(out: &mut Out<'_>, series: &AppendedSeries, field: u8) {
    for (name, value) in &series.labels {
        wire::message(out, len_tag(metric_field::LABEL), 0, |out| {
            wire::text(out, len_tag(1), name.as_bytes());
            wire::text(out, len_tag(2), value.as_bytes());
        });
    }
    wire::message(out, len_tag(field), 0, |out| match &series.point {
        Point::Number(number, of) => {
            wire::double(out, double_tag(1), number.to_f64());
            if let Some(of) = of {
                exemplar::put(out, &[len_tag(2)], of);
            }
        }
        Point::Histogram { sum, buckets } => {
            let count = buckets.last().map_or(0, |last| last.count);
            wire::number(out, varint_tag(histogram_field::SAMPLE_COUNT), count);
            wire::double(out, double_tag(histogram_field::SAMPLE_SUM), sum.to_f64());
            for bucket in buckets {
                wire::message(out, len_tag(histogram_field::BUCKET), 0, |out| {
                    wire::number(out, varint_tag(1), bucket.count);
                    wire::double(out, double_tag(2), bucket.bound);
                    if let Some(of) = &bucket.exemplar {
                        exemplar::put(out, &[len_tag(3)], of);
                    }
                });
            }
        }
    });
}
