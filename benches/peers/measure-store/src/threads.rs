use std::hint::black_box;
use std::sync::Barrier;

use crate::clock::{Stopwatch, cpu_nanos, pin_to_nth_core};
use crate::ingest::State;
use crate::workload::Draw;
use crate::{BATCH_LEN, Result, Store};

const N_INC: u64 = 10_000_000;
const N_PUSHES: usize = 300_000;
const N_BATCHES: usize = 20_000;

/// Batches of each thread, which it sends in turn.
const N_BATCHES_EACH: usize = 64;

/// CPU time of `inc` on a handle.
pub(crate) fn bound<S: Store>(state: &mut State<S>) -> f64 {
    let counter = state.store.counter();
    let nanos = cpu_nanos(|| {
        for _ in 0..N_INC {
            S::inc(black_box(&counter));
        }
    });
    state.n_inc += N_INC;
    nanos / N_INC as f64
}

/// Time of `inc` on one handle that two threads share.
pub(crate) fn bound_two<S: Store>(state: &mut State<S>) -> Result<f64> {
    let counter = state.store.counter();
    let nanos = two_threads([(), ()], |()| {
        for _ in 0..N_INC {
            S::inc(black_box(&counter));
        }
    })?;
    state.n_inc += 2 * N_INC;
    Ok(nanos / N_INC as f64)
}

/// Time of a push of one sample while another thread pushes to the same series.
pub(crate) fn hot_two<S: Store>(state: &mut State<S>) -> Result<f64> {
    let store = &state.store;
    let threads = [(); 2].map(|()| (store.scratch(), store.batch(&[0])));
    let nanos = two_threads(threads, |(mut scratch, mut batch)| {
        for _ in 0..N_PUSHES {
            store.push(&mut scratch, black_box(&mut batch));
        }
    })?;
    state.n_added += 2 * N_PUSHES as u64;
    Ok(nanos / N_PUSHES as f64)
}

/// Time of a sample while another thread pushes batches to series of the same store.
pub(crate) fn known_two<S: Store>(state: &mut State<S>) -> Result<f64> {
    let store = &state.store;
    let n_series = state.n_series;
    let threads = [1, 2].map(|seed| {
        let mut draw = Draw::new(n_series, seed);
        let batches: Vec<S::Batch> =
            (0..N_BATCHES_EACH).map(|_| store.batch(&draw.batch())).collect();
        (store.scratch(), batches)
    });
    let nanos = two_threads(threads, |(mut scratch, mut batches)| {
        for push in 0..N_BATCHES {
            store.push(&mut scratch, black_box(&mut batches[push % N_BATCHES_EACH]));
        }
    })?;
    let n_samples = N_BATCHES * BATCH_LEN;
    state.n_added += 2 * n_samples as u64;
    Ok(nanos / n_samples as f64)
}

/// Runs `work` on two threads that start together, each on a core of its own. The time of the slower one,
/// in nanoseconds: wall time, as CPU time would not show what a thread sleeps for a lock.
fn two_threads<T: Send>(of_each: [T; 2], work: impl Fn(T) + Sync) -> Result<f64> {
    let barrier = Barrier::new(2);
    let (barrier, work) = (&barrier, &work);
    std::thread::scope(|scope| {
        let mut n = 0;
        let threads = of_each.map(|own| {
            n += 1;
            scope.spawn(move || {
                let ready = pin_to_nth_core(n - 1).map_err(|error| error.to_string());
                barrier.wait();
                let watch = Stopwatch::start().map_err(|error| error.to_string());
                work(own);
                ready.and(watch).map(|watch| watch.elapsed().as_nanos() as f64)
            })
        });
        let mut slower = 0.0_f64;
        for thread in threads {
            slower = slower.max(thread.join().map_err(|_| "a thread panicked")??);
        }
        Ok(slower)
    })
}
