//! Who may have a connection: so many in all, so many for one address prefix.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use lastmile::Source;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::counts::{Event, Tally};
use super::limits::ServeLimits;

/// The part of an address that counts as one client, as [`Source::prefix_of`] has it.
type Prefix = [u8; 8];

#[derive(Debug)]
pub(crate) struct Places {
    /// In all.
    free: Arc<Semaphore>,
    per_prefix: usize,
    /// Prefixes that have connections, so never more than there are places. The standard hasher is keyed.
    taken: Mutex<HashMap<Prefix, usize>>,
    tally: Arc<Tally>,
}

impl Places {
    pub(crate) fn new(limits: &ServeLimits, tally: Arc<Tally>) -> Self {
        let free = limits.connections.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(free)),
            per_prefix: limits.connections_per_prefix,
            taken: Mutex::default(),
            tally,
        }
    }

    /// Waits until there is a place at all.
    pub(crate) async fn free(&self) -> OwnedSemaphorePermit {
        if let Ok(free) = self.free.clone().try_acquire_owned() {
            return free;
        }
        self.tally.count(Event::Paused);
        match self.free.clone().acquire_owned().await {
            Ok(free) => free,
            // Nobody closes it.
            Err(_) => std::future::pending().await,
        }
    }

    /// Gives `free` to one connection, or back if its prefix has enough.
    pub(crate) fn take(self: &Arc<Self>, free: OwnedSemaphorePermit, ip: IpAddr) -> Option<Place> {
        let prefix = Source::prefix_of(ip);
        let mut taken = self.lock();
        let n = taken.entry(prefix).or_default();
        if *n >= self.per_prefix {
            // A cap of zero leaves an entry that nobody would take away.
            if *n == 0 {
                taken.remove(&prefix);
            }
            self.tally.count(Event::RefusedByPrefix);
            return None;
        }
        *n += 1;
        drop(taken);
        self.tally.count(Event::Accepted);
        Some(Place { places: self.clone(), prefix, _free: free })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Prefix, usize>> {
        // Nothing that is done under it panics half-way.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    prefix: Prefix,
    _free: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = self.places.lock().entry(self.prefix) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
        self.places.tally.count_left();
        if thread::panicking() {
            self.places.tally.count(Event::Panic);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use super::Places;
    use crate::serve::counts::Tally;
    use crate::serve::limits::ServeLimits;

    #[tokio::test]
    async fn places_come_back() {
        let tally = Arc::new(Tally::default());
        let limits = ServeLimits::public().connections(3).connections_per_prefix(2);
        let places = Arc::new(Places::new(&limits, tally.clone()));
        let ip = |last: u8| IpAddr::from([192, 0, 2, last]);
        let a = places.take(places.free().await, ip(1)).expect("the first");
        let b = places.take(places.free().await, ip(1)).expect("the second");
        assert!(places.take(places.free().await, ip(1)).is_none(), "a prefix has two at most");
        let c = places.take(places.free().await, ip(2)).expect("another prefix");
        let mut next = std::pin::pin!(places.free());
        let cx = &mut std::task::Context::from_waker(std::task::Waker::noop());
        assert!(next.as_mut().poll(cx).is_pending(), "all are taken");
        drop(a);
        let a = places.take(next.await, ip(1)).expect("one is free again");
        let counts = tally.read();
        assert_eq!((counts.accepted, counts.active), (4, 3));
        assert_eq!((counts.refused_by_prefix, counts.paused), (1, 1));
        drop((a, b, c));
        assert_eq!(tally.read().active, 0);
        assert!(places.lock().is_empty(), "a prefix without connections takes no memory");

        let none = ServeLimits::public().connections_per_prefix(0);
        let places = Arc::new(Places::new(&none, tally));
        assert!(places.take(places.free().await, ip(1)).is_none());
        assert!(places.lock().is_empty());
    }
}
