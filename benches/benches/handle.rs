//! The host's own metrics: handles bound once, used often.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use criterion::{Criterion, criterion_group, criterion_main};
use lastmile::{Aggregator, Family, Label, Limits, Recorder, Schema};
use lastmile_benches::{exposition, now};

fn aggregator() -> Aggregator {
    let schema = Schema::builder()
        .family(
            Family::counter("app_loads_total").label(Label::closed("app", ["student", "teacher"])),
        )
        .family(Family::gauge("app_users").label(Label::closed("app", ["student", "teacher"])))
        .family(
            Family::histogram(
                "app_load_seconds",
                [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0],
            )
            .label(Label::closed("app", ["student", "teacher"])),
        )
        .build()
        .expect("the families are valid");
    Aggregator::new(schema, Limits::default(), now()).expect("the schema fits the default limits")
}

fn handles(c: &mut Criterion) {
    let aggregator = aggregator();
    let labels = [("app", "student")];
    let counter = aggregator.counter("app_loads_total", &labels).expect("declared");
    let gauge = aggregator.gauge("app_users", &labels).expect("declared");
    let histogram = aggregator.histogram("app_load_seconds", &labels).expect("declared");

    let (mut n_inc, mut n_observed) = (0_u64, 0_u64);
    let mut group = c.benchmark_group("handle");
    group.bench_function("counter_inc", |b| {
        b.iter(|| {
            counter.inc();
            n_inc += 1;
        });
    });
    group.bench_function("gauge_set", |b| b.iter(|| gauge.set(3.0)));
    group.bench_function("histogram_observe", |b| {
        b.iter(|| {
            histogram.observe(0.3).expect("within the bounds");
            n_observed += 1;
        });
    });
    let alone = AtomicU64::new(0);
    group.bench_function("fetch_add_for_comparison", |b| {
        b.iter(|| alone.fetch_add(1, Ordering::Relaxed));
    });
    group.finish();

    let after = exposition(&aggregator);
    assert_eq!(after.value(r#"app_loads_total{app="student"}"#), n_inc as f64);
    assert_eq!(after.value(r#"app_users{app="student"}"#), 3.0);
    assert_eq!(after.value(r#"app_load_seconds_count{app="student"}"#), n_observed as f64);
}

/// The same two operations while a second thread does the same.
fn two_threads(c: &mut Criterion) {
    let aggregator = aggregator();
    let counter = aggregator.counter("app_loads_total", &[("app", "student")]).expect("declared");
    let mut n_inc = 0_u64;
    let n_beside = beside(&|| counter.inc(), || {
        c.bench_function("handle/counter_inc/2_threads", |b| {
            b.iter(|| {
                counter.inc();
                n_inc += 1;
            });
        });
    });
    let after = exposition(&aggregator);
    assert_eq!(after.value(r#"app_loads_total{app="student"}"#), (n_inc + n_beside) as f64);

    let shared = AtomicU64::new(0);
    let add = || {
        shared.fetch_add(1, Ordering::Relaxed);
    };
    beside(&add, || {
        c.bench_function("handle/fetch_add_for_comparison/2_threads", |b| b.iter(add));
    });
}

/// Runs `work` while another thread repeats `op`. Answers how often that thread did.
fn beside(op: &(impl Fn() + Sync), work: impl FnOnce()) -> u64 {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let mut n_ops = 0;
            while !stop.load(Ordering::Relaxed) {
                for _ in 0..64 {
                    op();
                }
                n_ops += 64;
            }
            n_ops
        });
        work();
        stop.store(true, Ordering::Relaxed);
        other.join().expect("the thread does not panic")
    })
}

/// The same operations through a worker's own recorder.
fn recorder(c: &mut Criterion) {
    let aggregator = aggregator();
    let labels = [("app", "student")];
    let mut recorder = Recorder::new();
    let counter =
        recorder.counter(&aggregator.counter("app_loads_total", &labels).expect("declared"));
    let histogram =
        recorder.histogram(&aggregator.histogram("app_load_seconds", &labels).expect("declared"));

    let (mut n_inc, mut n_observed) = (0_u64, 0_u64);
    let mut group = c.benchmark_group("recorder");
    group.bench_function("counter_inc", |b| {
        b.iter(|| {
            recorder.inc(counter);
            n_inc += 1;
        });
    });
    group.bench_function("histogram_observe", |b| {
        b.iter(|| {
            recorder.observe(histogram, 0.3).expect("within the bounds");
            n_observed += 1;
        });
    });
    group.bench_function("flush_1_counter_1_histogram", |b| {
        b.iter(|| {
            recorder.inc(counter);
            recorder.observe(histogram, 0.3).expect("within the bounds");
            recorder.flush();
            n_inc += 1;
            n_observed += 1;
        });
    });
    group.finish();

    drop(recorder);
    let after = exposition(&aggregator);
    assert_eq!(after.value(r#"app_loads_total{app="student"}"#), n_inc as f64);
    assert_eq!(after.value(r#"app_load_seconds_count{app="student"}"#), n_observed as f64);
}

criterion_group!(benches, handles, two_threads, recorder);
criterion_main!(benches);
