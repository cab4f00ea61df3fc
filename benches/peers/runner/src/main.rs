//! Sends the same pushes to every engine and prints what each takes: `cargo run --release`. With
//! `store` as the first argument, measures libraries in process instead: see [`store`].
//!
//! Each round starts every engine once, in turn, on the first core, and sends it a fixed number of
//! pushes from the second over 32 connections that stay open, each with one push under way. The
//! engine's CPU time comes from the system before and after. A round's times stand side by side,
//! so the ratios hold where the times do not; the table shows medians over the rounds.

mod args;
mod engine;
mod load;
mod process;
mod scenario;
mod store;
mod table;

use std::path::Path;
use std::process::ExitCode;

use crate::args::Args;
use crate::engine::{Engine, Sent};
use crate::load::{Load, Outcome};
use crate::process::{Core, CpuTime};
use crate::scenario::Scenario;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Pushes before the ones that are measured, so that every page and every connection's memory is
/// there.
const N_WARM_UP: u64 = 5_000;

/// Bodies, each a line with an id of its own, in a push that fills the set of ids: the most that `lm1` takes.
const BODIES_PER_FILL: u64 = 16;

/// What one engine took in one round.
#[derive(Debug)]
struct Run {
    /// CPU time of the measured pushes.
    cpu: CpuTime,
    n_pushes: u64,
    outcome: Outcome,
    /// Largest resident memory of the process, in bytes.
    rss_bytes: u64,
}

fn main() -> ExitCode {
    match Args::parse(std::env::args().skip(1)).and_then(|args| run(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("runner: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the runner has a parent")?;
    if args.store {
        return store::run(root, args);
    }
    let scenarios = scenario::load_all(&root.join("scenarios"))?;
    let engines = engine::load_all(&root.join("engines"))?;
    let scenarios: Vec<&Scenario> =
        scenarios.iter().filter(|scenario| args.wants_scenario(&scenario.name)).collect();
    let engines: Vec<&Engine> =
        engines.iter().filter(|engine| args.wants_engine(&engine.name)).collect();
    if scenarios.is_empty() || engines.is_empty() {
        return Err("no scenario or no engine of that name".into());
    }
    let (server_core, load_core) = process::two_cores()?;

    for engine in &engines {
        engine.build(root)?;
    }
    table::print_host(args, server_core, load_core);
    for scenario in scenarios {
        let mut runs: Vec<(&Engine, Vec<Run>)> =
            engines.iter().map(|engine| (*engine, Vec::new())).collect();
        for _ in 0..args.n_rounds {
            for (engine, runs) in &mut runs {
                runs.push(
                    one_run(engine, scenario, args, server_core, load_core).map_err(|error| {
                        format!("{} on {}: {error}", engine.name, scenario.name)
                    })?,
                );
            }
        }
        table::print(scenario, &runs);
    }
    Ok(())
}

/// Starts the engine, fills its set of ids, sends it the warm-up and the measured pushes, and checks that it
/// counted all of them.
fn one_run(
    engine: &Engine,
    scenario: &Scenario,
    args: &Args,
    server_core: Core,
    load_core: Core,
) -> Result<Run> {
    process::pin(server_core)?;
    let server = engine.start(scenario)?;
    process::pin(load_core)?;

    let path = engine.path(&scenario.format)?;
    let load = |n_bodies, n_ids| {
        Load::new(server.public, path, scenario, n_bodies, n_ids, args.n_connections)
    };
    let is_to_fill = engine.remembers_ids() && scenario.ids_before > 0;
    let n_fills = if is_to_fill { scenario.ids_before.div_ceil(BODIES_PER_FILL) } else { 0 };
    let n_filled = n_fills * BODIES_PER_FILL;
    if is_to_fill {
        load(usize::try_from(BODIES_PER_FILL)?, 0)?.run(n_fills)?;
    }

    let mut load = load(1, n_filled)?;
    load.run(N_WARM_UP)?;
    let before = server.cpu_time()?;
    let outcome = load.run(args.n_pushes)?;
    let after = server.cpu_time()?;
    let n_sent = N_WARM_UP + args.n_pushes;
    let sent =
        Sent { n_pushes: n_fills + n_sent, n_bodies: n_filled + n_sent, is_set_full: is_to_fill };
    engine.check_counts(&server, scenario, sent)?;
    Ok(Run {
        cpu: after - before,
        n_pushes: args.n_pushes,
        outcome,
        rss_bytes: server.rss_bytes_max()?,
    })
}
