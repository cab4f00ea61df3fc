//! Values that come once take no place of a label that admits what comes often.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lastmile::{AdmitBy, Aggregator, Family, Format, Label, Limits, Schema, Source};
use lastmile_benches::{exposition, now};

use crate::memory::resident;
use crate::table::Row;

const THREADS: u64 = 4;

/// How often a value must come.
const ADMIT_AFTER: u32 = 3;

/// Between two of the value that comes often so many come that do not.
const OFTEN_ONE_IN: u64 = 50;

/// Sources that the value that comes often comes from. They fall into 64 bits, so of so many at least three
/// fall apart.
const SOURCES: u64 = 200;

/// Sends `n_values` values that come once, then as many more with one among them that comes often.
///
/// # Panics
/// At the first law that does not hold.
pub(crate) fn run(by: AdmitBy, n_values: u64) -> Row {
    let n_values = n_values.next_multiple_of(THREADS * OFTEN_ONE_IN);
    let page = Label::open("page", 1_000).admit_after(ADMIT_AFTER).admit_by(by);
    let device = Label::closed("device", ["phone"]);
    let family = Family::counter("page_views_total").label(device).label(page);
    let schema = Schema::builder().family(family).build().expect("the family is valid");
    let agg = Aggregator::new(schema, Limits::default(), now()).expect("the limits have room");
    let before = agg.bytes_used();
    let (start, resident_before) = (Instant::now(), resident());
    let done = AtomicU64::new(0);
    let mut marks = Vec::new();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (agg, done) = (&agg, &done);
            scope.spawn(move || {
                for i in (thread..n_values).step_by(THREADS as usize) {
                    once(agg, by, i);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for mark in [10, 25, 50, 75, 100] {
            while done.load(Ordering::Relaxed) * 100 < n_values * mark {
                thread::sleep(Duration::from_millis(1));
            }
            marks.push(resident());
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    let times = repeats(by);
    let n_once = n_values * times;
    let row = |page: &str| format!("page_views_total{{device=\"phone\",page=\"{page}\"}}");
    let found = Found::of(&agg);
    assert_eq!(agg.bytes_used(), before, "a value that came once took bytes");
    assert_eq!((found.values, found.n_series), (0.0, 1), "a value that came once took a place");
    assert_eq!(found.overflow, n_once as f64);
    assert_eq!(exposition(&agg).value(&row("other")), n_once as f64);

    let n_often = n_values / OFTEN_ONE_IN;
    for i in 0..n_values {
        once(&agg, by, n_values + i);
        if i % OFTEN_ONE_IN == 0 {
            let source = i / OFTEN_ONE_IN % SOURCES;
            send(&agg, "/often", u64::from(u32::MAX) - source);
        }
    }
    let (found, exposition) = (Found::of(&agg), exposition(&agg));
    assert_eq!((found.values, found.n_series), (1.0, 2), "only what came often has a place");
    let own = exposition.value(&row("/often"));
    let waited = n_often as f64 - own;
    match by {
        AdmitBy::Batch => assert_eq!(waited, f64::from(ADMIT_AFTER - 1)),
        _ => assert!((2.0..64.0).contains(&waited), "{waited} waited"),
    }
    assert_eq!(exposition.value(&row("other")), 2.0 * n_once as f64 + waited);
    let notes = format!(
        "all {n_once} in `other`, label_values 0, bytes_used unchanged at {before}; of {n_often} of a \
         value among as many again, {waited} in `other` before it had a place"
    );
    let size = format!("{n_values} values");
    Row { size, seconds, start: resident_before, marks, deviation: 0.0, notes }
}

/// What the aggregator says of itself.
struct Found {
    values: f64,
    overflow: f64,
    n_series: usize,
}

impl Found {
    fn of(agg: &Aggregator) -> Self {
        agg.tick(now());
        let exposition = exposition(agg);
        let labels = r#"{family="page_views_total",label="page"}"#;
        Self {
            values: exposition.value(&format!("lastmile_label_values{labels}")),
            overflow: exposition.value(&format!("lastmile_overflow_total{labels}")),
            n_series: exposition.total("page_views_total").0,
        }
    }
}

/// By source, what comes once may come as often as it likes from that one.
fn repeats(by: AdmitBy) -> u64 {
    if by == AdmitBy::Source { u64::from(ADMIT_AFTER) } else { 1 }
}

fn once(agg: &Aggregator, by: AdmitBy, i: u64) {
    for _ in 0..repeats(by) {
        send(agg, &format!("/once/{i}"), i);
    }
}

fn send(agg: &Aggregator, page: &str, source: u64) {
    let body = format!(r#"{{"lm":1,"m":{{"page_views_total;device=phone;page={page}":1}}}}"#);
    let addr = IpAddr::V4(Ipv4Addr::from(source as u32));
    let source = Source::default().addr(addr);
    let report = agg.push(Format::Lm1, body.as_bytes(), &source, now()).expect("the line decodes");
    assert_eq!(report.accepted(), 1);
}
