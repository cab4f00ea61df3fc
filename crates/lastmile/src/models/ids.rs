//! Claims of ids: a batch that comes from several threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::harness::{aggregator, at_once, check, live, push_as, thread};
use crate::{Family, Limits};

#[test]
fn a_batch_is_counted_once() {
    check(|| {
        let agg = aggregator(&[Family::counter("a_total")], Limits::default());
        let tally: Arc<[AtomicU64; 3]> = Arc::default();
        let comes = |n: u64| {
            thread!(agg, tally => {
                let report = push_as(&agg, "0123456789abcdef", &[("a_total", n)], 0);
                let counts = [report.accepted(), report.duplicate_samples(), report.n_refused()];
                for (tally, n) in tally.iter().zip(counts) {
                    tally.fetch_add(n, Ordering::Relaxed);
                }
            })
        };
        // Three times the same, and once the same id with another content.
        at_once(vec![comes(1), comes(1), comes(1), comes(10)]);
        let counted = live(&agg, 0)["a_total"];
        let tally = tally.each_ref().map(|n| n.load(Ordering::Relaxed));
        let expect = match counted {
            1 => [1, 2, 1],
            _ => [1, 0, 3],
        };
        assert!(counted == 1 || counted == 10, "{counted}");
        assert_eq!(tally, expect, "accepted, duplicate, refused; {counted} was counted");
    });
}
