//! The table that the proof prints.

use std::fmt;

use crate::memory::MIB;

/// The columns, as Markdown.
pub(crate) const HEAD: &str = "\
| what | size | seconds | resident MiB: start | filled | 25 % | 50 % | 75 % | 100 % | largest deviation |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|";

/// One line of it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) size: String,
    pub(crate) seconds: f64,
    /// Resident bytes before the first of them.
    pub(crate) start: u64,
    /// Resident bytes at each mark, of which the last is the end.
    pub(crate) marks: Vec<u64>,
    /// Between what was sent and what was read.
    pub(crate) deviation: f64,
    pub(crate) notes: String,
}

impl fmt::Display for Row {
    /// All but the first column.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} | {:.1} | {:.1} |", self.size, self.seconds, self.start as f64 / MIB)?;
        for mark in &self.marks {
            write!(f, " {:.1} |", *mark as f64 / MIB)?;
        }
        write!(f, " {} |", self.deviation)
    }
}
