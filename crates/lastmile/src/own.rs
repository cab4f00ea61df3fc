//! The aggregator's own metrics, kept in the store like any other and counted through bound cells.

use std::sync::Arc;
use std::time::Duration;

use crate::aggregator::Inner;
use crate::dedup::Ids;
use crate::error::Error;
use crate::push::{DecodeError, DecodeReason, Format, PushReport, Refusal};
use crate::schema::{Family, Label, NAME_BYTES_MAX};
use crate::store::{Pin, Store};
use crate::time::{Ticks, Timestamp};

/// Durations of scrapes, in seconds: from a console's to the largest that Prometheus waits for by default.
const SCRAPE_BOUNDS: [f64; 9] = [0.001, 0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 5.0, 10.0];

/// Source: the seed's server, `serverSrc/readMetricConfigs.js`, with its text.
const RECORD_HELP: &str = "the number of times clients have posted to /record. \
    Try rate(metrics_aggregator_record_total)*10 for a sense of how many clients are connected.";

/// The families, which follow those of the schema.
pub(crate) fn families() -> Vec<Family> {
    let format = || Label::closed_exactly("format", Format::ALL.map(Format::as_str));
    vec![
        Family::gauge("lastmile_build_info")
            .help("Always 1, with the version of lastmile.")
            .label(Label::closed_exactly("version", [env!("CARGO_PKG_VERSION")])),
        Family::counter("lastmile_pushes_total")
            .help("Pushes of which at least one batch decoded, by format.")
            .label(format()),
        Family::counter("lastmile_push_errors_total")
            .help("Batches that did not decode and changed nothing, by format and reason.")
            .label(format())
            .label(Label::closed_exactly("reason", DecodeReason::ALL.map(DecodeReason::as_str))),
        Family::counter("lastmile_push_bytes_total")
            .unit("bytes")
            .help("Bytes of pushes, by format, whether they decoded or not.")
            .label(format()),
        Family::counter("lastmile_samples_total")
            .help("Samples that were counted, by format.")
            .label(format()),
        Family::counter("lastmile_refused_total")
            .help("Samples that were refused, each alone, by reason.")
            .label(Label::closed_exactly("reason", Refusal::ALL.map(Refusal::as_str))),
        Family::counter("lastmile_batches_without_id_total")
            .help("Batches without an id, which a repeated request counts again, by format.")
            .label(format()),
        Family::counter("lastmile_duplicate_batches_total")
            .help("Batches that came again and were not counted again, by format.")
            .label(format()),
        Family::gauge("lastmile_dedup_window_seconds")
            .unit("seconds")
            .help("How long a batch id is remembered; less than 600 while memory for ids is short."),
        Family::gauge("lastmile_readers").help("Scrapers that are there and whose view is kept."),
        Family::counter("lastmile_overflow_total")
            .help("Samples counted under `other` because a limit left their value no place of its own; while this grows, the series of single values are lower bounds.")
            .label(Label::open("family", u32::MAX).max_bytes(NAME_BYTES_MAX))
            .label(Label::open("label", u32::MAX).max_bytes(NAME_BYTES_MAX)),
        Family::counter("lastmile_series_expired_total")
            .help("Series that left because nobody pushed to them for their time to live."),
        Family::counter("lastmile_scrapes_total")
            .help("Scrapes, by whether the reader took all of it.")
            .label(Label::closed_exactly("result", ["complete", "aborted"])),
        Family::histogram("lastmile_scrape_seconds", SCRAPE_BOUNDS)
            .unit("seconds")
            .help("Time from the start of a scrape until the reader had all of it."),
        Family::counter("metrics_aggregator_record_total").help(RECORD_HELP),
    ]
}

/// Cells of the aggregator's own metrics, bound for as long as it lives.
#[derive(Debug)]
pub(crate) struct Own {
    formats: [OwnFormat; Format::ALL.len()],
    refused: [Arc<Pin>; Refusal::ALL.len()],
    expired: Arc<Pin>,
    window: Arc<Pin>,
    readers: Arc<Pin>,
    scrapes_complete: Arc<Pin>,
    scrapes_aborted: Arc<Pin>,
    scrape_seconds: Arc<Pin>,
    record: Arc<Pin>,
}

/// Those that are kept by format.
#[derive(Debug)]
struct OwnFormat {
    pushes: Arc<Pin>,
    bytes: Arc<Pin>,
    samples: Arc<Pin>,
    without_id: Arc<Pin>,
    duplicates: Arc<Pin>,
    errors: [Arc<Pin>; DecodeReason::ALL.len()],
}

