//! What `@grafana/faro-web-sdk` sends: one object with `meta`, which is about the page, and lists of measurements,
//! exceptions, events and logs. Each item is a record for the rules that the schema has for its list.
//!
//! A payload is read whole before any item is: lists may come before `meta`, and of a member that comes twice the last
//! counts. Traces and whatever else stands in it are passed over.

use super::error::{DecodeError, DecodeReason};
use super::json::Json;
use super::mapped::{self, Leaf};
use super::report::{Counts, Refusal};
use super::samples::Samples;
use crate::schema::{FaroItem, Rules};
use crate::store::Catalog;

type Result<T> = std::result::Result<T, DecodeError>;

/// What fields of the page's meta data are named by.
const META: &[u8] = b"meta.";

/// Decodes a body into `samples`, and counts what is refused on the way.
pub(super) fn decode(
    catalog: &Catalog,
    body: &[u8],
    samples: &mut Samples,
    counts: &mut Counts,
) -> Result<()> {
    super::check_utf8(body, 0)?;
    let mut json = Json::new(body, 0);
    if json.peek() != b'{' {
        return Err(json.other_kind(DecodeReason::ExpectedObject));
    }
    let (meta, lists) = members(body, &mut json, samples)?;
    json.end()?;
    for (item, list) in FaroItem::ALL.into_iter().zip(lists) {
        if let Some(list) = list {
            items(catalog, body, catalog.mappings().faro(item), &meta, list, samples, counts)?;
        }
    }
    Ok(())
}

/// Where the values of the members that count start.
type Members<'a> = (Option<Json<'a>>, [Option<Json<'a>>; FaroItem::ALL.len()]);

/// Passes over the payload, and so checks all of it.
fn members<'a>(body: &[u8], json: &mut Json<'a>, samples: &mut Samples) -> Result<Members<'a>> {
    let (mut meta, mut lists) = (None, [const { None }; FaroItem::ALL.len()]);
    json.open(b'{', "")?;
    if json.is_empty(b'}') {
        return Ok((meta, lists));
    }
    loop {
        let key = json.key()?;
        let key = samples.text(body, key);
        let key = samples.bytes(body, key);
        let list = FaroItem::ALL.into_iter().position(|item| item.list().as_bytes() == key);
        let is_meta = key == b"meta";
        let first = json.peek();
        let value = json.clone();
        json.skip()?;
        match list {
            // A list that is not there is written so, too.
            Some(list) => lists[list] = (first != b'n').then_some(value),
            None if is_meta => meta = (first == b'{').then_some(value),
            None => {}
        }
        if !json.another(b'}')? {
            return Ok((meta, lists));
        }
    }
}

/// Reads a list whose text was checked.
fn items(
    catalog: &Catalog,
    body: &[u8],
    rules: &Rules,
    meta: &Option<Json<'_>>,
    mut json: Json<'_>,
    samples: &mut Samples,
    counts: &mut Counts,
) -> Result<()> {
    if json.peek() != b'[' {
        mapped::refuse(body, Refusal::Malformed, samples, counts);
        return Ok(());
    }
    let names = rules.names();
    // Fields of the page are the same for each item, and no item's own.
    let first = names.partition_point(|name| **name < *META);
    let n_meta = names[first..].partition_point(|name| name.starts_with(META));
    let of_page = first..first + n_meta;
    mapped::begin(rules, samples);
    if let Some(meta) = meta
        && n_meta > 0
    {
        mapped::object(body, &mut meta.clone(), names, META, samples)?;
    }
    let mut page = std::mem::take(&mut samples.page);
    page.clear();
    page.extend_from_slice(&samples.leaves[of_page.clone()]);

    json.open(b'[', "")?;
    let mut is_more = !json.is_empty(b']');
    while is_more {
        if json.peek() == b'{' {
            samples.leaves.fill(Leaf::Absent);
            mapped::object(body, &mut json, names, &[], samples)?;
            samples.leaves[of_page.clone()].copy_from_slice(&page);
            mapped::apply(catalog, body, rules, json.offset(), samples, counts)?;
        } else {
            json.skip()?;
            mapped::refuse(body, Refusal::Malformed, samples, counts);
        }
        is_more = json.another(b']')?;
    }
    samples.page = page;
    Ok(())
}
