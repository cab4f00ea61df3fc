//! Runs the models of `crates/lastmile/src/models` under their checkers.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::shell::{self, Failure};
use crate::tree::Tree;

/// Runs every model: under shuttle a few schedules, the same each time, or new ones for some minutes; under
/// loom all there are.
///
/// # Errors
/// The first checker under which a model fails.
pub(crate) fn run(tree: &Tree, minutes: Option<u64>, filter: &[String]) -> Result<(), Failure> {
    ["loom", "shuttle"].into_iter().try_for_each(|checker| {
        let mut command = Command::new(built(tree, checker)?);
        command.current_dir(tree.root.join("crates/lastmile")).arg("--nocapture");
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

/// The core's unit tests with `checker` behind `sync`. Only they see the flag, so all else is what other tests have built.
fn built(tree: &Tree, checker: &str) -> Result<PathBuf, Failure> {
    let format = "--message-format json-render-diagnostics";
    let mut command =
        tree.cargo_locked(&format!("rustc -p lastmile --lib --profile test {format}"));
    command.args(["--", "--cfg", checker]).stderr(Stdio::inherit());
    let what = shell::line(&command);
    println!("$ {what}");
    let fail = |why| Failure { what: what.clone(), why, tail: Vec::new() };
    let output = command.output().map_err(|error| fail(error.to_string()))?;
    if !output.status.success() {
        return Err(fail(output.status.to_string()));
    }
    program(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| fail("cargo names no program".to_owned()))
}

/// The last program that cargo's messages name, each a line of JSON without spaces.
fn program(messages: &str) -> Option<PathBuf> {
    let (_, path) = messages.rsplit_once("\"executable\":\"")?;
    path.split_once('"').map(|(path, _)| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::program;
    use std::path::Path;

    #[test]
    fn finds_the_program() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
                        {\"reason\":\"compiler-artifact\",\"executable\":\"/t/deps/lastmile-1\",\"fresh\":false}\n\
                        {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(program(messages).as_deref(), Some(Path::new("/t/deps/lastmile-1")));
        assert_eq!(program("{\"executable\":null}"), None);
    }
}
