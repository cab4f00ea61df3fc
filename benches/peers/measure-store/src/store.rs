use crate::Sink;

/// What a library is measured by. Each engine implements it through the best interface its library has
/// for the case at hand: labels that arrive as text for a push, and a handle that is kept for `inc`.
pub trait Store: Sized + Sync {
    /// Samples as this store takes them. Making one is not timed, so it may hold no more than what a
    /// decoder would: nothing that is looked up, hashed or copied ahead of the push.
    type Batch: Send;

    /// What a thread keeps from one push to the next.
    type Scratch: Send;

    /// A handle of one counter.
    type Counter<'a>: Sync
    where
        Self: 'a;

    /// An empty store with both families.
    fn new() -> Self;

    /// One sample of each of these series.
    fn batch(&self, series: &[usize]) -> Self::Batch;

    /// What a new thread starts with.
    fn scratch(&self) -> Self::Scratch;

    /// Adds 1 to the series of each sample, and makes the series that are new.
    fn push(&self, scratch: &mut Self::Scratch, batch: &mut Self::Batch);

    /// The handle of [`APPS`](crate::APPS)`[`[`APP`](crate::APP)`]` of
    /// [`HOST_FAMILY`](crate::HOST_FAMILY).
    fn counter(&self) -> Self::Counter<'_>;

    /// Adds 1.
    fn inc(counter: &Self::Counter<'_>);

    /// Writes the text exposition.
    fn encode(&self, sink: &mut Sink);
}
