use std::fmt;

/// A set-up mistake: a schema, a limit, or the name of a handle that is wrong.
///
/// What clients send is never an `Error`; see [`PushReport`](crate::PushReport) and
/// [`DecodeError`](crate::DecodeError). A schema reports all its mistakes at once, one a line, each with
/// the file and line it stands in where there is one.
///
/// ```
/// use lastmile::{Family, Schema};
///
/// let error = Schema::builder()
///     .family(Family::counter("lastmile_mine"))
///     .family(Family::histogram("load_seconds", [1.0, 0.5]))
///     .build()
///     .unwrap_err();
/// assert!(error.is_schema());
/// assert_eq!(error.to_string().lines().count(), 2);
/// ```
#[derive(thiserror::Error)]
#[error(transparent)]
pub struct Error(#[from] Repr);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Repr {
    #[error("{}", Lines(.0))]
    Schema(Vec<Fault>),
    #[error("{}", Lines(.0))]
    Limit(Vec<Fault>),
    #[error("no metric family `{0}` is declared")]
    UnknownFamily(String),
    #[error("metric family `{family}`: {why}")]
    Handle { family: String, why: String },
}

impl Error {
    /// The schema contradicts itself or does not parse.
    #[must_use]
    pub fn is_schema(&self) -> bool {
        matches!(self.0, Repr::Schema(_))
    }

    /// The schema is sound, but what it reserves (or what a handle would add) exceeds the limits.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        matches!(self.0, Repr::Limit(_))
    }

    /// A handle was asked for a family, a label or a value that the schema does not have.
    #[must_use]
    pub fn is_handle(&self) -> bool {
        matches!(self.0, Repr::UnknownFamily(_) | Repr::Handle { .. })
    }

    pub(crate) fn handle(family: &str, why: impl Into<String>) -> Self {
        Repr::Handle { family: family.to_owned(), why: why.into() }.into()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// One mistake in a schema, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) place: Option<Place>,
    pub(crate) family: String,
    pub(crate) field: String,
    pub(crate) why: String,
}

/// A line of a file that a schema was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: std::sync::Arc<str>,
    /// Counted from 1.
    pub(crate) line: usize,
}

#[cfg(feature = "mapping")]
impl Fault {
    /// Whether it is one of this family.
    pub(crate) fn is_of(&self, family: &str) -> bool {
        !family.is_empty() && self.family == family
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { file, line }) = &self.place {
            write!(f, "{file}:{line}: ")?;
        }
        match (self.family.is_empty(), self.field.is_empty()) {
            (true, true) => {}
            (true, false) => write!(f, "field `{}`: ", self.field)?,
            (false, true) => write!(f, "family `{}`: ", self.family)?,
            (false, false) => write!(f, "family `{}`, field `{}`: ", self.family, self.field)?,
        }
        f.write_str(&self.why)
    }
}

/// Shows faults one a line.
struct Lines<'a>(&'a [Fault]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}
