//! `cargo xtask prove NAME`: the long forms, which a person runs and CI does not.

use std::fs;

use crate::args::ProofOptions;
use crate::install;
use crate::models;
use crate::shell::{self, Failure};
use crate::tree::{Tree, which};

/// A long-running proof.
#[derive(Debug)]
pub(crate) struct Proof {
    pub(crate) name: &'static str,
    /// One line for the list.
    pub(crate) about: &'static str,
    pub(crate) run: fn(&Tree, &ProofOptions) -> Result<(), Failure>,
}

pub(crate) const ALL: &[Proof] = &[
    Proof {
        name: "fuzz",
        about: "each fuzz target for N minutes (10), on nightly; `-- TARGET...` picks some",
        run: fuzz,
    },
    Proof {
        name: "models",
        about: "each model of what is concurrent for N minutes (2); `-- FILTER` picks some",
        run: models,
    },
    Proof { name: "bench", about: "the criterion benchmarks; `-- FILTER` picks some", run: bench },
    Proof {
        name: "instructions",
        about: "instructions per operation against the blessed counts; `-- --bless` writes them",
        run: instructions,
    },
    Proof {
        name: "peers",
        about: "CPU per push beside the same server discarding the body, and other servers",
        run: peers,
    },
    Proof {
        name: "store",
        about: "sums exact and memory flat under 10 million hostile pushes; `-- --pushes N` for fewer",
        run: store,
    },
    Proof {
        name: "overload",
        about: "the aggregator under a thousand slow sockets, bombs and floods: memory, times, totals",
        run: overload,
    },
    Proof {
        name: "sockets",
        about: "what each of 2,000 silent WebSockets takes of memory, through both adapters",
        run: sockets,
    },
    Proof {
        name: "store-peers",
        about: "the store beside other libraries in process, as a table; `-- --rounds N` (3)",
        run: store_peers,
    },
];

/// How long each model runs if `--minutes` does not say.
const MODEL_MINUTES: u64 = 2;

/// How long each fuzz target runs if `--minutes` does not say.
const FUZZ_MINUTES: u64 = 10;

/// The registry, one line each.
pub(crate) fn list() -> String {
    ALL.iter().map(|proof| format!("  {:<13}{}\n", proof.name, proof.about)).collect()
}

/// Runs one proof and says whether it held.
pub(crate) fn run(tree: &Tree, proof: &Proof, options: &ProofOptions) -> bool {
    match (proof.run)(tree, options) {
        Ok(()) => {
            println!("\n{} holds", proof.name);
            true
        }
        Err(failure) => {
            println!("\n{} failed: {}: {}", proof.name, failure.what, failure.why);
            false
        }
    }
}

/// Every target runs, even after one has failed: a night's run should tell all it found.
fn fuzz(tree: &Tree, options: &ProofOptions) -> Result<(), Failure> {
    if which("cargo-fuzz").is_none() {
        shell::run(tree.cargo("install cargo-fuzz --locked"))?;
    }
    let seconds = options.minutes.unwrap_or(FUZZ_MINUTES) * 60;
    let chosen: Vec<String> = fuzz_targets(tree)
        .into_iter()
        .filter(|target| options.rest.is_empty() || options.rest.contains(target))
        .collect();
    if chosen.is_empty() {
        let why = format!("no such target; there are {}", fuzz_targets(tree).join(", "));
        return Err(Failure { what: "choose targets".to_owned(), why, tail: Vec::new() });
    }
    let mut first_failure = Ok(());
    for target in chosen {
        // Our code has no `unsafe`, so it is the oracles that find what there is to find, and without
        // AddressSanitizer they run six times as often.
        let mut command = tree.cargo(&format!("+nightly fuzz run --sanitizer none {target}"));
        // Findings go to the first folder; the committed seeds are only read.
        let corpus = tree.root.join("fuzz/corpus").join(&target);
        let _ = fs::create_dir_all(&corpus);
        command.arg(corpus);
        let seeds = tree.root.join("fuzz/seeds").join(&target);
        if seeds.is_dir() {
            command.arg(seeds);
        }
        command.arg("--").arg(format!("-max_total_time={seconds}"));
        let words = tree.root.join("fuzz/dictionaries").join(format!("{target}.dict"));
        if words.is_file() {
            command.arg(format!("-dict={}", words.display()));
        }
        let outcome = shell::run(command);
        if first_failure.is_ok() {
            first_failure = outcome;
        }
    }
    first_failure
}

/// The target's name is its file's name, as cargo-fuzz lays them out.
fn fuzz_targets(tree: &Tree) -> Vec<String> {
    let folder = fs::read_dir(tree.root.join("fuzz/fuzz_targets"));
    let mut names: Vec<String> = folder
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".rs").map(str::to_owned))
        .collect();
    names.sort();
    names
}

fn models(tree: &Tree, options: &ProofOptions) -> Result<(), Failure> {
    models::run(tree, Some(options.minutes.unwrap_or(MODEL_MINUTES)), &options.rest)
}

fn bench(tree: &Tree, options: &ProofOptions) -> Result<(), Failure> {
    let mut command = tree.cargo("bench --manifest-path benches/Cargo.toml --benches --");
    command.args(&options.rest);
    shell::run(command)
}

fn instructions(tree: &Tree, options: &ProofOptions) -> Result<(), Failure> {
    install::install(tree, &[install::VALGRIND]);
    let mut command =
        tree.cargo("bench --manifest-path benches/Cargo.toml --bench instructions --");
    if options.rest.is_empty() {
        command.arg("--check");
    }
    command.args(&options.rest);
    shell::run(command)
}

/// The same program is small in the stage `benches`.
fn store(tree: &Tree, options: &ProofOptions) -> Result<(), Failure> {
    let mut command =
        tree.cargo("bench --manifest-path benches/Cargo.toml --bench prove_store -- --full");
    command.args(&options.rest);
    shell::run(command)
}

/// The same program is small in the stage `tests`.
fn overload(tree: &Tree, options: &ProofOptions) -> Result<(), Failure> {
    let mut command = tree.cargo("test --release -p lastmile-aggregator --test overload -- --full");
    command.args(&options.rest);
    shell::run(command)
}

/// The same program is small in the stage `tests`.
fn sockets(tree: &Tree, options: &ProofOptions) -> Result<(), Failure> {
    let mut command =
        tree.cargo("test --release -p lastmile-hyper --features ws --test sockets -- --full");
    command.args(&options.rest);
    shell::run(command)
}

fn peers(tree: &Tree, options: &ProofOptions) -> Result<(), Failure> {
    run_peers(tree, "", options)
}

fn store_peers(tree: &Tree, options: &ProofOptions) -> Result<(), Failure> {
    run_peers(tree, "store", options)
}

fn run_peers(tree: &Tree, mode: &str, options: &ProofOptions) -> Result<(), Failure> {
    let run = format!("run --release --manifest-path benches/peers/Cargo.toml -- {mode}");
    let mut command = tree.cargo(&run);
    command.args(&options.rest);
    shell::run(command)
}
