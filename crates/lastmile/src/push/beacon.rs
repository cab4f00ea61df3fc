//! Beacons of other clients, on a path that the schema maps: one JSON object, an array of them, or a form.

use super::error::{DecodeError, DecodeReason};
use super::json::Json;
use super::mapped;
use super::report::{Counts, Refusal};
use super::samples::Samples;
use crate::store::Catalog;

/// Decodes a body that came to `path` into `samples`, and counts what is refused on the way.
pub(super) fn decode(
    catalog: &Catalog,
    body: &[u8],
    path: &str,
    samples: &mut Samples,
    counts: &mut Counts,
) -> Result<(), DecodeError> {
    let Some(rules) = catalog.mappings().at(path) else {
        return Err(DecodeError::new(DecodeReason::UnknownPath, 0, ""));
    };
    super::check_utf8(body, 0)?;
    let mut json = Json::new(body, 0);
    match json.peek() {
        // End of input is read so.
        0 if json.offset() == body.len() => {
            return Err(DecodeError::new(DecodeReason::Empty, 0, ""));
        }
        b'{' => {
            mapped::begin(rules, samples);
            mapped::object(body, &mut json, rules.names(), &[], samples)?;
            mapped::apply(catalog, body, rules, json.offset(), samples, counts)?;
        }
        b'[' => {
            json.open(b'[', "")?;
            let mut is_more = !json.is_empty(b']');
            while is_more {
                if json.peek() == b'{' {
                    mapped::begin(rules, samples);
                    mapped::object(body, &mut json, rules.names(), &[], samples)?;
                    mapped::apply(catalog, body, rules, json.offset(), samples, counts)?;
                } else {
                    json.skip()?;
                    mapped::refuse(body, Refusal::Malformed, samples, counts);
                }
                is_more = json.another(b']')?;
            }
        }
        _ => {
            mapped::begin(rules, samples);
            mapped::pairs(body, rules.names(), samples);
            return mapped::apply(catalog, body, rules, body.len(), samples, counts);
        }
    }
    json.end()
}
