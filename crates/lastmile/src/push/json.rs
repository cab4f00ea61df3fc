//! A pull parser over `&[u8]`, the one reader of `/record`, `lm1` and PUM's schema files.
//!
//! It allocates nothing and never looks at a byte twice except to copy a string that has escapes. The
//! caller asks for what it expects next; anything else is a fault with the byte offset where it stands.
//! Text is checked to be UTF-8 once, for the whole body, before the first byte is parsed; so every
//! string it hands out is UTF-8 without another look.
//!
//! End of input is read as a NUL byte, which no valid JSON has outside a string and which inside one is
//! an unescaped control character: so no loop needs a second condition.

use super::error::{DecodeError, DecodeReason};
use super::swar;

/// Most arrays and objects open at once. The deepest push of any format here needs 5.
const DEPTH_MAX: u32 = 32;

/// A position-tracking reader of one JSON text.
#[derive(Clone, Debug)]
pub(crate) struct Json<'a> {
    bytes: &'a [u8],
    pos: usize,
    depth: u32,
}

/// Where a string stands in the body, without its quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawStr {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// A count rather than whether there are any: without padding behind it a core moves it from place to place
    /// without a wait, which it is for every key.
    pub(crate) n_escapes: usize,
}

impl RawStr {
    #[inline]
    pub(crate) fn has_escapes(self) -> bool {
        self.n_escapes > 0
    }
}

type Result<T> = std::result::Result<T, DecodeError>;

impl<'a> Json<'a> {
    /// Reads `bytes` from `pos`; the caller has checked that they are UTF-8.
    pub(crate) fn new(bytes: &'a [u8], pos: usize) -> Self {
        Self { bytes, pos, depth: 0 }
    }

    #[inline]
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// The next byte that is not white space, not consumed; 0 at the end.
    #[inline]
    pub(crate) fn peek(&mut self) -> u8 {
        loop {
            let b = self.byte(self.pos);
            if b > b' ' || !matches!(b, b' ' | b'\n' | b'\t' | b'\r') {
                return b;
            }
            self.pos += 1;
        }
    }

    /// Offset of the next unread byte.
    pub(crate) fn offset(&self) -> usize {
        self.pos
    }

    #[cold]
    pub(crate) fn fault(&self, what: &'static str) -> DecodeError {
        let what = if self.pos >= self.bytes.len() { "the text ends too early" } else { what };
        DecodeError::syntax(self.pos.min(self.bytes.len()), what)
    }

    /// Opens an array or object; `what` names it should something else stand there.
    #[inline]
    pub(crate) fn open(&mut self, bracket: u8, what: &'static str) -> Result<()> {
        if self.peek() != bracket {
            return Err(self.fault(what));
        }
        if self.depth == DEPTH_MAX {
            return Err(DecodeError::new(DecodeReason::TooDeep, self.pos, ""));
        }
        self.depth += 1;
        self.pos += 1;
        Ok(())
    }

    /// Just behind an opening bracket: whether the container is empty, in which case it is closed.
    #[inline]
    pub(crate) fn is_empty(&mut self, bracket: u8) -> bool {
        let empty = self.peek() == bracket;
        if empty {
            self.pos += 1;
            self.depth -= 1;
        }
        empty
    }

    /// Just behind a value: whether another follows in this container, which is closed otherwise.
    #[inline]
    pub(crate) fn another(&mut self, bracket: u8) -> Result<bool> {
        let b = self.peek();
        if b == b',' {
            self.pos += 1;
            Ok(true)
        } else if b == bracket {
            self.pos += 1;
            self.depth -= 1;
            Ok(false)
        } else {
            Err(self.fault("expected a comma or the end of the list"))
        }
    }

