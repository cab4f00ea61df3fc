//! Prometheus' protobuf: what it means, beside the same as text.

use lastmile::{Aggregator, Format, Limits, Refusal, Source};
use prost::Message;

use super::{GROUP, after, aggregator, exposition};
use crate::expo::Exposition;
use crate::oracle::start;
use crate::protobuf::messages::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, Span, Time, options,
    scraped,
};

const COUNTER: i32 = 0;
const GAUGE: i32 = 1;
const SUMMARY: i32 = 2;
const UNTYPED: i32 = 3;
const HISTOGRAM: i32 = 4;

fn family(name: &str, kind: i32, metric: Vec<Metric>) -> MetricFamily {
    MetricFamily {
        name: Some(name.to_owned()),
        kind: Some(kind),
        metric,
        ..MetricFamily::default()
    }
}

fn labels(labels: &[(&str, &str)]) -> Vec<LabelPair> {
    let pair = |&(name, value): &(&str, &str)| LabelPair {
        name: Some(name.to_owned()),
        value: Some(value.to_owned()),
    };
    labels.iter().map(pair).collect()
}

fn counter(value: f64, of: &[(&str, &str)]) -> Metric {
    let counter = Some(Counter { value: Some(value), ..Counter::default() });
    Metric { label: labels(of), counter, ..Metric::default() }
}

fn gauge(value: f64) -> Metric {
    Metric { gauge: Some(Gauge { value: Some(value) }), ..Metric::default() }
}

fn of(histogram: Histogram) -> Vec<Metric> {
    vec![Metric { histogram: Some(histogram), ..Metric::default() }]
}

fn classic(buckets: &[(f64, u64)], count: u64, sum: f64) -> Histogram {
    let bucket = |&(edge, n): &(f64, u64)| Bucket {
        cumulative_count: Some(n),
        upper_bound: Some(edge),
        exemplar: None,
    };
    Histogram {
        sample_count: Some(count),
        sample_sum: Some(sum),
        bucket: buckets.iter().map(bucket).collect(),
        ..Histogram::default()
    }
}

fn native(
    schema: i32,
    spans: &[(i32, u32)],
    deltas: &[i64],
    (zeros, count): (u64, u64),
    sum: f64,
) -> Histogram {
    let span = |&(offset, len): &(i32, u32)| Span { offset: Some(offset), length: Some(len) };
    Histogram {
        sample_count: Some(count),
        sample_sum: Some(sum),
        schema: Some(schema),
        zero_threshold: Some(0.001),
        zero_count: Some(zeros),
        positive_span: spans.iter().map(span).collect(),
        positive_delta: deltas.to_vec(),
        ..Histogram::default()
    }
}

fn body(families: &[MetricFamily]) -> Vec<u8> {
    families.iter().flat_map(MetricFamily::encode_length_delimited_to_vec).collect()
}

/// What pushes of increments come to, and why metrics of them are refused.
#[track_caller]
fn pushed(families: &[MetricFamily]) -> (Aggregator, Exposition, Vec<(Refusal, u64)>) {
    let agg = aggregator(Limits::default(), start());
    let report = agg.push(Format::PromProtobuf, &body(families), &Source::default(), start());
    let report = report.unwrap();
    let n: usize = families.iter().map(|family| family.metric.len()).sum();
    assert_eq!(report.accepted() + report.n_refused(), n as u64, "a metric is a sample");
    let refused = report.refused().collect();
    let seen = exposition(&agg, start());
    (agg, seen, refused)
}

