//! Where metric families come from: the built-in ones, the configuration file, schema files and folders.

use std::path::{Path, PathBuf};

use lastmile::{Schema, SchemaBuilder};

use crate::config::flag;
use crate::fault::{Faults, Given, Place};
use crate::file::{self, File};

/// What the command line and the environment say of it.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub(crate) config: Option<Given<PathBuf>>,
    /// From the flags if there is one, else from the variables.
    pub(crate) schema: Vec<Given<PathBuf>>,
    pub(crate) default_schema: Option<Given>,
}

/// What was found there.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) schema: SchemaBuilder,
    /// All that the configuration file says.
    pub(crate) file: File,
    /// Whether the built-in families are among them, and whether others are.
    pub(crate) has_default_schema: bool,
    pub(crate) has_own_schema: bool,
}

impl Sources {
    /// Reads all of them.
    pub(crate) fn read(self, faults: &mut Faults) -> Declared {
        let text = self.config.as_ref().and_then(|path| read(path, faults));
        let mut file = match (&self.config, &text) {
            (Some(path), Some(text)) => File::read(&path.value, text, faults),
            _ => File::default(),
        };
        let mut schema = Schema::builder();
        let listed = std::mem::take(&mut file.schema);
        let listed = if self.schema.is_empty() { listed } else { self.schema };
        let has_own_schema = file.has_families || !listed.is_empty();
        let default_schema = flag(self.default_schema, faults).or(file.default_schema);
        let has_default_schema = default_schema.unwrap_or(!has_own_schema);
        if has_default_schema {
            schema = schema.browser();
        } else if !has_own_schema {
            let why = "is off, and there are no other metric families; name some with --schema";
            faults.push(&Place::Name("default_schema".to_owned()), why);
        }
        if let (Some(path), Some(text)) = (&self.config, &text) {
            schema = schema.toml_with(&path.value.display().to_string(), text, &file::KEYS);
        }
        for given in &listed {
            schema = add(schema, given, faults);
        }
        Declared { schema, file, has_default_schema, has_own_schema }
    }
}

/// Reads a text file; a fault names `given`'s place.
fn read(given: &Given<PathBuf>, faults: &mut Faults) -> Option<String> {
    let path = given.value.display();
    let why = match std::fs::read(&given.value).map(String::from_utf8) {
        Ok(Ok(text)) => return Some(text),
        Ok(Err(error)) => {
            let at = error.utf8_error().valid_up_to();
            format!("{path} is not UTF-8 text: byte {at} is wrong")
        }
        Err(error) => format!("cannot read {path}: {error}"),
    };
    faults.push(&given.place, why);
    None
}

/// Adds the families of one file, or of all files of one folder.
fn add(mut builder: SchemaBuilder, given: &Given<PathBuf>, faults: &mut Faults) -> SchemaBuilder {
    if !given.value.is_dir() {
        return add_file(builder, given, faults);
    }
    match files_of(&given.value) {
        Ok(files) if files.is_empty() => {
            let folder = given.value.display();
            faults.push(&given.place, format_args!("there is no .toml or .json file in {folder}"));
        }
        Ok(files) => {
            for file in files {
                let given = Given { value: file, place: given.place.clone() };
                builder = add_file(builder, &given, faults);
            }
        }
        Err(error) => {
            let folder = given.value.display();
            faults.push(&given.place, format_args!("cannot list {folder}: {error}"));
        }
    }
    builder
}

fn add_file(builder: SchemaBuilder, given: &Given<PathBuf>, faults: &mut Faults) -> SchemaBuilder {
    let name = given.value.display().to_string();
    match Syntax::of(&given.value) {
        Some(syntax) => match read(given, faults) {
            Some(text) => match syntax {
                Syntax::Toml => builder.toml(&name, &text),
                Syntax::AllowedMetrics => builder.allowed_metrics(&name, &text),
            },
            None => builder,
        },
        None => {
            let why = match given.value.try_exists() {
                Ok(false) => format!("there is no file or folder `{name}`"),
                _ => format!("{name} is neither a folder nor a .toml or .json file"),
            };
            faults.push(&given.place, why);
            builder
        }
    }
}

enum Syntax {
    Toml,
    AllowedMetrics,
}

impl Syntax {
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "toml" => Some(Self::Toml),
            "json" => Some(Self::AllowedMetrics),
            _ => None,
        }
    }
}

/// The schema files right in `folder`, by name, so that families come in the same order everywhere.
/// Hidden entries are passed over: Kubernetes keeps older versions of a mounted folder in them.
fn files_of(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !is_hidden && Syntax::of(&path).is_some() && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
