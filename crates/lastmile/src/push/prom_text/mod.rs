//! Prometheus text whose values are increments: what a page's registry counted since its last push.
//!
//! A line is a sample. Those of counters and gauges are resolved as they come; the lines of one series of a
//! histogram are gathered ([`histograms`]) and counted together at the end, as each may come in any place. Whole or
//! not at all: a body that does not decode changes nothing, and nothing in it is guessed.
//!
//! `promjs` writes for each histogram a series without labels, all 0: where the family has labels, its lines are
//! refused as `missing_label`. It escapes no label value, so one with a quote makes the body one that does not
//! decode, at that quote.

mod histograms;
mod scan;

pub(crate) use histograms::Histograms;
use scan::{Scan, read_float};

use super::error::{DecodeError, DecodeReason};
use super::number::Number;
use super::report::{Counts, PushReport, Refusal};
use super::samples::Samples;
use super::{Format, Intake};
use crate::schema::Kind;
use crate::store::{Catalog, FamilyState, Target, Text};

type Result<T> = std::result::Result<T, DecodeError>;

/// Most samples of one body: 16 MiB of lines as `promjs` writes them have some more, and what each waits in until it
/// is applied takes as much memory as its text.
const SAMPLES_MAX: usize = 1 << 18;

/// Decodes and applies a body.
pub(super) fn push(
    intake: &Intake<'_>,
    samples: &mut Samples,
    report: &mut PushReport,
) -> Result<()> {
    let Intake { ids, catalog, body, source, now, .. } = *intake;
    let (labels, mut counts) = (source.labels_value(), Counts::default());
    samples.begin(catalog, source);
    decode(catalog, body, labels, samples, &mut counts)?;
    let claim = source.batch_key().map(|key| {
        // The labels of a path are part of what the request's key names.
        let route = Format::PromText.as_str();
        let of_path = (!labels.is_empty()).then(|| format!("{route}{labels:?}"));
        ids.claim(of_path.as_deref().unwrap_or(route), (key, 0), body, source, now)
    });
    intake.finish_batch(claim, samples, counts, report);
    Ok(())
}

/// Decodes a body into `samples`, each with these labels besides its own, and counts what is refused on the way.
pub(super) fn decode(
    catalog: &Catalog,
    body: &[u8],
    labels: &[(&str, &str)],
    samples: &mut Samples,
    counts: &mut Counts,
) -> Result<()> {
    super::check_utf8(body, 0)?;
    let mut histograms = std::mem::take(&mut samples.histograms);
    histograms.clear();
    for (name, value) in labels {
        let mut put = |text: &str| Text::put(&mut samples.arena, text.as_bytes());
        let label = (put(name), put(value));
        histograms.path.push(label);
    }
    let mut reader = Reader {
        catalog,
        body,
        scan: Scan::new(body),
        block: None,
        last: None,
        histograms: &mut histograms,
    };
    let read = reader.read(samples, counts);
    if read.is_ok() {
        histograms.finish(catalog, body, samples, counts);
    }
    samples.histograms = histograms;
    read
}

/// The type behind `# TYPE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Counter,
    Gauge,
    Histogram,
    GaugeHistogram,
    Summary,
    Info,
    StateSet,
    /// `untyped`, `unknown`.
    Unknown,
}

impl Type {
    fn named(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"counter" => Self::Counter,
            b"gauge" => Self::Gauge,
            b"histogram" => Self::Histogram,
            b"gaugehistogram" => Self::GaugeHistogram,
            b"summary" => Self::Summary,
            b"info" => Self::Info,
            b"stateset" => Self::StateSet,
            b"untyped" | b"unknown" => Self::Unknown,
            _ => return None,
        })
    }

    /// What the names of its samples have behind its own.
    /// Source: OpenMetrics 1.0 §Metric Types (specification/OpenMetrics.md).
    fn suffixes(self) -> &'static [&'static [u8]] {
        match self {
            Self::Counter => &[b"_total"],
            Self::Histogram => &[b"_bucket", b"_sum", b"_count"],
            Self::GaugeHistogram => &[b"_bucket", b"_gsum", b"_gcount"],
            Self::Summary => &[b"_sum", b"_count"],
            Self::Info => &[b"_info"],
            Self::Gauge | Self::StateSet | Self::Unknown => &[],
        }
    }

    /// Whether it says when a series began, in a line of its own.
    fn has_created(self) -> bool {
        matches!(self, Self::Counter | Self::Histogram | Self::Summary)
    }

    /// Whether a family of this kind takes its samples.
    fn fits(self, kind: Kind) -> bool {
        match self {
            Self::Counter => kind == Kind::Counter,
            Self::Gauge | Self::Info | Self::StateSet => kind == Kind::Gauge,
            Self::Histogram => kind == Kind::Histogram,
            Self::GaugeHistogram => false,
            Self::Summary | Self::Unknown => matches!(kind, Kind::Counter | Kind::Gauge),
        }
    }
}

