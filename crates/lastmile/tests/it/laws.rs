//! Laws and regressions: what goes wrong in peers, and must never here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use lastmile::{
    Aggregator, Combine, Family, Format, Label, Limits, Otherwise, Schema, ScrapeOptions,
    SeriesView, Source, Value, Visitor,
};
use proptest::prelude::*;

use crate::expo::{self, Exposition};
use crate::oracle::start;
use crate::pushes::{config, quote};

const TWO_53: f64 = 9_007_199_254_740_992.0;

fn aggregator(families: impl IntoIterator<Item = Family>, limits: Limits) -> Aggregator {
    let add = lastmile::SchemaBuilder::family;
    let schema = families.into_iter().fold(Schema::builder(), add);
    Aggregator::new(schema.build().unwrap(), limits, start()).unwrap()
}

/// Pushes samples that must all be accepted.
#[track_caller]
fn push(agg: &Aggregator, format: Format, body: &str) {
    let report = agg
        .push(format, body.as_bytes(), &Source::default(), start())
        .unwrap();
    let refused: Vec<_> = report.refused().collect();
    assert!(
        refused.is_empty() && report.failed_lines().is_empty(),
        "{report:?}"
    );
}

fn inc(name: &str, labels: &[(&str, &str)], inc: &str) -> String {
    let labels: Vec<String> = labels
        .iter()
        .map(|(label, value)| format!("{}:{}", quote(label), quote(value)))
        .collect();
    let labels = labels.join(",");
    format!(r#"{{"metricName":"{name}","labels":{{{labels}}},"inc":{inc}}}"#)
}

fn text(agg: &Aggregator) -> String {
    let mut text = Vec::new();
    agg.encode_to(&mut text, start()).unwrap();
    String::from_utf8(text).unwrap()
}

fn read(agg: &Aggregator) -> Exposition {
    expo::parse(text(agg).as_bytes())
}

/// How a number is written.
fn written(agg: &Aggregator, name: &str) -> String {
    let exposition = read(agg);
    let sample = exposition.samples().find(|sample| sample.name == name);
    sample.unwrap_or_else(|| panic!("no {name}")).text.clone()
}

// ---- Numbers ----

#[test]
fn counters_count_beyond_2_to_the_53() {
    let agg = aggregator([Family::counter("c").max(TWO_53)], Limits::default());
    push(
        &agg,
        Format::Record,
        &format!("[{}]", inc("c", &[], "9007199254740992")),
    );
    for n in 1..10u64 {
        push(&agg, Format::Record, &format!("[{}]", inc("c", &[], "1")));
        assert_eq!(written(&agg, "c"), ((1u64 << 53) + n).to_string());
    }
    // Beyond 2^63 and 2^64 as well.
    let many = vec![inc("c", &[], "9007199254740992"); 5000].join(",");
    push(&agg, Format::Record, &format!("[{many}]"));
    assert_eq!(written(&agg, "c"), (5001 * (1u128 << 53) + 9).to_string());
    push(&agg, Format::Record, &format!("[{}]", inc("c", &[], "1")));
    assert_eq!(written(&agg, "c"), (5001 * (1u128 << 53) + 10).to_string());
}

#[test]
fn sums_reach_no_end() {
    let agg = aggregator(
        [Family::histogram("h", [1.0]).max(TWO_53)],
        Limits::default(),
    );
    // 2^53 seconds, 10^7 times, 16,000 times over: 1.4e27.
    let m = vec![r#""h":[[9007199254740992,10000]]"#; 1000].join(",");
    let line = format!("{{\"lm\":1,\"w\":1000,\"m\":{{{m}}}}}\n");
    push(&agg, Format::Lm1, &line.repeat(16));
    let n = 16_000u64 * 10_000_000;
    assert_eq!(written(&agg, "h_count"), n.to_string());
    assert_eq!(written(&agg, "h_sum").parse(), Ok(n as f64 * TWO_53));
    push(&agg, Format::Lm1, r#"{"lm":1,"m":{"h":[0.5]}}"#);
    assert_eq!(written(&agg, "h_count"), (n + 1).to_string());
}

#[test]
fn fractions_do_not_drift() {
    let agg = aggregator(
        [Family::counter("c"), Family::histogram("h", [1.0])],
        Limits::default(),
    );
    for n in 1..=1000u32 {
        push(&agg, Format::Record, &format!("[{}]", inc("c", &[], "0.1")));
        push(&agg, Format::Lm1, r#"{"lm":1,"m":{"h":[0.1]}}"#);
        if n == 10 {
            // Adding 64-bit floats gives 0.9999999999999999.
            assert_eq!(written(&agg, "c"), "1");
            assert_eq!(written(&agg, "h_sum"), "1");
        }
    }
    // Adding 64-bit floats gives 99.9999999999986.
    assert_eq!(written(&agg, "c").parse(), Ok(100.0));
    push(&agg, Format::Record, &format!("[{}]", inc("c", &[], "3.5")));
    assert_eq!(written(&agg, "c").parse(), Ok(103.5));
}

#[test]
fn an_observation_on_a_bound_is_in_its_bucket() {
    let bounds = [0.1, 0.25, 0.5, 1.0, 2.5, 1e6];
    let agg = aggregator([Family::histogram("h", bounds)], Limits::default());
    for (at, bound) in bounds.into_iter().enumerate() {
        push(
            &agg,
            Format::Lm1,
            &format!(
                r#"{{"lm":1,"m":{{"h":[{bound},{}]}}}}"#,
                bound * (1.0 + f64::EPSILON)
            ),
        );
        let exposition = read(&agg);
        let buckets: Vec<f64> = exposition.family("h").unwrap().samples[..=bounds.len()]
            .iter()
            .map(|sample| sample.value())
            .collect();
        let n = 2.0 * (at as f64) + 1.0;
        assert_eq!(buckets[at], n, "le {bound}: {buckets:?}");
        assert_eq!(buckets[at + 1], n + 1.0, "above {bound}: {buckets:?}");
    }
    let text = text(&agg);
    for le in ["0.1", "0.25", "0.5", "1.0", "2.5", "1e+06", "+Inf"] {
        assert!(
            text.contains(&format!("h_bucket{{le=\"{le}\"}} ")),
            "le {le}:\n{text}"
        );
    }
}

// ---- Identity ----

#[test]
fn labels_are_told_apart() {
    let pair = Family::counter("pairs_total")
        .label(Label::open("a", 100))
        .label(Label::open("b", 100));
    let single = Family::counter("single_total").label(Label::open("a", 1000));
    let agg = aggregator([pair, single], Limits::default());
    // Without lengths, tikv's client takes the first two for one series.
    let pairs = [
        ("ab", "c"),
        ("a", "bc"),
        ("abc", ""),
        ("", "abc"),
        ("a\",b=\"c", "d"),
        ("a", "c\",b=\"d"),
        ("\0", "\0\0"),
        ("\0\0", "\0"),
        ("a\u{1}", "b"),
        ("a", "\u{1}b"),
    ];
    for (n, (a, b)) in pairs.iter().enumerate() {
        push(
            &agg,
            Format::Record,
            &format!(
                "[{}]",
                inc("pairs_total", &[("a", a), ("b", b)], &(n + 1).to_string())
            ),
        );
    }
    // These two collide in FNV-1a; then what looks alike in metrics-rs' sanitised labels.
    let singles = [
        "77kepQFQ8Kl",
        "!0IC=VloaY",
        "a\"b",
        "a\\\"b",
        "b c",
        "b_c",
        "b\u{a0}c",
        "é",
        "e\u{301}",
        "É",
    ];
    for (n, a) in singles.iter().enumerate() {
        push(
            &agg,
            Format::Record,
            &format!(
                "[{}]",
                inc("single_total", &[("a", a)], &(n + 1).to_string())
            ),
        );
    }
    let exposition = read(&agg);
    for (n, (a, b)) in pairs.iter().enumerate() {
        assert_eq!(
            exposition.value("pairs_total", &[("a", a), ("b", b)]),
            Some(n as f64 + 1.0),
            "{a:?} {b:?}"
        );
    }
    for (n, a) in singles.iter().enumerate() {
        assert_eq!(
            exposition.value("single_total", &[("a", a)]),
            Some(n as f64 + 1.0),
            "{a:?}"
        );
    }
}

#[test]
fn no_label_value_forges_a_sample() {
    let agg = aggregator(
        [Family::counter("c").label(Label::open("a", 100))],
        Limits::default(),
    );
    let values = [
        "x\"} 1\nup{job=\"victim\"} 0\nz{a=\"",
        "\n# TYPE up gauge\nup 1\n",
        "\\",
        "\\\"",
        "\r\nup 1",
        "\u{2028}up 1\u{85}up 2",
    ];
    for value in values {
        push(
            &agg,
            Format::Record,
            &format!("[{}]", inc("c", &[("a", value)], "1")),
        );
    }
    let exposition = read(&agg);
    assert_eq!(exposition.family("c").unwrap().samples.len(), values.len());
    for value in values {
        assert_eq!(
            exposition.value("c", &[("a", value)]),
            Some(1.0),
            "{value:?}"
        );
    }
    assert!(exposition.family("up").is_none());
}

#[test]
fn help_is_escaped() {
    for help in [
        "line one\nline two",
        "a \\ b",
        "\\n",
        "\"quotes\" stay",
        "",
        " leads",
        "é\u{2028}\0",
        "x\r\ny",
    ] {
        let agg = aggregator([Family::counter("c").help(help)], Limits::default());
        let read = read(&agg);
        assert_eq!(
            read.family("c").unwrap().help.as_deref().unwrap_or(""),
            help,
            "{help:?}"
        );
    }
}

// ---- Order and threads ----

/// The user's lines, sorted.
fn sorted(agg: &Aggregator) -> Vec<String> {
    let text = text(agg);
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !line.contains("lastmile_"))
        .map(str::to_owned)
        .collect();
    lines.retain(|line| !line.contains("metrics_aggregator_record_total"));
    lines.sort();
    lines
}

proptest! {
    #![proptest_config(config(24))]

    /// The same samples in any order, split among threads, give the same bytes but for row order.
    #[test]
    fn order_does_not_matter(
        samples in proptest::collection::vec((0..4usize, 0..30u32, 0.0..5000.0f64, any::<bool>()), 200)
            .prop_map(|samples| samples.into_iter().map(|(f, page, value, tiny)| {
                let value = if tiny { value * 1e-9 } else { value };
                match f {
                    0 => inc("views_total", &[("page", &format!("p{page}"))], &value.to_string()),
                    1 => inc("plain_total", &[], &value.to_string()),
                    2 => format!(r#"{{"metricName":"plain_seconds","observations":[{value},{page}]}}"#),
                    _ => format!(r#"{{"metricName":"view_seconds","labels":{{"page":{page}}},"observations":[{value}]}}"#),
                }
            }).collect::<Vec<_>>()),
        shuffled in Just((0..200usize).collect::<Vec<_>>()).prop_shuffle(),
        batch in 1..20usize,
    ) {
        let families = || [
            Family::counter("views_total").label(Label::open("page", 30)),
            Family::counter("plain_total"),
            Family::histogram("plain_seconds", [0.1, 10.0]),
            Family::histogram("view_seconds", [0.1, 10.0]).label(Label::open("page", 30)),
        ];
        let one_by_one = aggregator(families(), Limits::default());
        for sample in &samples {
            push(&one_by_one, Format::Record, &format!("[{sample}]"));
        }
        let together = aggregator(families(), Limits::default());
        thread::scope(|scope| {
            for part in shuffled.chunks(50) {
                let (together, samples) = (&together, &samples);
                scope.spawn(move || {
                    for batch in part.chunks(batch) {
                        let entries: Vec<&str> = batch.iter().map(|&i| samples[i].as_str()).collect();
                        push(together, Format::Record, &format!("[{}]", entries.join(",")));
                    }
                });
            }
        });
        prop_assert_eq!(sorted(&one_by_one), sorted(&together));
    }
}

#[test]
fn threads_lose_nothing_and_scrapes_stay_whole() {
    const THREADS: u64 = 4;
    const PUSHES: u64 = 500;
    let agg = aggregator(
        [
            Family::counter("views_total").label(Label::open("page", 50)),
            Family::histogram("view_seconds", [0.5, 1.5]).label(Label::open("page", 1000)),
            Family::counter("bound_total"),
        ],
        Limits::default(),
    );
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let pushers: Vec<_> = (0..THREADS)
            .map(|t| {
                let agg = agg.clone();
                scope.spawn(move || {
                    let bound = agg.counter("bound_total", &[]).unwrap();
                    for n in 0..PUSHES {
                        let page = format!("p{}", (n * (t + 1)) % 97);
                        let body = format!(
                            "{{\"lm\":1,\"m\":{{\"views_total;page={page}\":2,\"view_seconds;page={page}\":[1,[2,3]],\"bound_total\":1}}}}"
                        );
                        push(&agg, Format::Lm1, &body);
                        bound.inc();
                    }
                })
            })
            .collect();
        let scraper = scope.spawn(|| {
            let (mut last, mut n_scrapes) = (0.0, 0);
            while !done.load(Ordering::Acquire) || n_scrapes == 0 {
                let mut scrape = agg.scrape(ScrapeOptions::text(), start());
                let (mut text, mut chunk) = (Vec::new(), Vec::new());
                while scrape.next_chunk(&mut chunk) {
                    text.extend_from_slice(&chunk);
                }
                scrape.complete(start());
                let exposition = expo::parse(&text);
                let total = exposition.total("views_total");
                assert!(total >= last, "{total} after {last}");
                // Every push observes 1 once and 2 three times, so each series has its multiples of 4.
                for sample in exposition
                    .samples()
                    .filter(|s| s.name == "view_seconds_count")
                {
                    assert_eq!(sample.value() % 4.0, 0.0, "{sample:?}");
                }
                (last, n_scrapes) = (total, n_scrapes + 1);
            }
            n_scrapes
        });
        for pusher in pushers {
            pusher.join().unwrap();
        }
        done.store(true, Ordering::Release);
        let n_scrapes = scraper.join().unwrap();
        let n = (THREADS * PUSHES) as f64;
        let exposition = read(&agg);
        assert_eq!(exposition.total("views_total"), 2.0 * n);
        assert_eq!(exposition.total("view_seconds_count"), 4.0 * n);
        assert_eq!(exposition.total("view_seconds_sum"), 7.0 * n);
        assert_eq!(exposition.total("bound_total"), 2.0 * n);
        assert_eq!(exposition.total("lastmile_samples_total"), 4.0 * n);
        let labels = [("result", "complete")];
        assert_eq!(
            exposition.value("lastmile_scrapes_total", &labels),
            Some(f64::from(n_scrapes))
        );
        assert_eq!(exposition.total("lastmile_refused_total"), 0.0);
    });
}

// ---- Limits ----

proptest! {
    #![proptest_config(config(64))]

    /// Whatever the limits, totals and every query on closed labels stay true.
    #[test]
    fn totals_survive_every_limit(
        bytes in 0..200_000u64,
        series in 1..40u32,
        max_values in 1..40u32,
        pushes in proptest::collection::vec((0..60u32, 0..60u32, any::<bool>(), 1..5u32), 1..200),
    ) {
        let schema = Schema::builder()
            .family(
                Family::counter("c")
                    .label(Label::open("a", max_values))
                    .label(Label::closed("d", ["x", "y"]).otherwise(Otherwise::Refuse))
                    .label(Label::open("b", max_values)),
            )
            .family(Family::histogram("h", [1.0, 3.0]).label(Label::open("a", max_values)))
            .build()
            .unwrap();
        let limits = Limits::default().bytes(bytes).series_per_family(series);
        let agg = match Aggregator::new(schema, limits, start()) {
            Ok(agg) => agg,
            Err(error) => {
                prop_assert!(error.is_limit(), "{}", error);
                prop_assert!(bytes < 100_000 || series < 2, "{}", error);
                return Ok(());
            }
        };
        let (mut x, mut y, mut h) = (0, 0, 0);
        for (a, b, is_x, n) in pushes {
            let d = if is_x { "x" } else { "y" };
            let page = "long".repeat(a as usize % 20);
            push(&agg, Format::Lm1, &format!(
                "{{\"lm\":1,\"m\":{{\"c;a={page}{a};b={b};d={d}\":{n},\"h;a={a}\":[[{n},{n}]]}}}}"
            ));
            *(if is_x { &mut x } else { &mut y }) += n;
            h += n;
        }
        let exposition = read(&agg);
        let of = |d: &str| -> f64 {
            let samples = exposition.samples().filter(|s| s.name == "c" && s.label("d") == Some(d));
            samples.map(|s| s.value()).sum()
        };
        prop_assert_eq!((of("x"), of("y")), (f64::from(x), f64::from(y)));
        prop_assert_eq!(exposition.total("h_count"), f64::from(h));
        for (name, n) in [("c", 1), ("h", 5)] {
            let n_series = exposition.family(name).map_or(0, |f| f.samples.len()) / n;
            prop_assert!(n_series <= series as usize, "{} series of {}", n_series, name);
        }
        for label in ["a", "b"] {
            let mut values: Vec<_> = exposition.samples().filter(|s| s.name == "c").map(|s| s.label(label)).collect();
            values.retain(|value| *value != Some("other"));
            values.sort();
            values.dedup();
            prop_assert!(values.len() <= max_values as usize, "{:?}", values);
        }
    }
}

#[test]
fn a_full_label_folds_alone() {
    let family = Family::counter("c")
        .label(Label::open("page", 2))
        .label(Label::closed("device", ["phone"]))
        .label(Label::open("country", 2));
    let agg = aggregator([family], Limits::default());
    for page in ["/a", "/b", "/c", "/d", "other"] {
        for country in ["de", "fr", "us"] {
            let labels = [("page", page), ("device", "phone"), ("country", country)];
            push(
                &agg,
                Format::Record,
                &format!("[{}]", inc("c", &labels, "1")),
            );
        }
    }
    let exposition = read(&agg);
    let value = |page: &str, country: &str| {
        exposition.value(
            "c",
            &[("page", page), ("device", "phone"), ("country", country)],
        )
    };
    for page in ["/a", "/b"] {
        assert_eq!(
            [value(page, "de"), value(page, "fr"), value(page, "other")],
            [Some(1.0); 3]
        );
    }
    // `/c`, `/d`, and what was sent as `other`.
    assert_eq!(
        [
            value("other", "de"),
            value("other", "fr"),
            value("other", "other")
        ],
        [Some(3.0); 3]
    );
    let overflow = |label| {
        exposition.value(
            "lastmile_overflow_total",
            &[("family", "c"), ("label", label)],
        )
    };
    assert_eq!(
        overflow("page"),
        Some(6.0),
        "a client's own `other` is no overflow"
    );
    assert_eq!(overflow("country"), Some(5.0));
}

#[test]
fn a_refused_handle_takes_no_place() {
    let family = Family::counter("c")
        .label(Label::open("a", 1))
        .label(Label::open("b", 2));
    let agg = aggregator([family], Limits::default());
    agg.counter("c", &[("a", "1"), ("b", "1")]).unwrap();
    agg.counter("c", &[("a", "2"), ("b", "2")])
        .expect_err("`a` is full");
    agg.counter("c", &[("a", "1"), ("b", "3")])
        .expect("`b` has one place left");
    assert_eq!(read(&agg).total("lastmile_overflow_total"), 0.0);
}

#[test]
fn handles_are_bound_by_name() {
    let page = Label::open("page", 1).max_bytes(5);
    let strict = Label::closed("app", ["student"]).otherwise(Otherwise::Refuse);
    let agg = aggregator(
        [
            Family::counter("c").label(page).label(strict),
            Family::gauge("g"),
            Family::histogram("h", [1.0]),
        ],
        Limits::default(),
    );
    for (name, labels, why) in [
        ("nope", &[][..], "an unknown family"),
        ("g", &[], "a gauge"),
        ("h", &[], "a histogram"),
        ("lastmile_pushes_total", &[("format", "lm1")], "our own"),
        ("c", &[], "no labels"),
        ("c", &[("page", "a")], "a label is missing"),
        (
            "c",
            &[("page", "a"), ("app", "student"), ("x", "y")],
            "a label too many",
        ),
        (
            "c",
            &[("page", "a"), ("page", "a"), ("app", "student")],
            "a label twice",
        ),
        ("c", &[("page", "a"), ("x", "student")], "another label"),
        (
            "c",
            &[("page", "a"), ("app", "teacher")],
            "an unlisted value",
        ),
        (
            "c",
            &[("page", "/abcde"), ("app", "student")],
            "a long value",
        ),
    ] {
        let error = agg
            .counter(name, labels)
            .err()
            .unwrap_or_else(|| panic!("{why} is bound"));
        assert!(error.is_handle(), "{why}: {error}");
    }
    agg.gauge("c", &[("page", "a"), ("app", "student")])
        .expect_err("no gauge");
    agg.histogram("g", &[]).expect_err("no histogram");
    let one = agg
        .counter("c", &[("app", "student"), ("page", "a")])
        .unwrap();
    agg.counter("c", &[("page", "b"), ("app", "student")])
        .expect_err("the page is taken");
    // Two handles and a push are one series, and it outlives them.
    let two = agg
        .counter("c", &[("page", "a"), ("app", "student")])
        .unwrap();
    one.inc();
    two.clone().inc_by(41);
    push(
        &agg,
        Format::Record,
        &format!(
            "[{}]",
            inc("c", &[("page", "a"), ("app", "student")], "0.5")
        ),
    );
    assert_eq!((one.value(), two.value()), (42.5, 42.5));
    drop((one, two));
    assert_eq!(
        read(&agg).value("c", &[("page", "a"), ("app", "student")]),
        Some(42.5)
    );
    let again = agg
        .counter("c", &[("page", "a"), ("app", "student")])
        .unwrap();
    again.inc_by(u64::MAX);
    assert_eq!(written(&agg, "c").parse(), Ok(u64::MAX as f64 + 42.5));
    for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 1e300] {
        again.add(wrong).expect_err("it would break the sum");
        agg.histogram("h", &[])
            .unwrap()
            .observe(wrong)
            .expect_err("it would break the sum");
        agg.gauge("g", &[]).unwrap().set(wrong);
        agg.gauge("g", &[]).unwrap().add(wrong);
    }
    assert_eq!(read(&agg).value("h_count", &[]), Some(0.0));
}

#[test]
fn handles_of_many_threads_lose_nothing() {
    let agg = aggregator(
        [Family::counter("c"), Family::histogram("h", [1.0])],
        Limits::default(),
    );
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    // Bound and dropped all the time, while others count and scrape.
                    let (c, h) = (
                        agg.counter("c", &[]).unwrap(),
                        agg.histogram("h", &[]).unwrap(),
                    );
                    for _ in 0..100 {
                        c.inc();
                        h.observe(0.5).unwrap();
                    }
                    c.add(0.25).unwrap();
                    read(&agg);
                }
            });
        }
    });
    assert_eq!(written(&agg, "c"), "20050");
    assert_eq!(written(&agg, "h_count"), "20000");
    assert_eq!(written(&agg, "h_sum"), "10000");
}

