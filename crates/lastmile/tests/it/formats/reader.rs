//! A strict reader of text 1.0.0 and OpenMetrics 1.0.0, by their specifications and not by our encoder. It reads
//! what an aggregator may write; of what it may not, it says so.
//!
//! Sources: Prometheus docs/instrumenting/exposition_formats.md and specs/om/open_metrics_spec.md.

use std::collections::BTreeSet;

use crate::expo::{Exemplar, Exposition, Family, Labels, Sample};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Text,
    OpenMetrics,
}

/// Why a text is not read.
#[derive(Debug, PartialEq)]
pub(crate) enum Fault {
    /// It breaks a rule.
    Bad(String),
    /// It may be right, and holds what we never write: a timestamp, another type.
    Beyond(&'static str),
}

type Result<T> = std::result::Result<T, Fault>;

fn bad<T>(why: impl Into<String>) -> Result<T> {
    Err(Fault::Bad(why.into()))
}

fn need(holds: bool, why: &str) -> Result<()> {
    if holds { Ok(()) } else { bad(why) }
}

/// Reads a whole exposition.
pub(crate) fn read(text: &[u8], dialect: Dialect) -> Result<Exposition> {
    let Ok(text) = std::str::from_utf8(text) else { return bad("not UTF-8") };
    let mut reader =
        Reader { dialect, done: Exposition::default(), seen: BTreeSet::new(), at: None };
    let lines = match dialect {
        Dialect::Text => text.strip_suffix('\n').or(text.is_empty().then_some("")),
        Dialect::OpenMetrics => {
            let text = text.strip_suffix('\n').unwrap_or(text);
            if text == "# EOF" { Some("") } else { text.strip_suffix("\n# EOF") }
        }
    };
    let Some(lines) = lines else { return bad("the last line is missing") };
    for line in lines.split('\n').filter(|_| !lines.is_empty()) {
        reader.line(line).map_err(|fault| match fault {
            Fault::Bad(why) => Fault::Bad(format!("{why}: {line:?}")),
            fault => fault,
        })?;
    }
    reader.end_family()?;
    Ok(reader.done)
}

struct Reader {
    dialect: Dialect,
    done: Exposition,
    /// The names of families and their samples.
    seen: BTreeSet<String>,
    at: Option<Group>,
}

/// The family being read.
#[derive(Default)]
struct Group {
    family: Family,
    unit: Option<String>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<()> {
        match line.strip_prefix('#') {
            Some(rest) => self.about(rest),
            None => self.sample(line),
        }
    }

    /// A line about a family.
    fn about(&mut self, rest: &str) -> Result<()> {
        let rest = rest.strip_prefix(' ').ok_or(Fault::Bad("no space".into()))?;
        let Some((word, rest)) = rest.split_once(' ') else { return bad("nothing behind it") };
        let (name, rest) = read_name(rest, " ", is_metric_name)?;
        if self.at.as_ref().is_none_or(|at| at.family.name != name) {
            self.begin_family(name)?;
        }
        let om = self.dialect == Dialect::OpenMetrics;
        let at = self.at.as_mut().expect("begun if it was not");
        need(at.family.samples.is_empty(), "behind samples")?;
        let text = rest.strip_prefix(' ').ok_or(Fault::Bad("no space behind the name".into()))?;
        match word {
            "HELP" => {
                need(at.family.help.is_none(), "HELP twice")?;
                at.family.help = Some(unescape(text, om));
            }
            "TYPE" => {
                need(at.family.kind.is_empty(), "TYPE twice")?;
                match text {
                    "counter" | "gauge" | "histogram" | "summary" => {}
                    "unknown" | "info" if om => {}
                    "untyped" if !om => {}
                    "stateset" | "gaugehistogram" if om => {
                        return Err(Fault::Beyond("a type of others"));
                    }
                    _ => return bad("a bad type"),
                }
                at.family.kind = text.to_owned();
            }
            "UNIT" if om => {
                need(at.unit.is_none(), "UNIT twice")?;
                need(text.is_empty() || at.family.kind != "info", "an info with a unit")?;
                let rest = at.family.name.strip_suffix(text);
                let fits = rest.is_some_and(|rest| rest.ends_with('_'));
                need(text.is_empty() || fits, "the name does not end in the unit")?;
                at.unit = Some(text.to_owned());
            }
            _ => return bad("a bad comment"),
        }
        Ok(())
    }

