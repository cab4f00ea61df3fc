//! Recorders: what workers collect by themselves arrives whole, once, and nowhere else.

use std::thread;

use lastmile::{Family, Label, Limits, Native, Recorder, Refusal};
use proptest::prelude::*;

use super::{aggregator, read, written};
use crate::oracle::{natives, start};
use crate::pushes::config;

fn families() -> [Family; 4] {
    [
        Family::counter("c"),
        Family::counter("d").label(Label::open("page", 10)),
        Family::histogram("h", [0.5, 2.0]),
        Family::histogram("n", [0.5]).native(Native::new(8).max_buckets(100)),
    ]
}

#[test]
fn recorders_of_many_threads_lose_nothing() {
    const THREADS: u64 = 4;
    const ROUNDS: u64 = 50;
    let agg = aggregator(families(), Limits::default());
    thread::scope(|scope| {
        for t in 0..THREADS {
            let agg = &agg;
            // Made here and moved there, as a pool of workers does.
            let mut recorder = Recorder::new();
            let c = recorder.counter(&agg.counter("c", &[]).unwrap());
            let page = format!("/{t}");
            let d = recorder.counter(&agg.counter("d", &[("page", &page)]).unwrap());
            let h = recorder.histogram(&agg.histogram("h", &[]).unwrap());
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    for _ in 0..100 {
                        recorder.inc(c);
                        recorder.inc_by(d, 2);
                        recorder.observe(h, 0.1).unwrap();
                    }
                    // The last round is left to the drop.
                    if round + 1 < ROUNDS {
                        recorder.flush();
                    }
                    // A histogram's lines agree while others flush; the reader checks that.
                    read(agg);
                }
            });
        }
    });
    let n = THREADS * ROUNDS * 100;
    assert_eq!(written(&agg, "c"), n.to_string());
    assert_eq!(read(&agg).total("d"), 2.0 * n as f64);
    assert_eq!(written(&agg, "h_count"), n.to_string());
    assert_eq!(written(&agg, "h_sum"), (n / 10).to_string());
}

proptest! {
    #![proptest_config(config(64))]

    /// Observations through recorders, however they are split and flushed, are those through handles.
    #[test]
    fn a_recorder_is_its_handle(
        steps in proptest::collection::vec((0..3usize, 0..4u8, 0.0..1e6f64), 0..200),
    ) {
        let (direct, recorded) =
            (aggregator(families(), Limits::default()), aggregator(families(), Limits::default()));
        let (c, h) = (direct.counter("c", &[]).unwrap(), direct.histogram("h", &[]).unwrap());
        let n = direct.histogram("n", &[]).unwrap();
        let mut recorders: Vec<_> = (0..3)
            .map(|_| {
                let mut recorder = Recorder::new();
                let c = recorder.counter(&recorded.counter("c", &[]).unwrap());
                let h = recorder.histogram(&recorded.histogram("h", &[]).unwrap());
                let n = recorder.histogram(&recorded.histogram("n", &[]).unwrap());
                (recorder, c, h, n)
            })
            .collect();
        for (at, op, v) in steps {
            let (recorder, local_c, local_h, local_n) = &recorders[at];
            match op {
                0 => {
                    c.inc_by(v as u64);
                    recorder.inc_by(*local_c, v as u64);
                }
                1 | 2 => {
                    let v = if op == 1 { v } else { v * 1e-9 };
                    h.observe(v).unwrap();
                    recorder.observe(*local_h, v).unwrap();
                    n.observe(v).unwrap();
                    recorder.observe(*local_n, v).unwrap();
                }
                _ => recorder.flush(),
            }
        }
        recorders.clear();
        for name in ["c", "h_sum", "h_count", "h_bucket", "n_sum", "n_count", "n_bucket"] {
            prop_assert_eq!(written(&recorded, name), written(&direct, name), "{}", name);
        }
        prop_assert_eq!(natives(&recorded, start()), natives(&direct, start()));
    }
}

#[test]
fn what_is_not_flushed_is_not_there_yet() {
    let agg = aggregator(families(), Limits::default());
    let (c, h) = (agg.counter("c", &[]).unwrap(), agg.histogram("h", &[]).unwrap());
    let mut recorder = Recorder::new();
    let (local_c, local_h) = (recorder.counter(&c), recorder.histogram(&h));
    recorder.inc(local_c);
    recorder.observe(local_h, 0.0).unwrap();
    assert_eq!(recorder.observe(local_h, f64::NAN), Err(Refusal::NotANumber));
    assert_eq!(recorder.observe(local_h, -1.0), Err(Refusal::Negative));
    c.inc();
    assert_eq!((c.value(), written(&agg, "h_count").as_str()), (1.0, "0"));
    for _ in 0..2 {
        recorder.flush();
        assert_eq!((c.value(), written(&agg, "h_count").as_str()), (2.0, "1"));
    }
    recorder.inc(local_c);
    drop(recorder);
    assert_eq!(c.value(), 3.0);
}

#[test]
fn a_recorder_counts_beyond_what_it_can_hold() {
    let agg = aggregator(families(), Limits::default());
    let mut recorder = Recorder::new();
    let c = recorder.counter(&agg.counter("c", &[]).unwrap());
    for _ in 0..3 {
        recorder.inc_by(c, u64::MAX);
        recorder.inc(c);
        recorder.inc_by(c, 0);
    }
    recorder.flush();
    assert_eq!(written(&agg, "c"), (3 * (1_u128 << 64)).to_string());
}

#[test]
#[should_panic(expected = "another `Recorder`")]
fn an_id_of_another_recorder_is_a_mistake_that_is_told() {
    let agg = aggregator(families(), Limits::default());
    let (mut one, mut two) = (Recorder::new(), Recorder::new());
    let c = agg.counter("c", &[]).unwrap();
    let (of_one, _) = (one.counter(&c), two.counter(&c));
    two.inc(of_one);
}

#[test]
fn a_row_stays_while_a_recorder_holds_it() {
    let agg = aggregator(families(), Limits::default());
    let mut recorder = Recorder::new();
    let d = recorder.counter(&agg.counter("d", &[("page", "/a")]).unwrap());
    recorder.inc(d);
    let later = start().after(std::time::Duration::from_secs(100_000));
    agg.tick(later);
    recorder.flush();
    assert_eq!(read(&agg).value("d", &[("page", "/a")]), Some(1.0));
}
