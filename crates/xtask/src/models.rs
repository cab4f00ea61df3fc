//! Runs the models of `crates/lastmile/src/models` under their checkers.

use std::env;

use crate::shell::{self, Failure};
use crate::tree::Tree;

/// Runs every model: under shuttle a few schedules, the same each time, or new ones for some minutes; under
/// loom all there are.
///
/// # Errors
/// The first checker under which a model fails.
pub(crate) fn run(tree: &Tree, minutes: Option<u64>, filter: &[String]) -> Result<(), Failure> {
    ["loom", "shuttle"].into_iter().try_for_each(|checker| {
        let mut command = tree.cargo_locked("test -p lastmile --lib");
        command.args(["--", "--nocapture"]);
        // Flags that reach every crate: in a folder of their own, or all else would be built anew.
        let flags = env::var("RUSTFLAGS").unwrap_or_default();
        command.env("RUSTFLAGS", format!("{flags} --cfg {checker}"));
        command.env("CARGO_TARGET_DIR", tree.target.join("models"));
        if let Some(minutes) = minutes {
            command.env("MODEL_SECONDS", (minutes * 60).to_string());
        }
        if filter.is_empty() {
            command.arg("models::");
        }
        command.args(filter);
        shell::run(command)
    })
}
