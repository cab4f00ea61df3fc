//! The table as `RESULTS.md` has it, to be pasted.

use super::{BASELINE, Engine, Scenario, Values};
use crate::args::Args;
use crate::table::{median, output, processor};

/// What a number cannot be read without.
#[derive(Debug)]
pub(super) struct Host {
    load_before: String,
    load_after: String,
}

impl Host {
    pub(super) fn before() -> Self {
        Self { load_before: load(), load_after: String::new() }
    }

    pub(super) fn after(&mut self) {
        self.load_after = load();
    }
}

/// How many threads wanted a core, on average over the last minute.
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or("unknown").to_owned()
}

pub(super) fn print(
    host: &Host,
    args: &Args,
    scenarios: &[Scenario],
    engines: &[Engine],
    values: &Values,
) {
    let n_cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("## Libraries in process\n");
    println!(
        "Host: {}, {n_cores} cores, load {} before and {} after.",
        processor(),
        host.load_before,
        host.load_after
    );
    println!(
        "Commit {}, {}.",
        output("git", &["describe", "--always", "--dirty", "--abbrev=12"]),
        output("rustc", &["--version"])
    );
    println!(
        "Command: `cargo xtask prove store-peers -- --rounds {}`; medians over the rounds, engines in turn.",
        args.n_rounds
    );
    println!("In parentheses: the ratio to lastmile, median of the ratios in each round;");
    println!("**bold** where lastmile loses by 2 % or more.\n");

    let titles: Vec<&str> = engines.iter().map(|engine| engine.title.as_str()).collect();
    println!("| what | {} |", titles.join(" | "));
    println!("|---|{}", "---:|".repeat(engines.len()));
    let baseline = engines.iter().position(|engine| engine.name == BASELINE);
    for (scenario_idx, scenario) in scenarios.iter().enumerate() {
        for (row_idx, row) in scenario.rows.iter().enumerate() {
            let Some(of_row) = values.get(&(scenario_idx, row_idx)) else { continue };
            let base = baseline.map_or(&[][..], |baseline| &of_row[baseline]);
            let cells = of_row.iter().zip(engines).map(|(of_engine, engine)| {
                let base = if engine.name == BASELINE { &[] } else { base };
                cell(of_engine, base, engine.about.package != "lastmile")
            });
            println!("| {} | {} |", row.title, cells.collect::<Vec<_>>().join(" | "));
        }
    }
    println!();
    for engine in engines {
        println!("- {}: {}.", engine.title, engine.about.about);
    }
}

/// A median, and its ratio to the baseline's.
fn cell(values: &[f64], base: &[f64], is_peer: bool) -> String {
    if values.is_empty() {
        return "-".to_owned();
    }
    let value = number(median(values.iter().copied()));
    if base.is_empty() {
        return value;
    }
    let ratio = median(values.iter().zip(base).map(|(value, base)| value / base));
    let text = format!("{value} ({} ×)", number(ratio));
    // What differs by less than 2 % is level: the machine does not repeat itself more closely.
    if is_peer && ratio < 0.98 { format!("**{text}**") } else { text }
}

/// Three digits, as the machine does not repeat a fourth.
fn number(value: f64) -> String {
    if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        let digits = format!("{value:.0}");
        let (head, tail) = digits.split_at(digits.len().saturating_sub(3));
        if head.is_empty() { digits } else { format!("{head},{tail}") }
    }
}