#[test]
fn increments_add() {
    let zone = &[("zone", "é\"\n\\")];
    let (agg, seen, refused) = pushed(&[
        family("up_total", COUNTER, vec![counter(2.0, zone), counter(1.5, zone)]),
        // OpenMetrics' name of it.
        family("jobs", COUNTER, vec![counter(3.0, &[])]),
        family("level", GAUGE, vec![gauge(-4.0)]),
        family("wait_seconds", HISTOGRAM, of(classic(&[(0.5, 1), (1.0, 3), (4.0, 3)], 5, 20.0))),
    ]);
    assert_eq!(refused, []);
    assert_eq!(seen.value("up_total", zone), Some(3.5));
    assert_eq!(seen.value("jobs_total", &[]), Some(3.0));
    assert_eq!(seen.value("level", &[]), Some(-4.0));
    for (le, n) in [("0.5", 1.0), ("1.0", 3.0), ("4.0", 3.0), ("+Inf", 5.0)] {
        assert_eq!(seen.value("wait_seconds_bucket", &[("le", le)]), Some(n));
    }
    // What is exposed is what was pushed.
    let other = aggregator(Limits::default(), start());
    let exposed = scraped(&agg, options(), start());
    let report = other.push(Format::PromProtobuf, &exposed, &Source::default(), start()).unwrap();
    assert!(report.refused().all(|(why, _)| why == Refusal::UnknownFamily), "{report:?}");
    let again = exposition(&other, start());
    for name in ["up_total", "jobs_total", "level", "wait_seconds"] {
        let find = |seen: &Exposition| {
            let family = seen.families.iter().find(|family| family.name == name).unwrap();
            family.samples.iter().map(|s| (s.series(), s.text.clone())).collect::<Vec<_>>()
        };
        assert_eq!(find(&again), find(&seen), "{name}");
    }
}

#[test]
fn native_buckets_are_exact() {
    // 2^(i / 32) is where bucket `i` ends: those of 1.0 and of 4.0.
    let buckets = native(5, &[(0, 1), (63, 1)], &[2, 1], (0, 5), 15.0);
    let (agg, seen, refused) = pushed(&[family("wait_seconds", HISTOGRAM, of(buckets.clone()))]);
    assert_eq!(refused, []);
    for (le, n) in [("0.5", 0.0), ("1.0", 2.0), ("4.0", 5.0), ("+Inf", 5.0)] {
        assert_eq!(seen.value("wait_seconds_bucket", &[("le", le)]), Some(n), "{le}");
    }
    let families = crate::protobuf::messages::messages(&scraped(&agg, options(), start()));
    let wait = families.iter().find(|f| f.name.as_deref() == Some("wait_seconds")).unwrap();
    let exposed = wait.metric[0].histogram.as_ref().unwrap();
    assert_eq!((exposed.schema, exposed.sample_count), (Some(5), Some(5)));
    assert_eq!(exposed.native(), [(0, 2), (64, 3)].into());
}

#[test]
fn what_does_not_agree_is_refused() {
    let histogram = |histogram| family("wait_seconds", HISTOGRAM, of(histogram));
    let inf = f64::INFINITY;
    let mut floats = classic(&[], 0, 0.0);
    floats.bucket.clear();
    for (what, refused, family) in [
        (
            "no such family",
            Refusal::UnknownFamily,
            family("nobody", COUNTER, vec![counter(1.0, &[])]),
        ),
        ("no label", Refusal::MissingLabel, family("up_total", COUNTER, vec![counter(1.0, &[])])),
        (
            "another label",
            Refusal::UnknownLabel,
            family("jobs_total", COUNTER, vec![counter(1.0, &[("x", "y")])]),
        ),
        (
            "a label twice",
            Refusal::Malformed,
            family("up_total", COUNTER, vec![counter(1.0, &[("zone", "y"), ("zone", "y")])]),
        ),
        ("another type", Refusal::TypeMismatch, family("jobs_total", GAUGE, vec![gauge(1.0)])),
        (
            "a summary",
            Refusal::TypeMismatch,
            family("wait_seconds", SUMMARY, vec![Metric::default()]),
        ),
        ("a type that is none", Refusal::TypeMismatch, family("wait_seconds", 9, vec![gauge(1.0)])),
        ("no value", Refusal::Malformed, family("jobs_total", COUNTER, vec![gauge(1.0)])),
        (
            "untyped, without a value",
            Refusal::Malformed,
            family("level", UNTYPED, vec![Metric::default()]),
        ),
        ("no histogram", Refusal::Malformed, family("wait_seconds", HISTOGRAM, vec![gauge(1.0)])),
        ("NaN", Refusal::NotANumber, family("jobs_total", COUNTER, vec![counter(f64::NAN, &[])])),
        ("below 0", Refusal::Negative, family("jobs_total", COUNTER, vec![counter(-1.0, &[])])),
        ("a sum below 0", Refusal::Negative, histogram(classic(&[(1.0, 1)], 1, -1.0))),
        ("counts that fall", Refusal::Malformed, histogram(classic(&[(0.5, 2), (1.0, 1)], 2, 1.0))),
        ("an edge twice", Refusal::Malformed, histogram(classic(&[(1.0, 1), (1.0, 1)], 1, 1.0))),
        ("an edge that is none", Refusal::Malformed, histogram(classic(&[(f64::NAN, 1)], 1, 1.0))),
        ("two counts of all", Refusal::Malformed, histogram(classic(&[(inf, 3)], 2, 1.0))),
        ("too many in one", Refusal::BadCount, histogram(classic(&[(1.0, 10_001)], 10_001, 1.0))),
        ("a sum of no such counts", Refusal::TooLarge, histogram(classic(&[(1.0, 1)], 1, 1e12))),
        (
            "native buckets that are not all",
            Refusal::Malformed,
            histogram(native(5, &[(0, 1)], &[2], (0, 3), 1.0)),
        ),
        (
            "a count below 0",
            Refusal::Malformed,
            histogram(native(5, &[(0, 2)], &[2, -3], (0, 1), 1.0)),
        ),
        (
            "spans without counts",
            Refusal::Malformed,
            histogram(native(5, &[(0, 2)], &[2], (0, 2), 1.0)),
        ),
        (
            "counts without spans",
            Refusal::Malformed,
            histogram(native(5, &[(0, 1)], &[2, 1], (0, 2), 1.0)),
        ),
        (
            "spans that overlap",
            Refusal::Malformed,
            histogram(native(5, &[(0, 1), (-1, 1)], &[1, 0], (0, 2), 1.0)),
        ),
        (
            "spans that go on for ever",
            Refusal::Malformed,
            histogram(native(5, &[(i32::MAX, 1), (i32::MAX, 1)], &[1, 0], (0, 2), 1.0)),
        ),
        (
            "custom buckets",
            Refusal::Malformed,
            histogram(native(-53, &[(0, 1)], &[1], (0, 1), 1.0)),
        ),
    ] {
        let (_, seen, why) = pushed(&[family]);
        assert_eq!(why, [(refused, 1)], "{what}");
        let total = |name: &str| seen.value(name, &[]).unwrap_or(0.0);
        assert_eq!(total("jobs_total") + total("wait_seconds_count"), 0.0, "{what}");
    }
}

