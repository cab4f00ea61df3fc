//! The project's own chores.
//!
//! `cargo xtask test` is the short form of every proof and what CI calls; `cargo xtask prove NAME`
//! runs one of the long forms. Only `std` is used, so that the first build takes seconds.
//!
//! | module | one line |
//! |---|---|
//! | `args` | the command line |
//! | `shell` | runs one command, shows its output as it comes, keeps the end of it |
//! | `tree` | where things are: the repository, the target folder, the programs on `PATH` |
//! | `install` | gets what the stages need through apt and npm |
//! | `models` | the models of what is concurrent, under their checkers |
//! | `stages` | the stages of `cargo xtask test`, in order |
//! | `tidy` | rules about the files themselves |
//! | `test` | runs stages and prints the table |
//! | `web` | the browser client: its build, its sizes, its tests |
//! | `proofs` | the registry of `cargo xtask prove` |

mod args;
mod install;
mod models;
mod proofs;
mod shell;
mod stages;
mod test;
mod tidy;
mod tree;
mod web;

use std::env;
use std::process::ExitCode;

use args::Command;
use tree::Tree;

fn main() -> ExitCode {
    let command = match args::parse(env::args().skip(1)) {
        Ok(command) => command,
        Err(fault) => {
            eprintln!("xtask: {fault}; `cargo xtask --help` lists commands, stages and proofs");
            return ExitCode::from(2);
        }
    };
    let tree = Tree::find();
    let ok = match command {
        Command::Help => {
            println!("{}", args::usage());
            true
        }
        Command::Test { only } => test::run(&tree, &only),
        Command::Proofs => {
            print!("{}", proofs::list());
            true
        }
        Command::Prove { proof, options } => proofs::run(&tree, proof, &options),
    };
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