    fn sample(&mut self, line: &str) -> Result<()> {
        let sample = read_sample(line, self.dialect)?;
        if self.at.as_ref().is_none_or(|at| at.suffix(&sample.name, self.dialect).is_none()) {
            self.begin_family(sample.name.clone())?;
        }
        let at = self.at.as_mut().expect("begun if it was not");
        if sample.exemplar.is_some() {
            let suffix = at.suffix(&sample.name, self.dialect);
            let may = [("counter", Some("_total")), ("histogram", Some("_bucket"))];
            let may = may.contains(&(at.family.kind.as_str(), suffix));
            need(may && self.dialect == Dialect::OpenMetrics, "an exemplar where none may be")?;
        }
        at.family.samples.push(sample);
        Ok(())
    }

    fn begin_family(&mut self, name: String) -> Result<()> {
        self.end_family()?;
        self.at = Some(Group { family: Family { name, ..Family::default() }, unit: None });
        Ok(())
    }

    fn end_family(&mut self) -> Result<()> {
        let Some(mut at) = self.at.take() else { return Ok(()) };
        if at.family.kind.is_empty() {
            at.family.kind = "unknown".to_owned();
        }
        for suffix in ["", "_total", "_created", "_bucket", "_sum", "_count", "_info"] {
            let name = format!("{}{suffix}", at.family.name);
            if suffix.is_empty() || at.suffix(&name, self.dialect).is_some() {
                need(self.seen.insert(name), "two families have this name")?;
            }
        }
        check(&at.family)?;
        self.done.families.push(at.family);
        Ok(())
    }
}

impl Group {
    /// What a sample's name adds to the family's, if it is one of it.
    fn suffix<'a>(&self, sample: &'a str, dialect: Dialect) -> Option<&'a str> {
        let suffix = sample.strip_prefix(self.family.name.as_str())?;
        let suffixes: &[&str] = match (self.family.kind.as_str(), dialect) {
            ("counter", Dialect::OpenMetrics) => &["_total", "_created"],
            ("info", Dialect::OpenMetrics) => &["_info"],
            ("histogram", Dialect::OpenMetrics) => &["_bucket", "_sum", "_count", "_created"],
            ("summary", Dialect::OpenMetrics) => &["", "_sum", "_count", "_created"],
            ("histogram", Dialect::Text) => &["_bucket", "_sum", "_count"],
            ("summary", Dialect::Text) => &["", "_sum", "_count"],
            _ => &[""],
        };
        suffixes.contains(&suffix).then_some(suffix)
    }
}

