//! Runs one command: its output is shown as it comes, and the end of it is kept for the report.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Lines of output that a failure repeats at the end of the run.
const TAIL_LINES: usize = 60;

/// How long the output may stay open after the command ended; longer means that the command left a
/// process behind, which must not hang the run.
const OUTPUT_GRACE: Duration = Duration::from_secs(5);

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The command as a person would type it, or the name of a check.
    pub(crate) what: String,
    /// How it ended.
    pub(crate) why: String,
    /// The last lines that it printed.
    pub(crate) tail: Vec<String>,
}

/// Runs `command` to its end.
///
/// # Errors
/// If it cannot start or does not exit with 0.
pub(crate) fn run(mut command: Command) -> Result<(), Failure> {
    let what = line(&command);
    println!("$ {what}");
    let fail = |why: String, tail| Err(Failure { what: what.clone(), why, tail });

    if io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    // One pipe for both streams keeps their lines in the order in which they were written.
    let piped = io::pipe().and_then(|(reader, writer)| {
        command.stdin(std::process::Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        command.spawn().map(|child| (reader, child))
    });
    // The command holds writing ends too, and the reader would wait for them forever.
    drop(command);
    let (reader, mut child) = match piped {
        Ok(both) => both,
        Err(error) => return fail(error.to_string(), Vec::new()),
    };
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut bytes = Vec::new();
        while matches!(reader.read_until(b'\n', &mut bytes), Ok(n) if n > 0) {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if sender.send(text).is_err() {
                break;
            }
            bytes.clear();
        }
    });
    let mut tail = VecDeque::new();
    let mut show = |text: String| {
        print!("{text}");
        let _ = io::stdout().flush();
        if tail.len() == TAIL_LINES {
            tail.pop_front();
        }
        tail.push_back(text.trim_end().to_owned());
    };
    let status = loop {
        match lines.recv_timeout(Duration::from_millis(200)) {
            Ok(text) => show(text),
            Err(mpsc::RecvTimeoutError::Disconnected) => break child.wait(),
            Err(mpsc::RecvTimeoutError::Timeout) => match child.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => {
                    while let Ok(text) = lines.recv_timeout(OUTPUT_GRACE) {
                        show(text);
                    }
                    break Ok(status);
                }
                Err(error) => break Err(error),
            },
        }
    };
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => fail(status.to_string(), tail.into()),
        Err(error) => fail(error.to_string(), tail.into()),
    }
}

/// The command as a person would type it.
pub(crate) fn line(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{TAIL_LINES, run};
    use std::process::Command;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn tells_how_it_ended() {
        assert!(run(sh("exit 0")).is_ok());
        let failure = run(sh("echo one; echo two >&2; exit 3")).expect_err("it exits with 3");
        assert_eq!(failure.tail, ["one", "two"], "both streams, in order");
        assert!(failure.why.contains('3'), "{}", failure.why);
        assert!(run(Command::new("no-such-program-here")).is_err());
    }

    #[test]
    fn keeps_the_end() {
        let failure = run(sh("seq 1000; exit 1")).expect_err("it exits with 1");
        assert_eq!(failure.tail.len(), TAIL_LINES);
        assert_eq!(failure.tail.last().map(String::as_str), Some("1000"));
    }
}
