use crate::value::native::BUCKETS_DEFAULT;

/// The resolution of a histogram's native buckets, and how many one series may have.
///
/// Each bucket of schema `s` ends 2^(2^-s) times as high as the one below, so a quantile taken from the middle
/// of one is off by the root of that factor at most: 4.4 % for schema 3, which has 8 buckets a doubling. A series
/// whose values do not fit its buckets halves its resolution, as often as it needs to; its count, its sum and
/// what each bucket counts stay exact.
///
/// Native buckets reach a Prometheus that scrapes protobuf. Text formats show the classic ones alone.
///
/// ```
/// use lastmile::{Family, Native};
///
/// let both = Family::histogram("page_load_seconds", [0.5, 1.0, 2.5]).native(Native::new(3));
/// let alone = Family::native_histogram("job_seconds", Native::new(5).max_buckets(320));
/// assert_eq!(both.native_buckets(), Some(Native::new(3).max_buckets(160)));
/// assert!(alone.bounds().is_empty());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Native {
    pub(crate) schema: i8,
    pub(crate) max_buckets: u32,
}

impl Native {
    /// Buckets of this schema, -4 to 8, at most 160 a series.
    #[must_use]
    pub const fn new(schema: i8) -> Self {
        Self { schema, max_buckets: BUCKETS_DEFAULT }
    }

    /// Most buckets of one series, from the lowest that is not empty to the highest; 12 to 1,024. A series is
    /// charged 8 bytes for each from the start.
    #[must_use]
    pub const fn max_buckets(mut self, max_buckets: u32) -> Self {
        self.max_buckets = max_buckets;
        self
    }
}
