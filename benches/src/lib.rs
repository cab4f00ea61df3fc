//! What the benchmarks share: the pushes they send, the schemas they send them to, a clock of CPU
//! time, and the check at the end that every sample sent is in the exposition.

mod compare;
mod exposition;
mod host;
mod workload;

pub use compare::{Comparison, compare, compare_prepared, median, thread_cpu};
pub use exposition::{Exposition, exposition};
pub use host::{is_bench, print_host};
pub use workload::{
    Batch, N_SAMPLES_LM1_PAGE_LOAD, N_SAMPLES_PROMJS_PAGE_LOAD, N_SAMPLES_SEED_PAGE_LOAD, Shape,
    browser_aggregator, durations, lm1_page_load, now, otlp_page_load, promjs_page_load,
    pum_aggregator, seed_page_load,
};
