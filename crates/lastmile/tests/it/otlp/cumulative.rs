//! Totals: what each point of a stream adds, at what other moments, and when there is no room for streams.

use std::time::Duration;

use lastmile::{Aggregator, Format, Limits, Schema, Source, Timestamp};

use super::examples::request;
use super::{aggregator, exposition, push_both};
use crate::oracle::start;

const FAMILIES: &str = "
    [[family]]
    name = 'up_total'
    type = 'counter'
    max = 1e15
    [[family]]
    name = 'wait_seconds'
    type = 'histogram'
    bounds = [0.5, 1, 4]
    native = { schema = 5 }
    [[family]]
    name = 'level'
    type = 'gauge'
    min = -100
";

/// So many milliseconds after the test began, in nanoseconds.
fn at(ms: i64) -> u64 {
    start().wall_ms().checked_add_signed(ms).expect("near") * 1_000_000
}

/// One point, with these moments.
fn times(began: u64, ms: i64) -> String {
    let time = if ms == i64::MAX { 0 } else { at(ms) };
    format!(r#""startTimeUnixNano":"{began}","timeUnixNano":"{time}""#)
}

fn up(times: &str, value: &str) -> String {
    request(&format!(
        r#"{{"name":"up","sum":{{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{{{times},{value}}}]}}}}"#
    ))
}

fn explicit(times: &str, bounds: &str, counts: &[u64], sum: f64) -> String {
    let count: u64 = counts.iter().sum();
    request(&format!(
        r#"{{"name":"wait_seconds","histogram":{{"aggregationTemporality":2,"dataPoints":[{{{times},"count":{count},"sum":{sum},"explicitBounds":{bounds},"bucketCounts":{counts:?}}}]}}}}"#
    ))
}

fn exponential(
    times: &str,
    scale: i32,
    offset: i32,
    counts: &[u64],
    zeros: u64,
    sum: f64,
) -> String {
    let count: u64 = counts.iter().sum::<u64>() + zeros;
    request(&format!(
        r#"{{"name":"wait_seconds","exponentialHistogram":{{"aggregationTemporality":2,"dataPoints":[{{{times},"count":{count},"sum":{sum},"scale":{scale},"zeroCount":{zeros},"positive":{{"offset":{offset},"bucketCounts":{counts:?}}}}}]}}}}"#
    ))
}

fn after(ms: u64) -> Timestamp {
    start().after(Duration::from_millis(ms))
}

/// What a list of points adds up to, each a second after the one before.
#[track_caller]
fn check(
    what: &str,
    points: &[(String, f64)],
    baselines: f64,
    series: &str,
    labels: &[(&str, &str)],
) {
    let pair = [&aggregator(FAMILIES, start()), &aggregator(FAMILIES, start())];
    for (i, (body, total)) in points.iter().enumerate() {
        let now = after(1_000 * (i as u64 + 1));
        let report = push_both(body, pair, now);
        assert_eq!(report.accepted() + report.n_refused(), 1, "{what}");
        for agg in pair {
            let seen = exposition(agg, now);
            assert_eq!(seen.value(series, labels), Some(*total), "{what}, point {i}");
        }
    }
    let seen = exposition(pair[0], after(1_000));
    let counted = seen.value("lastmile_cumulative_baseline_total", &[]);
    assert_eq!(counted, Some(baselines), "{what}");
}

#[test]
fn a_number_adds_what_it_rose_by() {
    let new = at(1);
    let int = |began, ms, n: i64| up(&times(began, ms), &format!(r#""asInt":"{n}""#));
    let double = |began, ms, v: f64| up(&times(began, ms), &format!(r#""asDouble":{v:?}"#));
    for (what, points, baselines) in [
        (
            "a new stream",
            vec![(int(new, 500, 3), 3.0), (int(new, 1_500, 5), 5.0), (int(new, 2_500, 5), 5.0)],
            0.0,
        ),
        ("doubles", vec![(double(new, 500, 0.5), 0.5), (double(new, 1_500, 2.25), 2.25)], 0.0),
        (
            "a whole number that becomes a double",
            vec![(int(new, 500, 3), 3.0), (double(new, 1_500, 3.5), 3.5)],
            0.0,
        ),
        (
            "beyond 2^53, exactly",
            vec![
                (int(new, 500, 9_007_199_254_740_993), 0.0),
                (int(new, 1_500, 9_007_199_254_740_995), 2.0),
            ],
            0.0,
        ),
        (
            "one that began before this process",
            vec![(int(at(-1), 500, 30), 0.0), (int(at(-1), 1_500, 35), 5.0)],
            1.0,
        ),
        (
            "one that began with it",
            vec![(int(at(0), 500, 30), 0.0), (int(at(0), 1_500, 35), 5.0)],
            1.0,
        ),
        (
            "one that does not say when it began",
            vec![(int(0, 500, 30), 0.0), (int(0, 1_500, 35), 5.0)],
            1.0,
        ),
        (
            "a fall is a reset of a stream that does not say when it began",
            vec![(int(0, 500, 30), 0.0), (int(0, 1_500, 4), 4.0), (int(0, 2_500, 6), 6.0)],
            1.0,
        ),
        (
            "a fall at the same moment is none",
            vec![(int(0, 500, 30), 0.0), (int(0, 500, 4), 0.0), (int(0, 1_500, 31), 1.0)],
            1.0,
        ),
        (
            "two senders of one start take turns, and who is ahead counts",
            vec![
                (int(new, 500, 30), 30.0),
                (int(new, 1_500, 4), 30.0),
                (int(new, 2_500, 31), 31.0),
                (int(new, 3_500, 5), 31.0),
                (int(new, 4_500, 33), 33.0),
            ],
            0.0,
        ),
        (
            "another start is another stream",
            vec![(int(new, 500, 30), 30.0), (int(at(900), 1_500, 4), 34.0)],
            0.0,
        ),
        ("sent again", vec![(int(new, 500, 30), 30.0), (int(new, 500, 30), 30.0)], 0.0),
        (
            "an older point comes later",
            vec![(int(new, 900, 30), 30.0), (int(new, 500, 10), 30.0), (int(new, 2_500, 31), 31.0)],
            0.0,
        ),
        (
            "without a moment of its own",
            vec![
                (int(0, i64::MAX, 30), 0.0),
                (int(0, i64::MAX, 31), 1.0),
                (int(0, i64::MAX, 1), 2.0),
            ],
            1.0,
        ),
        (
            "a point older than its stream",
            vec![(int(at(800), 500, 30), 0.0), (int(at(800), 1_500, 31), 1.0)],
            1.0,
        ),
        (
            "a clock that is far ahead",
            vec![(int(at(900_000), 900_500, 30), 0.0), (int(at(900_000), 901_500, 31), 1.0)],
            1.0,
        ),
        ("a clock that is somewhat ahead", vec![(int(at(100_000), 100_500, 30), 30.0)], 0.0),
        (
            "a clock that is ahead, of an old stream",
            vec![(int(at(100_000), 109_500, 30), 0.0)],
            1.0,
        ),
        ("below 0", vec![(int(new, 500, -1), 0.0), (int(new, 1_500, 2), 2.0)], 0.0),
        (
            "not a number",
            vec![(up(&times(new, 500), r#""asDouble":"NaN""#), 0.0), (int(new, 1_500, 2), 2.0)],
            0.0,
        ),
        (
            "no value",
            vec![(up(&times(new, 500), r#""flags":1"#), 0.0), (int(new, 1_500, 2), 2.0)],
            0.0,
        ),
        (
            "too large once, and then as it was: nobody can tell",
            vec![
                (int(new, 500, 30), 30.0),
                (int(new, 1_500, 2_000_000_000_000_000), 30.0),
                (int(new, 2_500, 32), 30.0),
                (int(new, 3_500, 33), 31.0),
            ],
            1.0,
        ),
        (
            "the same of one that does not say when it began",
            vec![
                (int(0, 500, 30), 0.0),
                (int(0, 1_500, 2_000_000_000_000_000), 0.0),
                (int(0, 2_500, 32), 0.0),
                (int(0, 3_500, 33), 1.0),
            ],
            2.0,
        ),
        (
            "too large, once",
            vec![
                (int(new, 500, 2_000_000_000_000_000), 0.0),
                (int(new, 1_500, 2_000_000_000_000_007), 7.0),
            ],
            0.0,
        ),
    ] {
        check(what, &points, baselines, "up_total", &[]);
    }
}

#[test]
fn buckets_add_what_they_rose_by() {
    let new = at(1);
    let own = "[0.5,1,4]";
    let t = |ms| times(new, ms);
    let old = |ms| times(at(-1), ms);
    for (what, points, le, baselines) in [
        (
            "a new stream",
            vec![
                (explicit(&t(500), own, &[1, 2, 0, 0], 1.5), 3.0),
                (explicit(&t(1_500), own, &[1, 3, 1, 0], 4.0), 4.0),
            ],
            "1.0",
            0.0,
        ),
        (
            "an old stream",
            vec![
                (explicit(&old(500), own, &[1, 2, 0, 0], 1.5), 0.0),
                (explicit(&old(1_500), own, &[1, 3, 1, 0], 4.0), 1.0),
            ],
            "1.0",
            1.0,
        ),
        (
            "a bucket that falls is a reset",
            vec![
                (explicit(&times(0, 500), own, &[5, 0, 0, 0], 1.0), 0.0),
                (explicit(&times(0, 1_500), own, &[1, 8, 0, 0], 6.0), 9.0),
            ],
            "1.0",
            1.0,
        ),
        (
            "buckets of two senders of one start",
            vec![
                (explicit(&t(500), own, &[5, 0, 0, 0], 1.0), 5.0),
                (explicit(&t(1_500), own, &[1, 8, 0, 0], 6.0), 5.0),
                (explicit(&t(2_500), own, &[6, 0, 0, 0], 1.25), 6.0),
            ],
            "1.0",
            0.0,
        ),
        (
            "other bounds of one stream",
            vec![
                (explicit(&t(500), own, &[5, 0, 0, 0], 1.0), 5.0),
                (explicit(&t(1_500), "[0.5,1,2]", &[6, 0, 0, 0], 1.0), 5.0),
                (explicit(&t(2_500), "[0.5,1,2]", &[7, 0, 0, 0], 1.0), 6.0),
            ],
            "1.0",
            1.0,
        ),
        (
            "a sum that falls",
            vec![
                (explicit(&t(500), own, &[5, 0, 0, 0], 2.0), 5.0),
                (explicit(&t(1_500), own, &[6, 0, 0, 0], 1.0), 5.0),
            ],
            "1.0",
            0.0,
        ),
        ("counts that are none", vec![(explicit(&t(500), own, &[5, 0, 0], 2.0), 0.0)], "1.0", 0.0),
        (
            "one bucket for all",
            vec![
                (explicit(&t(500), "[]", &[5], 2.0), 5.0),
                (explicit(&t(1_500), "[]", &[7], 3.0), 7.0),
            ],
            "+Inf",
            0.0,
        ),
        (
            "exponential",
            vec![
                (exponential(&t(500), 3, -8, &[1, 0, 2], 1, 1.0), 4.0),
                (exponential(&t(1_500), 3, -8, &[2, 1, 2], 1, 3.0), 6.0),
            ],
            "1.0",
            0.0,
        ),
        (
            "a coarser scale",
            vec![
                (exponential(&t(500), 20, -(1 << 20), &[1, 2, 3], 0, 3.0), 6.0),
                (exponential(&t(1_500), 3, -8, &[7], 0, 3.5), 7.0),
            ],
            "1.0",
            0.0,
        ),
        (
            "an offset that moves",
            vec![
                (exponential(&t(500), 3, -8, &[1], 0, 0.5), 1.0),
                (exponential(&t(1_500), 3, -9, &[4, 1], 0, 2.5), 5.0),
            ],
            "1.0",
            0.0,
        ),
        (
            "exponential buckets that fall",
            vec![
                (exponential(&times(0, 500), 3, -8, &[4], 0, 2.0), 0.0),
                (exponential(&times(0, 1_500), 3, -7, &[5], 0, 2.5), 5.0),
            ],
            "1.0",
            1.0,
        ),
    ] {
        check(what, &points, baselines, "wait_seconds_bucket", &[("le", le)]);
    }
}

#[test]
fn a_level_is_what_it_is_now() {
    let level = |temporality: u8, n: i64| {
        request(&format!(
            r#"{{"name":"level","sum":{{"aggregationTemporality":{temporality},"dataPoints":[{{"asInt":"{n}"}}]}}}}"#
        ))
    };
    let points = [
        (level(2, 5), 5.0),
        (level(2, 5), 5.0),
        (level(2, -3), -3.0),
        (level(1, 4), -3.0),
        (level(0, 9), -3.0),
    ];
    check("up and down", &points, 0.0, "level", &[]);
}

/// An aggregator that remembers no more streams than these bytes hold, which began at a moment.
fn small(bytes: u64, began: Timestamp) -> Aggregator {
    let schema = Schema::builder().toml("schema.toml", FAMILIES).build().unwrap();
    Aggregator::new(schema, Limits::default().streams_bytes(bytes), began).unwrap()
}

/// Client `i`, which began `i` milliseconds after the test and counted `n`.
fn client(i: i64, ms: i64, n: u64) -> String {
    up(
        &times(at(i), ms),
        &format!(r#""attributes":[{{"key":"id","value":{{"intValue":{i}}}}}],"asInt":"{n}""#),
    )
}

#[test]
fn a_restart_adds_nothing_twice() {
    let mut truth = 0;
    let mut exposed = 0.0;
    let mut process = small(1 << 20, start());
    for round in 1..=9_u64 {
        let ms = round as i64 * 1_000;
        if round % 3 == 0 {
            exposed += exposition(&process, after(round * 1_000)).value("up_total", &[]).unwrap();
            process = small(1 << 20, after(round * 1_000 - 500));
        }
        truth = round * 7;
        let body = client(1, ms, truth);
        let now = after(round * 1_000 + 10);
        process.push(Format::OtlpJson, body.as_bytes(), &Source::default(), now).unwrap();
    }
    exposed += exposition(&process, after(9_010)).value("up_total", &[]).unwrap();
    assert_eq!(
        exposed,
        (truth - 3 * 7) as f64,
        "each restart lost one rise, and nothing was added twice"
    );
}

#[test]
fn more_streams_than_there_is_room_for_add_no_more_than_the_truth() {
    // Some of the streams fit.
    for (bytes, n_clients) in [(40 << 10, 600_i64), (0, 10), (1 << 20, 600)] {
        let agg = small(bytes, start());
        let mut truth = 0;
        for round in 1..=5_u64 {
            for i in 1..=n_clients {
                // Their clients are here and there, and stop and come back.
                if (i as u64 + round).is_multiple_of(3) {
                    continue;
                }
                let ms = 10_000 * round as i64 + i;
                let now = after(10_000 * round + i as u64);
                let source = Source::default().addr([10, 0, 0, (i % 5) as u8].into());
                let body = client(i, ms, round * 2);
                let report = agg.push(Format::OtlpJson, body.as_bytes(), &source, now).unwrap();
                assert_eq!(report.accepted(), 1);
            }
        }
        for i in 1..=n_clients {
            let last = (1..=5).rev().find(|round| !(i as u64 + round).is_multiple_of(3));
            truth += last.unwrap() * 2;
        }
        let now = after(60_000);
        agg.tick(now);
        let seen = exposition(&agg, now);
        let exposed = seen.value("up_total", &[]).unwrap();
        let forgotten = seen.value("lastmile_cumulative_forgotten_total", &[]).unwrap();
        let baselines = seen.value("lastmile_cumulative_baseline_total", &[]).unwrap();
        match bytes {
            0 => assert_eq!((exposed, forgotten), (0.0, 0.0), "nothing is remembered"),
            1_048_576 => assert_eq!((exposed, forgotten, baselines), (truth as f64, 0.0, 0.0)),
            _ => {
                assert!(exposed <= truth as f64, "{exposed} of {truth}");
                assert!(exposed > truth as f64 / 10.0, "{exposed} of {truth}");
                assert!(baselines > 0.0);
            }
        }
    }
}

#[test]
fn who_floods_forgets_its_own() {
    let agg = small(64 << 10, start());
    let good = Source::default().addr([10, 0, 0, 1].into());
    let flood = Source::default().addr([10, 0, 0, 2].into());
    let push = |body: &str, source: &Source<'_>, ms: u64| {
        agg.push(Format::OtlpJson, body.as_bytes(), source, after(ms)).unwrap();
    };
    for i in 1..=20 {
        push(&client(i, 1_000, 5), &good, 1_000);
    }
    for i in 1_000..5_000 {
        let body = client(i, 6_000, 0);
        push(&body, &flood, 6_000);
    }
    for i in 1..=20 {
        push(&client(i, 9_000, 8), &good, 9_000);
    }
    assert_eq!(exposition(&agg, after(9_000)).value("up_total", &[]), Some(160.0));
}
