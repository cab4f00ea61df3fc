//! What the benches need to time the store without the parser. Not part of the public interface.

use std::fmt;

use crate::aggregator::Aggregator;
use crate::push::{self, Counts, DecodeError, Format, Samples, Source};
use crate::time::Timestamp;

/// A body that is decoded once, to be applied any number of times.
#[doc(hidden)]
pub struct DecodedBatch {
    body: Vec<u8>,
    samples: Samples,
}

impl fmt::Debug for DecodedBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecodedBatch").finish_non_exhaustive()
    }
}

impl Aggregator {
    /// Decodes one batch: a `/record` body, or one line of `lm1`.
    ///
    /// # Errors
    /// As for [`push`](Self::push).
    #[doc(hidden)]
    pub fn decode_batch(&self, format: Format, body: &[u8]) -> Result<DecodedBatch, DecodeError> {
        let mut batch = DecodedBatch { body: body.to_vec(), samples: Samples::default() };
        push::decode(self.store(), format, &batch.body, &mut batch.samples)?;
        Ok(batch)
    }

    /// Takes the keyed hash of each series of the batch anew, as decoding it did. Other stores hash when
    /// a sample is added, so a comparison with them has to count this too.
    #[doc(hidden)]
    pub fn hash_batch(&self, batch: &mut DecodedBatch) {
        let DecodedBatch { body, samples } = batch;
        let catalog = self.store().lease();
        for idx in 0..samples.entries.len() {
            let entry = samples.entries[idx];
            let family = catalog.family(entry.family);
            let key = samples.key(family, body, entry.values_at as usize, 0).fold(entry.folded);
            samples.entries[idx].hash = key.hash;
        }
    }

    /// Counts what the batch holds, as often as it is called; gives the samples counted.
    #[doc(hidden)]
    pub fn apply_batch(&self, batch: &mut DecodedBatch, now: Timestamp) -> u64 {
        let mut counts = Counts::default();
        let store = self.store();
        let arrival = store.arrival(&Source::default(), self.ticks(now));
        store.apply(&store.lease(), &mut batch.samples, &batch.body, &arrival, &mut counts);
        batch.samples.misses.clear();
        counts.accepted()
    }
}
