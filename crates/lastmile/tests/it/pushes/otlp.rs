//! Requests of OpenTelemetry: any kind of point for any family, mostly the right one, in both encodings.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{damaged, family_of, labels};
use crate::otlp_proto::{
    Any, AnyValue, Buckets, Data, Exponential, ExponentialPoint, Gauge, Histogram, HistogramPoint,
    KeyValue, Metric, Number, NumberPoint, Request, Resource, ResourceMetrics, Scope, ScopeMetrics,
    Sum, Summary, SummaryPoint, write,
};
use crate::twin::{Family, Kind};

const MS: u64 = 1_000_000;

/// Moments around that at which tests begin, and others.
fn start() -> impl Strategy<Value = u64> {
    let began = crate::oracle::start().wall_ms();
    let near = [began - 60_000, began, began + 1, began + 2_000, began + 400_000];
    prop_oneof![8 => select(near.to_vec()).prop_map(|ms| ms * MS), 1 => Just(0), 1 => Just(u64::MAX)]
}

/// So long after the start.
fn later() -> impl Strategy<Value = u64> {
    select(&[0, 1, 1, 2, 3, 5, 60_000][..]).prop_map(|ms| ms * MS)
}

fn attribute(key: String, value: Option<Any>) -> KeyValue {
    KeyValue { key, value: Some(AnyValue { value }) }
}

/// What a label's value may come as.
fn any(value: String) -> Option<Any> {
    match value.parse::<i64>() {
        Ok(n) if n.to_string() == value => Some(Any::Int(n)),
        _ => Some(Any::Text(value)),
    }
}

fn attributes(family: &Family) -> impl Strategy<Value = Vec<KeyValue>> + use<> {
    let odd = prop_oneof![
        Just(None),
        Just(Some(Any::Bool(true))),
        select(&[0.0, 0.5, 1e21, 1e-7, -3.0, f64::NAN][..]).prop_map(|v| Some(Any::Double(v))),
        Just(Some(Any::Array(b"12".to_vec()))),
    ];
    let extra = prop_oneof![
        6 => Just(None),
        1 => (select(&["x.y", "app", "page", "1st"][..]), odd).prop_map(Some),
    ];
    (labels(family), extra).prop_map(|(labels, extra)| {
        let mut all: Vec<KeyValue> =
            labels.into_iter().map(|(name, value)| attribute(name, any(value))).collect();
        all.extend(extra.map(|(key, value)| attribute(key.to_owned(), value)));
        all
    })
}

fn number() -> impl Strategy<Value = Option<Number>> {
    let doubles = [0.0, 0.1, 1.0, 2.0, 2.5, 7.0, 100.0, -1.0, 1e9, f64::NAN, f64::INFINITY];
    prop_oneof![
        4 => select(&[0_i64, 1, 2, 3, 5, 8, 13, 10_001, -1][..]).prop_map(|n| Some(Number::Int(n))),
        4 => select(doubles.to_vec()).prop_map(|v| Some(Number::Double(v))),
        1 => Just(None),
    ]
}

fn number_point(family: &Family) -> impl Strategy<Value = NumberPoint> + use<> {
    let flags = prop_oneof![9 => Just(0), 1 => Just(1)];
    (attributes(family), start(), later(), number(), flags).prop_map(
        |(attributes, start, later, value, flags)| {
            let time = start.saturating_add(later);
            NumberPoint { attributes, start, time, value, flags }
        },
    )
}

/// Values and how often they were observed.
fn observed() -> impl Strategy<Value = Vec<(f64, u64)>> {
    let values = &[0.0, 0.07, 0.1, 0.25, 0.7, 1.0, 2.5, 9.0, 50.0, 1e5][..];
    let n = prop_oneof![8 => 1..9_u64, 1 => Just(10_001)];
    vec((select(values), n), 0..5)
}

fn histogram_point(family: &Family) -> BoxedStrategy<HistogramPoint> {
    let own = match &family.kind {
        Kind::Histogram(bounds) => bounds.clone(),
        _ => vec![],
    };
    let bounds = prop_oneof![
        4 => Just(own),
        2 => select(vec![vec![0.05, 0.1, 0.25, 1.0, 2.0, 1e7], vec![-1.0, 0.0, 3.0], vec![2.0, 1.0]]),
    ];
    let wrong = prop_oneof![8 => Just(0_u8), 4 => 1..6_u8];
    (attributes(family), start(), later(), bounds, observed(), wrong)
        .prop_map(|(attributes, start, later, bounds, observed, wrong)| {
            let mut counts = vec![0; bounds.len() + 1];
            for (v, n) in &observed {
                counts[bounds.iter().filter(|bound| v > bound).count()] += n;
            }
            let mut point = HistogramPoint {
                attributes,
                start,
                time: start.saturating_add(later),
                count: counts.iter().sum(),
                sum: Some(observed.iter().map(|(v, n)| v * *n as f64).sum()),
                counts,
                bounds,
                flags: 0,
            };
            match wrong {
                1 => point.count += 1,
                2 => point.sum = None,
                3 => drop(point.counts.pop()),
                4 => (point.counts, point.bounds) = (vec![], vec![]),
                5 => point.sum = Some(-1.0),
                _ => {}
            }
            point
        })
        .boxed()
}

