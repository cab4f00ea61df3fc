//! What readers of an aggregate see, and what it says of itself.

use std::thread;
use std::time::Duration;

use lastmile::{Family, Format, Label, Limits, ScrapeOptions, SeriesView, Source, Value, Visitor};

use super::{aggregator, inc, push, read, text};
use crate::expo::{self, Exposition};
use crate::oracle::start;
use crate::pushes::quote;

#[test]
fn a_scrape_is_chunks_of_what_encode_writes() {
    let agg = aggregator(
        [
            Family::counter("views_total").label(Label::open("page", 20_000)),
            Family::histogram("view_seconds", [0.1, 0.5, 1.0, 5.0])
                .label(Label::open("page", 5_000)),
        ],
        Limits::default().series_per_family(30_000),
    );
    for batch in 0..100 {
        let m: Vec<String> = (0..200)
            .map(|n| format!("\"views_total;page=/some/longer/path/{batch}/{n}\":1"))
            .chain((0..50).map(|n| format!("\"view_seconds;page=/{batch}/{n}\":[0.2]")))
            .collect();
        push(&agg, Format::Lm1, &format!("{{\"lm\":1,\"m\":{{{}}}}}", m.join(",")));
    }
    let encoded = text(&agg);
    let mut scrape = agg.scrape(ScrapeOptions::text(), start());
    assert_eq!(scrape.content_type(), "text/plain; version=0.0.4; charset=utf-8");
    // A scrape is its own: it needs neither this thread nor this handle.
    drop(agg);
    let scraped = thread::spawn(move || {
        let (mut text, mut chunk, mut n_chunks) = (Vec::new(), Vec::new(), 0);
        while scrape.next_chunk(&mut chunk) {
            assert!(!chunk.is_empty() && chunk.len() <= 64 * 1024, "{} bytes", chunk.len());
            text.extend_from_slice(&chunk);
            n_chunks += 1;
        }
        assert!(chunk.is_empty());
        assert!(!scrape.next_chunk(&mut chunk), "it stays at its end");
        assert!(
            n_chunks < 3 + text.len() / (32 * 1024),
            "{n_chunks} chunks for {} bytes",
            text.len()
        );
        scrape.complete(start());
        String::from_utf8(text).unwrap()
    });
    let scraped = scraped.join().unwrap();
    let parsed = expo::parse(scraped.as_bytes());
    assert_eq!(parsed.family("views_total").unwrap().samples.len(), 20_000);
    let users = |text: &str| text[..text.find("# HELP lastmile_").unwrap()].to_owned();
    assert!(users(&scraped) == users(&encoded), "a scrape is what encode_to writes");
}

#[test]
fn abandoned_scrapes_are_counted_as_such() {
    let agg = aggregator([Family::counter("c")], Limits::default());
    // Looks, and leaves no trace: a scrape counts once it is over.
    let results = || {
        let mut scrape = agg.scrape(ScrapeOptions::text(), start());
        let (mut text, mut chunk) = (Vec::new(), Vec::new());
        while scrape.next_chunk(&mut chunk) {
            text.extend_from_slice(&chunk);
        }
        std::mem::forget(scrape);
        let exposition = expo::parse(&text);
        let value = |result| exposition.value("lastmile_scrapes_total", &[("result", result)]);
        let sum = exposition.value("lastmile_scrape_seconds_sum", &[]);
        (value("complete").unwrap_or(0.0), value("aborted").unwrap_or(0.0), sum)
    };
    assert_eq!(results(), (0.0, 0.0, Some(0.0)));
    drop(agg.scrape(ScrapeOptions::text(), start()));
    assert_eq!(results(), (0.0, 1.0, Some(0.0)));
    let mut scrape = agg.scrape(ScrapeOptions::text(), start());
    let mut chunk = Vec::new();
    while scrape.next_chunk(&mut chunk) {}
    drop(scrape);
    assert_eq!(results(), (0.0, 2.0, Some(0.0)), "the last byte written is not yet delivered");
    let mut scrape = agg.scrape(ScrapeOptions::text(), start());
    while scrape.next_chunk(&mut chunk) {}
    scrape.complete(start().after(Duration::from_millis(250)));
    assert_eq!(results(), (1.0, 2.0, Some(0.25)));
}

