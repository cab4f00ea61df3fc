//! The tags of the scripts that are served.

use lastmile_web::Script;

/// Each script, the path that never has another text, and a tag for it; `root` is what pages reach the public side by.
pub(crate) fn of_all(root: &str) -> String {
    let root = escaped(root.trim_end_matches('/'));
    lastmile_web::ALL.iter().map(|script| of(script, &root)).collect::<Vec<_>>().join("\n")
}

fn of(script: &Script, root: &str) -> String {
    let (name, path, integrity) = (script.name(), script.path(), script.integrity());
    format!(
        "{name} {path}\n<script defer src=\"{root}{path}\" integrity=\"{integrity}\" crossorigin=\"anonymous\"></script>\n"
    )
}

/// As the value of an attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}
