//! What is wrong with a configuration, gathered so that one start shows all of it.

use std::fmt;

/// Every fault found so far, one a line when shown.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<String>);

impl Faults {
    /// `place` is a flag, a variable, or a file with a line.
    pub(crate) fn push(&mut self, place: &Place, why: impl fmt::Display) {
        self.0.push(format!("{place}: {why}"));
    }

    /// Adds what the library says, which names its places itself.
    pub(crate) fn extend(&mut self, error: &lastmile::Error) {
        self.0.extend(error.to_string().lines().map(str::to_owned));
    }

    /// `value`, which is there unless there is a fault; otherwise all faults.
    pub(crate) fn none_or<T>(self, value: Option<T>) -> Result<T, Self> {
        value.filter(|_| self.0.is_empty()).ok_or_else(|| self.sorted())
    }

    /// Flags and variables first, then each file from its top to its end.
    fn sorted(mut self) -> Self {
        self.0.sort_by_cached_key(|fault| {
            let (file, rest) = fault.split_once(':')?;
            let line: usize = rest.split_once(':')?.0.parse().ok()?;
            Some((file.to_owned(), line))
        });
        self
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "  {fault}")?;
        }
        Ok(())
    }
}

/// Where a setting was given.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A flag such as `--public`, a variable such as `LASTMILE_PUBLIC`, or a path.
    Name(String),
    /// A line of the configuration file, counted from 1, and the key in it.
    Line { file: String, line: usize, field: String },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Line { file, line, field } => write!(f, "{file}:{line}: field `{field}`"),
        }
    }
}

/// A setting as it was written, and where.
#[derive(Clone, Debug)]
pub(crate) struct Given<T = String> {
    pub(crate) value: T,
    pub(crate) place: Place,
}