#[test]
fn what_is_no_message_changes_nothing() {
    let agg = aggregator(Limits::default(), start());
    let good = body(&[family("jobs_total", COUNTER, vec![counter(1.0, &[])])]);
    for end in 1..good.len() {
        let cut = agg.push(Format::PromProtobuf, &good[..end], &Source::default(), start());
        assert!(cut.is_err(), "{end} of {} bytes", good.len());
    }
    let mut bad = [good.clone(), vec![3, 0x0a, 1, 0xff]].concat();
    let error = agg.push(Format::PromProtobuf, &bad, &Source::default(), start()).unwrap_err();
    assert_eq!((error.reason().as_str(), error.offset()), ("invalid_utf8", good.len() + 3));
    bad.truncate(good.len());
    let nothing = agg.push(Format::PromProtobuf, b"", &Source::default(), start()).unwrap();
    assert_eq!((nothing.accepted(), nothing.batches()), (0, 1));
    assert_eq!(exposition(&agg, start()).value("jobs_total", &[]), Some(0.0));
    // The type may come behind the metrics, and what is not known is passed over.
    let metric = counter(2.0, &[]).encode_length_delimited_to_vec();
    let name = "jobs_total";
    let unordered =
        [&[0x22][..], &metric, &[0xf8, 0x01, 7, 0x18, 0, 0x0a, name.len() as u8], name.as_bytes()]
            .concat();
    let unordered = [&[unordered.len() as u8][..], &unordered].concat();
    let report = agg.push(Format::PromProtobuf, &unordered, &Source::default(), start()).unwrap();
    assert_eq!(report.accepted(), 1);
    assert_eq!(exposition(&agg, start()).value("jobs_total", &[]), Some(2.0));
}

