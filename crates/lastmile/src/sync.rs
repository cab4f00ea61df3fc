//! The only place locks, atomics and random keys come from, so that a model checker can stand behind the
//! same names: see [`models`](crate::models).

#[cfg(all(test, any(loom, shuttle)))]
mod checked;
#[cfg(all(test, any(loom, shuttle)))]
pub(crate) use checked::*;

#[cfg(not(all(test, any(loom, shuttle))))]
pub(crate) use std::{
    hash::RandomState,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    thread::yield_now,
};

#[cfg(not(all(test, any(loom, shuttle))))]
pub(crate) use foldhash::fast::RandomState as FastRandomState;
#[cfg(not(all(test, any(loom, shuttle))))]
pub(crate) use parking_lot::{Mutex, MutexGuard};

/// Gives a lock to whoever waits for it. For loops that take it again at once: left to chance, they get it
/// before a waiter has woken up, for half a millisecond on end.
#[cfg(not(all(test, any(loom, shuttle))))]
pub(crate) fn unlock_fair<T>(guard: MutexGuard<'_, T>) {
    MutexGuard::unlock_fair(guard);
}

/// A value on cache lines of its own, so that two cores that write to neighbours do not share one.
///
/// 128 bytes: x86-64 prefetches lines in pairs and Apple's cores have lines of 128, see
/// `crossbeam_utils::CachePadded` 0.8, which pads to the same on both.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct CachePadded<T>(pub(crate) T);

/// A small number that this thread keeps and few others have, for what is kept once for each lane.
#[cfg(not(all(test, any(loom, shuttle))))]
#[inline]
pub(crate) fn lane() -> usize {
    use std::cell::Cell;

    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static LANE: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    LANE.with(|lane| {
        if lane.get() == usize::MAX {
            lane.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        lane.get()
    })
}

/// A number that no other call in this process gives. No model counts on which it is, so the checkers need
/// not see it.
pub(crate) fn unique() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};

    // Only that no two are equal matters, which holds in any ordering.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
