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

/// What each byte of `word` is as a digit, and marks of those that are none.
#[inline]
pub(super) fn digits(word: u64) -> (u64, u64) {
    let digits = word ^ (ONES * u64::from(b'0'));
    // What is above 9 reaches the top bit if 0x76 is added, and no byte carries into the next.
    let above_9 = (digits & !HIGH) + ONES * 0x76;
    (digits, (above_9 | digits) & HIGH)
}

/// The number whose `n` digits, 1 to 8, are the lowest bytes of a little-endian word, the first digit lowest.
///
/// Pairs of digits, pairs of those and both halves are put together in one multiplication each.
#[inline]
pub(super) fn number(digits: u64, n: usize) -> u32 {
    // What stands behind them goes, and zeros come in front.
    let digits = digits << (8 * (8 - n));
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours * 10_000 + (fours >> 32)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_make_a_number() {
        for text in [*b"12345678", *b"00000009", *b"90000000", *b"99999999", *b"7/8:9\xff\x80!"] {
            let (digits, others) = digits(u64::from_le_bytes(text));
            let end = text.iter().position(|b| !b.is_ascii_digit());
            assert_eq!((others != 0).then(|| first(others)), end, "{text:?}");
            for n in 1..=end.unwrap_or(8) {
                let expect = str::from_utf8(&text[..n]).unwrap().parse();
                assert_eq!(Ok(number(digits, n)), expect, "{text:?} {n}");
            }
        }
    }

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
