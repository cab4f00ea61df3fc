//! Token buckets in a table of fixed size.

use std::hash::BuildHasher;

use crate::sync::{Mutex, RandomState};
use crate::time::{TICKS_PER_SEC, Ticks};

/// Buckets of a table: two sources that share one share its rate, which no source can bring about, as it
/// does not know the key.
const BUCKETS: usize = 4_096;

/// So many tokens a second for each source, and as many at once.
#[derive(Debug)]
pub(crate) struct Rate {
    key: RandomState,
    /// Tokens are counted in tenths: so many come back with each tick.
    per_second: u32,
    buckets: Mutex<Box<[Bucket]>>,
}

/// Full when it was last full, `spent` tenths of a token less since.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    spent: u64,
    since: Ticks,
}

impl Rate {
    pub(crate) fn new(per_second: u32) -> Self {
        let buckets = vec![Bucket::default(); BUCKETS].into_boxed_slice();
        Self { key: RandomState::new(), per_second, buckets: Mutex::new(buckets) }
    }

    /// Takes one token of this source, if it has one.
    pub(crate) fn take(&self, source: Option<[u8; 8]>, now: Ticks) -> bool {
        const TOKEN: u64 = TICKS_PER_SEC as u64;
        let at = self.key.hash_one(source) as usize % BUCKETS;
        let bucket = &mut self.buckets.lock()[at];
        let back = u64::from(now.saturating_sub(bucket.since)) * u64::from(self.per_second);
        bucket.spent = bucket.spent.saturating_sub(back);
        bucket.since = bucket.since.max(now);
        let has_one = bucket.spent + TOKEN <= u64::from(self.per_second) * TOKEN;
        if has_one {
            bucket.spent += TOKEN;
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_with_time() {
        let rate = Rate::new(2);
        let source = Some([7; 8]);
        let taken = |now: Ticks| (0..10).filter(|_| rate.take(source, now)).count();
        assert_eq!(taken(0), 2);
        assert_eq!(taken(4), 0);
        assert_eq!(taken(5), 1, "half a second brings one");
        assert_eq!(taken(1_000), 2, "never more than a second's worth");
        assert_eq!(taken(900), 0, "time that goes back brings none");
        assert!(!Rate::new(0).take(None, 5));
    }

    #[test]
    fn sources_have_their_own() {
        let rate = Rate::new(1);
        let n = (0..100u8).filter(|i| rate.take(Some([*i; 8]), 0)).count();
        assert!(n > 90, "{n} of 100 had a token");
    }
}
