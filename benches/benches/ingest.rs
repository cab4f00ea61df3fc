//! A page load, decoded and applied: the whole of `Aggregator::push` on series that exist.

use std::alloc::System;
use std::borrow::Cow;
use std::fmt;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastmile::{Aggregator, Format, Source};
use lastmile_benches::{
    N_SAMPLES_LM1_PAGE_LOAD, N_SAMPLES_PROMJS_PAGE_LOAD, N_SAMPLES_SEED_PAGE_LOAD,
    browser_aggregator, exposition, lm1_page_load, now, promjs_page_load, pum_aggregator,
    seed_page_load,
};
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Sends one push and fails unless every sample in it counted.
fn push(aggregator: &Aggregator, format: Format, body: &[u8], n_samples: u64) {
    let report = aggregator.push(format, black_box(body), &Source::default(), now());
    assert_eq!(report.expect("the push decodes").accepted(), n_samples);
}

/// Calls `work` until every buffer and every table that it uses has been made: also those of each of the
/// shards that the ids of batches are spread over.
fn warm_up(mut work: impl FnMut()) {
    for _ in 0..2000 {
        work();
    }
}

/// Allocations in 1000 calls of `work`.
fn n_allocations(mut work: impl FnMut()) -> usize {
    let region = Region::new(ALLOCATOR);
    for _ in 0..1000 {
        work();
    }
    let change = region.change();
    change.allocations + change.reallocations
}

fn record_page_load(c: &mut Criterion) {
    let aggregator = pum_aggregator();
    let mut n_sent = 0_u64;
    let mut send = || {
        push(&aggregator, Format::Record, seed_page_load(), N_SAMPLES_SEED_PAGE_LOAD);
        n_sent += 1;
    };
    warm_up(&mut send);
    assert_eq!(n_allocations(&mut send), 0, "a push of known series allocates nothing");

    let mut group = c.benchmark_group("ingest");
    group.throughput(Throughput::Elements(N_SAMPLES_SEED_PAGE_LOAD));
    group.bench_function("record_page_load", |b| b.iter(&mut send));
    group.finish();

    let after = exposition(&aggregator);
    assert_eq!(after.value(r#"app_load_succeeded{app="student"}"#), n_sent as f64);
    assert_eq!(after.total("usage_total").1, 4.0 * n_sent as f64);
    assert_eq!(after.value("performance_timing_domComplete_count"), n_sent as f64);
    assert_eq!(after.value("metrics_aggregator_record_total"), n_sent as f64);
}

fn lm1_page_load_push(c: &mut Criterion) {
    let aggregator = browser_aggregator();
    let (mut n_sent, mut batch) = (0_u64, lm1_page_load());
    let mut send = || {
        push(&aggregator, Format::Lm1, batch.with_id(n_sent), N_SAMPLES_LM1_PAGE_LOAD);
        n_sent += 1;
    };
    warm_up(&mut send);
    assert_eq!(n_allocations(&mut send), 0, "a push of known series allocates nothing");

    let mut group = c.benchmark_group("ingest");
    group.throughput(Throughput::Elements(N_SAMPLES_LM1_PAGE_LOAD));
    group.bench_function("lm1_page_load", |b| b.iter(&mut send));
    group.finish();

    let after = exposition(&aggregator);
    assert_eq!(after.total("client_page_loads_total").1, n_sent as f64);
    assert_eq!(after.total("client_ping_seconds_count").1, 9.0 * n_sent as f64);
    assert_eq!(after.total("client_web_vital_seconds_count").1, 4.0 * n_sent as f64);
}

/// The same page load as `promjs` writes it, by bytes.
fn prom_text_page_load_push(c: &mut Criterion) {
    let aggregator = pum_aggregator();
    let (mut n_sent, body) = (0_u64, promjs_page_load());
    let mut send = || {
        push(&aggregator, Format::PromText, body, N_SAMPLES_PROMJS_PAGE_LOAD);
        n_sent += 1;
    };
    warm_up(&mut send);
    assert_eq!(n_allocations(&mut send), 0, "a push of known series allocates nothing");

    let mut group = c.benchmark_group("ingest");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("prom_text_page_load", |b| b.iter(&mut send));
    group.finish();

    let after = exposition(&aggregator);
    assert_eq!(after.total("usage_total").1, 4.0 * n_sent as f64);
    assert_eq!(after.value("performance_timing_domComplete_count"), n_sent as f64);
}

/// The same page load when its families are not declared: decoding and counting refusals alone.
fn unknown_page_load(c: &mut Criterion) {
    let aggregator = browser_aggregator();
    let mut n_sent = 0_u64;
    let mut group = c.benchmark_group("ingest");
    group.throughput(Throughput::Elements(N_SAMPLES_SEED_PAGE_LOAD));
    group.bench_function("record_page_load_refused", |b| {
        b.iter(|| {
            push(&aggregator, Format::Record, seed_page_load(), 0);
            n_sent += 1;
        });
    });
    group.finish();
    let refused =
        exposition(&aggregator).value(r#"lastmile_refused_total{reason="unknown_family"}"#);
    assert_eq!(refused, (N_SAMPLES_SEED_PAGE_LOAD * n_sent) as f64);
}

/// One entry of the page load, as borrowed as `serde_json` can have it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    #[serde(borrow)]
    metric_name: Cow<'a, str>,
    #[serde(borrow)]
    metric_type: Cow<'a, str>,
    #[serde(borrow)]
    labels: Labels<'a>,
    inc: Option<f64>,
    observations: Option<Vec<f64>>,
}

/// Labels in the order they came in; no map to build, so that the comparison is with parsing.
struct Labels<'a>(Vec<(&'a str, &'a str)>);

impl<'de: 'a, 'a> Deserialize<'de> for Labels<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Vec<(&'de str, &'de str)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("labels")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(Pairs).map(Labels)
    }
}

fn serde_json_page_load(c: &mut Criterion) {
    let mut group = c.benchmark_group("ingest");
    group.throughput(Throughput::Elements(N_SAMPLES_SEED_PAGE_LOAD));
    group.bench_function("record_page_load_serde_json_parse", |b| {
        b.iter(|| serde_json::from_slice::<Vec<Entry<'_>>>(black_box(seed_page_load())));
    });
    group.finish();

    let entries: Vec<Entry<'_>> = serde_json::from_slice(seed_page_load()).expect("valid");
    assert!(
        entries.iter().all(|entry| !entry.metric_name.is_empty() && !entry.metric_type.is_empty())
    );
    assert_eq!(entries.iter().map(|entry| entry.labels.0.len()).sum::<usize>(), 7);
    let n_samples =
        |entry: &Entry<'_>| entry.inc.iter().count() + entry.observations.iter().flatten().count();
    assert_eq!(entries.iter().map(n_samples).sum::<usize>() as u64, N_SAMPLES_SEED_PAGE_LOAD);
}

criterion_group!(
    benches,
    record_page_load,
    lm1_page_load_push,
    prom_text_page_load_push,
    unknown_page_load,
    serde_json_page_load
);
criterion_main!(benches);
