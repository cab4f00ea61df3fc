//! measured: interned labels, `CounterVec`.

use std::process::ExitCode;

use measure_store::{APP, Batch, FAMILY, HOST_FAMILY, Sink, Store};
use measured::metric::LabelId;
use measured::text::TextEncoder;
use measured::{CounterVec, FixedCardinalityLabel, LabelGroup, MetricGroup};
use paracord::ParaCord;

#[derive(Clone, Copy, LabelGroup)]
#[label(set = ClientLabelsSet)]
struct ClientLabels<'a> {
    #[label(dynamic_with = ParaCord, default)]
    app: &'a str,
    #[label(dynamic_with = ParaCord, default)]
    page: &'a str,
    #[label(dynamic_with = ParaCord, default)]
    device: &'a str,
    #[label(dynamic_with = ParaCord, default)]
    country: &'a str,
}

/// Known beforehand, so that the family is an array and its counters need no lock.
#[derive(Clone, Copy, FixedCardinalityLabel)]
#[label(rename_all = "snake_case", singleton = "app")]
enum App {
    Student,
    Teacher,
}

#[derive(MetricGroup)]
#[metric(new())]
struct Measured {
    /// What the benchmarks count.
    client_page_views_total: CounterVec<ClientLabelsSet>,
    /// What the benchmarks count.
    app_loads_total: CounterVec<measured::label::StaticLabelSet<App>>,
}

impl Store for Measured {
    type Batch = Batch;
    type Scratch = ();
    /// What may be kept is the id: a guard would hold the family's lock.
    type Counter<'a> = (&'a Self, LabelId<measured::label::StaticLabelSet<App>>);

    fn new() -> Self {
        Self::new()
    }

    fn batch(&self, series: &[usize]) -> Batch {
        Batch::new(series)
    }

    fn scratch(&self) {}

    fn push(&self, (): &mut (), batch: &mut Batch) {
        for [app, page, device, country] in batch.samples() {
            self.client_page_views_total.inc(ClientLabels { app, page, device, country });
        }
    }

    fn counter(&self) -> Self::Counter<'_> {
        let app = [App::Student, App::Teacher][APP];
        (self, self.app_loads_total.with_labels(app))
    }

    fn inc((store, id): &Self::Counter<'_>) {
        store.app_loads_total.get_metric(*id).inc();
    }

    fn encode(&self, sink: &mut Sink) {
        let mut encoder = TextEncoder::new(sink);
        self.collect_group_into(&mut encoder).expect("the sink takes every write");
    }
}

fn main() -> ExitCode {
    // The names are those of the fields.
    assert_eq!((FAMILY, HOST_FAMILY), ("client_page_views_total", "app_loads_total"));
    measure_store::main::<Measured>()
}
