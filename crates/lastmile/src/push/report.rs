use std::fmt;

use super::error::DecodeError;

/// Why one sample of a decoded push was not counted. Exposed as `lastmile_refused_total{reason="…"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// No such metric family is declared.
    UnknownFamily,
    /// The family has another type than the push says.
    TypeMismatch,
    /// The sample carries a label that the family does not declare.
    UnknownLabel,
    /// The sample lacks a label that the family declares.
    MissingLabel,
    /// A closed label that refuses unlisted values got one.
    LabelValue,
    /// The value of an open label is longer than it may be.
    LabelTooLong,
    /// The entry has not the shape of a sample, a label stands twice, or the lines of a histogram in Prometheus
    /// text contradict each other or are not all there.
    Malformed,
    /// The value is not a number.
    NotANumber,
    /// The value is infinite as a 64-bit float.
    NotFinite,
    /// The value is below 0.
    Negative,
    /// The value is below the family's `min`.
    TooSmall,
    /// The value is above the family's `max`.
    TooLarge,
    /// The batch's weight is not a whole number from 1 to 1,000.
    BadWeight,
    /// The count of a `[value, count]` pair is not a whole number from 1 to 10,000, or that of a histogram's bucket
    /// in Prometheus text is not one from 0 to 10,000.
    BadCount,
    /// The batch's id was seen before with other content.
    IdConflict,
    /// A browser's report is of a type that is not known.
    UnknownReport,
}

impl Refusal {
    pub(crate) const ALL: [Self; 16] = [
        Self::UnknownFamily,
        Self::TypeMismatch,
        Self::UnknownLabel,
        Self::MissingLabel,
        Self::LabelValue,
        Self::LabelTooLong,
        Self::Malformed,
        Self::NotANumber,
        Self::NotFinite,
        Self::Negative,
        Self::TooSmall,
        Self::TooLarge,
        Self::BadWeight,
        Self::BadCount,
        Self::IdConflict,
        Self::UnknownReport,
    ];

    /// The value of the label `reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownFamily => "unknown_family",
            Self::TypeMismatch => "type_mismatch",
            Self::UnknownLabel => "unknown_label",
            Self::MissingLabel => "missing_label",
            Self::LabelValue => "label_value",
            Self::LabelTooLong => "label_too_long",
            Self::Malformed => "malformed",
            Self::NotANumber => "not_a_number",
            Self::NotFinite => "not_finite",
            Self::Negative => "negative",
            Self::TooSmall => "too_small",
            Self::TooLarge => "too_large",
            Self::BadWeight => "bad_weight",
            Self::BadCount => "bad_count",
            Self::IdConflict => "id_conflict",
            Self::UnknownReport => "unknown_report",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for Refusal {}

/// Samples of one batch, by what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    accepted: u64,
    /// By reason. A body is shorter than 1 GiB, so no count is as large as that.
    refused: [u32; Refusal::ALL.len()],
}

impl Counts {
    /// Samples counted so far, accepted and refused.
    pub(crate) fn total(&self) -> u64 {
        self.accepted + self.refused().map(|(_, n)| n).sum::<u64>()
    }

    #[cfg(feature = "bench")]
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted
    }

    #[inline]
    pub(crate) fn accept(&mut self, n: u64) {
        self.accepted += n;
    }

    #[inline]
    pub(crate) fn refuse(&mut self, why: Refusal, n: u64) {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        let refused = &mut self.refused[why as usize];
        *refused = refused.saturating_add(n);
    }

    /// Each reason for which samples were refused, and how many.
    fn refused(&self) -> impl Iterator<Item = (Refusal, u64)> + '_ {
        let all = Refusal::ALL.into_iter().zip(self.refused.map(u64::from));
        all.filter(|(_, n)| *n > 0)
    }
}

