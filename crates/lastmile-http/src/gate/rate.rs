//! Token buckets for clients, in a table of fixed size.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::time::Duration;

use parking_lot::Mutex;

/// Sets of buckets: with four each, 65,536 clients at once, in 1.3 MiB.
const SETS: usize = 1 << 14;

/// Buckets of a set, which lie on a cache line or two.
const WAYS: usize = 4;

/// Longest time that a client is told to wait, in seconds. `lastmile.js` takes up to 600.
const RETRY_SECS_MAX: u64 = 600;

/// How fast one client may send, see [`PublicOptions::rate`](crate::PublicOptions::rate).
///
/// ```
/// use lastmile_http::Rate;
/// use std::num::NonZeroU32;
///
/// let rate = Rate::per_second(NonZeroU32::new(5).unwrap()).burst(NonZeroU32::new(50).unwrap());
/// assert_eq!(rate, "5/s burst 50".parse().unwrap());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    per_second: NonZeroU32,
    burst: NonZeroU32,
    by: RateBy,
}

/// Who is one client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RateBy {
    /// The prefix of its address: /32 of IPv4, /56 of IPv6, of which one customer commonly has all. Behind
    /// proxies that are not declared, all clients are one.
    #[default]
    Address,
    /// The origin of its page: all users of one site share its rate. A client without one is told apart by
    /// its address. Where pages of any origin may push, or of all below a name, whoever writes requests by hand
    /// names another each time and has no limit: that takes a list of whole
    /// [`origins`](crate::PublicOptions::origins).
    Origin,
}

impl Rate {
    /// So many requests a second, and ten times as many at once.
    #[must_use]
    pub fn per_second(per_second: NonZeroU32) -> Self {
        let burst = per_second.saturating_mul(NonZeroU32::MIN.saturating_add(9));
        Self { per_second, burst, by: RateBy::Address }
    }

    /// So many at once, after a time of silence.
    #[must_use]
    pub fn burst(mut self, burst: NonZeroU32) -> Self {
        self.burst = burst;
        self
    }

    /// What tells clients apart; their addresses unless this says otherwise.
    #[must_use]
    pub fn by(mut self, by: RateBy) -> Self {
        self.by = by;
        self
    }

    pub(crate) fn tells_apart(self) -> RateBy {
        self.by
    }
}

impl std::str::FromStr for Rate {
    type Err = String;

    /// `5/s`, `5/s burst 50`, each with ` by origin` behind it or not.
    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("`{text}` is no rate, such as 5/s, 5/s burst 50 or 5/s by origin");
        let mut words = text.split_whitespace();
        let per_second = words.next().and_then(|word| word.strip_suffix("/s")?.parse().ok());
        let mut rate = Self::per_second(per_second.ok_or_else(fault)?);
        while let Some(word) = words.next() {
            rate = match (word, words.next()) {
                ("burst", Some(n)) => rate.burst(n.parse().map_err(|_| fault())?),
                ("by", Some("address")) => rate.by(RateBy::Address),
                ("by", Some("origin")) => rate.by(RateBy::Origin),
                _ => return Err(fault()),
            };
        }
        Ok(rate)
    }
}

/// The buckets of all clients.
///
/// A bucket is the moment at which it will be full again: what it lacks is that far away. One that is full
/// is as good as none, so buckets of clients that went silent are free by themselves, and nothing sweeps.
/// A client whose set holds four busy others takes the place of the one that lacks least; nobody can bring
/// that about for another, as the hash is keyed.
pub(crate) struct Buckets {
    key: RandomState,
    /// Time that brings back one token.
    token: Duration,
    /// What an empty bucket lacks.
    depth: Duration,
    sets: Box<[Mutex<[Bucket; WAYS]>]>,
}

#[derive(Clone, Copy, Default)]
struct Bucket {
    /// The hash of its client.
    client: u64,
    full_at: Duration,
}

impl Buckets {
    pub(crate) fn new(rate: Rate) -> Self {
        let token = Duration::from_secs(1) / rate.per_second.get();
        Self {
            key: RandomState::new(),
            token,
            depth: token * rate.burst.get(),
            sets: (0..SETS).map(|_| Mutex::default()).collect(),
        }
    }

