//! The crate and its twin side by side: every push goes to both, and both must agree on the report
//! and on what is exposed.

use std::cell::Cell;
use std::collections::BTreeMap;

use lastmile::{
    Aggregator, DecodeError, Format, PushReport, SeriesView, Source, Timestamp, Visitor,
};

use crate::expo::{self, Exposition, Series};
use crate::schemas::TestSchema;
use crate::twin::{Faults, Kind, Report, SEED, Twin, Value};

pub(crate) struct Pair {
    pub(crate) agg: Aggregator,
    pub(crate) twin: Twin,
    pub(crate) now: Timestamp,
    /// What `lastmile_…` counters must read, as the reports say.
    own: BTreeMap<Series, u64>,
    /// Expositions written, which count as scrapes.
    n_encoded: Cell<u64>,
}

/// Names what was at work when a test fails.
pub(crate) struct Context(pub(crate) String);

impl Drop for Context {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in {}", self.0);
        }
    }
}

/// When every test starts: 2026-01-01, 1 h after the machine did.
pub(crate) fn start() -> Timestamp {
    Timestamp::new(1_767_225_600_000, std::time::Duration::from_secs(3600))
}

/// Who sends all pushes of the tests, to the path that they map.
pub(crate) fn source() -> Source<'static> {
    Source::default().path("/beacon").seed(SEED)
}

impl Pair {
    pub(crate) fn new(schema: &TestSchema) -> Pair {
        let agg = Aggregator::new(schema.core(), schema.limits(), start());
        Pair {
            agg: agg.expect("the schemas of the tests fit their limits"),
            twin: Twin::new(&schema.families, schema.series_per_family as usize),
            now: start(),
            own: BTreeMap::new(),
            n_encoded: Cell::new(0),
        }
    }

    /// Pushes to both.
    ///
    /// # Panics
    /// If they disagree on the report.
    pub(crate) fn push(&mut self, format: Format, body: &[u8]) -> Result<PushReport, DecodeError> {
        self.push_with(format, body, None)
    }

    /// The same with an `Idempotency-Key`, which formats have whose bodies are one batch.
    pub(crate) fn push_with(
        &mut self,
        format: Format,
        body: &[u8],
        key: Option<&str>,
    ) -> Result<PushReport, DecodeError> {
        let source = key.map_or(source(), |key| source().idempotency_key(key));
        let ours = self.agg.push(format, body, &source, self.now);
        // One that anybody may have names nothing.
        let twins = match key.filter(|key| key.len() >= 16) {
            None => self.twins(format, body),
            Some(key) => self.twins_once(format, body, key),
        };
        if let Err(why) = agree(&ours, &twins, body) {
            let body = String::from_utf8_lossy(body);
            panic!("{why}\ncrate: {ours:?}\ntwin: {twins:?}\n{}: {body}", format.as_str());
        }
        self.count(format, &twins);
        ours
    }

    /// A batch that its key names: the twin takes the first, and knows the others by it.
    fn twins_once(&mut self, format: Format, body: &[u8], key: &str) -> Result<Report, Faults> {
        let before = self.twin.clone();
        let mut report = self.twins(format, body)?;
        let id = format!("{} {key}", format.as_str());
        let content = String::from_utf8(body.to_vec()).expect("it was decoded");
        let n = report.accepted + report.refused.values().sum::<u64>();
        report.without_id = 0;
        match before.ids.get(&id) {
            None => drop(self.twin.ids.insert(id, content)),
            Some(known) => {
                let is_same = *known == content;
                self.twin = before;
                report = Report { batches: report.batches, ..Report::default() };
                if is_same {
                    report.duplicates = (1, n);
                } else if n > 0 {
                    report.refused.insert("id_conflict", n);
                }
            }
        }
        Ok(report)
    }

    fn twins(&mut self, format: Format, body: &[u8]) -> Result<Report, Faults> {
        match format {
            Format::Lm1 => self.twin.push_lm1(body),
            Format::Record => self.twin.push_record(body),
            Format::PromText => self.twin.push_prom_text(body),
            #[cfg(feature = "otlp")]
            Format::OtlpJson | Format::OtlpProtobuf => {
                let is_json = format == Format::OtlpJson;
                self.twin.push_otlp(is_json, body, self.now.wall_ms())
            }
            Format::Reports => self.twin.push_reports(body),
            Format::Hit => self.twin.push_hit(body),
            #[cfg(feature = "faro")]
            Format::Faro => self.twin.push_faro(body),
            #[cfg(feature = "faro")]
            Format::Beacon => self.twin.push_beacon(body),
            _ => unreachable!("no other format in this part"),
        }
    }

