//! No lock is held for more than a chunk, or for one row that alone is larger, in whatever format.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use lastmile::{
    Aggregator, Counter, ExpositionFormat, Family, Format, Histogram, Label, Limits, Native,
    OwnMetrics, Schema, ScrapeOptions, Source, Timestamp,
};

use super::{ESCAPINGS, formats};
use crate::oracle::start;

thread_local! {
    static LOOKS: Cell<u32> = const { Cell::new(0) };
}

/// A clock that counts how often it is looked at: once when a lock is taken, once when rows were written.
fn clock() -> Duration {
    LOOKS.set(LOOKS.get() + 1);
    Duration::ZERO
}

/// Every format, protobuf included.
fn all_formats() -> Vec<ExpositionFormat> {
    let all = formats().map(|(format, _)| format);
    #[cfg(feature = "protobuf")]
    let all = all.chain(ESCAPINGS.map(ExpositionFormat::Protobuf));
    all.collect()
}

fn aggregator(family: Family) -> Aggregator {
    let schema = Schema::builder().family(family).build().unwrap();
    Aggregator::new(schema, Limits::default(), start()).unwrap()
}

/// What a hold writes goes into the chunk that is asked for, so a chunk for which no lock was taken is the rest of
/// what was written aside: only rows that are larger than a chunk are.
#[track_caller]
fn check(what: &str, agg: &Aggregator, is_aside: bool) {
    let mut bytes_max = 0;
    for format in all_formats() {
        for created in [false, true] {
            let options = ScrapeOptions::new(format).own(OwnMetrics::Excluded);
            let mut scrape = agg.scrape(options.created(created).clock(clock), start());
            let (mut n_aside, mut bytes, mut chunk) = (0, 0, Vec::new());
            loop {
                LOOKS.set(0);
                if !scrape.next_chunk(&mut chunk) {
                    break;
                }
                assert!(chunk.len() <= 64 << 10, "{what} in {format:?}: {}", chunk.len());
                n_aside += u32::from(LOOKS.get() == 0);
                bytes += chunk.len();
            }
            if !is_aside {
                assert_eq!(n_aside, 0, "{what} in {format:?}, created: {created}");
            }
            bytes_max = bytes_max.max(bytes);
        }
    }
    assert!(bytes_max > 3 * (64 << 10), "{what}: {bytes_max} bytes prove nothing");
}

/// Names almost as long as they may be, 256 bytes, which some escapings make several times as long.
fn long(prefix: &str) -> String {
    prefix.to_owned() + &".".repeat(250 - prefix.len())
}

fn push(agg: &Aggregator, name: &str, label: &str, values: &[usize], now: Timestamp) {
    for some in values.chunks(100) {
        let m = some.iter().map(|i| (format!("{name};{label}={i}"), serde_json::json!(1)));
        let m: serde_json::Map<_, _> = m.collect();
        let body = serde_json::json!({ "lm": 1, "m": m }).to_string();
        let report = agg.push(Format::Lm1, body.as_bytes(), &Source::default(), now).unwrap();
        assert_eq!(report.n_refused(), 0, "{report:?}");
    }
}

#[test]
fn rows_with_the_longest_names() {
    let open = || Label::open(long("é"), 2_000);
    let labels = |family: Family| family.label(open()).label(Label::closed(long("b"), ["v"]));
    for (what, family) in [
        ("counters", labels(Family::counter(long("c") + "_total"))),
        ("unknown", labels(Family::counter(long("c")))),
        ("gauges", labels(Family::gauge(long("g")))),
        ("one label", Family::counter("c_total").label(open())),
        ("help", labels(Family::counter("c_total")).help("x".repeat(30_000))),
    ] {
        let name = family.name().to_owned();
        let two = family.labels().len() == 2;
        let agg = aggregator(family);
        let rest = if two { format!("{}=v;{}", long("b"), long("é")) } else { long("é") };
        push(&agg, &name, &rest, &(0..700).collect::<Vec<_>>(), start());
        check(what, &agg, false);
    }
    for (what, family) in [
        ("histograms", Family::histogram(long("h"), [0.1, 1.0])),
        ("native histograms", Family::native_histogram(long("n"), Native::new(8))),
        ("both", Family::histogram(long("b"), [1.0]).native(Native::new(8))),
    ] {
        let (name, label) = (family.name().to_owned(), long("é"));
        let agg = aggregator(family.label(Label::open(&label, 1_000)));
        let handles = (0..400).map(|i| agg.histogram(&name, &[(&label, &i.to_string())]).unwrap());
        let handles: Vec<Histogram> = handles.collect();
        for (i, handle) in handles.iter().enumerate() {
            (0..40).for_each(|n| handle.observe(0.01 * f64::from(n) * (i + 1) as f64).unwrap());
        }
        check(what, &agg, false);
    }
}

/// Exemplars are not known when a block is cut.
#[test]
fn rows_with_the_longest_exemplars() {
    let agg = aggregator(Family::counter("c_total").label(Label::open("l", 1_000)));
    let value = "\"".repeat(126);
    let counters = (0..900).map(|i| agg.counter("c_total", &[("l", &i.to_string())]).unwrap());
    let counters: Vec<Counter> = counters.collect();
    for counter in &counters {
        assert!(counter.inc_by_with_exemplar(1, &[("ab", &value)], Some(u64::MAX)));
    }
    check("counters", &agg, false);

    // 21 buckets of about 530 bytes; then 129 of them, which are more than a chunk.
    for (n_bounds, is_aside) in [(20, false), (128, true)] {
        let bounds = (0..n_bounds).map(f64::from);
        let family = Family::histogram("h", bounds).native(Native::new(8));
        let agg = aggregator(family.label(Label::open("l", 500)));
        let handles = (0..60).map(|i| agg.histogram("h", &[("l", &i.to_string())]).unwrap());
        let handles: Vec<Histogram> = handles.collect();
        let value = "\u{1F600}".repeat(126);
        for handle in &handles {
            for v in 0..=n_bounds {
                let taken = handle.observe_with_exemplar(f64::from(v), &[("ab", &value)], Some(1));
                assert_eq!(taken, Ok(true));
            }
        }
        check("histograms", &agg, is_aside);
    }
}

