use std::fs;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use crate::Result;

/// CPU time that the calling thread has used. It does not grow while another process has the core, so
/// it holds on a shared machine where wall time does not.
pub(crate) fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().expect("CPU time is not negative"),
        time.tv_nsec.try_into().expect("nanoseconds are under a billion"),
    )
}

/// CPU time of `work`, in nanoseconds.
pub(crate) fn cpu_nanos(work: impl FnOnce()) -> f64 {
    let start = thread_cpu();
    work();
    (thread_cpu() - start).as_nanos() as f64
}

/// Memory of this process that is resident. It counts what a series really takes, the allocator's own
/// part and a table's touched slack included, and no allocator has to count beside what is timed.
/// Source: `proc_pid_smaps(5)`, `Rss` of the roll-up, which is exact where `statm` lags behind.
pub(crate) fn rss_bytes() -> Result<f64> {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("`Rss` is missing")?;
    Ok(1024.0 * kib.trim().parse::<f64>()?)
}

/// Keeps the calling thread on the `n`th core that it may use: two threads that shared one would not
/// contend.
pub(crate) fn pin_to_nth_core(n: usize) -> Result<()> {
    let allowed = sched_getaffinity(None)?;
    let core = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).nth(n);
    let mut set = CpuSet::new();
    set.set(core.ok_or("two cores are needed: one for each thread")?);
    Ok(sched_setaffinity(None, &set)?)
}
