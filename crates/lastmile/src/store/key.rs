//! How a series is named: texts of a push, and the key they make up.

use std::borrow::Cow;

use super::family::FamilyState;
use crate::schema::{LABELS_MAX, OTHER};

/// A piece of UTF-8 text of the push being read: in its body, or in the arena of decoded strings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text {
    start: u32,
    /// The length in the lower 30 bits, where it stands and whether it needs escaping above.
    len_flags: u32,
}

/// The text stands in the arena, not in the body.
const IN_ARENA: u32 = 1 << 31;

/// The text holds a quote, a backslash or a line feed. Only decoded text can, and that of protobuf: JSON has none of
/// them unescaped in a string.
const SPECIAL: u32 = 1 << 30;

/// Bodies are shorter than this, so that offsets leave room for the flags.
pub(crate) const BODY_BYTES_END: usize = 1 << 30;

impl Text {
    pub(crate) const EMPTY: Self = Self { start: 0, len_flags: 0 };

    #[inline]
    pub(crate) fn in_body(start: usize, end: usize) -> Self {
        Self { start: start as u32, len_flags: (end - start) as u32 }
    }

    /// The text from `start` to the end of the arena.
    pub(crate) fn in_arena(arena: &[u8], start: usize) -> Self {
        let is_special = memchr::memchr3(b'"', b'\\', b'\n', &arena[start..]).is_some();
        Self::marked_in_arena(arena, start, is_special)
    }

    /// The same where it is known whether the text holds what is escaped where it is exposed.
    #[inline]
    pub(crate) fn marked_in_arena(arena: &[u8], start: usize, is_special: bool) -> Self {
        let flags = IN_ARENA | if is_special { SPECIAL } else { 0 };
        Self { start: start as u32, len_flags: (arena.len() - start) as u32 | flags }
    }

    /// The same text where that of a body may hold what is escaped where it is exposed.
    #[cfg(feature = "totals")]
    pub(crate) fn marked(mut self, body: &[u8]) -> Self {
        if self.len_flags & IN_ARENA == 0 {
            let text = &body[self.start as usize..][..self.len()];
            if memchr::memchr3(b'"', b'\\', b'\n', text).is_some() {
                self.len_flags |= SPECIAL;
            }
        }
        self
    }

    /// Puts a value behind the others of an arena.
    pub(crate) fn put(arena: &mut Vec<u8>, value: &[u8]) -> Self {
        let start = arena.len();
        arena.extend_from_slice(value);
        Self::in_arena(arena, start)
    }

    #[inline]
    fn len(self) -> usize {
        (self.len_flags & (SPECIAL - 1)) as usize
    }

    #[inline]
    fn is_special(self) -> bool {
        self.len_flags & SPECIAL != 0
    }
}

/// What [`Text`]s point into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Texts<'a> {
    pub(crate) body: &'a [u8],
    pub(crate) arena: &'a [u8],
}

impl<'a> Texts<'a> {
    #[inline]
    pub(crate) fn get(self, text: Text) -> &'a [u8] {
        let start = text.start as usize;
        &self.source(text)[start..start + text.len()]
    }

    /// Whether a value stands at `at` of stored bodies without escapes: one that is long, or in the arena, or stands
    /// at an end.
    #[cold]
    #[inline(never)]
    fn is_at(self, value: Text, body: StoredBody<'_>, at: u32) -> bool {
        !value.is_special() && body.has_value(at, self.get(value))
    }

    #[inline]
    fn source(self, text: Text) -> &'a [u8] {
        if text.len_flags & IN_ARENA == 0 { self.body } else { self.arena }
    }
}

/// A series' identity: its family and its label values in schema order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    pub(crate) family: &'a FamilyState,
    pub(crate) values: &'a [Text],
    pub(crate) texts: Texts<'a>,
    /// A bit for each label whose value is replaced by `other`.
    pub(crate) folded: u32,
    pub(crate) hash: u64,
}

