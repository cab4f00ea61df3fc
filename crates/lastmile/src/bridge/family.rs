//! Families of others, as they are read and written.

use crate::exemplar::Exemplar;
use crate::exposition::ends_in_unit;
use crate::schema::Kind;

/// A family that stands behind those of the aggregate.
#[derive(Debug, PartialEq)]
pub(crate) struct Appended {
    /// Its name in OpenMetrics: without the `_total` or `_info` of its samples.
    pub(crate) name: String,
    pub(crate) kind: AppendedKind,
    pub(crate) unit: Option<String>,
    pub(crate) help: String,
    /// At least one.
    pub(crate) series: Vec<AppendedSeries>,
}

/// A type that `prometheus_client` has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppendedKind {
    Counter,
    Gauge,
    Histogram,
    Info,
    Unknown,
}

#[derive(Debug, PartialEq)]
pub(crate) struct AppendedSeries {
    /// In the order in which they came, without `le`.
    pub(crate) labels: Labels,
    pub(crate) point: Point,
}

pub(crate) type Labels = Vec<(String, String)>;

/// What a series stands at.
#[derive(Debug, PartialEq)]
pub(crate) enum Point {
    /// One sample.
    Number(Number, Option<Exemplar>),
    Histogram {
        sum: Number,
        /// Ascending, the last one for `+Inf`; their counts are cumulative.
        buckets: Vec<Bucket>,
    },
}

#[derive(Debug, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) bound: f64,
    pub(crate) count: u64,
    pub(crate) exemplar: Option<Exemplar>,
}

/// A number with all its digits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// Of 64 bits, with or without a sign.
    Whole(i128),
    Float(f64),
}

impl Number {
    pub(crate) fn to_f64(self) -> f64 {
        match self {
            Self::Whole(n) => n as f64,
            Self::Float(v) => v,
        }
    }
}

impl AppendedKind {
    pub(super) fn of(text: &str) -> Option<Self> {
        Some(match text {
            "counter" => Self::Counter,
            "gauge" => Self::Gauge,
            "histogram" => Self::Histogram,
            "info" => Self::Info,
            "unknown" => Self::Unknown,
            _ => return None,
        })
    }

    /// What the names of its samples add to that of the family.
    pub(super) fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &["_total"],
            Self::Gauge | Self::Unknown => &[""],
            Self::Histogram => &["_bucket", "_sum", "_count"],
            Self::Info => &["_info"],
        }
    }
}

impl Appended {
    /// The name that it has in text and in protobuf.
    pub(crate) fn text_name(&self) -> String {
        match self.kind {
            AppendedKind::Counter | AppendedKind::Info => {
                format!("{}{}", self.name, self.kind.suffixes()[0])
            }
            AppendedKind::Gauge | AppendedKind::Histogram | AppendedKind::Unknown => {
                self.name.clone()
            }
        }
    }

    /// The names of it and of its samples in all formats, those included that a reader of OpenMetrics keeps for
    /// it: `_created`.
    pub(super) fn exposed(&self) -> Vec<String> {
        let is_cumulative = matches!(self.kind, AppendedKind::Counter | AppendedKind::Histogram);
        let created = is_cumulative.then_some("_created");
        let suffixes = [""].iter().chain(self.kind.suffixes()).copied().chain(created);
        suffixes.map(|suffix| format!("{}{suffix}", self.name)).collect()
    }

    /// Why it cannot be shown, if it cannot; its lines alone do not tell.
    pub(super) fn fault(&self) -> Option<String> {
        if let Some(unit) = &self.unit {
            if self.kind == AppendedKind::Info {
                return Some("an info has a unit".to_owned());
            }
            // The name that is read has no suffix, like that of a gauge.
            if !ends_in_unit(&self.name, Kind::Gauge, unit) {
                return Some(format!("its name does not end in its unit `{unit}`"));
            }
        }
        // A label of no text is as good as none.
        // Source: OpenMetrics 1.0 §Label, "Empty label values SHOULD be treated as if the label was not
        // present" (specification/OpenMetrics.md).
        let mut seen = std::collections::HashSet::with_capacity(self.series.len());
        for series in &self.series {
            let mut labels: Vec<&(String, String)> =
                series.labels.iter().filter(|(_, value)| !value.is_empty()).collect();
            labels.sort_unstable();
            if !seen.insert(labels) {
                return Some("a series comes twice".to_owned());
            }
        }
        None
    }
}
