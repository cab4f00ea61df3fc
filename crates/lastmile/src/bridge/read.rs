//! Text of OpenMetrics, as `prometheus_client` writes it, as families: each whole, or not at all.

use std::collections::HashMap;

use super::family::{Appended, AppendedKind, AppendedSeries, Bucket, Labels, Number, Point};
use super::line::{Sample, read_number, unescaped};
use crate::exposition::is_metric_name;

/// What the text says about one name.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: String,
    /// `None` without any series.
    pub(super) family: Result<Option<Appended>, String>,
}

/// Families in the order in which they first came. Of a text that `is_cut`, what came last is no family.
pub(super) fn families(text: &str, is_cut: bool) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let mut by_name: HashMap<String, usize> = HashMap::new();
    for block in blocks(text, is_cut) {
        let Block { name, .. } = &block;
        if let Some(at) = by_name.get(name) {
            let earlier = &mut found[*at].family;
            merge(earlier, block.into_family());
        } else {
            by_name.insert(name.clone(), found.len());
            found.push(Found { name: name.clone(), family: block.into_family() });
        }
    }
    for Found { family, .. } in &mut found {
        if let Ok(Some(read)) = family
            && let Some(why) = read.fault()
        {
            *family = Err(why);
        }
    }
    found
}

/// Adds to a family what came under the same name later. One mistake is one too many.
fn merge(family: &mut Result<Option<Appended>, String>, later: Result<Option<Appended>, String>) {
    match (&mut *family, later) {
        (Err(_), _) | (_, Ok(None)) => {}
        (Ok(Some(family)), Ok(Some(later)))
            if family.kind == later.kind && family.unit == later.unit =>
        {
            family.series.extend(later.series);
        }
        (Ok(Some(_)), Ok(Some(_))) => {
            *family = Err("it comes again, of another type or unit".to_owned());
        }
        (Ok(_), later) => *family = later,
    }
}

/// The lines about a family and those of its samples.
#[derive(Debug)]
struct Block {
    name: String,
    kind: Option<AppendedKind>,
    unit: Option<String>,
    help: Option<String>,
    series: Vec<AppendedSeries>,
    /// The series of a histogram that is being read.
    open: Option<Group>,
    fault: Option<String>,
}

/// The samples of one series of a histogram.
#[derive(Debug)]
struct Group {
    labels: Labels,
    sum: Option<Number>,
    count: Option<u64>,
    buckets: Vec<Bucket>,
}

fn blocks(text: &str, is_cut: bool) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let whole = text.strip_suffix('\n').unwrap_or(text);
    let lines = whole.strip_suffix("# EOF").filter(|rest| rest.is_empty() || rest.ends_with('\n'));
    let lines = lines.map_or(whole, |lines| lines.strip_suffix('\n').unwrap_or(lines));
    for line in lines.split('\n').filter(|_| !lines.is_empty()) {
        let result = match about(line) {
            Some((word, name, text)) => {
                if !blocks.last().is_some_and(|block| block.continues(word, name)) {
                    end(&mut blocks);
                    blocks.push(Block::new(name));
                }
                blocks.last_mut().map_or(Ok(()), |block| block.about(word, text))
            }
            None => match blocks.last_mut() {
                Some(block) => block.sample(line),
                None => {
                    blocks.push(Block::new(""));
                    Ok(())
                }
            },
        };
        if let (Err(why), Some(block)) = (result, blocks.last_mut()) {
            block.fail(why);
        }
    }
    end(&mut blocks);
    if let Some(block) = blocks.last_mut()
        && (is_cut || !text.ends_with('\n'))
    {
        block.fail("its encoder stopped in it, or before the next".to_owned());
    }
    blocks
}

/// The last block is over.
fn end(blocks: &mut [Block]) {
    let Some(block) = blocks.last_mut() else { return };
    if let Err(why) = block.close() {
        block.fail(why);
    }
}

/// What a line says about a family: `# TYPE name text`.
fn about(line: &str) -> Option<(&str, &str, &str)> {
    let (word, rest) = line.strip_prefix("# ")?.split_once(' ')?;
    let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
    matches!(word, "HELP" | "TYPE" | "UNIT").then_some((word, name, text))
}

impl Block {
    fn new(name: &str) -> Self {
        let fault = match name {
            "" => Some("lines of no family"),
            name if !is_metric_name(name) => Some("its name would need quotes"),
            _ => None,
        };
        let fault = fault.map(str::to_owned);
        Self {
            name: name.to_owned(),
            kind: None,
            unit: None,
            help: None,
            series: Vec::new(),
            open: None,
            fault,
        }
    }

    fn fail(&mut self, why: String) {
        self.fault.get_or_insert(why);
    }

    /// Whether such a line still belongs to it.
    fn continues(&self, word: &str, name: &str) -> bool {
        let is_new = match word {
            "HELP" => self.help.is_none(),
            "TYPE" => self.kind.is_none(),
            _ => self.unit.is_none(),
        };
        self.name == name && is_new && self.series.is_empty() && self.open.is_none()
    }

