//! `lm1`: one JSON batch per line, `{"lm":1,"id":"…","w":1,"m":{"name;k=v":3,"hist;k=v":[0.031,[0.0712,2]]}}`.
//!
//! A line is a batch of its own: one that does not decode changes nothing, and the others are applied.
//! Keys are `name;label=value;…` with `%xx` for bytes of any of the three. Clients escape `%`, `;` and `=`
//! and sort labels by name, which is the fast path; any order and any escaping is right.

mod key;
mod known;

pub(super) use key::split_text as split_key;
pub(crate) use known::{Known, Meaning, Sighted};

use super::error::{DecodeError, DecodeReason};
use super::json::{Json, RawStr};
use super::number::Number;
use super::report::{Counts, PushReport, Refusal};
use super::samples::Samples;
use super::{Format, Intake};
use crate::schema::Kind;
use crate::store::{Catalog, Text};

type Result<T> = std::result::Result<T, DecodeError>;

/// Most lines of one body of `lm1`: what a client can have unacknowledged, twice over. One with more does not decode.
pub const LINES_MAX: usize = 16;

/// Largest weight of a batch: a page view in a thousand is the thinnest sample that says anything.
const WEIGHT_MAX: f64 = 1_000.0;

/// Largest count of a `[value, count]` pair.
const PAIR_COUNT_MAX: f64 = 10_000.0;

/// Length of a batch id: 16 characters of 6 bits are 96 random bits.
const ID_LEN: std::ops::RangeInclusive<usize> = 16..=64;

/// Decodes and applies a body, line by line. A line that fails is noted in the report. With a key of its
/// own the request names its lines too.
pub(super) fn push(
    intake: &Intake<'_>,
    samples: &mut Samples,
    report: &mut PushReport,
) -> Result<()> {
    let Intake { ids, catalog, body, source, now, .. } = *intake;
    let (mut found, mut n_lines) = ([Line::default(); LINES_MAX], 0);
    for line in lines(body) {
        let Some(place) = found.get_mut(n_lines) else {
            return Err(DecodeError::new(DecodeReason::TooManyLines, line.start, ""));
        };
        *place = line;
        n_lines += 1;
    }
    if n_lines == 0 {
        return Err(DecodeError::new(DecodeReason::Empty, 0, ""));
    }
    for Line { number, start, end } in found.into_iter().take(n_lines) {
        samples.begin(catalog, source);
        let mut counts = Counts::default();
        let expect = |id: (&[u8], usize)| ids.expect(Format::Lm1.as_str(), id, source);
        let mut expected = None;
        let note_id = |id: &[u8]| expected = Some(expect((id, 0)));
        match line(catalog, body, start, end, samples, &mut counts, note_id) {
            Ok(id) => {
                let content = body[start..end].trim_ascii();
                if let Some(id) = id.filter(|_| source.wants_ids()) {
                    report.note_id(samples.bytes(body, id));
                }
                // A line without an id of its own is named by the request's and its number.
                let expected = expected.or(source.batch_key().map(|key| expect((key, number))));
                let claim = expected.map(|expected| ids.claim(expected, content, now));
                intake.finish_batch(claim, samples, counts, report);
            }
            Err(error) => report.fail_line(number, error),
        }
    }
    Ok(())
}

/// A line of a body, counted from 1, and where it stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The lines that are not blank.
pub(super) fn lines(body: &[u8]) -> impl Iterator<Item = Line> + '_ {
    let (mut number, mut next) = (0, Some(0));
    let all = std::iter::from_fn(move || {
        let start = next?;
        let end = memchr::memchr(b'\n', &body[start..]).map(|at| start + at);
        next = end.map(|end| end + 1);
        number += 1;
        Some(Line { number, start, end: end.unwrap_or(body.len()) })
    });
    all.filter(|line| !body[line.start..line.end].iter().all(|b| matches!(b, b' ' | b'\t' | b'\r')))
}

