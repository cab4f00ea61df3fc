//! The cases of others, in both directions. Our reader takes what they call valid and refuses what they call bad,
//! so that what it says of our expositions counts. And an aggregator that is loaded with what a valid case shows
//! exposes just that, in every text format; units and the start of series, which are ours to say, aside.
//!
//! What does not apply, and why, is in the [table](table::SETS), which must be what is found: so no case comes,
//! goes or changes sides unseen.

mod table;
mod written;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

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

/// A text, and what others say of it.
struct Case {
    name: String,
    text: Vec<u8>,
    /// `None` for what is no text exposition.
    dialect: Option<Dialect>,
    is_valid: bool,
}

/// All cases of a set, by name.
fn cases(set: &str, folder: &Path) -> Vec<Case> {
    let mut cases = match set {
        "openmetrics-parsers" => {
            files(folder).filter_map(|path| open_metrics_parser(&path)).collect()
        }
        "client-python" => client_python(folder),
        "prom-common-expfmt" => {
            let all = files(&folder.join("fuzz/corpus")).chain(files(&folder.join("testdata")));
            all.map(|path| expfmt(&path)).collect()
        }
        "prometheus-promtool" => files(folder).map(|path| promtool(&path)).collect(),
        "prometheus-textparse" => files(folder).map(|path| textparse(&path)).collect(),
        _ => panic!("how to read the set {set} is not known"),
    };
    cases.sort_by(|a: &Case, b: &Case| a.name.cmp(&b.name));
    cases
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.file_name().unwrap() != "README.md")
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn valid(path: &Path, dialect: Option<Dialect>) -> Case {
    Case { name: name(path), text: fs::read(path).unwrap(), dialect, is_valid: true }
}

fn open_metrics_parser(folder: &Path) -> Option<Case> {
    let about: Value = serde_json::from_slice(&fs::read(folder.join("test.json")).ok()?).unwrap();
    let is_valid = about["shouldParse"].as_bool().unwrap();
    let text = fs::read(folder.join("metrics")).unwrap();
    Some(Case { name: name(folder), text, dialect: Some(Dialect::OpenMetrics), is_valid })
}

fn client_python(folder: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for (file, of, dialect) in [
        ("openmetrics.json", "om", Dialect::OpenMetrics),
        ("prometheus_text.json", "text", Dialect::Text),
    ] {
        let all: Value = serde_json::from_slice(&fs::read(folder.join(file)).unwrap()).unwrap();
        for (list, is_valid) in [("valid", true), ("invalid", false)] {
            for (i, case) in all[list].as_array().unwrap().iter().enumerate() {
                let test = case["test"].as_str().unwrap().trim_start_matches("test_");
                let name = if is_valid { format!("{of}/{test}") } else { format!("{of}/bad_{i}") };
                let text = case["text"].as_str().unwrap().into();
                cases.push(Case { name, text, dialect: Some(dialect), is_valid });
            }
        }
    }
    cases
}

/// Beside text, the folder has the same in protobuf and gzip, and a format of old.
fn expfmt(path: &Path) -> Case {
    let name = name(path);
    let is_text = name.starts_with("from_test_parse_") || ["minimal", "text"].contains(&&*name);
    let is_valid = !name.contains("_error_");
    Case { is_valid, ..valid(path, is_text.then_some(Dialect::Text)) }
}

/// Beside two formats, the folder has what the tool prints.
fn promtool(path: &Path) -> Case {
    let name = name(path);
    let is_open_metrics = name.starts_with("dump-openmetrics-");
    let dialect = match &*name {
        "metrics-test.prom" => Some(Dialect::Text),
        _ => is_open_metrics.then_some(Dialect::OpenMetrics),
    };
    valid(path, dialect)
}

fn textparse(path: &Path) -> Case {
    let is_open_metrics = name(path).ends_with(".om.txt");
    valid(path, Some(if is_open_metrics { Dialect::OpenMetrics } else { Dialect::Text }))
}

/// Prometheus text without blank lines and comments, which anyone skips and we never write.
fn without_comments(text: &[u8]) -> Vec<u8> {
    let is_skipped = |line: &&[u8]| {
        let line = line.trim_ascii();
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let is_comment = words.next().is_some_and(|first| first.starts_with(b"#"));
        line.is_empty() || is_comment && !matches!(words.next(), Some(b"HELP" | b"TYPE"))
    };
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    lines.filter(|line| !is_skipped(line)).flatten().copied().collect()
}

/// Names of cases, or of their families, by what becomes of them.
#[derive(Default)]
struct Outcomes(BTreeMap<String, Vec<String>>);

/// Whether cases are written too, which have summaries among their families.
const WRITES: bool = cfg!(feature = "summary");

/// Those that are as they should be; of them only the number is in the table.
const APPLY: [&str; 3] = ["read", "refused", "written and read back"];

impl Outcomes {
    fn note(&mut self, outcome: impl Into<String>, name: impl Into<String>) {
        self.0.entry(outcome.into()).or_default().push(name.into());
    }

    /// As the table has them.
    fn table(&self) -> Vec<(String, String)> {
        let row = |(outcome, names): (&String, &Vec<String>)| {
            let is_plain = APPLY.contains(&outcome.as_str());
            let names = if is_plain { names.len().to_string() } else { names.join(" ") };
            (outcome.clone(), names)
        };
        self.0.iter().map(row).collect()
    }
}

/// Reads and writes all cases of a set.
#[track_caller]
fn check(set: &str) {
    let Some(folder) = shared(set) else { return };
    let mut outcomes = Outcomes::default();
    for Case { name, text, dialect, is_valid } in cases(set, &folder) {
        let Some(dialect) = dialect else {
            outcomes.note("no text exposition", name);
            continue;
        };
        let side = if is_valid { "valid" } else { "bad" };
        let text = if dialect == Dialect::Text { without_comments(&text) } else { text };
        match read(&text, dialect) {
            Ok(exposition) if is_valid => {
                outcomes.note("read", &name);
                if WRITES {
                    written::check(&name, &exposition, dialect, &mut outcomes);
                }
            }
            Ok(_) => {
                panic!("{set}/{name} is bad and was read:\n{}", String::from_utf8_lossy(&text))
            }
            Err(Fault::Bad(_)) if !is_valid => outcomes.note("refused", name),
            Err(Fault::Bad(why)) => {
                let why = why.split(": ").next().unwrap_or_default();
                outcomes.note(format!("valid, and never written by us: {why}"), name);
            }
            Err(Fault::Beyond(what)) => outcomes.note(format!("{side}, with {what}"), name),
        }
    }
    let (_, expected) = table::SETS.iter().find(|(name, _)| *name == set).unwrap();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let applies = |(outcome, _): &&(&str, &str)| {
        WRITES || !["written", "not written"].iter().any(|start| outcome.starts_with(start))
    };
    let mut expected: Vec<(String, String)> = (expected.iter().filter(applies))
        .map(|(outcome, names)| ((*outcome).to_owned(), words(names)))
        .collect();
    expected.sort();
    let found = outcomes.table();
    if found != expected {
        let lines: String = found.iter().map(|row| format!("{row:?},\n")).collect();
        panic!("{set} is not as the table has it:\n{lines}");
    }
}

#[test]
fn open_metrics_parsers() {
    check("openmetrics-parsers");
}

#[test]
fn client_python_tests() {
    check("client-python");
}

#[test]
fn prometheus_common() {
    check("prom-common-expfmt");
}

#[test]
fn promtool_tests() {
    check("prometheus-promtool");
}

#[test]
fn prometheus_textparse() {
    check("prometheus-textparse");
}