    /// A member's key and the colon behind it.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<RawStr> {
        if self.peek() != b'"' {
            return Err(self.fault("expected a string as key"));
        }
        let key = self.string()?;
        if self.peek() != b':' {
            return Err(self.fault("expected a colon"));
        }
        self.pos += 1;
        Ok(key)
    }

    /// The same if the key stands right here and is this text, in which there is nothing that JSON escapes, and the
    /// colon right behind it. Otherwise nothing is consumed.
    #[inline]
    pub(crate) fn eat_key(&mut self, text: &[u8]) -> Option<RawStr> {
        let (quote, start) = (self.pos, self.pos + 1);
        let end = start + text.len();
        let found = self.bytes.get(end..end + 2) == Some(b"\":")
            && self.bytes[quote] == b'"'
            && self.bytes[start..end] == *text;
        found.then(|| {
            self.pos = end + 2;
            RawStr { start, end, n_escapes: 0 }
        })
    }

    /// A string whose opening quote is the next byte.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<RawStr> {
        debug_assert_eq!(self.byte(self.pos), b'"');
        self.pos += 1;
        match self.plain() {
            Some(plain) => Ok(plain),
            None => self.string_with_escapes(),
        }
    }

    /// The rest of a string without escapes, whose opening quote was the last byte. If it is anything
    /// else, nothing is consumed.
    #[inline]
    pub(crate) fn plain(&mut self) -> Option<RawStr> {
        let start = self.pos;
        let end = self.plain_until(start);
        (self.byte(end) == b'"').then(|| {
            self.pos = end + 1;
            RawStr { start, end, n_escapes: 0 }
        })
    }

    #[cold]
    fn string_with_escapes(&mut self) -> Result<RawStr> {
        let start = self.pos;
        let mut at = start;
        let mut n_escapes = 0;
        loop {
            at = self.plain_until(at);
            match self.byte(at) {
                b'"' => {
                    self.pos = at + 1;
                    return Ok(RawStr { start, end: at, n_escapes });
                }
                b'\\' => {
                    n_escapes += 1;
                    at = self.escape(at)?;
                }
                _ => {
                    self.pos = at;
                    return Err(self.fault("a control character stands unescaped in a string"));
                }
            }
        }
    }

    /// Consumes exactly these bytes if they come next.
    #[inline]
    pub(crate) fn eat(&mut self, literal: &'static [u8]) -> bool {
        let end = self.pos + literal.len();
        let found = self.bytes.get(self.pos..end) == Some(literal);
        if found {
            self.pos = end;
        }
        found
    }

    /// The first byte from `at` that is a quote, a backslash, a control character or the end.
    #[inline]
    fn plain_until(&self, mut at: usize) -> usize {
        while let Some(chunk) = self.bytes.get(at..at + 8) {
            let word = u64::from_le_bytes(chunk.try_into().expect("a chunk of 8"));
            let stop = swar::find(word, b'"') | swar::find(word, b'\\') | swar::below(word, b' ');
            if stop != 0 {
                return at + swar::first(stop);
            }
            at += 8;
        }
        while let Some(&b) = self.bytes.get(at)
            && b >= b' '
            && b != b'"'
            && b != b'\\'
        {
            at += 1;
        }
        at
    }

    /// Checks the escape at `at` and gives the offset behind it.
    #[cold]
    fn escape(&mut self, at: usize) -> Result<usize> {
        match self.byte(at + 1) {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 2),
            b'u' if (2..6).all(|i| self.byte(at + i).is_ascii_hexdigit()) => Ok(at + 6),
            _ => {
                self.pos = at;
                Err(self.fault("unknown escape in a string"))
            }
        }
    }

    /// A number. Too large for an `f64` gives an infinity.
    #[inline]
    pub(crate) fn number(&mut self) -> Result<f64> {
        match self.short_number() {
            Some(v) => Ok(v),
            None => self.long_number(),
        }
    }

    /// A number of at most seven characters without a sign or an exponent, as most are, with some text behind it. If
    /// it is another, nothing is consumed.
    ///
    /// All eight bytes are looked at in one go, so that no branch depends on how many digits there are.
    #[inline]
    fn short_number(&mut self) -> Option<f64> {
        let word = u64::from_le_bytes(*self.bytes.get(self.pos..)?.first_chunk()?);
        let byte = |at: usize| word.to_le_bytes().get(at).copied();
        let (mut digits, ends) = swar::digits(word);
        let n_whole = swar::first(ends);
        let (mut end, mut n_digits) = (n_whole, n_whole);
        if byte(n_whole) == Some(b'.') {
            end = swar::first(ends & (ends - 1));
            n_digits = end - 1;
            // The point is taken out.
            let whole = (1_u64 << (8 * n_whole)) - 1;
            digits = digits & whole | digits >> 8 & !whole;
        }
        let n_decimals = n_digits - n_whole;
        let is_other = n_whole == 0
            || end == size_of::<u64>()
            || end > n_whole && n_decimals == 0
            || n_whole > 1 && byte(0) == Some(b'0')
            || matches!(byte(end), Some(b'e' | b'E'));
        if is_other {
            return None;
        }
        self.pos += end;
        Some(f64::from(swar::number(digits, n_digits)) / POWERS_OF_TEN[n_decimals])
    }

    #[inline(never)]
    fn long_number(&mut self) -> Result<f64> {
        let start = self.pos;
        let negative = self.byte(start) == b'-';
        let mut at = start + usize::from(negative);
        let first = at;
        let mut mantissa: u64 = 0;
        while let digit @ 0..=9 = self.byte(at).wrapping_sub(b'0') {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
            at += 1;
        }
        let n_whole = at - first;
        if n_whole == 0 || (n_whole > 1 && self.byte(first) == b'0') {
            self.pos = if n_whole == 0 { at } else { first };
            return Err(self.fault("expected a value"));
        }
        let mut n_digits = n_whole;
        let mut exponent: i32 = 0;
        if self.byte(at) == b'.' {
            at += 1;
            let point = at;
            while let digit @ 0..=9 = self.byte(at).wrapping_sub(b'0') {
                mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
                at += 1;
            }
            if at == point {
                self.pos = at;
                return Err(self.fault("expected a digit"));
            }
            n_digits += at - point;
            exponent = -i32::try_from(at - point).unwrap_or(i32::MAX);
        }
        let mut simple = n_digits <= MANTISSA_DIGITS_MAX;
        if matches!(self.byte(at), b'e' | b'E') {
            simple = false;
            at += 1;
            at += usize::from(matches!(self.byte(at), b'+' | b'-'));
            if !self.byte(at).is_ascii_digit() {
                self.pos = at;
                return Err(self.fault("expected a digit"));
            }
            while self.byte(at).is_ascii_digit() {
                at += 1;
            }
        }
        self.pos = at;
        if simple
            && mantissa <= MANTISSA_MAX
            && let Some(power) = POWERS_OF_TEN.get(exponent.unsigned_abs() as usize)
        {
            // Both operands are exact, so the one division rounds correctly (Clinger 1990, "How to read
            // floating point numbers accurately", the fast path).
            let v = mantissa as f64 / power;
            return Ok(if negative { -v } else { v });
        }
        Ok(self.slow_number(start))
    }

    /// Numbers with an exponent or many digits; the standard library rounds correctly.
    #[cold]
    fn slow_number(&self, start: usize) -> f64 {
        std::str::from_utf8(&self.bytes[start..self.pos])
            .ok()
            .and_then(|text| text.parse().ok())
            .expect("the grammar of a JSON number is within that of an f64")
    }

    /// Passes over one value of any type.
    pub(crate) fn skip(&mut self) -> Result<()> {
        match self.peek() {
            b'"' => self.string().map(drop),
            b'{' => {
                self.open(b'{', "")?;
                if self.is_empty(b'}') {
                    return Ok(());
                }
                loop {
                    self.key()?;
                    self.skip()?;
                    if !self.another(b'}')? {
                        return Ok(());
                    }
                }
            }
            b'[' => {
                self.open(b'[', "")?;
                if self.is_empty(b']') {
                    return Ok(());
                }
                loop {
                    self.skip()?;
                    if !self.another(b']')? {
                        return Ok(());
                    }
                }
            }
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number().map(drop),
        }
    }

    /// `true`, `false` or `null`.
    pub(crate) fn literal(&mut self, word: &'static [u8]) -> Result<()> {
        if self.bytes[self.pos..].starts_with(word) {
            self.pos += word.len();
            Ok(())
        } else {
            Err(self.fault("expected a value"))
        }
    }

    /// Why a text that is one value of another kind than is due is refused: for that, if it is one value at all.
    #[cold]
    pub(crate) fn other_kind(&mut self, why: DecodeReason) -> DecodeError {
        let at = self.offset();
        let read = self.skip().and_then(|()| self.end());
        read.err().unwrap_or_else(|| DecodeError::new(why, at, ""))
    }

    /// Nothing but white space may follow.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.peek();
        if self.pos < self.bytes.len() {
            return Err(self.fault("text goes on behind the value"));
        }
        Ok(())
    }
}

