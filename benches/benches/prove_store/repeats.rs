//! Every batch comes twice or three times, in any order and at once, and is counted once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use lastmile::{Aggregator, Family, Format, Label, Limits, Schema, Source};
use lastmile_benches::{exposition, now};

use crate::hostile::Random;
use crate::memory::resident;
use crate::table::Row;

const THREADS: usize = 8;

/// Samples of a batch, and series of each family that they go to.
const N_SAMPLES: u64 = 16;
const N_PAGES: u64 = 100;

/// One batch in so many comes a third time.
const THIRD_ONE_IN: u64 = 10;

/// One batch in so many is an array that its request names, and no `lm1` line.
const RECORD_ONE_IN: u64 = 4;

/// # Panics
/// At the first law that does not hold.
pub(crate) fn run(n_batches: u64) -> Row {
    let page = || Label::open("page", N_PAGES as u32);
    let schema = Schema::builder()
        .family(Family::counter("page_views_total").label(page()))
        .family(Family::histogram("load_seconds", [1.0, 4.0]).label(page()))
        .build()
        .expect("the families are valid");
    let agg = Aggregator::new(schema, Limits::default(), now()).expect("the limits have room");
    let third = (0..n_batches).filter(|batch| batch % THIRD_ONE_IN == 0);
    let mut order: Vec<u64> = (0..n_batches).chain(0..n_batches).chain(third).collect();
    let mut random = Random::new(3);
    for last in (1..order.len()).rev() {
        order.swap(last, random.below(last + 1));
    }
    let (start, resident_before) = (Instant::now(), resident());
    let (done, barrier) = (AtomicU64::new(0), Barrier::new(THREADS));
    // Accepted samples, duplicate batches, duplicate samples.
    let counts = Mutex::new([0; 3]);
    let mut marks = Vec::new();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (agg, done, barrier, counts, order) = (&agg, &done, &barrier, &counts, &order);
            scope.spawn(move || {
                let mut own = [0; 3];
                barrier.wait();
                for (place, batch) in order.iter().enumerate().skip(thread).step_by(THREADS) {
                    // As a page that moves on between its attempts, each comes from anywhere.
                    let addr = [10, 1, (place >> 8) as u8, place as u8];
                    let report = send(agg, *batch, Source::default().addr(addr.into()));
                    let found = [
                        report.accepted(),
                        u64::from(report.duplicate_batches()),
                        report.duplicate_samples(),
                    ];
                    assert_eq!(found[0] + found[2], N_SAMPLES);
                    own.iter_mut().zip(found).for_each(|(total, n)| *total += n);
                    done.fetch_add(1, Ordering::Relaxed);
                }
                let mut counts = counts.lock().expect("nobody panicked");
                counts.iter_mut().zip(own).for_each(|(total, n)| *total += n);
            });
        }
        for mark in [10, 25, 50, 75, 100] {
            while done.load(Ordering::Relaxed) * 100 < order.len() as u64 * mark {
                thread::sleep(Duration::from_millis(1));
            }
            marks.push(resident());
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    let n_again = order.len() as u64 - n_batches;
    let counts = counts.into_inner().expect("nobody panicked");
    assert_eq!(counts, [n_batches * N_SAMPLES, n_again, n_again * N_SAMPLES]);
    let exposition = exposition(&agg);
    // Half of the samples are views, worth their batch's number below ten.
    let views: u64 = (0..n_batches).map(|batch| N_SAMPLES / 2 * (batch % 10)).sum();
    let observed = (n_batches * N_SAMPLES / 2) as f64;
    for (name, wanted) in [
        ("page_views_total", views as f64),
        ("load_seconds_count", observed),
        ("load_seconds_sum", 0.25 * observed),
        ("lastmile_samples_total", (n_batches * N_SAMPLES) as f64),
        ("lastmile_duplicate_batches_total", n_again as f64),
        ("lastmile_refused_total", 0.0),
    ] {
        assert_eq!(exposition.total(name).1, wanted, "{name}");
    }
    let notes = format!(
        "{} pushes: {n_batches} counted, {n_again} told that they are duplicates",
        order.len()
    );
    let size = format!("{n_batches} batches");
    Row { size, seconds, start: resident_before, marks, deviation: 0.0, notes }
}

fn send(agg: &Aggregator, batch: u64, source: Source<'_>) -> lastmile::PushReport {
    let id = format!("batch-{batch:010}");
    let entries = (0..N_SAMPLES).map(|i| (i, (batch + i) % N_PAGES));
    let inc = batch % 10;
    let push = |format, body: String, source: &Source<'_>| {
        agg.push(format, body.as_bytes(), source, now()).expect("the batch decodes")
    };
    if batch.is_multiple_of(RECORD_ONE_IN) {
        let entries = entries.map(|(i, page)| {
            let (name, value) = match i % 2 {
                0 => ("page_views_total", format!("\"inc\":{inc}")),
                _ => ("load_seconds", "\"observations\":[0.25]".to_owned()),
            };
            format!(r#"{{"metricName":"{name}","labels":{{"page":"{page}"}},{value}}}"#)
        });
        let body = format!("[{}]", entries.collect::<Vec<_>>().join(","));
        return push(Format::Record, body, &source.idempotency_key(&id));
    }
    let entries = entries.map(|(i, page)| match i % 2 {
        0 => format!("\"page_views_total;page={page}\":{inc}"),
        _ => format!("\"load_seconds;page={page}\":[0.25]"),
    });
    let entries = entries.collect::<Vec<_>>().join(",");
    push(Format::Lm1, format!(r#"{{"lm":1,"id":"{id}","m":{{{entries}}}}}"#), &source)
}
