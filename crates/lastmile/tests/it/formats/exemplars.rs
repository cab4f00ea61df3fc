//! Exemplars of the host's own observations, which OpenMetrics shows behind their samples.

use std::fs;
use std::path::Path;

use lastmile::{
    Aggregator, Counter, Escaping, ExpositionFormat, Family, Histogram, Label, Limits, Native,
    Otherwise, OwnMetrics, Schema, ScrapeOptions,
};

use super::reader::Dialect;
use super::{ESCAPINGS, formats, read, scraped};
use crate::expo::Exemplar;
use crate::oracle::start;

fn aggregator(families: impl IntoIterator<Item = Family>) -> Aggregator {
    let schema = families.into_iter().fold(Schema::builder(), |s, family| s.family(family));
    Aggregator::new(schema.build().unwrap(), Limits::default(), start()).unwrap()
}

/// Families of every sort that may carry exemplars and one that may not, each with a handle that gave it some.
pub(crate) struct Host {
    pub(crate) agg: Aggregator,
    /// They leave with the handles.
    pub(crate) handles: (Vec<Counter>, Vec<Histogram>),
}

/// Wall milliseconds of the exemplars.
const AT: u64 = 1_767_225_600_250;

pub(crate) fn host() -> Host {
    let way = |name: &str| Label::closed(name, ["in"]).otherwise(Otherwise::Refuse);
    let agg = aggregator([
        Family::counter("jobs_total").label(way("way")),
        Family::counter("my.jobs_total").label(way("my.way")),
        Family::counter("a_counter_with_a_name_of_more_than_32_bytes_total"),
        Family::counter("no_exemplar_total"),
        Family::counter("hits"),
        Family::histogram("took_seconds", [0.5, 1.0]).unit("seconds"),
        Family::histogram("both_seconds", [0.5]).native(Native::new(3)).label(way("way")),
        Family::native_histogram("native_seconds", Native::new(3)),
    ]);
    let counter = |name: &str, labels: &[_]| agg.counter(name, labels).unwrap();
    let jobs = counter("jobs_total", &[("way", "in")]);
    let my_jobs = counter("my.jobs_total", &[("my.way", "in")]);
    let long = counter("a_counter_with_a_name_of_more_than_32_bytes_total", &[]);
    let (hits, none) = (counter("hits", &[]), counter("no_exemplar_total", &[]));
    assert!(jobs.inc_by_with_exemplar(2, &[("trace_id", "lost")], Some(AT)));
    assert!(jobs.inc_by_with_exemplar(3, &[("trace_id", "5f1c"), ("span_id", "b7ad")], Some(AT)));
    assert!(my_jobs.inc_by_with_exemplar(4, &[("t", "é,1")], None));
    assert!(long.inc_by_with_exemplar(1, &[], Some(7)));
    assert!(hits.inc_by_with_exemplar(9, &[("trace_id", "5f1c")], None));
    none.inc();
    let histogram = |name: &str, labels: &[_]| agg.histogram(name, labels).unwrap();
    let took = histogram("took_seconds", &[]);
    let both = histogram("both_seconds", &[("way", "in")]);
    let native = histogram("native_seconds", &[]);
    for (histogram, v, id, at) in [
        (&took, 0.25, "lost", None),
        (&took, 0.5, "low", None),
        (&took, 2.5, "high", Some(AT + 1)),
        (&both, 1e-7, "low", Some(AT)),
        (&both, 7.0, "high", Some(AT + 1)),
        (&native, 0.25, "lost", Some(AT)),
        (&native, 2.0, "any", Some(AT + 1)),
    ] {
        assert_eq!(histogram.observe_with_exemplar(v, &[("trace_id", id)], at), Ok(true));
    }
    let handles = (vec![jobs, my_jobs, long, hits, none], vec![took, both, native]);
    Host { agg, handles }
}

/// What is shown without the aggregator's own metrics.
fn shown(agg: &Aggregator, options: ScrapeOptions) -> String {
    let bytes = scraped(agg, options.own(OwnMetrics::Excluded), start());
    String::from_utf8(bytes).unwrap()
}

fn open_metrics(escaping: Escaping) -> ScrapeOptions {
    ScrapeOptions::new(ExpositionFormat::OpenMetrics1_0_0(escaping))
}

/// What a host's exemplars look like, which Python's client and a real Prometheus read as well
/// (`examples/demo/e2e`). `UPDATE_EXPECT=1` writes what is exposed now.
#[track_caller]
fn check_golden(file: &str, found: &[u8]) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&file, found).unwrap();
    }
    let expected = fs::read(&file).unwrap_or_default();
    assert!(found == expected, "{file:?} differs: {}", String::from_utf8_lossy(found));
}

