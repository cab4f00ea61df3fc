//! What each reader is shown, and how series leave: whatever happens, the increase that each reader can
//! compute is what was counted, and nobody is shown a fall that did not happen.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use lastmile::{
    Aggregator, Family, Format, Hold, Label, Limits, OwnMetrics, Schema, Scrape, ScrapeOptions,
    Source, Timestamp,
};
use proptest::prelude::*;

use crate::expo::{self, Series};
use crate::oracle::start;
use crate::pushes::config;

const TTL: Duration = Duration::from_secs(600);

fn aggregator(limits: Limits) -> Aggregator {
    let schema = Schema::builder()
        .family(Family::counter("closed_total").label(Label::closed("app", ["a", "b"])))
        .family(Family::counter("open_total").label(Label::open("page", 3)).ttl(TTL))
        .family(
            Family::histogram("wait_seconds", [0.5, 1.0]).label(Label::open("page", 3)).ttl(TTL),
        )
        .build()
        .unwrap();
    Aggregator::new(schema, limits, start()).unwrap()
}

fn push(agg: &Aggregator, key: &str, value: &str, now: Timestamp) {
    let body = format!(r#"{{"lm":1,"m":{{"{key}":{value}}}}}"#);
    let report = agg.push(Format::Lm1, body.as_bytes(), &Source::default(), now).unwrap();
    assert_eq!(report.n_refused(), 0, "{body}");
}

fn addr(port: u16) -> SocketAddr {
    ([10, 0, 0, 1], port).into()
}

/// A Prometheus: what it stored of the last scrape, and the increase it computed since.
#[derive(Default)]
struct Prometheus {
    port: u16,
    /// In seconds.
    timeout: Option<u64>,
    /// The one family that it asks for.
    family: Option<&'static str>,
    last: BTreeMap<Series, f64>,
    increase: BTreeMap<Series, f64>,
    running: Option<(Scrape, Vec<u8>)>,
}

impl Prometheus {
    fn new(port: u16) -> Self {
        Self { port, ..Self::default() }
    }

    fn begin(&mut self, agg: &Aggregator, now: Timestamp) {
        let timeout = self.timeout.map(Duration::from_secs);
        let mut options = ScrapeOptions::text().reader(addr(self.port), timeout);
        if let Some(family) = self.family {
            options = options.family(family);
        }
        let scrape = agg.scrape(options, now);
        self.running = Some((scrape, Vec::new()));
    }

    /// Reads on; at the end stores what it read, as Prometheus does: a first value is a baseline, a fall
    /// is a reset that counts from 0.
    fn read(&mut self, now: Timestamp) -> bool {
        let Some((scrape, text)) = &mut self.running else {
            return false;
        };
        let mut chunk = Vec::new();
        if scrape.next_chunk(&mut chunk) {
            text.extend_from_slice(&chunk);
            return true;
        }
        let (scrape, text) = self.running.take().unwrap();
        scrape.complete(now);
        let exposition = expo::parse(&text);
        let seen: BTreeMap<Series, f64> = exposition
            .samples()
            .filter(|s| !s.name.starts_with("lastmile_"))
            .map(|s| (s.series(), s.value()))
            .collect();
        for (series, value) in &seen {
            let increase = match self.last.get(series) {
                Some(before) if value >= before => value - before,
                Some(_) => *value,
                None => 0.0,
            };
            *self.increase.entry(series.clone()).or_default() += increase;
        }
        // A series that is gone is marked stale; should it come back, its first value is a baseline.
        self.last = seen;
        false
    }

    fn scrape(&mut self, agg: &Aggregator, now: Timestamp) {
        self.begin(agg, now);
        while self.read(now) {}
    }

    fn value(&self, name: &str) -> Option<f64> {
        self.last
            .iter()
            .find(|((n, labels), _)| {
                let body: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
                format!("{n};{}", body.join(";")) == name
            })
            .map(|(_, v)| *v)
    }
}

fn at(secs: u64) -> Timestamp {
    start().after(Duration::from_secs(secs))
}

#[test]
fn a_job_that_asks_for_something_else_now_sees_no_fall() {
    let agg = aggregator(Limits::default());
    let mut job = Prometheus { family: Some("closed_total"), ..Prometheus::new(1) };
    (0..3).for_each(|i| job.scrape(&agg, at(15 * i)));
    push(&agg, "open_total;page=x", "1", at(31));
    push(&agg, "closed_total;app=a", "5", at(31));
    (3..5).for_each(|i| job.scrape(&agg, at(15 * i)));
    assert_eq!(job.value("closed_total;app=a"), Some(5.0));
    // Its configuration is another, and so is its connection; its series are the same.
    (job.family, job.port) = (None, 2);
    (5..8).for_each(|i| job.scrape(&agg, at(15 * i)));
    assert_eq!(job.increase.iter().find(|((name, _), _)| name == "closed_total").unwrap().1, &5.0);
}

#[test]
fn every_reader_sees_a_new_series_at_0_first() {
    let agg = aggregator(Limits::default());
    let (mut one, mut two) = (Prometheus::new(1), Prometheus::new(2));
    push(&agg, "closed_total;app=a", "5", at(1));
    push(&agg, "open_total;page=/x", "7", at(1));
    for (secs, closed, open) in [(2, 0.0, 0.0), (4, 5.0, 7.0)] {
        for reader in [&mut one, &mut two] {
            reader.scrape(&agg, at(secs));
            assert_eq!(reader.value("closed_total;app=a"), Some(closed));
            assert_eq!(reader.value("open_total;page=/x"), Some(open));
        }
    }
    push(&agg, "wait_seconds;page=/x", "[0.7]", at(5));
    one.scrape(&agg, at(6));
    one.scrape(&agg, at(7));
    two.scrape(&agg, at(7));
    assert_eq!(one.value("wait_seconds_count;page=/x"), Some(1.0));
    assert_eq!(two.value("wait_seconds_count;page=/x"), Some(0.0), "each has its own view");
    // Anyone else sees live values, unless everyone is held.
    for (hold, expect) in [(Hold::Readers, "7"), (Hold::Off, "7"), (Hold::Everyone, "0")] {
        let agg = aggregator(Limits::default().hold(hold));
        push(&agg, "open_total;page=/x", "7", at(1));
        let mut text = Vec::new();
        agg.encode_to(&mut text, at(2)).unwrap();
        let line = format!("open_total{{page=\"/x\"}} {expect}\n");
        assert!(String::from_utf8(text).unwrap().contains(&line), "{hold:?}");
    }
}

#[test]
fn a_reader_that_reconnects_or_is_new_is_shown_no_fall() {
    let agg = aggregator(Limits::default());
    let mut first = Prometheus::new(1);
    first.scrape(&agg, at(1));
    push(&agg, "closed_total;app=a", "5", at(2));
    push(&agg, "open_total;page=/x", "7", at(2));
    first.scrape(&agg, at(3));
    first.scrape(&agg, at(5));
    assert_eq!(first.value("open_total;page=/x"), Some(7.0));
    // The same Prometheus on a new connection: what was shown stays shown.
    let mut again = Prometheus { port: 2, last: first.last.clone(), ..Prometheus::default() };
    again.scrape(&agg, at(7));
    assert_eq!(again.value("open_total;page=/x"), Some(7.0));
    assert!(again.increase.values().all(|v| *v == 0.0), "no increase that did not happen");
    // A row that nobody was shown is held from a new reader, until it is two minutes old.
    push(&agg, "open_total;page=/y", "3", at(8));
    let mut new = Prometheus::new(3);
    new.scrape(&agg, at(9));
    assert_eq!(new.value("open_total;page=/y"), Some(0.0));
    let mut late = Prometheus::new(4);
    late.scrape(&agg, at(8 + 121));
    assert_eq!(late.value("open_total;page=/y"), Some(3.0));
}

#[test]
fn a_scrape_of_some_families_is_none_of_the_others() {
    let agg = aggregator(Limits::default());
    // Two jobs of one Prometheus behind a proxy that uses one connection for both.
    let mut all = Prometheus::new(1);
    let mut some = Prometheus { family: Some("closed_total"), ..Prometheus::new(1) };
    for reader in [&mut all, &mut some] {
        reader.scrape(&agg, at(0));
        reader.scrape(&agg, at(1));
    }
    push(&agg, "open_total;page=/x", "7", at(2));
    push(&agg, "closed_total;app=a", "5", at(2));
    for secs in 3..6 {
        some.scrape(&agg, at(secs));
        assert_eq!(some.value("closed_total;app=a"), Some(5.0));
        assert_eq!(some.value("open_total;page=/x"), None);
    }
    all.scrape(&agg, at(6));
    assert_eq!(all.value("open_total;page=/x"), Some(0.0), "nobody was shown it yet");
    for secs in [7, 8] {
        some.scrape(&agg, at(secs));
    }
    all.scrape(&agg, at(10));
    assert_eq!(all.value("open_total;page=/x"), Some(7.0));
    for reader in [&all, &some] {
        let app = ("closed_total".to_owned(), vec![("app".to_owned(), "a".to_owned())]);
        assert_eq!(reader.increase[&app], 5.0);
    }
    // Idle for its time to live, it still waits for who has not read what came last.
    push(&agg, "open_total;page=/x", "1", at(11));
    for secs in [200, 400, 600, 615] {
        some.scrape(&agg, at(secs));
    }
    agg.tick(at(616));
    all.scrape(&agg, at(617));
    assert_eq!(all.value("open_total;page=/x"), Some(8.0));
}

/// Whether a series of `open_total`, idle for its time to live, waits for a reader that asks for `family` and has
/// not read yet what was counted last.
#[track_caller]
fn check_wait(family: Option<&'static str>, waits: bool) {
    let agg = aggregator(Limits::default());
    let mut reader = Prometheus { family, ..Prometheus::new(1) };
    // It is live for three of its longest gaps: until 1,400 s.
    for secs in [0, 150, 400] {
        reader.scrape(&agg, at(secs));
    }
    push(&agg, "open_total;page=/x", "7", at(501));
    reader.scrape(&agg, at(650));
    push(&agg, "open_total;page=/x", "1", at(651));
    agg.tick(at(651 + 601));
    let is_there = |secs| {
        let mut text = Vec::new();
        agg.encode_to(&mut text, at(secs)).unwrap();
        expo::parse(&text).value("open_total", &[("page", "/x")]).is_some()
    };
    assert_eq!(is_there(1_253), waits, "{family:?}");
    for secs in [1_254, 1_255, 1_390] {
        reader.scrape(&agg, at(secs));
    }
    assert!(!is_there(1_391), "{family:?}: it was read");
}

#[test]
fn a_series_waits_for_readers_of_its_family_alone() {
    check_wait(None, true);
    for (family, waits) in
        [("open_total", true), ("open", true), ("closed_total", false), ("wait_seconds", false)]
    {
        check_wait(Some(family), waits);
    }
}

#[test]
fn a_scrape_shows_what_was_asked_for() {
    let agg = aggregator(Limits::default());
    push(&agg, "open_total;page=/x", "7", at(1));
    let text = ScrapeOptions::text;
    let read = |options: ScrapeOptions| {
        let mut scrape = agg.scrape(options, at(2));
        let (mut all, mut chunk) = (Vec::new(), Vec::new());
        while scrape.next_chunk(&mut chunk) {
            all.extend_from_slice(&chunk);
        }
        scrape.complete(at(2));
        let types = String::from_utf8(all).unwrap();
        let types = types.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        types.map(|line| line.split_once(' ').unwrap().0.to_owned()).collect::<Vec<_>>()
    };
    let everything = read(text());
    let (own, theirs): (Vec<_>, Vec<_>) = everything.iter().cloned().partition(|name| {
        name.starts_with("lastmile_") || name == "metrics_aggregator_record_total"
    });
    assert!(own.len() > 10 && theirs.len() == 2);
    let long = "x".repeat(100_000);
    let many = |n: usize, last: &str| {
        let names = (0..n).map(|i| format!("n{i}"));
        names.chain([last.to_owned()]).fold(text(), |options, name| options.family(&name))
    };
    let own_name = "lastmile_refused_total";
    let only = |name: &str| vec![name.to_owned()];
    let nothing = Vec::new();
    for (options, expected) in [
        (text().own(OwnMetrics::Included), everything.clone()),
        (text().own(OwnMetrics::Only), own),
        (text().own(OwnMetrics::Excluded), theirs),
        (text().family("open_total"), only("open_total")),
        (text().family("open_total").family("open_total"), only("open_total")),
        (text().family("nothing").family(own_name), only(own_name)),
        (text().family(own_name).own(OwnMetrics::Only), only(own_name)),
        (text().family(own_name).own(OwnMetrics::Excluded), nothing.clone()),
        (text().family("open_total").own(OwnMetrics::Only), nothing.clone()),
        (text().family(""), nothing.clone()),
        (text().family("open"), only("open_total")),
        (text().family("open_created"), only("open_total")),
        (text().family("open_total").family("open"), only("open_total")),
        (text().family("wait_seconds"), nothing.clone()),
        (text().family("closed_total_total"), nothing.clone()),
        (text().family("ope"), nothing.clone()),
        (text().family(&long), nothing.clone()),
        (many(ScrapeOptions::FAMILIES_MAX - 1, "open_total"), only("open_total")),
        (many(ScrapeOptions::FAMILIES_MAX, "open_total"), nothing),
    ] {
        let asked = format!("{options:?}");
        assert_eq!(read(options), expected, "{asked:.500}");
    }
}

#[test]
fn idle_series_leave_when_read_and_return_as_new() {
    let agg = aggregator(Limits::default());
    let used = agg.bytes_used();
    push(&agg, "open_total;page=/x", "7", at(0));
    push(&agg, "open_total;page=/y", "1", at(0));
    push(&agg, "closed_total;app=a", "1", at(0));
    let mut reader = Prometheus::new(1);
    // Once in 400 s: at 800 s the series are idle, but only the scrape at 400 s showed their value.
    for secs in [0, 400] {
        reader.scrape(&agg, at(secs));
        agg.tick(at(secs + 1));
    }
    push(&agg, "open_total;page=/y", "1", at(500));
    agg.tick(at(700));
    reader.scrape(&agg, at(800));
    assert_eq!(reader.value("open_total;page=/x"), None, "idle for its time to live and read");
    assert_eq!(reader.value("open_total;page=/y"), Some(2.0));
    agg.tick(at(1_101 + 400));
    assert_eq!(agg.bytes_used(), used, "all memory is given back");
    push(&agg, "open_total;page=/x", "4", at(1_600));
    reader.scrape(&agg, at(1_601));
    assert_eq!(reader.value("open_total;page=/x"), Some(0.0), "it starts at 0");
    reader.scrape(&agg, at(1_602));
    assert_eq!(reader.value("open_total;page=/x"), Some(4.0));
    assert_eq!(reader.value("closed_total;app=a"), Some(1.0), "closed series stay");
    let increase = |name: &str, page: &str| {
        reader.increase[&(name.to_owned(), vec![("page".to_owned(), page.to_owned())])]
    };
    assert_eq!((increase("open_total", "/x"), increase("open_total", "/y")), (11.0, 2.0));
}

#[test]
fn without_readers_the_time_to_live_alone_counts_and_places_are_free_again() {
    let agg = aggregator(Limits::default());
    for round in 0..3 {
        let secs = round * 2_000;
        for page in 0..5 {
            push(&agg, &format!("open_total;page=/{round}-{page}"), "1", at(secs));
        }
        let mut text = Vec::new();
        agg.encode_to(&mut text, at(secs + 1)).unwrap();
        let exposition = expo::parse(&text);
        assert_eq!(
            exposition.value("open_total", &[("page", "other")]),
            Some(2.0),
            "three places, each round"
        );
        assert_eq!(exposition.total("open_total"), 5.0);
        agg.tick(at(secs + 601));
        let mut text = Vec::new();
        agg.encode_to(&mut text, at(secs + 602)).unwrap();
        assert_eq!(expo::parse(&text).total("open_total"), 0.0);
    }
}

#[test]
fn a_handle_keeps_its_row() {
    let agg = aggregator(Limits::default());
    let pages = agg.counter("open_total", &[("page", "/kept")]).unwrap();
    push(&agg, "open_total;page=/gone", "1", at(0));
    pages.inc_by(1_000);
    for hour in 1..5 {
        agg.tick(at(3_600 * hour));
    }
    pages.inc_by(7);
    assert_eq!(pages.value(), 1_007.0);
    let mut text = Vec::new();
    agg.encode_to(&mut text, at(20_000)).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains("open_total{page=\"/kept\"} 1007\n") && !text.contains("/gone"),
        "{text}"
    );
    drop(pages);
    agg.tick(at(40_000));
    let mut text = Vec::new();
    agg.encode_to(&mut text, at(40_000)).unwrap();
    assert!(!String::from_utf8(text).unwrap().contains("/kept"));
}

