//! A reload, while pushes, handles and scrapes go on.

use std::sync::Arc;

use super::harness::{
    Bounds, aggregator, at_once, by_page, check, live, own, push, schema, thread,
};
use crate::{Family, Limits, Timestamp};

#[test]
fn what_stays_loses_nothing_and_what_goes_leaves_nothing() {
    check(|| {
        let now: Timestamp = super::harness::at(0);
        let all = [by_page("a_total"), by_page("b_total"), Family::counter("c_total")];
        // Stays, and is declared otherwise.
        let few = [by_page("a_total").help("Pages.")];
        let agg = aggregator(&all, Limits::default());
        let held = agg.counter("b_total", &[("page", "/held")]).expect("there is room");
        let added = Arc::<Bounds>::default();
        let pushes = |keys: &'static [&'static str]| {
            thread!(agg, added => {
                for _ in 0..2 {
                    let mut samples = vec![("a_total;page=/0", 1)];
                    samples.extend(keys.iter().map(|key| (*key, 1)));
                    added.around(1, || {
                        let report = push(&agg, &samples, 0);
                        let n = report.accepted() + report.n_refused();
                        assert!(report.accepted() > 0 && n == samples.len() as u64);
                    });
                }
            })
        };
        at_once(vec![
            pushes(&["b_total;page=/0", "c_total"]),
            pushes(&["b_total;page=/6"]),
            thread!(agg => {
                // While it is not declared there is none to be had.
                if let Ok(handle) = agg.counter("b_total", &[("page", "/6")]) {
                    handle.inc();
                    assert!(handle.value() >= 1.0);
                }
            }),
            thread!(agg => {
                agg.reload(&schema(&few), now).expect("it fits");
                agg.reload(&schema(&all), now).expect("it fits");
            }),
            thread!(agg, added => {
                let least = added.done();
                let shown = live(&agg, 0);
                let value = shown.get("a_total{page=\"/0\"}").copied().unwrap_or(0);
                assert!((least..=added.begun()).contains(&value), "{shown:?}");
            }),
        ]);
        held.inc();
        assert_eq!(held.value(), 1.0, "a handle works on");
        let shown = live(&agg, 0);
        assert_eq!(shown["a_total{page=\"/0\"}"], added.done());
        assert!(!shown.contains_key("b_total{page=\"/held\"}"), "{shown:?}");
        agg.tick(now);
        assert_eq!(own(&agg, "lastmile_detached_series", 0), 1);
        drop(held);
        agg.tick(now);
        assert_eq!(own(&agg, "lastmile_detached_series", 0), 0);

        // As if there had been nothing before.
        let fresh = aggregator(
            &[by_page("a_total"), by_page("b_total"), Family::counter("c_total")],
            Limits::default(),
        );
        for (series, value) in &shown {
            let key = series.replace("{page=\"", ";page=").replace("\"}", "");
            push(&fresh, &[(&key, *value)], 0);
        }
        assert_eq!(live(&fresh, 0), shown);
        assert_eq!(agg.bytes_used(), fresh.bytes_used());
    });
}
