use std::sync::atomic::{AtomicU64, Ordering};

use lastmile::{Aggregator, ConnectionEvent, Listener};

/// What happened on one listener since it was served, and how many connections it has now.
///
/// Counts are read one by one while connections work, so two of them may be of moments that lie apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServeCounts {
    /// Connections that got a place.
    pub accepted: u64,
    /// Connections that have one now; those that were upgraded are among them until they end.
    pub active: u64,
    /// Connections closed at once, as their address prefix had enough.
    pub refused_by_prefix: u64,
    /// How often the listener stopped accepting, as all places were taken.
    pub paused: u64,
    /// Errors of accepting itself, such as too few file descriptors.
    pub accept_errors: u64,
    /// TLS handshakes that failed.
    pub handshake_failures: u64,
    /// TLS handshakes that took too long.
    pub handshake_timeouts: u64,
    /// Heads that took too long.
    pub head_timeouts: u64,
    /// Bodies that took too long.
    pub body_timeouts: u64,
    /// Connections closed because they were silent between two requests.
    pub idle_timeouts: u64,
    /// Answers that nobody read.
    pub write_timeouts: u64,
    /// Heads that were too large, and answered 431.
    pub large_heads: u64,
    /// Heads that were no HTTP.
    pub bad_heads: u64,
    /// Connections lost to a panic.
    pub panics: u64,
    /// Connections that [`Server::stop`](crate::Server::stop) broke off, as their time was over.
    pub broken_off: u64,
}

impl ServeCounts {
    /// Adds to the metrics of `aggregator` what happened since `before`, and says how many connections
    /// there are. Call it every second or so, with what it was called on last.
    ///
    /// ```
    /// # use lastmile::{Aggregator, Limits, Listener, Schema, Timestamp};
    /// # use lastmile_hyper::ServeCounts;
    /// # let now = Timestamp::new(0, std::time::Duration::ZERO);
    /// # let aggregator = Aggregator::new(Schema::builder().build()?, Limits::default(), now)?;
    /// let mut before = ServeCounts::default();
    /// # let server = || ServeCounts::default();
    /// let counts = server(); // Server::counts
    /// counts.publish(&before, &aggregator, Listener::Public);
    /// before = counts;
    /// # Ok::<(), lastmile::Error>(())
    /// ```
    pub fn publish(&self, before: &Self, aggregator: &Aggregator, listener: Listener) {
        use ConnectionEvent as Of;
        let handshakes = |counts: &Self| counts.handshake_failures + counts.handshake_timeouts;
        for (event, now, then) in [
            (Of::Accepted, self.accepted, before.accepted),
            (Of::Refused, self.refused_by_prefix, before.refused_by_prefix),
            (Of::Paused, self.paused, before.paused),
            (Of::AcceptError, self.accept_errors, before.accept_errors),
            (Of::Handshake, handshakes(self), handshakes(before)),
            (Of::HeadTimeout, self.head_timeouts, before.head_timeouts),
            (Of::BodyTimeout, self.body_timeouts, before.body_timeouts),
            (Of::IdleTimeout, self.idle_timeouts, before.idle_timeouts),
            (Of::WriteTimeout, self.write_timeouts, before.write_timeouts),
            (Of::LargeHead, self.large_heads, before.large_heads),
            (Of::BadHead, self.bad_heads, before.bad_heads),
            (Of::Panic, self.panics, before.panics),
            (Of::BrokenOff, self.broken_off, before.broken_off),
        ] {
            if now > then {
                aggregator.count_connections(listener, event, now - then);
            }
        }
        aggregator.set_connections(listener, self.active);
    }
}

/// The cells behind [`ServeCounts`]. They are read on their own and publish nothing else, so relaxed.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    cells: [AtomicU64; Event::ALL],
    n_left: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Accepted,
    RefusedByPrefix,
    Paused,
    AcceptError,
    HandshakeFailure,
    HandshakeTimeout,
    HeadTimeout,
    BodyTimeout,
    IdleTimeout,
    WriteTimeout,
    LargeHead,
    BadHead,
    Panic,
    BrokenOff,
}

impl Event {
    const ALL: usize = Self::BrokenOff as usize + 1;
}

impl Tally {
    pub(crate) fn count(&self, event: Event) {
        self.cells[event as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A connection that was counted as accepted gave its place back.
    pub(crate) fn count_left(&self) {
        self.n_left.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> ServeCounts {
        let get = |event: Event| self.cells[event as usize].load(Ordering::Relaxed);
        // First those that left: nobody leaves who was not accepted.
        let n_left = self.n_left.load(Ordering::Relaxed);
        let accepted = get(Event::Accepted);
        ServeCounts {
            accepted,
            active: accepted.saturating_sub(n_left),
            refused_by_prefix: get(Event::RefusedByPrefix),
            paused: get(Event::Paused),
            accept_errors: get(Event::AcceptError),
            handshake_failures: get(Event::HandshakeFailure),
            handshake_timeouts: get(Event::HandshakeTimeout),
            head_timeouts: get(Event::HeadTimeout),
            body_timeouts: get(Event::BodyTimeout),
            idle_timeouts: get(Event::IdleTimeout),
            write_timeouts: get(Event::WriteTimeout),
            large_heads: get(Event::LargeHead),
            bad_heads: get(Event::BadHead),
            panics: get(Event::Panic),
            broken_off: get(Event::BrokenOff),
        }
    }
}
