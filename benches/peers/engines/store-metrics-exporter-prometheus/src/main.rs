//! metrics-exporter-prometheus: the recorder itself, without the facade's thread-local look-up of it.

use std::process::ExitCode;
use std::sync::Arc;

use measure_store::{APP, APPS, Batch, FAMILY, HELP, HOST_FAMILY, LABELS, Sink};
use metrics::{Counter, Key, KeyName, Label, Level, Metadata, Recorder, SharedString};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

struct Store {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl measure_store::Store for Store {
    type Batch = Batch;
    type Scratch = ();
    type Counter<'a> = Counter;

    fn new() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        for name in [FAMILY, HOST_FAMILY] {
            recorder.describe_counter(KeyName::from_const_str(name), None, HELP.into());
        }
        Self { handle: recorder.handle(), recorder }
    }

    fn batch(&self, series: &[usize]) -> Batch {
        Batch::new(series)
    }

    fn scratch(&self) {}

    fn push(&self, (): &mut (), batch: &mut Batch) {
        for values in batch.samples() {
            // The recorder keeps only shared strings and would copy owned ones again.
            let label = |idx: usize| {
                let value = SharedString::from_shared(Arc::from(values[idx]));
                Label::new(SharedString::const_str(LABELS[idx]), value)
            };
            let labels = vec![label(0), label(1), label(2), label(3)];
            let key = Key::from_parts(KeyName::from_const_str(FAMILY), labels);
            self.recorder.register_counter(&key, &METADATA).increment(1);
        }
    }

    fn counter(&self) -> Counter {
        let labels = vec![Label::from_static_parts("app", APPS[APP])];
        let key = Key::from_parts(KeyName::from_const_str(HOST_FAMILY), labels);
        self.recorder.register_counter(&key, &METADATA)
    }

    fn inc(counter: &Counter) {
        counter.increment(1);
    }

    fn encode(&self, sink: &mut Sink) {
        self.handle.render_to_write(sink).expect("the sink takes every write");
    }
}

fn main() -> ExitCode {
    measure_store::main::<Store>()
}
