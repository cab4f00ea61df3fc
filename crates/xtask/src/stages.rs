//! The stages of `cargo xtask test`, in order: what fails most often and soonest comes first.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::{
    CHROMIUM, E2E_MODULES, FIREFOX, NODE, NPM, Need, OPENSSL, PIP, PROMETHEUS, PROMTOOL, PYTHON,
    VICTORIA_METRICS, WEB_MODULES, newer,
};
use crate::models;
use crate::shell::{self, Failure};
use crate::tidy;
use crate::tree::{Tree, which};
use crate::web;

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Stage {
    /// What `--only` takes.
    pub(crate) name: &'static str,
    /// One line for `--help`.
    pub(crate) about: &'static str,
    /// What must be there, or the stage is skipped.
    pub(crate) needs: &'static [Need],
    /// Runs the stage, up to its first failure.
    pub(crate) run: fn(&Tree) -> Result<(), Failure>,
}

pub(crate) const ALL: &[Stage] = &[
    Stage {
        name: "fmt",
        about: "rustfmt, and rules about the files themselves",
        needs: &[],
        run: fmt,
    },
    Stage {
        name: "clippy",
        about: "clippy with warnings denied: the workspace, and the core without features and with each",
        needs: &[],
        run: clippy,
    },
    Stage {
        name: "tests",
        about: "unit and integration tests: with all features, and the core without any",
        needs: &[],
        run: tests,
    },
    Stage {
        name: "doctests",
        about: "the examples in the documentation",
        needs: &[],
        run: doctests,
    },
    Stage {
        name: "models",
        about: "models of what is concurrent, five hundred schedules each",
        needs: &[],
        run: models,
    },
    Stage { name: "docs", about: "rustdoc with warnings denied", needs: &[], run: docs },
    Stage {
        name: "fuzz-seeds",
        about: "every fuzz target over its seeds, on stable",
        needs: &[],
        run: fuzz_seeds,
    },
    Stage { name: "benches", about: "every benchmark once, as a test", needs: &[], run: benches },
    Stage {
        name: "peers",
        about: "the harness of `prove peers` compiles without a warning",
        needs: &[],
        run: peers,
    },
    Stage {
        name: "web",
        about: "the browser client: types, a build equal to what is committed, sizes, tests",
        needs: &[NODE, NPM, WEB_MODULES],
        run: web::run,
    },
    Stage {
        name: "conformance",
        about: "the aggregator under promtool, Python's client and a real Prometheus, hostile pushes included",
        needs: &[NODE, PROMETHEUS, PROMTOOL, PYTHON, PIP, Need::PrometheusClient],
        run: conformance,
    },
    Stage {
        name: "formats",
        about: "what each version of Prometheus, and VictoriaMetrics, stores of each exposition format",
        needs: &[NODE, PROMETHEUS, PROMTOOL, VICTORIA_METRICS, Need::Newer],
        run: formats,
    },
    Stage {
        name: "clients",
        about: "real clients against the aggregator: what is scraped is what they counted",
        needs: &[NODE, NPM, E2E_MODULES, PYTHON, PIP, Need::PrometheusClient, Need::OpenTelemetry],
        run: clients,
    },
    Stage {
        name: "naughty",
        about: "the strings of ../shared/conformance as label values",
        needs: &[NODE, PROMETHEUS, PROMTOOL, Need::Conformance],
        run: naughty,
    },
    Stage {
        name: "readers",
        about: "real Prometheus servers side by side: each computes every increment, and none twice",
        needs: &[NODE, PROMETHEUS],
        run: readers,
    },
    Stage {
        name: "browser",
        about: "page to PromQL, in a real Chromium with a real Prometheus; its own reports, its WebSockets",
        needs: &[NODE, NPM, E2E_MODULES, PROMETHEUS, CHROMIUM, OPENSSL],
        run: browser,
    },
    Stage {
        name: "script",
        about: "lastmile.js in a real Chromium: networks, servers and pages that go; what was counted is what is scraped",
        needs: &[NODE, NPM, E2E_MODULES, WEB_MODULES, CHROMIUM],
        run: script,
    },
    Stage {
        name: "samples",
        about: "the packed npm package in apps of Vite and Next.js: what their pages count is what is scraped",
        needs: &[NODE, NPM, E2E_MODULES, CHROMIUM],
        run: samples,
    },
    Stage {
        name: "firefox",
        about: "lastmile.js in a real Firefox",
        needs: &[NODE, NPM, E2E_MODULES, FIREFOX],
        run: firefox,
    },
];

