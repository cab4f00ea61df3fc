//! Ratios of CPU time, each of two pieces of work side by side in this run:
//! `cargo bench -p lastmile-benches --bench ratios`.
//!
//! A time depends on the machine; a ratio with `memcpy`, an atomic addition or `serde_json` much
//! less, and it is a ratio that `DESIGN.md` sets as the target.

use std::alloc::System;
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use lastmile::{
    Aggregator, Counter, DecodedBatch, Family, Format, Limits, Native, Recorder, Schema,
    ScrapeOptions, Source,
};
use lastmile_benches::{
    Batch, Comparison, N_SAMPLES_LM1_PAGE_LOAD, N_SAMPLES_SEED_PAGE_LOAD, Shape,
    browser_aggregator, compare, compare_prepared, durations, exposition, is_bench, median, now,
    print_host, pum_aggregator, seed_page_load,
};
use serde_json::Value;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let scale = if is_bench() { 1 } else { 100 };
    print_host();
    println!();
    println!(
        "{:<40} {:>9} {:>9} {:>7}  {:<7} to reach",
        "median CPU time, ns", "lastmile", "other", "ratio", "per"
    );
    encode(Shape::Counter, 100_000 / scale, "encode 100 k counters / memcpy", "25 ns, 2 x");
    encode(Shape::Counter, 200_000 / scale, "encode 200 k counters / memcpy", "1.5 x");
    encode(Shape::Counter, 1_000_000 / scale, "encode 1 M counters / memcpy", "1.5 x");
    encode(Shape::Histogram, 10_000 / scale, "encode 10 k histograms / memcpy", "2 x");
    record_page_load(20_000 / scale);
    lm1_page_load(20_000 / scale);
    known_series(5000 / scale);
    scattered_series(1_000_000 / scale, 2000 / scale);
    scattered_rows(1_000_000 / scale, 400 / scale + 1);
    over_limit(10_000 / scale, 480, "480 keys");
    over_limit(10_000 / scale, 4_000, "4,000 keys");
    bound_counter(1_000_000 / scale);
    recorder(1_000_000 / scale);
    native_observe(200_000 / scale);
    println!();
    two_recorders(100_000_000 / scale);
    two_pushers(400_000 / scale);
    memory(1_000_000 / scale);
}

/// Prints one row; `n` is how many `unit`s one call does.
fn row(what: &str, comparison: Comparison, n: usize, unit: &str, target: &str) {
    let n = n as f64;
    println!(
        "{what:<40} {:>9.1} {:>9.1} {:>7.2}  {unit:<7} {target}",
        comparison.a_nanos / n,
        comparison.b_nanos / n,
        comparison.ratio,
    );
}

/// A scrape, beside a copy of the bytes it gives in pieces of the same sizes. Each finds in the caches
/// what the other left there, as a scrape finds what pushes left.
fn encode(shape: Shape, n_series: usize, what: &str, target: &str) {
    let aggregator = shape.aggregator();
    shape.fill(&aggregator, n_series);
    let (mut chunk, mut chunk_sizes) = (Vec::new(), Vec::new());
    let mut scrape = aggregator.scrape(ScrapeOptions::text(), now());
    let mut text = Vec::new();
    while scrape.next_chunk(&mut chunk) {
        chunk_sizes.push(chunk.len());
        text.extend_from_slice(&chunk);
    }
    scrape.complete(now());
    assert!(chunk_sizes.iter().all(|size| *size <= 64 * 1024));

    let mut copied = Vec::with_capacity(64 * 1024);
    let comparison = compare(
        31,
        1,
        || {
            let mut scrape = aggregator.scrape(ScrapeOptions::text(), now());
            while scrape.next_chunk(&mut chunk) {
                black_box(&chunk);
            }
            scrape.complete(now());
        },
        || {
            let mut rest = text.as_slice();
            for size in &chunk_sizes {
                let (head, tail) = rest.split_at(*size);
                copied.clear();
                copied.extend_from_slice(head);
                black_box(&copied);
                rest = tail;
            }
        },
    );
    row(what, comparison, n_series * shape.n_lines(), "line", target);

    let metric = match shape {
        Shape::Counter => shape.family().to_owned(),
        Shape::Histogram => format!("{}_count", shape.family()),
    };
    assert_eq!(exposition(&aggregator).total(&metric).1, n_series as f64);
}

