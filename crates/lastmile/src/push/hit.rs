//! A hit: the query of an image that a page, a `<noscript>` or a mail shows, `m=app_opens_total;app=mail`.
//!
//! What `m` names is a series as `lm1` writes it, and a hit adds 1 to it. Anyone can have anyone's browser ask for an
//! image, so it is for counters of closed labels alone: no hit makes a series.

use super::error::{DecodeError, DecodeReason};
use super::number::Number;
use super::report::{Counts, Refusal};
use super::samples::Samples;
use super::{form, lm1};
use crate::schema::{Kind, Label};
use crate::store::{Catalog, FamilyState};

/// Decodes a query into `samples`, and counts what is refused on the way.
pub(super) fn decode(
    catalog: &Catalog,
    query: &[u8],
    samples: &mut Samples,
    counts: &mut Counts,
) -> Result<(), DecodeError> {
    super::check_utf8(query, 0)?;
    let mut decoded = std::mem::take(&mut samples.scratch);
    let mut n = 0;
    for (name, value) in form::pairs(query) {
        decoded.clear();
        form::decode_into(name, &mut decoded);
        if decoded == b"m" {
            n += 1;
            decoded.clear();
            form::decode_into(value, &mut decoded);
            series(catalog, query, &decoded, samples, counts);
        }
    }
    samples.scratch = decoded;
    if n == 0 {
        return Err(DecodeError::new(DecodeReason::Empty, query.len(), "expected `m`, a series"));
    }
    Ok(())
}

/// Adds 1 to the series that `key` names, or counts why not.
fn series(catalog: &Catalog, query: &[u8], key: &[u8], samples: &mut Samples, counts: &mut Counts) {
    let values_at = samples.values.len();
    let name = lm1::split_key(key, samples);
    let target = name.as_ref().ok().and_then(|name| catalog.target(samples.bytes(query, *name)));
    let resolved = match (name, target) {
        (Err(why), _) => Err(why),
        _ if samples.has_label_twice(query) => Err(Refusal::Malformed),
        (Ok(_), None) => Err(Refusal::UnknownFamily),
        (Ok(_), Some(target)) if !takes_hits(target.family) => Err(Refusal::TypeMismatch),
        (Ok(_), Some(target)) if samples.resolve_labels_in_order(&target, query) => Ok(target),
        (Ok(_), Some(target)) => {
            samples.resolve_labels_in_any_order(&target, query).map(|()| target)
        }
    };
    match resolved {
        Ok(target) => {
            let numbers_at = samples.numbers.len();
            samples.numbers.push(Number { value: 1.0, n: 1 });
            samples.finish_entry(&target, query, values_at, numbers_at, counts);
        }
        Err(why) => {
            let family = target.map(|target| target.family);
            samples.note_entry(query, name.ok(), family, values_at, why, 1);
            counts.refuse(why, 1);
            samples.values.truncate(values_at);
        }
    }
}

fn takes_hits(family: &FamilyState) -> bool {
    family.kind() == Kind::Counter && family.labels().iter().all(Label::is_closed)
}