/// What happens in one second.
#[derive(Clone, Debug)]
struct Second {
    pushes: Vec<(usize, u32)>,
    /// Readers whose scrape of this second, if they have one, breaks off.
    abort: [bool; 5],
    /// Chunks that are read before the pushes; the others come after.
    n_before: usize,
    tick: bool,
}

fn second() -> impl Strategy<Value = Second> {
    let pushes = proptest::collection::vec((0..6_usize, 1..100_u32), 0..3);
    let abort = proptest::array::uniform5(proptest::bool::weighted(0.05));
    (pushes, abort, 0..3_usize, any::<bool>()).prop_map(|(pushes, abort, n_before, tick)| Second {
        pushes,
        abort,
        n_before,
        tick,
    })
}

proptest! {
    #![proptest_config(config(64))]

    /// Three Prometheus behind one address, every 1, 2 and 5 s, now and then broken off: when all is
    /// quiet, each has computed exactly what was counted, series by series, through resets and returns.
    #[test]
    fn what_each_reader_computes_is_what_was_counted(
        seconds in proptest::collection::vec(second(), 1..60),
        ttl in 3..20_u64,
    ) {
        let open = |family: Family| family.label(Label::open("page", 3)).ttl(Duration::from_secs(ttl));
        let schema = Schema::builder()
            .family(Family::counter("closed_total").label(Label::closed("app", ["a", "b"])))
            .family(open(Family::counter("open_total")))
            .family(open(Family::histogram("wait_seconds", [0.5, 1.0])))
            .build()
            .unwrap();
        let agg = Aggregator::new(schema, Limits::default(), start()).unwrap();
        // As Prometheus does, they wait as long as their interval: so nothing is lost from the start on.
        let of = |(secs, port)| (secs, Prometheus { timeout: Some(secs), ..Prometheus::new(port) });
        let mut readers: Vec<(u64, Prometheus)> = [1, 2, 5].into_iter().zip(1..).map(of).collect();
        // And two that ask for one family each, on the connection that the second uses.
        for family in ["open_total", "wait_seconds"] {
            let (secs, reader) = of((2, 2));
            readers.push((secs, Prometheus { family: Some(family), ..reader }));
        }
        let keys = ["closed_total;app=a", "closed_total;app=b", "open_total;page=/1", "open_total;page=/2",
            "wait_seconds;page=/1", "wait_seconds;page=/2"];
        let mut counted: BTreeMap<usize, u64> = BTreeMap::new();
        let quiet = Second { pushes: Vec::new(), abort: [false; 5], n_before: 1, tick: true };
        // Who has not completed a scrape yet holds nothing up, so each does once; and some quiet after.
        let after = std::iter::repeat_n(&quiet, 15);
        for (i, second) in std::iter::once(&quiet).chain(&seconds).chain(after).enumerate() {
            let now = at(i as u64);
            for (interval, reader) in &mut readers {
                if (i as u64).is_multiple_of(*interval) {
                    reader.begin(&agg, now);
                }
            }
            for _ in 0..second.n_before {
                readers.iter_mut().for_each(|(_, reader)| { reader.read(now); });
            }
            for (series, n) in &second.pushes {
                let value = if *series < 4 { n.to_string() } else { format!("[[0.7,{n}]]") };
                push(&agg, keys[*series], &value, now);
                *counted.entry(*series).or_default() += u64::from(*n);
            }
            if second.tick {
                agg.tick(now);
            }
            for ((_, reader), abort) in readers.iter_mut().zip(second.abort) {
                if abort {
                    reader.running = None;
                }
                while reader.read(now) {}
            }
        }
        for (series, n) in counted {
            let (name, label) = keys[series].split_once(';').unwrap();
            let (label, value) = label.split_once('=').unwrap();
            let asks = |reader: &Prometheus| reader.family.is_none_or(|family| family == name);
            let asking = readers.iter().filter(|(_, reader)| asks(reader));
            let name = if series < 4 { name.to_owned() } else { format!("{name}_count") };
            let key = (name, vec![(label.to_owned(), value.to_owned())]);
            for (interval, reader) in asking {
                prop_assert_eq!(reader.increase.get(&key).copied(), Some(n as f64), "{:?} every {} s", key, interval);
            }
        }
    }
}
