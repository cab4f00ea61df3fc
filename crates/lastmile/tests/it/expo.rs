//! A strict reader of the Prometheus text format 0.0.4, by its specification and not by our
//! encoder, with the laws that every exposition keeps.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>, "Text-based format".

use std::collections::BTreeSet;

/// Labels in the order they are written.
pub(crate) type Labels = Vec<(String, String)>;

/// A series: the name of its samples and their labels.
pub(crate) type Series = (String, Labels);

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    /// As it is written.
    pub(crate) text: String,
    /// What stands behind it in OpenMetrics, if anything.
    pub(crate) exemplar: Option<Exemplar>,
}

/// One observation, and what it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exemplar {
    pub(crate) labels: Labels,
    pub(crate) value: f64,
    /// In seconds.
    pub(crate) timestamp: Option<f64>,
}

impl Sample {
    pub(crate) fn value(&self) -> f64 {
        self.text.parse().expect("checked when it was read")
    }

    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(label, _)| label == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn series(&self) -> Series {
        (self.name.clone(), self.labels.clone())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) help: Option<String>,
    pub(crate) samples: Vec<Sample>,
}

impl Family {
    /// Whether a sample of it is a quantile.
    pub(crate) fn is_quantile(&self, sample: &Sample) -> bool {
        self.kind == "summary" && sample.name == self.name
    }
}

/// Everything in one exposition, in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Exposition {
    pub(crate) families: Vec<Family>,
}

impl Exposition {
    pub(crate) fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.families.iter().flat_map(|family| &family.samples)
    }

    pub(crate) fn family(&self, name: &str) -> Option<&Family> {
        self.families.iter().find(|family| family.name == name)
    }

    /// The value of one sample.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let same = |sample: &&Sample| {
            sample.name == name
                && sample.labels.len() == labels.len()
                && labels.iter().all(|(label, value)| sample.label(label) == Some(*value))
        };
        self.samples().find(same).map(Sample::value)
    }

    /// The sum of a family's samples of this name.
    pub(crate) fn total(&self, name: &str) -> f64 {
        self.samples().filter(|sample| sample.name == name).map(Sample::value).sum()
    }
}

/// Reads an exposition that must keep every rule.
///
/// # Panics
/// If it does not.
#[track_caller]
pub(crate) fn parse(text: &[u8]) -> Exposition {
    match try_parse(text) {
        Ok(exposition) => exposition,
        Err(why) => panic!("{why}\n---\n{}", String::from_utf8_lossy(text)),
    }
}

/// Reads an exposition, or says which line breaks which rule.
pub(crate) fn try_parse(text: &[u8]) -> Result<Exposition, String> {
    let text = std::str::from_utf8(text).map_err(|e| format!("not UTF-8: {e}"))?;
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("the last line does not end".to_owned());
    }
    let mut exposition = Exposition::default();
    for (line_idx, line) in text.split_terminator('\n').enumerate() {
        read_line(line, &mut exposition)
            .map_err(|why| format!("line {}: {why}: {line:?}", line_idx + 1))?;
    }
    check(&exposition)?;
    Ok(exposition)
}

fn read_line(line: &str, exposition: &mut Exposition) -> Result<(), String> {
    if let Some(rest) = line.strip_prefix("# HELP ") {
        let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
        exposition.families.push(Family {
            name: name.to_owned(),
            help: Some(unescape(help, false)?),
            ..Family::default()
        });
        return is_name(name, true).then_some(()).ok_or_else(|| "a bad name".to_owned());
    }
    if let Some(rest) = line.strip_prefix("# TYPE ") {
        let (name, kind) = rest.split_once(' ').ok_or("no type")?;
        if !["counter", "gauge", "histogram", "summary"].contains(&kind) {
            return Err("an unknown type".to_owned());
        }
        // HELP may be left out, and comes before TYPE if it is there.
        if exposition.families.last().is_none_or(|last| !last.kind.is_empty()) {
            exposition.families.push(Family { name: name.to_owned(), ..Family::default() });
        }
        let family = exposition.families.last_mut().expect("pushed if there was none");
        if family.name != name || !is_name(name, true) {
            return Err("TYPE of another family than HELP".to_owned());
        }
        family.kind = kind.to_owned();
        return Ok(());
    }
    let sample = read_sample(line)?;
    let family = exposition.families.last_mut().ok_or("a sample before any family")?;
    let suffix =
        sample.name.strip_prefix(family.name.as_str()).ok_or("a sample out of its group")?;
    let suffixes: &[&str] = match family.kind.as_str() {
        "histogram" => &["_bucket", "_sum", "_count"],
        "summary" => &["", "_sum", "_count"],
        "counter" | "gauge" => &[""],
        _ => return Err("a sample before TYPE".to_owned()),
    };
    if !suffixes.contains(&suffix) {
        return Err(format!("a {} has no {suffix:?}", family.kind));
    }
    family.samples.push(sample);
    Ok(())
}

