//! Summaries: their quantiles are those of the last minutes, their totals those of all time.

use std::time::Duration;

use lastmile::{
    Aggregator, Family, Format, Label, Limits, ScrapeOptions, SeriesView, Source, Timestamp, Value,
    Visitor,
};
use proptest::prelude::*;

use super::aggregator;
use crate::expo::{self, Exposition};
use crate::oracle::start;
use crate::pushes::config;

const QUANTILES: [f64; 4] = [0.5, 0.75, 0.95, 0.99];
const WINDOW: Duration = Duration::from_secs(120);

fn after(secs: u64) -> Timestamp {
    start().after(Duration::from_secs(secs))
}

fn push_at(agg: &Aggregator, key: &str, values: &str, now: Timestamp) {
    let line = format!(r#"{{"lm":1,"m":{{"{key}":{values}}}}}"#);
    let report = agg.push(Format::Lm1, line.as_bytes(), &Source::default(), now).unwrap();
    assert_eq!(report.n_refused(), 0, "{line}");
}

fn read_at(agg: &Aggregator, now: Timestamp) -> Exposition {
    let mut text = Vec::new();
    agg.encode_to(&mut text, now).unwrap();
    expo::parse(&text)
}

/// The quantiles of a series without labels.
fn quantiles(exposition: &Exposition, name: &str) -> Vec<f64> {
    let samples = exposition.samples().filter(|sample| sample.name == name);
    samples.map(|sample| sample.value()).collect()
}

/// What a visitor sees of the first summary.
#[derive(Default)]
struct Seen(Vec<(f64, f64)>, u64, f64);

impl Visitor for Seen {
    fn family(&mut self, _: &Family) {}
    fn series(&mut self, series: &SeriesView<'_>) {
        if let Value::Summary { quantiles, count, sum } = series.value() {
            *self = Self(quantiles.to_vec(), count, sum);
        }
    }
}

/// Values of every size that a page may have.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        1 => Just(0.0),
        4 => (-4.0..4.9f64).prop_map(|exponent| 10f64.powf(exponent)),
        4 => 0.0..2.0f64,
        1 => Just(86_400.0),
    ]
}

proptest! {
    #![proptest_config(config(200))]

    /// Each quantile is the value at its rank in the sorted list of what the last five windows saw.
    #[test]
    fn quantiles_are_those_of_the_last_windows(
        pushes in proptest::collection::vec(
            (0..200u64, proptest::collection::vec((value(), 1..50u64), 0..20)),
            1..40,
        ),
        idle in prop_oneof![Just(0), 0..700u64],
    ) {
        let agg = aggregator([Family::summary("s")], Limits::default());
        let (mut now, mut all) = (0, Vec::new());
        for (wait, values) in pushes {
            now += wait;
            let list: Vec<String> = values.iter().map(|(v, n)| format!("[{v},{n}]")).collect();
            push_at(&agg, "s", &format!("[{}]", list.join(",")), after(now));
            all.extend(values.into_iter().map(|(v, n)| (now, v, n)));
        }
        now += idle;
        let window = |secs: u64| secs / WINDOW.as_secs();
        let recent = all.iter().filter(|(at, ..)| window(*at) + 5 > window(now));
        let mut sorted: Vec<f64> =
            recent.flat_map(|(_, v, n)| std::iter::repeat_n(*v, *n as usize)).collect();
        sorted.sort_by(f64::total_cmp);

        let exposition = read_at(&agg, after(now));
        let shown = quantiles(&exposition, "s");
        prop_assert_eq!(shown.len(), if sorted.is_empty() { 0 } else { 4 });
        for (quantile, shown) in QUANTILES.iter().zip(&shown) {
            let rank = (quantile * sorted.len() as f64).ceil() as usize;
            let exact = sorted[rank.max(1) - 1];
            let slack = f64::max(exact * 0.01, 0.0005) + 1e-12;
            prop_assert!((shown - exact).abs() <= slack, "p{}: {} of {}", quantile, shown, exact);
        }
        let n: u64 = all.iter().map(|(_, _, n)| n).sum();
        prop_assert_eq!(exposition.value("s_count", &[]), Some(n as f64));

        let mut seen = Seen::default();
        agg.visit(after(now), &mut seen);
        let pairs: Vec<_> = QUANTILES.into_iter().zip(shown).collect();
        prop_assert_eq!((seen.0, seen.1), (pairs, n));
        prop_assert_eq!(Some(seen.2), exposition.value("s_sum", &[]));
    }
}

