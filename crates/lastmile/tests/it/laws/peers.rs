//! Faults found in other libraries, each shown to be none of ours. Those of identity and escaping stand in
//! `identity`; numbers at their ends in `numbers`.

use std::time::Duration;

use lastmile::{Family, Format, Label, Limits, Schema, Source};

use super::{aggregator, push, read, written};
use crate::oracle::start;

/// tikv's client and client_rust keep a sum of NaN for ever, or a count that disagrees with `+Inf`.
#[test]
fn nan_and_infinity_leave_a_histogram_as_it_is() {
    let agg = aggregator([Family::histogram("h", [1.0])], Limits::default());
    let handle = agg.histogram("h", &[]).unwrap();
    for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        handle.observe(wrong).unwrap_err();
    }
    for wrong in ["1e999", "-1e999", "\"NaN\"", "null", "[1e999,2]"] {
        let body = format!(r#"{{"lm":1,"m":{{"h":[0.5,{wrong}]}}}}"#);
        let report = agg.push(Format::Lm1, body.as_bytes(), &Source::default(), start()).unwrap();
        assert_eq!((report.accepted(), report.n_refused()), (1, 1), "{wrong}");
    }
    let exposition = read(&agg);
    assert_eq!(exposition.value("h_bucket", &[("le", "+Inf")]), Some(5.0));
    assert_eq!(exposition.value("h_count", &[]), Some(5.0));
    assert_eq!(exposition.value("h_sum", &[]), Some(2.5));
}

/// metrics-rs loses for ever what a handle counts after its series went idle.
#[test]
fn increments_through_a_handle_survive_any_idle_time() {
    let family = || Family::counter("c").label(Label::open("a", 9)).ttl(Duration::from_secs(60));
    let agg = aggregator([family()], Limits::default());
    let handle = agg.counter("c", &[("a", "x")]).unwrap();
    handle.inc_by(1_000);
    let mut now = start();
    for _ in 0..10 {
        now = now.after(Duration::from_secs(3_600));
        agg.tick(now);
    }
    handle.inc_by(7);
    assert_eq!(written(&agg, "c"), "1007");
    drop(handle);
    agg.tick(now.after(Duration::from_secs(59)));
    assert_eq!(written(&agg, "c"), "1007", "its time to live begins with the last handle's end");
    agg.tick(now.after(Duration::from_secs(3_600)));
    assert!(read(&agg).family("c").is_none());
    agg.counter("c", &[("a", "x")]).unwrap().inc_by(1_500);
    assert_eq!(written(&agg, "c"), "1500", "a new series, from 0");
}

/// tikv's client prints 2^53 + 1 as 2^53.
#[test]
fn whole_numbers_are_printed_whole() {
    let agg = aggregator([Family::counter("c")], Limits::default());
    agg.counter("c", &[]).unwrap().inc_by(1 << 53);
    push(&agg, Format::Lm1, r#"{"lm":1,"m":{"c":1}}"#);
    assert_eq!(written(&agg, "c"), "9007199254740993");
}

/// metrics-rs shows one of two names that look alike at random; client_rust takes a family twice.
#[test]
fn names_that_look_alike_or_stand_twice_are_set_up_mistakes() {
    let check = |families: Vec<Family>, why: &str| {
        let schema = families.into_iter().fold(Schema::builder(), lastmile::SchemaBuilder::family);
        let error = schema.build().expect_err(why);
        assert!(error.is_schema() && error.to_string().contains(why), "{error}");
    };
    check(vec![Family::counter("x.y"), Family::counter("x_y")], "exposes `x_y`");
    check(vec![Family::counter("x"), Family::gauge("x")], "is declared twice");
    check(vec![Family::histogram("h", [1.0]), Family::histogram("h", [2.0])], "is declared twice");
    check(vec![Family::histogram("h", [1.0]), Family::counter("h_count")], "exposes `h_count`");
}

/// Bounds that differ between two versions of a page would merge into buckets that mean nothing: the server
/// owns them, and with other bounds it is another histogram.
#[test]
fn bounds_that_differ_never_meet_in_one_series() {
    let schema = |bounds: &[f64]| {
        let family = Family::histogram("h", bounds.iter().copied());
        Schema::builder().family(family).build().unwrap()
    };
    let agg = aggregator([Family::histogram("h", [1.0, 2.0])], Limits::default());
    push(&agg, Format::Lm1, r#"{"lm":1,"m":{"h":[1.5]}}"#);
    agg.reload(&schema(&[1.0, 5.0]), start()).unwrap();
    push(&agg, Format::Lm1, r#"{"lm":1,"m":{"h":[3]}}"#);
    let exposition = read(&agg);
    assert_eq!(exposition.value("h_bucket", &[("le", "2.0")]), None);
    assert_eq!(exposition.value("h_bucket", &[("le", "5.0")]), Some(1.0));
    assert_eq!(exposition.value("h_sum", &[]), Some(3.0));
}
