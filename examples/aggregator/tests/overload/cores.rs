//! The machine's cores, shared out.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Half of the cores that the calling thread may use, or the one that there is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    /// For the server, and for those who are to notice nothing.
    First,
    /// For who attacks. What the system has to do for what they send is mostly done here too.
    Second,
}

/// Keeps the calling thread, and threads and processes that it starts from now on, on these cores.
pub(crate) fn keep(half: Half) {
    let allowed = sched_getaffinity(None).expect("anyone may ask");
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
    let (first, second) = cores.split_at(cores.len() / 2);
    let chosen = if half == Half::First && !first.is_empty() { first } else { second };
    let mut set = CpuSet::new();
    chosen.iter().for_each(|core| set.set(*core));
    sched_setaffinity(None, &set).expect("they are its own");
}