    fn count(&mut self, format: Format, twins: &Result<Report, Faults>) {
        let format = format.as_str();
        let Ok(report) = twins else { return };
        self.count_one("lastmile_pushes_total", &[("format", format)], 1);
        self.count_one("lastmile_samples_total", &[("format", format)], report.accepted);
        for (reason, &n) in &report.refused {
            self.count_one("lastmile_refused_total", &[("reason", reason)], n);
        }
        let n = if format == "record" { 1 } else { u64::from(report.without_id) };
        self.count_one("lastmile_batches_without_id_total", &[("format", format)], n);
        if format == "record" {
            self.count_one("metrics_aggregator_record_total", &[], 1);
        }
    }

    pub(crate) fn count_one(&mut self, name: &str, labels: &[(&str, &str)], n: u64) {
        let labels = labels.iter().map(|&(l, v)| (l.to_owned(), v.to_owned())).collect();
        *self.own.entry((name.to_owned(), labels)).or_default() += n;
    }

    /// The live exposition.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        self.agg.encode_to(&mut text, self.now).expect("a Vec takes everything");
        self.n_encoded.set(self.n_encoded.get() + 1);
        text
    }

    /// Compares what both hold.
    ///
    /// # Panics
    /// If they disagree on any sample, or a law is broken.
    #[track_caller]
    pub(crate) fn check(&self) -> Exposition {
        let text = self.text();
        let exposition = expo::parse(&text);
        if let Err(why) = self.compare(&exposition) {
            panic!("{why}\n---\n{}", String::from_utf8_lossy(&text));
        }
        exposition
    }

    fn compare(&self, exposition: &Exposition) -> Result<(), String> {
        let mut declared = self.twin.families.iter().map(|state| state.family.name.as_str());
        let user_families = exposition.families.iter().take_while(|f| !is_own(&f.name));
        for family in user_families.clone() {
            if !declared.any(|name| name == family.name) {
                return Err(format!("{} is not declared, or not in order", family.name));
            }
        }
        for state in &self.twin.families {
            let wanted = expected(state);
            let empty = vec![];
            let family = exposition.family(&state.family.name);
            let samples = family.map_or(&empty, |family| &family.samples);
            let (quantiles, samples): (Vec<expo::Sample>, Vec<expo::Sample>) =
                samples.iter().cloned().partition(|s| family.is_some_and(|f| f.is_quantile(s)));
            check_quantiles(state, &quantiles, self.twin.waited)?;
            if family.is_some_and(|family| family.kind != state.family.kind.as_str()) {
                return Err(format!("{} has another type", state.family.name));
            }
            if samples.len() != wanted.len() {
                let (got, n) = (samples.len(), wanted.len());
                return Err(format!("{}: {got} samples, the twin has {n}", state.family.name));
            }
            for sample in &samples {
                let le = sample.label("le").map(|le| le.replace("+Inf", "inf"));
                let le: Option<f64> = le.and_then(|le| le.parse().ok());
                let mut series = sample.series();
                if let (Some(le), Some(last)) = (le, series.1.last_mut()) {
                    last.1 = format!("{le}");
                }
                match wanted.get(&series) {
                    Some(number) if number.is_written(&sample.text) => {}
                    number => return Err(format!("{sample:?}, the twin has {number:?}")),
                }
            }
            if !state.family.is_open() && !matches!(state.family.kind, Kind::Gauge(_)) {
                check_order(state, &samples)?;
            }
        }
        self.compare_natives()?;
        self.compare_own(exposition)
    }

    /// The native buckets, which text does not show.
    fn compare_natives(&self) -> Result<(), String> {
        let seen = natives(&self.agg, self.now);
        let mut wanted = BTreeMap::new();
        for state in &self.twin.families {
            for (values, value) in &state.series {
                if let Value::Histogram { buckets, native: Some(native), .. } = value {
                    assert_eq!(
                        native.total(),
                        buckets.iter().sum::<u64>(),
                        "the twin agrees with itself"
                    );
                    let key = (state.family.name.clone(), values.clone());
                    wanted.insert(key, (native.schema, native.zeros, native.buckets.clone()));
                }
            }
        }
        if seen == wanted {
            return Ok(());
        }
        Err(format!("native buckets: {seen:?}, the twin has {wanted:?}"))
    }

    /// The aggregator's own counters agree with the reports.
    fn compare_own(&self, exposition: &Exposition) -> Result<(), String> {
        let mut wanted = self.own.clone();
        // The exposition at hand was not yet complete when it was written.
        let complete = vec![("result".to_owned(), "complete".to_owned())];
        *wanted.entry(("lastmile_scrapes_total".to_owned(), complete)).or_default() +=
            self.n_encoded.get() - 1;
        for ((family, label), &n) in &self.twin.overflow {
            let labels =
                vec![("family".to_owned(), family.clone()), ("label".to_owned(), label.clone())];
            wanted.insert(("lastmile_overflow_total".to_owned(), labels), n);
        }
        if self.twin.baselines > 0 {
            let series = ("lastmile_cumulative_baseline_total".to_owned(), vec![]);
            wanted.insert(series, self.twin.baselines);
        }
        let compared = [
            "lastmile_cumulative_baseline_total",
            "lastmile_pushes_total",
            "lastmile_samples_total",
            "lastmile_refused_total",
            "lastmile_batches_without_id_total",
            "lastmile_overflow_total",
            "lastmile_scrapes_total",
            "metrics_aggregator_record_total",
        ];
        for name in compared {
            let family = exposition.family(name).map_or(&[][..], |f| f.samples.as_slice());
            let got: BTreeMap<Series, String> = family
                .iter()
                .filter(|sample| sample.text != "0")
                .map(|sample| (sample.series(), sample.text.clone()))
                .collect();
            let of_name = wanted.iter().filter(|((n, _), value)| n == name && **value > 0);
            let wanted = of_name.map(|(series, n)| (series.clone(), n.to_string())).collect();
            if got != wanted {
                return Err(format!("{name}: {got:?}, the reports say {wanted:?}"));
            }
        }
        Ok(())
    }
}