/// Up to 19 digits fit a `u64`.
const MANTISSA_DIGITS_MAX: usize = 19;

/// 2^53: whole numbers up to it are exact as `f64`.
const MANTISSA_MAX: u64 = 1 << 53;

/// Powers of ten that are exact as `f64`.
const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Appends the text of a string that has escapes. `raw` is what [`Json::string`] accepted.
/// A lone surrogate, which no UTF-8 can hold, becomes U+FFFD.
pub(crate) fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < raw.len() {
        let plain = memchr::memchr(b'\\', &raw[at..]).unwrap_or(raw.len() - at);
        out.extend_from_slice(&raw[at..at + plain]);
        at += plain;
        let Some(&escape) = raw.get(at + 1) else {
            break;
        };
        at += 2;
        let c = match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = hex4(&raw[at..]);
                at += 4;
                let low = (raw.get(at..at + 2) == Some(br"\u")).then(|| hex4(&raw[at + 2..]));
                match (high, low) {
                    (0xD800..0xDC00, Some(low @ 0xDC00..0xE000)) => {
                        at += 6;
                        let scalar = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                        char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER)
                    }
                    _ => char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER),
                }
            }
            literal => char::from(literal),
        };
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Four hexadecimal digits, which the caller has checked to be there.
fn hex4(digits: &[u8]) -> u32 {
    digits.iter().take(4).fold(0, |n, d| n << 4 | char::from(*d).to_digit(16).unwrap_or(0))
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
