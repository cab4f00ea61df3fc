//! Records of other clients, read by the rules that a schema declares: which fields there are, and what they are to
//! the families.

use super::json::Json;
use super::number::Number;
use super::samples::Samples;
use super::{Counts, DecodeError, DecodeReason, Refusal, form};
use crate::schema::{LabelFrom, Matcher, Rules, template_into};
use crate::store::{Catalog, Target, Text, Texts};

type Result<T> = std::result::Result<T, DecodeError>;

/// A field that a rule looks at, as the record being read has it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Leaf {
    #[default]
    Absent,
    /// `null`, an array or an object: there, but neither text nor a number.
    Nothing,
    /// A number, and its text.
    Number(f64, Text),
    Word(Text),
}

impl Leaf {
    fn text(self) -> Option<Text> {
        match self {
            Self::Number(_, text) | Self::Word(text) => Some(text),
            Self::Absent | Self::Nothing => None,
        }
    }
}

/// Forgets the record before.
pub(super) fn begin(rules: &Rules, samples: &mut Samples) {
    samples.leaves.clear();
    samples.leaves.resize(rules.names().len(), Leaf::Absent);
}

/// Reads an object's fields, whose names are those behind `prefix`. Of a field that comes twice the last counts.
/// Each key costs one search among the names; what no rule looks at is passed over.
pub(super) fn object(
    body: &[u8],
    json: &mut Json<'_>,
    names: &[Box<[u8]>],
    prefix: &[u8],
    samples: &mut Samples,
) -> Result<()> {
    json.open(b'{', "expected an object")?;
    if json.is_empty(b'}') {
        return Ok(());
    }
    loop {
        let key = json.key()?;
        let arena_len = samples.arena.len();
        let key = samples.text(body, key);
        let key = samples.bytes(body, key);
        let found = find(names, prefix, key);
        let below = below(names, prefix, key);
        samples.arena.truncate(arena_len);
        let leaf = match json.peek() {
            b'{' if below.is_some() => {
                object(body, json, names, below.unwrap_or_default(), samples)?;
                Leaf::Nothing
            }
            b'{' | b'[' => {
                json.skip()?;
                Leaf::Nothing
            }
            b'"' => {
                let raw = json.string()?;
                if found.is_some() { Leaf::Word(samples.text(body, raw)) } else { Leaf::Nothing }
            }
            b'-' | b'0'..=b'9' => {
                let start = json.offset();
                let number = json.number()?;
                Leaf::Number(number, Text::in_body(start, json.offset()))
            }
            first => {
                let start = json.offset();
                json.skip()?;
                match first {
                    b'n' => Leaf::Nothing,
                    _ => Leaf::Word(Text::in_body(start, json.offset())),
                }
            }
        };
        if let Some(found) = found {
            samples.leaves[found] = leaf;
        }
        if !json.another(b'}')? {
            return Ok(());
        }
    }
}

/// The place of the name that is `prefix` and `key`.
fn find(names: &[Box<[u8]>], prefix: &[u8], key: &[u8]) -> Option<usize> {
    names.binary_search_by(|name| name.iter().cmp(prefix.iter().chain(key))).ok()
}

/// What names below the object at `key` begin with, if there are any.
fn below<'n>(names: &'n [Box<[u8]>], prefix: &[u8], key: &[u8]) -> Option<&'n [u8]> {
    let wanted = || prefix.iter().chain(key).chain(b".");
    let len = prefix.len() + key.len() + 1;
    let first = names.partition_point(|name| name.iter().lt(wanted()));
    let begins = names.get(first)?.get(..len)?;
    begins.iter().eq(wanted()).then_some(begins)
}

/// Reads the pairs of a form. All of it is text; what is written as a number is one.
pub(super) fn pairs(body: &[u8], names: &[Box<[u8]>], samples: &mut Samples) {
    let mut name = std::mem::take(&mut samples.scratch);
    for (raw_name, raw_value) in form::pairs(body) {
        name.clear();
        form::decode_into(raw_name, &mut name);
        if let Some(found) = find(names, &[], &name) {
            let start = samples.arena.len();
            form::decode_into(raw_value, &mut samples.arena);
            let text = Text::in_arena(&samples.arena, start);
            samples.leaves[found] = match number(&samples.arena[start..]) {
                Some(number) => Leaf::Number(number, text),
                None => Leaf::Word(text),
            };
        }
    }
    samples.scratch = name;
}

/// A number in decimal digits. `inf` and `nan`, which a float's own reader knows, are words.
fn number(text: &[u8]) -> Option<f64> {
    let is_of_number = |b: &u8| b.is_ascii_digit() || b"+-.eE".contains(b);
    let text =
        std::str::from_utf8(text).ok().filter(|text| text.as_bytes().iter().all(is_of_number));
    text?.parse().ok()
}

/// Most samples of one body: more than any client's, and 1 MB of them. What rules make of a body is not bounded by its
/// bytes.
const SAMPLES_MAX: usize = 1 << 14;

/// Makes a sample by each rule that applies to the record whose fields were read and which ends at `at`. If none does,
/// the record is one sample that is refused.
pub(super) fn apply(
    catalog: &Catalog,
    body: &[u8],
    rules: &Rules,
    at: usize,
    samples: &mut Samples,
    counts: &mut Counts,
) -> Result<()> {
    let mut applies = false;
    for matcher in rules.matchers() {
        let Some(value) = value(matcher, body, samples) else { continue };
        applies = true;
        if samples.entries.len() == SAMPLES_MAX {
            let detail = "rules make more than 16,384 samples of it";
            return Err(DecodeError::new(DecodeReason::TooManyLines, at, detail));
        }
        sample(catalog, body, matcher, value, samples, counts);
    }
    if !applies {
        refuse(body, Refusal::UnknownFamily, samples, counts);
    }
    Ok(())
}