/// `name{label="value"} 1`, or with any name in quotes: `{"name","label"="value"} 1`.
fn read_sample(line: &str, dialect: Dialect) -> Result<Sample> {
    let (mut labels, mut name, mut rest) = (Labels::new(), None, line);
    if !line.starts_with('{') {
        let (plain, after) = read_name(line, "{ ", is_metric_name)?;
        need(!line.starts_with('"'), "a quoted name outside of braces")?;
        (name, rest) = (Some(plain), after);
    }
    if let Some(inside) = rest.strip_prefix('{') {
        (labels, rest) = read_labels(inside, &mut name)?;
    }
    let name = name.ok_or(Fault::Bad("no name".into()))?;
    let rest = rest.strip_prefix(' ').ok_or(Fault::Bad("no space before the value".into()))?;
    if rest.starts_with('{') && dialect == Dialect::OpenMetrics {
        return Err(Fault::Beyond("a native histogram"));
    }
    let (text, mut rest) = split(rest);
    read_number(text)?;
    let timestamp = rest.filter(|rest| !rest.starts_with('#')).map(split);
    if let Some((timestamp, behind)) = timestamp {
        if dialect == Dialect::Text {
            need(timestamp.parse::<i64>().is_ok(), "a bad timestamp")?;
        }
        read_number(timestamp)?;
        need(behind.is_none_or(|behind| behind.starts_with('#')), "more than a timestamp")?;
        rest = behind;
    }
    let exemplar = rest.map(read_exemplar).transpose()?;
    need(exemplar.is_none() || dialect == Dialect::OpenMetrics, "an exemplar in text")?;
    if timestamp.is_some() {
        return Err(Fault::Beyond("a timestamp"));
    }
    Ok(Sample { name, labels, text: text.to_owned(), exemplar })
}

/// What stands up to a space, and behind it.
fn split(text: &str) -> (&str, Option<&str>) {
    text.split_once(' ').map_or((text, None), |(text, rest)| (text, Some(rest)))
}

/// `# {label="value"} 1` or `# {label="value"} 1 1.5`.
fn read_exemplar(text: &str) -> Result<Exemplar> {
    let Some(inside) = text.strip_prefix("# {") else { return bad("no exemplar") };
    // It has no name of its own, not even in quotes.
    let (labels, rest) = read_labels(inside, &mut Some(String::new()))?;
    let n_chars = labels.iter().map(|(name, value)| name.chars().count() + value.chars().count());
    need(n_chars.sum::<usize>() <= 128, "an exemplar with more than 128 code points")?;
    let rest = rest.strip_prefix(' ').ok_or(Fault::Bad("no space before the value".into()))?;
    let (value, timestamp) = split(rest);
    let timestamp = timestamp.map(read_number).transpose()?;
    need(timestamp.is_none_or(f64::is_finite), "a time that is none")?;
    Ok(Exemplar { labels, value: read_number(value)?, timestamp })
}

/// Labels up to the closing brace, and what stands behind it; in front of them a name in quotes, unless there
/// is one.
fn read_labels<'a>(mut inside: &'a str, name: &mut Option<String>) -> Result<(Labels, &'a str)> {
    let mut labels = Labels::new();
    let mut is_first = true;
    loop {
        if let Some(after) = inside.strip_prefix('}') {
            return Ok((labels, after));
        }
        if !is_first {
            inside = inside.strip_prefix(',').ok_or(Fault::Bad("no comma".into()))?;
            inside = inside.trim_start_matches(' ');
        }
        let (label, after) = read_name(inside, "=,}", is_label_name)?;
        match after.strip_prefix("=\"") {
            Some(value) => {
                let end = end_of_string(value)?;
                need(labels.iter().all(|(seen, _)| *seen != label), "a label twice")?;
                labels.push((label, unescape(&value[..end], true)));
                inside = &value[end + 1..];
            }
            None => {
                need(is_first && name.is_none() && inside.starts_with('"'), "no value")?;
                *name = Some(label);
                inside = after;
            }
        }
        is_first = false;
    }
}

/// OpenMetrics 1.0 §ABNF, `number`.
fn read_number(text: &str) -> Result<f64> {
    let unsigned = text.trim_start_matches(['+', '-']);
    if ["nan", "inf", "infinity"].contains(&unsigned.to_ascii_lowercase().as_str()) {
        return text.parse().or_else(|_| bad("a bad number"));
    }
    need(unsigned.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)), "a bad number")?;
    text.parse().or_else(|_| bad("a bad number"))
}

