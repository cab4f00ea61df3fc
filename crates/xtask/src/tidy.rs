//! Rules about the files themselves, which no compiler checks.

use std::fs;

use crate::tree::Tree;

/// What may stand at the top of the repository, beside names that begin with a dot.
const TOP_LEVEL: &[&str] = &[
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "crates",
    "examples",
    "fuzz",
];

/// Checks every rule.
///
/// # Errors
/// One line for each broken rule.
pub(crate) fn check(tree: &Tree) -> Result<(), Vec<String>> {
    let mut faults = Vec::new();
    top_level(tree, &mut faults);
    lock_names_no_host(tree, &mut faults);
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn top_level(tree: &Tree, faults: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(&tree.root) else {
        faults.push("the repository cannot be read".to_owned());
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with('.') && name != "target" && !TOP_LEVEL.contains(&&*name) {
            faults.push(format!("`{name}` does not belong at the top of the repository"));
        }
    }
}

/// Whoever runs `npm ci` has a registry of their own; lock files pin versions and hashes only.
fn lock_names_no_host(tree: &Tree, faults: &mut Vec<String>) {
    let folders = [tree.e2e(), tree.web()];
    for folder in folders.iter().filter(|folder| folder.join("package.json").is_file()) {
        let path = folder.join("package-lock.json");
        match fs::read_to_string(&path) {
            Ok(text) if text.contains("://") => {
                faults.push(format!("{} names a registry's host", path.display()));
            }
            Ok(_) => {}
            Err(error) => faults.push(format!("{}: {error}", path.display())),
        }
    }
}
