//! What others collected: the JSON test suite through `/record` and `/lm`, and the big list of naughty
//! strings as label values.

use std::fs;
use std::path::{Path, PathBuf};

use lastmile::Format;

use crate::oracle::{Context, Pair};
use crate::pushes::quote;
use crate::schemas::{TestSchema, everything, family, open_as};
use crate::twin::Kind;

/// A folder of the shared conformance data; `None`, said aloud, where it is absent.
fn conformance(folder: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    if root.exists() {
        return Some(root.join(folder));
    }
    println!("skipped: {folder}: no {}", root.display());
    None
}

#[test]
fn json_test_suite() {
    let Some(folder) = conformance("json-test-suite/test_parsing") else {
        return;
    };
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 300, "{} files", files.len());
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        check(name, &fs::read(&file).unwrap());
    }
}

/// One text of the suite: as a body, and inside a field and a line that are otherwise good.
fn check(name: &str, text: &[u8]) {
    let _context = Context(name.to_owned());
    let mut pair = Pair::new(&everything());

    // The pair asserts that the twin agrees, and that offsets are inside the body.
    let body = pair.push(Format::Record, text);
    match name.as_bytes()[0] {
        b'y' => {
            let reason = body.err().map(|error| error.reason().as_str());
            assert!(matches!(reason, None | Some("expected_array")), "{reason:?}");
        }
        b'n' => {
            let reason = body.expect_err("it must be refused").reason().as_str();
            assert!(["syntax", "invalid_utf8", "too_deep"].contains(&reason), "{reason}");
        }
        _ => {}
    }

    let entry = [br#"[{"extra":"#, text, br#","metricName":"plain_total","inc":1}]"#].concat();
    let embedded = pair.push(Format::Record, &entry);
    match name.as_bytes()[0] {
        b'y' => assert_eq!(embedded.expect("it must be accepted").accepted(), 1),
        b'n' => assert!(embedded.is_err(), "it must be refused"),
        _ => {}
    }

    let line = [br#"{"lm":1,"extra":"#, text, br#","m":{"plain_total":1}}"#].concat();
    let line = pair.push(Format::Lm1, &line);
    if name.starts_with('y') && !text.contains(&b'\n') {
        assert_eq!(line.expect("it must be accepted").accepted(), 1);
    }

    let value = [br#"[{"metricName":"plain_total","inc":"#, text, br#"}]"#].concat();
    let _ = pair.push(Format::Record, &value);
    let value =
        [br#"[{"metricName":"views_total","labels":{"page":"#, text, br#"},"inc":1}]"#].concat();
    let _ = pair.push(Format::Record, &value);
    let value = [br#"{"lm":1,"m":{"wait_seconds":"#, text, br#"}}"#].concat();
    let _ = pair.push(Format::Lm1, &value);
    pair.check();
}

#[test]
fn naughty_strings() {
    let Some(folder) = conformance("naughty-strings") else {
        return;
    };
    let text = fs::read_to_string(folder.join("blns.json")).unwrap();
    let strings: Vec<String> = serde_json::from_str(&text).unwrap();
    assert!(strings.len() > 400, "{} strings", strings.len());

    let value = open_as("value", 1000, |open| open.max_bytes = 1000);
    let families = vec![
        family("naughty_total", Kind::Counter, vec![value.clone()]),
        family("other_total", Kind::Counter, vec![value]),
    ];
    let mut pair = Pair::new(&TestSchema { families, series_per_family: 10_000 });
    for string in &strings {
        let quoted = quote(string);
        let entry =
            format!(r#"[{{"metricName":"naughty_total","labels":{{"value":{quoted}}},"inc":1}}]"#);
        assert_eq!(pair.push(Format::Record, entry.as_bytes()).unwrap().accepted(), 1);
        let percents: String = string.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let line = format!(r#"{{"lm":1,"m":{{"other_total;value={percents}":1}}}}"#);
        assert_eq!(pair.push(Format::Lm1, line.as_bytes()).unwrap().accepted(), 1);
        // As names they are unknown, and nothing worse.
        let entry = format!(
            r#"[{{"metricName":{quoted},"metricType":{quoted},"labels":{{{quoted}:{quoted}}},"inc":{quoted}}}]"#
        );
        assert_eq!(pair.push(Format::Record, entry.as_bytes()).unwrap().n_refused(), 1);
        let line = format!(r#"{{"lm":1,"m":{{{quoted}:{quoted}}}}}"#);
        assert_eq!(pair.push(Format::Lm1, line.as_bytes()).unwrap().n_refused(), 1);
    }
    let exposition = pair.check();
    for string in &strings {
        let times = strings.iter().filter(|other| *other == string).count() as f64;
        for name in ["naughty_total", "other_total"] {
            assert_eq!(exposition.value(name, &[("value", string)]), Some(times), "{string:?}");
        }
    }
}
