/// What becomes of a value that a closed label does not list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Otherwise {
    /// The sample counts under the value `other`; totals stay true.
    Other,
    /// The sample is refused as [`Refusal::LabelValue`](crate::Refusal::LabelValue).
    Refuse,
}

/// A label of a metric family, and the values it may take.
///
/// ```
/// use lastmile::{Label, Otherwise};
///
/// let device = Label::closed("device", ["phone", "desktop"]); // anything else is `other`
/// let app = Label::closed("app", ["student"]).otherwise(Otherwise::Refuse);
/// let page = Label::open("page", 100).max_bytes(80); // the 101st value is `other`
/// assert_eq!(page.name(), "page");
/// # let _ = (device, app);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub(crate) name: String,
    pub(crate) policy: Policy,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    Closed { values: Vec<String>, otherwise: Otherwise },
    Open { max_values: u32, max_bytes: usize },
}

/// Longest value of an open label, in bytes, unless the label says otherwise.
const VALUE_BYTES_DEFAULT: usize = 128;

impl Label {
    /// A closed set of values; an unlisted one becomes `other` unless
    /// [`otherwise`](Self::otherwise) says to refuse it.
    #[must_use]
    pub fn closed<V: Into<String>>(
        name: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        Self { name: name.into(), policy: Policy::Closed { values, otherwise: Otherwise::Other } }
    }

    /// A closed set without `other`, for values that our own code writes.
    pub(crate) fn closed_exactly<const N: usize>(name: &str, values: [&str; N]) -> Self {
        Self::closed(name, values).otherwise(Otherwise::Refuse)
    }

    /// An open set that holds the first `max_values` distinct values of up to 128 bytes; later ones
    /// become `other` in this label alone.
    #[must_use]
    pub fn open(name: impl Into<String>, max_values: u32) -> Self {
        Self {
            name: name.into(),
            policy: Policy::Open { max_values, max_bytes: VALUE_BYTES_DEFAULT },
        }
    }

    /// What becomes of an unlisted value of a closed label. No effect on an open one.
    #[must_use]
    pub fn otherwise(mut self, what: Otherwise) -> Self {
        if let Policy::Closed { otherwise, .. } = &mut self.policy {
            *otherwise = what;
        }
        self
    }

    /// Longest value of an open label, in bytes of UTF-8; a longer one refuses the sample.
    /// No effect on a closed one.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        if let Policy::Open { max_bytes, .. } = &mut self.policy {
            *max_bytes = bytes;
        }
        self
    }

    /// The label's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the set of values is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.policy, Policy::Closed { .. })
    }

    /// The values for which a series is reserved when the family is declared: all of a closed label,
    /// `other` last if it has one; `other` alone of an open one.
    pub(crate) fn reserved_values(&self) -> impl Iterator<Item = &str> + Clone {
        let (listed, other) = match &self.policy {
            Policy::Closed { values, otherwise } => (
                values.as_slice(),
                *otherwise == Otherwise::Other && !values.iter().any(|v| v == OTHER),
            ),
            Policy::Open { .. } => (&[][..], true),
        };
        listed.iter().map(String::as_str).chain(other.then_some(OTHER))
    }

    /// Longest value in bytes.
    pub(crate) fn value_bytes_max(&self) -> usize {
        match &self.policy {
            Policy::Closed { .. } => self.reserved_values().map(str::len).max().unwrap_or(0),
            Policy::Open { max_bytes, .. } => (*max_bytes).max(OTHER.len()),
        }
    }
}

/// The value that stands for all that have no place of their own.
pub(crate) const OTHER: &str = "other";
