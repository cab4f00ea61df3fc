//! prometheus-client: a `Family` by labels of owned strings.

use std::process::ExitCode;

use measure_store::{APP, APPS, Batch, FAMILY, HELP, HOST_FAMILY, Sink};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, Default, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ClientLabels {
    app: String,
    page: String,
    device: String,
    country: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
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
    /// allocations, more than half of its time.
    type Scratch = ClientLabels;
    type Counter<'a> = Counter;

    fn new() -> Self {
        let mut registry = Registry::default();
        let (clients, host) = (Family::default(), Family::default());
        // The encoder puts the suffix back.
        let name = |name: &'static str| name.strip_suffix("_total").unwrap_or(name);
        registry.register(name(FAMILY), HELP, clients.clone());
        registry.register(name(HOST_FAMILY), HELP, host.clone());
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
            self.clients.get_or_create(labels).inc();
        }
    }

    fn counter(&self) -> Counter {
        self.host.get_or_create_owned(&HostLabels { app: APPS[APP] })
    }

    fn inc(counter: &Counter) {
        counter.inc();
    }

    fn encode(&self, sink: &mut Sink) {
        text::encode(sink, &self.registry).expect("the sink takes every write");
    }
}

fn refill(string: &mut String, value: &str) {
    string.clear();
    string.push_str(value);
}

fn main() -> ExitCode {
    measure_store::main::<Store>()
}
