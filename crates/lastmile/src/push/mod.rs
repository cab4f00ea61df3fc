//! Bytes to samples, or a reason with a position: one decoder a file over one pull parser.

#[cfg(feature = "mapping")]
mod beacon;
mod counted;
mod error;
mod explain;
#[cfg(feature = "faro")]
mod faro;
mod form;
mod hit;
pub(crate) mod json;
mod lm1;
#[cfg(feature = "mapping")]
mod mapped;
mod number;
#[cfg(feature = "otlp")]
mod otlp;
mod prom;
mod record;
mod report;
#[cfg(feature = "reports")]
mod reports;
mod samples;
mod source;
mod swar;
#[cfg(feature = "totals")]
mod wire;

pub use error::{DecodeError, DecodeReason};
pub(crate) use explain::explain;
pub use lm1::LINES_MAX as LM1_LINES_MAX;
pub(crate) use lm1::{Meaning, Sighted};
pub(crate) use number::Number;
pub(crate) use report::Counts;
pub use report::{LineError, PushReport, Refusal};
pub(crate) use samples::{Entry, Overflow, Samples};
pub use source::{Headers, Source};

#[cfg(feature = "pushgateway")]
pub(crate) use prom::forget as forget_group;

use std::borrow::Cow;

use crate::dedup::{Claim, Expected, Ids};
use crate::store::{BODY_BYTES_END, Catalog, Store};
use crate::time::Ticks;
#[cfg(feature = "totals")]
use crate::totals::Totals;

/// The format of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// `lm1`: one JSON batch per line, at most 16. What `lastmile.js` sends to `POST /lm`.
    Lm1,
    /// The JSON array that `prometheus-user-metrics`' client sends to `POST /record`.
    Record,
    /// Prometheus text 0.0.4 or OpenMetrics whose values are increments: they add. What `promjs` and
    /// `@cabify/prom-react` send to `POST /metrics`.
    ///
    /// A sample is a line. A counter's value is added and a gauge's combined. The lines of one series of a histogram,
    /// in any order, are counted together or refused together: the cumulative counts of its buckets must not fall
    /// and hold at most 10,000 each, its sum must be there and be at most the count times the family's `max`,
    /// and `+Inf` must be `_count` where both are there. Where the bounds are those of the schema the counts are
    /// exact; others go where their upper bound does. Count and sum are always exact. Timestamps, exemplars and
    /// `_created` are passed over.
    ///
    /// With `Source::grouping_key` (feature `pushgateway`) values are totals, of which the rise is added.
    PromText,
    /// The same as Prometheus' protobuf: `io.prometheus.client.MetricFamily` behind its length, one after another.
    ///
    /// A metric is a sample. Native buckets are exact where a histogram has no others.
    #[cfg(feature = "pushgateway")]
    PromProtobuf,
    /// OpenTelemetry's metrics as JSON: what `@opentelemetry/exporter-metrics-otlp-http` sends to `POST /v1/metrics`.
    ///
    /// A data point is a sample. Its metric is the family of the same name, that of the name which Prometheus gives it
    /// (`app.loads` is `app_loads_total`), or the one that names it by [`Family::otel`](crate::Family::otel). A label has
    /// the value of the attribute of its name (`service_name` of `service.name`) of the point, else of the resource;
    /// attributes that are not declared are passed over. Increments add, at any age. Of totals the rise since the
    /// stream's last point is added; see [`Limits::streams_bytes`](crate::Limits::streams_bytes). Sums that go up and
    /// down are gauges. A histogram's counts go where their upper bounds do, as of [`PromText`](Self::PromText), and
    /// exponential ones fill native buckets exactly.
    #[cfg(feature = "otlp")]
    OtlpJson,
    /// The same as protobuf: what `@opentelemetry/exporter-metrics-otlp-proto` and most other SDKs send.
    #[cfg(feature = "otlp")]
    OtlpProtobuf,
    /// What browsers report by themselves to `POST /reports`: `application/reports+json` of the Reporting API, and the
    /// older `application/csp-report`. They count in the families `browser_…` of the default schema, by words of
    /// closed or bounded labels; one that is not listed is `other`, and no URL, user agent or address is looked at.
    ///
    /// A report is a sample, a network error another for its time. One of a type that is not known is refused as
    /// [`UnknownReport`](Refusal::UnknownReport). A network error counts as often as `1/sampling_fraction` says, the
    /// fraction taken for 0.001 at least; what is between two whole numbers becomes one of them, with the right mean,
    /// as [`Source::seed`] decides.
    #[cfg(feature = "reports")]
    Reports,
    /// The query of an image, `m=app_opens_total;app=mail`: each `m` names a series as `lm1` does, to which 1 is added.
    /// What a page without scripts, or a mail, asks for with `GET /lm.gif`. Only counters whose labels are all closed
    /// take hits; another is refused as [`TypeMismatch`](Refusal::TypeMismatch).
    Hit,
    /// The payload of `@grafana/faro-web-sdk`: `POST /collect`.
    ///
    /// A sample is what a rule of the schema makes of one measurement, exception, event or log; an item to which no rule
    /// applies is one that is refused as [`UnknownFamily`](Refusal::UnknownFamily). Rules come with
    /// [`SchemaBuilder::browser`](crate::SchemaBuilder::browser) and [`faro`](crate::SchemaBuilder::faro). Traces are
    /// passed over. Faro itself leaves out an event that equals the one before, unless the page says `skipDedupe`.
    #[cfg(feature = "faro")]
    Faro,
    /// A beacon of another client, on the path that [`Source::path`] has and a [`Mapping`](crate::Mapping) of the schema
    /// is for: a JSON object, an array of them, or a form.
    ///
    /// A sample is what a rule makes of one object, or of the form; a record to which no rule applies is one that is
    /// refused as [`UnknownFamily`](Refusal::UnknownFamily).
    #[cfg(feature = "mapping")]
    Beacon,
}

