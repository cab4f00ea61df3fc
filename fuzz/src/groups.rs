//! Prometheus' protobuf, and totals of groups in either encoding.

use std::collections::BTreeMap;

use lastmile::{Aggregator, Format};
use prost::Message;

use crate::messages::MetricFamily;
use crate::oracle::{source, start};
use crate::pushing::users_of;
use crate::schemas::everything;

fn aggregator() -> Aggregator {
    let agg = Aggregator::new(everything().core(), everything().limits(), start());
    agg.expect("there is room for what is reserved")
}

/// A body of `POST /metrics` as protobuf.
///
/// # Panics
/// If it is not counted metric by metric as `prost` reads it, what is not accepted changes something, or written anew
/// it does something else.
pub fn prom_protobuf(body: &[u8]) {
    let first = aggregator();
    let before = users_of(&first);
    let report = first.push(Format::PromProtobuf, body, &source(), start());
    if report.as_ref().map_or(0, |report| report.accepted()) == 0 {
        assert_eq!(users_of(&first), before, "what is not accepted changes nothing");
    }
    if let Some(families) = read(body) {
        let report = report.as_ref().expect("what `prost` decodes decodes");
        let n: usize = families.iter().map(|family| family.metric.len()).sum();
        assert_eq!(report.accepted() + report.n_refused(), n as u64, "a metric is a sample");
        let again: Vec<u8> =
            families.iter().flat_map(MetricFamily::encode_length_delimited_to_vec).collect();
        let second = aggregator();
        let other = second.push(Format::PromProtobuf, &again, &source(), start());
        assert_eq!(other.as_ref(), Ok(report));
        assert_eq!(users_of(&second), users_of(&first));
    }
    unchanged(Format::PromProtobuf, body);
}

/// What is exposed of a body of text, as protobuf.
#[cfg(test)]
pub(crate) fn exposed(text: &[u8]) -> Vec<u8> {
    let agg = aggregator();
    let _ = agg.push(Format::PromText, text, &source(), start());
    let scraped = crate::messages::scraped(&agg, crate::messages::options(), start());
    let families = crate::messages::messages(&scraped).into_iter().filter(|family| {
        let name = family.name.as_deref().unwrap_or_default();
        !crate::oracle::is_own(name) && name != "region_total"
    });
    // Series that were there before are not what the text says.
    let metrics = families.map(|mut family| {
        family.metric.retain(|metric| metric.value() > 0.0);
        family
    });
    metrics
        .filter(|family| !family.metric.is_empty())
        .flat_map(|family| family.encode_length_delimited_to_vec())
        .collect()
}

#[cfg(test)]
impl crate::messages::Metric {
    /// What it counted.
    fn value(&self) -> f64 {
        let of = |gauge: &Option<crate::messages::Gauge>| gauge.as_ref().and_then(|g| g.value);
        let counter = self.counter.as_ref().and_then(|c| c.value);
        let histogram = self.histogram.as_ref().and_then(|h| h.sample_count).map(|n| n as f64);
        of(&self.gauge).or(of(&self.untyped)).or(counter).or(histogram).unwrap_or(0.0)
    }
}

/// The messages of a body, of which the derived ones leave out what the crate takes for a fault: fields of floats, and of
/// what is below 0.
fn read(mut body: &[u8]) -> Option<Vec<MetricFamily>> {
    let mut families = Vec::new();
    let all = body;
    while !body.is_empty() {
        families.push(MetricFamily::decode_length_delimited(&mut body).ok()?);
    }
    let written: Vec<u8> =
        families.iter().flat_map(MetricFamily::encode_length_delimited_to_vec).collect();
    (written.len() == all.len()).then_some(families)
}

/// Totals that are pushed to a group again and again, and do not change, add nothing after the first time.
///
/// # Panics
/// If they do.
pub(crate) fn unchanged(format: Format, body: &[u8]) {
    let agg = aggregator();
    let source = source().grouping_key(&[("job", "nightly"), ("page", "/")]);
    let families = everything().families.into_iter();
    let levels: Vec<String> = families
        .filter(|family| family.kind.as_str() == "gauge")
        .map(|family| family.name)
        .collect();
    let mut counted = None;
    for secs in [10, 20, 30] {
        let now = start().after(std::time::Duration::from_secs(secs));
        if agg.push(format, body, &source, now).is_err() {
            return;
        }
        // Which series it counts in is the schema's: a value gets its own with its third batch. A level is combined.
        let mut sums: BTreeMap<String, f64> = BTreeMap::new();
        for ((name, _), text) in users_of(&agg) {
            let value: f64 = text.parse().expect("a sample has a number");
            if !levels.contains(&name) && value != 0.0 {
                *sums.entry(name).or_default() += value;
            }
        }
        let before = counted.replace(sums.clone());
        assert!(before.is_none_or(|before| before == sums), "totals that stay add nothing");
    }
}