/// `name{label="value",…} value`, and nothing else.
fn read_sample(line: &str) -> Result<Sample, String> {
    let name_end = line.find(['{', ' ']).ok_or("neither comment nor sample")?;
    let (name, mut rest) = line.split_at(name_end);
    if !is_name(name, true) {
        return Err("a bad name".to_owned());
    }
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").ok_or("a label without value")?;
            if !is_name(label, false) || labels.iter().any(|(seen, _)| seen == label) {
                return Err(format!("a bad or repeated label {label:?}"));
            }
            let end = end_of_string(after).ok_or("a label value that does not end")?;
            labels.push((label.to_owned(), unescape(&after[..end], true)?));
            rest = &after[end + 1..];
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            rest = rest.strip_prefix(',').ok_or("no comma between labels")?;
        }
    }
    let text = rest.strip_prefix(' ').ok_or("no space before the value")?;
    let value: f64 = text.parse().map_err(|_| format!("a bad value {text:?}"))?;
    // Rust reads more spellings than a scraper does, "infinity" for one.
    if !value.is_finite() || !text.bytes().all(|b| b.is_ascii_digit() || b"+-.e".contains(&b)) {
        return Err(format!("a bad value {text:?}"));
    }
    Ok(Sample { name: name.to_owned(), labels, text: text.to_owned(), exemplar: None })
}

fn is_name(name: &str, colon: bool) -> bool {
    let is_ok = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || (colon && b == b':');
    name.bytes().all(is_ok) && name.bytes().next().is_some_and(|b| !b.is_ascii_digit())
}

/// Where the closing quote is.
fn end_of_string(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at),
            _ => {}
        }
    }
    None
}

/// Label values escape backslash, newline and quote; HELP escapes the first two.
fn unescape(text: &str, is_label: bool) -> Result<String, String> {
    let mut chars = text.chars();
    let mut out = String::new();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next() {
                Some('\\') => '\\',
                Some('n') => '\n',
                Some('"') if is_label => '"',
                next => return Err(format!("a bad escape {next:?}")),
            },
            c => c,
        });
    }
    Ok(out)
}

/// The laws over the whole: families and series are unique, and histograms agree with themselves.
fn check(exposition: &Exposition) -> Result<(), String> {
    let mut names = BTreeSet::new();
    let mut series = BTreeSet::new();
    for family in &exposition.families {
        if family.kind.is_empty() {
            return Err(format!("{} has no TYPE", family.name));
        }
        if !names.insert(&family.name) {
            return Err(format!("{} comes twice", family.name));
        }
        for sample in &family.samples {
            let mut labels = sample.labels.clone();
            labels.sort();
            if !series.insert((sample.name.clone(), labels)) {
                return Err(format!("a series comes twice: {sample:?}"));
            }
            if family.kind != "gauge" && sample.value() < 0.0 {
                return Err(format!("below zero: {sample:?}"));
            }
        }
        if family.kind == "histogram" {
            check_histogram(family)?;
        }
        if family.kind == "summary" {
            check_summary(family)?;
        }
    }
    Ok(())
}

fn check_histogram(family: &Family) -> Result<(), String> {
    let fault = |why: &str, labels: &Labels| Err(format!("{}{labels:?}: {why}", family.name));
    let mut rest = family.samples.as_slice();
    let mut seen = BTreeSet::new();
    // One series after the other: buckets, sum, count.
    while let Some(first) = rest.first() {
        let mut labels = first.labels.clone();
        labels.retain(|(name, _)| name != "le");
        let n = rest.iter().take_while(|s| s.name.ends_with("_bucket")).count();
        let Some((buckets, [sum, count])) =
            rest.split_at_checked(n).and_then(|(buckets, after)| Some((buckets, after.get(..2)?)))
        else {
            return fault("no _sum and _count after the buckets", &labels);
        };
        rest = &rest[n + 2..];
        if !sum.name.ends_with("_sum") || !count.name.ends_with("_count") {
            return fault("not buckets, _sum, _count", &labels);
        }
        if sum.labels != labels || count.labels != labels {
            return fault("_sum or _count of another series", &labels);
        }
        let (mut le_before, mut before) = (f64::NEG_INFINITY, 0.0);
        for bucket in buckets {
            let Some((("le", le), rest)) =
                bucket.labels.split_last().map(|((name, le), rest)| ((name.as_str(), le), rest))
            else {
                return fault("le is not the last label of a bucket", &labels);
            };
            let le: f64 = match le.as_str() {
                "+Inf" => f64::INFINITY,
                le => le.parse().map_err(|_| format!("a bad le {le:?}"))?,
            };
            if rest != labels.as_slice() {
                return fault("a bucket of another series", &labels);
            }
            if le <= le_before {
                return fault("le does not ascend", &labels);
            }
            if bucket.value() < before {
                return fault("buckets fall", &labels);
            }
            (le_before, before) = (le, bucket.value());
        }
        if le_before != f64::INFINITY {
            return fault("no +Inf bucket", &labels);
        }
        if before != count.value() {
            return fault("+Inf is not the count", &labels);
        }
        if !seen.insert(labels.clone()) {
            return fault("comes twice", &labels);
        }
    }
    Ok(())
}