#[test]
fn totals_of_a_group_add_what_they_rose_by() {
    let agg = aggregator(Limits::default(), start());
    let source = Source::default().grouping_key(GROUP);
    let push = |minute: u64, families: &[MetricFamily]| {
        let now = after(minute);
        let report = agg.push(Format::PromProtobuf, &body(families), &source, now).unwrap();
        assert_eq!(report.n_refused(), 0, "{report:?}");
        exposition(&agg, now)
    };
    let created = |n: f64, minutes: i64| {
        let seconds = start().wall_ms() as i64 / 1000 + minutes * 60;
        let created = Some(Time { seconds, nanos: 0 });
        let counter = Counter { value: Some(n), exemplar: None, created };
        let metric = Metric { counter: Some(counter), ..Metric::default() };
        family("jobs_total", COUNTER, vec![metric])
    };
    let read = |seen: &Exposition| seen.value("jobs_total", &[]).unwrap();
    assert_eq!(read(&push(2, &[created(5.0, 1)])), 5.0);
    assert_eq!(read(&push(3, &[created(7.0, 1)])), 7.0);
    assert_eq!(read(&push(4, &[created(7.0, 1)])), 7.0);
    assert_eq!(read(&push(6, &[created(2.0, 5)])), 9.0);

    // Buckets of both kinds, of one histogram that was made coarser meanwhile.
    let wait = |histogram| family("wait_seconds", HISTOGRAM, of(histogram));
    let counts = |seen: &Exposition| {
        ["1.0", "4.0", "+Inf"].map(|le| seen.value("wait_seconds_bucket", &[("le", le)]).unwrap())
    };
    let first = native(5, &[(0, 1), (63, 1)], &[2, 1], (4, 9), 15.0);
    assert_eq!(counts(&push(7, &[wait(first)])), [0.0; 3]);
    let coarser = native(0, &[(0, 3)], &[3, -3, 4], (4, 11), 20.0);
    assert_eq!(counts(&push(8, &[wait(coarser)])), [1.0, 2.0, 2.0]);
    // Another kind of buckets is nothing to compare with.
    let other = classic(&[(1.0, 9), (4.0, 12)], 13, 30.0);
    assert_eq!(counts(&push(9, &[wait(other)])), [1.0, 2.0, 2.0]);
    let more = classic(&[(1.0, 9), (4.0, 13)], 15, 45.0);
    assert_eq!(counts(&push(10, &[wait(more)])), [1.0, 3.0, 4.0]);
}

#[test]
fn what_a_body_may_have_is_bounded() {
    let agg = aggregator(Limits::default(), start());
    let wrap = |tag: u8, inner: &[u8]| {
        let mut out = vec![tag];
        prost::encoding::encode_varint(inner.len() as u64, &mut out);
        [&out[..], inner].concat()
    };
    let family = |metric: &[u8]| wrap(0x22, metric)[..].to_vec();
    let message = |family: &[u8]| wrap(0, family)[1..].to_vec();
    for (what, body) in [
        ("families of nothing", vec![0; 262_145]),
        ("metrics of nothing", message(&[0x22, 0].repeat(262_145))),
        ("labels of nothing", message(&family(&[0x0a, 0].repeat(524_289)))),
        ("buckets of nothing", message(&family(&wrap(0x3a, &[0x1a, 0].repeat(524_289))))),
        ("deltas of nothing", message(&family(&wrap(0x3a, &wrap(0x6a, &[0; 524_289]))))),
        ("spans of nothing", message(&family(&wrap(0x3a, &[0x62, 0].repeat(524_289))))),
    ] {
        let error = agg.push(Format::PromProtobuf, &body, &Source::default(), start());
        let error = error.expect_err(what);
        assert_eq!(error.reason().as_str(), "too_many_lines", "{what}");
    }
}

#[test]
fn a_group_of_which_something_was_not_kept_is_not_whole() {
    let agg = aggregator(Limits::default(), start());
    let source = Source::default().grouping_key(GROUP).whole_group();
    let push = |minute: u64, histogram| {
        let family = family("wait_seconds", HISTOGRAM, of(histogram));
        agg.push(Format::PromProtobuf, &body(&[family]), &source, after(minute)).unwrap()
    };
    // Buckets that are too far apart to be kept, and the same made coarser.
    let wide = native(8, &[(-9_000, 1), (18_000, 1)], &[5, 0], (0, 10), 15.0);
    assert_eq!(push(1, wide).n_refused(), 1);
    let coarser = native(0, &[(-34, 1), (68, 1)], &[6, 0], (0, 12), 17.0);
    assert_eq!(push(2, coarser).n_refused(), 0);
    assert_eq!(exposition(&agg, after(2)).value("wait_seconds_count", &[]), Some(0.0));
}
