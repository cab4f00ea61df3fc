//! `prometheus-user-metrics`' array: `[{"metricName":…,"metricType":…,"labels":{…},"inc":1}, …]`.
//!
//! Its client sums counters and lists observations. All of a body is decoded before anything of it is
//! applied; an entry that the schema does not allow is refused alone.

use std::collections::HashMap;

use super::error::{DecodeError, DecodeReason};
use super::json::{Json, RawStr};
use super::number::Number;
use super::report::{Counts, Refusal};
use super::samples::Samples;
use crate::schema::Kind;
use crate::store::{Catalog, Text};

type Result<T> = std::result::Result<T, DecodeError>;

/// Decodes a body into `samples`, and counts what is refused on the way.
pub(super) fn decode(
    catalog: &Catalog,
    body: &[u8],
    samples: &mut Samples,
    counts: &mut Counts,
) -> Result<()> {
    super::check_utf8(body, 0)?;
    let mut json = Json::new(body, 0);
    if json.peek() != b'[' {
        return Err(json.other_kind(DecodeReason::ExpectedArray));
    }
    json.open(b'[', "")?;
    if !json.is_empty(b']') {
        loop {
            entry(catalog, body, &mut json, samples, counts)?;
            if !json.another(b']')? {
                break;
            }
        }
    }
    json.end()
}

/// A member that must be a string.
#[derive(Clone, Copy)]
enum Name {
    Absent,
    NotText,
    Is(Text),
}

/// The member `metricType`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Absent,
    Is(Kind),
    /// It is not text, or no type that a schema has.
    Unknown,
}

impl Type {
    fn named(name: &[u8]) -> Self {
        let kinds = [Kind::Counter, Kind::Gauge, Kind::Histogram, Kind::Summary];
        let found = kinds.into_iter().find(|kind| kind.as_str().as_bytes() == name);
        found.map_or(Self::Unknown, Self::Is)
    }
}

/// What an entry held, in whatever order.
struct Fields {
    name: Name,
    kind: Type,
    labels_ok: bool,
    inc: Number,
    /// Elements of `observations`, which stand at the end of the samples' numbers.
    n_observations: Option<usize>,
}

fn entry(
    catalog: &Catalog,
    body: &[u8],
    json: &mut Json<'_>,
    samples: &mut Samples,
    counts: &mut Counts,
) -> Result<()> {
    if json.peek() != b'{' {
        samples.labels.clear();
        samples.note_entry(body, None, None, samples.values.len(), Refusal::Malformed, 1);
        counts.refuse(Refusal::Malformed, 1);
        return json.skip();
    }
    let numbers_at = samples.numbers.len();
    samples.labels.clear();
    let fields = match canonical(json, samples) {
        Some(fields) => fields,
        None => {
            samples.labels.clear();
            samples.numbers.truncate(numbers_at);
            fields(body, json, samples)?
        }
    };
    resolve(catalog, body, &fields, numbers_at, samples, counts);
    Ok(())
}

/// Reads an entry that is to the byte what the seed's client writes, or nothing of it.
///
/// Comparing the skeleton costs a few words where reading it key by key costs most of the parsing.
#[inline]
fn canonical(json: &mut Json<'_>, samples: &mut Samples) -> Option<Fields> {
    let mut ahead = json.clone();
    if !ahead.eat(br#"{"metricName":""#) {
        return None;
    }
    let name = ahead.plain()?;
    if !ahead.eat(br#","metricType":""#) {
        return None;
    }
    let kind = if ahead.eat(br#"histogram","labels":{"#) {
        Kind::Histogram
    } else if ahead.eat(br#"counter","labels":{"#) {
        Kind::Counter
    } else {
        return None;
    };
    if !ahead.eat(b"}") {
        loop {
            if !ahead.eat(b"\"") {
                return None;
            }
            let label = ahead.plain()?;
            if !ahead.eat(b":\"") {
                return None;
            }
            let value = ahead.plain()?;
            let texts =
                (Text::in_body(label.start, label.end), Text::in_body(value.start, value.end));
            samples.labels.push(texts);
            if ahead.eat(b"}") {
                break;
            }
            if !ahead.eat(b",") {
                return None;
            }
        }
    }
    let mut inc = Number::NOT_A_NUMBER;
    let mut n_observations = None;
    if kind == Kind::Histogram && ahead.eat(br#","observations":["#) {
        let before = samples.numbers.len();
        if !ahead.eat(b"]") {
            loop {
                samples.numbers.push(Number { value: ahead.number().ok()?, n: 1 });
                if ahead.eat(b"]") {
                    break;
                }
                if !ahead.eat(b",") {
                    return None;
                }
            }
        }
        n_observations = Some(samples.numbers.len() - before);
    } else if kind == Kind::Counter && ahead.eat(br#","inc":"#) {
        inc = Number { value: ahead.number().ok()?, n: 1 };
    } else {
        return None;
    }
    if !ahead.eat(b"}") {
        return None;
    }
    *json = ahead;
    let name = Name::Is(Text::in_body(name.start, name.end));
    Some(Fields { name, kind: Type::Is(kind), labels_ok: true, inc, n_observations })
}

