//! Hostile label values without end, and what already exists is counted on.

use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lastmile::{Aggregator, Limits, Timestamp};
use lastmile_benches::now;

use crate::families::{N_FIXED, aggregator, describe};
use crate::memory::{MIB, heap, resident};
use crate::reader::Reader;
use crate::sender::{Ledger, Sender};
use crate::table::Row;

const THREADS: u64 = 4;

/// The budget for series in the full size. A small run has less, so that it fills all the same.
const BYTES: u64 = 64 << 20;
/// Series of a family, where they are what limits.
const SERIES: u64 = 10_000;
/// Pushes from which on the budget is that of the full size.
const PUSHES_FOR_BYTES: u64 = 1_000_000;
/// The same while series come and go. Tables from which much is taken one by one grow to twice the size, and
/// have done so when a quarter of the pushes is over.
const PUSHES_FOR_TURNS: u64 = 4_000_000;
/// Pushes from which on the memory for ids is that of the full size: it is full after a tenth of them.
const PUSHES_FOR_IDS: u64 = 10_000_000;

/// How much resident memory may grow between a quarter of the pushes and the end, beside 2 MiB. Nothing is
/// meant to: what is allowed is what a heap does that never moves anything. Where series come and go, blocks
/// made by one thread are freed by another, and holes stay: 10 % were measured, ever slower (with one arena
/// for all threads 7 %), while the live heap did not grow.
const GROWTH_MAX: f64 = 0.05;
const GROWTH_MAX_IN_TURNS: f64 = 0.15;
const GROWTH_BYTES_MAX: f64 = 2.0 * MIB;

/// When resident memory is looked at, in hundredths of the pushes.
const MARKS: [u64; 4] = [10, 25, 50, 75];

/// Fewest bytes of the budget that stand for one line of the exposition.
const LINE_BYTES_MIN: u64 = 80;

/// Times that the existing series are made, by as many batches, so that the memory for ids, which is taken
/// once for each of its parts, is there before anything is measured.
const IDS_FIRST: usize = 100;

/// Time to live of series, where time passes, and how much of it does in each round.
const TTL: Duration = Duration::from_secs(45);
const ROUND: Duration = Duration::from_secs(15);

/// What limits the flood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// The byte budget; no time passes.
    Bytes,
    /// Series per family, and values of some labels.
    Series,
    /// The byte budget, while time passes and what is idle leaves.
    Time,
}

/// What the threads share.
struct Flood {
    agg: Aggregator,
    /// The budget, and most series of a family.
    bytes: u64,
    series: u32,
    n_pushes: u64,
    /// Pushes by each thread.
    sent: [AtomicU64; THREADS as usize],
    /// Seconds since the start.
    clock: AtomicU64,
    done: AtomicBool,
}

impl Flood {
    fn new(limit: Limit, n_pushes: u64) -> Self {
        let scaled = |full: u64, pushes: u64| full * n_pushes.min(pushes) / pushes;
        let bytes = match limit {
            Limit::Time => scaled(BYTES, PUSHES_FOR_TURNS),
            _ => scaled(BYTES, PUSHES_FOR_BYTES),
        };
        let ids_bytes = scaled(Limits::default().ids_bytes_max(), PUSHES_FOR_IDS);
        let limits = Limits::default().bytes(bytes).ids_bytes(ids_bytes);
        let (series, values) = match limit {
            Limit::Series => {
                let series = scaled(SERIES, PUSHES_FOR_BYTES) as u32;
                (series, N_FIXED as u32 + series / 100)
            }
            _ => (u32::MAX, u32::MAX),
        };
        let ttl = (limit == Limit::Time).then_some(TTL);
        Self {
            agg: aggregator(limits.series_per_family(series), values, ttl),
            bytes,
            series,
            n_pushes,
            sent: Default::default(),
            clock: AtomicU64::new(0),
            done: AtomicBool::new(false),
        }
    }

    fn n_sent(&self) -> u64 {
        self.sent.iter().map(|sent| sent.load(Ordering::Relaxed)).sum()
    }

    fn now(&self) -> Timestamp {
        now().after(Duration::from_secs(self.clock.load(Ordering::Relaxed)))
    }

