//! Gets what the stages need: programs from Debian's packages, npm's modules, and Python's.

pub(crate) mod newer;

use std::fs;
use std::process::Command;

use crate::shell;
use crate::tree::{self, Tree, which};

/// What a stage needs beyond Rust's own toolchain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A program on `PATH`, and the Debian package that brings it.
    Program { name: &'static str, package: &'static str },
    /// `npm ci` in this folder of the repository.
    NodeModules { folder: &'static str },
    /// Programs that this Debian's own packages are too old for, unpacked under the target folder. What is
    /// not to be had is left out by the tests, so this is always met.
    Newer,
    /// Python's `prometheus_client`, by pip into the target folder.
    PrometheusClient,
    /// OpenTelemetry's SDK for Python with its exporter over HTTP, by pip into the target folder.
    OpenTelemetry,
    /// `../shared/conformance`, the one thing whose absence CI forgives.
    Conformance,
}

/// What the browser tests need.
pub(crate) const E2E_MODULES: Need = Need::NodeModules { folder: tree::E2E };
/// What the browser client is built and checked with.
pub(crate) const WEB_MODULES: Need = Need::NodeModules { folder: tree::WEB };
pub(crate) const NODE: Need = Need::Program { name: "node", package: "nodejs" };
pub(crate) const NPM: Need = Need::Program { name: "npm", package: "npm" };
pub(crate) const OPENSSL: Need = Need::Program { name: "openssl", package: "openssl" };
pub(crate) const CHROMIUM: Need = Need::Program { name: "chromium", package: "chromium" };
pub(crate) const FIREFOX: Need = Need::Program { name: "firefox-esr", package: "firefox-esr" };
pub(crate) const PROMETHEUS: Need = Need::Program { name: "prometheus", package: "prometheus" };
pub(crate) const VALGRIND: Need = Need::Program { name: "valgrind", package: "valgrind" };
pub(crate) const VICTORIA_METRICS: Need =
    Need::Program { name: "victoria-metrics", package: "victoria-metrics" };
pub(crate) const PYTHON: Need = Need::Program { name: "python3", package: "python3" };
pub(crate) const PIP: Need = Need::Program { name: "pip3", package: "python3-pip" };
pub(crate) const PROMTOOL: Need = Need::Program { name: "promtool", package: "prometheus" };

/// The version of Python's client library that reads our expositions; it needs no other package.
const PROMETHEUS_CLIENT_VERSION: &str = "0.26.0";

/// OpenTelemetry's SDK for Python, its exporter over HTTP, and all that they need.
const OPENTELEMETRY: [&str; 16] = [
    "opentelemetry-exporter-otlp-proto-http==1.45.2",
    "opentelemetry-exporter-otlp-proto-common==1.45.2",
    "opentelemetry-exporter-otlp-common==0.66b2",
    "opentelemetry-exporter-http-transport==0.66b2",
    "opentelemetry-proto==1.45.2",
    "opentelemetry-sdk==1.45.2",
    "opentelemetry-api==1.45.2",
    "opentelemetry-semantic-conventions==0.66b2",
    "protobuf==7.36.2",
    "googleapis-common-protos==1.76.0",
    "requests==2.34.2",
    "urllib3==2.8.0",
    "idna==3.20",
    "charset-normalizer==3.5.3",
    "certifi==2026.10.19.post1",
    "typing-extensions==4.16.0",
];

/// Installs what is missing among `needs`, where this machine allows it. What still lacks
/// afterwards is found by [`lacking`], so nothing is returned.
pub(crate) fn install(tree: &Tree, needs: &[Need]) {
    let mut packages = Vec::new();
    for need in needs {
        if let Need::Program { name, package } = need
            && which(name).is_none()
            && !packages.contains(package)
        {
            packages.push(*package);
        }
    }
    if !packages.is_empty() {
        apt_install(&packages);
    }
    if needs.contains(&Need::Newer) {
        newer::fetch(tree);
    }
    for need in [E2E_MODULES, WEB_MODULES].into_iter().filter(|need| needs.contains(need)) {
        if let Need::NodeModules { folder } = need
            && which("npm").is_some()
            && !node_modules_fresh(tree, folder)
        {
            let mut npm = Command::new("npm");
            npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(tree.root.join(folder));
            let _ = shell::run(npm);
        }
    }
    if needs.contains(&Need::OpenTelemetry) && which("pip3").is_some() && !has_opentelemetry(tree) {
        let mut pip = tree.command("pip3");
        pip.args(["install", "--quiet", "--no-deps", "--upgrade", "--target"])
            .arg(tree.python_otel())
            .args(OPENTELEMETRY);
        let _ = shell::run(pip);
    }
    if needs.contains(&Need::PrometheusClient)
        && which("pip3").is_some()
        && !has_prometheus_client(tree)
    {
        let mut pip = tree.command("pip3");
        pip.args(["install", "--quiet", "--no-deps", "--upgrade", "--target"])
            .arg(tree.python())
            .arg(format!("prometheus_client=={PROMETHEUS_CLIENT_VERSION}"));
        let _ = shell::run(pip);
    }
}

