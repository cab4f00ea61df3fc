//! The same names with a model checker behind them. A schedule that failed must run again as it did, so
//! what is random elsewhere is fixed here: keys of hashes, which spread series over shards, and lanes.

use std::collections::hash_map::DefaultHasher;
use std::hash::BuildHasherDefault;
use std::sync::{PoisonError, TryLockError};

pub(crate) use foldhash::fast::FixedState as FastRandomState;

#[cfg(loom)]
use loom as checker;
#[cfg(shuttle)]
use shuttle as checker;

pub(crate) use checker::sync::MutexGuard;
pub(crate) use checker::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub(crate) use checker::thread::yield_now;

/// [`std::hash::RandomState`] with a key that is always the same.
pub(crate) type RandomState = BuildHasherDefault<DefaultHasher>;

/// The checker's, as parking_lot has it: not poisoned.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(checker::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(checker::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// The number of this thread in its execution.
#[cfg(shuttle)]
pub(crate) fn lane() -> usize {
    usize::from(shuttle::current::me())
}

/// What loom checks is smaller than what has lanes.
#[cfg(loom)]
pub(crate) fn lane() -> usize {
    0
}

/// The checkers choose who is next in any case.
pub(crate) fn unlock_fair<T>(guard: MutexGuard<'_, T>) {
    drop(guard);
}
