use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lastmile::Timestamp;

/// The machine's clocks as [`Timestamp`]s, for the adapters and hosts that have to pass time in.
///
/// All clocks of a process count their monotonic part from the same instant, so those that two parts
/// of a program make agree. Each reading asks the wall clock too, and so follows its steps; nothing
/// expires by it.
///
/// ```
/// use lastmile_http::Clock;
///
/// let earlier = Clock::new().now();
/// let later = Clock::new().now();
/// assert!(later.mono() >= earlier.mono());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that agrees with every other one of this process.
    #[must_use]
    pub fn new() -> Self {
        static ORIGIN: OnceLock<Instant> = OnceLock::new();
        Self { origin: *ORIGIN.get_or_init(Instant::now) }
    }

    /// The present. A wall clock set before 1970 reads as 1970.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall_ms = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        Timestamp::new(wall_ms, self.mono())
    }

    /// The monotonic part of [`now`](Self::now) alone, which costs half.
    pub(crate) fn mono(&self) -> Duration {
        self.origin.elapsed()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
