use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time that the calling thread has used. Unlike wall time it does not grow while another
/// process has the core, so a ratio of two measurements holds on a shared machine.
pub fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().expect("CPU time is not negative"),
        time.tv_nsec.try_into().expect("nanoseconds are under a billion"),
    )
}

/// What [`compare`] measured.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// Median CPU time of one call of the first, in nanoseconds.
    pub a_nanos: f64,
    /// Median CPU time of one call of the second, in nanoseconds.
    pub b_nanos: f64,
    /// Median over the rounds of the first's time by the second's.
    pub ratio: f64,
}

/// Measures two pieces of work side by side: each round runs `a` `n_calls` times and then `b`
/// `n_calls` times, so what slows the machine for a while slows both.
pub fn compare(
    n_rounds: usize,
    n_calls: usize,
    mut a: impl FnMut(),
    mut b: impl FnMut(),
) -> Comparison {
    let time = |work: &mut dyn FnMut()| {
        let start = thread_cpu();
        for _ in 0..n_calls {
            work();
        }
        (thread_cpu() - start).as_nanos() as f64 / n_calls as f64
    };
    // One round that is not counted warms caches and branch predictors.
    time(&mut a);
    time(&mut b);
    let (mut a_nanos, mut b_nanos, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..n_rounds {
        let (a, b) = (time(&mut a), time(&mut b));
        a_nanos.push(a);
        b_nanos.push(b);
        ratios.push(a / b);
    }
    Comparison { a_nanos: median(a_nanos), b_nanos: median(b_nanos), ratio: median(ratios) }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
