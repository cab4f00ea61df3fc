//! The grammar that `Accept` and `Accept-Encoding` share: ranges between commas, each with parameters between
//! semicolons, of which `q` says how welcome it is.
//!
//! Source: RFC 9110 §5.6 (lists, quoted strings, parameters) and §12.4.2 (weights).

use http::HeaderValue;

use super::RANGES_MAX;

/// One range of a header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range<'a> {
    /// What is in front of the parameters.
    pub(super) name: &'a [u8],
    parameters: &'a [u8],
    /// From 0, not acceptable, to 1.
    pub(super) q: f32,
}

/// The ranges of all lines of a header, but for those whose q is no number from 0 to 1.
pub(super) fn ranges<'a>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
) -> impl Iterator<Item = Range<'a>> {
    let all = lines.into_iter().flat_map(|line| Parts::of(line.as_bytes(), b','));
    all.take(RANGES_MAX).filter_map(Range::read)
}

impl<'a> Range<'a> {
    fn read(text: &'a [u8]) -> Option<Self> {
        let end = text.iter().position(|b| *b == b';').unwrap_or(text.len());
        let (name, parameters) = text.split_at(end);
        let range = Self { name: name.trim_ascii(), parameters, q: 1.0 };
        let mut q = 1.0;
        for (name, value) in range.parameters() {
            if name.eq_ignore_ascii_case(b"q") {
                q = std::str::from_utf8(unquoted(value)).ok()?.parse().ok()?;
            }
        }
        // NaN is in no range.
        (0.0..=1.0).contains(&q).then_some(Self { q, ..range })
    }

    /// Names and values of the parameters, `q` among them; a quoted value with its quotes.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        Parts::of(self.parameters, b';').filter_map(|parameter| {
            let at = parameter.iter().position(|b| *b == b'=')?;
            Some((parameter[..at].trim_ascii(), parameter[at + 1..].trim_ascii()))
        })
    }
}

/// A value without the quotes around it. What is escaped in it stays so: nothing that we know needs it.
pub(super) fn unquoted(value: &[u8]) -> &[u8] {
    let inner = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    inner.unwrap_or(value).trim_ascii()
}

/// What stands between separators that are not within quotes. Quotes that do not end reach to the end.
#[derive(Debug)]
struct Parts<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> Parts<'a> {
    fn of(text: &'a [u8], separator: u8) -> Self {
        Self { rest: Some(text), separator }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.take()?;
        let (mut is_quoted, mut is_escaped) = (false, false);
        for (i, byte) in rest.iter().enumerate() {
            if is_escaped {
                is_escaped = false;
            } else if is_quoted && *byte == b'\\' {
                is_escaped = true;
            } else if *byte == b'"' {
                is_quoted = !is_quoted;
            } else if *byte == self.separator && !is_quoted {
                self.rest = Some(&rest[i + 1..]);
                return Some(&rest[..i]);
            }
        }
        Some(rest)
    }
}
