//! How long a push takes while another thread scrapes: `cargo bench -p lastmile-benches --bench stall`.
//!
//! One thread pushes `lm1` lines of sixteen counters, one in two hundred of them to a new series;
//! another scrapes all series every 50 ms. Wall time, so it needs two cores that do nothing else: the
//! run without scrapes shows what the machine itself adds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use lastmile::{Aggregator, Format, ScrapeOptions, Source};
use lastmile_benches::{Batch, Shape, exposition, is_bench, now, print_host};

const SCRAPE_EVERY: Duration = Duration::from_millis(50);

fn main() {
    let (n_series, time) = if is_bench() {
        (200_000, Duration::from_secs(5))
    } else {
        (2_000, Duration::from_millis(100))
    };
    print_host();
    println!(
        "\n{:<24} {:>8} {:>8} {:>8} {:>8} {:>9}",
        "µs a push", "p50", "p99", "p99.9", "max", "scrapes"
    );
    for scrapes in [false, true] {
        let aggregator = Shape::Counter.aggregator();
        Shape::Counter.fill(&aggregator, n_series);
        let stop = AtomicBool::new(false);
        let (latency, n_pushes, n_scrapes) = std::thread::scope(|scope| {
            let scraper = scope.spawn(|| scrape_until(&stop, &aggregator, scrapes));
            let (latency, n_pushes) = push_for(time, &aggregator, n_series);
            stop.store(true, Ordering::Relaxed);
            (latency, n_pushes, scraper.join().expect("the scraper does not panic"))
        });
        let micros = |quantile| latency.value_at_quantile(quantile) as f64 / 1e3;
        println!(
            "{:<24} {:>8.1} {:>8.1} {:>8.1} {:>8.1} {n_scrapes:>9}",
            if scrapes { "while scraped" } else { "alone" },
            micros(0.5),
            micros(0.99),
            micros(0.999),
            latency.max() as f64 / 1e3,
        );
        let (_, total) = exposition(&aggregator).total(Shape::Counter.family());
        assert_eq!(total, (n_series + 16 * n_pushes) as f64);
    }
}

/// Pushes for this long. Answers the latencies in nanoseconds and how many pushes there were.
fn push_for(time: Duration, aggregator: &Aggregator, n_known: usize) -> (Histogram<u64>, usize) {
    let mut latency = Histogram::new(3).expect("3 digits are allowed");
    let mut known: Vec<Batch> = (0..1000)
        .map(|first| Shape::Counter.line((0..16).map(|i| (first * 16 + i * 7919) % n_known)))
        .collect();
    let (mut n_pushes, mut n_new) = (0_usize, 0);
    let start = Instant::now();
    while start.elapsed() < time {
        let is_new = n_pushes % 200 == 199;
        let mut new = is_new.then(|| {
            n_new += 1;
            Shape::Counter.line((0..15).chain([n_known + n_new]))
        });
        let batch_idx = n_pushes % known.len();
        let body = new.as_mut().unwrap_or(&mut known[batch_idx]).with_id(n_pushes as u64);
        let sent_at = Instant::now();
        let report = aggregator.push(Format::Lm1, body, &Source::default(), now());
        let nanos = sent_at.elapsed().as_nanos();
        latency
            .record(nanos.try_into().expect("a push ends within centuries"))
            .expect("it resizes");
        assert_eq!(report.expect("the line decodes").accepted(), 16);
        n_pushes += 1;
    }
    (latency, n_pushes)
}

/// Scrapes at the interval until told to stop. Answers how often.
fn scrape_until(stop: &AtomicBool, aggregator: &Aggregator, scrapes: bool) -> usize {
    let (mut chunk, mut n_scrapes) = (Vec::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(SCRAPE_EVERY);
        if !scrapes {
            continue;
        }
        let mut scrape = aggregator.scrape(ScrapeOptions::text(), now());
        while scrape.next_chunk(&mut chunk) {}
        scrape.complete(now());
        n_scrapes += 1;
    }
    n_scrapes
}