/// Counts a record that makes no sample.
pub(super) fn refuse(body: &[u8], why: Refusal, samples: &mut Samples, counts: &mut Counts) {
    samples.labels.clear();
    samples.note_entry(body, None, None, samples.values.len(), why, 1);
    counts.refuse(why, 1);
}

/// The number that a rule makes of the record, if it applies to it.
fn value(matcher: &Matcher, body: &[u8], samples: &Samples) -> Option<Number> {
    let is = |(field, values): &(usize, Vec<Box<[u8]>>)| {
        let text = samples.leaves[*field].text();
        text.is_some_and(|text| {
            let text = samples.bytes(body, text);
            values.iter().any(|value| **value == *text)
        })
    };
    if !matcher.when.iter().all(is) {
        return None;
    }
    let Some(field) = matcher.value else { return Some(Number { value: 1.0, n: 1 }) };
    match samples.leaves[field] {
        Leaf::Absent => None,
        Leaf::Number(value, _) => Some(Number { value: matcher.scaled(value), n: 1 }),
        Leaf::Nothing | Leaf::Word(_) => Some(Number::NOT_A_NUMBER),
    }
}

/// Resolves one sample, or counts why it is refused.
fn sample(
    catalog: &Catalog,
    body: &[u8],
    matcher: &Matcher,
    value: Number,
    samples: &mut Samples,
    counts: &mut Counts,
) {
    let Some(target) = catalog.target(&matcher.family) else {
        // A schema whose rules name other families is not put in place.
        return refuse(body, Refusal::UnknownFamily, samples, counts);
    };
    let values_at = samples.values.len();
    for label in &matcher.labels {
        let value = match label {
            None => Some(Text::EMPTY),
            Some(LabelFrom::Const(value)) => Some(Text::put(&mut samples.arena, value)),
            Some(LabelFrom::Field(field)) => samples.leaves[*field].text(),
            Some(LabelFrom::Path(field)) => {
                let url = samples.leaves[*field].text();
                url.map(|url| path(body, url, samples))
            }
        };
        match value {
            Some(value) => samples.values.push(value),
            None => {
                samples.values.truncate(values_at);
                return missing(&target, body, matcher, samples, counts);
            }
        }
    }
    samples.fill_served(&target, values_at);
    let numbers_at = samples.numbers.len();
    samples.numbers.push(value);
    samples.finish_entry(&target, body, values_at, numbers_at, counts);
}

/// Counts a sample that lacks a label's field.
#[cold]
fn missing(
    target: &Target<'_>,
    body: &[u8],
    matcher: &Matcher,
    samples: &mut Samples,
    counts: &mut Counts,
) {
    let why = Refusal::MissingLabel;
    counts.refuse(why, 1);
    if samples.notes.is_none() {
        return;
    }
    // Who asks is told of the first label that is not among these.
    samples.labels.clear();
    for (label, from) in target.family.labels().iter().zip(&matcher.labels) {
        let is_there = match from {
            Some(LabelFrom::Field(field) | LabelFrom::Path(field)) => {
                samples.leaves[*field].text().is_some()
            }
            Some(LabelFrom::Const(_)) | None => true,
        };
        if is_there {
            let name = Text::put(&mut samples.arena, label.name.as_bytes());
            samples.labels.push((name, Text::EMPTY));
        }
    }
    let name = Text::put(&mut samples.arena, &matcher.family);
    samples.note_entry(body, Some(name), Some(target.family), samples.values.len(), why, 1);
}

/// The template of the path of a URL, or of what is a path already; empty for anything else. What is stored is a
/// template, so it is made here at once, and the series is found.
fn path(body: &[u8], url: Text, samples: &mut Samples) -> Text {
    let mut path = std::mem::take(&mut samples.scratch);
    path.clear();
    template_into(path_of(Texts { body, arena: &samples.arena }.get(url)), &mut path);
    let text = Text::put(&mut samples.arena, &path);
    samples.scratch = path;
    text
}

fn path_of(url: &[u8]) -> &[u8] {
    let scheme = [&b"https://"[..], b"http://"].into_iter().find(|scheme| url.starts_with(scheme));
    match (scheme, url.first()) {
        (Some(scheme), _) => {
            let rest = &url[scheme.len()..];
            let end = rest.iter().position(|b| b"/?#".contains(b)).unwrap_or(rest.len());
            if rest.get(end) == Some(&b'/') { &rest[end..] } else { b"/" }
        }
        (None, Some(b'/')) => url,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_what_stands_behind_the_host() {
        for (url, wanted) in [
            ("https://app.example/users/42?tab=1#top", "/users/42?tab=1#top"),
            ("http://localhost:3000/", "/"),
            ("https://app.example", "/"),
            ("https://app.example?q=/secret", "/"),
            ("https://app.example#/inner", "/"),
            ("/home?q", "/home?q"),
            ("", ""),
            ("about:blank", ""),
            ("file:///home/ann/x.html", ""),
            ("app.example/x", ""),
        ] {
            assert_eq!(path_of(url.as_bytes()), wanted.as_bytes(), "{url}");
        }
    }

    #[test]
    fn numbers_of_forms_are_written_in_digits() {
        for (text, wanted) in [
            ("0", Some(0.0)),
            ("1240.5", Some(1240.5)),
            ("-3", Some(-3.0)),
            ("1e3", Some(1000.0)),
            ("1e999", Some(f64::INFINITY)),
            ("", None),
            ("inf", None),
            ("NaN", None),
            ("0x10", None),
            ("1,5", None),
            ("+-1", None),
        ] {
            assert_eq!(number(text.as_bytes()), wanted, "{text}");
        }
    }
}
