//! The only place locks and atomics come from, so that a model checker can stand behind the same names.

pub(crate) use parking_lot::{Mutex, MutexGuard};
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// A value on cache lines of its own, so that two cores that write to neighbours do not share one.
///
/// 128 bytes: x86-64 prefetches lines in pairs and Apple's cores have lines of 128, see
/// `crossbeam_utils::CachePadded` 0.8, which pads to the same on both.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct CachePadded<T>(pub(crate) T);