    fn advance(&self, time: Duration) {
        self.clock.fetch_add(time.as_secs(), Ordering::Relaxed);
        self.agg.tick(self.now());
    }

    /// Until every thread has sent something since, so that none still has a time from before.
    fn wait_for_all(&self, n_pushes: u64) {
        let share = self.n_pushes / THREADS;
        let before: Vec<u64> = self.sent.iter().map(|n| n.load(Ordering::Acquire)).collect();
        let n_before: u64 = before.iter().sum();
        loop {
            let lags = |(n, before): (&AtomicU64, &u64)| {
                n.load(Ordering::Acquire) < (before + 2).min(share)
            };
            let left = self.n_pushes - self.n_sent();
            let is_enough = self.n_sent() >= n_before + n_pushes || left == 0;
            if is_enough && !self.sent.iter().zip(&before).any(lags) {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Runs one flood.
///
/// # Panics
/// At the first law that does not hold.
pub(crate) fn run(limit: Limit, n_pushes: u64) -> Row {
    let flood = Flood::new(limit, n_pushes.next_multiple_of(THREADS));
    let reserved = flood.agg.bytes_used();
    let mut reader = match limit {
        Limit::Time => Reader::prometheus((flood.bytes / LINE_BYTES_MIN) as usize),
        _ => Reader::live(),
    };
    reader.scrape(&flood.agg, flood.now(), || {});
    let mut first = Sender::new(THREADS);
    for _ in 0..IDS_FIRST {
        first.make_fixed(&flood.agg, flood.now());
    }
    let heap_before = heap();
    let heap_grown = || (heap() as f64 - heap_before as f64) / MIB;
    let (resident_before, start) = (resident(), Instant::now());
    let ledger = Mutex::new(first.ledger);
    let (mut marks, mut heap_filled) = (Vec::new(), 0.0);
    thread::scope(|scope| {
        let pushers: Vec<_> = (0..THREADS)
            .map(|t| {
                let (flood, ledger) = (&flood, &ledger);
                scope.spawn(move || push(flood, t, ledger))
            })
            .collect();
        let scraper = scope.spawn(|| match limit {
            Limit::Time => scrape_as_time_passes(&flood, &mut reader),
            _ => scrape_now_and_then(&flood, &mut reader),
        });
        for mark in MARKS {
            while flood.n_sent() * 100 < flood.n_pushes * mark {
                thread::sleep(Duration::from_millis(5));
            }
            marks.push(resident());
            if mark == MARKS[0] {
                heap_filled = heap_grown();
            }
        }
        pushers.into_iter().for_each(|pusher| pusher.join().expect("it did not panic"));
        flood.done.store(true, Ordering::Release);
        scraper.join().expect("it did not panic");
    });
    marks.push(resident());
    let seconds = start.elapsed().as_secs_f64();
    let (charged, heap_end) = (flood.agg.bytes_used(), heap_grown());
    let ledger = ledger.into_inner().expect("nobody panicked");

    // To who adds up increases, one scrape shows the last series at 0 and the next what they stand at.
    for _ in 0..2 {
        flood.advance(if limit == Limit::Time { ROUND } else { Duration::ZERO });
        reader.scrape(&flood.agg, flood.now(), || {});
    }
    let deviation = check(&flood, &reader, &ledger);
    let mut notes = format!(
        "{} samples counted, {} refused; {} scrapes, the last of {} lines; {:.1} of {:.1} MiB charged, \
         heap but for ids {heap_filled:.1} MiB when filled and {heap_end:.1} at the end, {:.2} × the charge",
        ledger.accepted,
        ledger.refused,
        reader.n_scrapes,
        reader.n_lines,
        charged as f64 / MIB,
        flood.bytes as f64 / MIB,
        heap_end * MIB / charged as f64,
    );
    match limit {
        Limit::Bytes => assert!(charged > flood.bytes / 100 * 97, "{charged} are no flood"),
        Limit::Series => {
            let n_most = reader.own("lastmile_series{family=\"errors_total\"}");
            assert_eq!(n_most, f64::from(flood.series), "no flood");
        }
        Limit::Time => {
            let n_left = reader.own("lastmile_series_expired_total");
            drain(&flood, &mut reader, reserved);
            let _ = write!(
                notes,
                "; {n_left} series had left, and when all have, heap {:.1} MiB, resident {:.1}",
                heap_grown(),
                resident() as f64 / MIB
            );
        }
    }
    let size = format!("{} pushes", flood.n_pushes);
    Row { size, seconds, start: resident_before, marks, deviation, notes }
}

/// What must be as it was after a quarter of the pushes.
pub(crate) fn check_growth(limit: Limit, row: &Row) {
    let (quarter, end) = (row.marks[1] as f64, row.marks[MARKS.len()] as f64);
    let growth_max = if limit == Limit::Time { GROWTH_MAX_IN_TURNS } else { GROWTH_MAX };
    assert!(
        end <= quarter * (1.0 + growth_max) + GROWTH_BYTES_MAX,
        "resident memory grew from {:.1} to {:.1} MiB",
        quarter / MIB,
        end / MIB
    );
}

/// When nobody pushes any more, every series leaves with all of its bytes.
fn drain(flood: &Flood, reader: &mut Reader, reserved: u64) {
    let n_rounds = 2 * TTL.as_secs() / ROUND.as_secs() + 2;
    for _ in 0..n_rounds {
        flood.advance(ROUND);
        reader.scrape(&flood.agg, flood.now(), || {});
    }
    assert_eq!(flood.agg.bytes_used(), reserved, "bytes stay charged when all series have left");
}

fn push(flood: &Flood, t: u64, ledger: &Mutex<Ledger>) {
    let mut sender = Sender::new(t);
    for n in 1..=flood.n_pushes / THREADS {
        sender.send(&flood.agg, flood.now());
        flood.sent[t as usize].store(n, Ordering::Release);
    }
    ledger.lock().expect("nobody panicked").add(&sender.ledger);
}

fn scrape_now_and_then(flood: &Flood, reader: &mut Reader) {
    while !flood.done.load(Ordering::Acquire) {
        flood.agg.tick(flood.now());
        reader.scrape(&flood.agg, flood.now(), || {});
        assert!(flood.agg.bytes_used() <= flood.bytes);
        thread::sleep(Duration::from_millis(100));
    }
}

/// The reader sets the pace, so that it never is away for long: a round of time for each scrape, of which
/// a part passes while the scrape is under way.
fn scrape_as_time_passes(flood: &Flood, reader: &mut Reader) {
    let n_rounds = 200;
    while !flood.done.load(Ordering::Acquire) {
        let n_steps = 5;
        for _ in 1..n_steps {
            flood.advance(ROUND / n_steps);
            flood.wait_for_all(flood.n_pushes / n_rounds / u64::from(n_steps));
        }
        let mut n_chunks = 0;
        reader.scrape(&flood.agg, flood.now(), || {
            n_chunks += 1;
            if n_chunks == 20 {
                flood.advance(ROUND / n_steps);
            }
        });
        if n_chunks < 20 {
            flood.advance(ROUND / n_steps);
        }
    }
}

/// Compares what was read with what was sent; gives the largest difference, which is 0.
fn check(flood: &Flood, reader: &Reader, ledger: &Ledger) -> f64 {
    let mut largest = 0;
    for (cell, (found, wanted)) in reader.cells.iter().zip(&ledger.cells).enumerate() {
        let difference = found.abs_diff(*wanted);
        assert!(
            difference == 0,
            "{}: {} was sent and {} read",
            describe(cell),
            *wanted as f64 / 4.0,
            *found as f64 / 4.0
        );
        largest = largest.max(difference);
    }
    let own = |name: &str, wanted: u64| assert_eq!(reader.own(name), wanted as f64, "{name}");
    own("lastmile_samples_total", ledger.accepted);
    own("lastmile_refused_total", ledger.refused);
    own("lastmile_duplicate_batches_total", 0);
    for (name, n) in reader.own.iter().filter(|(name, _)| name.starts_with("lastmile_series{")) {
        assert!(*n <= f64::from(flood.series), "{name} {n}");
    }
    largest as f64 / 4.0
}
