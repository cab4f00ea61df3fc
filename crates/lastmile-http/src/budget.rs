//! The bytes that all bodies in flight share.

use std::borrow::Borrow;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Cells of clients: 32 KiB. Two clients that share one share what one may hold, which nobody can bring about,
/// as the hash is keyed.
const CELLS: usize = 4_096;

/// So many bytes for all bodies together, from when they come until they are applied, and a part of them for
/// each client: whoever opens a thousand connections and ends none of its bodies leaves others room.
///
/// Relaxed orderings suffice: the numbers guard no other memory.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    max: usize,
    key: RandomState,
    clients: Box<[AtomicUsize]>,
    client_max: usize,
}

/// Takes `more` bytes, or changes nothing. The shared line is written once: what was too much is given back.
fn take(used: &AtomicUsize, max: usize, more: usize) -> bool {
    let before = used.fetch_add(more, Ordering::Relaxed);
    let fits = before.checked_add(more).is_some_and(|total| total <= max);
    if !fits {
        used.fetch_sub(more, Ordering::Relaxed);
    }
    fits
}

impl Budget {
    /// `max` bytes, of which one client may hold `client_max`.
    pub(crate) fn new(max: usize, client_max: usize) -> Self {
        Self {
            used: AtomicUsize::new(0),
            max,
            key: RandomState::new(),
            clients: (0..CELLS).map(|_| AtomicUsize::new(0)).collect(),
            client_max,
        }
    }

    /// Nothing yet, for one body of this client, if it is known who that is.
    pub(crate) fn share(&self, client: Option<[u8; 8]>) -> Share<&Self> {
        Share { budget: self, client, bytes: 0 }
    }

    /// The bytes that a client holds. Most bodies take nothing, and never ask.
    fn cell(&self, client: Option<[u8; 8]>) -> Option<&AtomicUsize> {
        client.and_then(|client| self.clients.get(self.key.hash_one(client) as usize % CELLS))
    }
}

/// The bytes of one body, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share<B: Borrow<Budget>> {
    budget: B,
    client: Option<[u8; 8]>,
    bytes: usize,
}

impl<B: Borrow<Budget>> Share<B> {
    /// Takes `more` bytes, or changes nothing.
    #[must_use]
    pub(crate) fn take(&mut self, more: usize) -> bool {
        if more == 0 {
            return true;
        }
        let budget = self.budget.borrow();
        let client = budget.cell(self.client);
        if client.is_some_and(|used| !take(used, budget.client_max, more)) {
            return false;
        }
        let fits = take(&budget.used, budget.max, more);
        if fits {
            self.bytes += more;
        } else if let Some(used) = client {
            used.fetch_sub(more, Ordering::Relaxed);
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
        let bytes = std::mem::take(&mut self.bytes);
        Share { budget: Arc::clone(budget), client: self.client, bytes }
    }
}

impl<B: Borrow<Budget>> Drop for Share<B> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            let budget = self.budget.borrow();
            let client = budget.cell(self.client);
            for used in client.into_iter().chain([&budget.used]) {
                used.fetch_sub(self.bytes, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_exact_at_the_limit_and_gives_back() {
        let budget = Arc::new(Budget::new(100, 100));
        let mut first = budget.share(None);
        assert!(first.take(60) && !first.take(41) && first.take(40));
        let mut second = budget.share(Some([1; 8]));
        assert!(second.take(0) && !second.take(1) && !second.take(usize::MAX));
        assert!(first.take_up_to(7) && first.take_up_to(100) && !first.take_up_to(101));
        let owned = first.into_owned(&budget);
        assert!(!second.take(1), "it is still held");
        drop(owned);
        assert!(second.take(100));
        drop(second);
        assert!(budget.share(Some([1; 8])).take(100), "all of it came back");
    }

    #[test]
    fn a_client_holds_no_more_than_its_part() {
        let budget = Budget::new(100, 40);
        let [a, b] = [Some([1; 8]), Some([2; 8])];
        let (mut first, mut second) = (budget.share(a), budget.share(a));
        assert!(first.take(30) && !second.take(11) && second.take(10));
        let mut other = budget.share(b);
        assert!(other.take(40), "another has its own");
        let mut unknown = budget.share(None);
        assert!(!unknown.take(21) && unknown.take(20), "all together have no more than all");
        drop(first);
        assert!(!second.take(31), "nobody holds more than its part");
        assert!(second.take(30), "what was refused took nothing");
        drop((second, other, unknown));
        assert!(budget.share(a).take(40) && budget.share(None).take(100), "all of it came back");
    }
}
