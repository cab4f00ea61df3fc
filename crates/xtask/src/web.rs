//! The browser client: its types, its build, its sizes, its tests; and the TypeScript that the aggregator prints.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::{fs, io};

use crate::shell::{self, Failure};
use crate::tree::Tree;

/// Checks all of it.
///
/// # Errors
/// The first thing that is wrong.
pub(crate) fn run(tree: &Tree) -> Result<(), Failure> {
    npm(tree, &["run", "check"])?;
    // Beside `dist`, as source maps name the sources by their way from where they lie.
    let built = tree.web().join("target");
    let out = built.to_string_lossy();
    // What an earlier build left would look as if it were of this one.
    drop(fs::remove_dir_all(&built));
    npm(tree, &["run", "build", "--", "--out", &*out])?;
    same_files(&tree.web().join("dist"), &built)?;
    npm(tree, &["run", "size"])?;
    npm(tree, &["test"])?;
    // What is expected of `lastmile-aggregator types`, with lines that must compile and lines that must not.
    for config in ["every", "hostile"] {
        let mut tsc = tree.command("node");
        tsc.arg(tree.web().join("node_modules/typescript/bin/tsc"));
        tsc.args(["-p", &format!("examples/aggregator/tests/types/{config}.tsconfig.json")]);
        shell::run(tsc)?;
    }
    Ok(())
}

fn npm(tree: &Tree, args: &[&str]) -> Result<(), Failure> {
    let mut npm = Command::new("npm");
    npm.args(args).current_dir(tree.web());
    shell::run(npm)
}

/// Whether two folders have the same files with the same bytes: what is committed is what the sources make.
fn same_files(committed: &Path, built: &Path) -> Result<(), Failure> {
    let what = "the committed `dist` of crates/lastmile-web".to_owned();
    let fail = |why: String, tail| Err(Failure { what: what.clone(), why, tail });
    let (committed, built) = match (files(committed), files(built)) {
        (Ok(committed), Ok(built)) => (committed, built),
        (Err(error), _) | (_, Err(error)) => return fail(error.to_string(), Vec::new()),
    };
    let mut faults = Vec::new();
    for (name, bytes) in &committed {
        match built.get(name) {
            None => faults.push(format!("{name} is not what the build makes")),
            Some(built) if built != bytes => faults.push(format!("{name} differs")),
            Some(_) => {}
        }
    }
    faults.extend(
        built
            .keys()
            .filter(|name| !committed.contains_key(*name))
            .map(|name| format!("{name} is not there")),
    );
    match faults.is_empty() {
        true => Ok(()),
        false => fail("is not what `npm run build` makes there: run it".to_owned(), faults),
    }
}

/// All files below a folder, by their paths in it.
fn files(folder: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inside) = folders.pop() {
        for entry in fs::read_dir(inside)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy();
                files.insert(name.into_owned(), fs::read(&path)?);
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::same_files;
    use crate::tree::Tree;

    #[test]
    fn each_file_is_compared_and_none_is_passed_over() {
        let folder = Tree::find().target.join("tmp/xtask-web");
        let is_same = |committed: &[(&str, &str)], built: &[(&str, &str)]| {
            for (side, files) in [("committed", committed), ("built", built)] {
                let side = folder.join(side);
                drop(fs::remove_dir_all(&side));
                fs::create_dir_all(&side).expect("it is ours");
                for (name, text) in files {
                    let file = side.join(name);
                    fs::create_dir_all(file.parent().unwrap_or(Path::new(""))).expect("it is ours");
                    fs::write(file, text).expect("it is ours");
                }
            }
            same_files(&folder.join("committed"), &folder.join("built"))
        };
        let two = [("a.js", "1"), ("esm/b.js", "2")];
        assert!(is_same(&two, &two).is_ok());
        for (committed, built, fault) in [
            (&two[..], &two[..1], "esm/b.js is not what the build makes"),
            (&two[..1], &two[..], "esm/b.js is not there"),
            (&two[..], &[("a.js", "1"), ("esm/b.js", "3")][..], "esm/b.js differs"),
            (&two[..], &[("a.js", "1"), ("esm/b.js", "2\n")][..], "esm/b.js differs"),
        ] {
            let failure = is_same(committed, built).expect_err(fault);
            assert_eq!(failure.tail, [fault]);
        }
        assert!(same_files(&folder.join("committed"), &folder.join("none")).is_err());
    }
}
