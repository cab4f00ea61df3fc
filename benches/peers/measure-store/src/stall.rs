use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::clock::Stopwatch;
use crate::ingest::State;
use crate::workload::Draw;
use crate::{BATCH_LEN, Result, Sink, Store};

/// How long batches come.
const TIME: Duration = Duration::from_secs(2);

/// A batch is due so often: 160,000 samples a second, which every store here can take.
const BATCH_EVERY: Duration = Duration::from_micros(100);

/// One batch in so many has a series that is new, 0.3 % of all samples.
const NEW_EVERY: usize = 20;

/// How long the scraper sleeps after each scrape.
const SCRAPE_EVERY: Duration = Duration::from_millis(50);

/// How long a batch takes, in nanoseconds, from when it was due until it is counted; with `scrapes`,
/// while another thread scrapes.
///
/// Batches are due at a fixed pace, as pushes come, whether or not the last one is done. Were the next
/// sent only when the last is done, a stall of 100 ms would be one slow batch among many quick ones, and
/// no quantile would show it.
pub(crate) fn stall<S: Store>(state: &mut State<S>, scrapes: bool) -> Result<Histogram<u64>> {
    let mut draw = Draw::new(state.n_series, 3);
    let mut known: Vec<S::Batch> = (0..1000).map(|_| state.store.batch(&draw.batch())).collect();
    let n_batches = (TIME.as_nanos() / BATCH_EVERY.as_nanos()) as usize;
    let mut new: Vec<S::Batch> = (0..n_batches / NEW_EVERY)
        .map(|n_new| {
            let mut series = draw.batch();
            series[0] = state.n_series + n_new;
            state.store.batch(&series)
        })
        .collect();
    state.n_series += new.len();

    let (stop, watch) = (AtomicBool::new(false), Stopwatch::start()?);
    let (store, scratch) = (&state.store, &mut state.scratch);
    let latency = std::thread::scope(|scope| {
        scope.spawn(|| {
            while scrapes && !stop.load(Ordering::Relaxed) {
                store.encode(&mut Sink::discard());
                std::thread::sleep(SCRAPE_EVERY);
            }
        });
        let mut latency = Histogram::new(3).expect("3 digits are allowed");
        let mut new = new.iter_mut();
        for n_sent in 0..n_batches {
            let due = BATCH_EVERY * u32::try_from(n_sent).expect("there are few");
            // Not by sleeping: a thread that wakes up late would be counted as a stall.
            while watch.elapsed() < due {
                std::hint::spin_loop();
            }
            let n_known = known.len();
            let batch = if n_sent % NEW_EVERY == NEW_EVERY - 1 { new.next() } else { None };
            store.push(scratch, batch.unwrap_or(&mut known[n_sent % n_known]));
            let nanos = watch.elapsed().saturating_sub(due).as_nanos();
            latency.record(nanos.try_into().expect("it ends within centuries")).expect("resizes");
        }
        stop.store(true, Ordering::Relaxed);
        latency
    });
    state.n_added += (n_batches * BATCH_LEN) as u64;
    Ok(latency)
}
