//! What Prometheus' clients expose, pushed: text, or protobuf. Its values are increments, what a page's registry counted
//! since its last push; or totals of a group ([`group`]), as a Pushgateway gets them.
//!
//! In text a line is a sample. Those of counters and gauges are resolved as they come; the lines of one series of a
//! histogram are gathered ([`histograms`]) and counted together at the end, as each may come in any place. Whole or
//! not at all: a body that does not decode changes nothing, and nothing in it is guessed.
//!
//! `promjs` writes for each histogram a series without labels, all 0: where the family has labels, its lines are
//! refused as `missing_label`. It escapes no label value, so one with a quote makes the body one that does not
//! decode, at that quote.

#[cfg(feature = "pushgateway")]
mod group;
mod histograms;
mod lines;
#[cfg(feature = "pushgateway")]
mod protobuf;
mod scan;
mod text;

#[cfg(feature = "pushgateway")]
pub(crate) use group::{Prom, forget, settle};
pub(crate) use histograms::Histograms;

use std::borrow::Cow;

use lines::Lines;
#[cfg(feature = "pushgateway")]
use lines::Values;

use super::error::DecodeError;
use super::report::{Counts, PushReport};
use super::samples::Samples;
use super::{Format, Intake, Source};
use crate::schema::LABELS_MAX;
use crate::store::{Catalog, Text};

type Result<T> = std::result::Result<T, DecodeError>;

/// Most samples of one body: 16 MiB of lines as `promjs` writes them have some more, and what each waits in until it
/// is applied takes as much memory as its text.
const SAMPLES_MAX: usize = 1 << 18;

/// Decodes and applies a body.
pub(super) fn push(
    intake: &Intake<'_>,
    format: Format,
    samples: &mut Samples,
    report: &mut PushReport,
) -> Result<()> {
    let Intake { catalog, body, source, .. } = *intake;
    let expected = intake.expected(|| {
        // The labels of a path, or a group, are part of what the request's key names.
        let (route, labels) = (format.as_str(), source.labels_value());
        match source.grouping_key_value() {
            Some(group) => Cow::Owned(format!("{route} group {group:?}")),
            None if labels.is_empty() => Cow::Borrowed(route),
            None => Cow::Owned(format!("{route}{labels:?}")),
        }
    });
    let mut counts = Counts::default();
    samples.begin(catalog, source);
    decode(Some(intake), catalog, format, body, source, samples, &mut counts)?;
    intake.finish_whole(expected, samples, counts, report);
    Ok(())
}

/// Decodes a body into `samples`, each with the labels of the source besides its own, and counts what is refused on
/// the way. Without an intake totals do not wait: what they add nobody can tell then.
#[cfg_attr(not(feature = "pushgateway"), expect(unused_variables, reason = "totals ask for it"))]
pub(super) fn decode(
    intake: Option<&Intake<'_>>,
    catalog: &Catalog,
    format: Format,
    body: &[u8],
    source: &Source<'_>,
    samples: &mut Samples,
    counts: &mut Counts,
) -> Result<()> {
    let labels = source.grouping_key_value().unwrap_or(source.labels_value());
    if labels.len() > LABELS_MAX {
        return Err(DecodeError::syntax(0, "the path names more than 30 labels"));
    }
    let mut histograms = std::mem::take(&mut samples.histograms);
    histograms.clear();
    for (name, value) in labels {
        let mut put = |text: &str| Text::put(&mut samples.arena, text.as_bytes());
        let label = (put(name), put(value));
        histograms.path.push(label);
    }
    let mut lines = Lines::new(catalog, body, &mut histograms);
    #[cfg(feature = "pushgateway")]
    if source.grouping_key_value().is_some() {
        lines.values = Values::Totals;
        lines.totals = intake.map(|intake| intake.totals);
    }
    let read = match format {
        #[cfg(feature = "pushgateway")]
        Format::PromProtobuf => protobuf::read(&mut lines, samples, counts),
        _ => super::check_utf8(body, 0).and_then(|()| text::read(&mut lines, samples, counts)),
    };
    if read.is_ok() {
        lines.finish(samples, counts);
    }
    samples.histograms = histograms;
    read
}
