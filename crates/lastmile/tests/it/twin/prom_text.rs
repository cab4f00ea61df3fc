//! What Prometheus text says, read line by line, a character at a time.

use super::declared::{Kind, check_bounds, label_values};
use super::{Faults, Report, Twin};

/// A line with a sample, and the type that was said last.
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
    said: Option<(String, String)>,
}

/// A family and the labels of a series, sorted.
type Key = (usize, Vec<(String, String)>);

/// The sum, and each bucket's upper edge and own count.
type Counted = (f64, Vec<(f64, u64)>);

/// The lines of one series of a histogram.
#[derive(Default)]
struct Lines {
    n: u64,
    sums: Vec<f64>,
    counts: Vec<f64>,
    /// Upper edge, if it is a number, and what is below it.
    buckets: Vec<(Option<f64>, f64)>,
    /// Those of buckets and counts in their order, of which the first that is none is told.
    in_order: Vec<Result<(), &'static str>>,
}

impl Twin {
    // ---- `POST /metrics`: lines ----

    pub(crate) fn push_prom_text(&mut self, body: &[u8]) -> Result<Report, Faults> {
        let text = std::str::from_utf8(body).map_err(|_| Faults::from(["invalid_utf8"]))?;
        let samples = read(text).ok_or(Faults::from(["syntax"]))?;
        self.batch += 1;
        let mut report = Report { batches: 1, without_id: 1, ..Report::default() };
        let mut histograms: Vec<(Key, Lines)> = Vec::new();
        for sample in samples {
            if self.is_start(&sample.name) {
                continue;
            }
            match self.target(&sample) {
                Err(reason) => report.refuse(reason, 1),
                Ok((f, "")) => match label_values(&self.families[f].family, &sample.labels) {
                    Err(reason) => report.refuse(reason, 1),
                    Ok(labels) => {
                        let value = finite(sample.value).map(|value| (value, 1));
                        self.apply(f, &labels, value, 1, &mut report);
                    }
                },
                Ok((f, part)) => {
                    let (le, mut labels) = match part {
                        "_bucket" => take_le(sample.labels),
                        _ => (None, sample.labels),
                    };
                    labels.sort();
                    let found = histograms.iter().position(|(key, _)| *key == (f, labels.clone()));
                    let at = found.unwrap_or_else(|| {
                        histograms.push(((f, labels), Lines::default()));
                        histograms.len() - 1
                    });
                    histograms[at].1.add(part, le, sample.value);
                }
            }
        }
        for ((f, labels), lines) in histograms {
            let n = lines.n;
            let checked = label_values(&self.families[f].family, &labels)
                .and_then(|values| Ok((values, lines.check(&self.families[f].family)?)));
            match checked {
                Err(reason) => report.refuse(reason, n as usize),
                Ok((values, (sum, buckets))) => {
                    report.accepted += n;
                    let (before, max) = (self.overflow.clone(), self.families[f].family.max);
                    self.row(f, &values, false).update_counted(sum, &buckets, max);
                    // What is folded counts by lines.
                    for (label, now) in &mut self.overflow {
                        let before = before.get(label).copied().unwrap_or_default();
                        *now = before + (*now - before) * n;
                    }
                }
            }
        }
        Ok(report)
    }

    /// Whether a name is the start time of a series whose type does not say that it has one.
    fn is_start(&self, name: &str) -> bool {
        let series = name
            .strip_suffix("_created")
            .and_then(|base| self.family(base).or_else(|| self.family(&format!("{base}_total"))));
        let is_gauge = |f: usize| matches!(self.families[f].family.kind, Kind::Gauge(_));
        self.family(name).is_none() && series.is_some_and(|f| !is_gauge(f))
    }

    /// The family of a sample and what its name has behind the family's; labels are not looked at but for
    /// what tells whether the line can be grouped.
    fn target(&self, sample: &Sample) -> Result<(usize, &'static str), &'static str> {
        let part = ["_bucket", "_sum", "_count"].into_iter().find_map(|part| {
            let f = self.family(sample.name.strip_suffix(part)?)?;
            self.families[f].family.kind.is_observed().then_some((f, part))
        });
        let found = self.family(&sample.name).map(|f| (f, "")).or(part);
        let (f, part) = found.ok_or("unknown_family")?;
        let family = &self.families[f].family;
        let suffixes: &[&str] = match sample.said.as_ref().map_or("", |(_, kind)| kind) {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            "gaugehistogram" => &["_bucket", "_gsum", "_gcount"],
            "summary" => &["_sum", "_count"],
            "info" => &["_info"],
            _ => &[],
        };
        let said = sample.said.as_ref().filter(|(name, _)| {
            *name == family.name
                || suffixes.iter().any(|suffix| sample.name == format!("{name}{suffix}"))
        });
        let fits = match (said.map(|(_, kind)| kind.as_str()), &family.kind) {
            (_, Kind::Summary) => false,
            (None, _) => true,
            (Some("counter" | "untyped" | "unknown" | "summary"), Kind::Counter) => true,
            (
                Some("gauge" | "untyped" | "unknown" | "summary" | "info" | "stateset"),
                Kind::Gauge(_),
            ) => true,
            (Some(kind), Kind::Histogram(_)) => kind == "histogram",
            _ => false,
        };
        if !fits || part.is_empty() == family.kind.is_observed() {
            return Err("type_mismatch");
        }
        let mut labels: Vec<&str> = sample.labels.iter().map(|(name, _)| name.as_str()).collect();
        if part == "_bucket"
            && let Some(le) = labels.iter().position(|name| *name == "le")
        {
            labels.remove(le);
        }
        labels.sort_unstable();
        if labels.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("malformed");
        }
        let sent: Vec<&str> = family
            .labels
            .iter()
            .filter(|label| label.served.is_none())
            .map(|label| label.name.as_str())
            .collect();
        if labels.iter().any(|label| !sent.contains(label)) {
            return Err("unknown_label");
        }
        if labels.len() < sent.len() { Err("missing_label") } else { Ok((f, part)) }
    }
}