impl Format {
    pub(crate) const ALL: [Self;
        4 + cfg!(feature = "pushgateway") as usize
            + 2 * cfg!(feature = "otlp") as usize
            + cfg!(feature = "reports") as usize
            + cfg!(feature = "faro") as usize
            + cfg!(feature = "mapping") as usize] = [
        Self::Lm1,
        Self::Record,
        Self::PromText,
        #[cfg(feature = "pushgateway")]
        Self::PromProtobuf,
        #[cfg(feature = "otlp")]
        Self::OtlpJson,
        #[cfg(feature = "otlp")]
        Self::OtlpProtobuf,
        #[cfg(feature = "reports")]
        Self::Reports,
        Self::Hit,
        #[cfg(feature = "faro")]
        Self::Faro,
        #[cfg(feature = "mapping")]
        Self::Beacon,
    ];

    /// The value of the label `format`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lm1 => "lm1",
            Self::Record => "record",
            Self::PromText => "prom_text",
            #[cfg(feature = "pushgateway")]
            Self::PromProtobuf => "prom_protobuf",
            #[cfg(feature = "otlp")]
            Self::OtlpJson => "otlp_json",
            #[cfg(feature = "otlp")]
            Self::OtlpProtobuf => "otlp_protobuf",
            #[cfg(feature = "reports")]
            Self::Reports => "reports",
            Self::Hit => "hit",
            #[cfg(feature = "faro")]
            Self::Faro => "faro",
            #[cfg(feature = "mapping")]
            Self::Beacon => "beacon",
        }
    }
}

/// What pushes go to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Into<'a> {
    pub(crate) store: &'a Store,
    pub(crate) ids: &'a Ids,
    #[cfg(feature = "totals")]
    pub(crate) totals: &'a Totals,
}

/// When a push came, by the aggregator's time and by the wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived {
    pub(crate) ticks: Ticks,
    #[cfg_attr(not(feature = "totals"), expect(dead_code, reason = "totals ask for it"))]
    pub(crate) wall_ms: u64,
}

/// Decodes a body and counts what it brought. Lines of `lm1` that fail are in the report.
pub(crate) fn push(
    into: Into<'_>,
    format: Format,
    body: &[u8],
    source: &Source<'_>,
    arrived: Arrived,
) -> Result<PushReport, DecodeError> {
    if body.len() >= BODY_BYTES_END {
        return Err(DecodeError::new(DecodeReason::TooLarge, BODY_BYTES_END, ""));
    }
    let intake = Intake {
        store: into.store,
        ids: into.ids,
        #[cfg(feature = "totals")]
        totals: into.totals,
        catalog: &into.store.lease(),
        body,
        source,
        now: arrived.ticks,
        #[cfg(feature = "totals")]
        wall_ms: arrived.wall_ms,
    };
    Samples::with(|samples| {
        let mut report = PushReport::default();
        match format {
            Format::Lm1 => lm1::push(&intake, samples, &mut report)?,
            Format::PromText => prom::push(&intake, format, samples, &mut report)?,
            #[cfg(feature = "pushgateway")]
            Format::PromProtobuf => prom::push(&intake, format, samples, &mut report)?,
            #[cfg(feature = "otlp")]
            Format::OtlpJson | Format::OtlpProtobuf => {
                otlp::push(&intake, otlp::Encoding::of(format), samples, &mut report)?;
            }
            #[cfg(feature = "reports")]
            Format::Reports => reports::push(&intake, samples, &mut report)?,
            _ => intake.push_whole(format, samples, &mut report)?,
        }
        Ok(report)
    })
}

/// One push on its way in.
struct Intake<'a> {
    store: &'a Store,
    ids: &'a Ids,
    #[cfg(feature = "totals")]
    totals: &'a Totals,
    catalog: &'a Catalog,
    body: &'a [u8],
    source: &'a Source<'a>,
    now: Ticks,
    #[cfg(feature = "totals")]
    wall_ms: u64,
}

