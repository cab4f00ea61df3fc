//! An aggregate and a host's registry, both ways.

mod append;
mod clash;
mod collector;
mod hostile;

use std::collections::BTreeMap;

use lastmile::{
    Aggregator, Escaping, ExpositionFormat, Family, Format, Limits, Schema, ScrapeOptions, Source,
    Timestamp,
};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::expo::Exposition;
use crate::formats::reader::{self, Dialect};
use crate::oracle::start;

fn aggregator(families: impl IntoIterator<Item = Family>) -> Aggregator {
    let schema = families.into_iter().fold(Schema::builder(), |s, family| s.family(family));
    Aggregator::new(schema.build().unwrap(), Limits::default(), start()).unwrap()
}

fn push(agg: &Aggregator, samples: &str, now: Timestamp) {
    let body = format!(r#"{{"lm":1,"m":{{{samples}}}}}"#);
    let report = agg.push(Format::Lm1, body.as_bytes(), &Source::default(), now).unwrap();
    assert_eq!(report.n_refused(), 0, "{body}");
}

/// What the library writes of a registry.
fn encoded(registry: &Registry) -> String {
    let mut text = String::new();
    encode(&mut text, registry).unwrap();
    text
}

/// Every text format, and how it reads.
fn formats() -> [(ExpositionFormat, Dialect); 4] {
    [
        (ExpositionFormat::Text0_0_4, Dialect::Text),
        (ExpositionFormat::Text1_0_0(Escaping::AllowUtf8), Dialect::Text),
        (ExpositionFormat::OpenMetrics1_0_0(Escaping::AllowUtf8), Dialect::OpenMetrics),
        (ExpositionFormat::OpenMetrics1_0_0(Escaping::Underscores), Dialect::OpenMetrics),
    ]
}

/// All of a scrape, whose chunks must keep their bound.
#[track_caller]
fn scraped(agg: &Aggregator, options: ScrapeOptions) -> Vec<u8> {
    let mut scrape = agg.scrape(options, start());
    let (mut bytes, mut chunk) = (Vec::new(), Vec::new());
    while scrape.next_chunk(&mut chunk) {
        assert!((1..=64 << 10).contains(&chunk.len()), "a chunk of {}", chunk.len());
        bytes.extend_from_slice(&chunk);
    }
    assert!(!scrape.next_chunk(&mut chunk) && chunk.is_empty(), "the end is the end");
    scrape.complete(start());
    bytes
}

#[track_caller]
fn read(text: &[u8], dialect: Dialect) -> Exposition {
    reader::read(text, dialect).unwrap_or_else(|fault| {
        panic!("{dialect:?}: {fault:?}\n{}", String::from_utf8_lossy(text));
    })
}

/// Samples by name and sorted labels, bounds by their number. A value is as it is written, if it is whole.
type Samples = BTreeMap<(String, Vec<(String, String)>), String>;

/// Those of all families but the aggregator's own.
fn samples(exposition: &Exposition) -> Samples {
    let is_own = |name: &str| name.starts_with("lastmile_") || name.starts_with("metrics_");
    let others = exposition.samples().filter(|sample| !is_own(&sample.name));
    let of = |sample: &crate::expo::Sample| {
        let mut labels = sample.labels.clone();
        for (_, value) in labels.iter_mut().filter(|(name, _)| name == "le") {
            *value = format!("{:?}", value.parse::<f64>().expect("a bound is a number"));
        }
        labels.sort();
        let is_whole = sample.text.bytes().all(|byte| byte.is_ascii_digit());
        let value = if is_whole { sample.text.clone() } else { spelled(sample.value()) };
        ((sample.name.clone(), labels), value)
    };
    others.map(of).collect()
}

fn spelled(v: f64) -> String {
    if v.fract() == 0.0 && v.abs() < 1e15 { format!("{}", v as i64) } else { format!("{v:?}") }
}

/// What each format has beside the aggregator's own, which is the same in each: by the names of text.
#[track_caller]
fn shown_in_all(agg: &Aggregator) -> Samples {
    let mut all = formats().into_iter().map(|(format, dialect)| {
        let text = scraped(agg, ScrapeOptions::new(format));
        samples(&read(&text, dialect))
    });
    let first = all.next().expect("there are formats");
    all.for_each(|other| assert_eq!(other, first));
    #[cfg(feature = "protobuf")]
    {
        use crate::protobuf::messages;

        let of = |(name, labels), value| ((name, labels), spelled(value));
        let bytes = scraped(agg, messages::options());
        let mut found: Samples = messages::samples(&messages::messages(&bytes))
            .into_iter()
            .map(|(series, value)| of(series, value))
            .collect();
        found
            .retain(|(name, _), _| !name.starts_with("lastmile_") && !name.starts_with("metrics_"));
        // A double has no more digits than that.
        let rounded = first
            .iter()
            .map(|(series, text)| (series.clone(), spelled(text.parse().expect("it is a number"))));
        assert_eq!(found, rounded.collect());
    }
    first
}

fn options(format: ExpositionFormat) -> ScrapeOptions {
    ScrapeOptions::new(format)
}

/// The gauge that counts what was appended in the last scrape: shown, clash, invalid, failed.
fn counted(agg: &Aggregator) -> [f64; 4] {
    let own = read(&scraped(agg, ScrapeOptions::text()), Dialect::Text);
    ["shown", "clash", "invalid", "failed"].map(|result| {
        own.value("lastmile_appended_families", &[("result", result)]).expect("it is there")
    })
}
