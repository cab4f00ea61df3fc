use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Result;

/// What is sent: one file of `scenarios/`.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// The file's name without `.toml`.
    pub(crate) name: String,
    pub(crate) about: String,
    /// What an engine's `paths` is looked up with.
    pub(crate) format: String,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
    /// Where in the body the id stands that is another one in each push.
    pub(crate) id: Option<std::ops::Range<usize>>,
    /// How many ids an engine that remembers them is sent before it is measured, so that it has to forget
    /// one for each that comes.
    pub(crate) ids_before: u64,
    pub(crate) samples_per_push: u64,
    pub(crate) schema: Vec<PathBuf>,
    /// What one push adds to which series.
    pub(crate) adds: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: String,
    format: String,
    body: PathBuf,
    content_type: String,
    samples_per_push: u64,
    id: Option<String>,
    #[serde(default)]
    ids_before: u64,
    #[serde(default)]
    schema: Vec<PathBuf>,
    #[serde(default)]
    adds: BTreeMap<String, f64>,
}

/// Every scenario in the folder, by name. Paths in a file are relative to it.
pub(crate) fn load_all(folder: &Path) -> Result<Vec<Scenario>> {
    let mut scenarios = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let scenario = load(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            scenarios.push(scenario);
        }
    }
    scenarios.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(scenarios)
}

fn load(path: &Path) -> Result<Scenario> {
    let file: File = toml::from_str(&std::fs::read_to_string(path)?)?;
    let folder = path.parent().ok_or("a file is in a folder")?;
    let body = std::fs::read(folder.join(&file.body))?;
    let id = match &file.id {
        None => None,
        Some(id) => {
            let found = body.windows(id.len()).position(|window| window == id.as_bytes());
            let start = found.ok_or("`id` is not in the body")?;
            Some(start..start + id.len())
        }
    };
    let schema = file.schema.iter().map(|path| folder.join(path).canonicalize());
    Ok(Scenario {
        name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        about: file.about,
        format: file.format,
        content_type: file.content_type,
        body,
        id,
        ids_before: file.ids_before,
        samples_per_push: file.samples_per_push,
        schema: schema.collect::<std::io::Result<_>>()?,
        adds: file.adds,
    })
}
