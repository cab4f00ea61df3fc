//! The words of Prometheus text: names, quoted strings, numbers.
//!
//! Source: prometheus/common expfmt/text_parse.go for 0.0.4, OpenMetrics 1.0 §ABNF for what that adds. What either
//! would have to guess, such as a quote that stands unescaped in a label value, is an error with its position.

use crate::push::error::DecodeError;
use crate::push::samples::Samples;
use crate::push::swar;
use crate::store::Text;

type Result<T> = std::result::Result<T, DecodeError>;

/// A place in a body that is UTF-8.
#[derive(Clone, Debug)]
pub(super) struct Scan<'a> {
    body: &'a [u8],
    pos: usize,
}

/// What a byte can be part of.
const NAME: u8 = 1;
const LABEL: u8 = 2;
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => NAME | LABEL,
            b':' => NAME,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

impl<'a> Scan<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { body, pos: 0 }
    }

    #[inline]
    pub(super) fn offset(&self) -> usize {
        self.pos
    }

    #[inline]
    pub(super) fn is_at_end(&self) -> bool {
        self.pos >= self.body.len()
    }

    #[cold]
    pub(super) fn fault(&self, detail: &'static str) -> DecodeError {
        DecodeError::syntax(self.pos, detail)
    }

    /// The byte at `at`. Behind the body stands a line feed, which a last line need not have.
    #[inline]
    fn byte(&self, at: usize) -> u8 {
        self.body.get(at).copied().unwrap_or(b'\n')
    }

    /// The next byte that is neither a space nor a tab.
    #[inline]
    pub(super) fn peek(&mut self) -> u8 {
        loop {
            match self.byte(self.pos) {
                b' ' | b'\t' => self.pos += 1,
                byte => return byte,
            }
        }
    }

    /// Whether a space, a tab or the end of the line comes next.
    #[inline]
    pub(super) fn is_at_gap(&self) -> bool {
        matches!(self.byte(self.pos), b' ' | b'\t' | b'\n')
    }

    /// Consumes one byte if it comes next.
    #[inline]
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.body.get(self.pos) == Some(&byte);
        self.pos += usize::from(found);
        found
    }

    /// The end of the line, at which the last one may break off.
    #[inline]
    pub(super) fn end_line(&mut self, detail: &'static str) -> Result<()> {
        if self.peek() != b'\n' {
            return Err(self.fault(detail));
        }
        self.pos += 1;
        Ok(())
    }

    /// Passes over the rest of the line.
    pub(super) fn skip_line(&mut self) {
        let rest = self.body.get(self.pos..).unwrap_or_default();
        self.pos += memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
    }

    /// The text up to a space, a tab or the end of the line.
    #[inline]
    pub(super) fn word(&mut self) -> &'a [u8] {
        let start = self.pos;
        while !self.is_at_gap() {
            self.pos += 1;
        }
        &self.body[start..self.pos]
    }

    /// A name without quotes: of a metric, or of a label.
    #[inline]
    fn plain(&mut self, class: u8, detail: &'static str) -> Result<Text> {
        let start = self.pos;
        while CLASSES[usize::from(self.byte(self.pos))] & class != 0 {
            self.pos += 1;
        }
        if start == self.pos || self.body[start].is_ascii_digit() {
            self.pos = start;
            return Err(self.fault(detail));
        }
        Ok(Text::in_body(start, self.pos))
    }

    /// The name of a metric, quoted if it is another than `[a-zA-Z_:][a-zA-Z0-9_:]*`.
    #[inline]
    pub(super) fn metric(&mut self, samples: &mut Samples) -> Result<Text> {
        if self.eat(b'"') {
            return self.string(samples);
        }
        self.plain(NAME, "expected the name of a metric")
    }

    /// The name of a label, quoted if it is another than `[a-zA-Z_][a-zA-Z0-9_]*`.
    #[inline]
    pub(super) fn label(&mut self, samples: &mut Samples) -> Result<Text> {
        if self.eat(b'"') {
            return self.string(samples);
        }
        self.plain(LABEL, "expected the name of a label")
    }

    /// The rest of a string whose opening quote was the last byte.
    #[inline]
    pub(super) fn string(&mut self, samples: &mut Samples) -> Result<Text> {
        let start = self.pos;
        let end = self.string_stop(start);
        if self.byte(end) == b'"' {
            self.pos = end + 1;
            return Ok(Text::in_body(start, end));
        }
        self.string_with_escapes(samples)
    }

    #[cold]
    fn string_with_escapes(&mut self, samples: &mut Samples) -> Result<Text> {
        let arena_at = samples.arena.len();
        loop {
            let stop = self.string_stop(self.pos);
            samples.arena.extend_from_slice(&self.body[self.pos..stop]);
            self.pos = stop;
            match (self.byte(stop), self.byte(stop + 1)) {
                (b'"', _) => {
                    self.pos += 1;
                    return Ok(Text::in_arena(&samples.arena, arena_at));
                }
                (b'\\', b'n') => samples.arena.push(b'\n'),
                (b'\\', escaped @ (b'\\' | b'"')) => samples.arena.push(escaped),
                (b'\\', _) => return Err(self.fault("unknown escape in a string")),
                _ => return Err(self.fault("a string does not end on its line")),
            }
            self.pos += 2;
        }
    }

    /// The first byte from `at` that is a quote, a backslash, a line feed or the end.
    #[inline]
    fn string_stop(&self, mut at: usize) -> usize {
        while let Some(chunk) = self.body.get(at..at + 8) {
            let word = u64::from_le_bytes(chunk.try_into().expect("a chunk of 8"));
            let stop = swar::find(word, b'"') | swar::find(word, b'\\') | swar::find(word, b'\n');
            if stop != 0 {
                return at + swar::first(stop);
            }
            at += 8;
        }
        while !matches!(self.byte(at), b'"' | b'\\' | b'\n') {
            at += 1;
        }
        at
    }

    /// A number up to the next gap: few digits are read here, anything else by the standard library, which
    /// rounds correctly.
    #[inline]
    pub(super) fn number(&mut self) -> Result<f64> {
        let start = self.pos;
        let mut whole: u64 = 0;
        while let digit @ 0..=9 = self.byte(self.pos).wrapping_sub(b'0') {
            whole = whole.wrapping_mul(10).wrapping_add(u64::from(digit));
            self.pos += 1;
        }
        if (1..=WHOLE_DIGITS_MAX).contains(&(self.pos - start)) && self.is_at_gap() {
            return Ok(whole as f64);
        }
        self.pos = start;
        self.other_number()
    }

    fn other_number(&mut self) -> Result<f64> {
        let start = self.pos;
        let number = read_float(self.word());
        number.ok_or_else(|| DecodeError::syntax(start, "expected a number"))
    }
}

/// Numbers of up to 15 digits are exact as `f64`.
const WHOLE_DIGITS_MAX: usize = 15;

/// A float as Go and OpenMetrics write them: the decimal ones of Rust, and `NaN` and `Inf` in any case.
#[inline]
pub(super) fn read_float(word: &[u8]) -> Option<f64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}