#[test]
fn pushed_gauges_live_for_their_time() {
    let ttl = Duration::from_secs(60);
    let gauge = |name: &str, combine| Family::gauge(name).ttl(ttl).combine(combine);
    let agg = aggregator(
        [
            gauge("last", Combine::Last),
            gauge("low", Combine::Min),
            gauge("high", Combine::Max),
        ],
        Limits::default(),
    );
    let push_at = |value: &str, secs: u64| {
        let names = ["last", "low", "high"].map(|name| inc(name, &[], value));
        let body = format!("[{}]", names.join(","));
        let now = start().after(Duration::from_secs(secs));
        let report = agg
            .push(Format::Record, body.as_bytes(), &Source::default(), now)
            .unwrap();
        assert_eq!(report.accepted(), 3);
    };
    let at = |secs: u64| {
        let mut text = Vec::new();
        agg.encode_to(&mut text, start().after(Duration::from_secs(secs)))
            .unwrap();
        let exposition = expo::parse(&text);
        ["last", "low", "high"].map(|name| exposition.value(name, &[]))
    };
    assert_eq!(at(0), [None; 3]);
    push_at("5", 0);
    push_at("3", 10);
    push_at("4", 20);
    assert_eq!(at(20), [Some(4.0), Some(3.0), Some(5.0)]);
    assert_eq!(at(79), [Some(4.0), Some(3.0), Some(5.0)]);
    assert_eq!(at(82), [None; 3]);
    // What is over does not combine with what is new.
    push_at("4.5", 90);
    assert_eq!(at(91), [Some(4.5); 3]);
}

