//! Reservation: threads that create series at a limit.

use super::harness::{TTL, aggregator, at, at_once, by_page, check, live, own, push, thread};
use crate::{Family, Label, Limits};

/// Four threads bring six series to two families, which share the bytes. Digits below 6 fall into one shard,
/// others into the other.
fn at_a_limit(
    limits: Limits,
    is_full: impl Fn(u64, u64, u64) -> bool + Copy + Send + Sync + 'static,
) {
    check(move || {
        let agg = aggregator(&[by_page("a_total"), by_page("b_total")], limits.clone());
        let fixed = agg.bytes_used();
        let creates = |keys: &'static [&'static str]| {
            thread!(agg => {
                for key in keys {
                    let report = push(&agg, &[(key, 1)], 0);
                    assert_eq!((report.accepted(), report.n_refused()), (1, 0));
                    let (used, max) = (agg.bytes_used(), agg.store().bytes_max());
                    assert!(used <= max, "{used} of {max} bytes");
                }
            })
        };
        at_once(vec![
            creates(&["a_total;page=/0", "b_total;page=/1"]),
            creates(&["b_total;page=/6", "a_total;page=/9"]),
            creates(&["a_total;page=/6", "a_total;page=/9"]),
            thread!(agg => {
                // A handle gets a place, or is told that there is none.
                match agg.counter("b_total", &[("page", "/9")]) {
                    Ok(handle) => handle.inc(),
                    Err(_) => drop(push(&agg, &[("b_total;page=/9", 1)], 0)),
                }
            }),
        ]);
        let shown = live(&agg, 0);
        assert_eq!(shown.values().sum::<u64>(), 7, "what was folded and own series: {shown:?}");
        let is_other = |series: &str| series.contains("other");
        let n_own = shown.keys().filter(|series| !is_other(series)).count() as u64;
        assert!((1..6).contains(&n_own), "the limit was not reached: {shown:?}");
        let each = (agg.bytes_used() - fixed) / n_own;
        assert_eq!(agg.bytes_used(), fixed + each * n_own, "each took as much: {shown:?}");
        let left = agg.store().bytes_max() - agg.bytes_used();
        for family in ["a_total", "b_total"] {
            let of_family = || shown.keys().filter(|series| series.starts_with(family));
            let n = of_family().filter(|series| !is_other(series)).count() as u64;
            assert!(n < u64::from(agg.store().series_per_family()), "{shown:?}");
            let folds = of_family().any(|series| is_other(series));
            assert!(!folds || is_full(n, left, each), "room was left: {shown:?}, {left} bytes");
        }
    });
}

#[test]
fn bytes_are_never_more_than_the_limit() {
    // Room for what is reserved and three series.
    at_a_limit(Limits::default().bytes(600), |_, left, each| left < each);
}

#[test]
fn series_are_never_more_than_the_limit() {
    at_a_limit(Limits::default().series_per_family(3), |n, _, _| n == 2);
}

/// The one place of a label comes free while values come for it, one of which has it.
#[test]
fn what_comes_for_a_full_label_counts_once() {
    check(|| {
        let one = Family::counter("a_total").label(Label::open("page", 1)).ttl(TTL);
        let agg = aggregator(&[one], Limits::default());
        push(&agg, &[("a_total;page=/0", 1)], 0);
        let pushes = |keys: &'static [&'static str]| {
            thread!(agg => {
                for key in keys {
                    let report = push(&agg, &[(key, 1), ("a_total;page=other", 1)], 20);
                    assert_eq!((report.accepted(), report.n_refused()), (2, 0));
                }
            })
        };
        at_once(vec![
            pushes(&["a_total;page=/0", "a_total;page=/6"]),
            pushes(&["a_total;page=/9", "a_total;page=/0"]),
            thread!(agg => { agg.tick(at(20)); }),
        ]);
        let shown = live(&agg, 20);
        let other = shown["a_total{page=\"other\"}"];
        let of_own: u64 = shown.values().sum::<u64>() - other;
        // Unless the row of the first push has left.
        assert!(matches!(of_own + other, 8 | 9), "{shown:?}");
        assert!(shown.len() == 2 || of_own == 0, "more than one has a place: {shown:?}");
        let overflow = "lastmile_overflow_total{family=\"a_total\",label=\"page\"}";
        assert_eq!(own(&agg, overflow, 20), other - 4, "{shown:?}");

        agg.tick(at(60));
        push(&agg, &[("a_total;page=/7", 1)], 60);
        assert_eq!(live(&agg, 60)["a_total{page=\"/7\"}"], 1, "there is room again");
    });
}
