//! Any text, as HELP and as label values: written, and read back by a reader of our own.

use std::collections::BTreeMap;

use lastmile::{
    Aggregator, Escaping, ExpositionFormat, Family, Format, Label, Limits, Otherwise, Schema,
    ScrapeOptions, Source,
};

use crate::expo::{self, Exposition};
use crate::formats::{Dialect, read};
use crate::oracle::start;

/// Texts between bytes 0xFF, which UTF-8 has not: the first is HELP, the next 3 are listed values, the
/// others are pushed.
///
/// # Panics
/// If any of them does not read back as it was.
pub fn exposition(data: &[u8]) {
    let mut texts = data.split(|&byte| byte == 0xff).map(|text| {
        let text = String::from_utf8_lossy(text);
        let end = (0..=128).rev().find(|&at| text.is_char_boundary(at.min(text.len())));
        text[..end.unwrap_or(0).min(text.len())].to_owned()
    });
    let help = texts.next().unwrap_or_default();
    let mut listed: Vec<String> = texts.by_ref().take(3).collect();
    listed.sort();
    listed.dedup();
    let pushed: Vec<String> = texts.take(50).collect();

    let mut builder = Schema::builder().family(
        Family::counter("open_total")
            .help(&help)
            .label(Label::open("a", 1000))
            .label(Label::open("b", 1000)),
    );
    if !listed.is_empty() {
        let label = Label::closed("value", &listed).otherwise(Otherwise::Refuse);
        builder = builder.family(Family::histogram("closed", [1.0]).help(&help).label(label));
    }
    // A text may be no value that a schema lists, an empty one for instance.
    let Ok(schema) = builder.build() else { return };
    let agg = Aggregator::new(schema, Limits::default(), start()).expect("it is small");

    let mut wanted: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    let source = Source::default();
    for pair in pushed.windows(2) {
        let (a, b) = (pair[0].as_str(), pair[1].as_str());
        *wanted.entry((a, b)).or_default() += 2.0;
        let labels = serde_json::json!({ "a": a, "b": b });
        let body = serde_json::json!([{ "metricName": "open_total", "labels": labels, "inc": 1 }]);
        let report = agg.push(Format::Record, body.to_string().as_bytes(), &source, start());
        assert_eq!(report.expect("it is JSON").accepted(), 1, "{a:?} {b:?}");
        let escape = |text: &str| -> String {
            let escape = |c: char| match c {
                '%' | ';' | '=' => format!("%{:02x}", u32::from(c)),
                c => c.to_string(),
            };
            text.chars().map(escape).collect()
        };
        let key = format!("open_total;b={};a={}", escape(b), escape(a));
        let body = serde_json::json!({ "lm": 1, "m": { key: 1 } });
        let report = agg.push(Format::Lm1, body.to_string().as_bytes(), &source, start());
        assert_eq!(report.expect("it is JSON").accepted(), 1, "{a:?} {b:?}");
    }

    let mut text = Vec::new();
    agg.encode_to(&mut text, start()).expect("a Vec takes everything");
    check(&expo::parse(&text), "open_total", &help, &wanted, &listed);
    // No name here needs escaping, so what differs is the format alone.
    for format in [
        ExpositionFormat::Text1_0_0(Escaping::AllowUtf8),
        ExpositionFormat::OpenMetrics1_0_0(Escaping::AllowUtf8),
    ] {
        let (dialect, open) = match format {
            ExpositionFormat::OpenMetrics1_0_0(_) => (Dialect::OpenMetrics, "open"),
            _ => (Dialect::Text, "open_total"),
        };
        let mut scrape = agg.scrape(ScrapeOptions::new(format), start());
        let (mut text, mut chunk) = (Vec::new(), Vec::new());
        while scrape.next_chunk(&mut chunk) {
            text.extend_from_slice(&chunk);
        }
        check(&read(&text, dialect).expect("it is right"), open, &help, &wanted, &listed);
    }
}

/// An exposition shows what was pushed, and the help as it was declared. `open` is what the format calls the
/// family of that name.
fn check(
    exposition: &Exposition,
    open: &str,
    help: &str,
    wanted: &BTreeMap<(&str, &str), f64>,
    listed: &[String],
) {
    let is_help = |family: &expo::Family| family.help.as_deref().unwrap_or_default() == help;
    let open = exposition.family(open);
    assert!(open.is_none_or(is_help), "{help:?}");
    let n_series = open.map_or(0, |family| family.samples.len());
    assert_eq!(n_series, wanted.len());
    for (&(a, b), &n) in wanted {
        assert_eq!(exposition.value("open_total", &[("a", a), ("b", b)]), Some(n), "{a:?} {b:?}");
    }
    for value in listed {
        let count = exposition.value("closed_count", &[("value", value)]);
        assert_eq!(count, Some(0.0), "{value:?}");
    }
    assert!(exposition.family("closed").is_none_or(is_help), "{help:?}");
}