    /// Takes a token of this client at `now`.
    ///
    /// # Errors
    /// The seconds after which there is one again.
    pub(crate) fn take(&self, client: impl std::hash::Hash, now: Duration) -> Result<(), u64> {
        self.with(client, now, |full_at| {
            let lacks = full_at.saturating_sub(now) + self.token;
            match lacks.checked_sub(self.depth).filter(|wait| !wait.is_zero()) {
                Some(wait) => {
                    let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                    Err(secs.clamp(1, RETRY_SECS_MAX))
                }
                None => {
                    *full_at = now + lacks;
                    Ok(())
                }
            }
        })
    }

    /// Takes `n` more, whether they are there or not: what a body turns out to cost, once it was let in, is
    /// waited for before the next.
    pub(crate) fn charge(&self, client: impl std::hash::Hash, n: u32, now: Duration) {
        self.with(client, now, |full_at| *full_at = (*full_at).max(now) + self.token * n);
    }

    fn with<R>(
        &self,
        client: impl std::hash::Hash,
        now: Duration,
        f: impl FnOnce(&mut Duration) -> R,
    ) -> R {
        // Never 0, which an empty bucket has.
        let client = self.key.hash_one(client) | 1;
        let mut set = self.sets[(client >> 32) as usize % SETS].lock();
        let known = set.iter().position(|bucket| bucket.client == client);
        let place = known.unwrap_or_else(|| {
            let fullest = (0..WAYS).min_by_key(|i| set[*i].full_at);
            let place = fullest.unwrap_or_default();
            set[place] = Bucket { client, full_at: now };
            place
        });
        f(&mut set[place].full_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(rate: &str) -> Buckets {
        Buckets::new(rate.parse().expect("a rate"))
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn tokens_come_back_with_time() {
        let buckets = buckets("2/s burst 3");
        let taken = |now| (0..10).filter(|_| buckets.take("a", now).is_ok()).count();
        assert_eq!(taken(ms(0)), 3);
        assert_eq!(taken(ms(499)), 0);
        assert_eq!(taken(ms(500)), 1);
        assert_eq!(taken(ms(60_000)), 3, "no more than the burst");
        assert_eq!(taken(ms(59_000)), 0, "time that goes back brings none");
        assert_eq!(buckets.take("b", ms(0)), Ok(()), "another client has its own");
    }

    #[test]
    fn who_has_to_wait_is_told_how_long() {
        let buckets = buckets("1/s burst 1");
        assert_eq!(buckets.take("a", ms(0)), Ok(()));
        assert_eq!(buckets.take("a", ms(0)), Err(1));
        buckets.charge("a", 4, ms(0));
        assert_eq!(buckets.take("a", ms(0)), Err(5));
        assert_eq!(buckets.take("a", ms(4_100)), Err(1));
        assert_eq!(buckets.take("a", ms(5_000)), Ok(()));
        buckets.charge("a", 10_000, ms(5_000));
        assert_eq!(buckets.take("a", ms(5_000)), Err(600), "never longer than clients wait");
    }

    #[test]
    fn clients_have_their_own() {
        let buckets = buckets("1/s burst 1");
        let n = (0..10_000).filter(|client| buckets.take(client, ms(0)).is_ok()).count();
        assert_eq!(n, 10_000, "a new client always has a token");
        let n = (0..10_000).filter(|client| buckets.take(client, ms(0)).is_ok()).count();
        assert!(n < 200, "{n} of 10,000 lost their bucket");
    }

    #[test]
    fn rates_are_read() {
        let rate = |n, burst| {
            let of = |n| NonZeroU32::new(n).expect("not 0");
            Rate::per_second(of(n)).burst(of(burst))
        };
        for (text, wanted) in [
            ("5/s", Some(rate(5, 50))),
            ("5/s burst 7", Some(rate(5, 7))),
            (" 5/s  by origin burst 7 ", Some(rate(5, 7).by(RateBy::Origin))),
            ("4294967295/s", Some(rate(u32::MAX, u32::MAX))),
            ("5/s by address", Some(rate(5, 50))),
            ("0/s", None),
            ("5/s burst 0", None),
            ("5/s burst", None),
            ("5/s by", None),
            ("5/s by key", None),
            ("5/m", None),
            ("5", None),
            ("-5/s", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<Rate>().ok(), wanted, "{text}");
        }
        // The largest burst does not overflow.
        let buckets = Buckets::new(rate(1, u32::MAX));
        assert_eq!(buckets.take("a", ms(0)), Ok(()));
    }
}
