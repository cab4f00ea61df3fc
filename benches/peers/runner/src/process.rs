use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Sub;
use std::process::Child;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Result;

/// A core's number.
pub(crate) type Core = usize;

/// The first two cores that this process may use: the server's, and the load generator's.
pub(crate) fn two_cores() -> Result<(Core, Core)> {
    let allowed = sched_getaffinity(None)?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    match (cores.next(), cores.next()) {
        (Some(server), Some(load)) => Ok((server, load)),
        _ => Err("two cores are needed: one for the server, one for the load".into()),
    }
}

/// Keeps the calling thread, and processes that it starts from now on, on one core.
pub(crate) fn pin(core: Core) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// A server's process, killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) public: SocketAddr,
    pub(crate) private: SocketAddr,
}

impl Server {
    pub(crate) fn new(child: Child) -> Self {
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { child, public: nowhere, private: nowhere }
    }

    /// CPU time of all the process' threads so far, in steps of the system's clock tick (10 ms).
    /// Source: proc_pid_stat(5), fields 14 `utime` and 15 `stime`.
    pub(crate) fn cpu_time(&self) -> Result<CpuTime> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The second field is the program's name in parentheses, which may contain anything.
        let (_, fields) = stat.rsplit_once(") ").ok_or("the program has a name")?;
        let ticks: Vec<u64> = fields
            .split(' ')
            .skip(11)
            .take(2)
            .map(str::parse)
            .collect::<std::result::Result<_, _>>()?;
        let [user, system] = ticks[..] else {
            return Err("a field is missing".into());
        };
        let tick = Duration::from_secs(1) / u32::try_from(rustix::param::clock_ticks_per_second())?;
        Ok(CpuTime { user: tick * u32::try_from(user)?, system: tick * u32::try_from(system)? })
    }

    /// The most memory that was resident at once. Source: proc_pid_status(5), `VmHWM`.
    pub(crate) fn rss_bytes_max(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib =
            line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("`VmHWM` is missing")?;
        Ok(1024 * kib.parse::<u64>()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time in the program and in the kernel on its behalf.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuTime {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

impl Sub for CpuTime {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self { user: self.user - before.user, system: self.system - before.system }
    }
}
