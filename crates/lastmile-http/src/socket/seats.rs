//! How many WebSockets there are, in all and of one client, and how all of them are told to go.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::task::{Context, Waker};

use parking_lot::Mutex;

type Prefix = Option<[u8; 8]>;

/// Why there is no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoSeat {
    /// All are taken, or all go.
    Full,
    /// This client has as many as it may.
    Client,
}

/// The seats of one listener.
#[derive(Debug)]
pub(crate) struct Seats {
    max: usize,
    client_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    n: usize,
    by_client: HashMap<Prefix, usize>,
    is_closed: bool,
    /// Whoever sits on each seat that was ever taken.
    sitting: Vec<Option<Waker>>,
    free: Vec<usize>,
    /// Who waits until all have left.
    waiting: Option<Waker>,
}

impl Seats {
    pub(crate) fn new(max: usize, client_max: usize) -> Self {
        Self { max, client_max, state: Mutex::default() }
    }

    /// A seat for a client, by its address prefix; all whose address is not known are one.
    pub(super) fn take(self: &Arc<Self>, client: Prefix) -> Result<Seat, NoSeat> {
        let mut state = self.state.lock();
        if state.is_closed || state.n >= self.max {
            return Err(NoSeat::Full);
        }
        if state.by_client.get(&client).is_some_and(|n| *n >= self.client_max)
            || self.client_max == 0
        {
            return Err(NoSeat::Client);
        }
        *state.by_client.entry(client).or_default() += 1;
        state.n += 1;
        let i = state.free.pop().unwrap_or(state.sitting.len());
        if i == state.sitting.len() {
            state.sitting.push(None);
        }
        drop(state);
        Ok(Seat { seats: Arc::clone(self), client, i })
    }

    /// Seats that are taken.
    pub(crate) fn n_taken(&self) -> usize {
        self.state.lock().n
    }

    /// Gives no more seats, and tells all who sit.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        let sitting: Vec<Waker> = state.sitting.iter_mut().filter_map(Option::take).collect();
        drop(state);
        sitting.into_iter().for_each(Waker::wake);
    }

    /// Whether all have left; who asks is woken then. One at a time can wait.
    pub(crate) fn poll_empty(&self, cx: &Context<'_>) -> bool {
        let mut state = self.state.lock();
        state.waiting = (state.n > 0).then(|| cx.waker().clone());
        state.n == 0
    }
}

/// A seat, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    client: Prefix,
    i: usize,
}

impl Seat {
    /// Whether it is time to go; who asks is woken then.
    pub(super) fn poll_closed(&self, cx: &Context<'_>) -> bool {
        let mut state = self.seats.state.lock();
        if state.is_closed {
            return true;
        }
        let waker = &mut state.sitting[self.i];
        if waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        false
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.seats.state.lock();
        state.n -= 1;
        if let Entry::Occupied(mut entry) = state.by_client.entry(self.client) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
        state.sitting[self.i] = None;
        state.free.push(self.i);
        let waiting = if state.n == 0 { state.waiting.take() } else { None };
        drop(state);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_come_back() {
        let seats = Arc::new(Seats::new(3, 2));
        let [a, b] = [Some([1; 8]), Some([2; 8])];
        let first = seats.take(a).expect("the first");
        let second = seats.take(a).expect("the second");
        assert_eq!(seats.take(a).err(), Some(NoSeat::Client));
        let third = seats.take(b).expect("of another");
        assert_eq!(seats.take(b).err(), Some(NoSeat::Full));
        drop(first);
        let again = seats.take(a).expect("one is free again");
        assert_eq!((again.i, seats.n_taken()), (0, 3), "the same one");
        drop((second, third, again));
        assert_eq!(seats.n_taken(), 0);
        assert!(seats.state.lock().by_client.is_empty(), "who has none takes no memory");
        let none = Arc::new(Seats::new(3, 0));
        assert_eq!(none.take(None).err(), Some(NoSeat::Client));
        assert!(none.state.lock().by_client.is_empty());
    }

    #[test]
    fn all_are_told_to_go() {
        let seats = Arc::new(Seats::new(2, 2));
        let seat = seats.take(None).expect("the first");
        let cx = Context::from_waker(Waker::noop());
        assert!(!seat.poll_closed(&cx) && !seats.poll_empty(&cx));
        seats.close();
        assert!(seat.poll_closed(&cx) && !seats.poll_empty(&cx));
        assert_eq!(seats.take(None).err(), Some(NoSeat::Full), "nobody comes any more");
        drop(seat);
        assert!(seats.poll_empty(&cx));
    }
}
