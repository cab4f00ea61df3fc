//! What a sample means, by its name, its labels and the type that was said of it.

#[cfg(feature = "pushgateway")]
use super::group;
use super::histograms::Histograms;
use super::scan::read_float;
use crate::push::number::Number;
use crate::push::report::{Counts, Refusal};
use crate::push::samples::Samples;
use crate::schema::Kind;
use crate::store::{Catalog, FamilyState, Target, Text};
#[cfg(feature = "pushgateway")]
use crate::totals::Totals;

/// The type behind `# TYPE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
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
    pub(super) fn named(word: &[u8]) -> Option<Self> {
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
    pub(super) fn fits(self, kind: Kind) -> bool {
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
pub(super) enum Part {
    /// Its name is the family's.
    Whole,
    Bucket,
    Sum,
    Count,
}

const PARTS: [(&[u8], Part); 3] =
    [(b"_bucket", Part::Bucket), (b"_sum", Part::Sum), (b"_count", Part::Count)];

/// What the values of a body are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Values {
    /// Increments. What a path names are labels of each sample.
    Increments,
    /// Totals of a group. What names it are labels of those families that declare them.
    #[cfg(feature = "pushgateway")]
    Totals,
}

/// What comes of a body's samples.
pub(super) struct Lines<'a, 'h> {
    pub(super) catalog: &'a Catalog,
    pub(super) body: &'a [u8],
    /// The histogram of the last line that was of one, as its lines come together.
    last: Option<Target<'a>>,
    histograms: &'h mut Histograms,
    pub(super) values: Values,
    /// Where totals wait to be compared. Without it nothing does, and only what the schema makes of their labels is
    /// told.
    #[cfg(feature = "pushgateway")]
    pub(super) totals: Option<&'a Totals>,
    /// When the next series began, where that is known as it comes.
    #[cfg(feature = "pushgateway")]
    pub(super) start_ns: u64,
}

impl<'a, 'h> Lines<'a, 'h> {
    pub(super) fn new(
        catalog: &'a Catalog,
        body: &'a [u8],
        histograms: &'h mut Histograms,
    ) -> Self {
        Self {
            catalog,
            body,
            last: None,
            histograms,
            values: Values::Increments,
            #[cfg(feature = "pushgateway")]
            totals: None,
            #[cfg(feature = "pushgateway")]
            start_ns: 0,
        }
    }

    /// Makes entries of the histograms that were gathered.
    pub(super) fn finish(&mut self, samples: &mut Samples, counts: &mut Counts) {
        let histograms = std::mem::take(self.histograms);
        histograms.finish(self, samples, counts);
        *self.histograms = histograms;
    }

    /// The series whose start a name is, if it is one: where a type says so, or, as clients write it that know no such
    /// type, where it is no family itself and what is before `_created` is.
    #[inline]
    fn began(
        &self,
        name: &[u8],
        block: Option<(Text, Type)>,
        samples: &Samples,
    ) -> Option<Option<Target<'a>>> {
        let base = name.strip_suffix(b"_created")?;
        let target = || {
            let total = || self.catalog.target(&[base, b"_total"].concat());
            self.catalog.target(base).or_else(total)
        };
        let is_said = block.is_some_and(|(said, kind)| {
            kind.has_created() && base == samples.bytes(self.body, said)
        });
        if is_said {
            return Some(target());
        }
        if self.catalog.target(name).is_some() {
            return None;
        }
        target().filter(|target| target.family.kind() != Kind::Gauge).map(Some)
    }

    /// The type that was said of a sample: by the name of its own family, or of the one that it belongs to in the
    /// text, which is called another way where it is a counter of OpenMetrics.
    #[inline]
    fn type_of(
        &self,
        block: Option<(Text, Type)>,
        name: &[u8],
        family: &FamilyState,
        samples: &Samples,
    ) -> Option<Type> {
        let (said, kind) = block?;
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

    /// Puts the labels of the sample being read into schema order, behind the values of earlier entries.
    #[inline]
    pub(super) fn resolve_labels(
        &self,
        target: &Target<'_>,
        samples: &mut Samples,
    ) -> Result<(), Refusal> {
        match self.values {
            Values::Increments => samples.labels.extend_from_slice(&self.histograms.path),
            #[cfg(feature = "pushgateway")]
            Values::Totals => {
                samples.name_group(&self.histograms.path, target.family, self.body);
            }
        }
        if samples.resolve_labels_in_order(target, self.body) {
            Ok(())
        } else if samples.has_label_twice(self.body) {
            Err(Refusal::Malformed)
        } else {
            samples.resolve_labels_in_any_order(target, self.body)
        }
    }

    /// Finds the family and labels of a line, or counts why it is refused.
    #[inline]
    pub(super) fn resolve(
        &mut self,
        name: Text,
        block: Option<(Text, Type)>,
        value: f64,
        samples: &mut Samples,
        counts: &mut Counts,
    ) {
        let body = self.body;
        let bytes = samples.bytes(body, name);
        if let Some(target) = self.began(bytes, block, samples) {
            return self.created(target, value, samples);
        }
        let found = self.target(bytes);
        #[cfg(feature = "pushgateway")]
        if let Values::Totals = self.values {
            group::note_process(samples, body, name, value);
        }
        // A bound is no label of the series.
        let is_bucket = found.is_some_and(|(target, part)| {
            part == Part::Bucket && target.family.kind() == Kind::Histogram
        });
        let le = if is_bucket { take_le(body, samples) } else { None };

        let values_at = samples.values.len();
        let resolved = match found {
            None => Err(Refusal::UnknownFamily),
            Some((target, part)) => {
                let kind = target.family.kind();
                let is_whole = part == Part::Whole;
                let said = self.type_of(block, samples.bytes(body, name), target.family, samples);
                let fits = said.is_none_or(|said| said.fits(kind))
                    && is_whole == matches!(kind, Kind::Counter | Kind::Gauge)
                    && kind != Kind::Summary;
                if fits {
                    self.resolve_labels(&target, samples).map(|()| (target, part))
                } else {
                    Err(Refusal::TypeMismatch)
                }
            }
        };
        match resolved {
            Ok((target, Part::Whole)) => {
                self.number(&target, name, value, values_at, samples, counts);
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
                let target = found.map(|(target, _)| target);
                self.refuse(target, name, why, values_at, samples, counts);
            }
        }
    }

    /// Ends a sample that is one number.
    #[inline]
    pub(super) fn number(
        &mut self,
        target: &Target<'a>,
        name: Text,
        value: f64,
        values_at: usize,
        samples: &mut Samples,
        counts: &mut Counts,
    ) {
        let numbers_at = samples.numbers.len();
        samples.numbers.push(Number { value, n: 1 });
        #[cfg(feature = "pushgateway")]
        if let Values::Totals = self.values
            && target.family.kind() == Kind::Counter
        {
            let total =
                group::Total { name, values_at, numbers_at, start_ns: self.start_ns, scale: None };
            return match group::check_total(value) {
                Ok(()) => samples.wait(self.totals, target, total, self.body),
                Err(why) => {
                    samples.numbers.truncate(numbers_at);
                    self.refuse_resolved(target, name, why, values_at, samples, counts);
                }
            };
        }
        let _ = name;
        samples.finish_entry(target, self.body, values_at, numbers_at, counts);
    }

    /// Counts why a sample is refused whose labels are resolved.
    #[cfg(feature = "pushgateway")]
    #[cold]
    pub(super) fn refuse_resolved(
        &self,
        target: &Target<'_>,
        name: Text,
        why: Refusal,
        values_at: usize,
        samples: &mut Samples,
        counts: &mut Counts,
    ) {
        samples.refuse_series(target.family, name, values_at, why, 1, self.body, counts);
        samples.values.truncate(values_at);
        self.misses(samples);
    }

    /// Counts why a sample is refused.
    #[cold]
    pub(super) fn refuse(
        &self,
        target: Option<Target<'_>>,
        name: Text,
        why: Refusal,
        values_at: usize,
        samples: &mut Samples,
        counts: &mut Counts,
    ) {
        let (body, family) = (self.body, target.map(|target| target.family));
        samples.note_entry(body, Some(name), family, values_at, why, 1);
        counts.refuse(why, 1);
        samples.values.truncate(values_at);
        if target.is_some() {
            self.misses(samples);
        }
    }

    /// Something of a declared family was refused, which may be a series of the group.
    #[cfg_attr(not(feature = "pushgateway"), expect(clippy::unused_self, reason = "no group"))]
    pub(super) fn misses(&self, samples: &mut Samples) {
        #[cfg(feature = "pushgateway")]
        if let Values::Totals = self.values {
            samples.prom.misses();
        }
        let _ = samples;
    }

    /// Takes in when a series began.
    #[cold]
    fn created(&self, target: Option<Target<'_>>, value: f64, samples: &mut Samples) {
        #[cfg(feature = "pushgateway")]
        if let (Some(totals), Some(target)) = (self.totals, target) {
            let values_at = samples.values.len();
            if self.resolve_labels(&target, samples).is_ok() {
                samples.note_start(totals, &target, value, values_at, self.body);
            }
            samples.values.truncate(values_at);
        }
        let _ = (target, value, samples);
    }
}

/// Takes the label `le` out of those of the sample; `None` if it is not there, not once, or no number.
#[inline]
fn take_le(body: &[u8], samples: &mut Samples) -> Option<f64> {
    let at = samples.labels.iter().position(|(name, _)| samples.bytes(body, *name) == b"le")?;
    let (_, value) = samples.labels.remove(at);
    read_float(samples.bytes(body, value)).filter(|edge| !edge.is_nan())
}
