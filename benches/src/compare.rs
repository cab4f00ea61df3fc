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
    let whole = |work: &mut dyn FnMut()| (0..n_calls).for_each(|_| work());
    let comparison = compare_prepared(n_rounds, || (), |_| whole(&mut a), || (), |_| whole(&mut b));
    let n_calls = n_calls as f64;
    Comparison {
        a_nanos: comparison.a_nanos / n_calls,
        b_nanos: comparison.b_nanos / n_calls,
        ratio: comparison.ratio,
    }
}

/// The same of work that needs something made ready for each round. What it takes to make it and to drop it is not
/// measured.
pub fn compare_prepared<A, B>(
    n_rounds: usize,
    mut prepare_a: impl FnMut() -> A,
    mut a: impl FnMut(&mut A),
    mut prepare_b: impl FnMut() -> B,
    mut b: impl FnMut(&mut B),
) -> Comparison {
    let (mut a_nanos, mut b_nanos, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    // The first round is not counted: it warms caches and branch predictors.
    for round in 0..=n_rounds {
        let (a, b) = (time(prepare_a(), &mut a), time(prepare_b(), &mut b));
        if round > 0 {
            a_nanos.push(a);
            b_nanos.push(b);
            ratios.push(a / b);
        }
    }
    Comparison { a_nanos: median(a_nanos), b_nanos: median(b_nanos), ratio: median(ratios) }
}

/// CPU time that this takes, in nanoseconds.
fn time<T>(mut prepared: T, work: &mut impl FnMut(&mut T)) -> f64 {
    let start = thread_cpu();
    work(&mut prepared);
    (thread_cpu() - start).as_nanos() as f64
}

/// The value in the middle, of an even number the greater one.
///
/// # Panics
/// If there is none, or one compares with nothing.
pub fn median<T: Copy + PartialOrd>(mut values: Vec<T>) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).expect("values that compare"));
    values[values.len() / 2]
}
