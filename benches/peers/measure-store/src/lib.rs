//! The same work for every library that keeps series in process: which series and batches, how each is
//! timed, and the check that what was added is what is exposed.
//!
//! An engine implements [`Store`] through the best interface its library has and calls [`main`]. Its
//! process measures what its arguments name, prints a line `NAME VALUE` for each, and fails unless the
//! exposition holds exactly what was added.

mod args;
mod clock;
mod ingest;
mod sink;
mod stall;
mod store;
mod threads;
mod workload;

use std::process::ExitCode;

use crate::args::Args;
use crate::ingest::{Filled, encode, known};
use crate::stall::stall;
use crate::threads::{bound, bound_two, hot_two, known_two};

pub use crate::sink::Sink;
pub use crate::store::Store;
pub use crate::workload::{
    APP, APPS, BATCH_LEN, Batch, FAMILY, HELP, HOST_FAMILY, LABELS, labels, n_values,
};

/// Every error is one line for a person to read.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Measures a store as the command line says: `series=N samples=N MEASURE…`.
pub fn main<S: Store>() -> ExitCode {
    match Args::parse(std::env::args().skip(1)).and_then(|args| run::<S>(&args)) {
        // Dropping a million series one by one would take longer than some of what was measured.
        Ok(()) => std::process::exit(0),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run<S: Store>(args: &Args) -> Result<()> {
    let Filled { mut state, create_nanos, bytes } = ingest::fill::<S>(args.n_series)?;
    for measure in &args.measures {
        match measure.as_str() {
            "create" => print(measure, create_nanos),
            "memory" => print(measure, bytes),
            "known" => print(measure, known(&mut state, args.n_samples)),
            "encode" => print(measure, encode(&mut state)?),
            "bound" => print(measure, bound(&mut state)),
            "bound_two" => print(measure, bound_two(&mut state)?),
            "hot_two" => print(measure, hot_two(&mut state)?),
            "known_two" => print(measure, known_two(&mut state)?),
            "stall" | "stall_alone" => {
                let latency = stall(&mut state, measure == "stall")?;
                let micros = |nanos: u64| nanos as f64 / 1e3;
                print(&format!("{measure}_p999"), micros(latency.value_at_quantile(0.999)));
                print(&format!("{measure}_max"), micros(latency.max()));
            }
            _ => return Err(format!("`{measure}` is not measured").into()),
        }
    }
    state.check()
}

fn print(name: &str, value: f64) {
    println!("{name} {value:.3}");
}