/// Decodes one line into `samples`; gives its id, and shows it to `note_id` before what stands behind it is read.
pub(super) fn line(
    catalog: &Catalog,
    body: &[u8],
    start: usize,
    end: usize,
    samples: &mut Samples,
    counts: &mut Counts,
    mut note_id: impl FnMut(&[u8]),
) -> Result<Option<Text>> {
    super::check_utf8(&body[start..end], start)?;
    let mut json = Json::new(&body[..end], start);
    if json.peek() != b'{' {
        return Err(json.other_kind(DecodeReason::ExpectedObject));
    }
    json.open(b'{', "")?;
    let mut batch = Batch::default();
    if !json.is_empty(b'}') {
        loop {
            member(catalog, body, &mut json, &mut batch, samples, counts, &mut note_id)?;
            if !json.another(b'}')? {
                break;
            }
        }
    }
    json.end()?;
    if let Some(fault) = batch.fault {
        return Err(fault);
    }
    if !batch.seen[Member::Lm as usize] {
        return Err(DecodeError::new(DecodeReason::UnsupportedVersion, start, ""));
    }
    let Some(mut metrics) = batch.metrics else {
        return Err(DecodeError::new(DecodeReason::MissingM, start, ""));
    };
    if batch.weight_came_late {
        // The samples were read as if they weighed 1; read them again.
        samples.clear_entries();
        *counts = Counts::default();
        self::metrics(catalog, body, &mut metrics, batch.weight, samples, counts)?;
    }
    Ok(batch.id)
}

/// What a line has said about itself so far.
struct Batch<'a> {
    seen: [bool; 4],
    id: Option<Text>,
    /// `None`: it is not one.
    weight: Option<u64>,
    weight_came_late: bool,
    /// Where the samples start.
    metrics: Option<Json<'a>>,
    /// The first thing wrong with it that is not a matter of syntax, which goes first.
    fault: Option<DecodeError>,
}

impl Default for Batch<'_> {
    fn default() -> Self {
        Self {
            seen: [false; 4],
            id: None,
            weight: Some(1),
            weight_came_late: false,
            metrics: None,
            fault: None,
        }
    }
}

#[derive(Clone, Copy)]
enum Member {
    Lm,
    Id,
    W,
    M,
}

impl Member {
    const ALL: [(&'static [u8], Self); 4] =
        [(b"lm", Self::Lm), (b"id", Self::Id), (b"m", Self::M), (b"w", Self::W)];
}

fn member<'a>(
    catalog: &Catalog,
    body: &[u8],
    json: &mut Json<'a>,
    batch: &mut Batch<'a>,
    samples: &mut Samples,
    counts: &mut Counts,
    note_id: &mut impl FnMut(&[u8]),
) -> Result<()> {
    json.peek();
    let key_at = json.offset();
    // As clients write them.
    let plain = Member::ALL.into_iter().find(|(name, _)| json.eat_key(name).is_some());
    let member = match plain {
        Some((_, member)) => member,
        None => {
            let key = json.key()?;
            let text = samples.text(body, key);
            let name = samples.bytes(body, text);
            match Member::ALL.into_iter().find(|(known, _)| *known == name) {
                Some((_, member)) => member,
                None => return json.skip(),
            }
        }
    };
    if std::mem::replace(&mut batch.seen[member as usize], true) {
        batch.fault.get_or_insert(DecodeError::new(DecodeReason::DuplicateKey, key_at, ""));
        return json.skip();
    }
    let first = json.peek();
    let at = json.offset();
    match member {
        Member::Lm => {
            if number(json)?.is_none_or(|v| v != 1.0) {
                batch.fault.get_or_insert(DecodeError::new(
                    DecodeReason::UnsupportedVersion,
                    at,
                    "",
                ));
            }
        }
        Member::Id => {
            if first == b'"' {
                let id = json.string()?;
                let id = samples.text(body, id);
                batch.id = Some(id).filter(|id| is_id(samples.bytes(body, *id)));
                if batch.id.is_some() {
                    note_id(samples.bytes(body, id));
                }
            } else {
                json.skip()?;
            }
            if batch.id.is_none() {
                batch.fault.get_or_insert(DecodeError::new(DecodeReason::BadId, at, ""));
            }
        }
        Member::W => {
            batch.weight = number(json)?
                .filter(|w| (1.0..=WEIGHT_MAX).contains(w) && w.fract() == 0.0)
                .map(|w| w as u64);
            batch.weight_came_late = batch.metrics.is_some();
        }
        Member::M => {
            if first != b'{' {
                batch.fault.get_or_insert(DecodeError::new(DecodeReason::MissingM, at, ""));
                return json.skip();
            }
            batch.metrics = Some(json.clone());
            metrics(catalog, body, json, batch.weight, samples, counts)?;
        }
    }
    Ok(())
}

/// Whether an id has the length and the characters of one.
fn is_id(id: &[u8]) -> bool {
    ID_LEN.contains(&id.len())
        && id.iter().fold(true, |is_id, byte| is_id & IS_OF_ID[usize::from(*byte)])
}

/// The characters of an id. Looked up, as digits among letters come by lot: a branch on each would be guessed wrong as
/// often as not.
const IS_OF_ID: [bool; 256] = {
    let mut is_of_id = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let is_alphanumeric = (byte as u8).is_ascii_alphanumeric();
        is_of_id[byte] = is_alphanumeric || matches!(byte as u8, b'_' | b'-');
        byte += 1;
    }
    is_of_id
};

