//! Exemplars of a row that a handle holds.

use super::wire::{self, double_tag, len_tag};
use super::{CREATED_BYTES_MAX, DOUBLE_BYTES, LEN_BYTES_MAX};
use crate::exemplar::Exemplar;
use crate::exposition::Out;
use crate::store::Shard;

/// The tag of a native histogram's exemplars, field 16 of it, which takes two bytes.
pub(super) const NATIVE_TAG: [u8; 2] = [0x82, 0x01];

/// Most bytes of the exemplars of row `i` of a block: each stands in its bucket and once more among those of a
/// native histogram. The shard's lock is held from here to where they are written.
pub(super) fn bytes_max(shard: &Shard, block_id: u32, i: usize) -> usize {
    let pin = shard.pin_of(block_id, &shard.block(block_id).rows[i], i);
    let twice = |exemplar: &Exemplar| 2 * bytes_max_of(exemplar);
    pin.map_or(0, |pin| pin.exemplars().iter().flatten().map(twice).sum())
}

/// Most bytes of one.
pub(super) fn bytes_max_of(exemplar: &Exemplar) -> usize {
    let texts = exemplar.labels.iter().map(|(name, value)| name.len() + value.len());
    let labels: usize = texts.map(|bytes| bytes + 3 * LEN_BYTES_MAX).sum();
    LEN_BYTES_MAX + labels + DOUBLE_BYTES + CREATED_BYTES_MAX
}

/// Writes one as the field with this tag.
#[cold]
#[inline(never)]
pub(super) fn put(out: &mut Out<'_>, tag: &[u8], exemplar: &Exemplar) {
    out.put(tag);
    wire::delimited(out, 0, |out| {
        for (name, value) in &exemplar.labels {
            wire::message(out, len_tag(1), 0, |out| {
                wire::text(out, len_tag(1), name.as_bytes());
                wire::text(out, len_tag(2), value.as_bytes());
            });
        }
        wire::double(out, double_tag(2), exemplar.value);
        if let Some(ms) = exemplar.timestamp_ms {
            wire::timestamp(out, len_tag(3), ms);
        }
    });
}
