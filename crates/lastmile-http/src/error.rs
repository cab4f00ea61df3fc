use std::fmt;

/// What is wrong with the options of a service: all of it at once, one fault a line.
///
/// ```
/// use lastmile_http::PublicOptions;
///
/// let error = PublicOptions::new().origins(["app.example"]).check().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "origins: `app.example` is no origin, such as https://app.example or null"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .faults.join("\n"))]
pub struct Error {
    faults: Vec<String>,
}

impl Error {
    /// Each fault: the option, and what is wrong with it. Secrets are not repeated.
    pub fn faults(&self) -> impl Iterator<Item = &str> {
        self.faults.iter().map(String::as_str)
    }
}

impl Error {
    /// Both, or what is wrong with either.
    pub(crate) fn both<A, B>(a: Result<A, Self>, b: Result<B, Self>) -> Result<(A, B), Self> {
        match (a, b) {
            (Ok(a), Ok(b)) => Ok((a, b)),
            (Err(a), Err(b)) => Err(Self { faults: [a.faults, b.faults].concat() }),
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }
}

/// Faults as they are found.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<String>);

impl Faults {
    pub(crate) fn push(&mut self, option: &str, why: impl fmt::Display) {
        self.0.push(format!("{option}: {why}"));
    }

    /// # Errors
    /// If there are any.
    pub(crate) fn none_or<T>(self, value: T) -> Result<T, Error> {
        if self.0.is_empty() { Ok(value) } else { Err(Error { faults: self.0 }) }
    }
}
