//! A batch that comes again is counted once, however it comes.

use std::sync::Barrier;

use lastmile::{Aggregator, Family, Format, Limits, PushReport, Refusal, Schema, Source};

use crate::expo;
use crate::oracle::start;

fn aggregator() -> Aggregator {
    let schema = Schema::builder().family(Family::counter("n_total")).build().unwrap();
    Aggregator::new(schema, Limits::default(), start()).unwrap()
}

fn line(id: u64, n: u64) -> String {
    format!(r#"{{"lm":1,"id":"batch-{id:016}","m":{{"n_total":{n}}}}}"#)
}

fn push(agg: &Aggregator, body: &str, source: &Source<'_>) -> PushReport {
    let format = if body.starts_with('[') { Format::Record } else { Format::Lm1 };
    agg.push(format, body.as_bytes(), source, start()).unwrap()
}

fn exposition(agg: &Aggregator) -> expo::Exposition {
    let mut text = Vec::new();
    agg.encode_to(&mut text, start()).unwrap();
    expo::parse(&text)
}

/// Pushes in order; what of each is (accepted, duplicate, refused), and the total in the end.
fn check(pushes: &[(&str, Source<'_>, (u64, u64, u64))], total: f64) {
    let agg = aggregator();
    for (i, (body, source, expect)) in pushes.iter().enumerate() {
        let report = push(&agg, body, source);
        let got = (report.accepted(), report.duplicate_samples(), report.n_refused());
        assert_eq!(got, *expect, "push {i}: {body}");
        let conflicts =
            report.refused().filter(|(why, _)| *why == Refusal::IdConflict).map(|(_, n)| n);
        assert_eq!(conflicts.sum::<u64>(), expect.2, "push {i}");
    }
    let exposition = exposition(&agg);
    assert_eq!(exposition.total("n_total"), total);
    let duplicates: u64 = pushes.iter().map(|(_, _, (_, duplicate, _))| duplicate).sum();
    assert_eq!(
        exposition.total("lastmile_duplicate_batches_total"),
        duplicates as f64,
        "one sample a batch"
    );
}

#[test]
fn once_is_once() {
    let none = Source::default();
    let (a, b, other) = (line(1, 5), line(2, 7), line(1, 6));
    let both = format!("{b}\n{a}\n");
    let spaced = format!("  {a}\r\n");
    check(&[(&a, none, (1, 0, 0)), (&a, none, (0, 1, 0)), (&b, none, (1, 0, 0))], 12.0);
    check(&[(&a, none, (1, 0, 0)), (&both, none, (1, 1, 0)), (&spaced, none, (0, 1, 0))], 12.0);
    check(&[(&a, none, (1, 0, 0)), (&other, none, (0, 0, 1)), (&a, none, (0, 1, 0))], 5.0);
    let (here, there) = (none.origin("https://a.example"), none.origin("https://b.example"));
    check(&[(&a, here, (1, 0, 0)), (&a, there, (1, 0, 0)), (&a, here, (0, 1, 0))], 10.0);
    let (home, away) = (none.addr([10, 0, 0, 1].into()), none.addr([192, 0, 2, 1].into()));
    check(&[(&a, home, (1, 0, 0)), (&a, away, (0, 1, 0))], 5.0);
}

#[test]
fn a_key_names_the_whole_body() {
    let key = Source::default().idempotency_key("a-key-of-16-bytes");
    let other_key = Source::default().idempotency_key("another-key-of-16");
    let record = r#"[{"metricName":"n_total","inc":2}]"#;
    let changed = r#"[{"metricName":"n_total","inc":3}]"#;
    check(
        &[(record, key, (1, 0, 0)), (record, key, (0, 1, 0)), (record, other_key, (1, 0, 0))],
        4.0,
    );
    check(&[(record, key, (1, 0, 0)), (changed, key, (0, 0, 1))], 2.0);
    check(&[(record, Source::default(), (1, 0, 0)), (record, Source::default(), (1, 0, 0))], 4.0);
    // A short key may be anyone's.
    let short = Source::default().idempotency_key("1");
    check(&[(record, short, (1, 0, 0)), (changed, short, (1, 0, 0))], 5.0);
    // Lines without an id are named by the key and their number.
    let lines = "{\"lm\":1,\"m\":{\"n_total\":1}}\n{\"lm\":1,\"m\":{\"n_total\":1}}";
    check(&[(lines, key, (2, 0, 0)), (lines, key, (0, 2, 0))], 2.0);
}

#[test]
fn every_batch_sent_twice_shuffled_and_at_once_is_exact() {
    let agg = aggregator();
    let threads = 4;
    let batches = 2_000;
    let barrier = Barrier::new(threads);
    let (accepted, duplicate) = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|t| {
                let (agg, barrier) = (&agg, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    let mut counts = (0, 0);
                    // Each thread sends all of them, in an order of its own.
                    let stride = [1, 3, 7, 11][t];
                    for i in 0..batches {
                        let body = line((i * stride) % batches, 1);
                        let report = push(agg, &body, &Source::default());
                        counts.0 += report.accepted();
                        counts.1 += report.duplicate_samples();
                    }
                    counts
                })
            })
            .collect();
        workers.into_iter().map(|w| w.join().unwrap()).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    });
    assert_eq!((accepted, duplicate), (batches, batches * (threads as u64 - 1)));
    assert_eq!(exposition(&agg).total("n_total"), batches as f64);
}