fn fmt(tree: &Tree) -> Result<(), Failure> {
    tidy::check(tree).map_err(|faults| Failure {
        what: "rules about files".to_owned(),
        why: format!("{} broken", faults.len()),
        tail: faults,
    })?;
    shell::run(tree.cargo("fmt --all --check -- -l"))?;
    for manifest in ["fuzz/Cargo.toml", "benches/peers/Cargo.toml"] {
        shell::run(tree.cargo(&format!("fmt --manifest-path {manifest} --all --check -- -l")))?;
    }
    Ok(())
}

fn clippy(tree: &Tree) -> Result<(), Failure> {
    deny_warnings(tree, "--workspace --all-targets --all-features")?;
    deny_warnings(tree, "-p lastmile --all-targets")?;
    for feature in core_features(tree) {
        deny_warnings(tree, &format!("-p lastmile --features {feature}"))?;
    }
    deny_warnings(
        tree,
        "--manifest-path fuzz/Cargo.toml --all-targets --no-default-features --features faro,otlp,pushgateway",
    )
}

fn deny_warnings(tree: &Tree, selection: &str) -> Result<(), Failure> {
    let mut command = tree.cargo_locked(&format!("clippy {selection}"));
    command.args(["--", "-D", "warnings"]);
    shell::run(command)
}

fn tests(tree: &Tree) -> Result<(), Failure> {
    shell::run(
        tree.cargo_locked("test --workspace --all-features --tests --examples --no-fail-fast"),
    )?;
    shell::run(tree.cargo_locked("test -p lastmile --tests --no-fail-fast"))
}

fn doctests(tree: &Tree) -> Result<(), Failure> {
    shell::run(tree.cargo_locked("test --workspace --all-features --doc"))
}

fn models(tree: &Tree) -> Result<(), Failure> {
    models::run(tree, None, &[])
}

fn docs(tree: &Tree) -> Result<(), Failure> {
    let mut command = tree.cargo_locked("doc --workspace --all-features --no-deps");
    command.env("RUSTDOCFLAGS", "-D warnings");
    shell::run(command)
}

/// The targets are plain functions there; libFuzzer, which needs nightly, is left out.
fn fuzz_seeds(tree: &Tree) -> Result<(), Failure> {
    let test = "test --manifest-path fuzz/Cargo.toml --no-default-features --features faro,otlp,pushgateway";
    shell::run(tree.cargo_locked(test))
}

/// Of the whole workspace, so that what they need has the features that `tests` built it with. (`--benches` would be the
/// unit tests of libraries, too.)
fn benches(tree: &Tree) -> Result<(), Failure> {
    shell::run(tree.cargo_locked("test --workspace --all-features --bench *"))
}

fn peers(tree: &Tree) -> Result<(), Failure> {
    deny_warnings(tree, "--manifest-path benches/peers/Cargo.toml --workspace --all-targets")
}

fn conformance(tree: &Tree) -> Result<(), Failure> {
    node_tests(tree, "conformance", &[])
}

fn formats(tree: &Tree) -> Result<(), Failure> {
    node_tests(tree, "formats", &[])
}

fn clients(tree: &Tree) -> Result<(), Failure> {
    node_tests(tree, "clients", &[])
}

fn naughty(tree: &Tree) -> Result<(), Failure> {
    node_tests(tree, "naughty", &[])
}

/// Side by side, as they mostly wait for scrapes; a minute, or three where a busy machine made them
/// start over twice.
fn readers(tree: &Tree) -> Result<(), Failure> {
    node_tests(tree, "readers", &["--test-concurrency=8", "--test-timeout=300000"])
}

