//! Where things are.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The end-to-end tests, and the browser client: what has a `package.json`.
pub(crate) const E2E: &str = "examples/demo/e2e";
pub(crate) const WEB: &str = "crates/lastmile-web";

/// The repository and the machine it stands on.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The repository.
    pub(crate) root: PathBuf,
    /// Cargo's target folder, shared by the workspaces (root, `fuzz`, `benches/peers`).
    pub(crate) target: PathBuf,
    /// Whether `CI=true`: what cannot run has failed, and no lock file may change.
    pub(crate) ci: bool,
}

impl Tree {
    /// # Panics
    /// If this program was not started by cargo, out of a target folder.
    pub(crate) fn find() -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.ancestors().nth(2).expect("crates/xtask lies two folders down");
        // This program is `TARGET/debug/xtask`: no need to ask cargo where TARGET is.
        let program = env::current_exe().expect("a running program has a path");
        let target = program.ancestors().nth(2).expect("cargo puts programs two folders down");
        Self {
            root: root.to_owned(),
            target: target.to_owned(),
            ci: env::var_os("CI").is_some_and(|value| value == "true"),
        }
    }

    /// The folder of the end-to-end tests.
    pub(crate) fn e2e(&self) -> PathBuf {
        self.root.join(E2E)
    }

    /// The folder of the browser client.
    pub(crate) fn web(&self) -> PathBuf {
        self.root.join(WEB)
    }

    /// Where pip puts what the tests in Python import.
    pub(crate) fn python(&self) -> PathBuf {
        self.target.join("python")
    }

    /// Where pip puts OpenTelemetry's SDK for Python, and all that it needs.
    pub(crate) fn python_otel(&self) -> PathBuf {
        self.target.join("python-otel")
    }

    /// Public test data beside the repository, which is not part of it and may be absent.
    pub(crate) fn conformance(&self) -> PathBuf {
        self.root.join("../shared/conformance")
    }

    /// A program of the workspace, as the `dev` profile built it.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    /// A command that starts in the repository.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// `cargo ARGS`, with the shared target folder. Under CI all is built once and read by nobody, so it is
    /// built without what makes the next build shorter or a backtrace name lines: that takes a quarter of the time.
    pub(crate) fn cargo(&self, args: &str) -> Command {
        let mut command = self.command("cargo");
        command.env("CARGO_TARGET_DIR", &self.target).args(args.split_whitespace());
        if self.ci {
            command.envs([("CARGO_INCREMENTAL", "0"), ("CARGO_PROFILE_DEV_DEBUG", "none")]);
        }
        command
    }

    /// `cargo ARGS --locked` under CI, where a lock file that is out of date is a fault.
    pub(crate) fn cargo_locked(&self, args: &str) -> Command {
        let mut command = self.cargo(args);
        if self.ci {
            command.arg("--locked");
        }
        command
    }
}

/// The first program of this name on `PATH`.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(name)).find(|path| path.is_file())
}
