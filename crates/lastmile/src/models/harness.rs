//! What the models share: how schedules are chosen, a small aggregator, what a scrape shows.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use shuttle::Runner;
use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};

use crate::{Aggregator, Family, Format, Label, Limits, PushReport, Schema, ScrapeOptions, Source};
use crate::{Scrape, Timestamp};

/// Schedules of each kind in a short run.
const SCHEDULES: usize = 250;

/// Preemptions that PCT places, less one: most races need two.
const DEPTH: usize = 4;

/// Runs a model under many schedules: [`SCHEDULES`] of each kind, always the same, or new ones for
/// `MODEL_SECONDS`.
pub(super) fn check(model: impl Fn() + Send + Sync + 'static) {
    let model = Arc::new(model);
    if let Ok(schedule) = std::env::var("MODEL_SCHEDULE") {
        run(&model, ReplayScheduler::new_from_encoded(&schedule));
        return;
    }
    let seconds = std::env::var("MODEL_SECONDS").ok().and_then(|text| text.parse().ok());
    let Some(seconds) = seconds.map(|seconds: u32| f64::from(seconds)) else {
        run(&model, RandomScheduler::new_from_seed(1, SCHEDULES));
        run(&model, PctScheduler::new_from_seed(1, DEPTH, SCHEDULES));
        return;
    };
    let (began, mut n) = (Instant::now(), 0);
    while began.elapsed().as_secs_f64() < seconds {
        run(&model, RandomScheduler::new(SCHEDULES));
        run(&model, PctScheduler::new(DEPTH, SCHEDULES));
        n += 2 * SCHEDULES;
    }
    println!("{n} schedules, {:.0} a second", n as f64 / began.elapsed().as_secs_f64());
}

fn run(model: &Arc<impl Fn() + Send + Sync + 'static>, scheduler: impl Scheduler + 'static) {
    let mut config = shuttle::Config::new();
    config.stack_size = 256 << 10;
    // All orderings are as good as the strongest to shuttle; those that are not are loom's.
    config.silence_warnings = true;
    // A panic that unwinds through handles would take locks that others hold.
    config.ungraceful_shutdown_config.immediately_return_on_panic = true;
    let model = Arc::clone(model);
    Runner::new(scheduler, config).run(move || model());
}

/// An aggregator of two shards, at second 0.
pub(super) fn aggregator(families: &[Family], limits: Limits) -> Aggregator {
    let limits = limits.ids_bytes(1 << 12);
    let schema = schema(families);
    Aggregator::with_shards(&schema, &limits, at(0), Some(2)).expect("the schema fits")
}

pub(super) fn schema(families: &[Family]) -> Schema {
    let builder = families.iter().cloned().fold(Schema::builder(), |builder, f| builder.family(f));
    builder.build().expect("the schema is right")
}

/// A counter by page, which folds and expires.
pub(super) fn by_page(name: &str) -> Family {
    Family::counter(name).label(Label::open("page", 100)).ttl(TTL)
}

pub(super) const TTL: Duration = Duration::from_secs(10);

/// A second of a model's time.
pub(super) fn at(secs: u64) -> Timestamp {
    Timestamp::new(0, Duration::from_secs(secs))
}

/// A reader, by its port.
pub(super) fn reader(port: u16) -> SocketAddr {
    ([10, 0, 0, 1], port).into()
}

/// Pushes one batch without an id.
pub(super) fn push(agg: &Aggregator, samples: &[(&str, u64)], secs: u64) -> PushReport {
    push_as(agg, "", samples, secs)
}

