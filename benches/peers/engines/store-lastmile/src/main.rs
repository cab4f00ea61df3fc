//! lastmile: its store alone, or with `--push` everything from the text of a push.

mod lm1;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lastmile::{
    Aggregator, Counter, DecodedBatch, Family, Format, Label, Limits, Schema, ScrapeOptions,
    Source, Timestamp,
};
use measure_store::{APP, APPS, FAMILY, HELP, HOST_FAMILY, LABELS, Sink, Store, n_values};

use crate::lm1::Line;

/// A moment for everything that asks for one.
fn now() -> Timestamp {
    Timestamp::new(1_700_000_000_000, Duration::from_secs(60))
}

fn aggregator() -> Aggregator {
    let labels = LABELS.into_iter().zip(n_values());
    let clients = labels.fold(Family::counter(FAMILY).help(HELP), |family, (label, n_values)| {
        let n_values = u32::try_from(n_values).expect("there are a thousand at most");
        family.label(Label::open(label, n_values))
    });
    let host = Family::counter(HOST_FAMILY).help(HELP).label(Label::closed("app", APPS));
    let schema = Schema::builder().family(clients).family(host).build();
    let limits = Limits::default().bytes(4 << 30).series_per_family(1_100_000);
    Aggregator::new(schema.expect("the families are valid"), limits, now()).expect("it has room")
}

/// What both have in common.
fn counter(aggregator: &Aggregator) -> Counter {
    aggregator.counter(HOST_FAMILY, &[("app", APPS[APP])]).expect("it is declared")
}

fn encode(aggregator: &Aggregator, sink: &mut Sink) {
    let (mut scrape, mut chunk) = (aggregator.scrape(ScrapeOptions::text(), now()), Vec::new());
    while scrape.next_chunk(&mut chunk) {
        sink.take(&chunk);
    }
    scrape.complete(now());
}

/// The work of other stores and no more: samples that are decoded are hashed, looked up and added.
struct Applied(Aggregator);

impl Store for Applied {
    type Batch = DecodedBatch;
    type Scratch = ();
    type Counter<'a> = Counter;

    fn new() -> Self {
        Self(aggregator())
    }

    fn batch(&self, series: &[usize]) -> DecodedBatch {
        let line = Line::new(series);
        self.0.decode_batch(Format::Lm1, line.as_bytes()).expect("the line is valid")
    }

    fn scratch(&self) {}

    fn push(&self, (): &mut (), batch: &mut DecodedBatch) {
        // Decoding hashed them too, but that was not timed.
        self.0.hash_batch(batch);
        self.0.apply_batch(batch, now());
    }

    fn counter(&self) -> Counter {
        counter(&self.0)
    }

    fn inc(counter: &Counter) {
        counter.inc();
    }

    fn encode(&self, sink: &mut Sink) {
        encode(&self.0, sink);
    }
}

/// A whole push: parsing, every check, and an id that was not there before.
struct Pushed {
    aggregator: Aggregator,
    n_ids: AtomicU64,
}

impl Store for Pushed {
    type Batch = Line;
    type Scratch = ();
    type Counter<'a> = Counter;

    fn new() -> Self {
        Self { aggregator: aggregator(), n_ids: AtomicU64::new(0) }
    }

    fn batch(&self, series: &[usize]) -> Line {
        Line::new(series)
    }

    fn scratch(&self) {}

    fn push(&self, (): &mut (), line: &mut Line) {
        let body = line.with_id(self.n_ids.fetch_add(1, Ordering::Relaxed));
        self.aggregator
            .push(Format::Lm1, body, &Source::default(), now())
            .expect("the line is valid");
    }

    fn counter(&self) -> Counter {
        counter(&self.aggregator)
    }

    fn inc(counter: &Counter) {
        counter.inc();
    }

    fn encode(&self, sink: &mut Sink) {
        encode(&self.aggregator, sink);
    }
}

fn main() -> ExitCode {
    if std::env::args().any(|arg| arg == "--push") {
        measure_store::main::<Pushed>()
    } else {
        measure_store::main::<Applied>()
    }
}
