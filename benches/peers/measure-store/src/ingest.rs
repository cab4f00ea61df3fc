use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::clock::{cpu_nanos, rss_bytes};
use crate::workload::Draw;
use crate::{BATCH_LEN, FAMILY, HOST_FAMILY, Result, Sink, Store};

/// Batches that `known` goes through before the ones that are timed.
const N_BATCHES_WARM_UP: usize = 256;

/// Batches between two readings of the clock: few enough to stay in the caches, and enough that reading
/// it, a call of the system, is a nanosecond a sample.
const N_BATCHES_AT_ONCE: usize = 16;

/// How long encoding is repeated, so that a quick encoder is not timed once alone.
const ENCODE_FOR: Duration = Duration::from_millis(500);

/// A store and what was added to it.
pub(crate) struct State<S: Store> {
    pub(crate) store: S,
    pub(crate) scratch: S::Scratch,
    pub(crate) n_series: usize,
    /// What the exposition must add up to.
    pub(crate) n_added: u64,
    pub(crate) n_inc: u64,
    /// Both sums as they were when the exposition was last checked.
    checked: Option<(u64, u64)>,
}

/// A store that has its series, and what that took.
pub(crate) struct Filled<S: Store> {
    pub(crate) state: State<S>,
    /// CPU time of one series.
    pub(crate) create_nanos: f64,
    /// Resident memory of one series.
    pub(crate) bytes: f64,
}

/// Makes `n_series` series by batches of which all samples are new.
pub(crate) fn fill<S: Store>(n_series: usize) -> Result<Filled<S>> {
    let store = S::new();
    let scratch = store.scratch();
    let mut state = State { store, scratch, n_series, n_added: 0, n_inc: 0, checked: None };
    let series: Vec<usize> = (0..n_series).collect();
    let before = rss_bytes()?;
    let nanos = push_all(&mut state, series.chunks(BATCH_LEN));
    let bytes = rss_bytes()? - before;
    let n_series = n_series as f64;
    Ok(Filled { state, create_nanos: nanos / n_series, bytes: bytes / n_series })
}

/// CPU time of a sample to a series that exists, in batches to series at random.
pub(crate) fn known<S: Store>(state: &mut State<S>, n_samples: usize) -> f64 {
    let mut draw = Draw::new(state.n_series, 1);
    let batches: Vec<Vec<usize>> = (0..n_samples / BATCH_LEN).map(|_| draw.batch()).collect();
    push_all(state, batches.iter().take(N_BATCHES_WARM_UP));
    push_all(state, batches.iter()) / n_samples as f64
}

/// CPU time of pushing these batches, in nanoseconds. Each is made shortly before it is pushed, so that
/// a store finds it in the caches as a decoder leaves it there; making it is not timed.
fn push_all<S: Store>(
    state: &mut State<S>,
    batches: impl Iterator<Item = impl AsRef<[usize]>>,
) -> f64 {
    let mut batches = batches.peekable();
    let mut nanos = 0.0;
    while batches.peek().is_some() {
        let mut group = Vec::with_capacity(N_BATCHES_AT_ONCE);
        for series in batches.by_ref().take(N_BATCHES_AT_ONCE) {
            state.n_added += series.as_ref().len() as u64;
            group.push(state.store.batch(series.as_ref()));
        }
        nanos += cpu_nanos(|| {
            for batch in &mut group {
                state.store.push(&mut state.scratch, black_box(batch));
            }
        });
    }
    nanos
}

/// Median CPU time of a series' line.
pub(crate) fn encode<S: Store>(state: &mut State<S>) -> Result<f64> {
    // The first one, which is checked, is not timed: it finds neither its buffers nor its code warm.
    state.check()?;
    let (start, mut times) = (Instant::now(), Vec::new());
    while times.is_empty() || start.elapsed() < ENCODE_FOR {
        let mut sink = Sink::discard();
        times.push(cpu_nanos(|| state.store.encode(&mut sink)));
        if sink.n_bytes() < state.n_series * FAMILY.len() {
            return Err("the exposition is too short".into());
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2] / state.n_series as f64)
}

impl<S: Store> State<S> {
    /// Fails unless what was added is what is exposed.
    pub(crate) fn check(&mut self) -> Result<()> {
        if self.checked == Some((self.n_added, self.n_inc)) {
            return Ok(());
        }
        let mut sink = Sink::keep();
        self.store.encode(&mut sink);
        let (n_lines, sum) = sink.total(FAMILY)?;
        // A store may expose rows of its own beside the ones that were pushed.
        if n_lines < self.n_series || sum != self.n_added as f64 {
            let (n_series, n_added) = (self.n_series, self.n_added);
            return Err(
                format!("{n_lines} series add up to {sum}, not {n_series} to {n_added}").into()
            );
        }
        let (_, sum) = sink.total(HOST_FAMILY)?;
        if sum != self.n_inc as f64 {
            return Err(format!("`{HOST_FAMILY}` adds up to {sum}, not {}", self.n_inc).into());
        }
        self.checked = Some((self.n_added, self.n_inc));
        Ok(())
    }
}
