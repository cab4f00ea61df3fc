//! prometheus (rust-prometheus): `IntCounterVec`.

use std::process::ExitCode;

use measure_store::{APP, APPS, Batch, FAMILY, HELP, HOST_FAMILY, LABELS, Sink};
use prometheus::{Encoder, IntCounter, IntCounterVec, Opts, Registry, TextEncoder};

struct Store {
    registry: Registry,
    clients: IntCounterVec,
    host: IntCounterVec,
}

impl measure_store::Store for Store {
    type Batch = Batch;
    type Scratch = ();
    type Counter<'a> = IntCounter;

    fn new() -> Self {
        let registry = Registry::new();
        let family = |name: &str, labels: &[&str]| {
            let family = IntCounterVec::new(Opts::new(name, HELP), labels).expect("valid names");
            registry.register(Box::new(family.clone())).expect("the name is new");
            family
        };
        let (clients, host) = (family(FAMILY, &LABELS), family(HOST_FAMILY, &["app"]));
        Self { registry, clients, host }
    }

    fn batch(&self, series: &[usize]) -> Batch {
        Batch::new(series)
    }

    fn scratch(&self) {}

    fn push(&self, (): &mut (), batch: &mut Batch) {
        for values in batch.samples() {
            self.clients.with_label_values(&values).inc();
        }
    }

    fn counter(&self) -> IntCounter {
        self.host.with_label_values(&[APPS[APP]])
    }

    fn inc(counter: &IntCounter) {
        counter.inc();
    }

    fn encode(&self, sink: &mut Sink) {
        let families = self.registry.gather();
        TextEncoder::new().encode(&families, sink).expect("the sink takes every write");
    }
}

fn main() -> ExitCode {
    measure_store::main::<Store>()
}