fn take_le(mut labels: Vec<(String, String)>) -> (Option<f64>, Vec<(String, String)>) {
    let at = labels.iter().position(|(name, _)| name == "le");
    let le = at.map(|at| labels.remove(at).1);
    (le.and_then(|le| le.parse().ok()).filter(|le: &f64| !le.is_nan()), labels)
}

fn finite(value: f64) -> Result<f64, &'static str> {
    match value {
        _ if value.is_nan() => Err("not_a_number"),
        _ if value.is_infinite() => Err("not_finite"),
        _ => Ok(value),
    }
}

fn whole(value: f64) -> Result<(), &'static str> {
    match finite(value)? {
        value if value < 0.0 => Err("negative"),
        value if value.fract() != 0.0 || value > 9_007_199_254_740_992.0 => Err("bad_count"),
        _ => Ok(()),
    }
}

impl Lines {
    fn add(&mut self, part: &str, le: Option<f64>, value: f64) {
        self.n += 1;
        self.in_order.push(match part {
            "_sum" if self.sums.is_empty() => Ok(()),
            "_bucket" if le.is_some() => whole(value),
            "_count" if self.counts.is_empty() => whole(value),
            "_count" => whole(value).and(Err("malformed")),
            _ => Err("malformed"),
        });
        match part {
            "_sum" => self.sums.push(value),
            "_count" if whole(value).is_ok() => self.counts.push(value),
            "_count" => {}
            _ => self.buckets.push((le, value)),
        }
    }

    fn check(self, family: &super::Family) -> Result<Counted, &'static str> {
        self.in_order.iter().copied().collect::<Result<(), _>>()?;
        let sum = *self.sums.first().ok_or("malformed")?;
        let mut buckets: Vec<(f64, f64)> =
            self.buckets.iter().filter_map(|(edge, n)| Some(((*edge)?, *n))).collect();
        buckets.sort_by(|a, b| a.0.partial_cmp(&b.0).expect("no edge is a NaN"));
        let last = *buckets.last().ok_or("malformed")?;
        if buckets.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err("malformed");
        }
        let count = match (self.counts.first(), last) {
            (Some(count), (f64::INFINITY, n)) if *count != n => return Err("malformed"),
            (Some(count), _) => *count,
            (None, (f64::INFINITY, n)) => n,
            _ => return Err("malformed"),
        };
        buckets.push((f64::INFINITY, count));
        let mut own = Vec::new();
        let mut below = 0.0;
        for (edge, n) in buckets {
            if n < below {
                return Err("malformed");
            }
            own.push((edge, (n - below) as u64));
            below = n;
        }
        let mut lower = f64::NEG_INFINITY;
        for &(edge, n) in own.iter() {
            match n {
                0 => {}
                _ if n > 10_000 => return Err("bad_count"),
                _ if lower >= family.max => return Err("too_large"),
                _ => check_bounds(family, edge.min(family.max))?,
            }
            lower = edge;
        }
        finite(sum)?;
        if sum < 0.0 {
            return Err("negative");
        }
        if sum > (count * family.max * (1.0 + 1e-9)).min(9_007_199_254_740_992.0) {
            return Err("too_large");
        }
        if sum < count * family.min * (1.0 - 1e-9) {
            return Err("too_small");
        }
        Ok((sum, own))
    }
}

