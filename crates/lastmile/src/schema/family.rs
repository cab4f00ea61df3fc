use std::fmt;
use std::time::Duration;

use super::label::Label;
use super::native::Native;
use crate::error::{Fault, Place};
use crate::value::VALUE_MAX;
use crate::value::summary::Scale;

/// The type of a metric family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Grows by increments.
    Counter,
    /// The last, smallest or largest value pushed within the time to live.
    Gauge,
    /// Counts observations in buckets whose bounds the server owns.
    Histogram,
    /// Counts observations, and shows quantiles of those of the last minutes.
    Summary,
}

impl Kind {
    /// The word after `# TYPE name`, also the `type` of a schema file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the pushes to one gauge series combine while its value lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Combine {
    /// The last value pushed.
    Last,
    /// The smallest.
    Min,
    /// The largest.
    Max,
}

/// How `le` is spelled in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeStyle {
    /// OpenMetrics' canonical floats: `1.0`, `1e+06`.
    Canonical,
    /// As JavaScript prints numbers: `1`. What `prometheus-user-metrics` exposes.
    JavaScript,
}

/// How long a pushed gauge keeps its value unless the family says otherwise.
const GAUGE_TTL_DEFAULT: Duration = Duration::from_secs(300);

/// How long any other series of an open family stays without a push unless the family says otherwise.
const SERIES_TTL_DEFAULT: Duration = Duration::from_secs(3_600);

/// Largest increment of one sample unless the family says otherwise.
const INCREMENT_MAX_DEFAULT: f64 = 10_000.0;

/// Largest observation is at least this (a day in seconds) unless the family says otherwise.
const OBSERVATION_MAX_DEFAULT: f64 = 86_400.0;

/// … or this many times the highest bound.
const OBSERVATION_MAX_OVER_BOUND: f64 = 100.0;

/// A summary's values are told apart by this (a millisecond in seconds) unless the family says otherwise.
const RESOLUTION_DEFAULT: f64 = 0.001;

/// A metric family: its name, type, help and labels, and the bounds on what clients may send to it.
///
/// A builder; mistakes are reported by [`SchemaBuilder::build`](crate::SchemaBuilder::build), all at once.
///
/// ```
/// use lastmile::{Family, Kind, Label};
///
/// let family = Family::histogram("page_load_seconds", [0.1, 0.5, 1.0, 2.5])
///     .help("Time until the page was usable.")
///     .unit("seconds")
///     .label(Label::open("page", 100))
///     .max(3_600.0);
/// assert_eq!(family.kind(), Kind::Histogram);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) help: String,
    pub(crate) unit: Option<String>,
    pub(crate) labels: Vec<Label>,
    pub(crate) bounds: Vec<f64>,
    pub(crate) native: Option<Native>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) combine: Option<Combine>,
    pub(crate) ttl: Option<Duration>,
    pub(crate) resolution: Option<f64>,
    pub(crate) le_style: LeStyle,
    pub(crate) otel: Option<String>,
    pub(crate) host_only: bool,
    pub(crate) place: Option<Place>,
}