impl<'a> Key<'a> {
    /// The value of label `i`.
    #[inline]
    pub(crate) fn value(&self, i: usize) -> &'a [u8] {
        if self.folded & (1 << i) == 0 { self.texts.get(self.values[i]) } else { OTHER.as_bytes() }
    }

    /// Whether any value must be escaped where it is exposed.
    #[inline]
    pub(crate) fn is_special(&self) -> bool {
        self.values
            .iter()
            .enumerate()
            .any(|(i, value)| value.is_special() && self.folded & (1 << i) == 0)
    }

    /// The same series with these labels at `other` besides.
    pub(crate) fn fold(mut self, labels: u32) -> Self {
        self.folded |= labels;
        self.hash = self.family.hash(&self);
        self
    }

    /// The same where the hashes of its values are known.
    pub(super) fn fold_hashed(mut self, labels: u32, hashes: &ValueHashes) -> Self {
        self.folded |= labels;
        self.hash = self.family.hash_folded(self.folded, hashes.all(self.values.len()));
        self
    }

    /// The hash of each of its values, none of which is folded.
    pub(super) fn value_hashes(&self) -> ValueHashes {
        let mut hashes = ValueHashes::default();
        hashes.set(self);
        hashes
    }

    /// Appends the label body as it is exposed: `app="student",page="/x"`.
    pub(crate) fn write_body(&self, out: &mut Vec<u8>) {
        let is_special = self.is_special();
        for (i, literal) in self.family.literals().iter().enumerate() {
            out.extend_from_slice(literal);
            if is_special {
                escape_into(self.value(i), out);
            } else {
                out.extend_from_slice(self.value(i));
            }
        }
        if !self.values.is_empty() {
            out.push(b'"');
        }
    }

    /// Length of that body.
    pub(super) fn body_len(&self) -> usize {
        let is_special = self.is_special();
        let values: usize = (0..self.values.len())
            .map(|i| {
                let value = self.value(i);
                let n_escapes = || memchr::memchr3_iter(b'"', b'\\', b'\n', value).count();
                value.len() + if is_special { n_escapes() } else { 0 }
            })
            .sum();
        let literals: usize = self.family.literals().iter().map(|literal| literal.len()).sum();
        values + literals + usize::from(!self.values.is_empty())
    }

    /// Whether a row with this body is this series.
    #[inline]
    pub(super) fn matches(&self, body: StoredBody<'_>) -> bool {
        if body.escaped { self.matches_escaped(body) } else { self.matches_plain(body) }
    }

    /// The same of a body with escapes.
    #[cold]
    #[inline(never)]
    fn matches_escaped(&self, body: StoredBody<'_>) -> bool {
        if !self.is_special() {
            return false;
        }
        let mut own = Vec::with_capacity(body.len as usize);
        self.write_body(&mut own);
        own == body.exact()
    }

    /// The same of a body without escapes.
    #[inline(always)]
    pub(super) fn matches_plain(&self, body: StoredBody<'_>) -> bool {
        if self.folded == 0 { self.is_series::<false>(body) } else { self.is_series::<true>(body) }
    }

    /// Whether a row with this body, which has no escapes, is this series, some of whose values may be folded.
    ///
    /// Each value is compared at the place where it stands if those before are the row's, and all lengths together
    /// at the end. That is a full comparison, as no value on either side holds a quote: one that is longer than the
    /// row's would cover the quote behind it. One that is shorter makes the next begin in front of its place, where
    /// it would cover the quote there or end before it, and so the last ends too soon.
    ///
    /// 32 bytes of both are loaded, whatever the value's length, and a mask takes of them what counts, so that no
    /// branch depends on a length: 32 instructions a label, where comparing pieces of their own length takes 78.
    #[inline(always)]
    fn is_series<const MAY_FOLD: bool>(&self, body: StoredBody<'_>) -> bool {
        let Self { values, texts, .. } = *self;
        let mut at = body.start;
        for (i, (value, literal_len)) in values.iter().zip(self.family.literal_lens()).enumerate() {
            at += u32::from(*literal_len);
            if MAY_FOLD && self.folded & (1 << i) != 0 {
                if !body.has_other(at) {
                    return false;
                }
                at += OTHER.len() as u32;
                continue;
            }
            // With a flag it is no short length.
            let n = value.len_flags as usize;
            match (window(texts.body, value.start), window(body.bodies, at)) {
                (Some(own), Some(stored)) if n <= WINDOW => {
                    if differ(own, stored, n) {
                        return false;
                    }
                }
                _ if texts.is_at(*value, body, at) => {}
                _ => return false,
            }
            at += value.len() as u32;
        }
        at + u32::from(!values.is_empty()) == body.start + body.len
    }
}

/// A row's body where it is stored, among those of other rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredBody<'a> {
    pub(super) bodies: &'a [u8],
    pub(super) start: u32,
    pub(super) len: u32,
    /// Whether its values needed escaping.
    pub(super) escaped: bool,
}

impl<'a> StoredBody<'a> {
    fn exact(self) -> &'a [u8] {
        &self.bodies[self.start as usize..][..self.len as usize]
    }

    /// Whether `other` stands at `at` of the bodies.
    #[inline]
    fn has_other(self, at: u32) -> bool {
        let stored = self.bodies.get(at as usize..).and_then(|stored| stored.first_chunk());
        stored.is_some_and(|stored: &[u8; OTHER.len()]| stored == OTHER.as_bytes())
    }

    /// Whether this value stands at `at` of the bodies.
    #[inline]
    fn has_value(self, at: u32, value: &[u8]) -> bool {
        let stored = self.bodies.get(at as usize..).and_then(|stored| stored.get(..value.len()));
        stored.is_some_and(|stored| same(stored, value))
    }
}

