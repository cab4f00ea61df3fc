//! `/metrics`, read strictly.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use crate::wire::connect;

/// One scrape.
pub(crate) struct Scrape {
    text: String,
    series: HashMap<String, f64>,
}

impl Scrape {
    /// # Panics
    /// If it is not answered, or not what Prometheus' text format 0.0.4 allows.
    pub(crate) fn of(private: SocketAddr) -> Self {
        let mut stream = connect([127, 0, 0, 1], private).expect("the private side listens");
        stream
            .write_all(b"GET /metrics HTTP/1.0\r\nhost: localhost\r\n\r\n")
            .expect("it takes a scrape");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("a scrape is text, and whole");
        let (head, text) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.0 200 "), "{head}");
        Self { series: parse(text), text: text.to_owned() }
    }

    /// The value of one series.
    pub(crate) fn value(&self, series: &str) -> f64 {
        *self.series.get(series).unwrap_or_else(|| panic!("no {series} in {}", self.text))
    }

    /// The sum over all series of a metric.
    pub(crate) fn sum(&self, metric: &str) -> f64 {
        let of = |series: &str| series.split('{').next() == Some(metric);
        self.series.iter().filter(|(series, _)| of(series)).map(|(_, value)| value).sum()
    }

    /// Has promtool read it too, where that is installed; says whether it is. What it says of names is its
    /// opinion of them: status 3.
    pub(crate) fn check_by_promtool(&self) -> bool {
        let promtool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut promtool) = promtool else { return false };
        let mut stdin = promtool.stdin.take().expect("it is piped");
        stdin.write_all(self.text.as_bytes()).expect("it reads all");
        drop(stdin);
        let said = promtool.wait_with_output().expect("it ends");
        let is_right = matches!(said.status.code(), Some(0 | 3));
        assert!(is_right, "{}", String::from_utf8_lossy(&said.stderr));
        true
    }
}

/// All series, each once, under a type that came before it.
fn parse(text: &str) -> HashMap<String, f64> {
    assert!(text.ends_with('\n'), "the last line has an end");
    let (mut series, mut types) = (HashMap::new(), HashSet::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a type");
            assert!(
                matches!(kind, "counter" | "gauge" | "histogram" | "summary" | "untyped"),
                "{line}"
            );
            assert!(types.insert(name), "twice: {line}");
            continue;
        }
        if line.starts_with('#') {
            assert!(line.starts_with("# HELP "), "{line}");
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
        let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        let metric = name.split('{').next().unwrap_or(name);
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        assert!(!metric.is_empty() && metric.chars().all(is_name), "{line}");
        assert!(name == metric || name.ends_with('}'), "{line}");
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| metric.strip_suffix(end));
        let is_typed = types.contains(metric) || family.is_some_and(|name| types.contains(name));
        assert!(is_typed, "no type before {line}");
        assert!(series.insert(name.to_owned(), value).is_none(), "twice: {line}");
    }
    series
}
