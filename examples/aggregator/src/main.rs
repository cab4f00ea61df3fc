//! `lastmile-aggregator`: takes the numbers that browsers push and shows the aggregate to Prometheus.
//!
//! It is `lastmile` with two listeners, a configuration and a way to stop. Exit codes: 0 after a
//! signal, 1 when it cannot run, 2 when the command line or the configuration is wrong.

mod access;
mod args;
mod config;
mod fault;
mod file;
mod run;
mod schemas;
mod signals;

use std::process::ExitCode;

use crate::args::Args;
use crate::config::Config;

fn main() -> ExitCode {
    let config = match Config::new(Args::from_process()) {
        Ok(config) => config,
        Err(faults) => {
            eprintln!("lastmile-aggregator: not started, because the configuration is wrong:");
            eprintln!("{faults}");
            return ExitCode::from(2);
        }
    };
    match run::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("lastmile-aggregator: {failure}");
            ExitCode::FAILURE
        }
    }
}
