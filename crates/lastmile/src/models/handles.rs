//! Pins, against rows that expire.

use std::sync::{Arc, Mutex};

use super::harness::{Bounds, Increases, aggregator, at, at_once, by_page, check, live, push};
use super::harness::{read, reader, thread};
use crate::{Aggregator, Combine, Family, Label, Limits, ScrapeOptions};

/// Seconds between two scrapes: a row is idle for two of them before it leaves.
const GAP: u64 = 6;

const SERIES: &str = "a_total{page=\"/x\"}";

#[test]
fn a_push_that_changes_nothing_takes_nothing_from_a_handle() {
    check(|| {
        let family = Family::gauge("a").label(Label::open("page", 9)).combine(Combine::Max);
        let agg = aggregator(&[family], Limits::default());
        let handle = agg.gauge("a", &[("page", "/x")]).expect("there is room");
        handle.set(10.0);
        let pushes = || thread!(agg => { push(&agg, &[("a;page=/x", 5)], 0); });
        let adds = || thread!(handle => { handle.add(1.0); });
        at_once(vec![pushes(), adds(), pushes(), adds()]);
        assert_eq!(handle.value(), 12.0);
        drop(handle);
        assert_eq!(live(&agg, 0)["a{page=\"/x\"}"], 12);
    });
}

#[test]
fn what_one_handle_added_is_shown_whichever_is_dropped_last() {
    check(|| {
        let agg = aggregator(&[by_page("a_total")], Limits::default());
        let [first, second] =
            [(); 2].map(|()| agg.counter("a_total", &[("page", "/x")]).expect("there is room"));
        let scrape = |agg: &Aggregator, i: u64| {
            read(agg.scrape(ScrapeOptions::text().reader(reader(1), None), at(i * GAP)), i * GAP)
        };
        let seen = Arc::new(Mutex::new(Increases::default()));
        for i in 0..2 {
            seen.lock().expect("no other thread").add(&scrape(&agg, i));
        }
        at_once(vec![
            Box::new(move || drop(first)),
            Box::new(move || {
                second.inc();
                drop(second);
            }),
            thread!(agg, seen => {
                for i in 2..6 {
                    seen.lock().expect("one thread uses it").add(&scrape(&agg, i));
                }
            }),
        ]);
        let mut seen = seen.lock().expect("the threads ended");
        for i in 6..8 {
            seen.add(&scrape(&agg, i));
        }
        assert_eq!(seen.of(SERIES), 1);
    });
}

#[test]
fn what_handles_added_is_shown_before_its_row_leaves() {
    check(|| {
        let agg = aggregator(&[by_page("a_total")], Limits::default());
        let scrape = move |agg: &Aggregator, i: u64| {
            read(agg.scrape(ScrapeOptions::text().reader(reader(1), None), at(i * GAP)), i * GAP)
        };
        let mut seen = Increases::default();
        // Rows that stand in its block and leave before it, so that it moves.
        push(&agg, &[("a_total;page=/a", 1), ("a_total;page=/b", 1), ("a_total;page=/c", 1)], 0);
        for i in 0..2 {
            seen.add(&scrape(&agg, i));
        }
        let added = Arc::<Bounds>::default();
        let adds = || {
            thread!(agg, added => {
                for _ in 0..2 {
                    let handle = agg.counter("a_total", &[("page", "/x")]).expect("there is room");
                    added.around(1, || handle.inc());
                    let before = handle.value();
                    let other = handle.clone();
                    drop(handle);
                    added.around(2, || other.inc_by(2));
                    assert!(other.value() >= before + 2.0, "the row is held, and so is its value");
                    assert!(live(&agg, 0).contains_key(SERIES), "the row is held");
                    drop(other);
                }
            })
        };
        let seen = Arc::new(Mutex::new(seen));
        at_once(vec![
            adds(),
            adds(),
            thread!(agg, added, seen => {
                for i in 2..7 {
                    let shown = scrape(&agg, i);
                    let mut seen = seen.lock().expect("one thread uses it");
                    seen.add(&shown);
                    assert!(seen.of(SERIES) <= added.begun());
                }
            }),
        ]);
        let mut seen = seen.lock().expect("the threads ended");
        for i in 7..12 {
            seen.add(&scrape(&agg, i));
        }
        assert_eq!(seen.of(SERIES), added.done(), "shown and gone with its row");
        assert!(live(&agg, 12 * GAP).is_empty(), "all of them left at last");
    });
}