/// One value: its number, if it is one.
#[inline]
fn number(json: &mut Json<'_>) -> Result<Option<f64>> {
    if matches!(json.peek(), b'-' | b'0'..=b'9') {
        return json.number().map(Some);
    }
    json.skip()?;
    Ok(None)
}

/// What a sample's value was.
#[derive(Clone, Copy)]
enum Shape {
    One,
    List(usize),
}

/// One key and what its value was.
struct Entry {
    key: RawStr,
    shape: Shape,
    /// Where its numbers start.
    numbers_at: usize,
    /// Whether the batch has a weight that is one.
    weight_ok: bool,
}

/// Reads the object of samples. Without a weight every sample is refused.
fn metrics(
    catalog: &Catalog,
    body: &[u8],
    json: &mut Json<'_>,
    weight: Option<u64>,
    samples: &mut Samples,
    counts: &mut Counts,
) -> Result<()> {
    json.open(b'{', "")?;
    if json.is_empty(b'}') {
        return Ok(());
    }
    loop {
        let (key, recall) = samples.read_key(catalog, json, body)?;
        let numbers_at = samples.numbers.len();
        let shape = value(json, weight.unwrap_or(1), samples)?;
        let entry = Entry { key, shape, numbers_at, weight_ok: weight.is_some() };
        if !samples.push_known(catalog, recall, &entry) {
            let n_entries = samples.entries.len();
            resolve(catalog, body, &entry, samples, counts);
            samples.sight(catalog, recall, n_entries, key);
        }
        if !json.another(b'}')? {
            return Ok(());
        }
    }
}

/// Reads the value of one key into the samples' numbers.
#[inline]
fn value(json: &mut Json<'_>, weight: u64, samples: &mut Samples) -> Result<Shape> {
    if json.peek() != b'[' {
        samples.numbers.push(weighted(json, weight)?);
        return Ok(Shape::One);
    }
    json.open(b'[', "")?;
    if json.is_empty(b']') {
        return Ok(Shape::List(0));
    }
    let before = samples.numbers.len();
    loop {
        let is_pair = json.peek() == b'[';
        let number = if is_pair { pair(json, weight)? } else { weighted(json, weight)? };
        samples.numbers.push(number);
        if !json.another(b']')? {
            return Ok(Shape::List(samples.numbers.len() - before));
        }
    }
}

/// A value that is no pair.
#[inline]
fn weighted(json: &mut Json<'_>, weight: u64) -> Result<Number> {
    Ok(number(json)?.map_or(Number::NOT_A_NUMBER, |value| Number { value, n: weight }))
}

