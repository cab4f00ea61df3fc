use std::process::Command;

use crate::Run;
use crate::args::Args;
use crate::engine::Engine;
use crate::process::Core;
use crate::scenario::Scenario;

/// Prints what a number cannot be read without.
pub(crate) fn print_host(args: &Args, server_core: Core, load_core: Core) {
    println!("host    {}, server on core {server_core}, load on core {load_core}", processor());
    println!("commit  {}", output("git", &["describe", "--always", "--dirty", "--abbrev=12"]));
    println!("rustc   {}", output("rustc", &["--version"]));
    println!(
        "load    {} rounds of {} pushes on {} connections, engines in turn",
        args.n_rounds, args.n_pushes, args.n_connections
    );
}

/// The processor's name.
pub(crate) fn processor() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model)
        .to_owned()
}

/// What a program prints.
pub(crate) fn output(program: &str, args: &[&str]) -> String {
    let output =
        Command::new(program).args(args).output().ok().filter(|output| output.status.success());
    output.map_or_else(
        || "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

/// Prints one scenario's table: a line an engine, medians over the rounds.
pub(crate) fn print(scenario: &Scenario, runs: &[(&Engine, Vec<Run>)]) {
    println!("\n{}: {}", scenario.name, scenario.about);
    println!(
        "{:<22} {:>9} {:>7} {:>7} {:>8} {:>13} {:>9} {:>8} {:>8} {:>9}",
        "engine",
        "CPU µs",
        "user",
        "system",
        "ratio",
        "(least–most)",
        "pushes/s",
        "p50 µs",
        "p99 µs",
        "RSS MiB"
    );
    let runs_of = |name: &str| runs.iter().find(|(engine, _)| engine.name == name);
    for (engine, runs) in runs {
        let baseline = engine.baseline().and_then(runs_of).map(|(_, runs)| runs);
        let micros = |run: &Run, of: fn(&Run) -> f64| 1e6 * of(run) / run.n_pushes as f64;
        let user = |run: &Run| micros(run, |run| run.cpu.user.as_secs_f64());
        let system = |run: &Run| micros(run, |run| run.cpu.system.as_secs_f64());
        let cpu = |run: &Run| user(run) + system(run);
        let mut ratios: Vec<f64> = baseline.map_or_else(Vec::new, |baseline| {
            runs.iter().zip(baseline).map(|(run, base)| cpu(run) / cpu(base)).collect()
        });
        ratios.sort_by(f64::total_cmp);
        let (ratio, spread) = match ratios[..] {
            [] if engine.baseline().is_none() => ("1".to_owned(), String::new()),
            [] => ("–".to_owned(), String::new()),
            [only] => (format!("{only:.2}"), String::new()),
            [least, .., most] => (
                format!("{:.2}", median(ratios.iter().copied())),
                format!("({least:.2}–{most:.2})"),
            ),
        };
        let median_of = |of: &dyn Fn(&Run) -> f64| median(runs.iter().map(of));
        let latency = |quantile: f64| {
            median_of(&|run| run.outcome.latency_nanos.value_at_quantile(quantile) as f64 / 1e3)
        };
        println!(
            "{:<22} {:>9.2} {:>7.2} {:>7.2} {ratio:>8} {spread:>13} {:>9.0} {:>8.0} {:>8.0} {:>9.1}",
            engine.name,
            median_of(&cpu),
            median_of(&user),
            median_of(&system),
            median_of(&|run| run.n_pushes as f64 / run.outcome.seconds),
            latency(0.5),
            latency(0.99),
            median_of(&|run| run.rss_bytes as f64 / (1 << 20) as f64),
        );
    }
    for (engine, _) in runs {
        println!("  {}: {}", engine.name, engine.about());
    }
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