#[test]
fn a_new_reader_is_shown_totals_at_0_and_quantiles_as_they_are() {
    let agg = aggregator([Family::summary("s").label(Label::open("page", 10))], Limits::default());
    push_at(&agg, "s;page=/a", "[0.125]", start());
    let scrape = || {
        let reader = ScrapeOptions::text().reader(([10, 0, 0, 1], 4000).into(), None);
        let mut scrape = agg.scrape(reader, start());
        let (mut text, mut chunk) = (Vec::new(), Vec::new());
        while scrape.next_chunk(&mut chunk) {
            text.extend_from_slice(&chunk);
        }
        scrape.complete(start());
        let exposition = expo::parse(&text);
        let value = |name| exposition.value(name, &[("page", "/a")]).unwrap();
        let median = exposition.value("s", &[("page", "/a"), ("quantile", "0.5")]);
        (median, value("s_sum"), value("s_count"))
    };
    assert_eq!(scrape(), (Some(0.125), 0.0, 0.0));
    assert_eq!(scrape(), (Some(0.125), 0.125, 1.0));
}

#[test]
fn a_series_leaves_whole_and_others_keep_their_windows() {
    let ttl = Duration::from_secs(240);
    let family = Family::summary("s").label(Label::open("page", 10)).ttl(ttl);
    let agg = aggregator([family], Limits::default());
    let empty = agg.bytes_used();
    let median =
        |page: &str, now| read_at(&agg, now).value("s", &[("page", page), ("quantile", "0.5")]);
    for i in 0..8 {
        push_at(&agg, &format!("s;page=/{i}"), &format!("[0.0{i}]"), start());
    }
    // One in two stays, and one more was never there before: it counts as `other`.
    for secs in [100, 200, 300] {
        for i in [1, 3, 5, 7] {
            push_at(&agg, &format!("s;page=/{i}"), &format!("[0.0{i}]"), after(secs));
        }
    }
    push_at(&agg, "s;page=other", "[0.9]", start());
    agg.tick(after(301));
    for i in 0..8 {
        let stays = (i % 2 == 1).then_some(f64::from(i) / 100.0);
        assert_eq!(median(&format!("/{i}"), after(301)), stays, "/{i}");
    }
    assert_eq!(median("other", after(301)), None, "a reserved row starts again");
    agg.tick(after(10_000));
    assert_eq!(agg.bytes_used(), empty);
    push_at(&agg, "s;page=other", "[0.2]", after(10_000));
    assert_eq!(median("other", after(10_000)), Some(0.2));
}

#[test]
fn memory_is_charged_before_it_is_taken() {
    let family = || Family::summary("s").label(Label::open("page", 1_000));
    let agg = aggregator([family()], Limits::default().bytes(1 << 20));
    for i in 0..100 {
        push_at(&agg, &format!("s;page=/{i}"), "[0.1]", start());
    }
    let exposition = read_at(&agg, start());
    let n_series = exposition.samples().filter(|sample| sample.name == "s_count").count();
    assert!((18..=19).contains(&n_series), "{n_series} series of 53 KiB in 1 MiB");
    assert_eq!(exposition.total("s_count"), 100.0, "the rest is in `other`");
}

#[test]
fn handles_observe_at_the_latest_time_known() {
    let agg = aggregator([Family::summary("s")], Limits::default());
    let summary = agg.summary("s", &[]).unwrap();
    summary.observe(0.25).unwrap();
    agg.tick(after(600));
    summary.clone().observe(0.125).unwrap();
    // More than the family takes from clients: whole in the sum, at the end in the quantiles.
    summary.observe(1e6).unwrap();
    for wrong in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
        summary.observe(wrong).expect_err("it would break the sum");
    }
    let exposition = read_at(&agg, after(600));
    let shown = quantiles(&exposition, "s");
    assert_eq!(shown[0], 0.125);
    assert!(shown[1..].iter().all(|v| (v / 86_400.0 - 1.0).abs() < 0.01), "{shown:?}");
    assert_eq!(exposition.value("s_sum", &[]), Some(1_000_000.375));
    agg.histogram("s", &[]).expect_err("no histogram");
    agg.counter("s", &[]).expect_err("no counter");
}