/// Schema, zeros and buckets of native histograms by family and label values.
pub(crate) type Natives = BTreeMap<(String, Vec<String>), (i32, u64, BTreeMap<i32, u64>)>;

/// All native histograms as a visitor sees them.
pub(crate) fn natives(agg: &Aggregator, now: Timestamp) -> Natives {
    let mut seen = Seen::default();
    agg.visit(now, &mut seen);
    seen.series
}

#[derive(Default)]
struct Seen {
    family: String,
    series: Natives,
}

impl Visitor for Seen {
    fn family(&mut self, family: &lastmile::Family) {
        family.name().clone_into(&mut self.family);
    }

    fn series(&mut self, series: &SeriesView<'_>) {
        let lastmile::Value::Histogram { counts, native: Some(native), .. } = series.value() else {
            return;
        };
        let total = native.zero_count() + native.buckets().map(|(_, n)| n).sum::<u64>();
        assert_eq!(total, counts.iter().sum::<u64>(), "both have all observations");
        let key = (self.family.clone(), series.labels().map(|(_, v)| v.into_owned()).collect());
        let value = (i32::from(native.schema()), native.zero_count(), native.buckets().collect());
        assert!(self.series.insert(key, value).is_none(), "a series is shown twice");
    }
}

/// Whether a family is the aggregator's own.
pub(crate) fn is_own(name: &str) -> bool {
    name.starts_with("lastmile_") || name == "metrics_aggregator_record_total"
}

/// What one line must read.
#[derive(Debug)]
enum Number {
    Sum(crate::exact::Exact, IsInteger),
    Count(u64),
    Gauge(f64),
}

/// Whether whole values must be written as integers.
type IsInteger = bool;

impl Number {
    fn is_written(&self, text: &str) -> bool {
        match self {
            Number::Sum(sum, true) => sum.is_written(text),
            Number::Sum(sum, false) => {
                sum.is_written(text) || text.parse() == Ok(sum.nearest_f64())
            }
            Number::Count(n) => text == n.to_string(),
            Number::Gauge(value) => text.parse() == Ok(*value),
        }
    }
}

