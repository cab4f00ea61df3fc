use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

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

/// Wall time of the calling thread but for that in which it was ready to run and something else had its
/// core. What it sleeps for a lock counts, what a busy machine does to it does not.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    start: Instant,
    /// Source: the kernel's `Documentation/scheduler/sched-stats.rst`, "/proc/<pid>/schedstat": the
    /// second number is the time spent waiting on a runqueue, in nanoseconds.
    schedstat: File,
    waited_before: Duration,
}

impl Stopwatch {
    /// Starts. It is of use to the thread that started it alone.
    pub(crate) fn start() -> Result<Self> {
        let schedstat = File::open("/proc/thread-self/schedstat")?;
        let waited_before = waited(&schedstat);
        Ok(Self { start: Instant::now(), schedstat, waited_before })
    }

    /// Takes about a microsecond.
    pub(crate) fn elapsed(&self) -> Duration {
        // In this order: what it waits in between only makes the time shorter than it was.
        let elapsed = self.start.elapsed();
        elapsed.saturating_sub(waited(&self.schedstat) - self.waited_before)
    }
}

fn waited(schedstat: &File) -> Duration {
    let mut text = [0; 64];
    let n_bytes = schedstat.read_at(&mut text, 0).expect("it was opened");
    let text = str::from_utf8(&text[..n_bytes]).expect("it is digits");
    let nanos = text.split(' ').nth(1).and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("it has three numbers"))
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
