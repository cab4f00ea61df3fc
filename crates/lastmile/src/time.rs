use std::time::Duration;

/// An instant as the caller's clock saw it: the wall clock for what is shown, a monotonic part for
/// everything that expires.
///
/// The core has no clock of its own; every call that depends on time is given one of these. A step of
/// the wall clock never moves an expiry, because ages are differences of the monotonic part alone.
///
/// ```
/// use lastmile::Timestamp;
/// use std::time::Duration;
///
/// let start = Timestamp::new(1_700_000_000_000, Duration::ZERO);
/// let later = start.after(Duration::from_secs(15));
/// assert_eq!(later.wall_ms(), 1_700_000_015_000);
/// assert_eq!(later.mono(), Duration::from_secs(15));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    wall_ms: u64,
    mono: Duration,
}

impl Timestamp {
    /// `wall_ms`: milliseconds since the Unix epoch. `mono`: time since any fixed origin, never
    /// decreasing between calls.
    #[must_use]
    pub const fn new(wall_ms: u64, mono: Duration) -> Self {
        Self { wall_ms, mono }
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn wall_ms(self) -> u64 {
        self.wall_ms
    }

    /// Time since the caller's monotonic origin.
    #[must_use]
    pub const fn mono(self) -> Duration {
        self.mono
    }

    /// The instant `elapsed` later; both parts advance, and stop at their largest value.
    #[must_use]
    pub fn after(self, elapsed: Duration) -> Self {
        let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        Self { wall_ms: self.wall_ms.saturating_add(ms), mono: self.mono.saturating_add(elapsed) }
    }
}

/// Coarse monotonic time that fits a row: tenths of a second since the aggregator started.
/// 2^32 of them are 13.6 years; later instants stay at the end.
pub(crate) type Ticks = u32;

/// Ticks per second.
pub(crate) const TICKS_PER_SEC: Ticks = 10;

/// Milliseconds of one.
const MS_PER_TICK: u64 = 1000 / TICKS_PER_SEC as u64;

/// The ticks of `now` for an aggregator that started at `start`.
pub(crate) fn ticks(start: Timestamp, now: Timestamp) -> Ticks {
    duration_ticks(now.mono.saturating_sub(start.mono))
}

/// The wall clock's milliseconds at a tick of an aggregator that started at `start`, as far as that start tells it:
/// later steps of that clock do not move it.
pub(crate) fn wall_ms_at(start: Timestamp, at: Ticks) -> u64 {
    start.wall_ms.saturating_add(u64::from(at) * MS_PER_TICK)
}

/// A duration in whole ticks, rounded down.
pub(crate) fn duration_ticks(d: Duration) -> Ticks {
    let ticks = d
        .as_secs()
        .saturating_mul(u64::from(TICKS_PER_SEC))
        .saturating_add(u64::from(d.subsec_millis()) * u64::from(TICKS_PER_SEC) / 1000);
    Ticks::try_from(ticks).unwrap_or(Ticks::MAX)
}
