use std::fmt;

/// A body (of `lm1`: a line) that could not be decoded. Nothing of it was applied.
///
/// ```
/// use lastmile::{Aggregator, DecodeReason, Format, Limits, Schema, Source, Timestamp};
/// # use std::time::Duration;
/// # let now = Timestamp::new(0, Duration::ZERO);
/// let agg = Aggregator::new(Schema::builder().build()?, Limits::default(), now)?;
/// let error = agg.push(Format::Record, b"[{]", &Source::default(), now).unwrap_err();
/// assert_eq!(error.reason(), DecodeReason::Syntax);
/// assert_eq!(error.offset(), 2);
/// assert_eq!(error.to_string(), "expected a string as key at byte 2");
/// # Ok::<(), lastmile::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    reason: DecodeReason,
    offset: usize,
    detail: &'static str,
}

impl DecodeError {
    #[cold]
    pub(crate) fn new(reason: DecodeReason, offset: usize, detail: &'static str) -> Self {
        Self { reason, offset, detail }
    }

    #[cold]
    pub(crate) fn syntax(offset: usize, detail: &'static str) -> Self {
        Self::new(DecodeReason::Syntax, offset, detail)
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> DecodeReason {
        self.reason
    }

    /// Where, in bytes from the start of the body.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.detail.is_empty() { self.reason.sentence() } else { self.detail };
        write!(f, "{what} at byte {}", self.offset)
    }
}

impl std::error::Error for DecodeError {}

/// Why a body or line could not be decoded. Exposed as `lastmile_push_errors_total{reason="…"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeReason {
    /// The text is not UTF-8.
    InvalidUtf8,
    /// The text is not JSON, no Prometheus text, or no request of OTLP.
    Syntax,
    /// More than 32 arrays and objects stand inside one another, or 100 groups of protobuf.
    TooDeep,
    /// The body has 2^30 bytes or more.
    TooLarge,
    /// `/record`: the outermost value is not an array.
    ExpectedArray,
    /// `lm1`: the line is not an object. Faro: the body is none.
    ExpectedObject,
    /// `lm1`: `lm` is missing or not 1.
    UnsupportedVersion,
    /// `lm1`: `id` is not 16 to 64 characters of `[A-Za-z0-9_-]`.
    BadId,
    /// `lm1`: `m` is missing or not an object.
    MissingM,
    /// `lm1`: `lm`, `id`, `w` or `m` stands twice.
    DuplicateKey,
    /// `lm1`: there is no line. A hit: there is no series. A beacon: there is nothing.
    Empty,
    /// `lm1`: there are more than 16 lines. Prometheus text: there are more than 262,144 with samples.
    TooManyLines,
    /// OTLP: there are more than 262,144 data points, 2,097,152 buckets, 1,048,576 attributes of one resource's points, or 256
    /// of its own.
    TooManyPoints,
    /// A beacon: no mapping is declared for the path that it came to.
    UnknownPath,
}

impl DecodeReason {
    pub(crate) const ALL: [Self; 14] = [
        Self::InvalidUtf8,
        Self::Syntax,
        Self::TooDeep,
        Self::TooLarge,
        Self::ExpectedArray,
        Self::ExpectedObject,
        Self::UnsupportedVersion,
        Self::BadId,
        Self::MissingM,
        Self::DuplicateKey,
        Self::Empty,
        Self::TooManyLines,
        Self::TooManyPoints,
        Self::UnknownPath,
    ];

    /// The value of the label `reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidUtf8 => "invalid_utf8",
            Self::Syntax => "syntax",
            Self::TooDeep => "too_deep",
            Self::TooLarge => "too_large",
            Self::ExpectedArray => "expected_array",
            Self::ExpectedObject => "expected_object",
            Self::UnsupportedVersion => "unsupported_version",
            Self::BadId => "bad_id",
            Self::MissingM => "missing_m",
            Self::DuplicateKey => "duplicate_key",
            Self::Empty => "empty",
            Self::TooManyLines => "too_many_lines",
            Self::TooManyPoints => "too_many_points",
            Self::UnknownPath => "unknown_path",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::InvalidUtf8 => "the text is not UTF-8",
            Self::Syntax => "the text is not of its format",
            Self::TooDeep => "arrays and objects are nested more than 32 deep",
            Self::TooLarge => "the body is too large",
            Self::ExpectedArray => "expected an array",
            Self::ExpectedObject => "expected an object",
            Self::UnsupportedVersion => "expected `\"lm\":1`",
            Self::BadId => "`id` must be 16 to 64 characters of [A-Za-z0-9_-]",
            Self::MissingM => "expected `m`, an object",
            Self::DuplicateKey => "a key stands twice",
            Self::Empty => "there is nothing in it",
            Self::TooManyLines => "there are more than 16 lines",
            Self::TooManyPoints => "there are too many data points",
            Self::UnknownPath => "no mapping is declared for the path",
        }
    }
}
