//! `cargo xtask test`: runs stages, then prints a table, every failure, and one line of counts.

use std::time::{Duration, Instant};

use crate::install::{self, Need};
use crate::shell::Failure;
use crate::stages::{self, Stage};
use crate::tree::Tree;

enum Outcome {
    Passed,
    Failed(Failure),
    Skipped(String),
}

/// Runs the stages named in `only`, or all of them, and says whether the whole passed.
pub(crate) fn run(tree: &Tree, only: &[&str]) -> bool {
    let chosen: Vec<&Stage> =
        stages::ALL.iter().filter(|stage| only.is_empty() || only.contains(&stage.name)).collect();
    let needs: Vec<Need> = chosen.iter().flat_map(|stage| stage.needs).copied().collect();

    let start = Instant::now();
    install::install(tree, &needs);
    let installing = start.elapsed();

    let mut rows = Vec::new();
    for stage in chosen {
        println!("\n=== {}: {}", stage.name, stage.about);
        let began = Instant::now();
        let outcome = outcome(tree, stage);
        rows.push((stage.name, began.elapsed(), outcome));
    }
    report(installing, &rows, start.elapsed())
}

fn outcome(tree: &Tree, stage: &Stage) -> Outcome {
    for &need in stage.needs {
        let Some(why) = install::lacking(tree, need) else {
            continue;
        };
        return if tree.ci && need != Need::Conformance {
            Outcome::Failed(Failure { what: "what it needs".to_owned(), why, tail: Vec::new() })
        } else {
            Outcome::Skipped(why)
        };
    }
    match (stage.run)(tree) {
        Ok(()) => Outcome::Passed,
        Err(failure) => Outcome::Failed(failure),
    }
}

/// Prints the report and says whether nothing failed. Its last line stands alone, for programs.
fn report(installing: Duration, rows: &[(&str, Duration, Outcome)], total: Duration) -> bool {
    let minutes = |time: Duration| time.as_secs_f64() / 60.0;
    for (name, _, outcome) in rows {
        if let Outcome::Failed(failure) = outcome {
            println!("\n--- {name} failed: {}: {}", failure.what, failure.why);
            for line in &failure.tail {
                println!("    {line}");
            }
        }
    }
    println!("\n{:<13}{:>7}", "stage", "minutes");
    println!("{:<13}{:>7.2}", "(install)", minutes(installing));
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (name, time, outcome) in rows {
        let (count, word) = match outcome {
            Outcome::Passed => (&mut passed, String::from("passed")),
            Outcome::Failed(_) => (&mut failed, String::from("FAILED")),
            Outcome::Skipped(why) => (&mut skipped, format!("skipped: {why}")),
        };
        *count += 1;
        println!("{name:<13}{:>7.2}  {word}", minutes(*time));
    }
    println!("{:<13}{:>7.2}\n", "all", minutes(total));
    let tail = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
    println!("{passed} passed, {failed} failed{tail}");
    failed == 0
}
