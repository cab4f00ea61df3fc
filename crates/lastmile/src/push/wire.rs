//! Protobuf's wire format, read in place.
//!
//! Fields are read as `prost` reads them, which is the twin in the tests: a field that is known and comes in another
//! wire type than its own makes a body one that does not decode.
//! Source: protobuf.dev, "Encoding"; prost 0.14, src/encoding.rs.

use crate::push::error::{DecodeError, DecodeReason};
use crate::store::Text;

type Result<T> = std::result::Result<T, DecodeError>;

/// How a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Varint,
    Fixed64,
    /// A length, and as many bytes.
    Bytes,
    Group,
    EndGroup,
    Fixed32,
}

/// Most groups inside each other, as of `prost`; nobody has sent one since 2008.
const DEPTH_MAX: u32 = 100;

/// A message, or what is left of it.
#[derive(Clone, Debug)]
pub(crate) struct Wire<'a> {
    body: &'a [u8],
    pos: usize,
    end: usize,
}

impl<'a> Wire<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self { body, pos: 0, end: body.len() }
    }

    #[inline]
    pub(crate) fn offset(&self) -> usize {
        self.pos
    }

    #[cold]
    fn fault(&self, detail: &'static str) -> DecodeError {
        DecodeError::syntax(self.pos, detail)
    }

    #[inline]
    pub(crate) fn is_at_end(&self) -> bool {
        self.pos >= self.end
    }

    /// Number and type of the next field; `None` at the end of the message.
    #[inline]
    pub(crate) fn field(&mut self) -> Result<Option<(u32, Type)>> {
        if self.is_at_end() {
            return Ok(None);
        }
        let at = self.pos;
        let key = self.varint()?;
        let kind = match key & 7 {
            0 => Type::Varint,
            1 => Type::Fixed64,
            2 => Type::Bytes,
            3 => Type::Group,
            4 => Type::EndGroup,
            5 => Type::Fixed32,
            _ => return Err(DecodeError::syntax(at, "a field has a type that is none")),
        };
        match u32::try_from(key) {
            Ok(key) if key > 7 => Ok(Some((key >> 3, kind))),
            _ => Err(DecodeError::syntax(at, "a field has a number that is none")),
        }
    }

    /// Whether a field that must be of this type is.
    #[inline]
    pub(crate) fn expect(&self, found: Type, wanted: Type) -> Result<()> {
        if found == wanted {
            return Ok(());
        }
        Err(self.fault("a field has another type than its own"))
    }

    #[inline]
    fn varint(&mut self) -> Result<u64> {
        match self.body[self.pos..self.end].first() {
            Some(&byte) if byte < 0x80 => {
                self.pos += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for (i, &byte) in self.body[self.pos..self.end].iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                if i == 9 && byte > 1 {
                    break;
                }
                self.pos += i + 1;
                return Ok(value);
            }
        }
        let is_cut = self.end - self.pos < 10;
        Err(self.fault(if is_cut { CUT } else { "a number is longer than 64 bits" }))
    }

    #[inline]
    fn chunk<const N: usize>(&mut self) -> Result<[u8; N]> {
        let chunk = self.body[self.pos..self.end].first_chunk();
        let chunk = *chunk.ok_or_else(|| self.fault(CUT))?;
        self.pos += N;
        Ok(chunk)
    }

    #[inline]
    pub(crate) fn number(&mut self, kind: Type) -> Result<u64> {
        self.expect(kind, Type::Varint)?;
        self.varint()
    }

    /// A `sint32`.
    #[inline]
    pub(crate) fn zigzag(&mut self, kind: Type) -> Result<i32> {
        Ok(unzigzag(u64::from(self.number(kind)? as u32)) as i32)
    }

    /// The message that comes next, behind its length.
    #[cfg(feature = "pushgateway")]
    pub(crate) fn delimited(&mut self) -> Result<Self> {
        self.message(Type::Bytes)
    }

    #[cfg(feature = "pushgateway")]
    pub(crate) fn body(&self) -> &'a [u8] {
        self.body
    }

    #[inline]
    pub(crate) fn fixed64(&mut self, kind: Type) -> Result<u64> {
        self.expect(kind, Type::Fixed64)?;
        self.chunk().map(u64::from_le_bytes)
    }

    #[inline]
    pub(crate) fn double(&mut self, kind: Type) -> Result<f64> {
        self.fixed64(kind).map(f64::from_bits)
    }

    /// The message, or the packed numbers, that a field is.
    #[inline]
    pub(crate) fn message(&mut self, kind: Type) -> Result<Self> {
        self.expect(kind, Type::Bytes)?;
        let len = self.varint()?;
        if len > (self.end - self.pos) as u64 {
            return Err(self.fault(CUT));
        }
        let inner = Self { body: self.body, pos: self.pos, end: self.pos + len as usize };
        self.pos = inner.end;
        Ok(inner)
    }

    /// The bytes that a field is.
    #[cfg(feature = "otlp")]
    #[inline]
    pub(crate) fn bytes(&mut self, kind: Type) -> Result<Text> {
        let inner = self.message(kind)?;
        Ok(Text::in_body(inner.pos, inner.end))
    }

    /// The text that a field is.
    #[inline]
    pub(crate) fn text(&mut self, kind: Type) -> Result<Text> {
        let Self { body, pos, end } = self.message(kind)?;
        match std::str::from_utf8(&body[pos..end]) {
            Ok(_) => Ok(Text::in_body(pos, end)),
            Err(e) => Err(DecodeError::new(DecodeReason::InvalidUtf8, pos + e.valid_up_to(), "")),
        }
    }

    /// Each number of a field that has many of 8 bytes, packed or one by one.
    #[cfg(feature = "otlp")]
    #[inline]
    pub(crate) fn each_fixed64(
        &mut self,
        kind: Type,
        mut each: impl FnMut(u64, usize) -> Result<()>,
    ) -> Result<()> {
        if kind != Type::Bytes {
            let number = self.fixed64(kind)?;
            return each(number, self.pos);
        }
        let mut packed = self.message(kind)?;
        while !packed.is_at_end() {
            let number = u64::from_le_bytes(packed.chunk()?);
            each(number, packed.pos)?;
        }
        Ok(())
    }

    /// The same of numbers of any length.
    #[inline]
    pub(crate) fn each_number(
        &mut self,
        kind: Type,
        mut each: impl FnMut(u64, usize) -> Result<()>,
    ) -> Result<()> {
        if kind != Type::Bytes {
            let number = self.number(kind)?;
            return each(number, self.pos);
        }
        let mut packed = self.message(kind)?;
        while !packed.is_at_end() {
            let number = packed.varint()?;
            each(number, packed.pos)?;
        }
        Ok(())
    }

    /// Passes over a field.
    pub(crate) fn skip(&mut self, (number, kind): (u32, Type)) -> Result<()> {
        self.skip_within(number, kind, 0)
    }

    fn skip_within(&mut self, number: u32, kind: Type, depth: u32) -> Result<()> {
        match kind {
            Type::Varint => self.varint().map(drop),
            Type::Fixed64 => self.chunk::<8>().map(drop),
            Type::Fixed32 => self.chunk::<4>().map(drop),
            Type::Bytes => self.message(kind).map(drop),
            Type::EndGroup => Err(self.fault("a group ends that did not begin")),
            Type::Group if depth == DEPTH_MAX => {
                let detail = "groups are nested more than 100 deep";
                Err(DecodeError::new(DecodeReason::TooDeep, self.pos, detail))
            }
            Type::Group => loop {
                match self.field()? {
                    None => return Err(self.fault(CUT)),
                    Some((inner, Type::EndGroup)) if inner == number => return Ok(()),
                    Some((inner, kind)) => self.skip_within(inner, kind, depth + 1)?,
                }
            },
        }
    }
}

/// A `sint64`. Source: protobuf.dev, "Encoding", "Signed Integers": ZigZag.
#[inline]
pub(crate) fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

const CUT: &str = "the message ends too early";
