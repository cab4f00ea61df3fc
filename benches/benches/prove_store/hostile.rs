//! Label values as someone would write them who means harm: quotes, separators, escapes, controls, and
//! scripts of every width.

use lastmile::Format;

/// A piece of a value: as it stands in an `lm1` key, as it stands in a JSON string, and how many bytes of
/// UTF-8 it is when it is decoded.
struct Piece(&'static str, &'static str, usize);

/// The first is one byte, so it always fits.
const PIECES: [Piece; 32] = [
    Piece("a", "a", 1),
    Piece("/", "/", 1),
    Piece(" ", " ", 1),
    Piece("%25", "%", 1),
    Piece(r#"\""#, r#"\""#, 1),
    Piece(r"\\", r"\\", 1),
    Piece(r"\n", r"\n", 1),
    Piece(r"\r", r"\r", 1),
    Piece(r"\t", r"\t", 1),
    Piece(r"\u0000", r"\u0000", 1),
    Piece(r"\u001b", r"\u001b", 1),
    Piece("%3B", ";", 1),
    Piece("%3d", "=", 1),
    Piece("~", "~", 1),
    Piece("%7b", "{", 1),
    Piece("}", "}", 1),
    Piece(",", ",", 1),
    Piece("\u{7f}", "\u{7f}", 1),
    Piece("é", "é", 2),
    Piece(r"\u00e9", r"\u00e9", 2),
    Piece("%C3%A9", "é", 2),
    Piece("ع", "ع", 2),
    Piece("漢", "漢", 3),
    Piece("\u{202e}", "\u{202e}", 3),
    // What is no character becomes the replacement character, of three bytes.
    Piece(r"\ud800", r"\ud800", 3),
    Piece("😀", "😀", 4),
    Piece(r"\ud83d\ude00", r"\ud83d\ude00", 4),
    Piece("%F0%9F%98%80", "😀", 4),
    Piece("\u{10ffff}", "\u{10ffff}", 4),
    Piece("{le=+Inf} ", "{le=+Inf} ", 10),
    Piece("<script>", "<script>", 8),
    Piece("undefined/index.html", "undefined/index.html", 20),
];

/// Numbers that look random and are the same in every run.
/// Source: Steele, Lea, Flood, Fast Splittable Pseudorandom Number Generators (2014), SplitMix64.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Any number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.bits()) * end as u128) >> 64) as usize
    }
}

/// Appends a value that is `n_bytes` long when it is decoded, with its quotes left to the caller.
pub(crate) fn write_value(body: &mut Vec<u8>, random: &mut Random, format: Format, n_bytes: usize) {
    let (mut left, mut bits) = (n_bytes, 0);
    while left > 0 {
        if bits < 32 {
            bits = random.bits() | 1 << 63;
        }
        let piece = &PIECES[bits as usize % 32];
        bits >>= 5;
        let piece = if piece.2 <= left { piece } else { &PIECES[0] };
        let text = if format == Format::Lm1 { piece.0 } else { piece.1 };
        body.extend_from_slice(text.as_bytes());
        left -= piece.2;
    }
}