fn exponential_point(family: &Family) -> BoxedStrategy<ExponentialPoint> {
    let scale = prop_oneof![8 => select(&[3, 3, 20, 0, 8, 2, -1][..]), 1 => -12..23_i32];
    let wrong = prop_oneof![8 => Just(0_u8), 3 => 1..5_u8];
    (attributes(family), start(), later(), scale, observed(), wrong)
        .prop_map(|(attributes, start, later, scale, observed, wrong)| {
            let index = |v: f64| (v.log2() * f64::from(scale).exp2()).ceil() as i64 - 1;
            let at = |v: f64| i32::try_from(index(v)).expect("none is so far from 1");
            let seen = || observed.iter().filter(|(v, _)| *v > 0.0);
            // Only so many as a list may well have: what is further away is left out.
            let offset = seen().map(|(v, _)| at(*v)).min().unwrap_or(-7);
            let near = |v: f64| usize::try_from(at(v) - offset).ok().filter(|at| *at < 300);
            let mut counts = vec![];
            let mut sum = 0.0;
            for (v, n) in seen() {
                let Some(at) = near(*v) else { continue };
                counts.resize(counts.len().max(at + 1), 0);
                counts[at] += n;
                sum += v * *n as f64;
            }
            let zeros = observed.iter().filter(|(v, _)| *v == 0.0).map(|(_, n)| n).sum();
            let mut point = ExponentialPoint {
                attributes,
                start,
                time: start.saturating_add(later),
                count: counts.iter().sum::<u64>() + zeros,
                sum: Some(sum),
                scale,
                zeros,
                positive: Some(Buckets { offset, counts }),
                negative: None,
                flags: 0,
                threshold: 0.0,
            };
            match wrong {
                1 => point.count += 1,
                2 => point.negative = Some(Buckets { offset: 0, counts: vec![0, 1] }),
                3 => point.threshold = 0.25,
                4 => point.sum = None,
                _ => {}
            }
            point
        })
        .boxed()
}

fn metric(families: &[Family]) -> impl Strategy<Value = Metric> + use<> {
    let kind = prop_oneof![8 => Just(None), 1 => (0..5_u8).prop_map(Some)];
    let temporality = prop_oneof![4 => Just(1), 6 => Just(2), 1 => Just(0), 1 => Just(7)];
    let unit = select(&["", "", "", "1", "s", "{x}"][..]);
    (family_of(families), kind, temporality, unit, 0..4_u8, 0..3_u8).prop_flat_map(
        |(family, kind, temporality, unit, monotonic, spelled)| {
            let own = match &family.kind {
                Kind::Gauge(_) => 0,
                Kind::Counter => 1,
                Kind::Histogram(_) if spelled == 0 => 3,
                Kind::Histogram(_) => 2,
                Kind::Summary => 4,
            };
            let data = match kind.unwrap_or(own) {
                0 if monotonic == 0 => vec(number_point(&family), 1..3)
                    .prop_map(move |points| {
                        Data::Sum(Sum { points, temporality, is_monotonic: false })
                    })
                    .boxed(),
                0 => vec(number_point(&family), 1..3)
                    .prop_map(|points| Data::Gauge(Gauge { points }))
                    .boxed(),
                1 => vec(number_point(&family), 0..4)
                    .prop_map(move |points| {
                        Data::Sum(Sum { points, temporality, is_monotonic: monotonic < 3 })
                    })
                    .boxed(),
                2 => vec(histogram_point(&family), 1..3)
                    .prop_map(move |points| Data::Histogram(Histogram { points, temporality }))
                    .boxed(),
                3 => vec(exponential_point(&family), 1..3)
                    .prop_map(move |points| Data::Exponential(Exponential { points, temporality }))
                    .boxed(),
                _ => number_point(&family)
                    .prop_map(|NumberPoint { attributes, start, time, flags, .. }| {
                        let points = vec![SummaryPoint { attributes, start, time, flags }];
                        Data::Summary(Summary { points })
                    })
                    .boxed(),
            };
            let name = match spelled {
                1 => family.name.replace('_', "."),
                2 => family.name.trim_end_matches("_total").replace('_', "."),
                _ => family.name.clone(),
            };
            data.prop_map(move |data| Metric {
                name: name.clone(),
                unit: unit.to_owned(),
                data: Some(data),
            })
        },
    )
}

fn request(families: &[Family]) -> impl Strategy<Value = Request> + use<> {
    let resource = prop_oneof![
        4 => Just(vec![]),
        1 => Just(vec![
            attribute("service.name".to_owned(), Some(Any::Text("x".to_owned()))),
            attribute("app".to_owned(), Some(Any::Text("student".to_owned()))),
        ]),
    ];
    let scope = select(&["", "a", "b"][..]);
    vec((resource, scope, vec(metric(families), 0..5)), 0..3).prop_map(|all| {
        let resource_metrics = all.into_iter().map(|(attributes, scope, metrics)| {
            let scope = Scope { name: scope.to_owned(), ..Scope::default() };
            ResourceMetrics {
                resource: Some(Resource { attributes }),
                scope_metrics: vec![ScopeMetrics { scope: Some(scope), metrics }],
            }
        });
        Request { resource_metrics: resource_metrics.collect() }
    })
}

/// The same request as JSON and as protobuf.
pub(crate) fn both(families: &[Family]) -> BoxedStrategy<(Vec<u8>, Vec<u8>)> {
    request(families)
        .prop_map(|request| (write(&request).into_bytes(), prost::Message::encode_to_vec(&request)))
        .boxed()
}

/// A body for `/v1/metrics` as JSON, and one as protobuf.
pub(crate) fn otlp(families: &[Family]) -> BoxedStrategy<(bool, Vec<u8>)> {
    let json = damaged(both(families).prop_map(|(json, _)| json));
    let protobuf = damaged(both(families).prop_map(|(_, protobuf)| protobuf));
    prop_oneof![json.prop_map(|body| (true, body)), protobuf.prop_map(|body| (false, body))].boxed()
}
