//! `lastmile-aggregator`: takes the numbers that browsers push and shows the aggregate to Prometheus.
//!
//! It is `lastmile` with two listeners, a configuration and a way to stop; and it prints what those who write pages need
//! of it. Exit codes: 0 after a signal or when all is printed, 1 when it cannot run or print, 2 when the command line or
//! the configuration is wrong.

mod access;
mod apart;
mod args;
mod config;
mod fault;
mod file;
mod run;
mod schemas;
mod signals;
mod tags;
mod typescript;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::args::Asked;
use crate::config::Config;
use crate::fault::Faults;
use crate::schemas::Sources;

/// After a storm the system's allocator kept 78 MiB of which nothing was in use; `.cargo/config.toml` has this one give
/// back what is free at once.
#[cfg(all(feature = "jemalloc", target_os = "linux"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match Asked::of_process() {
        Asked::Run(args) => match Config::new(*args) {
            Ok(config) => ended(run::run(config)),
            Err(faults) => wrong("not started", &faults),
        },
        Asked::Types { sources, out } => match types(sources) {
            Ok(text) => ended(print(&text, out.as_deref())),
            Err(faults) => wrong("nothing printed", &faults),
        },
        Asked::Scripts { root } => ended(print(&tags::of_all(&root), None)),
    }
}

fn wrong(what: &str, faults: &Faults) -> ExitCode {
    eprintln!("lastmile-aggregator: {what}, because the configuration is wrong:");
    eprintln!("{faults}");
    ExitCode::from(2)
}

fn ended<E: std::fmt::Display>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("lastmile-aggregator: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The families that these sources declare, as TypeScript.
fn types(sources: Sources) -> Result<String, Faults> {
    let mut faults = Faults::default();
    let schema = sources.read(&mut faults).schema.build();
    if let Err(error) = &schema {
        faults.extend(error);
    }
    faults.none_or(schema.ok()).map(|schema| typescript::of(&schema))
}

fn print(text: &str, out: Option<&Path>) -> Result<(), String> {
    match out {
        Some(file) => std::fs::write(file, text)
            .map_err(|error| format!("cannot write {}: {error}", file.display())),
        None => std::io::stdout()
            .write_all(text.as_bytes())
            .map_err(|error| format!("cannot print: {error}")),
    }
}