impl Family {
    fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
            help: String::new(),
            unit: None,
            labels: Vec::new(),
            bounds: Vec::new(),
            native: None,
            min: None,
            max: None,
            combine: None,
            ttl: None,
            resolution: None,
            le_style: LeStyle::Canonical,
            otel: None,
            host_only: false,
            place: None,
        }
    }

    /// A counter. One sample may add up to 10,000 unless [`max`](Self::max) says otherwise.
    #[must_use]
    pub fn counter(name: impl Into<String>) -> Self {
        Self::new(name, Kind::Counter)
    }

    /// A gauge that shows the last value pushed for 5 minutes, unless [`combine`](Self::combine) and
    /// [`ttl`](Self::ttl) say otherwise. It is exposed only while it has a value.
    #[must_use]
    pub fn gauge(name: impl Into<String>) -> Self {
        Self::new(name, Kind::Gauge)
    }

    /// A histogram with these upper bounds, from 0 up and ascending; `+Inf` is always there and need not be named.
    /// An observation may be as large as 86,400 or 100 × the highest bound, whichever is greater,
    /// unless [`max`](Self::max) says otherwise.
    #[must_use]
    pub fn histogram(name: impl Into<String>, bounds: impl IntoIterator<Item = f64>) -> Self {
        let mut family = Self::new(name, Kind::Histogram);
        family.bounds = bounds.into_iter().collect();
        family
    }

    /// A histogram with native buckets and no classic ones. In text it has the bucket `+Inf` alone, `_sum` and
    /// `_count`. An observation may be as large as 86,400 unless [`max`](Self::max) says otherwise.
    #[must_use]
    pub fn native_histogram(name: impl Into<String>, native: Native) -> Self {
        Self::histogram(name, []).native(native)
    }

    /// A summary: the quantiles 0.5, 0.75, 0.95 and 0.99 of what was observed in the last 8 to 10 minutes,
    /// beside the `_sum` and `_count` of all observations ever.
    ///
    /// A quantile is within 1 % of the true one, or within half a [`resolution`](Self::resolution) where
    /// that is more. A series that observed nothing for ten minutes shows none: a NaN is not a number
    /// that anyone measured. An observation may be as large as 86,400 unless [`max`](Self::max) says
    /// otherwise; a larger one, which only the host can make, counts as the largest in the quantiles.
    ///
    /// Quantiles of several series, or of several aggregators, cannot be joined; where that is wanted,
    /// declare a histogram. A series is charged from the start for all it may take: 53 KiB by default, and
    /// 2.5 KiB more for each doubling of `max` or halving of the resolution. Needs the feature `summary`, without
    /// which [`SchemaBuilder::build`](crate::SchemaBuilder::build) reports a mistake.
    #[must_use]
    pub fn summary(name: impl Into<String>) -> Self {
        Self::new(name, Kind::Summary)
    }

    /// Counts a histogram's observations in native buckets too.
    #[must_use]
    pub fn native(mut self, native: Native) -> Self {
        self.native = Some(native);
        self
    }

    /// The text behind `# HELP`; any UTF-8, escaped where it is exposed.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// The unit, `[a-zA-Z_:][a-zA-Z0-9_:]*`, in which the name must end (before `_total`): `seconds` for
    /// `page_load_seconds`.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = Some(unit.into());
        self
    }

    /// Adds a label. Order is kept in the exposition.
    #[must_use]
    pub fn label(mut self, label: Label) -> Self {
        self.labels.push(label);
        self
    }

    /// Largest increment or observation of one sample, after weighting; at most 2^53.
    #[must_use]
    pub fn max(mut self, max: f64) -> Self {
        self.max = Some(max);
        self
    }

    /// Smallest value of one sample; 0 unless said otherwise, and never less for counters, histograms
    /// and summaries.
    #[must_use]
    pub fn min(mut self, min: f64) -> Self {
        self.min = Some(min);
        self
    }

    /// How pushes to a gauge combine.
    #[must_use]
    pub fn combine(mut self, combine: Combine) -> Self {
        self.combine = Some(combine);
        self
    }

    /// How long a series stays without a push: of a gauge 5 minutes, of other families with an open label
    /// an hour, unless this says otherwise. Series of a family whose labels are all closed stay.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// The difference below which a summary's values are one, 0.001 unless this says otherwise: a
    /// millisecond for seconds. Finer costs memory, 2.5 KiB a series for each time that it is halved.
    #[must_use]
    pub fn resolution(mut self, resolution: f64) -> Self {
        self.resolution = Some(resolution);
        self
    }

    /// What OpenTelemetry calls it, where that is neither the family's name nor what Prometheus makes the name of:
    /// `app_loads_total` is the family of `app.loads` in any case. No two families may have one, nor is it the name of
    /// another family.
    ///
    /// ```
    /// use lastmile::{Family, Schema};
    ///
    /// let family = Family::counter("loads_total").otel("myapp.page.loads");
    /// assert!(Schema::builder().family(family).build().is_ok());
    /// ```
    #[must_use]
    pub fn otel(mut self, name: impl Into<String>) -> Self {
        self.otel = Some(name.into());
        self
    }

    /// Keeps clients out: a push to this family is refused as
    /// [`UnknownFamily`](crate::Refusal::UnknownFamily), and only bound handles write to it. For what the
    /// host itself knows, such as orders taken, in a schema that clients push to.
    #[must_use]
    pub fn host_only(mut self) -> Self {
        self.host_only = true;
        self
    }

    /// The family's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The family's type.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The text behind `# HELP`, not escaped.
    #[must_use]
    pub fn help_text(&self) -> &str {
        &self.help
    }

    /// The unit, if one is declared.
    #[must_use]
    pub fn unit_name(&self) -> Option<&str> {
        self.unit.as_deref()
    }

    /// The labels in order.
    #[must_use]
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// A histogram's upper bounds without `+Inf`; empty for other types, and if it has native buckets alone.
    #[must_use]
    pub fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    /// The native buckets, if it has any.
    #[must_use]
    pub fn native_buckets(&self) -> Option<Native> {
        self.native
    }

    /// Whether no client may push to it.
    #[must_use]
    pub fn is_host_only(&self) -> bool {
        self.host_only
    }

    /// Smallest value a sample may carry.
    pub(crate) fn value_min(&self) -> f64 {
        self.min.unwrap_or(0.0)
    }

    /// Largest value a sample may carry.
    pub(crate) fn value_max(&self) -> f64 {
        self.max.unwrap_or(match self.kind {
            Kind::Counter => INCREMENT_MAX_DEFAULT,
            Kind::Gauge => VALUE_MAX,
            Kind::Histogram | Kind::Summary => {
                let highest = self.bounds.last().copied().unwrap_or(0.0);
                OBSERVATION_MAX_DEFAULT.max(highest * OBSERVATION_MAX_OVER_BOUND).min(VALUE_MAX)
            }
        })
    }

    pub(crate) fn gauge_combine(&self) -> Combine {
        self.combine.unwrap_or(Combine::Last)
    }

    pub(crate) fn ttl_or_default(&self) -> Duration {
        self.ttl.unwrap_or(match self.kind {
            Kind::Gauge => GAUGE_TTL_DEFAULT,
            Kind::Counter | Kind::Histogram | Kind::Summary => SERIES_TTL_DEFAULT,
        })
    }

    pub(crate) fn resolution_or_default(&self) -> f64 {
        self.resolution.unwrap_or(RESOLUTION_DEFAULT)
    }

    /// How a summary's values are counted.
    pub(crate) fn scale(&self) -> Scale {
        Scale::new(self.resolution_or_default(), self.value_max())
    }

    /// Series that are reserved when the family is declared.
    pub(crate) fn n_reserved(&self) -> u64 {
        self.labels
            .iter()
            .map(|label| label.reserved_values().count() as u64)
            .fold(1, u64::saturating_mul)
    }

    /// A mistake in this family, where it stands.
    pub(crate) fn fault(&self, field: &str, why: String) -> Fault {
        let (place, family) = (self.place.clone(), self.name.clone());
        Fault { place, family, field: field.to_owned(), why }
    }

    /// Whether both are declared alike, wherever they stand.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let strip = |family: &Self| Self { place: None, ..family.clone() };
        strip(self) == strip(other)
    }

    /// Whether a series of this family as it was is one of this family as it is.
    pub(crate) fn keeps_series_of(&self, before: &Self) -> bool {
        let labels = || self.labels.iter().zip(&before.labels);
        self.kind == before.kind
            && self.bounds == before.bounds
            && self.native == before.native
            && self.le_style == before.le_style
            && (self.kind != Kind::Summary || self.scale() == before.scale())
            && self.labels.len() == before.labels.len()
            && labels().all(|(label, before)| label.keeps_series_of(before))
    }
}