/// The seed's page load decoded and applied, beside `serde_json` reading the same bytes into a tree
/// and applying nothing.
fn record_page_load(n_calls: usize) {
    let aggregator = pum_aggregator();
    let mut n_sent = 0_u64;
    let comparison = compare(
        31,
        n_calls,
        || {
            let body = black_box(seed_page_load());
            let report = aggregator.push(Format::Record, body, &Source::default(), now());
            assert_eq!(report.expect("the push decodes").accepted(), N_SAMPLES_SEED_PAGE_LOAD);
            n_sent += 1;
        },
        || {
            let value: Value = serde_json::from_slice(black_box(seed_page_load())).expect("valid");
            black_box(&value);
        },
    );
    row("record page load / serde_json::Value", comparison, 1, "push", "2800 ns");
    let after = exposition(&aggregator);
    assert_eq!(after.value(r#"app_load_succeeded{app="student"}"#), n_sent as f64);
}

/// The same page load as one `lm1` batch.
fn lm1_page_load(n_calls: usize) {
    let (aggregator, mut batch) = (browser_aggregator(), lastmile_benches::lm1_page_load());
    let mut other = batch.clone();
    let mut n_sent = 0_u64;
    let comparison = compare(
        31,
        n_calls,
        || {
            let body = black_box(batch.with_id(n_sent));
            let report = aggregator.push(Format::Lm1, body, &Source::default(), now());
            assert_eq!(report.expect("the push decodes").accepted(), N_SAMPLES_LM1_PAGE_LOAD);
            n_sent += 1;
        },
        || {
            let body = black_box(other.with_id(0));
            let value: Value = serde_json::from_slice(body).expect("valid");
            black_box(&value);
        },
    );
    row("lm1 page load / serde_json::Value", comparison, 1, "push", "");
    let after = exposition(&aggregator);
    assert_eq!(after.total("client_page_loads_total").1, n_sent as f64);
}

/// Batches of sixteen decoded samples added to rows in a scattered order, beside one atomic addition for
/// each sample.
fn known_series(n_calls: usize) {
    const N_SERIES: usize = 4096;
    let aggregator = Shape::Counter.aggregator();
    Shape::Counter.fill(&aggregator, N_SERIES);
    let mut batches: Vec<DecodedBatch> = scattered_batches(N_SERIES)
        .iter_mut()
        .map(|batch| aggregator.decode_batch(Format::Lm1, batch.with_id(0)).expect("valid"))
        .collect();
    let (mut n_applied, alone) = (0, AtomicU64::new(0));
    let n_batches = batches.len();
    let comparison = compare(
        31,
        n_calls,
        || {
            let batch = black_box(&mut batches[n_applied % n_batches]);
            assert_eq!(aggregator.apply_batch(batch, now()), 16);
            n_applied += 1;
        },
        || {
            for _ in 0..16 {
                alone.fetch_add(1, Ordering::Relaxed);
            }
        },
    );
    row("add to 4096 known series / fetch_add", comparison, 16, "sample", "40 ns");
    let total = N_SERIES + n_applied * 16;
    assert_eq!(exposition(&aggregator).total(Shape::Counter.family()).1, total as f64);
}

/// Whole pushes of sixteen samples to a million series, beside the same to 4096: the difference is what
/// waiting for memory costs.
fn scattered_series(n_series: usize, n_calls: usize) {
    let mut far = Pushes::new(n_series);
    let mut near = Pushes::new(n_series.min(4096));
    let comparison = compare(31, n_calls, || far.send(), || near.send());
    row("push to 1 M known series / to 4096", comparison, 16, "sample", "");
    far.check();
    near.check();
}

/// Decoded batches of sixteen samples added to a million rows, beside the same to 4096: what waiting for
/// memory costs. A few batches at a time are decoded, off the clock, so that no batch itself is waited for.
fn scattered_rows(n_series: usize, n_rounds: usize) {
    let (mut far, mut near) = (Pushes::new(n_series), Pushes::new(n_series.min(4096)));
    let (to_far, to_near) = (far.aggregator.clone(), near.aggregator.clone());
    let apply = |aggregator: &Aggregator, batches: &mut [DecodedBatch]| {
        for batch in batches {
            assert_eq!(aggregator.apply_batch(black_box(batch), now()), 16);
        }
    };
    let comparison = compare_prepared(
        n_rounds,
        || far.decode(),
        |batches| apply(&to_far, batches),
        || near.decode(),
        |batches| apply(&to_near, batches),
    );
    let n = Pushes::N_DECODED * 16;
    row("add to 1 M known series / to 4096", comparison, n, "sample", "100 ns");
    far.check();
    near.check();
}

/// Batches of sixteen samples that have each series of an aggregator once.
struct Pushes {
    aggregator: Aggregator,
    n_series: usize,
    batches: Vec<Batch>,
    n_sent: usize,
}

impl Pushes {
    /// Batches that are decoded at once.
    const N_DECODED: usize = 64;

    fn new(n_series: usize) -> Self {
        let aggregator = Shape::Counter.aggregator();
        Shape::Counter.fill(&aggregator, n_series);
        Self { aggregator, n_series, batches: scattered_batches(n_series), n_sent: 0 }
    }

    fn send(&mut self) {
        let n_batches = self.batches.len();
        let body = self.batches[self.n_sent % n_batches].with_id(self.n_sent as u64);
        let report = self.aggregator.push(Format::Lm1, black_box(body), &Source::default(), now());
        assert_eq!(report.expect("the line decodes").accepted(), 16);
        self.n_sent += 1;
    }

    /// The next batches, decoded and yet to be applied.
    fn decode(&mut self) -> Vec<DecodedBatch> {
        let first = self.n_sent;
        self.n_sent += Self::N_DECODED;
        let n_batches = self.batches.len();
        let decoded = (first..self.n_sent).map(|sent| {
            let body = self.batches[sent % n_batches].with_id(sent as u64);
            self.aggregator.decode_batch(Format::Lm1, body).expect("the line decodes")
        });
        decoded.collect()
    }

    fn check(&self) {
        let (_, total) = exposition(&self.aggregator).total(Shape::Counter.family());
        assert_eq!(total, (self.n_series + self.n_sent * 16) as f64);
    }
}

/// Batches of sixteen samples that have each of the first `n_series` series once. Neighbours in a batch
/// are far apart.
fn scattered_batches(n_series: usize) -> Vec<Batch> {
    // A prime, so that it goes through all.
    let series = |sample: usize| sample * 333_337 % n_series;
    (0..n_series / 16)
        .map(|batch| Shape::Counter.line((0..16).map(|idx| series(batch * 16 + idx))))
        .collect()
}

/// A push whose sixteen samples all name values that have no place any more, beside one whose
/// samples all have a series; of so many keys in turn, each. Which keys a thread knows goes by lot, and that alone moves
/// the ratio by a few percent, so each of the three numbers is a median of several threads, one after the other.
fn over_limit(n_calls: usize, n_keys: usize, what: &str) {
    const N_THREADS: usize = 15;
    let of_thread = |_| {
        let thread = std::thread::spawn(move || compare_over_limit(n_calls, n_keys));
        thread.join().expect("the thread does not panic")
    };
    let comparisons: Vec<Comparison> = (0..N_THREADS).map(of_thread).collect();
    let of = |value: fn(&Comparison) -> f64| median(comparisons.iter().map(value).collect());
    let comparison = Comparison {
        a_nanos: of(|c| c.a_nanos),
        b_nanos: of(|c| c.b_nanos),
        ratio: of(|c| c.ratio),
    };
    row(&format!("push over a limit / known, {what}"), comparison, 1, "push", "1 x");
}

fn compare_over_limit(n_calls: usize, n_keys: usize) -> Comparison {
    let aggregator = Shape::Counter.aggregator_with_pages(n_keys as u32 / 10);
    // The first pages of each of the ten apps.
    Shape::Counter.fill(&aggregator, n_keys);
    let batches = |from: usize| -> Vec<Batch> {
        (0..n_keys / 16).map(|i| Shape::Counter.line(from + i * 16..from + i * 16 + 16)).collect()
    };
    let (mut over, mut known) = (batches(5_000), batches(0));
    let (mut n_over, mut n_known) = (0_usize, 0_usize);
    let push = |batches: &mut [Batch], n_sent: &mut usize, id: u64| {
        let batch_idx = *n_sent % batches.len();
        *n_sent += 1;
        let body = batches[batch_idx].with_id(id << 32 | *n_sent as u64);
        let report = aggregator.push(Format::Lm1, body, &Source::default(), now());
        assert_eq!(report.expect("the line decodes").accepted(), 16);
    };
    let comparison = compare(
        5,
        n_calls,
        || push(&mut over, &mut n_over, 1),
        || push(&mut known, &mut n_known, 2),
    );

    let after = exposition(&aggregator);
    let total = n_keys + (n_over + n_known) * 16;
    assert_eq!(after.total(Shape::Counter.family()).1, total as f64);
    let overflow = after.total("lastmile_overflow_total").1;
    assert_eq!(overflow, (n_over * 16) as f64);
    comparison
}

/// A bound counter, beside an atomic addition.
fn bound_counter(n_calls: usize) {
    let (aggregator, counter) = one_counter();
    let alone = AtomicU64::new(0);
    let comparison = compare(
        31,
        n_calls,
        || counter.inc(),
        || {
            alone.fetch_add(1, Ordering::Relaxed);
        },
    );
    row("bound counter inc / fetch_add", comparison, 1, "inc", "20 ns");
    let n_inc = alone.load(Ordering::Relaxed);
    assert_eq!(exposition(&aggregator).value("app_loads_total"), n_inc as f64);
}

/// A counter through a recorder, beside an atomic addition.
fn recorder(n_calls: usize) {
    let (aggregator, counter) = one_counter();
    let mut recorder = Recorder::new();
    let id = recorder.counter(&counter);
    let alone = AtomicU64::new(0);
    let comparison = compare(
        31,
        n_calls,
        || black_box(&recorder).inc(id),
        || {
            alone.fetch_add(1, Ordering::Relaxed);
        },
    );
    row("recorder inc / fetch_add", comparison, 1, "inc", "4 ns");
    drop(recorder);
    let n_inc = alone.load(Ordering::Relaxed);
    assert_eq!(exposition(&aggregator).value("app_loads_total"), n_inc as f64);
}

/// Observations of a native histogram, through a handle and through a recorder, beside those of a classic one
/// with a dozen buckets. The values are spread over decades, so that no branch is always the same.
fn native_observe(n_calls: usize) {
    let bounds = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];
    let schema = Schema::builder()
        .family(Family::native_histogram("native_seconds", Native::new(3)))
        .family(Family::histogram("classic_seconds", bounds))
        .build()
        .expect("the families are valid");
    let aggregator = Aggregator::new(schema, Limits::default(), now()).expect("the schema fits");
    let native = aggregator.histogram("native_seconds", &[]).expect("declared");
    let classic = aggregator.histogram("classic_seconds", &[]).expect("declared");
    let values: Vec<f64> = durations().take(1024).collect();
    let (mut n_native, mut n_classic) = (0, 0);
    let next = |n: &mut usize| {
        *n += 1;
        black_box(values[*n % values.len()])
    };
    let comparison = compare(
        31,
        n_calls,
        || native.observe(next(&mut n_native)).expect("within the bounds"),
        || classic.observe(next(&mut n_classic)).expect("within the bounds"),
    );
    row("native observe / classic", comparison, 1, "value", "2 x");

    let mut recorder = Recorder::new();
    let (to_native, to_classic) = (recorder.histogram(&native), recorder.histogram(&classic));
    let comparison = compare(
        31,
        n_calls,
        || recorder.observe(to_native, next(&mut n_native)).expect("within the bounds"),
        || recorder.observe(to_classic, next(&mut n_classic)).expect("within the bounds"),
    );
    row("recorder native observe / classic", comparison, 1, "value", "2 x");
    drop(recorder);
    let after = exposition(&aggregator);
    assert_eq!(after.value("native_seconds_count"), n_native as f64);
    assert_eq!(after.value("classic_seconds_count"), n_classic as f64);
}

/// How much more two threads count in one hot series than one does, each through a recorder that it
/// flushes every thousand times: by the clock on the wall, as no thread's CPU time shows what threads
/// take from each other.
fn two_recorders(n_calls: usize) {
    let (aggregator, counter) = one_counter();
    let work = || {
        let mut recorder = Recorder::new();
        let id = recorder.counter(&counter);
        for _ in 0..n_calls / 1000 {
            for _ in 0..1000 {
                black_box(&recorder).inc(id);
            }
            recorder.flush();
        }
    };
    let (ratio, n_workers) = throughput_of_two(work);
    println!(
        "two threads with a recorder each: {ratio:.2} x the throughput of one (to reach 1.5 x)"
    );
    let n_inc = (n_workers * (n_calls / 1000) * 1000) as f64;
    assert_eq!(exposition(&aggregator).value("app_loads_total"), n_inc);
}

/// The same of threads that push one sample at a time to one hot series: each takes the shard's lock for
/// every push.
fn two_pushers(n_calls: usize) {
    let (aggregator, _counter) = one_counter();
    let batch = br#"{"lm":1,"m":{"app_loads_total":1}}"#;
    let work = || {
        for _ in 0..n_calls {
            let report = aggregator.push(Format::Lm1, black_box(batch), &Source::default(), now());
            assert_eq!(report.expect("the line decodes").accepted(), 1);
        }
    };
    let (ratio, n_workers) = throughput_of_two(work);
    println!(
        "two threads that push to one series: {ratio:.2} x the throughput of one (to reach 0.5 x)"
    );
    assert_eq!(exposition(&aggregator).value("app_loads_total"), (n_workers * n_calls) as f64);
}

/// The throughput of two threads that do this work, each as much as one, as a multiple of one's; and how
/// often the work was done in all.
fn throughput_of_two(work: impl Fn() + Sync) -> (f64, usize) {
    const N_ROUNDS: usize = 5;
    let nanos = |n_threads: usize| {
        let together = Barrier::new(n_threads + 1);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..n_threads)
                .map(|_| {
                    let (together, work) = (&together, &work);
                    scope.spawn(move || {
                        together.wait();
                        work();
                    })
                })
                .collect();
            together.wait();
            let start = Instant::now();
            for worker in workers {
                worker.join().expect("the thread does not panic");
            }
            start.elapsed().as_nanos() as f64
        })
    };
    let ratios = (0..N_ROUNDS).map(|_| 2.0 * nanos(1) / nanos(2)).collect();
    (median(ratios), N_ROUNDS * 3)
}

