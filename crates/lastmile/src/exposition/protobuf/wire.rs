//! The wire format of protocol buffers, as much of it as expositions have.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>. Tags are those of fields up to 15, one byte:
//! the number of the field shifted by three, and the type of what follows.

use crate::exposition::Out;

/// Most bytes of a number of 64 bits.
pub(super) const VARINT_BYTES_MAX: usize = 10;

/// A field that is a varint.
pub(super) const fn varint_tag(field: u8) -> u8 {
    field << 3
}

/// A field of 8 bytes.
pub(super) const fn double_tag(field: u8) -> u8 {
    field << 3 | 1
}

/// A field with its length in front.
pub(super) const fn len_tag(field: u8) -> u8 {
    field << 3 | 2
}

/// Bytes that a number takes.
#[inline]
pub(super) const fn varint_len(n: u64) -> usize {
    (64 - (n | 1).leading_zeros()).div_ceil(7) as usize
}

/// Signed numbers of small magnitude as small numbers.
#[inline]
pub(super) fn zigzag(n: i64) -> u64 {
    (n as u64) << 1 ^ (n >> 63) as u64
}

/// Writes a number at the start of `bytes`: how many it takes.
#[inline(always)]
fn put_varint(bytes: &mut [u8], mut n: u64) -> usize {
    let mut at = 0;
    while n >= 0x80 {
        bytes[at] = n as u8 | 0x80;
        n >>= 7;
        at += 1;
    }
    bytes[at] = n as u8;
    at + 1
}

#[inline(always)]
pub(super) fn varint(out: &mut Out<'_>, n: u64) {
    let len = put_varint(out.room(), n);
    out.advance(len);
}

/// A field that is a number.
#[inline(always)]
pub(super) fn number(out: &mut Out<'_>, tag: u8, n: u64) {
    let room = out.room();
    room[0] = tag;
    let len = put_varint(&mut room[1..], n);
    out.advance(1 + len);
}

/// A field that is a float.
#[inline(always)]
pub(super) fn double(out: &mut Out<'_>, tag: u8, v: f64) {
    let room = out.room();
    room[0] = tag;
    room[1..9].copy_from_slice(&v.to_le_bytes());
    out.advance(9);
}

/// A field that is text.
#[inline(always)]
pub(super) fn text(out: &mut Out<'_>, tag: u8, bytes: &[u8]) {
    number(out, tag, bytes.len() as u64);
    out.put(bytes);
}

/// A field that is a message; see [`delimited`].
#[inline(always)]
pub(super) fn message(
    out: &mut Out<'_>,
    tag: u8,
    expected_len: usize,
    write: impl FnOnce(&mut Out<'_>),
) {
    out.room()[0] = tag;
    out.advance(1);
    delimited(out, expected_len, write);
}

/// A field that is a `google.protobuf.Timestamp`, of milliseconds since the Unix epoch.
pub(super) fn timestamp(out: &mut Out<'_>, tag: u8, ms: u64) {
    message(out, tag, 0, |out| {
        // What is 0 is left out, as in any message of `proto3`.
        for (field, n) in [(1, ms / 1000), (2, ms % 1000 * 1_000_000)] {
            if n > 0 {
                number(out, varint_tag(field), n);
            }
        }
    });
}

/// Writes a message and its length in front. What is expected of the length decides how much room is kept for
/// it; where the number takes more or less, the message moves.
#[inline(always)]
pub(super) fn delimited(out: &mut Out<'_>, expected_len: usize, write: impl FnOnce(&mut Out<'_>)) {
    let at = out.end;
    let room = varint_len(expected_len as u64);
    out.end += room;
    write(out);
    let len = out.end - at - room;
    let needed = varint_len(len as u64);
    if needed != room {
        shift(out, at + room, at + needed);
    }
    put_varint(&mut out.bytes[at..], len as u64);
}

/// Moves what is written from `from` on.
#[cold]
#[inline(never)]
fn shift(out: &mut Out<'_>, from: usize, to: usize) {
    out.bytes.copy_within(from..out.end, to);
    out.end = out.end + to - from;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposition::SLACK;

    fn written(write: impl FnOnce(&mut Out<'_>)) -> Vec<u8> {
        let mut bytes = vec![0xAA; (1 << 15) + SLACK];
        let mut out = Out::new(&mut bytes, 0);
        write(&mut out);
        let end = out.end();
        bytes.truncate(end);
        bytes
    }

    #[test]
    fn numbers_are_those_of_a_derived_encoder() {
        let edges = (0..64).map(|bits| 1_u64 << bits);
        for n in edges.flat_map(|n| [n - 1, n, n + 1]).chain([u64::MAX]) {
            let mut expected = Vec::new();
            prost::encoding::encode_varint(n, &mut expected);
            assert_eq!(written(|out| varint(out, n)), expected);
            assert_eq!(varint_len(n), expected.len());

            let n = n as i64;
            let mut expected = Vec::new();
            prost::encoding::sint64::encode(5, &n, &mut expected);
            assert_eq!(written(|out| number(out, varint_tag(5), zigzag(n))), expected);
        }
    }

    #[test]
    fn a_message_is_the_same_whatever_length_was_expected() {
        for len in [0, 1, 127, 128, 129, 16_383, 16_384, 20_000] {
            let content: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let mut expected = Vec::new();
            prost::encoding::bytes::encode(12, &content, &mut expected);
            for expected_len in [0, 127, 128, 16_384, 1 << 21] {
                let bytes =
                    written(|out| message(out, len_tag(12), expected_len, |out| out.put(&content)));
                assert_eq!(bytes, expected, "{len} bytes where {expected_len} were expected");
            }
        }
    }
}
