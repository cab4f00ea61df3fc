//! Names that are kept as hashes, so that each takes 16 bytes whoever chose it.

use std::hash::{BuildHasher, Hash};

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::sync::RandomState;

/// The key of a hash of 128 bits. Whoever does not know it cannot make two names of one hash, and of a billion names no
/// two have one by chance.
#[derive(Debug)]
pub(crate) struct Key([u64; 2]);

impl Key {
    /// A key that nobody knows.
    pub(crate) fn new() -> Self {
        Self([0, 1].map(|n: u8| RandomState::new().hash_one(n)))
    }

    /// The hash of a name.
    pub(crate) fn hash(&self, name: impl Hash) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(self.0[0], self.0[1]);
        name.hash(&mut hasher);
        hasher.finish128().as_u128()
    }
}
