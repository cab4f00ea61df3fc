//! The configuration file's own keys; families and limits in it are the library's to read.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::fault::{Faults, Given, Place};

/// The keys that are read here; the library leaves them alone and reports every other unknown one.
pub(crate) const KEYS: [&str; 6] = ["public", "private", "schema", "default_schema", "hold", "log"];

/// What the file says.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) public: Option<Given>,
    pub(crate) private: Option<Given>,
    /// Relative paths are beside the file.
    pub(crate) schema: Vec<Given<PathBuf>>,
    pub(crate) default_schema: Option<bool>,
    pub(crate) hold: Option<Given>,
    pub(crate) log: Option<Given>,
    pub(crate) has_families: bool,
}

impl File {
    /// Reads the keys of `text`. Of text that is no TOML it reads none; the library says what is wrong.
    pub(crate) fn read(path: &Path, text: &str, faults: &mut Faults) -> Self {
        let mut file = Self::default();
        let Ok(table) = DeTable::parse(text) else {
            return file;
        };
        for (key, value) in table.get_ref() {
            let field = key.get_ref().as_ref();
            let place = |offset: usize| Place::Line {
                file: path.display().to_string(),
                line: text[..offset].matches('\n').count() + 1,
                field: field.to_owned(),
            };
            let mut string = |value: &Spanned<DeValue<'_>>| {
                let place = place(value.span().start);
                match value.get_ref().as_str() {
                    Some(value) => Some(Given { value: value.to_owned(), place }),
                    None => {
                        let kind = value.get_ref().type_str();
                        faults.push(&place, format_args!("must be text, not {kind}"));
                        None
                    }
                }
            };
            match field {
                "public" => file.public = string(value),
                "private" => file.private = string(value),
                "hold" => file.hold = string(value),
                "log" => file.log = string(value),
                "schema" => {
                    let one = std::slice::from_ref(value);
                    let paths = match value.get_ref() {
                        DeValue::Array(paths) => paths.iter().collect::<Vec<_>>(),
                        _ => one.iter().collect(),
                    };
                    let base = path.parent().unwrap_or(Path::new(""));
                    file.schema = paths
                        .into_iter()
                        .filter_map(string)
                        .map(|given| Given { value: base.join(given.value), place: given.place })
                        .collect();
                }
                "default_schema" => match value.get_ref().as_bool() {
                    Some(keep) => file.default_schema = Some(keep),
                    None => {
                        let kind = value.get_ref().type_str();
                        let why = format_args!("must be true or false, not {kind}");
                        faults.push(&place(value.span().start), why);
                    }
                },
                "family" => file.has_families = true,
                _ => {}
            }
        }
        file
    }
}
