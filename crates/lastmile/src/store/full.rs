//! Which labels of a family are full, for pushes that ask for no place.
//!
//! ```text
//! state   [how often a label ceased to be full, 32 bits | full labels, a bit each]
//! filter  of each label that was full: three bits of one word for each value that has a place
//! ```
//! A value that comes for a full label and has no place becomes `other`. A push that knows so before it looks
//! for the series finds the row that counts by one look-up, as that of a known series; to ask under the family's
//! admission takes two look-ups, and the turn of other pushes.
//!
//! All is written under the admission. A push reads the state, the value's word, and the state again. If both
//! states are the same, the label was full all the while; and a filter forgets no value that has a place while
//! its label is full: so there was a moment when the value had no place and could get none. Values that left stay
//! in a filter until it is filled anew, and some others are taken for one that is in it, so whoever is not told
//! "no place" asks under the admission.
//!
//! **Orderings.** A state is stored with release after the bits of all values that have a place, and loaded with
//! acquire before them. Where a filter is filled anew, its words are cleared with release after the state that
//! says the label is not full, and are loaded with acquire: who sees one cleared sees that state, too.

use std::sync::OnceLock;

use crate::sync::{AtomicU64, Ordering};

/// Values that share a word. The three bits of another value are then all set by chance in less than one case of
/// a hundred.
const VALUES_PER_WORD: usize = 2;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Full {
    state: AtomicU64,
    /// By label, once it is full for the first time: 4 bytes for each value that it then has room for, out of what
    /// such a value is charged. It keeps its size: after a reload that gives the label room for many more, it takes
    /// more values for some that are in it, and more of them ask under the admission.
    filters: Box<[OnceLock<Filter>]>,
}

/// The state that a push saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen(u64);

impl Seen {
    /// No label is full, and none was.
    pub(crate) const NONE: Self = Self(0);

    /// A bit for each label that is full.
    #[inline]
    pub(crate) fn labels(self) -> u32 {
        self.0 as u32
    }
}

impl Full {
    pub(crate) fn new(n_labels: usize) -> Self {
        Self { state: AtomicU64::new(0), filters: (0..n_labels).map(|_| OnceLock::new()).collect() }
    }

    #[inline]
    pub(crate) fn seen(&self) -> Seen {
        Seen(self.state.load(Ordering::Acquire))
    }

    /// Whether, at some moment since label `i` was seen full, the value of it with this hash had no place and could
    /// get none. `false` says nothing.
    #[inline]
    pub(crate) fn has_no_place(&self, seen: Seen, i: usize, hash: u64) -> bool {
        let filter = self.filters[i].get();
        filter.is_some_and(|filter| !filter.may_have(hash)) && self.seen() == seen
    }

    /// A value of label `i` got a place.
    pub(crate) fn put(&self, i: usize, hash: u64) {
        if let Some(filter) = self.filters[i].get() {
            filter.put(hash);
        }
    }

    /// Label `i`, with room for `max` values, is full from now on. A filter that is `stale`, or not there yet, is
    /// filled with the values that have a place: whether it was.
    pub(crate) fn set_full(
        &self,
        i: usize,
        max: usize,
        stale: bool,
        placed: impl Iterator<Item = u64>,
    ) -> bool {
        let Seen(state) = self.seen();
        if state & 1 << i != 0 {
            return false;
        }
        let fills = stale || self.filters[i].get().is_none();
        let filter = self.filters[i].get_or_init(|| Filter::new(max));
        if fills {
            filter.clear();
            placed.for_each(|hash| filter.put(hash));
        }
        self.state.store(state | 1 << i, Ordering::Release);
        fills
    }

    /// Label `i` has room.
    pub(crate) fn set_free(&self, i: usize) {
        let Seen(state) = self.seen();
        if state & 1 << i != 0 {
            self.state.store((state & !(1 << i)).wrapping_add(1 << 32), Ordering::Release);
        }
    }
}

/// The values of a label that have a place, and some that have none.
#[derive(Debug)]
struct Filter(Box<[AtomicU64]>);

impl Filter {
    fn new(max: usize) -> Self {
        Self((0..max.div_ceil(VALUES_PER_WORD).max(1)).map(|_| AtomicU64::new(0)).collect())
    }

    /// The word of a hash, by all of its bits, and three bits of it, by some.
    #[inline]
    fn word_and_bits(&self, hash: u64) -> (&AtomicU64, u64) {
        let spread = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let word = ((spread * self.0.len() as u64) >> 32) as usize;
        (&self.0[word], 1 << (hash & 63) | 1 << (hash >> 6 & 63) | 1 << (hash >> 12 & 63))
    }

    #[inline]
    fn may_have(&self, hash: u64) -> bool {
        let (word, bits) = self.word_and_bits(hash);
        word.load(Ordering::Acquire) & bits == bits
    }

    fn put(&self, hash: u64) {
        let (word, bits) = self.word_and_bits(hash);
        // Seen with the state that says the label is full, which is stored later.
        word.fetch_or(bits, Ordering::Relaxed);
    }

    fn clear(&self) {
        self.0.iter().for_each(|word| word.store(0, Ordering::Release));
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::store::family::{Seed, value_hash};

    const N_VALUES: usize = 1_000;

    fn hashes(seed: &Seed, from: usize) -> impl Iterator<Item = u64> + Clone + '_ {
        (from..).map(|i| value_hash(seed, format!("/course/{i}").as_bytes())).take(N_VALUES)
    }

    #[test]
    fn what_has_a_place_is_never_out_and_few_others_are_taken_for_it() {
        let seed = Seed::default();
        let full = Full::new(2);
        let is_out = |i: usize, hash: u64| full.has_no_place(full.seen(), i, hash);
        assert!(hashes(&seed, 0).all(|hash| !is_out(1, hash)), "it was never full");
        assert!(full.set_full(1, N_VALUES, false, hashes(&seed, 0)));
        assert_eq!(full.seen().labels(), 0b10);
        assert!(hashes(&seed, 0).all(|hash| !is_out(1, hash)));
        let n_taken = hashes(&seed, N_VALUES).filter(|hash| !is_out(1, *hash)).count();
        assert!(n_taken < N_VALUES / 50, "{n_taken} of {N_VALUES}");

        // Half of the values leave, others come, and the filter holds all of them.
        let seen = full.seen();
        full.set_free(1);
        assert_eq!(full.seen().labels(), 0);
        let is_late = |hash| !full.has_no_place(seen, 1, hash);
        assert!(hashes(&seed, 0).all(is_late) && hashes(&seed, N_VALUES).all(is_late));
        let after = || hashes(&seed, N_VALUES / 2);
        after().for_each(|hash| full.put(1, hash));
        assert!(!full.set_full(1, N_VALUES, false, after()), "not filled anew");
        assert!(after().all(|hash| !is_out(1, hash)));
        // Those that left are out once it is filled anew.
        full.set_free(1);
        assert!(full.set_full(1, N_VALUES, true, after()));
        assert!(after().all(|hash| !is_out(1, hash)));
        let gone = || hashes(&seed, 0).take(N_VALUES / 2);
        assert!(gone().filter(|hash| !is_out(1, *hash)).count() < N_VALUES / 50);
        assert!(hashes(&seed, 0).all(|hash| !is_out(0, hash)), "another label");
    }
}
