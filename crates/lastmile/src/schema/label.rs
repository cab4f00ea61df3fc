/// What becomes of a value that a closed label does not list, or that does not match an open label's
/// pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Otherwise {
    /// The sample counts under the value `other`; totals stay true.
    Other,
    /// The sample is refused as [`Refusal::LabelValue`](crate::Refusal::LabelValue).
    Refuse,
}

/// What a value that waits for a place of its own is counted by; see [`Label::admit_after`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdmitBy {
    /// By batches that it came in.
    #[default]
    Batch,
    /// By sources that it came from: by prefixes of the clients' addresses, /32 or /56, within an hour. They
    /// are told apart by 64 bits that a keyed hash picks, so two of them may count as one and a value waits
    /// longer: for about 3 sources of 3, 9 of 8, and 44 of 32.
    /// For a public site, where one client may send many batches; wrong for a school behind one address.
    /// Pushes without an address count for nothing.
    Source,
}

/// Where a label's value comes from that the server sets and no client can send. `lastmile-http` knows the
/// origin of a request and vouches for no header and no key yet, so that those are `unknown` behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueFrom {
    /// A header of the request, by its name in lower case, as the host vouches for it with
    /// [`Source::headers`](crate::Source::headers).
    Header(String),
    /// The `Origin` of the request.
    Origin,
    /// The name of the API key that was accepted.
    Key,
    /// Always this.
    Const(String),
}

/// A label of a metric family, and the values it may take.
///
/// ```
/// use lastmile::{Label, Otherwise, ValueFrom};
///
/// let device = Label::closed("device", ["phone", "desktop"]); // anything else is `other`
/// let app = Label::closed("app", ["student"]).otherwise(Otherwise::Refuse);
/// let page = Label::open("page", 100) // the 101st value is `other`
///     .template() // `/users/42` is `/users/:id`
///     .pattern("/[a-z/:]{0,80}") // what does not match is `other`
///     .admit_after(3) // until a value came in three batches it is `other`
///     .pin(["/", "/login"]); // these have places from the start
/// let country = Label::open("country", 50).value_from(ValueFrom::Header("x-country".into()));
/// assert_eq!(page.name(), "page");
/// # let _ = (device, app, country);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub(crate) name: String,
    pub(crate) policy: Policy,
    pub(crate) value_from: Option<ValueFrom>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    Closed { values: Vec<String>, otherwise: Otherwise },
    Open(Open),
}

/// The policy of an open label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) max_values: u32,
    pub(crate) max_bytes: usize,
    pub(crate) pin: Vec<String>,
    /// A value takes a place when it came this often; 1 is at once.
    pub(crate) admit_after: u32,
    pub(crate) admit_by: AdmitBy,
    pub(crate) pattern: Option<String>,
    pub(crate) otherwise: Otherwise,
    pub(crate) template: bool,
}

/// Longest value of an open label, in bytes, unless the label says otherwise.
const VALUE_BYTES_DEFAULT: usize = 128;

impl Label {
    fn new(name: impl Into<String>, policy: Policy) -> Self {
        Self { name: name.into(), policy, value_from: None }
    }

    /// A closed set of values; an unlisted one becomes `other` unless
    /// [`otherwise`](Self::otherwise) says to refuse it.
    #[must_use]
    pub fn closed<V: Into<String>>(
        name: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        Self::new(name, Policy::Closed { values, otherwise: Otherwise::Other })
    }

    /// A closed set without `other`, for values that our own code writes.
    pub(crate) fn closed_exactly<const N: usize>(name: &str, values: [&str; N]) -> Self {
        Self::closed(name, values).otherwise(Otherwise::Refuse)
    }

    /// An open set that holds the first `max_values` distinct values of up to 128 bytes; later ones
    /// become `other` in this label alone.
    #[must_use]
    pub fn open(name: impl Into<String>, max_values: u32) -> Self {
        let open = Open {
            max_values,
            max_bytes: VALUE_BYTES_DEFAULT,
            pin: Vec::new(),
            admit_after: 1,
            admit_by: AdmitBy::Batch,
            pattern: None,
            otherwise: Otherwise::Other,
            template: false,
        };
        Self::new(name, Policy::Open(open))
    }

    /// A label with one value that the server sets on every series, such as the name of a region.
    #[must_use]
    pub fn constant(name: impl Into<String>, value: impl Into<String>) -> Self {
        let value = value.into();
        Self::closed(name, [value.clone()])
            .otherwise(Otherwise::Refuse)
            .value_from(ValueFrom::Const(value))
    }

    /// What becomes of an unlisted value of a closed label, and of one that does not match the pattern
    /// of an open label.
    #[must_use]
    pub fn otherwise(mut self, what: Otherwise) -> Self {
        match &mut self.policy {
            Policy::Closed { otherwise, .. } => *otherwise = what,
            Policy::Open(open) => open.otherwise = what,
        }
        self
    }