#[test]
fn open_metrics_shows_the_last_of_each_counter_and_bucket() {
    let Host { agg, handles } = host();
    let golden = shown(&agg, open_metrics(Escaping::Underscores));
    check_golden("exemplars.om", golden.as_bytes());
    // Names are escaped, and exemplars are as they were.
    for (escaping, family, sample) in [
        (Escaping::AllowUtf8, "\"my.jobs\"", r#"{"my.jobs_total","my.way"="in"}"#),
        (Escaping::Dots, "my_dot_jobs_", r#"my_dot_jobs__total{my_dot_way="in"}"#),
        (Escaping::Values, "U__my_2e_jobs_", r#"U__my_2e_jobs__total{U__my_2e_way="in"}"#),
    ] {
        let expected = golden.replace(r#"my_jobs_total{my_way="in"}"#, sample);
        let expected = expected.replace(" my_jobs ", &format!(" {family} "));
        assert_eq!(shown(&agg, open_metrics(escaping)), expected, "{escaping:?}");
    }
    // Start times come behind, in a sample that carries none.
    let with_starts = shown(&agg, open_metrics(Escaping::Underscores).created(true));
    let lines = with_starts.split_inclusive('\n').filter(|line| !line.contains("_created"));
    assert_eq!(lines.collect::<String>(), golden);
    assert!(with_starts.contains("3 1767225600.250\njobs_created{way=\"in\"} 1767225600.000\n"));

    drop(handles);
    for (_, exemplar) in exemplars(&agg, Escaping::Underscores) {
        assert_eq!(exemplar, None, "they leave with their handles");
    }
}

/// The same in protobuf, where `protobuf/mod.rs` reads them.
#[cfg(feature = "protobuf")]
#[test]
fn protobuf() {
    let Host { agg, handles: _handles } = host();
    let options = ScrapeOptions::new(ExpositionFormat::Protobuf(Escaping::Underscores));
    check_golden("exemplars.pb", &scraped(&agg, options.own(OwnMetrics::Excluded), start()));
}

/// The samples of a scrape, each with its exemplar.
fn exemplars(agg: &Aggregator, escaping: Escaping) -> Vec<(String, Option<Exemplar>)> {
    let exposition = read(agg, &open_metrics(escaping), start());
    exposition.samples().map(|sample| (sample.name.clone(), sample.exemplar.clone())).collect()
}

/// The strict reader of text takes none, so it is enough that it reads.
#[test]
fn other_formats_show_the_same_without() {
    let Host { agg, handles: _handles } = host();
    for (format, dialect) in formats() {
        let exposition = read(&agg, &ScrapeOptions::new(format), start());
        let n = exposition.samples().filter(|sample| sample.exemplar.is_some()).count();
        let expected = if dialect == Dialect::OpenMetrics { 8 } else { 0 };
        assert_eq!(n, expected, "{format:?}");
        if dialect == Dialect::Text {
            let text = shown(&agg, ScrapeOptions::new(format));
            assert!(!text.contains(" # ") && !text.contains("trace_id"), "{text}");
        }
    }
}

/// What a reader sees at 0 was not observed yet, as far as that reader can know.
#[test]
fn a_row_that_is_held_at_0_shows_none() {
    let Host { agg, handles: _handles } = host();
    let options = || open_metrics(Escaping::Dots).reader("10.0.0.1:4000".parse().unwrap(), None);
    for n_expected in [0, 8] {
        let mut scrape = agg.scrape(options(), start());
        let (mut text, mut chunk) = (Vec::new(), Vec::new());
        while scrape.next_chunk(&mut chunk) {
            text.extend_from_slice(&chunk);
        }
        scrape.complete(start());
        let exposition = super::reader::read(&text, Dialect::OpenMetrics).unwrap();
        let found = exposition.samples().filter(|sample| sample.exemplar.is_some());
        assert_eq!(found.count(), n_expected);
    }
}

/// Whatever a label's value is, it comes back, and so do the number and the time.
#[test]
fn what_was_given_comes_back() {
    let widest = "\u{1F600}".repeat(126);
    let escapes = "\"\\\n".repeat(42);
    let many: Vec<String> = (0..26).map(|i| char::from(b'a' + i).to_string()).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "\n")).collect();
    for (labels, n, at_ms) in [
        (&[][..], 0, None),
        (&[("ab", "")], 1, Some(0)),
        (&[("ab", &widest)], u64::MAX, Some(u64::MAX)),
        (&[("ab", &escapes)], 1 << 53, Some(1)),
        (&[("a", "\\"), ("b", "\\n"), ("c", "\"}"), ("d", " # {} 1")], 10, Some(AT)),
        (&[("a", "\u{0}\r\t\u{2028}")], 10, Some(999)),
        (&many, 123_456_789, Some(AT + 9)),
    ] {
        for escaping in ESCAPINGS {
            let agg = aggregator([Family::counter("c_total"), Family::histogram("h", [1.0])]);
            let (counter, histogram) =
                (agg.counter("c_total", &[]).unwrap(), agg.histogram("h", &[]).unwrap());
            let v = (n as f64).min(1e15) / 7.0;
            assert!(counter.inc_by_with_exemplar(n, labels, at_ms), "{labels:?}");
            assert_eq!(histogram.observe_with_exemplar(v, labels, at_ms), Ok(true));
            let given = labels.iter().map(|(name, v)| ((*name).to_owned(), (*v).to_owned()));
            let expected = |value: f64| Exemplar {
                labels: given.clone().collect(),
                value,
                timestamp: at_ms
                    .map(|ms| format!("{}.{:03}", ms / 1000, ms % 1000).parse().unwrap()),
            };
            let found = exemplars(&agg, escaping).into_iter().filter_map(|(_, found)| found);
            assert_eq!(found.collect::<Vec<_>>(), [expected(n as f64), expected(v)]);
        }
    }
}