/// A `[value, count]` pair.
#[inline]
fn pair(json: &mut Json<'_>, weight: u64) -> Result<Number> {
    json.open(b'[', "")?;
    let (mut parts, mut n_parts) = ([None; 2], 0);
    if !json.is_empty(b']') {
        loop {
            let part = number(json)?;
            if let Some(place) = parts.get_mut(n_parts) {
                *place = part;
            }
            n_parts += 1;
            if !json.another(b']')? {
                break;
            }
        }
    }
    let (Some(value), 2) = (parts[0], n_parts) else {
        return Ok(Number::NOT_A_NUMBER);
    };
    Ok(match parts[1] {
        Some(n) if (1.0..=PAIR_COUNT_MAX).contains(&n) && n.fract() == 0.0 => {
            Number { value, n: n as u64 * weight }
        }
        _ => Number::BAD_COUNT,
    })
}

/// Finds the family and labels that a key names, or counts why its samples are refused.
#[inline]
fn resolve(
    catalog: &Catalog,
    body: &[u8],
    entry: &Entry,
    samples: &mut Samples,
    counts: &mut Counts,
) {
    let values_at = samples.values.len();
    let Entry { key, shape, numbers_at, weight_ok } = *entry;
    if weight_ok && !key.has_escapes() && !matches!(shape, Shape::List(0)) {
        let name_end = key::name_end(body, key);
        if let Some(target) = catalog.target(&body[key.start..name_end]) {
            if fits(target.family.kind(), shape)
                && key::values_in_order(target.family, body, name_end, key.end, samples)
            {
                samples.fill_served(&target, values_at);
                return samples.finish_entry(&target, body, values_at, numbers_at, counts);
            }
            samples.values.truncate(values_at);
        }
    }
    resolve_any(catalog, body, entry, samples, counts);
}

/// The same for a key whose labels come in any order, with any escapes, and for one that is refused.
#[cold]
fn resolve_any(
    catalog: &Catalog,
    body: &[u8],
    entry: &Entry,
    samples: &mut Samples,
    counts: &mut Counts,
) {
    let values_at = samples.values.len();
    let Entry { key, shape, numbers_at, weight_ok } = *entry;
    let name = key::split(body, key, samples);
    let target = name.as_ref().ok().and_then(|name| catalog.target(samples.bytes(body, *name)));
    let resolved = match (name, target) {
        (Err(why), _) => Err(why),
        _ if samples.has_label_twice(body) => Err(Refusal::Malformed),
        (Ok(_), None) => Err(Refusal::UnknownFamily),
        (Ok(_), Some(target))
            if !fits(target.family.kind(), shape) && !is_nothing(samples, numbers_at, shape) =>
        {
            Err(Refusal::TypeMismatch)
        }
        (Ok(_), Some(target)) if samples.resolve_labels_in_order(&target, body) => Ok(target),
        (Ok(_), Some(target)) => {
            samples.resolve_labels_in_any_order(&target, body).map(|()| target)
        }
    };
    // There is nothing to count in an empty list, but a client that names a value wrongly is told.
    let resolved = resolved.and_then(|target| match shape {
        Shape::List(0) => samples.check_values(target.family, body, values_at).map(|()| target),
        _ => Ok(target),
    });
    match resolved {
        Ok(target) if weight_ok => {
            samples.finish_entry(&target, body, values_at, numbers_at, counts);
        }
        _ => {
            let n = match shape {
                Shape::One => 1,
                Shape::List(n) if resolved.is_ok() => n,
                Shape::List(n) => n.max(1),
            };
            let why = if weight_ok { resolved.err() } else { None };
            let why = why.unwrap_or(Refusal::BadWeight);
            let family = target.map(|target| target.family);
            samples.note_entry(body, name.ok(), family, values_at, why, n as u64);
            counts.refuse(why, n as u64);
            samples.numbers.truncate(numbers_at);
            samples.values.truncate(values_at);
        }
    }
}

/// Whether a family of this type takes values of this shape.
fn fits(kind: Kind, shape: Shape) -> bool {
    match kind {
        Kind::Histogram | Kind::Summary => matches!(shape, Shape::List(_)),
        Kind::Counter | Kind::Gauge => matches!(shape, Shape::One),
    }
}

/// Whether the one value read is neither a number nor a list, which is told apart from a number where a
/// list is due.
fn is_nothing(samples: &Samples, numbers_at: usize, shape: Shape) -> bool {
    matches!(shape, Shape::One) && samples.numbers[numbers_at].value.is_nan()
}
