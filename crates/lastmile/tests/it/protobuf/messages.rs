//! The messages as `prost` derives them from their schema, and what Prometheus makes of them.
//!
//! Source: client_model, io/prometheus/client/metrics.proto.

use std::collections::BTreeMap;

use lastmile::{Aggregator, Escaping, ExpositionFormat, ScrapeOptions, Timestamp};
use prost::Message;

use crate::expo::{self, Exposition};

#[derive(Clone, PartialEq, Message)]
pub(crate) struct LabelPair {
    #[prost(string, optional, tag = "1")]
    pub(crate) name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) value: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Time {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Gauge {
    #[prost(double, optional, tag = "1")]
    pub(crate) value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Counter {
    #[prost(double, optional, tag = "1")]
    pub(crate) value: Option<f64>,
    #[prost(message, optional, tag = "2")]
    pub(crate) exemplar: Option<Exemplar>,
    #[prost(message, optional, tag = "3")]
    pub(crate) created: Option<Time>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    pub(crate) label: Vec<LabelPair>,
    #[prost(double, optional, tag = "2")]
    pub(crate) value: Option<f64>,
    #[prost(message, optional, tag = "3")]
    pub(crate) timestamp: Option<Time>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Quantile {
    #[prost(double, optional, tag = "1")]
    pub(crate) quantile: Option<f64>,
    #[prost(double, optional, tag = "2")]
    pub(crate) value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Summary {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    pub(crate) sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) quantile: Vec<Quantile>,
    #[prost(message, optional, tag = "4")]
    pub(crate) created: Option<Time>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Bucket {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) cumulative_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    pub(crate) upper_bound: Option<f64>,
    #[prost(message, optional, tag = "3")]
    pub(crate) exemplar: Option<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Span {
    #[prost(sint32, optional, tag = "1")]
    pub(crate) offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    pub(crate) length: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Histogram {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    pub(crate) sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) bucket: Vec<Bucket>,
    #[prost(sint32, optional, tag = "5")]
    pub(crate) schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    pub(crate) zero_threshold: Option<f64>,
    #[prost(uint64, optional, tag = "7")]
    pub(crate) zero_count: Option<u64>,
    #[prost(message, repeated, tag = "12")]
    pub(crate) positive_span: Vec<Span>,
    #[prost(sint64, repeated, packed = "false", tag = "13")]
    pub(crate) positive_delta: Vec<i64>,
    #[prost(message, optional, tag = "15")]
    pub(crate) created: Option<Time>,
    #[prost(message, repeated, tag = "16")]
    pub(crate) exemplars: Vec<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Metric {
    #[prost(message, repeated, tag = "1")]
    pub(crate) label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    pub(crate) gauge: Option<Gauge>,
    #[prost(message, optional, tag = "3")]
    pub(crate) counter: Option<Counter>,
    #[prost(message, optional, tag = "4")]
    pub(crate) summary: Option<Summary>,
    /// It is written as a gauge is.
    #[prost(message, optional, tag = "5")]
    pub(crate) untyped: Option<Gauge>,
    #[prost(message, optional, tag = "7")]
    pub(crate) histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MetricFamily {
    #[prost(string, optional, tag = "1")]
    pub(crate) name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) help: Option<String>,
    #[prost(int32, optional, tag = "3")]
    pub(crate) kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) metric: Vec<Metric>,
    #[prost(string, optional, tag = "5")]
    pub(crate) unit: Option<String>,
}

impl Metric {
    /// Its start time in milliseconds.
    pub(crate) fn created_ms(&self) -> Option<i64> {
        let counter = self.counter.as_ref().map(|c| &c.created);
        let summary = self.summary.as_ref().map(|s| &s.created);
        let histogram = self.histogram.as_ref().map(|h| &h.created);
        let created = counter.or(summary).or(histogram)?.as_ref()?;
        assert!((0..1_000_000_000).contains(&created.nanos));
        Some(created.seconds * 1000 + i64::from(created.nanos) / 1_000_000)
    }
}

impl Histogram {
    /// The count of each native bucket that is not empty, as spans and deltas say.
    pub(crate) fn native(&self) -> BTreeMap<i32, u64> {
        let mut deltas = self.positive_delta.iter();
        let (mut idx, mut count, mut buckets) = (0, 0, BTreeMap::new());
        for span in &self.positive_span {
            idx += span.offset.expect("set");
            for _ in 0..span.length.expect("set") {
                count += deltas.next().expect("a delta for each bucket of a span");
                if count > 0 {
                    buckets.insert(idx, count as u64);
                }
                idx += 1;
            }
        }
        assert_eq!(deltas.next(), None, "deltas of no span");
        buckets
    }
}

/// The chunks of a scrape with these options, none of them too large.
pub(crate) fn scraped(agg: &Aggregator, options: ScrapeOptions, now: Timestamp) -> Vec<u8> {
    let mut scrape = agg.scrape(options, now);
    let (mut bytes, mut chunk) = (Vec::new(), Vec::new());
    while scrape.next_chunk(&mut chunk) {
        assert!(chunk.len() <= 64 << 10);
        bytes.extend_from_slice(&chunk);
    }
    scrape.complete(now);
    bytes
}

pub(crate) fn options() -> ScrapeOptions {
    ScrapeOptions::new(ExpositionFormat::Protobuf(Escaping::default()))
}

/// The messages of an exposition. Each is as a generated encoder would write it, but for the order of fields.
pub(crate) fn messages(mut bytes: &[u8]) -> Vec<MetricFamily> {
    let mut families = Vec::new();
    while !bytes.is_empty() {
        let before = bytes.len();
        let family = MetricFamily::decode_length_delimited(&mut bytes).unwrap();
        assert_eq!(family.encode_length_delimited_to_vec().len(), before - bytes.len());
        assert!(!family.metric.is_empty(), "a message of nothing");
        families.push(family);
    }
    families
}

/// The samples that classic Prometheus stores: name, sorted labels, value.
pub(crate) type Samples = BTreeMap<(String, Vec<(String, String)>), f64>;

/// A label whose value is a number, however it is spelled.
fn number(v: f64) -> String {
    format!("{v:?}")
}

pub(crate) fn samples(families: &[MetricFamily]) -> Samples {
    let mut samples = Samples::new();
    for family in families {
        let name = family.name.as_deref().expect("a name");
        for metric in &family.metric {
            let mut put = |suffix: &str, extra: Option<(&str, f64)>, value: f64| {
                let pair = |l: &LabelPair| (l.name.clone().unwrap(), l.value.clone().unwrap());
                let mut labels: Vec<_> = metric.label.iter().map(pair).collect();
                labels.extend(extra.map(|(name, v)| (name.to_owned(), number(v))));
                labels.sort();
                let before = samples.insert((format!("{name}{suffix}"), labels), value);
                assert_eq!(before, None, "a series of {name} came twice");
            };
            if let Some(gauge) = &metric.gauge {
                put("", None, gauge.value.unwrap());
            }
            if let Some(counter) = &metric.counter {
                put("", None, counter.value.unwrap());
            }
            if let Some(untyped) = &metric.untyped {
                put("", None, untyped.value.unwrap());
            }
            if let Some(summary) = &metric.summary {
                put("_count", None, summary.sample_count.unwrap() as f64);
                put("_sum", None, summary.sample_sum.unwrap());
                for q in &summary.quantile {
                    put("", Some(("quantile", q.quantile.unwrap())), q.value.unwrap());
                }
            }
            if let Some(histogram) = &metric.histogram {
                let count = histogram.sample_count.unwrap() as f64;
                put("_count", None, count);
                put("_sum", None, histogram.sample_sum.unwrap());
                for b in &histogram.bucket {
                    let le = b.upper_bound.unwrap();
                    put("_bucket", Some(("le", le)), b.cumulative_count.unwrap() as f64);
                }
                if histogram.bucket.is_empty() {
                    put("_bucket", Some(("le", f64::INFINITY)), count);
                }
            }
        }
    }
    samples
}

/// The same of a text.
pub(crate) fn text_samples(exposition: &Exposition) -> Samples {
    let of = |sample: &expo::Sample| {
        let mut labels: Vec<(String, String)> = Vec::new();
        for (name, value) in &sample.labels {
            let is_number = name == "le" || name == "quantile";
            let value = if is_number { number(value.parse().unwrap()) } else { value.clone() };
            labels.push((name.clone(), value));
        }
        labels.sort();
        ((sample.name.clone(), labels), sample.value())
    };
    exposition.samples().map(of).collect()
}
