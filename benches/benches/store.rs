//! Known series of four labels, in batches of sixteen samples.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lastmile::{Aggregator, DecodedBatch, Format, Source};
use lastmile_benches::{Batch, Shape, exposition, is_bench, now};

const N_SAMPLES: u64 = 16;

/// A different order of `0..n` that is the same in every run: steps by a number without a common
/// divisor with `n`, far apart enough that neighbours do not share a cache line.
fn scattered(n: usize) -> impl Iterator<Item = usize> {
    let step = (n / 3..).find(|step| gcd(*step, n) == 1).expect("n - 1 is one");
    (0..n).map(move |idx| idx * step % n)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Batches that have each of the first `n_series` series once, in a scattered order.
fn batches(shape: Shape, n_series: usize) -> Vec<Batch> {
    let order: Vec<usize> = scattered(n_series).collect();
    order.chunks_exact(N_SAMPLES as usize).map(|chunk| shape.line(chunk.iter().copied())).collect()
}

/// Adds what the batches hold to rows that exist: look-up and addition, with the decoding and hashing
/// done before.
fn apply(c: &mut Criterion) {
    for (shape, name, n_series) in [
        (Shape::Counter, "apply_counter_hot", 4096),
        (Shape::Counter, "apply_counter_random", 1_000_000),
        (Shape::Histogram, "apply_histogram_hot", 4096),
    ] {
        let n_series = if is_bench() { n_series } else { 256 };
        let aggregator = shape.aggregator();
        shape.fill(&aggregator, n_series);
        let mut batches: Vec<DecodedBatch> = batches(shape, n_series)
            .iter_mut()
            .map(|batch| aggregator.decode_batch(Format::Lm1, batch.with_id(0)).expect("valid"))
            .collect();
        let mut n_applied = 0;
        run(c, BenchmarkId::new(name, n_series), || {
            let n_batches = batches.len();
            let batch = black_box(&mut batches[n_applied % n_batches]);
            assert_eq!(aggregator.apply_batch(batch, now()), N_SAMPLES);
            n_applied += 1;
        });
        check(&aggregator, shape, n_series, n_applied);
    }
}

/// The same by whole pushes.
fn push(c: &mut Criterion) {
    for (shape, name, n_series) in [
        (Shape::Counter, "push_counter_hot", 4096),
        (Shape::Counter, "push_counter_random", 1_000_000),
        (Shape::Histogram, "push_histogram_hot", 4096),
    ] {
        let n_series = if is_bench() { n_series } else { 256 };
        let aggregator = shape.aggregator();
        shape.fill(&aggregator, n_series);
        let mut batches = batches(shape, n_series);
        let mut n_sent = 0;
        run(c, BenchmarkId::new(name, n_series), || {
            let n_batches = batches.len();
            let body = black_box(batches[n_sent % n_batches].with_id(n_sent as u64));
            let report = aggregator.push(Format::Lm1, body, &Source::default(), now());
            assert_eq!(report.expect("the line decodes").accepted(), N_SAMPLES);
            n_sent += 1;
        });
        check(&aggregator, shape, n_series, n_sent);
    }
}

fn run(c: &mut Criterion, name: BenchmarkId, mut work: impl FnMut()) {
    let mut group = c.benchmark_group("store");
    group.throughput(Throughput::Elements(N_SAMPLES));
    group.bench_function(name, |b| b.iter(&mut work));
    group.finish();
}

/// Fails unless each series was counted once when it was made and once in its turn of the batches.
fn check(aggregator: &Aggregator, shape: Shape, n_series: usize, n_batches: usize) {
    let metric = match shape {
        Shape::Counter => shape.family().to_owned(),
        Shape::Histogram => format!("{}_count", shape.family()),
    };
    let (n_rows, total) = exposition(aggregator).total(&metric);
    assert!(n_rows >= n_series);
    assert_eq!(total, n_series as f64 + n_batches as f64 * N_SAMPLES as f64);
}

criterion_group!(benches, apply, push);
criterion_main!(benches);
