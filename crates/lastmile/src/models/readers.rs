//! What each reader computes from its scrapes, with pushes racing them.

use std::sync::{Arc, Mutex};

use super::harness::{Bounds, Increases, aggregator, at, at_once, check, push, read};
use super::harness::{reader, schema, thread};
use crate::{Aggregator, Family, Label, Limits, ScrapeOptions};

/// Seconds between two scrapes; all of a model takes less time than a row is young.
const GAP: u64 = 5;

/// Two readers, by their ports.
const READERS: [u16; 2] = [1, 2];

/// None of it expires: a reader that stands still for some scrapes of another is as good as gone.
fn by_page() -> Family {
    Family::counter("a_total").label(Label::open("page", 100))
}

fn scrape(agg: &Aggregator, port: u16, i: u64, seen: &mut Increases) {
    let options = ScrapeOptions::text().reader(reader(port), None);
    seen.add(&read(agg.scrape(options, at(i * GAP)), i * GAP));
}

/// Two readers scrape while two threads push; one of them declares a family first if it `reloads`.
fn nothing_is_lost(reloads: bool) {
    check(move || {
        let before = [by_page(), Family::counter("b_total")];
        let agg = aggregator(&before, Limits::default());
        let added = Arc::<Bounds>::default();
        // Known and in its rhythm, a reader is told what no other was.
        let seen = READERS.map(|port| {
            let mut seen = Increases::default();
            for i in 0..2 {
                scrape(&agg, port, i, &mut seen);
            }
            Arc::new(Mutex::new(seen))
        });
        let reads = |port: u16, seen: &Arc<Mutex<Increases>>| {
            thread!(agg, added, seen => {
                let mut seen = seen.lock().expect("one thread uses it");
                // What was added before the last scrape that was completed began.
                let mut least = 0;
                for i in 2..5 {
                    let done = added.done();
                    scrape(&agg, port, i, &mut seen);
                    let (total, most) = (seen.total(), added.begun());
                    assert!(least <= total && total <= most, "{least}, {total}, {most}: {seen:?}");
                    least = done;
                }
            })
        };
        let adds = |keys: &'static [&'static str], reloads: bool| {
            thread!(agg, added => {
                if reloads {
                    let c = [by_page(), Family::counter("b_total"), Family::counter("c_total")];
                    agg.reload(&schema(&c), at(0)).expect("it fits");
                }
                for key in keys {
                    let mut accepted = 0;
                    added.around(3, || accepted = push(&agg, &[(key, 3)], 0).accepted());
                    assert_eq!(accepted, 1);
                }
            })
        };
        at_once(vec![
            reads(READERS[0], &seen[0]),
            reads(READERS[1], &seen[1]),
            adds(&["a_total;page=/0", "b_total", "a_total;page=/6"], false),
            adds(
                if reloads { &["c_total"] } else { &["a_total;page=/2", "a_total;page=/6"] },
                reloads,
            ),
        ]);
        for (port, seen) in READERS.iter().zip(seen) {
            let mut seen = seen.lock().expect("the threads ended");
            for i in 5..7 {
                scrape(&agg, *port, i, &mut seen);
            }
            assert_eq!(seen.total(), added.done(), "{seen:?}");
        }
    });
}

#[test]
fn the_increase_is_what_was_pushed() {
    nothing_is_lost(false);
}

#[test]
fn the_increase_is_what_was_pushed_to_a_family_that_came() {
    nothing_is_lost(true);
}