/// One series after the other: all quantiles or none, sum, count.
fn check_summary(family: &Family) -> Result<(), String> {
    let fault = |why: &str, sample: &Sample| Err(format!("{sample:?}: {why}"));
    let mut rest = family.samples.as_slice();
    while let Some(first) = rest.first() {
        let n = rest.iter().take_while(|sample| family.is_quantile(sample)).count();
        let (quantiles, after) = rest.split_at(n);
        let [sum, count, after @ ..] = after else {
            return fault("no _sum and _count after the quantiles", first);
        };
        rest = after;
        if !sum.name.ends_with("_sum") || !count.name.ends_with("_count") {
            return fault("not quantiles, _sum, _count", first);
        }
        if sum.labels != count.labels {
            return fault("_sum or _count of another series", first);
        }
        let named: Vec<&str> = quantiles.iter().filter_map(|s| s.label("quantile")).collect();
        if !named.is_empty() && named != ["0.5", "0.75", "0.95", "0.99"] {
            return fault("other quantiles", first);
        }
        for quantile in quantiles {
            if quantile.labels.split_last().map(|(_, rest)| rest) != Some(&sum.labels) {
                return fault("a quantile of another series, or not its last label", quantile);
            }
        }
        if !quantiles.is_sorted_by_key(Sample::value) {
            return fault("quantiles fall", first);
        }
    }
    Ok(())
}

#[test]
fn the_reader_reads() {
    let text = "# HELP h a\\\\b\\nc\n# TYPE h histogram\n\
        h_bucket{a=\"x\\\"y\\\\\\n\",le=\"0.5\"} 1\nh_bucket{a=\"x\\\"y\\\\\\n\",le=\"+Inf\"} 2\n\
        h_sum{a=\"x\\\"y\\\\\\n\"} 1.5\nh_count{a=\"x\\\"y\\\\\\n\"} 2\n";
    let exposition = parse(text.as_bytes());
    let family = exposition.family("h").expect("it is there");
    assert_eq!(family.help.as_deref(), Some("a\\b\nc"));
    assert_eq!(family.samples[0].label("a"), Some("x\"y\\\n"));
    assert_eq!(exposition.value("h_sum", &[("a", "x\"y\\\n")]), Some(1.5));
}

#[test]
fn the_reader_refuses() {
    let counter = |rest: &str| format!("# HELP c h\n# TYPE c counter\n{rest}");
    let histogram = |rest: &str| format!("# HELP h h\n# TYPE h histogram\n{rest}");
    for (text, why) in [
        (counter("c 1"), "does not end"),
        (counter("c NaN\n"), "bad value"),
        (counter("c infinity\n"), "bad value"),
        (counter("c  1\n"), "bad value"),
        (counter("c 1 2\n"), "bad value"),
        (counter("c{} 1\n"), "label without value"),
        (counter("c{a=\"\n\"} 1\n"), "does not end"),
        (counter("c{a=\"\\t\"} 1\n"), "bad escape"),
        (counter("c{a=\"x\",a=\"y\"} 1\n"), "repeated label"),
        (counter("c{a=\"x\"} 1\nc{a=\"x\"} 1\n"), "comes twice"),
        (counter("c{a=\"x\",b=\"y\"} 1\nc{b=\"y\",a=\"x\"} 1\n"), "comes twice"),
        (counter("c 1\nd 1\n"), "out of its group"),
        (counter("c_x 1\n"), "has no"),
        (counter("c -1\n"), "below zero"),
        (counter("\n"), "neither"),
        (counter("# HELP d h\n"), "has no TYPE"),
        (counter(&counter("")), "comes twice"),
        ("# HELP c h\n# TYPE d counter\n".to_owned(), "another family than HELP"),
        ("# TYPE c counter\nc 1\n# HELP c h\n".to_owned(), "has no TYPE"),
        ("# TYPE c counter\nc 1\n# TYPE c counter\n".to_owned(), "comes twice"),
        (histogram("h_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n"), "not the count"),
        (histogram("h_bucket{le=\"1.0\"} 1\nh_sum 1\nh_count 1\n"), "no +Inf"),
        (histogram("h_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\nh_sum 1\nh_count 2\n"), "ascend"),
        (histogram("h_bucket{le=\"2\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"), "fall"),
        (histogram("h_bucket{le=\"+Inf\"} 1\nh_sum 1\n"), "after the buckets"),
    ] {
        let error = try_parse(text.as_bytes()).expect_err(&text);
        assert!(error.contains(why), "{text:?}: {error}");
    }
}