/// What became of a push that decoded: how many samples were counted, and why others were not.
///
/// A sample is one increment, or one element of a list of observations; in Prometheus text one line, in OTLP one data point. Those accepted and those
/// refused are together all that was sent, but for batches that were counted before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushReport {
    counts: Counts,
    batches: u32,
    batches_without_id: u32,
    duplicate_batches: u32,
    duplicate_samples: u64,
    #[cfg(feature = "totals")]
    baselines: u64,
    rare: Option<Box<Rare>>,
}

/// What few reports have. A report is handed on ten times on its way to a page's answer, and is small without it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rare {
    failed: Vec<LineError>,
    ids: Vec<String>,
}

const _: () = assert!(size_of::<PushReport>() <= 112);

impl PushReport {
    /// Samples that were counted.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.counts.accepted
    }

    /// Each reason for which samples were refused, and how many.
    pub fn refused(&self) -> impl Iterator<Item = (Refusal, u64)> + '_ {
        self.counts.refused()
    }

    /// Samples that were refused, for any reason.
    #[must_use]
    pub fn n_refused(&self) -> u64 {
        self.refused().map(|(_, n)| n).sum()
    }

    /// Batches that decoded: lines of `lm1`, 1 of any other body.
    #[must_use]
    pub fn batches(&self) -> u32 {
        self.batches
    }

    /// Batches among them whose id was seen before with the same content: they were counted then.
    #[must_use]
    pub fn duplicate_batches(&self) -> u32 {
        self.duplicate_batches
    }

    /// Samples of those batches. With those accepted and refused they are all that was sent.
    #[must_use]
    pub fn duplicate_samples(&self) -> u64 {
        self.duplicate_samples
    }

    /// The ids that batches of `lm1` brought, in their order, of those that need not be sent again: they were counted,
    /// now or before, or are refused for good. None unless [`Source::tell_ids`](crate::Source::tell_ids) asked.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.rare.iter().flat_map(|rare| &rare.ids).map(String::as_str)
    }

    /// Lines of an `lm1` body that did not decode while others did.
    #[must_use]
    pub fn failed_lines(&self) -> &[LineError] {
        self.rare.as_ref().map_or(&[], |rare| &rare.failed)
    }

    /// Takes in a batch that decoded and was applied.
    pub(crate) fn batch(&mut self, counts: &Counts, has_id: bool) {
        self.batches += 1;
        self.batches_without_id += u32::from(!has_id);
        self.counts.accepted += counts.accepted;
        for (why, n) in counts.refused() {
            self.counts.refuse(why, n);
        }
    }

    /// Takes in a batch that was counted before.
    pub(crate) fn duplicate(&mut self, n_samples: u64) {
        self.batches += 1;
        self.duplicate_batches += 1;
        self.duplicate_samples += n_samples;
    }

    /// Takes in totals that added nothing, as it is not known what of them was counted before.
    #[cfg(feature = "totals")]
    pub(crate) fn baseline(&mut self, n: u64) {
        self.baselines += n;
    }

    #[cfg(feature = "totals")]
    pub(crate) fn baselines(&self) -> u64 {
        self.baselines
    }

    pub(crate) fn batches_without_id(&self) -> u32 {
        self.batches_without_id
    }

    /// Notes the id of a batch, which is ASCII.
    pub(crate) fn note_id(&mut self, id: &[u8]) {
        self.rare.get_or_insert_default().ids.push(String::from_utf8_lossy(id).into_owned());
    }

    pub(crate) fn fail_line(&mut self, line: usize, error: DecodeError) {
        self.rare.get_or_insert_default().failed.push(LineError { line, error });
    }
}

/// A line of an `lm1` body that did not decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineError {
    line: usize,
    error: DecodeError,
}

impl LineError {
    /// Which line, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// Why, and at which byte of the body.
    #[must_use]
    pub fn error(&self) -> DecodeError {
        self.error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_in_their_own_place() {
        for (i, reason) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, i);
            let (mut report, mut counts) = (PushReport::default(), Counts::default());
            counts.refuse(reason, 2);
            report.batch(&counts, true);
            assert_eq!(report.refused().collect::<Vec<_>>(), [(reason, 2)]);
            assert_eq!(report.n_refused(), 2);
        }
    }
}