impl Intake<'_> {
    /// Decodes and applies a body that is one batch.
    fn push_whole(
        &self,
        format: Format,
        samples: &mut Samples,
        report: &mut PushReport,
    ) -> Result<(), DecodeError> {
        let Self { body, source, .. } = *self;
        let expected = self.expected(|| match source.path_value() {
            // The path of a mapping is part of what the request's key names.
            Some(path) => Cow::Owned(format!("{}{path}", format.as_str())),
            None => Cow::Borrowed(format.as_str()),
        });
        let mut counts = Counts::default();
        samples.begin(self.catalog, source);
        decode_whole(self.catalog, format, body, source, samples, &mut counts)?;
        self.finish_whole(expected, samples, counts, report);
        Ok(())
    }

    /// What a body that is one batch is claimed by, if its request has a key, which is for this route.
    fn expected<R: AsRef<str>>(&self, route: impl FnOnce() -> R) -> Option<Expected> {
        let Self { ids, source, .. } = *self;
        source.batch_key().map(|key| ids.expect(route().as_ref(), (key, 0), source))
    }

    /// Applies a body that is one batch and is decoded, unless it was seen before.
    fn finish_whole(
        &self,
        expected: Option<Expected>,
        samples: &mut Samples,
        counts: Counts,
        report: &mut PushReport,
    ) {
        let claim = expected.map(|expected| self.ids.claim(expected, self.body, self.now));
        self.finish_batch(claim, samples, counts, report);
    }

    /// Applies a decoded batch, unless its id was seen before.
    fn finish_batch(
        &self,
        claim: Option<Claim>,
        samples: &mut Samples,
        mut counts: Counts,
        report: &mut PushReport,
    ) {
        match claim {
            None | Some(Claim::New) => {
                #[cfg(feature = "otlp")]
                otlp::settle(self, samples, &mut counts, report);
                #[cfg(feature = "pushgateway")]
                prom::settle(self, samples, &mut counts, report);
                let arrival = self.store.arrival(self.source, self.now);
                self.store.apply(self.catalog, samples, self.body, &arrival, &mut counts);
                if !samples.sighted.is_empty() {
                    self.store.remember(self.catalog, samples, self.body);
                }
                report.batch(&counts, claim.is_some());
            }
            Some(Claim::Duplicate) => report.duplicate(counts.total() + samples.n_samples()),
            Some(Claim::Conflict) => {
                let mut conflict = Counts::default();
                conflict.refuse(Refusal::IdConflict, counts.total() + samples.n_samples());
                report.batch(&conflict, true);
            }
        }
    }
}

/// Decodes a body that is one batch into `samples`; of `lm1`, one of one line.
fn decode_whole(
    catalog: &Catalog,
    format: Format,
    body: &[u8],
    source: &Source<'_>,
    samples: &mut Samples,
    counts: &mut Counts,
) -> Result<(), DecodeError> {
    match format {
        Format::Lm1 => lm1::line(catalog, body, 0, body.len(), samples, counts, |_| {}).map(drop),
        Format::Record => record::decode(catalog, body, samples, counts),
        Format::PromText => prom::decode(None, catalog, format, body, source, samples, counts),
        #[cfg(feature = "pushgateway")]
        Format::PromProtobuf => prom::decode(None, catalog, format, body, source, samples, counts),
        #[cfg(feature = "otlp")]
        Format::OtlpJson | Format::OtlpProtobuf => {
            otlp::decode(catalog, None, otlp::Encoding::of(format), body, samples, counts)
        }
        // How much a report weighs is for those who apply it.
        #[cfg(feature = "reports")]
        Format::Reports => reports::decode(catalog, body, &mut || 0, samples, counts),
        Format::Hit => hit::decode(catalog, body, samples, counts),
        #[cfg(feature = "faro")]
        Format::Faro => faro::decode(catalog, body, samples, counts),
        #[cfg(feature = "mapping")]
        Format::Beacon => {
            let path = source.path_value().unwrap_or_default();
            beacon::decode(catalog, body, path, samples, counts)
        }
    }
}

/// Decodes one batch and applies nothing.
#[cfg(feature = "bench")]
pub(crate) fn decode(
    store: &Store,
    format: Format,
    body: &[u8],
    samples: &mut Samples,
) -> Result<(), DecodeError> {
    let (mut counts, catalog) = (Counts::default(), store.catalog());
    let source = Source::default();
    samples.begin(&catalog, &source);
    decode_whole(&catalog, format, body, &source, samples, &mut counts)
}

/// Checks once that `text`, which stands at `at` of the body, is UTF-8.
fn check_utf8(text: &[u8], at: usize) -> Result<(), DecodeError> {
    // A third of the time where there is nothing else, as mostly.
    if text.is_ascii() {
        return Ok(());
    }
    match std::str::from_utf8(text) {
        Ok(_) => Ok(()),
        Err(e) => Err(DecodeError::new(DecodeReason::InvalidUtf8, at + e.valid_up_to(), "")),
    }
}
