//! Numbers stay true: exact, unbounded, in their bucket, for their time.

use std::time::Duration;

use lastmile::{Combine, Family, Format, Limits, Source};

use super::{aggregator, inc, push, read, text, written};
use crate::expo;
use crate::oracle::start;

const TWO_53: f64 = 9_007_199_254_740_992.0;

#[test]
fn counters_count_beyond_2_to_the_53() {
    let agg = aggregator([Family::counter("c").max(TWO_53)], Limits::default());
    push(&agg, Format::Record, &format!("[{}]", inc("c", &[], "9007199254740992")));
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
    let agg = aggregator([Family::histogram("h", [1.0]).max(TWO_53)], Limits::default());
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
    let agg = aggregator([Family::counter("c"), Family::histogram("h", [1.0])], Limits::default());
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
            &format!(r#"{{"lm":1,"m":{{"h":[{bound},{}]}}}}"#, bound * (1.0 + f64::EPSILON)),
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
        assert!(text.contains(&format!("h_bucket{{le=\"{le}\"}} ")), "le {le}:\n{text}");
    }
}

#[test]
fn pushed_gauges_live_for_their_time() {
    let ttl = Duration::from_secs(60);
    let gauge = |name: &str, combine| Family::gauge(name).ttl(ttl).combine(combine);
    let agg = aggregator(
        [gauge("last", Combine::Last), gauge("low", Combine::Min), gauge("high", Combine::Max)],
        Limits::default(),
    );
    let push_at = |value: &str, secs: u64| {
        let names = ["last", "low", "high"].map(|name| inc(name, &[], value));
        let body = format!("[{}]", names.join(","));
        let now = start().after(Duration::from_secs(secs));
        let report = agg.push(Format::Record, body.as_bytes(), &Source::default(), now).unwrap();
        assert_eq!(report.accepted(), 3);
    };
    let at = |secs: u64| {
        let mut text = Vec::new();
        agg.encode_to(&mut text, start().after(Duration::from_secs(secs))).unwrap();
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