/// What a sample is to its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Its name is the family's.
    Whole,
    Bucket,
    Sum,
    Count,
}

const PARTS: [(&[u8], Part); 3] =
    [(b"_bucket", Part::Bucket), (b"_sum", Part::Sum), (b"_count", Part::Count)];

struct Reader<'a, 'h> {
    catalog: &'a Catalog,
    body: &'a [u8],
    scan: Scan<'a>,
    /// What the last `# TYPE` said.
    block: Option<(Text, Type)>,
    /// The histogram of the last line that was of one, as its lines come together.
    last: Option<Target<'a>>,
    histograms: &'h mut Histograms,
}

impl<'a> Reader<'a, '_> {
    fn read(&mut self, samples: &mut Samples, counts: &mut Counts) -> Result<()> {
        let mut n_samples = 0;
        while !self.scan.is_at_end() {
            match self.scan.peek() {
                b'\n' => self.scan.end_line("")?,
                b'#' => {
                    if self.comment(samples)? {
                        return match self.scan.is_at_end() {
                            true => Ok(()),
                            false => Err(self.scan.fault("text goes on behind `# EOF`")),
                        };
                    }
                }
                _ if n_samples == SAMPLES_MAX => {
                    let at = self.scan.offset();
                    let detail = "there are more than 262,144 samples";
                    return Err(DecodeError::new(DecodeReason::TooManyLines, at, detail));
                }
                _ => {
                    n_samples += 1;
                    self.sample(samples, counts)?;
                }
            }
        }
        Ok(())
    }

    /// Reads a line that begins with `#`; whether it is `# EOF`.
    fn comment(&mut self, samples: &mut Samples) -> Result<bool> {
        self.scan.eat(b'#');
        self.scan.peek();
        match self.scan.word() {
            b"EOF" if self.scan.peek() == b'\n' => {
                self.scan.end_line("")?;
                return Ok(true);
            }
            b"TYPE" => {
                self.scan.peek();
                let name = self.scan.metric(samples)?;
                self.scan.peek();
                let at = self.scan.clone();
                let Some(kind) = Type::named(self.scan.word()) else {
                    return Err(at.fault("expected the type of a metric"));
                };
                self.block = Some((name, kind));
                self.scan.end_line("text goes on behind the type")?;
            }
            _ => self.scan.skip_line(),
        }
        Ok(false)
    }

    /// Reads a line with a sample, and resolves it.
    fn sample(&mut self, samples: &mut Samples, counts: &mut Counts) -> Result<()> {
        samples.labels.clear();
        let mut name = None;
        if self.scan.peek() != b'{' {
            name = Some(self.scan.metric(samples)?);
            self.scan.peek();
        }
        if self.scan.eat(b'{') {
            self.labels(&mut name, samples)?;
        } else if !self.follows_gap() {
            return Err(self.scan.fault("expected labels or a value"));
        }
        let Some(name) = name else { return Err(self.scan.fault("expected the name of a metric")) };
        self.scan.peek();
        let value = self.scan.number()?;
        if self.scan.peek() != b'\n' {
            self.behind_value(samples)?;
        }
        self.scan.end_line("text goes on behind the sample")?;
        self.resolve(name, value, samples, counts);
        Ok(())
    }

    /// Whether the byte before is a space or a tab.
    fn follows_gap(&self) -> bool {
        let before = self.scan.offset().checked_sub(1).and_then(|at| self.body.get(at));
        matches!(before, Some(b' ' | b'\t'))
    }

    /// Reads labels whose brace was the last byte, and the name of the metric where it stands among them.
    #[inline]
    fn labels(&mut self, metric: &mut Option<Text>, samples: &mut Samples) -> Result<()> {
        loop {
            let first = self.scan.peek();
            if self.scan.eat(b'}') {
                return Ok(());
            }
            let label = self.scan.label(samples)?;
            let next = self.scan.peek();
            if first == b'"' && matches!(next, b',' | b'}') && metric.is_none() {
                *metric = Some(label);
            } else {
                if !self.scan.eat(b'=') {
                    return Err(self.scan.fault("expected `=`"));
                }
                self.scan.peek();
                if !self.scan.eat(b'"') {
                    return Err(self.scan.fault("expected a quoted value"));
                }
                let value = self.scan.string(samples)?;
                samples.labels.push((label, value));
                self.scan.peek();
            }
            if !self.scan.eat(b',') {
                if self.scan.eat(b'}') {
                    return Ok(());
                }
                return Err(self.scan.fault("expected `,` or `}`"));
            }
        }
    }

    /// Passes over a timestamp and an exemplar.
    #[cold]
    fn behind_value(&mut self, samples: &mut Samples) -> Result<()> {
        if self.scan.peek() != b'#' {
            self.scan.number()?;
        }
        if self.scan.peek() != b'#' {
            return Ok(());
        }
        self.scan.eat(b'#');
        self.scan.peek();
        if !self.scan.eat(b'{') {
            return Err(self.scan.fault("expected the labels of an exemplar"));
        }
        let n_labels = samples.labels.len();
        // A quoted text alone is no label here.
        self.labels(&mut Some(Text::EMPTY), samples)?;
        samples.labels.truncate(n_labels);
        self.scan.peek();
        self.scan.number()?;
        if self.scan.peek() != b'\n' {
            self.scan.number()?;
        }
        Ok(())
    }

    /// Whether the last `# TYPE` makes a sample of this name the start time of a series.
    #[inline]
    fn is_created(&self, name: &[u8], samples: &Samples) -> bool {
        let Some((family, kind)) = self.block else { return false };
        kind.has_created()
            && name
                .strip_suffix(b"_created")
                .is_some_and(|base| base == samples.bytes(self.body, family))
    }

    /// The type that was said of a sample: by the name of its own family, or of the one that it belongs to in the
    /// text, which is called another way where it is a counter of OpenMetrics.
    #[inline]
    fn said(&self, name: &[u8], family: &FamilyState, samples: &Samples) -> Option<Type> {
        let (said, kind) = self.block?;
        let said = samples.bytes(self.body, said);
        let is_own = said == family.declared().name().as_bytes();
        let is_sample =
            || name.strip_prefix(said).is_some_and(|rest| kind.suffixes().contains(&rest));
        (is_own || is_sample()).then_some(kind)
    }

    /// The family that a name stands for.
    #[inline]
    fn target(&self, name: &[u8]) -> Option<(Target<'a>, Part)> {
        let part_of = |rest: &[u8]| PARTS.iter().find(|(suffix, _)| *suffix == rest);
        if let Some(last) = self.last
            && let Some(rest) = name.strip_prefix(last.family.declared().name().as_bytes())
            && let Some((_, part)) = part_of(rest)
        {
            return Some((last, *part));
        }
        if let Some(target) = self.catalog.target(name) {
            return Some((target, Part::Whole));
        }
        let (base, part) =
            PARTS.iter().find_map(|(suffix, part)| Some((name.strip_suffix(*suffix)?, *part)))?;
        let target = self.catalog.target(base)?;
        let has_parts = matches!(target.family.kind(), Kind::Histogram | Kind::Summary);
        has_parts.then_some((target, part))
    }

    /// Finds the family and labels of a sample, or counts why it is refused.
    #[inline]
    fn resolve(&mut self, name: Text, value: f64, samples: &mut Samples, counts: &mut Counts) {
        let body = self.body;
        let bytes = samples.bytes(body, name);
        if self.is_created(bytes, samples) {
            return;
        }
        let found = self.target(bytes);
        // A bound is no label of the series.
        let is_bucket = found.is_some_and(|(target, part)| {
            part == Part::Bucket && target.family.kind() == Kind::Histogram
        });
        let le = if is_bucket { take_le(body, samples) } else { None };
        samples.labels.extend_from_slice(&self.histograms.path);

        let values_at = samples.values.len();
        let resolved = match found {
            None => Err(Refusal::UnknownFamily),
            Some((target, part)) => {
                let kind = target.family.kind();
                let is_whole = part == Part::Whole;
                let said = self.said(samples.bytes(body, name), target.family, samples);
                let fits = said.is_none_or(|said| said.fits(kind))
                    && is_whole == matches!(kind, Kind::Counter | Kind::Gauge)
                    && kind != Kind::Summary;
                if !fits {
                    Err(Refusal::TypeMismatch)
                } else if samples.resolve_labels_in_order(&target, body) {
                    Ok((target, part))
                } else if samples.has_label_twice(body) {
                    Err(Refusal::Malformed)
                } else {
                    let resolved = samples.resolve_labels_in_any_order(&target, body);
                    resolved.map(|()| (target, part))
                }
            }
        };
        match resolved {
            Ok((target, Part::Whole)) => {
                let numbers_at = samples.numbers.len();
                samples.numbers.push(Number { value, n: 1 });
                samples.finish_entry(&target, body, values_at, numbers_at, counts);
            }
            Ok((target, part)) => {
                self.last = Some(target);
                let series = self.histograms.series(&target, name, body, values_at, samples);
                match part {
                    Part::Sum => self.histograms.sum(series, value),
                    Part::Count => self.histograms.count(series, value),
                    Part::Bucket | Part::Whole => self.histograms.bucket(series, le, value),
                }
            }
            Err(why) => {
                let family = found.map(|(target, _)| target.family);
                samples.note_entry(body, Some(name), family, values_at, why, 1);
                counts.refuse(why, 1);
                samples.values.truncate(values_at);
            }
        }
    }
}

/// Takes the label `le` out of those of the sample; `None` if it is not there, not once, or no number.
#[inline]
fn take_le(body: &[u8], samples: &mut Samples) -> Option<f64> {
    let at = samples.labels.iter().position(|(name, _)| samples.bytes(body, *name) == b"le")?;
    let (_, value) = samples.labels.remove(at);
    read_float(samples.bytes(body, value)).filter(|edge| !edge.is_nan())
}
