//! Order and threads make no difference.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use lastmile::{Aggregator, Family, Format, Label, Limits, ScrapeOptions};
use proptest::prelude::*;

use super::{aggregator, inc, push, read, text};
use crate::expo;
use crate::oracle::start;
use crate::pushes::config;

/// The user's lines, sorted.
fn sorted(agg: &Aggregator) -> Vec<String> {
    let text = text(agg);
    let mut lines: Vec<String> =
        text.lines().filter(|line| !line.contains("lastmile_")).map(str::to_owned).collect();
    lines.retain(|line| !line.contains("metrics_aggregator_record_total"));
    lines.sort();
    lines
}

proptest! {
    #![proptest_config(config(24))]

    /// The same samples in any order, split among threads, give the same bytes but for row order.
    #[test]
    fn order_does_not_matter(
        samples in proptest::collection::vec((0..4usize, 0..30u32, 0.0..5000.0f64, any::<bool>()), 200)
            .prop_map(|samples| samples.into_iter().map(|(f, page, value, tiny)| {
                let value = if tiny { value * 1e-9 } else { value };
                match f {
                    0 => inc("views_total", &[("page", &format!("p{page}"))], &value.to_string()),
                    1 => inc("plain_total", &[], &value.to_string()),
                    2 => format!(r#"{{"metricName":"plain_seconds","observations":[{value},{page}]}}"#),
                    _ => format!(r#"{{"metricName":"view_seconds","labels":{{"page":{page}}},"observations":[{value}]}}"#),
                }
            }).collect::<Vec<_>>()),
        shuffled in Just((0..200usize).collect::<Vec<_>>()).prop_shuffle(),
        batch in 1..20usize,
    ) {
        let families = || [
            Family::counter("views_total").label(Label::open("page", 30)),
            Family::counter("plain_total"),
            Family::histogram("plain_seconds", [0.1, 10.0]),
            Family::histogram("view_seconds", [0.1, 10.0]).label(Label::open("page", 30)),
        ];
        let one_by_one = aggregator(families(), Limits::default());
        for sample in &samples {
            push(&one_by_one, Format::Record, &format!("[{sample}]"));
        }
        let together = aggregator(families(), Limits::default());
        thread::scope(|scope| {
            for part in shuffled.chunks(50) {
                let (together, samples) = (&together, &samples);
                scope.spawn(move || {
                    for batch in part.chunks(batch) {
                        let entries: Vec<&str> = batch.iter().map(|&i| samples[i].as_str()).collect();
                        push(together, Format::Record, &format!("[{}]", entries.join(",")));
                    }
                });
            }
        });
        prop_assert_eq!(sorted(&one_by_one), sorted(&together));
    }
}

#[test]
fn threads_lose_nothing_and_scrapes_stay_whole() {
    const THREADS: u64 = 4;
    const PUSHES: u64 = 500;
    let agg = aggregator(
        [
            Family::counter("views_total").label(Label::open("page", 50)),
            Family::histogram("view_seconds", [0.5, 1.5]).label(Label::open("page", 1000)),
            Family::counter("bound_total"),
        ],
        Limits::default(),
    );
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let pushers: Vec<_> = (0..THREADS)
            .map(|t| {
                let agg = agg.clone();
                scope.spawn(move || {
                    let bound = agg.counter("bound_total", &[]).unwrap();
                    for n in 0..PUSHES {
                        let page = format!("p{}", (n * (t + 1)) % 97);
                        let body = format!(
                            "{{\"lm\":1,\"m\":{{\"views_total;page={page}\":2,\"view_seconds;page={page}\":[1,[2,3]],\"bound_total\":1}}}}"
                        );
                        push(&agg, Format::Lm1, &body);
                        bound.inc();
                    }
                })
            })
            .collect();
        let scraper = scope.spawn(|| {
            let (mut last, mut n_scrapes) = (0.0, 0);
            while !done.load(Ordering::Acquire) || n_scrapes == 0 {
                let mut scrape = agg.scrape(ScrapeOptions::text(), start());
                let (mut text, mut chunk) = (Vec::new(), Vec::new());
                while scrape.next_chunk(&mut chunk) {
                    text.extend_from_slice(&chunk);
                }
                scrape.complete(start());
                let exposition = expo::parse(&text);
                let total = exposition.total("views_total");
                assert!(total >= last, "{total} after {last}");
                // Every push observes 1 once and 2 three times, so each series has its multiples of 4.
                for sample in exposition.samples().filter(|s| s.name == "view_seconds_count") {
                    assert_eq!(sample.value() % 4.0, 0.0, "{sample:?}");
                }
                (last, n_scrapes) = (total, n_scrapes + 1);
            }
            n_scrapes
        });
        for pusher in pushers {
            pusher.join().unwrap();
        }
        done.store(true, Ordering::Release);
        let n_scrapes = scraper.join().unwrap();
        let n = (THREADS * PUSHES) as f64;
        let exposition = read(&agg);
        assert_eq!(exposition.total("views_total"), 2.0 * n);
        assert_eq!(exposition.total("view_seconds_count"), 4.0 * n);
        assert_eq!(exposition.total("view_seconds_sum"), 7.0 * n);
        assert_eq!(exposition.total("bound_total"), 2.0 * n);
        assert_eq!(exposition.total("lastmile_samples_total"), 4.0 * n);
        let labels = [("result", "complete")];
        assert_eq!(exposition.value("lastmile_scrapes_total", &labels), Some(f64::from(n_scrapes)));
        assert_eq!(exposition.total("lastmile_refused_total"), 0.0);
    });
}
