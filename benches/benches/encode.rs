//! A scrape of many series, through the same chunks that a server sends.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lastmile::{Aggregator, Escaping, ExpositionFormat, ScrapeOptions};
use lastmile_benches::{Shape, exposition, is_bench, now};

/// Runs one scrape into one reused chunk. Answers the bytes it gave.
fn scrape(aggregator: &Aggregator, format: ExpositionFormat, chunk: &mut Vec<u8>) -> usize {
    let mut scrape = aggregator.scrape(ScrapeOptions::new(format), now());
    let mut n_bytes = 0;
    while scrape.next_chunk(chunk) {
        n_bytes += black_box(&*chunk).len();
    }
    scrape.complete(now());
    n_bytes
}

fn encode(c: &mut Criterion) {
    for (shape, name, n_series) in
        [(Shape::Counter, "counters", 100_000), (Shape::Histogram, "histograms", 10_000)]
    {
        let n_series = if is_bench() { n_series } else { 256 };
        let aggregator = shape.aggregator();
        shape.fill(&aggregator, n_series);
        let n_lines = n_series * shape.n_lines();
        let mut chunk = Vec::new();

        let mut group = c.benchmark_group("encode");
        group.throughput(Throughput::Elements(n_lines as u64));
        group.bench_function(BenchmarkId::new(name, n_series), |b| {
            b.iter(|| {
                let n_bytes = scrape(&aggregator, ExpositionFormat::Text0_0_4, &mut chunk);
                assert!(n_bytes > n_lines * 90);
            });
        });
        // A histogram is one message of all its lines.
        let protobuf = ExpositionFormat::Protobuf(Escaping::default());
        group.bench_function(BenchmarkId::new(format!("{name}_protobuf"), n_series), |b| {
            b.iter(|| {
                let n_bytes = scrape(&aggregator, protobuf, &mut chunk);
                assert!(n_bytes > n_series * 90);
            });
        });
        group.finish();

        let after = exposition(&aggregator);
        let metric = match shape {
            Shape::Counter => shape.family().to_owned(),
            Shape::Histogram => format!("{}_count", shape.family()),
        };
        assert_eq!(after.total(&metric).1, n_series as f64);
    }
}

criterion_group!(benches, encode);
criterion_main!(benches);
