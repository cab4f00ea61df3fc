//! Eight bytes in a word: the marks of bytes that match are the top bits of their places.
//!
//! `x - 0x01…01` borrows into the top bit of each byte that is 0, so with the word xored against the byte
//! looked for, the top bits that are set while the byte's own is not mark a match. A borrow may also mark
//! bytes above a match, which is harmless as only the lowest mark is used.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Marks the bytes of `word` that are `byte`.
#[inline]
pub(super) fn find(word: u64, byte: u8) -> u64 {
    let x = word ^ (ONES * u64::from(byte));
    x.wrapping_sub(ONES) & !x & HIGH
}

/// Marks the bytes of `word` that are below `limit`, which is at most 128.
#[inline]
pub(super) fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGH
}

/// The index of the lowest marked byte of a little-endian word.
#[inline]
pub(super) fn first(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_mark_is_the_first_match() {
        for text in [
            *b"abcdefgh",
            *b"\"bcdefg\"",
            *b"ab\x1f\"\"\"\"\"",
            [0x80, 0x22, 0xff, 0, 0x22, 0x21, 0x23, 0xa2],
        ] {
            let word = u64::from_le_bytes(text);
            for byte in [b'"', 0, 0x1f, 0x80 - 1] {
                let expect = text.iter().position(|b| *b == byte);
                assert_eq!(
                    (find(word, byte) != 0).then(|| first(find(word, byte))),
                    expect,
                    "{text:?} {byte}"
                );
            }
            let expect = text.iter().position(|b| *b < 0x20);
            assert_eq!(
                (below(word, 0x20) != 0).then(|| first(below(word, 0x20))),
                expect,
                "{text:?}"
            );
        }
    }
}
