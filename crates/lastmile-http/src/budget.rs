//! The bytes that all bodies in flight share.

use std::borrow::Borrow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many bytes for all bodies together, from when they come until they are applied.
///
/// Relaxed orderings suffice: the number guards no other memory.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    max: usize,
}

impl Budget {
    pub(crate) fn new(max: usize) -> Self {
        Self { used: AtomicUsize::new(0), max }
    }

    /// Nothing yet, for one body.
    pub(crate) fn share(&self) -> Share<&Self> {
        Share { budget: self, bytes: 0 }
    }
}

/// The bytes of one body, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share<B: Borrow<Budget>> {
    budget: B,
    bytes: usize,
}

impl<B: Borrow<Budget>> Share<B> {
    /// Takes `more` bytes, or changes nothing.
    #[must_use]
    pub(crate) fn take(&mut self, more: usize) -> bool {
        let budget = self.budget.borrow();
        // The one shared line is written once: what was too much is given back at once.
        let before = budget.used.fetch_add(more, Ordering::Relaxed);
        let fits = before.checked_add(more).is_some_and(|total| total <= budget.max);
        if fits {
            self.bytes += more;
        } else {
            budget.used.fetch_sub(more, Ordering::Relaxed);
        }
        fits
    }

    /// Takes what is missing to `total` bytes, or changes nothing.
    #[must_use]
    pub(crate) fn take_up_to(&mut self, total: usize) -> bool {
        self.take(total.saturating_sub(self.bytes))
    }

    /// The same bytes, for work that outlives this call. Both are of one budget.
    pub(crate) fn into_owned(mut self, budget: &Arc<Budget>) -> Share<Arc<Budget>> {
        debug_assert!(std::ptr::eq(self.budget.borrow(), &**budget), "of one budget");
        Share { budget: Arc::clone(budget), bytes: std::mem::take(&mut self.bytes) }
    }
}

impl<B: Borrow<Budget>> Drop for Share<B> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.borrow().used.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_exact_at_the_limit_and_gives_back() {
        let budget = Arc::new(Budget::new(100));
        let mut first = budget.share();
        assert!(first.take(60) && !first.take(41) && first.take(40));
        let mut second = budget.share();
        assert!(second.take(0) && !second.take(1) && !second.take(usize::MAX));
        assert!(first.take_up_to(7) && first.take_up_to(100) && !first.take_up_to(101));
        let owned = first.into_owned(&budget);
        assert!(!second.take(1), "it is still held");
        drop(owned);
        assert!(second.take(100));
        drop(second);
        assert!(budget.share().take(100), "all of it came back");
    }
}