fn fields(body: &[u8], json: &mut Json<'_>, samples: &mut Samples) -> Result<Fields> {
    let numbers_at = samples.numbers.len();
    let mut fields = Fields {
        name: Name::Absent,
        kind: Type::Absent,
        labels_ok: true,
        inc: Number::NOT_A_NUMBER,
        n_observations: None,
    };
    json.open(b'{', "")?;
    if json.is_empty(b'}') {
        return Ok(fields);
    }
    loop {
        let key = json.key()?;
        let field = Field::of(body, key, samples);
        match field {
            Field::MetricName => fields.name = name(body, json, samples)?,
            Field::MetricType => {
                fields.kind = match name(body, json, samples)? {
                    Name::Is(kind) => Type::named(samples.bytes(body, kind)),
                    _ => Type::Unknown,
                }
            }
            Field::Labels => fields.labels_ok = labels(body, json, samples)?,
            Field::Inc => fields.inc = number(json)?,
            Field::Observations => {
                samples.numbers.truncate(numbers_at);
                fields.n_observations = observations(json, samples)?;
            }
            Field::Unknown => json.skip()?,
        }
        if !json.another(b'}')? {
            return Ok(fields);
        }
    }
}

enum Field {
    MetricName,
    MetricType,
    Labels,
    Inc,
    Observations,
    Unknown,
}

impl Field {
    #[inline]
    fn of(body: &[u8], key: RawStr, samples: &mut Samples) -> Self {
        if key.has_escapes() {
            let start = samples.arena.len();
            samples.text(body, key);
            let field = Self::named(&samples.arena[start..]);
            samples.arena.truncate(start);
            return field;
        }
        Self::named(&body[key.start..key.end])
    }

    #[inline]
    fn named(key: &[u8]) -> Self {
        match key {
            b"metricName" => Self::MetricName,
            b"metricType" => Self::MetricType,
            b"labels" => Self::Labels,
            b"inc" => Self::Inc,
            b"observations" => Self::Observations,
            _ => Self::Unknown,
        }
    }
}

#[inline]
fn name(body: &[u8], json: &mut Json<'_>, samples: &mut Samples) -> Result<Name> {
    if json.peek() != b'"' {
        json.skip()?;
        return Ok(Name::NotText);
    }
    let raw = json.string()?;
    Ok(Name::Is(samples.text(body, raw)))
}

/// One number; anything else becomes one that is refused later.
#[inline]
fn number(json: &mut Json<'_>) -> Result<Number> {
    if matches!(json.peek(), b'-' | b'0'..=b'9') {
        return Ok(Number { value: json.number()?, n: 1 });
    }
    json.skip()?;
    Ok(Number::NOT_A_NUMBER)
}