#[test]
fn a_visitor_sees_what_is_exposed() {
    struct Seen(Exposition);
    impl Visitor for Seen {
        fn family(&mut self, family: &Family) {
            let name = family.name().to_owned();
            let kind = family.kind().as_str().to_owned();
            let help = (!family.help_text().is_empty()).then(|| family.help_text().to_owned());
            self.0.families.push(expo::Family { name, kind, help, samples: Vec::new() });
        }
        fn series(&mut self, series: &SeriesView<'_>) {
            let family = self.0.families.last_mut().expect("its family came before it");
            let labels: expo::Labels =
                series.labels().map(|(l, v)| (l.to_owned(), v.into_owned())).collect();
            let mut add = |suffix: &str, le: Option<f64>, value: f64| {
                let mut labels = labels.clone();
                labels.extend(le.map(|le| ("le".to_owned(), le.to_string())));
                let (name, text) = (format!("{}{suffix}", family.name), value.to_string());
                family.samples.push(expo::Sample { name, labels, text, exemplar: None });
            };
            match series.value() {
                Value::Counter(value) | Value::Gauge(value) => add("", None, value),
                Value::Histogram { bounds, counts, sum, .. } => {
                    let mut n = 0;
                    for (le, bucket) in bounds.iter().chain([&f64::INFINITY]).zip(counts) {
                        n += bucket;
                        add("_bucket", Some(*le), n as f64);
                    }
                    add("_sum", None, sum);
                    add("_count", None, n as f64);
                }
                Value::Summary { quantiles, count, sum } => {
                    add("_sum", None, sum);
                    add("_count", None, count as f64);
                    assert_eq!(quantiles.len(), 4 * usize::from(count > 0));
                }
                other => panic!("{other:?}"),
            }
        }
    }
    let agg = aggregator(
        [
            Family::counter("c").help("A \\ and\na \"line\".").label(Label::open("a", 100)),
            Family::histogram("h", [0.5, 1.0]).label(Label::closed("d", ["x\"\\\n", "y"])),
            Family::gauge("g"),
            Family::gauge("never_set"),
        ],
        Limits::default(),
    );
    for (n, value) in ["", "plain", "a\"b\\c\nd", "é😀\u{2028}\0"].into_iter().enumerate() {
        push(&agg, Format::Record, &format!("[{}]", inc("c", &[("a", value)], &format!("{n}.5"))));
    }
    push(&agg, Format::Lm1, r#"{"lm":1,"m":{"h;d=y":[0.5,[0.75,2],3],"g":0.25}}"#);
    let mut seen = Seen(Exposition::default());
    agg.visit(start(), &mut seen);
    let users = |mut exposition: Exposition| {
        exposition.families.retain(|family| !crate::oracle::is_own(&family.name));
        for sample in exposition.families.iter_mut().flat_map(|family| &mut family.samples) {
            sample.text = sample.value().to_string();
            for (label, le) in sample.labels.iter_mut().filter(|(label, _)| label == "le") {
                *le = le.replace("+Inf", "inf").parse::<f64>().expect(label).to_string();
            }
        }
        exposition
    };
    let exposed = users(read(&agg));
    assert!(exposed.families.len() >= 3);
    assert_eq!(users(seen.0), exposed);
}

#[test]
fn own_counters_count_what_fails() {
    let agg = aggregator([Family::counter("c")], Limits::default());
    let bodies: [(Format, &[u8]); 6] = [
        (Format::Record, b"[{]"),
        (Format::Record, b"{}"),
        (Format::Record, b"[]"),
        (Format::Lm1, b"\n"),
        (Format::Lm1, b"{\"lm\":1,\"m\":{\"c\":1}}\n{\"lm\":2,\"m\":{}}\n{\n"),
        (Format::Lm1, b"[]\n{"),
    ];
    for (format, body) in bodies {
        let _ = agg.push(format, body, &Source::default(), start());
    }
    let exposition = read(&agg);
    let family = exposition.family("lastmile_push_errors_total").unwrap();
    let mut failed: Vec<(&str, &str, f64)> = family
        .samples
        .iter()
        .map(|s| (s.label("format").unwrap(), s.label("reason").unwrap(), s.value()))
        .filter(|(_, _, n)| *n > 0.0)
        .collect();
    failed.sort_by_key(|(format, reason, _)| (*format, *reason));
    assert_eq!(
        failed,
        [
            ("lm1", "empty", 1.0),
            ("lm1", "expected_object", 1.0),
            ("lm1", "syntax", 2.0),
            ("lm1", "unsupported_version", 1.0),
            ("record", "expected_array", 1.0),
            ("record", "syntax", 1.0),
        ]
    );
    let of = |name: &str, format: &str| exposition.value(name, &[("format", format)]);
    assert_eq!(of("lastmile_batches_without_id_total", "record"), Some(1.0));
    assert_eq!(of("lastmile_batches_without_id_total", "lm1"), Some(1.0));
    assert_eq!(of("lastmile_pushes_total", "record"), Some(1.0));
    assert_eq!(of("lastmile_pushes_total", "lm1"), Some(1.0));
    assert_eq!(of("lastmile_samples_total", "lm1"), Some(1.0));
    assert_eq!(exposition.value("metrics_aggregator_record_total", &[]), Some(1.0));
    let bytes =
        |format| bodies.iter().filter(|(f, _)| *f == format).map(|(_, b)| b.len()).sum::<usize>();
    assert_eq!(of("lastmile_push_bytes_total", "record"), Some(bytes(Format::Record) as f64));
    assert_eq!(of("lastmile_push_bytes_total", "lm1"), Some(bytes(Format::Lm1) as f64));
}

#[test]
fn batches_with_an_id_are_not_counted_as_without() {
    let agg = aggregator([Family::counter("c")], Limits::default());
    let source = Source::default().idempotency_key("a key of the sender");
    let line = br#"{"lm":1,"id":"0123456789abcdef","m":{"c":1}}"#;
    agg.push(Format::Lm1, line, &Source::default(), start()).unwrap();
    agg.push(Format::Record, b"[]", &source, start()).unwrap();
    let exposition = read(&agg);
    assert_eq!(exposition.total("lastmile_batches_without_id_total"), 0.0);
    assert_eq!(exposition.total("lastmile_pushes_total"), 2.0);
}

#[test]
fn a_scrape_clears_nothing() {
    let agg = aggregator(
        [Family::counter("c").label(Label::open("a", 10)), Family::histogram("h", [1.0])],
        Limits::default(),
    );
    push(&agg, Format::Lm1, r#"{"lm":1,"m":{"c;a=x":5,"h":[0.5]}}"#);
    for _ in 0..3 {
        for exposition in [read(&agg), read(&agg)] {
            assert_eq!(exposition.value("c", &[("a", "x")]), Some(5.0));
            assert_eq!(exposition.value("h_count", &[]), Some(1.0));
        }
    }
}

#[test]
fn the_longest_lock_hold_is_told_where_there_is_a_clock() {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    /// Every look at it takes a millisecond.
    fn clock() -> Duration {
        static NOW: AtomicU64 = AtomicU64::new(0);
        Duration::from_millis(NOW.fetch_add(1, Ordering::Relaxed))
    }

    let agg = aggregator([Family::counter("c")], Limits::default());
    let hold = |options: ScrapeOptions| {
        let mut scrape = agg.scrape(options, start());
        while scrape.next_chunk(&mut Vec::new()) {}
        scrape.complete(start());
        read(&agg).value("lastmile_scrape_lock_seconds", &[])
    };
    assert_eq!(hold(ScrapeOptions::text()), Some(0.0));
    assert!(hold(ScrapeOptions::text().clock(clock)) >= Some(0.001));
}

/// One row's text may be larger than a chunk: it is handed out in parts, and the rows beside it whole.
#[test]
fn a_row_larger_than_a_chunk_is_handed_out_in_parts() {
    let bounds = || (1..=128).map(f64::from);
    let wide = Family::histogram("h", bounds()).label(Label::open("a", 9).max_bytes(4_000));
    let agg = aggregator([wide, Family::counter("c")], Limits::default());
    let values = ["x".repeat(4_000), "y\"\\".repeat(1_300), "z".to_owned()];
    for value in &values {
        let labels = format!("{}:{}", quote("a"), quote(value));
        let entry = format!(
            r#"[{{"metricName":"h","metricType":"histogram","labels":{{{labels}}},"observations":[1,200]}}]"#
        );
        push(&agg, Format::Record, &entry);
    }
    let mut scrape = agg.scrape(ScrapeOptions::text(), start());
    let (mut text, mut chunk, mut n_chunks) = (Vec::new(), Vec::new(), 0);
    while scrape.next_chunk(&mut chunk) {
        assert!(chunk.len() <= 64 << 10, "{}", chunk.len());
        text.extend_from_slice(&chunk);
        n_chunks += 1;
    }
    assert!(text.len() > 900_000 && n_chunks > 14, "{} bytes in {n_chunks}", text.len());
    let exposition = expo::parse(&text);
    for value in &values {
        assert_eq!(exposition.value("h_count", &[("a", value)]), Some(2.0));
        assert_eq!(exposition.value("h_sum", &[("a", value)]), Some(201.0));
    }
    assert_eq!(exposition.value("c", &[]), Some(0.0));
}
