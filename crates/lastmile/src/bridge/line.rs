//! One line of OpenMetrics text with a sample, read strictly: a registry's own encoder wrote it.
//!
//! Source: OpenMetrics 1.0 §ABNF (specification/OpenMetrics.md).

use super::family::{Labels, Number};
use crate::exemplar::Exemplar;
use crate::exposition::{is_label_name, is_metric_name};

/// `name{label="value"} 1 # {trace="x"} 0.5 1700000000.250`.
#[derive(Debug, PartialEq)]
pub(super) struct Sample<'a> {
    pub(super) name: &'a str,
    pub(super) labels: Labels,
    pub(super) number: Number,
    pub(super) exemplar: Option<Exemplar>,
}

/// Why a line is none of a sample.
type Fault = &'static str;

impl<'a> Sample<'a> {
    pub(super) fn read(line: &'a str) -> Result<Self, Fault> {
        let end = line.find(['{', ' ']).ok_or("a line without a value")?;
        let (name, rest) = line.split_at(end);
        if !is_metric_name(name) {
            return Err("a name of a sample that would need quotes");
        }
        let (labels, rest) = read_labels(rest)?;
        for (i, (name, _)) in labels.iter().enumerate() {
            // Source: OpenMetrics 1.0 §Label, "Label names beginning with two underscores are RESERVED".
            if !is_label_name(name) || name.starts_with("__") {
                return Err("a label whose name is none");
            }
            if labels[..i].iter().any(|(earlier, _)| earlier == name) {
                return Err("a label twice");
            }
        }
        let rest = rest.strip_prefix(' ').ok_or("no space before the value")?;
        let (value, rest) = rest.split_at(rest.find(' ').unwrap_or(rest.len()));
        let number = read_number(value).ok_or("a value that is no number")?;
        let exemplar = match rest.strip_prefix(" # ") {
            Some(text) => read_exemplar(text)?,
            None if rest.is_empty() => None,
            None => return Err("more than a value"),
        };
        Ok(Self { name, labels, number, exemplar })
    }

    /// Takes a label out.
    pub(super) fn take_label(&mut self, name: &str) -> Option<String> {
        let at = self.labels.iter().position(|(label, _)| label == name)?;
        Some(self.labels.remove(at).1)
    }
}

/// A number with all its digits.
pub(super) fn read_number(text: &str) -> Option<Number> {
    // No number of 64 bits has more than 20 digits.
    let digits = text.strip_prefix('-').unwrap_or(text);
    if (1..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Number::Whole);
    }
    // Rust's floats are written as those of OpenMetrics, `inf` and `nan` in any case included.
    text.parse().ok().map(Number::Float)
}

/// Labels in braces, if there are any, and what stands behind them. Their names are not looked at.
fn read_labels(text: &str) -> Result<(Labels, &str), Fault> {
    let mut labels = Vec::new();
    let Some(mut rest) = text.strip_prefix('{') else { return Ok((labels, text)) };
    loop {
        if let Some(behind) = rest.strip_prefix('}') {
            return Ok((labels, behind));
        }
        let (name, value) = rest.split_once("=\"").ok_or("a label without a value")?;
        let end = end_of_string(value).ok_or("a label's value that does not end")?;
        labels.push((name.to_owned(), unescaped(&value[..end])));
        rest = &value[end + 1..];
        // One behind the last label is allowed for: 0.25 wrote it where a set of labels was empty.
        match rest.strip_prefix(',') {
            Some(behind) => rest = behind,
            None if rest.starts_with('}') => {}
            None => return Err("no comma between labels"),
        }
    }
}

/// What stands behind ` # `. An exemplar that is written well and breaks a limit is left out alone.
fn read_exemplar(text: &str) -> Result<Option<Exemplar>, Fault> {
    let (labels, rest) = read_labels(text)?;
    let rest = rest.strip_prefix(' ').ok_or("an exemplar without a value")?;
    let (value, timestamp) = match rest.split_once(' ') {
        Some((value, timestamp)) => (value, Some(timestamp)),
        None => (rest, None),
    };
    let float = |text| read_number(text).map(Number::to_f64).ok_or("an exemplar of no number");
    let (value, seconds) = (float(value)?, timestamp.map(float).transpose()?);
    let is_time = |seconds: &f64| (0.0..=u64::MAX as f64 / 1000.0).contains(seconds);
    if !value.is_finite() || !seconds.as_ref().is_none_or(is_time) {
        return Ok(None);
    }
    let labels: Vec<(&str, &str)> =
        labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let timestamp_ms = seconds.map(|seconds| (seconds * 1000.0).round() as u64);
    Ok(Exemplar::new(&labels, value, timestamp_ms))
}

/// Where the closing quote is.
fn end_of_string(text: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.as_bytes().get(at..)?)?;
        if text.as_bytes()[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// A text without its escapes. A backslash before anything that none begins with stands for itself.
/// Source: OpenMetrics 1.0 §ABNF, `escaped-char`.
pub(super) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, chars.as_str().chars().next()) {
            ('\\', Some(escape @ ('\\' | '"' | 'n'))) => {
                out.push(if escape == 'n' { '\n' } else { escape });
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
