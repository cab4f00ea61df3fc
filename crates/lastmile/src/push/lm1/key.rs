//! Keys of `lm1`: `name;label=value;…`, with `%xx` for bytes of any of the three.

use crate::push::json::{RawStr, unescape};
use crate::push::report::Refusal;
use crate::push::samples::Samples;
use crate::push::swar;
use crate::store::{FamilyState, Text};

/// Where the name of a key without JSON escapes ends, or its first `%` stands.
#[inline]
pub(super) fn name_end(body: &[u8], key: RawStr) -> usize {
    next_end(body, key.start, key.end)
}

/// Puts the values of a key whose labels are sorted by name, as clients write them, into schema order,
/// behind the values of earlier entries. `false` if the key is another; some may have been put then.
///
/// The names are known, so they are compared where they are due; only the values are searched through.
#[inline]
pub(super) fn values_in_order(
    family: &FamilyState,
    body: &[u8],
    name_end: usize,
    key_end: usize,
    samples: &mut Samples,
) -> bool {
    let literals = family.key_literals();
    let values_at = samples.values.len();
    samples.values.resize(values_at + family.labels().len(), Text::EMPTY);
    let mut at = name_end;
    for literal in literals {
        // A name may hold a quote and what stands behind it: then it seems to be there beyond the key's end.
        let Some(start) = literal.skip(body, at).filter(|start| *start <= key_end) else {
            return false;
        };
        at = next_end(body, start, key_end);
        let mut value = Text::in_body(start, at);
        if body[at] == b'%' {
            while body[at] == b'%' {
                at = next_end(body, at + 1, key_end);
            }
            match decode_percent(&body[start..at], samples) {
                Ok(decoded) => value = decoded,
                Err(_) => return false,
            }
        }
        samples.values[values_at + literal.label()] = value;
    }
    at == key_end
}

/// The first `;` or `%` from `at`, or `key_end`, where the closing quote stands.
#[inline]
fn next_end(body: &[u8], mut at: usize, key_end: usize) -> usize {
    while let Some(chunk) = body.get(at..at + 8) {
        let word = u64::from_le_bytes(chunk.try_into().expect("a chunk of 8"));
        let stop = swar::find(word, b';') | swar::find(word, b'%') | swar::find(word, b'"');
        if stop != 0 {
            return at + swar::first(stop);
        }
        at += 8;
    }
    while at < key_end && !matches!(body[at], b';' | b'%') {
        at += 1;
    }
    at
}

/// Splits a key; gives its name and leaves its labels in the samples.
#[inline]
pub(super) fn split(body: &[u8], key: RawStr, samples: &mut Samples) -> Result<Text, Refusal> {
    samples.labels.clear();
    if key.has_escapes() {
        return split_decoded_key(body, key, samples);
    }
    split_at(&body[key.start..key.end], Some(key.start), samples)
}

/// The same for a key that stands nowhere in the body.
pub(in crate::push) fn split_text(key: &[u8], samples: &mut Samples) -> Result<Text, Refusal> {
    samples.labels.clear();
    split_at(key, None, samples)
}

/// A key that has JSON escapes is decoded first.
#[cold]
fn split_decoded_key(body: &[u8], key: RawStr, samples: &mut Samples) -> Result<Text, Refusal> {
    let mut decoded = Vec::new();
    unescape(&body[key.start..key.end], &mut decoded);
    split_at(&decoded, None, samples)
}

/// Splits `key`, which stands at `at` of the body or nowhere that stays.
#[inline]
fn split_at(key: &[u8], at: Option<usize>, samples: &mut Samples) -> Result<Text, Refusal> {
    let mut piece = next_piece(key, 0, false);
    if piece.end == 0 {
        return Err(Refusal::Malformed);
    }
    let name = text(key, at, &piece, samples)?;
    while piece.end < key.len() {
        let label = next_piece(key, piece.end + 1, true);
        if label.start == label.end || key.get(label.end) != Some(&b'=') {
            return Err(Refusal::Malformed);
        }
        piece = next_piece(key, label.end + 1, false);
        let texts = (text(key, at, &label, samples)?, text(key, at, &piece, samples)?);
        samples.labels.push(texts);
    }
    Ok(name)
}

/// A part of a key between two separators.
struct Piece {
    start: usize,
    end: usize,
    has_percent: bool,
}

/// The piece from `start` to the next `;` (of a label's name, to the next `=`) or to the end.
///
/// Eight bytes at a time, as in [`Json`]: pieces are too short for a call of `memchr` each to pay.
#[inline]
fn next_piece(key: &[u8], start: usize, is_label: bool) -> Piece {
    let mut has_percent = false;
    let mut at = start;
    loop {
        at = next_separator(key, at);
        match key.get(at) {
            Some(b'%') => has_percent = true,
            Some(b'=') if !is_label => {}
            _ => {
                return Piece { start, end: at, has_percent };
            }
        }
        at += 1;
    }
}

/// The first `;`, `=` or `%` from `at`, or the end.
#[inline]
fn next_separator(key: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = key.get(at..at + 8) {
        let word = u64::from_le_bytes(chunk.try_into().expect("a chunk of 8"));
        let stop = swar::find(word, b';') | swar::find(word, b'=') | swar::find(word, b'%');
        if stop != 0 {
            return at + swar::first(stop);
        }
        at += 8;
    }
    while let Some(b) = key.get(at)
        && !matches!(b, b';' | b'=' | b'%')
    {
        at += 1;
    }
    at
}

/// The text of a piece, `%xx` decoded.
#[inline]
fn text(
    key: &[u8],
    at: Option<usize>,
    piece: &Piece,
    samples: &mut Samples,
) -> Result<Text, Refusal> {
    match at {
        Some(at) if !piece.has_percent => Ok(Text::in_body(at + piece.start, at + piece.end)),
        _ => decode_percent(&key[piece.start..piece.end], samples),
    }
}

/// Decodes `%xx` into the arena, byte by byte: of a few bytes, as most values are, that takes a third of the
/// instructions of a search for each `%`, copies of what is between, and a check of the whole. Of kilobytes it takes
/// up to three times as many.
fn decode_percent(piece: &[u8], samples: &mut Samples) -> Result<Text, Refusal> {
    let arena = &mut samples.arena;
    let start = arena.len();
    arena.reserve(piece.len());
    let (mut is_ascii, mut is_special) = (true, false);
    let mut rest = piece;
    while let [first, behind @ ..] = rest {
        rest = behind;
        let mut byte = *first;
        if byte == b'%' {
            let [high, low, behind @ ..] = rest else { return Err(Refusal::Malformed) };
            let digit = |d: u8| char::from(d).to_digit(16).ok_or(Refusal::Malformed);
            byte = (digit(*high)? << 4 | digit(*low)?) as u8;
            rest = behind;
        }
        is_ascii &= byte.is_ascii();
        is_special |= matches!(byte, b'"' | b'\\' | b'\n');
        arena.push(byte);
    }
    if !is_ascii && std::str::from_utf8(&arena[start..]).is_err() {
        return Err(Refusal::Malformed);
    }
    Ok(Text::marked_in_arena(arena, start, is_special))
}