    fn about(&mut self, word: &str, text: &str) -> Result<(), String> {
        match word {
            "HELP" => {
                self.help = Some(unescaped(text));
                // Source: prometheus model/textparse/openmetricslex.l, where `\0` is the end of the input.
                let has_nul = text.contains('\0');
                return if has_nul { Err("its help has a NUL".to_owned()) } else { Ok(()) };
            }
            "TYPE" => {
                let kind = AppendedKind::of(text);
                self.kind = Some(kind.ok_or_else(|| format!("`{text}` is no type that is read"))?);
            }
            _ => self.unit = Some(text.to_owned()),
        }
        Ok(())
    }

    fn sample(&mut self, line: &str) -> Result<(), String> {
        // What is left out anyway is not read.
        if self.fault.is_some() {
            return Ok(());
        }
        if line.starts_with('#') {
            return Err("a comment".to_owned());
        }
        let sample = Sample::read(line)?;
        let kind = self.kind.ok_or("it has no type")?;
        let suffix = sample.name.strip_prefix(self.name.as_str());
        let Some(suffix) = suffix.filter(|suffix| kind.suffixes().contains(suffix)) else {
            return Err(format!("`{}` is no sample of its type", sample.name));
        };
        let number = sample.number;
        let is_exemplary = suffix == "_total" || suffix == "_bucket";
        if sample.exemplar.is_some() && !is_exemplary {
            return Err("an exemplar where none may be".to_owned());
        }
        match kind {
            AppendedKind::Histogram => return self.histogram_sample(suffix, sample),
            AppendedKind::Counter if !is_total(number) => {
                return Err("a counter is negative or no number".to_owned());
            }
            AppendedKind::Info if number.to_f64() != 1.0 => {
                return Err("an info is not 1".to_owned());
            }
            _ => {}
        }
        let Sample { labels, exemplar, .. } = sample;
        self.series.push(AppendedSeries { labels, point: Point::Number(number, exemplar) });
        Ok(())
    }

    fn histogram_sample(&mut self, suffix: &str, mut sample: Sample<'_>) -> Result<(), String> {
        let le = sample.take_label("le");
        if le.is_some() != (suffix == "_bucket") {
            return Err("`le` stands on buckets and nowhere else".to_owned());
        }
        let Sample { labels, number, exemplar, .. } = sample;
        if self.open.as_ref().is_none_or(|open| open.labels != labels) {
            self.close()?;
        }
        let open =
            self.open.get_or_insert(Group { labels, sum: None, count: None, buckets: Vec::new() });
        let count = || match number {
            Number::Whole(n) => u64::try_from(n).map_err(|_| "a count that is none"),
            Number::Float(_) => Err("a count that is none"),
        };
        let is_twice = match (suffix, le) {
            ("_sum", _) => open.sum.replace(number).is_some(),
            ("_count", _) => open.count.replace(count()?).is_some(),
            (_, le) => {
                let bound = read_number(&le.unwrap_or_default()).map(Number::to_f64);
                let bound = bound.filter(|bound| !bound.is_nan()).ok_or("a bound that is none")?;
                open.buckets.push(Bucket { bound, count: count()?, exemplar });
                false
            }
        };
        if is_twice { Err("a series comes twice".to_owned()) } else { Ok(()) }
    }

    /// A histogram's series that was being read is at its end.
    fn close(&mut self) -> Result<(), String> {
        let Some(Group { labels, sum, count, buckets }) = self.open.take() else { return Ok(()) };
        let sum = sum.ok_or("a histogram has no sum")?;
        let count = count.ok_or("a histogram has no count")?;
        if !is_total(sum) {
            return Err("a sum is negative or no number".to_owned());
        }
        // Source: OpenMetrics 1.0 §Histogram, "Sum MUST NOT be present" where a threshold is negative.
        if buckets.first().is_some_and(|first| first.bound < 0.0) {
            return Err("a bound is below zero".to_owned());
        }
        let ascends = |pair: &[Bucket]| pair[0].bound < pair[1].bound;
        let grows = |pair: &[Bucket]| pair[0].count <= pair[1].count;
        if !buckets.windows(2).all(|pair| ascends(pair) && grows(pair)) {
            return Err("buckets fall".to_owned());
        }
        if !buckets.last().is_some_and(|last| last.bound == f64::INFINITY && last.count == count) {
            return Err("the last bucket is not for `+Inf`, or not the count".to_owned());
        }
        let point = Point::Histogram { sum, buckets };
        self.series.push(AppendedSeries { labels, point });
        Ok(())
    }

    fn into_family(self) -> Result<Option<Appended>, String> {
        if let Some(why) = self.fault {
            return Err(why);
        }
        let Self { name, unit, series, .. } = self;
        let kind = self.kind.ok_or("it has no type")?;
        let help = self.help.unwrap_or_default();
        let unit = unit.filter(|unit| !unit.is_empty());
        let family = Appended { name, kind, unit, help, series };
        Ok((!family.series.is_empty()).then_some(family))
    }
}

/// What a counter, or the sum of a histogram, may stand at.
/// Source: OpenMetrics 1.0 §Counter and §Histogram (specification/OpenMetrics.md); readers refuse what is below
/// zero, or no number, in samples that only grow.
fn is_total(number: Number) -> bool {
    number.to_f64() >= 0.0
}

#[cfg(test)]
mod tests;