fn one_counter() -> (Aggregator, Counter) {
    let schema = Schema::builder().family(Family::counter("app_loads_total")).build();
    let schema = schema.expect("the family is valid");
    let aggregator = Aggregator::new(schema, Limits::default(), now()).expect("the schema fits");
    let counter = aggregator.counter("app_loads_total", &[]).expect("declared");
    (aggregator, counter)
}

/// Bytes on the heap for each counter series beyond the text of its name and labels.
fn memory(n_series: usize) {
    let aggregator = Shape::Counter.aggregator();
    // What holds the ids of batches is there before, and counts for no series.
    let mut first = Shape::Counter.line(0..16);
    for id in 0..2000 {
        let body = first.with_id(id);
        aggregator.push(Format::Lm1, body, &Source::default(), now()).expect("the line decodes");
    }
    let region = Region::new(ALLOCATOR);
    Shape::Counter.fill(&aggregator, n_series);
    let change = region.change();
    // What a reallocation grew by is in `bytes_allocated` already.
    let live = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
    let text = exposition(&aggregator);
    let (n_rows, total) = text.total(Shape::Counter.family());
    assert_eq!(total, (n_series + 2000 * 16) as f64);
    let prefixes: usize = text
        .bytes()
        .split(|byte| *byte == b'\n')
        .filter(|line| line.starts_with(Shape::Counter.family().as_bytes()))
        .map(|line| line.iter().rposition(|byte| *byte == b' ').map_or(0, |space| space + 1))
        .sum();
    let (live, prefix) = (live / n_series as f64, prefixes as f64 / n_rows as f64);
    println!(
        "memory of {n_series} counter series: {live:.1} B each, prefix {prefix:.1} B, rest {:.1} B (target 40)",
        live - prefix
    );
}