/// A name in quotes, or a plain one up to one of `ends`, and what stands behind it.
fn read_name<'a>(
    text: &'a str,
    ends: &str,
    is_plain: fn(&str) -> bool,
) -> Result<(String, &'a str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let end = end_of_string(quoted)?;
        return Ok((unescape(&quoted[..end], true), &quoted[end + 1..]));
    }
    let end = text.find(|c| ends.contains(c)).unwrap_or(text.len());
    need(is_plain(&text[..end]), "a bad name")?;
    Ok((text[..end].to_owned(), &text[end..]))
}

fn is_metric_name(name: &str) -> bool {
    is_label_name(&name.replace(':', "_"))
}

fn is_label_name(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.bytes().next().is_some_and(|b| !b.is_ascii_digit())
}

/// Where the closing quote is.
fn end_of_string(text: &str) -> Result<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Ok(at),
            _ => {}
        }
    }
    bad("a string that does not end")
}

/// A backslash before anything else stands for itself, by OpenMetrics' ABNF.
fn unescape(text: &str, quotes: bool) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, (c == '\\').then(|| chars.next()).flatten()) {
            ('\\', Some('\\')) => out.push('\\'),
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('"')) if quotes => out.push('"'),
            ('\\', Some(other)) => out.extend(['\\', other]),
            (c, _) => out.push(c),
        }
    }
    out
}

/// The laws of one family.
fn check(family: &Family) -> Result<()> {
    let key = |sample: &Sample| {
        let is_own = |name: &str| {
            (family.kind == "histogram" && name == "le")
                || (family.kind == "summary" && name == "quantile")
        };
        let mut labels = sample.labels.clone();
        labels.retain(|(name, _)| !is_own(name));
        labels.sort();
        labels
    };
    let (mut keys, mut series) = (BTreeSet::new(), BTreeSet::new());
    for group in family.samples.chunk_by(|a, b| key(a) == key(b)) {
        need(keys.insert(key(&group[0])), "the samples of a series are apart")?;
        for sample in group {
            let mut labels = sample.labels.clone();
            labels.sort();
            need(series.insert((&sample.name, labels)), "a series twice")?;
            let counts = !["gauge", "unknown", "untyped"].contains(&family.kind.as_str());
            let is_quantile = family.is_quantile(sample);
            let v = sample.value();
            let is_count = family.kind != "counter"
                && ["_count", "_bucket"].iter().any(|suffix| sample.name.ends_with(suffix));
            need(!(counts && is_count) || v.fract() == 0.0, "a count with a fraction")?;
            need(!counts || v >= 0.0 || (is_quantile && v.is_nan()), "below zero, or no number")?;
            need(family.kind != "info" || v == 1.0, "an info that is not 1")?;
            if is_quantile {
                let quantile = sample.label("quantile").unwrap_or("none");
                need((0.0..=1.0).contains(&read_number(quantile)?), "a bad quantile")?;
            }
        }
        if family.kind == "histogram" {
            check_histogram(family, group)?;
        }
    }
    Ok(())
}

fn check_histogram(family: &Family, group: &[Sample]) -> Result<()> {
    let named = |suffix: &str| {
        let name = format!("{}{suffix}", family.name);
        group.iter().filter(move |sample| sample.name == name)
    };
    let (mut le_before, mut before) = (f64::NEG_INFINITY, 0.0);
    for bucket in named("_bucket") {
        let le = bucket.label("le").unwrap_or("none");
        need(le != "+INF", "a bad le")?;
        let le = read_number(le)?;
        need(le > le_before, "le does not ascend")?;
        need(bucket.value() >= before, "buckets fall")?;
        need(le >= 0.0 || named("_sum").next().is_none(), "a sum that can fall")?;
        (le_before, before) = (le, bucket.value());
    }
    need(le_before == f64::INFINITY, "no +Inf bucket")?;
    let (sum, count) = (named("_sum").next(), named("_count").next());
    need(sum.is_some() == count.is_some(), "one of _sum and _count")?;
    need(count.is_none_or(|count| count.value() == before), "+Inf is not the count")
}
