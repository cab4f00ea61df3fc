//! Names of families and labels, as each escaping writes them.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::Escaping;
use crate::schema::Kind;

/// Whether a family's name ends in `_unit`, a counter's before its `_total`. OpenMetrics demands it, and Prometheus
/// refuses a whole scrape in protobuf where it is not so.
pub(crate) fn ends_in_unit(name: &str, kind: Kind, unit: &str) -> bool {
    let base = match kind {
        Kind::Counter => name.strip_suffix("_total").unwrap_or(name),
        Kind::Gauge | Kind::Histogram | Kind::Summary => name,
    };
    base.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'))
}

impl Escaping {
    /// All of them, the one that changes nothing first.
    pub(crate) const ALL: [Self; 4] =
        [Self::AllowUtf8, Self::Underscores, Self::Dots, Self::Values];

    /// A family's name. One that every scraper reads is never changed.
    ///
    /// Source: prometheus/common model/metric.go `EscapeMetricFamily`, which leaves such names alone even where
    /// its `EscapeName` would double their underscores, so that a series is stored under one name whatever
    /// its scraper asked for.
    pub(crate) fn metric_name(self, name: &str) -> Cow<'_, str> {
        if is_metric_name(name) { Cow::Borrowed(name) } else { self.escape(name, true) }
    }

    /// A label's name. A colon is escaped in it, where `EscapeMetricFamily` lets it pass: no scraper would read
    /// it without quotes.
    pub(crate) fn label_name(self, name: &str) -> Cow<'_, str> {
        if is_label_name(name) { Cow::Borrowed(name) } else { self.escape(name, false) }
    }

    /// Source: prometheus/common model/metric.go, `EscapeName`.
    fn escape(self, name: &str, colon: bool) -> Cow<'_, str> {
        let mut out = String::with_capacity(name.len() + 8);
        if self == Self::Values {
            out.push_str("U__");
        }
        for (i, c) in name.char_indices() {
            let is_plain = is_plain(c, i, colon);
            match self {
                Self::AllowUtf8 => return Cow::Borrowed(name),
                Self::Dots if c == '.' => out.push_str("_dot_"),
                Self::Dots | Self::Values if c == '_' => out.push_str("__"),
                _ if is_plain => out.push(c),
                Self::Underscores => out.push('_'),
                Self::Dots => out.push_str("__"),
                Self::Values => {
                    let _ = write!(out, "_{:x}_", u32::from(c));
                }
            }
        }
        Cow::Owned(out)
    }
}

/// Whether a character may stand at byte `i` of a name without quotes.
fn is_plain(c: char, i: usize, colon: bool) -> bool {
    c.is_ascii_alphabetic() || c == '_' || (colon && c == ':') || (i > 0 && c.is_ascii_digit())
}

/// Whether a family's name needs no quotes: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
/// Source: Prometheus docs/concepts/data_model.md, "Metric names and labels".
pub(crate) fn is_metric_name(name: &str) -> bool {
    !name.is_empty() && name.char_indices().all(|(i, c)| is_plain(c, i, true))
}

/// Whether a label's does: `[a-zA-Z_][a-zA-Z0-9_]*`, by the same page.
pub(crate) fn is_label_name(name: &str) -> bool {
    !name.is_empty() && name.char_indices().all(|(i, c)| is_plain(c, i, false))
}

/// The name as it stands in text: in quotes unless it `is_plain`.
pub(super) fn quoted(name: &str, is_plain: bool) -> Cow<'_, str> {
    if is_plain {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len() + 2);
    out.push('"');
    escape_text(name, true, &mut out);
    out.push('"');
    Cow::Owned(out)
}

/// Appends a text with `\` and line feed escaped, and quotes where they end it.
/// Source: Prometheus docs/instrumenting/exposition_formats.md, "Comments, help text, and type information";
/// OpenMetrics 1.0 §Escaping (specification/OpenMetrics.md), which escapes quotes in HELP, too.
pub(crate) fn escape_text(text: &str, quotes: bool, out: &mut String) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str(r"\\"),
            '\n' => out.push_str(r"\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_every_scraper_reads_stay_and_others_are_escaped() {
        for (name, [utf8, underscores, dots, values]) in [
            ("a_total", ["a_total"; 4]),
            ("a:b", ["a:b"; 4]),
            ("a.b_c", ["a.b_c", "a_b_c", "a_dot_b__c", "U__a_2e_b__c"]),
            ("9a", ["9a", "_a", "__a", "U___39_a"]),
            ("a\n\"", ["a\n\"", "a__", "a____", "U__a_a__22_"]),
            ("é:1", ["é:1", "_:1", "__:1", "U___e9_:1"]),
        ] {
            let found = Escaping::ALL.map(|escaping| escaping.metric_name(name).into_owned());
            assert_eq!(found, [utf8, underscores, dots, values], "{name:?}");
        }
        for (name, expect) in [
            ("a_b", ["a_b"; 4]),
            ("a:b", ["a:b", "a_b", "a__b", "U__a_3a_b"]),
            ("a.b", ["a.b", "a_b", "a_dot_b", "U__a_2e_b"]),
        ] {
            let found = Escaping::ALL.map(|escaping| escaping.label_name(name).into_owned());
            assert_eq!(found, expect, "{name:?}");
        }
    }

    #[test]
    fn what_is_escaped_needs_no_quotes() {
        for name in ["a b", "1", "😱", "花火", "\u{7f}", "a.b.c_d", "\"", "\\", "-", "é"] {
            for escaping in [Escaping::Underscores, Escaping::Dots, Escaping::Values] {
                assert!(is_metric_name(&escaping.metric_name(name)), "{name:?} {escaping:?}");
                assert!(is_label_name(&escaping.label_name(name)), "{name:?} {escaping:?}");
            }
        }
        assert_eq!(quoted("a\\b\"\nc", false), "\"a\\\\b\\\"\\nc\"");
    }
}
