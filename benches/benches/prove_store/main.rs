//! What holds of the store at full size: `cargo xtask prove store`.
//!
//! - `flood`: label values without end, under a budget of bytes, under a limit on series, and while time
//!   passes: memory stays flat, every sum is exact, and what exists is counted on.
//! - `once`: values that come once take no place of a label that admits what comes often.
//! - `repeats`: batches that come again, shuffled and at once, are counted once.
//!
//! Each runs in a process of its own, so that what is resident is its own too. Without `--full` or
//! `--pushes` all are small, to see that they still work.

mod families;
mod flood;
mod hostile;
mod memory;
mod once;
mod reader;
mod repeats;
mod sender;
mod table;

use std::process::{Command, ExitCode, exit};

use lastmile::AdmitBy;
use lastmile_benches::print_host;

use crate::flood::Limit;
use crate::table::{HEAD, Row};

const PUSHES_FULL: u64 = 10_000_000;
const PUSHES_SMALL: u64 = 20_000;

/// Pushes of a flood for one value that comes once, and for one batch that comes again.
const PUSHES_PER_VALUE: u64 = 100;
/// Fewest of those.
const VALUES_MIN: u64 = 1_000;

struct Proof {
    name: &'static str,
    about: &'static str,
    run: fn(u64) -> Row,
    /// What must not grow.
    check: fn(&Row),
}

const PROOFS: [Proof; 6] = [
    Proof {
        name: "flood-bytes",
        about: "flood: the byte budget limits",
        run: |n| flood::run(Limit::Bytes, n),
        check: |row| flood::check_growth(Limit::Bytes, row),
    },
    Proof {
        name: "flood-series",
        about: "flood: series per family and values per label limit",
        run: |n| flood::run(Limit::Series, n),
        check: |row| flood::check_growth(Limit::Series, row),
    },
    Proof {
        name: "flood-time",
        about: "flood: the byte budget limits, series expire",
        run: |n| flood::run(Limit::Time, n),
        check: |row| flood::check_growth(Limit::Time, row),
    },
    Proof {
        name: "once-batch",
        about: "once: admission by batch",
        run: |n| once::run(AdmitBy::Batch, (n / PUSHES_PER_VALUE).max(VALUES_MIN)),
        check: |_| {},
    },
    Proof {
        name: "once-source",
        about: "once: admission by source",
        run: |n| once::run(AdmitBy::Source, (n / PUSHES_PER_VALUE).max(VALUES_MIN)),
        check: |_| {},
    },
    Proof {
        name: "repeats",
        about: "repeats: each batch two or three times",
        run: |n| repeats::run((n / PUSHES_PER_VALUE).max(VALUES_MIN)),
        check: |_| {},
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        Some(args.get(at + 1).unwrap_or_else(|| panic!("`{name}` needs a value")).as_str())
    };
    let n_pushes = match after("--pushes") {
        Some(n) => n.parse().expect("`--pushes` needs a whole number"),
        None if args.iter().any(|arg| arg == "--full") => PUSHES_FULL,
        None => PUSHES_SMALL,
    };
    if let Some(name) = after("--one") {
        let proof = PROOFS.iter().find(|proof| proof.name == name).expect("there is no such proof");
        return run_here(proof, n_pushes);
    }
    print_host();
    println!("\n{HEAD}");
    for proof in &PROOFS {
        let own = std::env::current_exe().expect("the program knows where it is");
        let mut command = Command::new(own);
        command.args(["--one", proof.name, "--pushes", &n_pushes.to_string()]);
        if !command.status().expect("it runs once more").success() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn run_here(proof: &Proof, n_pushes: u64) -> ExitCode {
    // Other threads would go on for minutes before anyone hears of it.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        exit(1);
    }));
    let row = (proof.run)(n_pushes);
    println!("| {} | {row}", proof.about);
    eprintln!("{}: {}", proof.name, row.notes);
    (proof.check)(&row);
    ExitCode::SUCCESS
}
