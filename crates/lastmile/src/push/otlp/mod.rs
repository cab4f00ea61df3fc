//! OpenTelemetry's metrics: `ExportMetricsServiceRequest`, as JSON and as protobuf.
//!
//! A data point is a sample. Both encodings are read into one flat document ([`doc`]), a resource at a time, and what
//! its points mean is written once ([`walk`]). Increments are entries like those of other formats. Totals wait until
//! the body's id is claimed, and become entries of what they rose by ([`cumulative`]).
//!
//! **Defined here, as nobody else does.** A point that is flagged to have no value is counted as accepted and does
//! nothing; one without any value is `not_a_number`. A histogram without a sum, or whose buckets are not its count, is
//! `malformed`; one that counted below 0 is `negative`. `min`, `max`, exemplars and times of increments are passed
//! over. Increments of a sum that is not monotonic are a `type_mismatch`, as are summaries: there is nothing that they
//! could be added to. So is a metric whose unit is another than the family's, as milliseconds are no seconds.

mod counted;
mod cumulative;
mod doc;
mod json;
mod names;
mod protobuf;
mod walk;

pub(crate) use cumulative::settle;
pub(crate) use doc::Doc;

use super::error::DecodeError;
use super::report::{Counts, PushReport};
use super::samples::Samples;
use super::{Format, Intake};
use crate::store::Catalog;
use crate::totals::Totals;

type Result<T> = std::result::Result<T, DecodeError>;

/// How a request is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Json,
    Protobuf,
}

impl Encoding {
    /// That of a format of OpenTelemetry.
    pub(super) const fn of(format: Format) -> Self {
        match format {
            Format::OtlpJson => Self::Json,
            _ => Self::Protobuf,
        }
    }

    const fn format(self) -> Format {
        match self {
            Self::Json => Format::OtlpJson,
            Self::Protobuf => Format::OtlpProtobuf,
        }
    }
}

/// Decodes and applies a body.
pub(super) fn push(
    intake: &Intake<'_>,
    encoding: Encoding,
    samples: &mut Samples,
    report: &mut PushReport,
) -> Result<()> {
    let Intake { totals, catalog, body, source, .. } = *intake;
    let expected = intake.expected(|| encoding.format().as_str());
    let mut counts = Counts::default();
    samples.begin(catalog, source);
    decode(catalog, Some(totals), encoding, body, samples, &mut counts)?;
    intake.finish_whole(expected, samples, counts, report);
    Ok(())
}

/// Decodes a body into `samples`, and counts what is refused on the way. Without `totals` nothing
/// waits, and of totals only what the schema makes of their labels is told.
pub(super) fn decode(
    catalog: &Catalog,
    totals: Option<&Totals>,
    encoding: Encoding,
    body: &[u8],
    samples: &mut Samples,
    counts: &mut Counts,
) -> Result<()> {
    let mut doc = std::mem::take(&mut samples.otlp);
    doc.clear();
    doc.is_raw = encoding == Encoding::Protobuf;
    let mut resource = |doc: &mut Doc, samples: &mut Samples| {
        walk::resource(catalog, totals, body, doc, samples, counts);
    };
    let read = match encoding {
        Encoding::Json => super::check_utf8(body, 0)
            .and_then(|()| json::read(body, &mut doc, samples, &mut resource)),
        Encoding::Protobuf => protobuf::read(body, &mut doc, samples, &mut resource),
    };
    if read.is_err() {
        doc.clear();
    }
    samples.otlp = doc;
    read
}