/// The hash of each value of a series, by label.
#[derive(Default)]
pub(super) struct ValueHashes([u64; LABELS_MAX]);

impl ValueHashes {
    /// Takes those of another series.
    #[inline]
    pub(super) fn set(&mut self, key: &Key<'_>) {
        for (i, hash) in self.0.iter_mut().enumerate().take(key.values.len()) {
            *hash = key.family.value_hash(key.value(i));
        }
    }

    #[inline]
    pub(super) fn of(&self, label: usize) -> u64 {
        self.0[label]
    }

    fn all(&self, n_labels: usize) -> &[u64] {
        &self.0[..n_labels]
    }
}

/// Bytes of a value and of what stands behind it that are compared at once.
pub(super) const WINDOW: usize = 32;

/// So many bytes that count, and so many that do not: what starts in the middle less `n` is a mask of `n` bytes.
const MASKS: [u8; 2 * WINDOW] = {
    let mut masks = [0; 2 * WINDOW];
    let mut i = 0;
    while i < WINDOW {
        masks[i] = 0xff;
        i += 1;
    }
    masks
};

/// What stands at a place, if there is so much of it.
#[inline(always)]
fn window(bytes: &[u8], at: u32) -> Option<&[u8; WINDOW]> {
    bytes.get(at as usize..at as usize + WINDOW)?.first_chunk()
}

/// Whether the first `n` bytes of both are not equal.
#[inline(always)]
fn differ(own: &[u8; WINDOW], stored: &[u8; WINDOW], n: usize) -> bool {
    let mask: &[u8; WINDOW] = MASKS[WINDOW - n..].first_chunk().expect("n is at most a window");
    let mut difference = 0;
    for i in (0..WINDOW).step_by(8) {
        let word =
            |of: &[u8; WINDOW]| u64::from_le_bytes(*of[i..].first_chunk().expect("whole words"));
        difference |= (word(own) ^ word(stored)) & word(mask);
    }
    difference != 0
}

/// Whether two texts are equal. Names and label values are short, and a call of `memcmp` for each costs
/// more than the comparison: up to 16 bytes are two words that may overlap.
#[inline]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    fn ends<const N: usize>(text: &[u8]) -> Option<(&[u8; N], &[u8; N])> {
        Some((text.first_chunk()?, text.last_chunk()?))
    }
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        0 => true,
        1..4 => {
            a[0] == b[0] && a[a.len() / 2] == b[a.len() / 2] && a[a.len() - 1] == b[a.len() - 1]
        }
        4..8 => ends::<4>(a) == ends::<4>(b),
        8..=16 => ends::<8>(a) == ends::<8>(b),
        17..=32 => ends::<16>(a) == ends::<16>(b),
        _ => a == b,
    }
}

/// Appends a label value with `\`, `"` and line feed escaped.
/// Source: Prometheus docs/instrumenting/exposition_formats.md, "Text format details".
pub(crate) fn escape_into(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some(at) = memchr::memchr3(b'"', b'\\', b'\n', rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(match rest[at] {
            b'"' => br#"\""#,
            b'\\' => br"\\",
            _ => br"\n",
        });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// The value that [`escape_into`] wrote.
fn unescape(escaped: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        out.push(match rest.get(at + 1) {
            Some(b'n') => b'\n',
            Some(b) => *b,
            None => break,
        });
        rest = &rest[at + 2..];
    }
    out.extend_from_slice(rest);
    out
}

/// The label values of a body, in schema order.
pub(crate) fn body_values<'a>(
    family: &'a FamilyState,
    body: &'a [u8],
) -> impl Iterator<Item = Cow<'a, [u8]>> {
    escaped_values(family, body).map(|value| match memchr::memchr(b'\\', value) {
        None => Cow::Borrowed(value),
        Some(_) => Cow::Owned(unescape(value)),
    })
}

/// The same as they stand there, escaped.
pub(crate) fn escaped_values<'a>(
    family: &'a FamilyState,
    body: &'a [u8],
) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = body;
    family.literals().iter().map(move |literal| {
        let value = &rest[literal.len()..];
        let end = closing_quote(value);
        rest = &value[end..];
        &value[..end]
    })
}

/// Where a value that starts here ends.
fn closing_quote(escaped: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match escaped.get(at) {
            Some(b'"') | None => return at,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
    }
}

#[cfg(test)]
mod tests;