/// Three files side by side: pages mostly wait.
fn browser(tree: &Tree) -> Result<(), Failure> {
    node_tests(tree, "browser", &["--test-concurrency=3"])
}

fn script(tree: &Tree) -> Result<(), Failure> {
    node_tests(tree, "script", &["--test-concurrency=3"])
}

/// A few seconds of npm and builds each.
fn samples(tree: &Tree) -> Result<(), Failure> {
    node_tests(tree, "samples", &["--test-timeout=300000"])
}

fn firefox(tree: &Tree) -> Result<(), Failure> {
    node_tests(tree, "firefox", &[])
}

/// Builds the programs under test, then runs every test file in one folder of `examples/demo/e2e`.
/// The last of two equal options counts.
fn node_tests(tree: &Tree, folder: &str, options: &[&str]) -> Result<(), Failure> {
    // With the tests, though only the programs are needed: it is what `tests` built, where without
    // them the dependencies would have other features and be built once more.
    shell::run(tree.cargo_locked("build --workspace --all-features --bins --tests"))?;
    let mut node = Command::new("node");
    node.current_dir(tree.e2e())
        .args(["--test", "--test-reporter=spec", "--test-timeout=120000"])
        .args(options)
        .args(test_files(&tree.e2e().join(folder)))
        .env("E2E_AGGREGATOR", tree.binary("lastmile-aggregator"))
        .env("E2E_DEMO", tree.binary("lastmile-demo"))
        .env("E2E_REGISTRY", tree.binary("embed-registry"))
        .env("E2E_CONFORMANCE", tree.conformance())
        .env("E2E_PYTHONPATH", tree.python())
        .env("E2E_OTEL_PYTHONPATH", tree.python_otel());
    for suite in newer::SUITES {
        let program = newer::prometheus(tree, suite);
        if program.is_file() {
            node.env(format!("E2E_PROMETHEUS_{}", suite.to_uppercase()), program);
        }
    }
    for (name, program) in [("E2E_CHROMIUM", "chromium"), ("E2E_FIREFOX", "firefox-esr")] {
        if let Some(path) = which(program) {
            node.env(name, path);
        }
    }
    shell::run(node)
}

/// Sorted, so that two runs do the same things in the same order.
fn test_files(folder: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    files.sort();
    files.into_iter().map(PathBuf::into_os_string).collect()
}

/// The names in the core's `[features]` table, but for what alone does nothing. The manifest is ours and plainly written, so a line
/// `name = […]` is all there is to know of TOML here.
fn core_features(tree: &Tree) -> Vec<String> {
    let manifest = fs::read_to_string(tree.root.join("crates/lastmile/Cargo.toml"));
    features_of(&manifest.unwrap_or_default())
}

fn features_of(manifest: &str) -> Vec<String> {
    let table = manifest.lines().skip_while(|line| line.trim() != "[features]").skip(1);
    let names = table
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_once('=').map(|(name, _)| name.trim().to_owned()));
    names.filter(|name| name != "default" && name != "totals").collect()
}

#[cfg(test)]
mod tests {
    use super::{ALL, core_features, features_of};
    use crate::tree::Tree;

    #[test]
    fn names_are_unique() {
        for (idx, stage) in ALL.iter().enumerate() {
            assert!(ALL[..idx].iter().all(|other| other.name != stage.name), "{}", stage.name);
        }
    }

    #[test]
    fn features_are_read_from_the_manifest() {
        let text = "[package]\nname = \"x\"\n\n[features]\ndefault = []\n# not = [\"this\"]\n\
                    toml = [\"dep:toml\"]\notlp = []\n\n[dependencies]\nserde = \"1\"\n";
        assert_eq!(features_of(text), ["toml", "otlp"]);
        assert!(features_of("[package]\n").is_empty());
        assert!(core_features(&Tree::find()).contains(&"toml".to_owned()), "the core's own");
    }
}
