//! fastmetrics: a `Family` by labels of owned strings.

use std::process::ExitCode;

use fastmetrics::derive::LabelSet;
use fastmetrics::format::text::{self, TextProfile};
use fastmetrics::metrics::counter::Counter;
use fastmetrics::metrics::family::Family;
use fastmetrics::registry::Registry;
use measure_store::{APP, APPS, Batch, FAMILY, HELP, HOST_FAMILY, Sink};

#[derive(Clone, Default, Eq, Hash, LabelSet, PartialEq)]
struct ClientLabels {
    app: String,
    page: String,
    device: String,
    country: String,
}

#[derive(Clone, Eq, Hash, LabelSet, PartialEq)]
struct HostLabels {
    app: &'static str,
}

struct Store {
    registry: Registry,
    clients: Family<ClientLabels, Counter>,
    host: Family<HostLabels, Counter>,
}

impl measure_store::Store for Store {
    type Batch = Batch;
    /// A look-up needs owned strings. Filling these again instead of making new ones saves their
    /// allocations.
    type Scratch = ClientLabels;
    type Counter<'a> = Counter;

    fn new() -> Self {
        let mut registry = Registry::default();
        let (clients, host) = (Family::default(), Family::default());
        registry.register(FAMILY, HELP, clients.clone()).expect("the name is valid and new");
        registry.register(HOST_FAMILY, HELP, host.clone()).expect("the name is valid and new");
        Self { registry, clients, host }
    }

    fn batch(&self, series: &[usize]) -> Batch {
        Batch::new(series)
    }

    fn scratch(&self) -> ClientLabels {
        ClientLabels::default()
    }

    fn push(&self, labels: &mut ClientLabels, batch: &mut Batch) {
        for [app, page, device, country] in batch.samples() {
            refill(&mut labels.app, app);
            refill(&mut labels.page, page);
            refill(&mut labels.device, device);
            refill(&mut labels.country, country);
            self.clients.with_or_new(labels, |counter| counter.inc());
        }
    }

    fn counter(&self) -> Counter {
        self.host.with_or_new(&HostLabels { app: APPS[APP] }, Counter::clone)
    }

    fn inc(counter: &Counter) {
        counter.inc();
    }

    fn encode(&self, sink: &mut Sink) {
        text::encode(sink, &self.registry, TextProfile::PrometheusV0_0_4)
            .expect("the sink takes every write");
    }
}

fn refill(string: &mut String, value: &str) {
    string.clear();
    string.push_str(value);
}

fn main() -> ExitCode {
    measure_store::main::<Store>()
}
