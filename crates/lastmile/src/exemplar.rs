//! Exemplars: one observation of the host's own, with what it belongs to, a trace for example.

use crate::exposition::is_label_name;

/// Most UTF-8 code points of an exemplar's label names and values together.
/// Source: OpenMetrics 1.0 §Exemplars, "MUST NOT exceed 128 UTF-8 character code points"
/// (specification/OpenMetrics.md).
const CHARS_MAX: usize = 128;

/// What a handle observed last, in a counter or in one bucket of a histogram.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exemplar {
    pub(crate) labels: Box<[(Box<str>, Box<str>)]>,
    pub(crate) value: f64,
    /// Wall milliseconds, if they were given.
    pub(crate) timestamp_ms: Option<u64>,
}

impl Exemplar {
    /// One with these labels, unless they have more than [`CHARS_MAX`] code points, a name that is none, or a
    /// name twice. At most about 4 KiB, most of it for names and values of one byte.
    pub(crate) fn new(
        labels: &[(&str, &str)],
        value: f64,
        timestamp_ms: Option<u64>,
    ) -> Option<Self> {
        // Each name has a code point, so what is too many is not looked at any further.
        if labels.len() > CHARS_MAX {
            return None;
        }
        let chars = |text: &str| text.chars().take(CHARS_MAX + 1).count();
        let n_chars: usize = labels.iter().map(|(name, value)| chars(name) + chars(value)).sum();
        let is_twice = |i: usize| labels[..i].iter().any(|(name, _)| *name == labels[i].0);
        let is_valid = |i: usize| is_label_name(labels[i].0) && !is_twice(i);
        if n_chars > CHARS_MAX || !(0..labels.len()).all(is_valid) {
            return None;
        }
        let labels = labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Some(Self { labels, value, timestamp_ms })
    }

    /// The bytes of its labels, which are those on the heap.
    pub(crate) fn bytes(&self) -> u64 {
        let text: usize = self.labels.iter().map(|(name, value)| name.len() + value.len()).sum();
        (size_of_val(&*self.labels) + text) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_sets_are_bounded() {
        let (long, longer) = ("é".repeat(126), "é".repeat(127));
        let many: Vec<String> = (0..200).map(|i| format!("a{i}")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "")).collect();
        for (labels, is_valid) in [
            (&[][..], true),
            (&[("trace_id", "abc"), ("span_id", "")], true),
            (&[("a", "1"), ("a", "2")], false),
            (&[("", "1")], false),
            (&[("a.b", "1")], false),
            (&[("1a", "1")], false),
            (&[("ab", &long)], true),
            (&[("ab", &longer)], false),
            (&[("a", "\"\\\n")], true),
            (&many, false),
        ] {
            assert_eq!(Exemplar::new(labels, 1.0, None).is_some(), is_valid, "{labels:?}");
        }
    }
}