/// A label that is short in text 0.0.4, and twice as long at least elsewhere.
fn label() -> String {
    "é".repeat(125)
}

fn idle_family() -> Family {
    let label = Label::open(label(), 10_000);
    Family::counter("é.é.é.é.é.é.é.é_total").label(label).ttl(Duration::from_secs(60))
}

fn push_rows(agg: &Aggregator, values: &[usize], now: Timestamp) {
    push(agg, idle_family().name(), &label(), values, now);
}

/// So many shards have rows of an open family, an eighth of all: see `store/mod.rs`.
fn n_shards() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores * 4).max(16).next_power_of_two().min(64) / 8
}

/// How often a row is shown, by the number in its label.
fn shown(bytes: &[u8]) -> BTreeMap<usize, u32> {
    let mut found = BTreeMap::new();
    for line in String::from_utf8_lossy(bytes).lines().filter(|line| !line.starts_with('#')) {
        let values = line.split('"').filter_map(|part| part.parse().ok());
        for value in values {
            *found.entry(value).or_default() += 1;
        }
    }
    found
}

/// The formats in which a block of the family is larger than a chunk.
fn long_formats() -> [ExpositionFormat; 4] {
    let [utf8, _, dots, values] = ESCAPINGS;
    [
        ExpositionFormat::Text1_0_0(utf8),
        ExpositionFormat::Text1_0_0(dots),
        ExpositionFormat::OpenMetrics1_0_0(values),
        ExpositionFormat::OpenMetrics1_0_0(utf8),
    ]
}

/// A scrape that stopped inside a block shows the rest of it, each row once, whatever left or came meanwhile.
#[test]
fn a_scrape_goes_on_inside_a_block_whose_rows_leave() {
    // Blocks of 256, in the order in which the rows came: whole blocks leave where the first ones do.
    let n = 600 * n_shards();
    let stays: [fn(usize, usize) -> bool; 4] =
        [|i, _| i % 2 == 1, |i, n| i >= n / 2, |i, n| i < n / 8, |_, _| false];
    for (format, stays) in long_formats().into_iter().flat_map(|f| stays.map(|s| (f, s))) {
        for n_chunks in 1..=3 {
            let agg = aggregator(idle_family());
            let all: Vec<usize> = (0..n).collect();
            let staying: Vec<usize> = (0..n).filter(|i| stays(*i, n)).collect();
            push_rows(&agg, &all, start());
            push_rows(&agg, &staying, start().after(Duration::from_secs(50)));
            let options = ScrapeOptions::new(format).own(OwnMetrics::Excluded);
            let mut scrape = agg.scrape(options, start().after(Duration::from_secs(55)));
            let (mut bytes, mut chunk) = (Vec::new(), Vec::new());
            for _ in 0..n_chunks {
                assert!(scrape.next_chunk(&mut chunk));
                bytes.extend_from_slice(&chunk);
            }
            let before = shown(&bytes);
            let later = start().after(Duration::from_secs(70));
            agg.tick(later);
            push_rows(&agg, &[n + 1, n + 2, n + 3], later);
            while scrape.next_chunk(&mut chunk) {
                bytes.extend_from_slice(&chunk);
            }
            let is_seen = |i: &usize| stays(*i, n) || before.contains_key(i);
            let expected = all.into_iter().filter(is_seen).map(|i| (i, 1)).collect();
            assert_eq!(shown(&bytes), expected, "{format:?} after {n_chunks} chunks");
            assert!((1..n).contains(&before.len()), "{} before the others left", before.len());
        }
    }
}

/// Rows are numbered for that with 16 bits, and come and go more often.
#[test]
fn blocks_whose_rows_come_and_go_for_ever_are_shown_whole() {
    let agg = aggregator(idle_family());
    // Some rows stay, so that their block does; 220 rows are more than a chunk.
    let n_kept = 8 * n_shards();
    let (name, label) = (idle_family().name().to_owned(), label());
    let keep = |i: usize| agg.counter(&name, &[(&label, &i.to_string())]).unwrap();
    let _kept: Vec<Counter> = (0..n_kept).map(keep).collect();
    let rows: Vec<usize> = (n_kept..220 * n_shards()).collect();
    let mut now = start();
    for round in 0..340 {
        now = now.after(Duration::from_secs(100));
        agg.tick(now);
        push_rows(&agg, &rows, now);
        if round % 32 == 0 || round > 270 {
            let format = long_formats()[round % 4];
            let mut scrape = agg.scrape(ScrapeOptions::new(format).own(OwnMetrics::Excluded), now);
            let (mut bytes, mut chunk) = (Vec::new(), Vec::new());
            while scrape.next_chunk(&mut chunk) {
                bytes.extend_from_slice(&chunk);
            }
            let expected = (0..220 * n_shards()).map(|i| (i, 1)).collect();
            assert_eq!(shown(&bytes), expected, "round {round}");
        }
    }
}