/// Every sample of a family by series; `le` as Rust writes it.
fn expected(state: &crate::twin::FamilyState) -> BTreeMap<Series, Number> {
    let name = &state.family.name;
    let mut all = BTreeMap::new();
    for (values, value) in &state.series {
        let names = state.family.labels.iter().map(|label| label.name.clone());
        let labels: expo::Labels = names.zip(values.iter().cloned()).collect();
        match (&state.family.kind, value) {
            (Kind::Histogram(bounds), Value::Histogram { buckets, sum, .. }) => {
                let mut n = 0;
                for (le, bucket) in bounds.iter().chain([&f64::INFINITY]).zip(buckets) {
                    n += bucket;
                    let mut labels = labels.clone();
                    labels.push(("le".to_owned(), format!("{le}")));
                    all.insert((format!("{name}_bucket"), labels), Number::Count(n));
                }
                all.insert((format!("{name}_sum"), labels.clone()), Number::Sum(*sum, false));
                all.insert((format!("{name}_count"), labels), Number::Count(n));
            }
            (Kind::Summary, Value::Histogram { buckets, sum, .. }) => {
                all.insert((format!("{name}_sum"), labels.clone()), Number::Sum(*sum, false));
                all.insert((format!("{name}_count"), labels), Number::Count(buckets[0]));
            }
            (_, Value::Counter(sum)) => {
                all.insert((name.clone(), labels), Number::Sum(*sum, true));
            }
            (_, Value::Gauge(Some(value))) => {
                all.insert((name.clone(), labels), Number::Gauge(*value));
            }
            (_, Value::Gauge(None)) => {}
            _ => unreachable!("a value has its family's type"),
        }
    }
    all
}

/// A summary has quantiles where it has observations, unless minutes went by; none is larger than
/// anything that may be observed. How true they are is a law of its own.
fn check_quantiles(
    state: &crate::twin::FamilyState,
    quantiles: &[expo::Sample],
    waited: bool,
) -> Result<(), String> {
    let is_used =
        |value: &&Value| matches!(value, Value::Histogram { buckets, .. } if buckets[0] > 0);
    let n_used = match state.family.kind {
        Kind::Summary => state.series.values().filter(is_used).count(),
        _ => 0,
    };
    // Windows may be over by now.
    if quantiles.len() > 4 * n_used || (quantiles.len() < 4 * n_used && !waited) {
        return Err(format!("{}: {n_used} series, {quantiles:?}", state.family.name));
    }
    match quantiles.iter().find(|quantile| quantile.value() > state.family.max) {
        Some(quantile) => Err(format!("{quantile:?} is more than anybody observed")),
        None => Ok(()),
    }
}

/// The rows of a closed family come in the order of the declared values.
fn check_order(state: &crate::twin::FamilyState, samples: &[expo::Sample]) -> Result<(), String> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for sample in samples {
        let values = sample.labels.iter().filter(|(label, _)| label != "le");
        let row = values.map(|(_, value)| value.clone()).collect();
        if rows.last() != Some(&row) {
            rows.push(row);
        }
    }
    if rows == state.family.closed_rows() {
        return Ok(());
    }
    Err(format!("{}: rows out of order: {rows:?}", state.family.name))
}

/// Whether the crate's answer is the twin's.
fn agree(
    ours: &Result<PushReport, DecodeError>,
    twins: &Result<Report, Faults>,
    body: &[u8],
) -> Result<(), String> {
    let fits = |error: &DecodeError, faults: &Faults, at: std::ops::Range<usize>| {
        if !faults.contains(error.reason().as_str()) {
            return Err(format!("{} is not among {faults:?}", error.reason().as_str()));
        }
        if !(at.start..=at.end).contains(&error.offset()) {
            return Err(format!("offset {} is not in {at:?}", error.offset()));
        }
        Ok(())
    };
    let (report, twin) = match (ours, twins) {
        (Err(error), Err(faults)) => return fits(error, faults, 0..body.len()),
        (Ok(report), Ok(twin)) => (report, twin),
        (Ok(_), Err(_)) => return Err("accepted, and the twin does not decode it".to_owned()),
        (Err(_), Ok(_)) => return Err("not decoded, and the twin does".to_owned()),
    };
    let refused = report.refused().filter(|&(_, n)| n > 0).map(|(r, n)| (r.as_str(), n));
    let refused: BTreeMap<&str, u64> = refused.collect();
    if report.accepted() != twin.accepted || refused != twin.refused {
        return Err("the samples differ".to_owned());
    }
    if report.n_refused() != refused.values().sum::<u64>() {
        return Err("n_refused is not the sum of refused".to_owned());
    }
    if (report.duplicate_batches(), report.duplicate_samples()) != twin.duplicates {
        return Err("the duplicates differ".to_owned());
    }
    if report.batches() != twin.batches {
        return Err("the batches differ".to_owned());
    }
    if report.failed_lines().len() != twin.failed.len() {
        return Err("the failed lines differ".to_owned());
    }
    for (line, (number, at, faults)) in report.failed_lines().iter().zip(&twin.failed) {
        if line.line() != *number {
            return Err(format!("line {}, the twin says {number}", line.line()));
        }
        fits(&line.error(), faults, at.clone())?;
    }
    Ok(())
}