/// Pushes one batch with this id.
pub(super) fn push_as(
    agg: &Aggregator,
    id: &str,
    samples: &[(&str, u64)],
    secs: u64,
) -> PushReport {
    let samples: Vec<String> = samples.iter().map(|(key, n)| format!(r#""{key}":{n}"#)).collect();
    let id = if id.is_empty() { String::new() } else { format!(r#""id":"{id}","#) };
    let body = format!(r#"{{"lm":1,{id}"m":{{{}}}}}"#, samples.join(","));
    let report = agg.push(Format::Lm1, body.as_bytes(), &Source::default(), at(secs));
    report.expect("the batch decodes")
}

/// What a scrape showed of the schema's families: values by the text before them.
pub(super) type Shown = BTreeMap<String, u64>;

/// Takes what follows of a scrape until the aggregator's own families begin, and completes it.
pub(super) fn read(mut scrape: Scrape, secs: u64) -> Shown {
    let (mut text, mut chunk) = (Vec::new(), Vec::new());
    while !has_own(&text) && scrape.next_chunk(&mut chunk) {
        text.extend_from_slice(&chunk);
    }
    scrape.complete(at(secs));
    shown(&text)
}

fn has_own(text: &[u8]) -> bool {
    text.windows(9).any(|window| window == b"lastmile_")
}

/// Reads lines as they must be: one header for each family, each series once.
fn shown(text: &[u8]) -> Shown {
    let text = std::str::from_utf8(text).expect("an exposition is UTF-8");
    let (mut shown, mut headers) = (Shown::new(), Vec::new());
    for line in text.lines().take_while(|line| !line.contains("lastmile_")) {
        if line.starts_with('#') {
            assert!(!headers.contains(&line), "`{line}` stands twice");
            headers.push(line);
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a line has a value");
        let value = value.parse().expect("a whole value");
        assert!(shown.insert(series.to_owned(), value).is_none(), "`{series}` stands twice");
    }
    shown
}

/// A whole scrape of somebody who is not a reader.
pub(super) fn live(agg: &Aggregator, secs: u64) -> Shown {
    read(agg.scrape(ScrapeOptions::text(), at(secs)), secs)
}

/// What a gauge of the aggregator's own stands at.
pub(super) fn own(agg: &Aggregator, name: &str, secs: u64) -> u64 {
    let mut text = Vec::new();
    agg.encode_to(&mut text, at(secs)).expect("a vector takes everything");
    let text = String::from_utf8(text).expect("an exposition is UTF-8");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.expect("it is there").parse().expect("a whole value")
}

/// What `increase` makes of the scrapes of one reader, by series: the first value of a series is its
/// baseline, and a fall is a start from 0.
#[derive(Debug, Default)]
pub(super) struct Increases(BTreeMap<String, (u64, u64)>);

impl Increases {
    pub(super) fn add(&mut self, shown: &Shown) {
        for (series, &value) in shown {
            let (last, sum) = self.0.entry(series.clone()).or_insert((value, 0));
            *sum += if value < *last { value } else { value - *last };
            *last = value;
        }
    }

    pub(super) fn of(&self, series: &str) -> u64 {
        self.0.get(series).map_or(0, |(_, sum)| *sum)
    }

    /// Of all series together.
    pub(super) fn total(&self) -> u64 {
        self.0.values().map(|(_, sum)| sum).sum()
    }
}

/// How much was begun to be added to something, and how much was: what a scrape may show lies between.
/// Counted by the model, so no step of it.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    begun: AtomicU64,
    done: AtomicU64,
}

impl Bounds {
    pub(super) fn around(&self, n: u64, add: impl FnOnce()) {
        self.begun.fetch_add(n, Ordering::Relaxed);
        add();
        self.done.fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

/// Runs these at once, each in a thread of its own.
pub(super) fn at_once(threads: Vec<Box<dyn FnOnce() + Send>>) {
    let threads: Vec<_> = threads.into_iter().map(shuttle::thread::spawn).collect();
    for thread in threads {
        thread.join().expect("a thread that panics ends the model");
    }
}

/// A thread for [`at_once`] that is given these, cloned.
macro_rules! thread {
    ($($name:ident),* => $body:block) => {{
        $(let $name = $name.clone();)*
        Box::new(move || $body) as Box<dyn FnOnce() + Send>
    }};
}
pub(super) use thread;
