//! Which exposition a scrape asks for, and what it is called.

/// A format of expositions, as a scraper names it in `Accept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExpositionFormat {
    /// Prometheus text 0.0.4, which every scraper reads. Names are escaped by
    /// [`Escaping::Underscores`].
    Text0_0_4,
    /// Prometheus text 1.0.0: the same, and names of any UTF-8 in quotes.
    Text1_0_0(Escaping),
    /// OpenMetrics 1.0.0.
    OpenMetrics1_0_0(Escaping),
    /// Length-delimited messages of `io.prometheus.client.MetricFamily`: the one format that has native
    /// histograms and start times.
    #[cfg(feature = "protobuf")]
    Protobuf(Escaping),
}

/// How names that are not `[a-zA-Z_:][a-zA-Z0-9_:]*` are written. Names that are stay as they are under each of
/// these.
///
/// Source: Prometheus docs/instrumenting/escaping_schemes.md; where prometheus/common's
/// `expfmt.EscapeMetricFamily` and `model.EscapeName` differ from it, they count, as servers in the field use them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Escaping {
    /// As they are, in quotes.
    AllowUtf8,
    /// Each other character is an underscore.
    #[default]
    Underscores,
    /// A dot is `_dot_`, an underscore is two, and so is each other character.
    Dots,
    /// `U__` in front, and each other character is its code point in hexadecimal between underscores.
    Values,
}

impl Escaping {
    /// What `Accept` and `Content-Type` call it in `escaping=`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }

    /// The one that [`as_str`](Self::as_str) calls so, in upper or lower case.
    ///
    /// ```
    /// use lastmile::Escaping;
    ///
    /// assert_eq!(Escaping::named("Allow-UTF-8"), Some(Escaping::AllowUtf8));
    /// assert_eq!(Escaping::named("none"), None);
    /// ```
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|escaping| escaping.as_str().eq_ignore_ascii_case(name))
    }
}

/// The exact types of one format, by escaping.
macro_rules! content_type {
    ($escaping:expr, $prefix:literal) => {
        match $escaping {
            Escaping::AllowUtf8 => concat!($prefix, "; escaping=allow-utf-8"),
            Escaping::Underscores => concat!($prefix, "; escaping=underscores"),
            Escaping::Dots => concat!($prefix, "; escaping=dots"),
            Escaping::Values => concat!($prefix, "; escaping=values"),
        }
    };
}

impl ExpositionFormat {
    /// How names are escaped.
    #[must_use]
    pub fn escaping(self) -> Escaping {
        match self {
            Self::Text0_0_4 => Escaping::Underscores,
            Self::Text1_0_0(escaping) | Self::OpenMetrics1_0_0(escaping) => escaping,
            #[cfg(feature = "protobuf")]
            Self::Protobuf(escaping) => escaping,
        }
    }

    /// The exact `Content-Type`; Prometheus 3 drops a target whose type it does not know.
    ///
    /// Source: Prometheus docs/instrumenting/content_negotiation.md and exposition_formats.md; prometheus/common
    /// expfmt/expfmt.go for the order of parameters.
    ///
    /// ```
    /// use lastmile::{Escaping, ExpositionFormat};
    ///
    /// let format = ExpositionFormat::OpenMetrics1_0_0(Escaping::AllowUtf8);
    /// assert_eq!(
    ///     format.content_type(),
    ///     "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
    /// );
    /// ```
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text0_0_4 => "text/plain; version=0.0.4; charset=utf-8",
            Self::Text1_0_0(escaping) => {
                content_type!(escaping, "text/plain; version=1.0.0; charset=utf-8")
            }
            Self::OpenMetrics1_0_0(escaping) => content_type!(
                escaping,
                "application/openmetrics-text; version=1.0.0; charset=utf-8"
            ),
            #[cfg(feature = "protobuf")]
            Self::Protobuf(escaping) => content_type!(
                escaping,
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            ),
        }
    }
}