/// All samples of a text, or nothing if it is none.
fn read(text: &str) -> Option<Vec<Sample>> {
    let mut samples = Vec::new();
    let mut said: Option<(String, String)> = None;
    let mut rest = text;
    while !rest.is_empty() {
        let (line, behind) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = behind;
        let line = blank(line);
        if let Some(comment) = line.strip_prefix('#') {
            let (word, behind) = word(blank(comment));
            match word {
                "EOF" if blank(behind).is_empty() => {
                    return rest.is_empty().then_some(samples);
                }
                "TYPE" => {
                    let (name, behind) = name(blank(behind), true)?;
                    let (kind, behind) = self::word(blank(behind));
                    let kinds = "counter gauge histogram gaugehistogram summary info stateset untyped unknown";
                    if !kinds.split(' ').any(|known| known == kind) || !blank(behind).is_empty() {
                        return None;
                    }
                    said = Some((name, kind.to_owned()));
                }
                _ => {}
            }
        } else if !line.is_empty() {
            let sample = sample(line, said.clone())?;
            let is_created = said.as_ref().is_some_and(|(name, kind)| {
                ["counter", "histogram", "summary"].contains(&kind.as_str())
                    && sample.name == format!("{name}_created")
            });
            if !is_created {
                samples.push(sample);
            }
        }
    }
    Some(samples)
}

fn sample(line: &str, said: Option<(String, String)>) -> Option<Sample> {
    let (mut metric, mut labels, mut rest) = (None, Vec::new(), line);
    if !rest.starts_with('{') {
        let (found, behind) = name(rest, true)?;
        metric = Some(found);
        if !behind.starts_with([' ', '\t', '{']) {
            return None;
        }
        rest = blank(behind);
    }
    if rest.starts_with('{') {
        rest = labels_of(rest, &mut metric, &mut labels)?;
    }
    let (value, behind) = word(blank(rest));
    let value: f64 = value.parse().ok()?;
    rest = blank(behind);
    if !rest.is_empty() && !rest.starts_with('#') {
        let (timestamp, behind) = word(rest);
        timestamp.parse::<f64>().ok()?;
        rest = blank(behind);
    }
    if let Some(exemplar) = rest.strip_prefix('#') {
        let behind = labels_of(blank(exemplar), &mut Some(String::new()), &mut Vec::new())?;
        let (value, behind) = word(blank(behind));
        value.parse::<f64>().ok()?;
        let (timestamp, behind) = word(blank(behind));
        if !timestamp.is_empty() {
            timestamp.parse::<f64>().ok()?;
        }
        rest = blank(behind);
    }
    rest.is_empty().then_some(())?;
    Some(Sample { name: metric?, labels, value, said })
}

/// Labels in braces; what stands behind them.
fn labels_of<'a>(
    text: &'a str,
    metric: &mut Option<String>,
    labels: &mut Vec<(String, String)>,
) -> Option<&'a str> {
    let mut rest = blank(text.strip_prefix('{')?);
    loop {
        if let Some(behind) = rest.strip_prefix('}') {
            return Some(behind);
        }
        let (label, behind) = name(rest, false)?;
        let is_quoted = rest.starts_with('"');
        rest = blank(behind);
        if is_quoted && metric.is_none() && rest.starts_with([',', '}']) {
            *metric = Some(label);
        } else {
            let value = blank(rest.strip_prefix('=')?);
            let (value, behind) = quoted(value)?;
            labels.push((label, value));
            rest = blank(behind);
        }
        match rest.strip_prefix(',') {
            Some(behind) => rest = blank(behind),
            None if rest.starts_with('}') => {}
            None => return None,
        }
    }
}

/// A text without the spaces and tabs that it begins with.
fn blank(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find([' ', '\t']).unwrap_or(text.len()))
}

fn name(text: &str, is_metric: bool) -> Option<(String, &str)> {
    if text.starts_with('"') {
        return quoted(text);
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || (is_metric && c == ':');
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    (!name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()))
        .then(|| (name.to_owned(), rest))
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let mut chars = text.strip_prefix('"')?.chars();
    let mut out = String::new();
    loop {
        match chars.next()? {
            '"' => return Some((out, chars.as_str())),
            '\\' => out.push(match chars.next()? {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            c => out.push(c),
        }
    }
}

#[test]
fn text_is_read_or_refused() {
    let text =
        "# TYPE a counter\na{b=\"c\\n\"} 1 5\n\n{\"d e\",f=\"\"} +Inf # {x=\"y\"} 1 2\n# EOF\n";
    let samples = read(text).expect("it is right");
    let lines: Vec<_> =
        samples.iter().map(|s| (s.name.as_str(), s.labels.len(), s.value)).collect();
    assert_eq!(lines, [("a", 1, 1.0), ("d e", 1, f64::INFINITY)]);
    assert_eq!(samples[0].labels[0].1, "c\n");
    let said: std::collections::BTreeMap<_, _> =
        samples.iter().filter_map(|s| s.said.clone()).collect();
    assert_eq!(said, [("a".to_owned(), "counter".to_owned())].into());
    for text in
        ["a", "a 1 2 3", "a{b=c} 1", "a{b=\"c\"d\"} 1", "a{b=\"\n\"} 1", "# EOF\n\n", "1a 1"]
    {
        assert!(read(text).is_none(), "{text}");
    }
}
