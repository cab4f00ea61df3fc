//! Work whose panic is answered, and ends nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::problem::Problem;

/// Runs what a body may bring to panic, by a mistake in a decoder or in a library that inflates. Without this the
/// connection would end without an answer, whereupon a browser sends the same once more by itself.
///
/// Nobody sees what was left half done: nothing of a batch is applied before all of it is decoded, buffers go with what
/// unwinds, and locks and leases are given back. The panic's hook has told where it was.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Problem::panicked()))
}

#[cfg(test)]
pub(crate) mod tests;
