//! Golden files: `tests/data/NAME.schema.toml` (or `.json`, as `prometheus-user-metrics` has them) and
//! `NAME.push.json` (`/record`), `NAME.push.lm1`, `NAME.push.txt` (`/metrics`) or `NAME.push.otlp.json`, or several in
//! this order, give
//! `NAME.prom`.
//! `UPDATE_EXPECT=1` writes what is exposed now.

use std::fs;
use std::path::Path;

use lastmile::{Aggregator, Family, Format, Schema, ScrapeOptions, Source};

use crate::expo;
use crate::oracle::{is_own, start};
use crate::schemas::has_summaries;

#[test]
fn golden_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|file| file.split_once(".schema.").map(|(name, _)| name.to_owned()))
        .collect();
    names.sort();
    assert!(names.len() >= 8, "{names:?}");
    for name in names.iter().filter(|name| match name.as_str() {
        "summaries" => has_summaries(),
        "otlp" => cfg!(feature = "otlp"),
        _ => true,
    }) {
        check(&folder, name);
    }
}

fn check(folder: &Path, name: &str) {
    let read = |end: &str| fs::read_to_string(folder.join(format!("{name}.{end}"))).ok();
    let schema = match (read("schema.toml"), read("schema.json")) {
        (Some(text), _) => Schema::builder().toml("schema.toml", &text).build(),
        (_, text) => Schema::builder().allowed_metrics("schema.json", &text.unwrap()).build(),
    };
    let schema = schema.unwrap_or_else(|error| panic!("{name}: {error}"));
    let agg = Aggregator::new(schema.clone(), schema.limits().clone(), start()).unwrap();
    let ends =
        [(Format::Record, "push.json"), (Format::Lm1, "push.lm1"), (Format::PromText, "push.txt")];
    #[cfg(feature = "otlp")]
    let ends = [&ends[..], &[(Format::OtlpJson, "push.otlp.json")]].concat();
    for (format, end) in ends {
        if let Some(body) = read(end) {
            let report = agg.push(format, body.as_bytes(), &Source::default(), start());
            let report = report.unwrap_or_else(|error| panic!("{name}.{end}: {error}"));
            assert_eq!(report.failed_lines(), [], "{name}.{end}");
        }
    }

    let mut encoded = Vec::new();
    agg.encode_to(&mut encoded, start()).unwrap();
    expo::parse(&encoded);
    let mut scrape = agg.scrape(ScrapeOptions::text(), start());
    let (mut scraped, mut chunk) = (Vec::new(), Vec::new());
    while scrape.next_chunk(&mut chunk) {
        scraped.extend_from_slice(&chunk);
    }
    let got = users(&schema, std::str::from_utf8(&encoded).unwrap());
    let scraped = users(&schema, std::str::from_utf8(&scraped).unwrap());
    assert_eq!(scraped, got, "{name}: a scrape is what encode_to writes");
    let file = folder.join(format!("{name}.prom"));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&file, &got).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(got, expected, "{name}.prom differs; UPDATE_EXPECT=1 accepts what is exposed now");
}

/// The schema's families; the rows of open ones sorted, because a process places them by a seed of
/// its own.
fn users(schema: &Schema, text: &str) -> String {
    let mut out = String::new();
    let starts = text.match_indices("# TYPE ").map(|(at, _)| {
        // A group starts at its HELP if it has one.
        let line_before = text[..at].trim_end().rfind('\n').map_or(0, |at| at + 1);
        if text[line_before..].starts_with("# HELP ") { line_before } else { at }
    });
    let starts: Vec<usize> = starts.chain([text.len()]).collect();
    for group in starts.windows(2).map(|at| &text[at[0]..at[1]]) {
        let (head, rows) = group.split_at(group.find("\n# TYPE ").map_or(0, |at| at + 1));
        let (kind, rows) = rows.split_at(rows.find('\n').unwrap() + 1);
        let name = kind.split(' ').nth(2).unwrap();
        if is_own(name) {
            continue;
        }
        let declared = |family: &&Family| family.name() == name;
        let is_open = |family: &Family| !family.labels().iter().all(|label| label.is_closed());
        let mut rows: Vec<&str> = rows.split_inclusive('\n').collect();
        if schema.families().find(declared).is_some_and(is_open) {
            // A series' lines stay together: the sort is stable, by the labels of its own.
            rows.sort_by_key(|row| {
                let labels = row.find('{').map_or("", |at| &row[at..]);
                let end = labels
                    .find(",le=\"")
                    .or(labels.find(",quantile=\""))
                    .or(labels.rfind('}'))
                    .unwrap_or(0);
                labels[..end].to_owned()
            });
        }
        out.push_str(head);
        out.push_str(kind);
        rows.iter().for_each(|row| out.push_str(row));
    }
    out
}
