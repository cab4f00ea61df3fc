//! Summaries: what an observation costs, and what a scrape pays for a row whose windows it merges.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lastmile::{Aggregator, Family, Label, Limits, Schema, Summary, Timestamp};
use lastmile_benches::{durations, exposition, now};

const N_SERIES: usize = 400;
const N_OBSERVATIONS: usize = 1_000;

fn aggregator() -> Aggregator {
    let family = Family::summary("app_load_seconds").label(Label::open("page", N_SERIES as u32));
    let schema = Schema::builder().family(family).build().expect("the family is valid");
    Aggregator::new(schema, Limits::default(), now()).expect("the schema fits the default limits")
}

fn observe(c: &mut Criterion) {
    let aggregator = aggregator();
    let summary = aggregator.summary("app_load_seconds", &[("page", "/home")]).expect("declared");
    let values: Vec<f64> = durations().take(1024).collect();
    let mut n_observed = 0;
    c.bench_function("summary/observe", |b| {
        b.iter(|| {
            summary.observe(values[n_observed % values.len()]).expect("within the bounds");
            n_observed += 1;
        });
    });
    let after = exposition(&aggregator);
    assert_eq!(after.value(r#"app_load_seconds_count{page="/home"}"#), n_observed as f64);
}

/// A scrape of rows that were observed in this many windows.
fn scrape(c: &mut Criterion) {
    let mut group = c.benchmark_group("summary/scrape_row");
    for n_windows in [1, 2, 5] {
        let aggregator = aggregator();
        let page = |i: usize| format!("/course/{i}");
        let summaries: Vec<Summary> = (0..N_SERIES)
            .map(|i| aggregator.summary("app_load_seconds", &[("page", &page(i))]))
            .collect::<Result<_, _>>()
            .expect("declared");
        let mut values = durations();
        let mut at: Timestamp = now();
        for window in 0..n_windows {
            at = now().after(Duration::from_secs(120 * window));
            aggregator.tick(at);
            for value in values.by_ref().take(N_SERIES * N_OBSERVATIONS).enumerate() {
                summaries[value.0 % N_SERIES].observe(value.1).expect("within the bounds");
            }
        }
        let mut text = Vec::new();
        group.throughput(Throughput::Elements(N_SERIES as u64));
        group.bench_function(BenchmarkId::new("windows", n_windows), |b| {
            b.iter(|| {
                text.clear();
                aggregator.encode_to(&mut text, at).expect("a Vec takes everything");
            });
        });
        let after = exposition(&aggregator);
        let n_observed = n_windows as usize * N_SERIES * N_OBSERVATIONS;
        assert_eq!(after.total("app_load_seconds_count").1, n_observed as f64);
    }
    group.finish();
}

criterion_group!(benches, observe, scrape);
criterion_main!(benches);