/// Reads the labels, replacing earlier ones of this entry; `false` if they have not the shape of labels.
#[inline]
fn labels(body: &[u8], json: &mut Json<'_>, samples: &mut Samples) -> Result<bool> {
    samples.labels.clear();
    match json.peek() {
        b'{' => {}
        b'[' => {
            let start = json.offset();
            json.skip()?;
            // The seed's server itself sends `[]` for no labels.
            let inside = &body[start + 1..json.offset() - 1];
            return Ok(inside.iter().all(u8::is_ascii_whitespace));
        }
        _ => {
            json.skip()?;
            return Ok(false);
        }
    }
    json.open(b'{', "")?;
    if json.is_empty(b'}') {
        return Ok(true);
    }
    // Labels whose value is no text, in the rare case.
    let mut bad: Option<Vec<usize>> = None;
    loop {
        let key = json.key()?;
        let key = samples.text(body, key);
        match json.peek() {
            b'"' => {
                let value = json.string()?;
                let value = samples.text(body, value);
                samples.labels.push((key, value));
            }
            // A page's labels may be numbers or booleans, which the seed's server turns into text.
            b't' | b'f' | b'-' | b'0'..=b'9' => {
                let start = json.offset();
                json.skip()?;
                samples.labels.push((key, Text::in_body(start, json.offset())));
            }
            _ => {
                json.skip()?;
                samples.labels.push((key, Text::EMPTY));
                bad.get_or_insert_with(Vec::new).push(samples.labels.len() - 1);
            }
        }
        if !json.another(b'}')? {
            return Ok(!bad.is_some_and(|bad| last_is_bad(body, samples, &bad)));
        }
    }
}

/// Whether any label's value is bad: of a label that came twice, the last one.
#[cold]
fn last_is_bad(body: &[u8], samples: &Samples, bad: &[usize]) -> bool {
    let mut last = HashMap::new();
    for (i, (name, _)) in samples.labels.iter().enumerate() {
        last.insert(samples.bytes(body, *name), bad.binary_search(&i).is_ok());
    }
    last.into_values().any(|is_bad| is_bad)
}

/// Reads a list of observations and gives its length; `None` if it is no list.
#[inline]
fn observations(json: &mut Json<'_>, samples: &mut Samples) -> Result<Option<usize>> {
    if json.peek() != b'[' {
        json.skip()?;
        return Ok(None);
    }
    json.open(b'[', "")?;
    if json.is_empty(b']') {
        return Ok(Some(0));
    }
    let before = samples.numbers.len();
    loop {
        let number = number(json)?;
        samples.numbers.push(number);
        if !json.another(b']')? {
            return Ok(Some(samples.numbers.len() - before));
        }
    }
}

/// Finds the family and labels of an entry, or counts why it is refused.
#[inline]
fn resolve(
    catalog: &Catalog,
    body: &[u8],
    fields: &Fields,
    numbers_at: usize,
    samples: &mut Samples,
    counts: &mut Counts,
) {
    let target = match fields.name {
        Name::Is(name) => catalog.target(samples.bytes(body, name)),
        _ => None,
    };
    let n_samples = match (target.map(|t| t.family.kind()), fields.n_observations) {
        (Some(Kind::Histogram | Kind::Summary), Some(n)) => {
            samples.numbers.truncate(numbers_at + n);
            n
        }
        (Some(Kind::Histogram | Kind::Summary), None) => {
            samples.numbers.push(Number::NOT_A_NUMBER);
            1
        }
        (Some(Kind::Counter | Kind::Gauge), _) => {
            samples.numbers.truncate(numbers_at);
            samples.numbers.push(fields.inc);
            1
        }
        (None, n) => n.unwrap_or(1).max(1),
    };
    let values_at = samples.values.len();
    let resolved = match (fields.name, target) {
        _ if !fields.labels_ok => Err(Refusal::Malformed),
        (Name::Absent | Name::NotText, _) => Err(Refusal::Malformed),
        (Name::Is(_), None) => Err(Refusal::UnknownFamily),
        (Name::Is(_), Some(target)) => match fields.kind {
            Type::Unknown => Err(Refusal::TypeMismatch),
            Type::Is(kind) if kind != target.family.kind() => Err(Refusal::TypeMismatch),
            _ if samples.resolve_labels_in_order(&target, body) => Ok(target),
            _ => samples.resolve_labels_in_any_order(&target, body).map(|()| target),
        },
    };
    match resolved {
        Ok(target) => samples.finish_entry(&target, body, values_at, numbers_at, counts),
        Err(why) => {
            let name = match fields.name {
                Name::Is(name) => Some(name),
                Name::Absent | Name::NotText => None,
            };
            let family = target.map(|target| target.family);
            samples.note_entry(body, name, family, values_at, why, n_samples as u64);
            counts.refuse(why, n_samples as u64);
            samples.numbers.truncate(numbers_at);
            samples.values.truncate(values_at);
        }
    }
}
