//! What is declared, and what it makes of label values and numbers.

use super::{Native, Value};
use crate::exact::Exact;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Combine {
    Last,
    Min,
    Max,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Counter,
    Gauge(Combine),
    /// With its bounds.
    Histogram(Vec<f64>),
    /// Its `_count` and `_sum`; the quantiles have laws of their own.
    Summary,
}

impl Kind {
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge(_) => "gauge",
            Kind::Histogram(_) => "histogram",
            Kind::Summary => "summary",
        }
    }

    /// Whether it takes observations, which come as lists.
    pub(crate) fn is_observed(&self) -> bool {
        matches!(self, Kind::Histogram(_) | Kind::Summary)
    }

    pub(super) fn bounds(&self) -> &[f64] {
        match self {
            Kind::Histogram(bounds) => bounds,
            _ => &[],
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Policy {
    /// A closed set; whether an unlisted value is refused.
    Closed {
        values: Vec<String>,
        refuse: bool,
    },
    Open(Open),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Open {
    pub(crate) max_values: usize,
    pub(crate) max_bytes: usize,
    pub(crate) pin: Vec<String>,
    /// A value takes a place with this many batches.
    pub(crate) admit_after: usize,
    /// Whether a value must start with a slash.
    pub(crate) slash: bool,
    pub(crate) template: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Label {
    pub(crate) name: String,
    pub(crate) policy: Policy,
    /// The server sets this value, and no client may.
    pub(crate) served: Option<String>,
}

impl Label {
    pub(super) fn open(&self) -> Option<&Open> {
        match &self.policy {
            Policy::Open(open) => Some(open),
            Policy::Closed { .. } => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) labels: Vec<Label>,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// Of a histogram, the schema of its native buckets and how many there may be.
    pub(crate) native: Option<(i32, usize)>,
}

impl Family {
    pub(crate) fn is_open(&self) -> bool {
        self.labels.iter().any(|label| label.open().is_some())
    }

    /// Every combination of closed values, `other` for every open label; first label slowest.
    pub(crate) fn closed_rows(&self) -> Vec<Vec<String>> {
        let mut rows = vec![Vec::new()];
        for label in &self.labels {
            let mut values = match &label.policy {
                Policy::Closed { values, .. } => values.clone(),
                Policy::Open(_) => vec![],
            };
            let other_is_possible = !matches!(label.policy, Policy::Closed { refuse: true, .. });
            if other_is_possible && !values.contains(&OTHER.to_owned()) {
                values.push(OTHER.to_owned());
            }
            rows = rows
                .iter()
                .flat_map(|row| {
                    values.iter().map(|v| [row.as_slice(), std::slice::from_ref(v)].concat())
                })
                .collect();
        }
        rows
    }
}

pub(super) const OTHER: &str = "other";

impl Family {
    /// Whether the series of this family are those of `next`, the same family declared otherwise.
    pub(crate) fn keeps_series_of(&self, next: &Family) -> bool {
        let what_counts = |family: &Family| {
            let mut labels = family.labels.clone();
            for label in &mut labels {
                if let Policy::Open(open) = &mut label.policy {
                    (open.max_values, open.admit_after, open.pin) = (0, 0, vec![]);
                }
            }
            // What a summary counts in depends on how large its values get.
            let max = matches!(family.kind, Kind::Summary).then_some(family.max);
            let buckets = (family.bounds().to_vec(), family.native);
            (family.name.clone(), family.kind.as_str(), buckets, max, labels)
        };
        what_counts(self) == what_counts(next)
    }

    fn bounds(&self) -> &[f64] {
        match &self.kind {
            Kind::Histogram(bounds) => bounds,
            Kind::Counter | Kind::Gauge(_) | Kind::Summary => &[],
        }
    }

    pub(super) fn zero(&self) -> Value {
        match &self.kind {
            Kind::Counter => Value::Counter(Exact::default()),
            Kind::Gauge(_) => Value::Gauge(None),
            kind @ (Kind::Histogram(_) | Kind::Summary) => {
                let buckets = vec![0; kind.bounds().len() + 1];
                let native = self.native.map(Native::new);
                Value::Histogram { buckets, sum: Exact::default(), native }
            }
        }
    }
}

/// The values of the declared labels, in declared order, as the policies leave them.
pub(super) fn label_values(
    family: &Family,
    sent: &[(String, String)],
) -> Result<Vec<String>, &'static str> {
    let declared = |name: &String| {
        family.labels.iter().any(|label| label.name == *name && label.served.is_none())
    };
    if !sent.iter().all(|(name, _)| declared(name)) {
        return Err("unknown_label");
    }
    let value = |label: &Label| match &label.served {
        Some(value) => Some(value.clone()),
        None => sent.iter().find(|(name, _)| *name == label.name).map(|(_, value)| value.clone()),
    };
    let values: Option<Vec<String>> = family.labels.iter().map(value).collect();
    let mut values = values.ok_or("missing_label")?;
    for (label, value) in family.labels.iter().zip(&mut values) {
        let Some(open) = label.open() else { continue };
        if open.template {
            *value = template(value);
        }
        if value.len() > open.max_bytes {
            return Err("label_too_long");
        }
    }
    let labels = family.labels.iter().zip(values);
    labels
        .map(|(label, value)| match &label.policy {
            Policy::Closed { values, .. } if values.contains(&value) => Ok(value),
            Policy::Closed { refuse: true, .. } => Err("label_value"),
            Policy::Closed { refuse: false, .. } => Ok(OTHER.to_owned()),
            Policy::Open(open) if open.slash && !value.starts_with('/') => Ok(OTHER.to_owned()),
            Policy::Open(_) => Ok(value),
        })
        .collect()
}

/// A path without what names one thing of many.
fn template(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let segments = path.split('/').map(|segment| {
        let names_one = segment.contains(|c: char| c.is_ascii_digit() || c == '@');
        if names_one || segment.chars().count() > 24 { ":id" } else { segment }
    });
    segments.collect::<Vec<_>>().join("/")
}

pub(super) fn check_bounds(family: &Family, value: f64) -> Result<(), &'static str> {
    if value < family.min {
        return Err(if value < 0.0 { "negative" } else { "too_small" });
    }
    if value > family.max { Err("too_large") } else { Ok(()) }
}
