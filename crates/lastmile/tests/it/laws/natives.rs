//! Native histograms where they live: rows that come, leave, start again and are declared otherwise.

use std::collections::BTreeMap;
use std::time::Duration;

use lastmile::{
    Aggregator, Family, Format, Label, Limits, Native, Recorder, Schema, Source, Timestamp,
};

use super::{aggregator, push, read, text};
use crate::oracle::{natives, start};

/// Schema, zeros and buckets of one series.
type Seen = (i32, u64, BTreeMap<i32, u64>);

fn seen(agg: &Aggregator, family: &str, labels: &[&str]) -> Option<Seen> {
    let labels = labels.iter().map(|value| (*value).to_owned()).collect();
    natives(agg, start()).remove(&(family.to_owned(), labels))
}

fn buckets<const N: usize>(schema: i32, zeros: u64, buckets: [(i32, u64); N]) -> Option<Seen> {
    Some((schema, zeros, buckets.into()))
}

#[test]
fn text_shows_the_classic_buckets_alone() {
    let labelled = Family::histogram("both_seconds", [1.0]).label(Label::closed("a", ["x"]));
    let agg = aggregator(
        [
            Family::native_histogram("alone_seconds", Native::new(3)),
            labelled.native(Native::new(0)),
        ],
        Limits::default(),
    );
    push(
        &agg,
        Format::Lm1,
        r#"{"lm":1,"m":{"alone_seconds":[0,0.5,[4,2]],"both_seconds;a=x":[0.5,3]}}"#,
    );
    let text = text(&agg);
    let users: Vec<&str> = text.lines().take_while(|line| !line.contains("lastmile_")).collect();
    assert_eq!(
        users,
        [
            "# TYPE alone_seconds histogram",
            r#"alone_seconds_bucket{le="+Inf"} 4"#,
            "alone_seconds_sum 8.5",
            "alone_seconds_count 4",
            "# TYPE both_seconds histogram",
            r#"both_seconds_bucket{a="x",le="1.0"} 1"#,
            r#"both_seconds_bucket{a="x",le="+Inf"} 2"#,
            r#"both_seconds_sum{a="x"} 3.5"#,
            r#"both_seconds_count{a="x"} 2"#,
            r#"both_seconds_bucket{a="other",le="1.0"} 0"#,
            r#"both_seconds_bucket{a="other",le="+Inf"} 0"#,
            r#"both_seconds_sum{a="other"} 0"#,
            r#"both_seconds_count{a="other"} 0"#,
        ]
    );
    assert_eq!(seen(&agg, "alone_seconds", &[]), buckets(3, 1, [(-8, 1), (16, 2)]));
    assert_eq!(seen(&agg, "both_seconds", &["x"]), buckets(0, 0, [(-1, 1), (2, 1)]));
    assert_eq!(seen(&agg, "both_seconds", &["other"]), buckets(0, 0, []));
}

#[test]
fn a_series_that_starts_again_has_its_first_resolution() {
    let family = Family::native_histogram("h", Native::new(8).max_buckets(12));
    let agg = aggregator([family.label(Label::open("page", 1))], Limits::default());
    let send = |body: &str, now: Timestamp| {
        let report = agg.push(Format::Lm1, body.as_bytes(), &Source::default(), now).unwrap();
        assert_eq!(report.n_refused(), 0);
    };
    for now in [start(), start().after(Duration::from_secs(10_000))] {
        agg.tick(now);
        assert_eq!(natives(&agg, now).len(), 0, "nothing is left of what was there");
        for page in ["a", "other"] {
            send(&format!(r#"{{"lm":1,"m":{{"h;page={page}":[1]}}}}"#), now);
            assert_eq!(seen(&agg, "h", &[page]), buckets(8, 0, [(0, 1)]));
            send(&format!(r#"{{"lm":1,"m":{{"h;page={page}":[1e-3,1e3]}}}}"#), now);
            // Ten doublings below 1 and ten above.
            assert_eq!(seen(&agg, "h", &[page]), buckets(-1, 0, [(-4, 1), (0, 1), (5, 1)]));
        }
    }
}

#[test]
fn buckets_that_are_declared_otherwise_are_other_series() {
    let family = |native: Option<Native>| {
        let family = Family::histogram("h", [1.0]);
        native.map_or(family.clone(), |native| family.native(native))
    };
    let three = Native::new(3);
    let kept = || buckets(3, 0, [(8, 2), (16, 1)]);
    for (after, count, wanted) in [
        (Some(three), 3.0, kept()),
        (Some(three.max_buckets(160)), 3.0, kept()),
        (Some(three.max_buckets(161)), 0.0, buckets(3, 0, [])),
        (Some(Native::new(4)), 0.0, buckets(4, 0, [])),
        (None, 0.0, None),
    ] {
        let agg = aggregator([family(Some(three))], Limits::default());
        let handle = agg.histogram("h", &[]).unwrap();
        let mut recorder = Recorder::new();
        let local = recorder.histogram(&handle);
        handle.observe(2.0).unwrap();
        let schema = Schema::builder().family(family(after).help("Other words.")).build().unwrap();
        agg.reload(&schema, start()).unwrap();
        // What holds the row as it was goes on with it.
        handle.observe(2.0).unwrap();
        recorder.observe(local, 4.0).unwrap();
        drop(recorder);
        assert_eq!(read(&agg).value("h_count", &[]), Some(count), "{after:?}");
        assert_eq!(seen(&agg, "h", &[]), wanted, "{after:?}");
    }
}

#[test]
fn all_buckets_are_charged_from_the_start() {
    let used = |family: Family| aggregator([family], Limits::default()).bytes_used();
    let classic = used(Family::histogram("h", [1.0]));
    for max_buckets in [12, 160, 1_024] {
        let native = Native::new(3).max_buckets(max_buckets);
        let more = used(Family::histogram("h", [1.0]).native(native)) - classic;
        // The counts, that of zero, and which they are.
        assert_eq!(more, 8 * (u64::from(max_buckets) + 2));
    }
}

/// Rows of many blocks, of which some leave and the rest come together.
#[test]
fn every_row_keeps_its_own_buckets() {
    const N: u32 = 600;
    let family = Family::native_histogram("h", Native::new(2).max_buckets(100));
    let agg = aggregator([family.label(Label::open("page", N))], Limits::default());
    let observe = |page: u32, now: Timestamp| {
        let body = format!(r#"{{"lm":1,"m":{{"h;page={page}":[[{},{}]]}}}}"#, 1 + page, 1 + page);
        let report = agg.push(Format::Lm1, body.as_bytes(), &Source::default(), now).unwrap();
        assert_eq!(report.accepted(), 1);
    };
    (0..N).for_each(|page| observe(page, start()));
    let later = start().after(Duration::from_secs(3_000));
    (0..N).step_by(7).for_each(|page| observe(page, later));
    agg.tick(start().after(Duration::from_secs(5_000)));
    let natives = natives(&agg, later);
    assert_eq!(natives.len(), N.div_ceil(7) as usize);
    for ((_, labels), (schema, zeros, buckets)) in natives {
        let page: u32 = labels[0].parse().unwrap();
        let idx = (4.0 * f64::from(1 + page).log2()).ceil() as i32;
        let wanted = BTreeMap::from([(idx, 2 * u64::from(1 + page))]);
        assert_eq!((schema, zeros, buckets), (2, 0, wanted), "{page}");
    }
}
