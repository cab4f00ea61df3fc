//! Our reader against the cases of others, so that what it says of our expositions counts.

use std::fs;
use std::path::{Path, PathBuf};

use super::reader::{Dialect, Fault, read};

/// A folder of the shared conformance data; `None`, said aloud, where it is absent.
pub(super) fn shared(set: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    if !root.exists() {
        println!("skipped: {set}: no {}", root.display());
        return None;
    }
    Some(root.join(set))
}

/// Reads a case: whether it was read as it should be, and was not beyond what we write.
fn check(name: &str, text: &[u8], dialect: Dialect, is_valid: bool, wrong: &mut String) -> bool {
    match (read(text, dialect), is_valid) {
        (Ok(_), true) | (Err(Fault::Bad(_)), false) => true,
        (Err(Fault::Beyond(_)), _) => false,
        (found, _) => {
            let text = String::from_utf8_lossy(text);
            *wrong += &format!("{name}, valid: {is_valid}: {found:?}\n{text}\n");
            false
        }
    }
}

#[test]
fn open_metrics_parsers() {
    let Some(folder) = shared("openmetrics-parsers") else { return };
    let (mut n_valid, mut n_bad, mut wrong) = (0, 0, String::new());
    for case in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(about) = fs::read_to_string(case.join("test.json")) else { continue };
        let about: serde_json::Value = serde_json::from_str(&about).unwrap();
        let is_valid = about["shouldParse"].as_bool().unwrap();
        let text = fs::read(case.join("metrics")).unwrap();
        let name = case.display().to_string();
        let is_told = check(&name, &text, Dialect::OpenMetrics, is_valid, &mut wrong);
        *(if is_valid { &mut n_valid } else { &mut n_bad }) += usize::from(is_told);
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(n_valid >= 34 && n_bad >= 133, "{n_valid} valid, {n_bad} bad");
}

#[test]
fn client_python() {
    let Some(folder) = shared("client-python") else { return };
    let mut wrong = String::new();
    for (file, dialect, least) in [
        ("openmetrics.json", Dialect::OpenMetrics, [34, 134]),
        ("prometheus_text.json", Dialect::Text, [8, 0]),
    ] {
        let cases: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(folder.join(file)).unwrap()).unwrap();
        for (list, least) in ["valid", "invalid"].into_iter().zip(least) {
            let no_cases = Vec::new();
            let cases = cases[list].as_array().unwrap_or(&no_cases);
            let mut is_told = |case: &&serde_json::Value| {
                let (name, text) = (case["test"].as_str().unwrap(), case["text"].as_str().unwrap());
                // What scrapers forgive and we never write.
                let is_lax = [
                    "blank_lines",
                    "comments",
                    "spaces",
                    "whitespace",
                    "tabs",
                    "commas",
                    "timestamps",
                    "empty_help",
                    "infinite",
                    "untyped",
                    "no_metadata",
                ];
                if dialect == Dialect::Text && is_lax.iter().any(|lax| name.contains(lax)) {
                    return false;
                }
                check(name, text.as_bytes(), dialect, list == "valid", &mut wrong)
            };
            let n = cases.iter().filter(|case| is_told(case)).count();
            assert!(wrong.is_empty(), "{wrong}");
            assert!(n >= least, "{file}: {n} {list}");
        }
    }
}

#[test]
fn prometheus_common() {
    let Some(folder) = shared("prom-common-expfmt") else { return };
    let mut n = 0;
    for file in fs::read_dir(folder.join("fuzz/corpus")).unwrap().map(|entry| entry.unwrap()) {
        let name = file.file_name().into_string().unwrap();
        if name.starts_with("from_test_parse_error_") {
            let text = fs::read(file.path()).unwrap();
            let found = read(&text, Dialect::Text);
            assert!(found.is_err(), "{name}: {found:?}\n{}", String::from_utf8_lossy(&text));
            n += 1;
        }
    }
    assert!(n >= 15, "{n} files");
}