impl Own {
    /// Binds them all, and gives every label that can overflow its counter.
    pub(crate) fn bind(store: &Store, ids: &Ids) -> Result<Self, Error> {
        let counter = |name: &str, labels: &[(&str, &str)]| bind(store, name, labels);
        bind(store, "lastmile_build_info", &[("version", env!("CARGO_PKG_VERSION"))])?
            .store(1.0_f64.to_bits());
        for family in store.catalog().families() {
            let declared = family.declared();
            if crate::schema::is_reserved(declared.name()) {
                continue;
            }
            for (i, label) in declared.labels().iter().enumerate() {
                if !label.is_closed() {
                    let labels = [("family", declared.name()), ("label", label.name())];
                    family.set_overflow(i, counter("lastmile_overflow_total", &labels)?);
                }
            }
        }
        let of_format = |format: Format| {
            let format = ("format", format.as_str());
            let by_format = |name: &str| counter(name, &[format]);
            Ok::<_, Error>(OwnFormat {
                pushes: by_format("lastmile_pushes_total")?,
                bytes: by_format("lastmile_push_bytes_total")?,
                samples: by_format("lastmile_samples_total")?,
                without_id: by_format("lastmile_batches_without_id_total")?,
                duplicates: by_format("lastmile_duplicate_batches_total")?,
                errors: each(DecodeReason::ALL, |reason| {
                    counter("lastmile_push_errors_total", &[format, ("reason", reason.as_str())])
                })?,
            })
        };
        Ok(Self {
            formats: each(Format::ALL, of_format)?,
            refused: each(Refusal::ALL, |why| {
                counter("lastmile_refused_total", &[("reason", why.as_str())])
            })?,
            window: {
                let window = bind(store, "lastmile_dedup_window_seconds", &[])?;
                window.store(ids.window_secs().to_bits());
                window
            },
            readers: bind(store, "lastmile_readers", &[])?,
            expired: counter("lastmile_series_expired_total", &[])?,
            scrapes_complete: counter("lastmile_scrapes_total", &[("result", "complete")])?,
            scrapes_aborted: counter("lastmile_scrapes_total", &[("result", "aborted")])?,
            scrape_seconds: bind(store, "lastmile_scrape_seconds", &[])?,
            record: counter("metrics_aggregator_record_total", &[])?,
        })
    }

    /// Counts a body that came.
    #[inline]
    pub(crate) fn came(&self, format: Format, n_bytes: usize) {
        self.formats[format as usize].bytes.add(n_bytes as u64);
    }

    /// Counts a push of which at least one batch decoded.
    #[inline]
    pub(crate) fn pushed(&self, format: Format, report: &PushReport) {
        let own = &self.formats[format as usize];
        own.pushes.add(1);
        own.samples.add(report.accepted());
        if report.batches_without_id() > 0 {
            own.without_id.add(u64::from(report.batches_without_id()));
        }
        if report.duplicate_batches() > 0 {
            own.duplicates.add(u64::from(report.duplicate_batches()));
        }
        if format == Format::Record {
            self.record.add(1);
        }
        for (why, n) in report.refused() {
            self.refused[why as usize].add(n);
        }
    }

    /// Counts a batch that did not decode.
    #[cold]
    pub(crate) fn failed(&self, format: Format, error: &DecodeError) {
        self.formats[format as usize].errors[error.reason() as usize].add(1);
    }

    /// Time passed, and with it so many series.
    pub(crate) fn ticked(&self, agg: &Inner, n_expired: u64, now: Ticks) {
        self.expired.add(n_expired);
        self.window.store(agg.ids().window_secs().to_bits());
        self.readers.store((agg.store().readers().n_live(now) as f64).to_bits());
    }

    pub(crate) fn scrape_completed(&self, agg: &Inner, took: Duration, now: Timestamp) {
        self.scrapes_complete.add(1);
        agg.store().observe_pinned(&self.scrape_seconds, took.as_secs_f64(), agg.ticks(now));
    }

    pub(crate) fn scrape_aborted(&self) {
        self.scrapes_aborted.add(1);
    }
}

/// Binds a series of one of the families above.
fn bind(store: &Store, name: &str, labels: &[(&str, &str)]) -> Result<Arc<Pin>, Error> {
    let family = store.catalog().find(name);
    store.bind(family.expect("it is one of its own"), labels, 0)
}

/// Maps an array, stopping at the first error.
fn each<T, U, const N: usize>(
    from: [T; N],
    f: impl FnMut(T) -> Result<U, Error>,
) -> Result<[U; N], Error> {
    let all = from.into_iter().map(f).collect::<Result<Vec<U>, Error>>()?;
    Ok(all.try_into().unwrap_or_else(|_| unreachable!("as many came out as went in")))
}
