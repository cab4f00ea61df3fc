//! Prometheus as later releases of Debian have it, unpacked beside the one that is installed.
//!
//! apt-get reads lists of its own for this, in the target folder, so nothing about the machine's packages
//! changes and no privilege is needed. Debian's programs of this kind need no libraries but the C library.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell;
use crate::tree::{Tree, which};

/// The releases that a newer Prometheus is taken from: 2.53 and 3.5 when this was written.
pub(crate) const SUITES: [&str; 2] = ["trixie", "sid"];

/// Debian's key, without which apt-get takes nothing.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The program of one release, whether it is there or not.
pub(crate) fn prometheus(tree: &Tree, suite: &str) -> PathBuf {
    folder(tree).join(suite).join("usr/bin/prometheus")
}

fn folder(tree: &Tree) -> PathBuf {
    tree.target.join("debian")
}

/// Gets what is not there yet. What fails is told and left out.
pub(crate) fn fetch(tree: &Tree) {
    let missing: Vec<&str> =
        SUITES.into_iter().filter(|suite| !prometheus(tree, suite).is_file()).collect();
    if missing.is_empty() {
        return;
    }
    if which("apt-get").is_none() || which("dpkg").is_none() || !Path::new(KEYRING).is_file() {
        println!("no newer Prometheus: needs apt-get, dpkg and Debian's keyring");
        return;
    }
    if let Err(why) = fetch_all(tree, &missing) {
        println!("no newer Prometheus: {why}");
    }
}

fn fetch_all(tree: &Tree, suites: &[&str]) -> Result<(), String> {
    let folder = folder(tree);
    let io = |error: std::io::Error| error.to_string();
    for name in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(folder.join(name)).map_err(io)?;
    }
    let source = |suite: &&str| {
        format!("deb [signed-by={KEYRING}] http://deb.debian.org/debian {suite} main\n")
    };
    fs::write(folder.join("sources.list"), suites.iter().map(source).collect::<String>())
        .map_err(io)?;
    let apt = |args: &[&str], within: &Path| {
        let mut command = Command::new("apt-get");
        let place = |key: &str, name: &str| format!("{key}={}", folder.join(name).display());
        for option in [
            place("Dir::Etc::sourcelist", "sources.list"),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            place("Dir::State::Lists", "lists"),
            place("Dir::Cache", "cache"),
        ] {
            command.args(["-o", &option]);
        }
        command.arg("-qq").args(args).current_dir(within);
        shell::run(command).map_err(|failure| failure.why)
    };
    apt(&["update"], &folder)?;
    for suite in suites {
        let into = folder.join(suite);
        fs::create_dir_all(&into).map_err(io)?;
        apt(&["download", &format!("prometheus/{suite}")], &into)?;
        let archives = fs::read_dir(&into).map_err(io)?.flatten().map(|entry| entry.path());
        let archive = archives.filter(|path| path.extension().is_some_and(|e| e == "deb")).max();
        let archive = archive.ok_or("apt-get left no archive")?;
        let mut unpack = Command::new("dpkg");
        unpack.arg("-x").arg(&archive).arg(&into);
        shell::run(unpack).map_err(|failure| failure.why)?;
        fs::remove_file(archive).map_err(io)?;
    }
    Ok(())
}