/// Why `need` is not met, in a few words for the table; `None` if it is.
pub(crate) fn lacking(tree: &Tree, need: Need) -> Option<String> {
    let met = match need {
        Need::Program { name, .. } => which(name).is_some(),
        Need::NodeModules { folder } => node_modules_fresh(tree, folder),
        Need::Newer => true,
        Need::PrometheusClient => has_prometheus_client(tree),
        Need::OpenTelemetry => has_opentelemetry(tree),
        Need::Conformance => tree.conformance().is_dir(),
    };
    (!met).then(|| match need {
        Need::Program { name, package } => {
            format!("no `{name}` (Debian package `{package}`), and apt-get could not install it")
        }
        Need::NodeModules { folder } => format!("`npm ci` failed in {folder}"),
        Need::Newer => unreachable!("it is always met"),
        Need::PrometheusClient => {
            format!("pip could not install prometheus_client {PROMETHEUS_CLIENT_VERSION}")
        }
        Need::OpenTelemetry => format!("pip could not install {}", OPENTELEMETRY[0]),
        Need::Conformance => "../shared/conformance is absent".to_owned(),
    })
}

/// `apt-get install`, as root or through a sudo that does not ask.
fn apt_install(packages: &[&str]) {
    let Some(prefix) = privilege() else {
        println!("cannot install {}: needs apt-get, and root or sudo", packages.join(", "));
        return;
    };
    let apt = |args: &[&str]| {
        let mut command = Command::new(prefix[0]);
        command.args(&prefix[1..]).args(args);
        shell::run(command).is_ok()
    };
    // An update that fails for one of several sources may still bring what is needed.
    apt(&["update", "-qq"]);
    // One package that does not install must not keep the others away.
    for package in packages {
        apt(&["install", "-y", "-qq", "--no-install-recommends", package]);
    }
}

/// The words to put before apt-get's arguments. `RUNLEVEL=1` keeps Debian's packages from starting
/// their services: the tests start their own, on ports of their own.
fn privilege() -> Option<&'static [&'static str]> {
    const ROOT: &[&str] = &["env", "RUNLEVEL=1", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
    const SUDO: &[&str] =
        &["sudo", "-n", "env", "RUNLEVEL=1", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
    which("apt-get")?;
    let says = |program: &str, args: &[&str]| Command::new(program).args(args).output().ok();
    if says("id", &["-u"]).is_some_and(|output| output.stdout == b"0\n") {
        return Some(ROOT);
    }
    says("sudo", &["-n", "true"]).filter(|output| output.status.success()).map(|_| SUDO)
}

/// Whether pip put that version into the target folder.
fn has_prometheus_client(tree: &Tree) -> bool {
    let about = format!("prometheus_client-{PROMETHEUS_CLIENT_VERSION}.dist-info");
    tree.python().join(about).is_dir()
}

/// Whether pip put each of those versions into the target folder.
fn has_opentelemetry(tree: &Tree) -> bool {
    OPENTELEMETRY.iter().all(|pinned| {
        let (name, version) = pinned.split_once("==").unwrap_or((pinned, ""));
        let about = format!("{}-{version}.dist-info", name.replace('-', "_"));
        tree.python_otel().join(about).is_dir()
    })
}

/// Whether `npm ci` ran since the lock file changed. npm leaves a lock file of its own behind.
fn node_modules_fresh(tree: &Tree, folder: &str) -> bool {
    let folder = tree.root.join(folder);
    let modified =
        |path: &str| fs::metadata(folder.join(path)).and_then(|metadata| metadata.modified()).ok();
    let installed = modified("node_modules/.package-lock.json");
    installed.is_some() && installed >= modified("package-lock.json")
}
