//! Libraries in process: `cargo run --release -- store`.
//!
//! Each round starts every engine of `engines/*/store.toml` once for every scenario of
//! `scenarios/store`, one after the other, so that what slows the machine for a while slows all. An
//! engine checks by itself that it exposes what was added, and fails otherwise.

mod table;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::Result;
use crate::args::Args;
use crate::engine::{build, target};

/// What every ratio is to.
const BASELINE: &str = "store-lastmile";

/// What is measured: one file of `scenarios/store`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// The file's name without `.toml`, whose number says where it stands in the table.
    #[serde(skip)]
    name: String,
    /// Series that are there before anything but their creation is measured.
    series: usize,
    /// Samples that `known` times.
    samples: usize,
    /// What an engine is asked for; several values may come of one.
    measures: Vec<String>,
    rows: Vec<Row>,
}

/// A line of the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    title: String,
    /// What the engine calls it.
    value: String,
}

/// Who is measured: one folder of `engines` with a `store.toml`.
#[derive(Debug)]
struct Engine {
    /// The folder's name.
    name: String,
    /// What stands above its column.
    title: String,
    about: About,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    about: String,
    /// The package whose version is in the lock file.
    package: String,
    /// The column's title, if the package's name is not enough.
    title: Option<String>,
    build: Vec<String>,
    /// `{target}` is cargo's target folder.
    run: Vec<String>,
    /// What the engine is asked for; all, if it does not say. The rest is `-` in the table.
    measures: Option<Vec<String>>,
}

/// The values of each round, by scenario and row, and then by engine.
type Values = BTreeMap<(usize, usize), Vec<Vec<f64>>>;

pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    let scenarios = load_scenarios(&root.join("scenarios/store"), args)?;
    let engines = load_engines(root, args)?;
    if scenarios.is_empty() || engines.is_empty() {
        return Err("no scenario or no engine of that name".into());
    }
    for engine in &engines {
        build(root, &root.join("engines").join(&engine.name), &engine.about.build)?;
    }
    let mut host = table::Host::before();
    let mut values = Values::new();
    for round in 1..=args.n_rounds {
        eprintln!("round {round} of {}", args.n_rounds);
        for (scenario_idx, scenario) in scenarios.iter().enumerate() {
            for (engine_idx, engine) in engines.iter().enumerate() {
                let measured = measure(root, engine, scenario)
                    .map_err(|error| format!("{} on {}: {error}", engine.name, scenario.name))?;
                for (row_idx, row) in scenario.rows.iter().enumerate() {
                    if let Some(value) = measured.get(&row.value) {
                        let of_row = values.entry((scenario_idx, row_idx));
                        let of_row = of_row.or_insert_with(|| vec![Vec::new(); engines.len()]);
                        of_row[engine_idx].push(*value);
                    }
                }
            }
        }
    }
    host.after();
    table::print(&host, args, &scenarios, &engines, &values);
    Ok(())
}

/// What one engine measured, by the names it gave it.
fn measure(root: &Path, engine: &Engine, scenario: &Scenario) -> Result<BTreeMap<String, f64>> {
    let of_engine = engine.about.measures.as_ref();
    let mut measures = scenario
        .measures
        .iter()
        .filter(|name| of_engine.is_none_or(|of_engine| of_engine.contains(*name)))
        .peekable();
    if measures.peek().is_none() {
        return Ok(BTreeMap::new());
    }
    let target = target(root);
    let run = engine.about.run.iter().map(|arg| arg.replace("{target}", &target.to_string_lossy()));
    let run: Vec<String> = run.collect();
    let (program, args) = run.split_first().ok_or("`run` is empty")?;
    let output = Command::new(program)
        .args(args)
        .arg(format!("series={}", scenario.series))
        .arg(format!("samples={}", scenario.samples))
        .args(measures)
        .output()
        .map_err(|error| format!("`{program}`: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().into());
    }
    let mut measured = BTreeMap::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let (name, value) = line.split_once(' ').ok_or("a line has a name and a value")?;
        measured.insert(name.to_owned(), value.parse()?);
    }
    Ok(measured)
}

fn load_scenarios(folder: &Path, args: &Args) -> Result<Vec<Scenario>> {
    let mut scenarios = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let mut scenario: Scenario = toml::from_str(&std::fs::read_to_string(&path)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        scenario.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if args.wants_scenario(&scenario.name) {
            scenarios.push(scenario);
        }
    }
    scenarios.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(scenarios)
}

/// The baseline first, and the others by name.
fn load_engines(root: &Path, args: &Args) -> Result<Vec<Engine>> {
    let lock: toml::Table = toml::from_str(&std::fs::read_to_string(root.join("Cargo.lock"))?)?;
    let mut engines = Vec::new();
    for entry in std::fs::read_dir(root.join("engines"))? {
        let folder = entry?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = folder.join("store.toml");
        if !file.exists() || !args.wants_engine(&name) {
            continue;
        }
        let about: About = toml::from_str(&std::fs::read_to_string(&file)?)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        let title = match &about.title {
            Some(title) => title.clone(),
            None => format!("{} {}", about.package, version(&lock, &about.package)?),
        };
        engines.push(Engine { name, title, about });
    }
    engines.sort_by_key(|engine| (!engine.name.starts_with(BASELINE), engine.name.clone()));
    Ok(engines)
}

/// The version of a package in the lock file.
fn version<'a>(lock: &'a toml::Table, package: &str) -> Result<&'a str> {
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let field = |of: &'a toml::Value, name| of.get(name).and_then(toml::Value::as_str);
    let mut packages = packages.into_iter().flatten();
    let found = packages.find(|found| field(found, "name") == Some(package));
    let version = found.and_then(|found| field(found, "version"));
    Ok(version.ok_or_else(|| format!("`{package}` is not in the lock file"))?)
}
