//! The command line, parsed by hand: two commands and three options do not need a crate.

use crate::proofs::{self, Proof};
use crate::stages;

/// What the caller asked for.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    /// The stages to run, by name; none named means all.
    Test {
        only: Vec<&'static str>,
    },
    /// List the proofs.
    Proofs,
    Prove {
        proof: &'static Proof,
        options: ProofOptions,
    },
}

/// What a proof may be told.
#[derive(Debug, Default)]
pub(crate) struct ProofOptions {
    /// How long each part runs; the proof has its own default.
    pub(crate) minutes: Option<u64>,
    /// What follows `--`, handed to the proof's program.
    pub(crate) rest: Vec<String>,
}

/// Parses what follows `cargo xtask`.
///
/// # Errors
/// One line that says what is wrong, for a person to read.
pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut args = args.peekable();
    let Some(command) = args.next() else {
        return Ok(Command::Help);
    };
    match command.as_str() {
        "help" | "--help" | "-h" => Ok(Command::Help),
        "test" => parse_test(args),
        "prove" => parse_prove(args),
        other => Err(format!("there is no command `{other}`")),
    }
}

fn parse_test(mut args: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut only = Vec::new();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--only" => {
                let name = args.next().ok_or("`--only` needs the name of a stage")?;
                let stage = stages::ALL.iter().find(|stage| stage.name == name);
                only.push(stage.ok_or_else(|| format!("there is no stage `{name}`"))?.name);
            }
            "--help" | "-h" => return Ok(Command::Help),
            other => return Err(format!("`test` does not take `{other}`")),
        }
    }
    Ok(Command::Test { only })
}

fn parse_prove(mut args: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut proof = None;
    let mut options = ProofOptions::default();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--minutes" => {
                let minutes = args.next().and_then(|text| text.parse().ok()).filter(|&n| n > 0);
                options.minutes = Some(minutes.ok_or("`--minutes` needs a whole number above 0")?);
            }
            "--help" | "-h" => return Ok(Command::Help),
            "--" => options.rest = args.by_ref().collect(),
            name if proof.is_none() => {
                let found = proofs::ALL.iter().find(|proof| proof.name == name);
                proof = Some(found.ok_or_else(|| format!("there is no proof `{name}`"))?);
            }
            other => return Err(format!("`prove` does not take `{other}`")),
        }
    }
    Ok(proof.map_or(Command::Proofs, |proof| Command::Prove { proof, options }))
}

/// What `--help` prints.
pub(crate) fn usage() -> String {
    let mut text = String::from(
        "cargo xtask test [--only STAGE]...     the short form of every proof
cargo xtask prove                      list the long forms
cargo xtask prove NAME [--minutes N] [-- ARGS]

Stages of `test`, in order:\n",
    );
    for stage in stages::ALL {
        text += &format!("  {:<13}{}\n", stage.name, stage.about);
    }
    text += "\nProofs:\n";
    text += &proofs::list();
    text += "
With CI=true, a stage that cannot run counts as failed, and lock files must be up to date.";
    text
}

#[cfg(test)]
mod tests {
    use super::{Command, parse};

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn commands() {
        assert!(matches!(parsed(""), Ok(Command::Help)));
        assert!(matches!(parsed("test"), Ok(Command::Test { only }) if only.is_empty()));
        let only = parsed("test --only fmt --only clippy");
        assert!(matches!(only, Ok(Command::Test { only }) if only == ["fmt", "clippy"]));
        assert!(matches!(parsed("prove"), Ok(Command::Proofs)));
        let prove = parsed("prove fuzz --minutes 3 -- lm1");
        assert!(matches!(prove, Ok(Command::Prove { proof, options })
            if proof.name == "fuzz" && options.minutes == Some(3) && options.rest == ["lm1"]));
    }

    #[test]
    fn faults() {
        for line in [
            "tets",
            "test --only",
            "test --only nothing",
            "test fast",
            "prove nothing",
            "prove fuzz --minutes",
            "prove fuzz --minutes 0",
            "prove fuzz bench",
        ] {
            assert!(parsed(line).is_err(), "{line:?} should be refused");
        }
    }
}
