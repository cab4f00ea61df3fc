//! The cursor of a scrape, against rows that come and rows that go.

use std::sync::Arc;

use super::harness::{Bounds, aggregator, at_once, by_page, check, live, push, thread};
use crate::{Family, Limits};

/// Rows in the order that they are made in: those with a digit stay, and the others leave, so that some
/// blocks close up and some leave whole. Each of the two shards has half of each kind.
const ROWS: [&str; 12] = ["/a", "/d", "/c", "/e", "/0", "/6", "/f", "/g", "/h", "/m", "/2", "/9"];
const STAY: [&str; 4] = ["/0", "/6", "/2", "/9"];
const NOW: u64 = 20;

#[test]
fn a_scrape_shows_what_stays_once() {
    check(|| {
        let families = [by_page("a_total"), Family::histogram("h_seconds", [1.0])];
        let agg = aggregator(&families, Limits::default());
        let key = |page: &str| format!("a_total;page={page}");
        for page in ROWS {
            push(&agg, &[(&key(page), 1)], 0);
        }
        for stays in STAY {
            push(&agg, &[(&key(stays), 1)], NOW);
        }
        let bounds: Arc<[Bounds; 4]> = Arc::default();
        let adds = |pages: &'static [&'static str]| {
            thread!(agg, bounds => {
                for page in pages {
                    let samples = [(&*format!("a_total;page={page}"), 1), ("h_seconds", 1)];
                    let add = || drop(push(&agg, &samples, NOW));
                    match STAY.iter().position(|stays| stays == page) {
                        Some(i) => bounds[i].around(1, add),
                        None => add(),
                    }
                }
            })
        };
        at_once(vec![
            // New ones, and one that may have left, or leave and return.
            adds(&["/4", "/0", "/a", "/n", "/9"]),
            adds(&["/k", "/d", "/6", "/0"]),
            thread!(agg => {
                agg.tick(super::harness::at(NOW));
            }),
            thread!(agg, bounds => {
                for _ in 0..2 {
                    let least = bounds.each_ref().map(|bounds| 2 + bounds.done());
                    let shown = live(&agg, NOW);
                    let most = bounds.each_ref().map(|bounds| 2 + bounds.begun());
                    for (i, page) in STAY.iter().enumerate() {
                        let value = shown.get(&format!("a_total{{page=\"{page}\"}}"));
                        let value = *value.unwrap_or_else(|| panic!("{page} is not in {shown:?}"));
                        assert!((least[i]..=most[i]).contains(&value), "{page} in {shown:?}");
                    }
                    // Each observation is 1: its lines agree, whatever is under way.
                    let lines = shown.iter().filter(|(series, _)| series.starts_with("h_seconds"));
                    let values: Vec<u64> = lines.map(|(_, value)| *value).collect();
                    assert!(values.len() == 4 && values.iter().all(|v| *v == values[0]), "{shown:?}");
                }
            }),
        ]);
        let shown = live(&agg, NOW);
        for page in ["/c", "/e", "/f", "/g", "/h", "/m"] {
            assert!(!shown.contains_key(&format!("a_total{{page=\"{page}\"}}")), "{page} is idle");
        }
    });
}
