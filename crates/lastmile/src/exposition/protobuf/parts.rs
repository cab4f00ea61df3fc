//! What the messages of a family are made of.

use super::wire::{self, len_tag, varint_tag};
use super::{
    CREATED_BYTES_MAX, DOUBLE_BYTES, LEN_BYTES_MAX, NUMBER_BYTES_MAX, family_field, metric_field,
    type_number,
};
use crate::exposition::{Escaping, Out, Piece, SLACK, ends_in_unit};
use crate::schema::Kind;
use crate::store::FamilyState;
use crate::value::summary::QUANTILES;

/// The pieces of a family's messages that do not change.
#[derive(Debug)]
pub(in super::super) struct Parts {
    /// Name, help, type and unit.
    pub(super) header: Vec<u8>,
    pub(super) labels: Vec<LabelParts>,
    /// Bytes of a row's labels without their values, where no value is long.
    pub(super) labels_bytes: usize,
    /// Bytes of a label body that are no values.
    pub(super) skeleton_bytes: usize,
    /// Most bytes of a row without its label values and its native buckets.
    pub(super) row_bytes_max: usize,
}

/// What stands before a label's value.
#[derive(Debug)]
pub(super) struct LabelParts {
    /// The name as a field, and the tag of the value.
    head: Piece,
    /// Bytes of what stands before the value in a row's label body.
    literal_bytes: usize,
}

impl Parts {
    /// Those of a family, with its name and those of its labels in this escaping.
    pub(in super::super) fn new(family: &FamilyState, escaping: Escaping) -> Self {
        let declared = family.declared();
        let mut header = Vec::new();
        let mut put_text = |field: u8, text: &str| {
            let mut field_bytes = vec![0; text.len() + LEN_BYTES_MAX + SLACK];
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
                let mut head = vec![0; name.len() + LEN_BYTES_MAX + SLACK];
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

impl LabelParts {
    /// Writes the label with this value.
    #[inline(always)]
    pub(super) fn put(&self, out: &mut Out<'_>, value: &[u8]) {
        let len = self.head.len() + wire::varint_len(value.len() as u64) + value.len();
        wire::number(out, len_tag(metric_field::LABEL), len as u64);
        self.head.put(out);
        wire::varint(out, value.len() as u64);
        out.put(value);
    }
}

/// Writes the labels of a body that has no escapes: a value ends at the next quote, the last one before the last.
#[inline(always)]
pub(super) fn plain_labels(out: &mut Out<'_>, labels: &[LabelParts], body: &[u8]) {
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