    /// Longest value of an open label, in bytes of UTF-8; a longer one refuses the sample.
    /// No effect on a closed one.
    #[must_use]
    pub fn max_bytes(self, bytes: usize) -> Self {
        self.with_open(|open| open.max_bytes = bytes)
    }

    /// Values of an open label that have a place from the start, out of its `max_values`, and keep it. After
    /// a reload that pins others there may be more than `max_values` until idle ones have left.
    /// No effect on a closed one.
    #[must_use]
    pub fn pin<V: Into<String>>(self, values: impl IntoIterator<Item = V>) -> Self {
        self.with_open(|open| open.pin = values.into_iter().map(Into::into).collect())
    }

    /// A value of an open label takes a place only after it came in `n` batches, 32 at most, so that what
    /// comes once takes none; until then it counts as `other`. Which values wait is remembered in a table of
    /// fixed size, where what did not come for the longest time makes room. No effect on a closed label.
    #[must_use]
    pub fn admit_after(self, n: u32) -> Self {
        self.with_open(|open| open.admit_after = n)
    }

    /// What [`admit_after`](Self::admit_after) counts.
    #[must_use]
    pub fn admit_by(self, by: AdmitBy) -> Self {
        self.with_open(|open| open.admit_by = by)
    }

    /// What a value of an open label must match from end to end, in the syntax of the `regex` crate
    /// without word boundaries; one that does not is `other`, or refused if [`otherwise`](Self::otherwise) says so. No effect on a
    /// closed label.
    #[must_use]
    pub fn pattern(self, pattern: impl Into<String>) -> Self {
        self.with_open(|open| open.pattern = Some(pattern.into()))
    }

    /// The values of an open label are paths, of which every segment that has a digit, an `@`, or more
    /// than 24 characters becomes `:id`, and a query or fragment goes; before any other rule is asked.
    /// No effect on a closed label.
    #[must_use]
    pub fn template(self) -> Self {
        self.with_open(|open| open.template = true)
    }

    /// The server sets this label, not the client, whose sample is refused as
    /// [`UnknownLabel`](crate::Refusal::UnknownLabel) if it carries it. What the server does not know is
    /// `unknown`; what is too long is `other`. A bound handle names the value like any other.
    #[must_use]
    pub fn value_from(mut self, from: ValueFrom) -> Self {
        self.value_from = Some(from);
        self
    }

    fn with_open(mut self, change: impl FnOnce(&mut Open)) -> Self {
        if let Policy::Open(open) = &mut self.policy {
            change(open);
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

    /// The values of a closed label, in order, and `other` last where one that is not listed counts as that; `None` if the
    /// label is open.
    ///
    /// ```
    /// use lastmile::Label;
    ///
    /// let device = Label::closed("device", ["phone", "desktop"]);
    /// assert_eq!(device.values().unwrap().collect::<Vec<_>>(), ["phone", "desktop", "other"]);
    /// assert!(Label::open("page", 100).values().is_none());
    /// ```
    pub fn values(&self) -> Option<impl Iterator<Item = &str>> {
        self.is_closed().then(|| self.reserved_values())
    }

    /// Whether the server sets it, and no client may send it.
    #[must_use]
    pub fn is_set_by_server(&self) -> bool {
        self.value_from.is_some()
    }

    pub(crate) fn as_open(&self) -> Option<&Open> {
        match &self.policy {
            Policy::Open(open) => Some(open),
            Policy::Closed { .. } => None,
        }
    }

    /// The values for which a series is reserved when the family is declared: all of a closed label,
    /// `other` last if it has one; `other` alone of an open one.
    pub(crate) fn reserved_values(&self) -> impl Iterator<Item = &str> + Clone {
        let (listed, other) = match &self.policy {
            Policy::Closed { values, otherwise } => (
                values.as_slice(),
                *otherwise == Otherwise::Other && !values.iter().any(|v| v == OTHER),
            ),
            Policy::Open(_) => (&[][..], true),
        };
        listed.iter().map(String::as_str).chain(other.then_some(OTHER))
    }

    /// Longest value in bytes.
    pub(crate) fn value_bytes_max(&self) -> usize {
        match &self.policy {
            Policy::Closed { .. } => self.reserved_values().map(str::len).max().unwrap_or(0),
            Policy::Open(open) => open.max_bytes.max(OTHER.len()),
        }
    }

    /// Whether a series of this label as it was is one of this label as it is: not only how many values
    /// have a place may change.
    pub(crate) fn keeps_series_of(&self, before: &Self) -> bool {
        let strip = |label: &Self| {
            label.clone().with_open(|open| {
                open.max_values = 0;
                open.pin.clear();
                open.admit_after = 0;
                open.admit_by = AdmitBy::Batch;
            })
        };
        strip(self) == strip(before)
    }
}

/// The value that stands for all that have no place of their own.
pub(crate) const OTHER: &str = "other";

/// The value that the server sets where it does not know better.
pub(crate) const UNKNOWN: &str = "unknown";