#[test]
fn a_visitor_sees_what_is_exposed() {
    struct Seen(Exposition);
    impl Visitor for Seen {
        fn family(&mut self, family: &Family) {
            let name = family.name().to_owned();
            let kind = family.kind().as_str().to_owned();
            let help = (!family.help_text().is_empty()).then(|| family.help_text().to_owned());
            self.0.families.push(expo::Family {
                name,
                kind,
                help,
                samples: Vec::new(),
            });
        }
        fn series(&mut self, series: &SeriesView<'_>) {
            let family = self
                .0
                .families
                .last_mut()
                .expect("its family came before it");
            let labels: expo::Labels = series
                .labels()
                .map(|(l, v)| (l.to_owned(), v.into_owned()))
                .collect();
            let mut add = |suffix: &str, le: Option<f64>, value: f64| {
                let mut labels = labels.clone();
                labels.extend(le.map(|le| ("le".to_owned(), le.to_string())));
                let (name, text) = (format!("{}{suffix}", family.name), value.to_string());
                family.samples.push(expo::Sample { name, labels, text });
            };
            match series.value() {
                Value::Counter(value) | Value::Gauge(value) => add("", None, value),
                Value::Histogram {
                    bounds,
                    counts,
                    sum,
                    ..
                } => {
                    let mut n = 0;
                    for (le, bucket) in bounds.iter().chain([&f64::INFINITY]).zip(counts) {
                        n += bucket;
                        add("_bucket", Some(*le), n as f64);
                    }
                    add("_sum", None, sum);
                    add("_count", None, n as f64);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    let agg = aggregator(
        [
            Family::counter("c")
                .help("A \\ and\na \"line\".")
                .label(Label::open("a", 100)),
            Family::histogram("h", [0.5, 1.0]).label(Label::closed("d", ["x\"\\\n", "y"])),
            Family::gauge("g"),
            Family::gauge("never_set"),
        ],
        Limits::default(),
    );
    for (n, value) in ["", "plain", "a\"b\\c\nd", "é😀\u{2028}\0"]
        .into_iter()
        .enumerate()
    {
        push(
            &agg,
            Format::Record,
            &format!("[{}]", inc("c", &[("a", value)], &format!("{n}.5"))),
        );
    }
    push(
        &agg,
        Format::Lm1,
        r#"{"lm":1,"m":{"h;d=y":[0.5,[0.75,2],3],"g":0.25}}"#,
    );
    let mut seen = Seen(Exposition::default());
    agg.visit(start(), &mut seen);
    let users = |mut exposition: Exposition| {
        exposition
            .families
            .retain(|family| !crate::oracle::is_own(&family.name));
        for sample in exposition
            .families
            .iter_mut()
            .flat_map(|family| &mut family.samples)
        {
            sample.text = sample.value().to_string();
            for (label, le) in sample.labels.iter_mut().filter(|(label, _)| label == "le") {
                *le = le
                    .replace("+Inf", "inf")
                    .parse::<f64>()
                    .expect(label)
                    .to_string();
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
        (
            Format::Lm1,
            b"{\"lm\":1,\"m\":{\"c\":1}}\n{\"lm\":2,\"m\":{}}\n{\n",
        ),
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
        .map(|s| {
            (
                s.label("format").unwrap(),
                s.label("reason").unwrap(),
                s.value(),
            )
        })
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
    assert_eq!(of("lastmile_pushes_total", "record"), Some(1.0));
    assert_eq!(of("lastmile_pushes_total", "lm1"), Some(1.0));
    assert_eq!(of("lastmile_samples_total", "lm1"), Some(1.0));
    assert_eq!(
        exposition.value("metrics_aggregator_record_total", &[]),
        Some(1.0)
    );
    let bytes = |format| {
        bodies
            .iter()
            .filter(|(f, _)| *f == format)
            .map(|(_, b)| b.len())
            .sum::<usize>()
    };
    assert_eq!(
        of("lastmile_push_bytes_total", "record"),
        Some(bytes(Format::Record) as f64)
    );
    assert_eq!(
        of("lastmile_push_bytes_total", "lm1"),
        Some(bytes(Format::Lm1) as f64)
    );
}

// ---- Scrapes ----

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
        push(
            &agg,
            Format::Lm1,
            &format!("{{\"lm\":1,\"m\":{{{}}}}}", m.join(",")),
        );
    }
    let encoded = text(&agg);
    let mut scrape = agg.scrape(ScrapeOptions::text(), start());
    assert_eq!(
        scrape.content_type(),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    // A scrape is its own: it needs neither this thread nor this handle.
    drop(agg);
    let scraped = thread::spawn(move || {
        let (mut text, mut chunk, mut n_chunks) = (Vec::new(), Vec::new(), 0);
        while scrape.next_chunk(&mut chunk) {
            assert!(
                !chunk.is_empty() && chunk.len() <= 64 * 1024,
                "{} bytes",
                chunk.len()
            );
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
    assert!(
        users(&scraped) == users(&encoded),
        "a scrape is what encode_to writes"
    );
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
        (
            value("complete").unwrap_or(0.0),
            value("aborted").unwrap_or(0.0),
            sum,
        )
    };
    assert_eq!(results(), (0.0, 0.0, Some(0.0)));
    drop(agg.scrape(ScrapeOptions::text(), start()));
    assert_eq!(results(), (0.0, 1.0, Some(0.0)));
    let mut scrape = agg.scrape(ScrapeOptions::text(), start());
    let mut chunk = Vec::new();
    while scrape.next_chunk(&mut chunk) {}
    drop(scrape);
    assert_eq!(
        results(),
        (0.0, 2.0, Some(0.0)),
        "the last byte written is not yet delivered"
    );
    let mut scrape = agg.scrape(ScrapeOptions::text(), start());
    while scrape.next_chunk(&mut chunk) {}
    scrape.complete(start().after(Duration::from_millis(250)));
    assert_eq!(results(), (1.0, 2.0, Some(0.25)));
}
