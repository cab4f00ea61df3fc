//! The configuration file's own keys; families and limits in it are the library's to read.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::access::Access;
use crate::fault::{Faults, Given, Place};

/// The keys that are read here; the library leaves them alone and reports every other unknown one.
pub(crate) const KEYS: [&str; 21] = [
    "public",
    "private",
    "schema",
    "default_schema",
    "hold",
    "log",
    "origins",
    "keys",
    "rate",
    "trusted_proxies",
    "routes",
    "bytes_in_flight",
    "connections",
    "connections_per_client",
    "sockets",
    "sockets_per_client",
    "private_connections",
    "private_hosts",
    "private_token",
    "private_basic",
    "debug_samples",
];

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
    pub(crate) access: Access,
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
            let mut reader = Reader { path, text, field, faults };
            let access = &mut file.access;
            match field {
                "public" => file.public = reader.string(value),
                "private" => file.private = reader.string(value),
                "hold" => file.hold = reader.string(value),
                "log" => file.log = reader.string(value),
                "schema" => {
                    let base = path.parent().unwrap_or(Path::new(""));
                    file.schema = reader
                        .strings(value)
                        .into_iter()
                        .map(|given| Given { value: base.join(given.value), place: given.place })
                        .collect();
                }
                "default_schema" => {
                    file.default_schema = reader.flag(value).map(|given| given.value == "true");
                }
                "origins" => access.origins = reader.some_strings(value),
                "keys" => access.keys = reader.pairs(value),
                "rate" => access.rate = reader.string(value),
                "trusted_proxies" => access.trusted_proxies = reader.strings(value),
                "routes" => access.routes = reader.some_strings(value),
                "bytes_in_flight" => access.bytes_in_flight = reader.string(value),
                "connections" => access.connections = reader.number(value),
                "connections_per_client" => access.connections_per_client = reader.number(value),
                "sockets" => access.sockets = reader.number(value),
                "sockets_per_client" => access.sockets_per_client = reader.number(value),
                "private_connections" => access.private_connections = reader.number(value),
                "private_hosts" => access.private_hosts = reader.strings(value),
                "private_token" => access.private_token = reader.string(value),
                "private_basic" => access.private_basic = reader.string(value),
                "debug_samples" => access.debug_samples = reader.flag(value),
                "family" => file.has_families = true,
                _ => {}
            }
        }
        file
    }
}

/// Reads the value of one key.
struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    field: &'a str,
    faults: &'a mut Faults,
}

impl Reader<'_> {
    fn place(&self, value: &Spanned<DeValue<'_>>) -> Place {
        Place::Line {
            file: self.path.display().to_string(),
            line: self.text[..value.span().start].matches('\n').count() + 1,
            field: self.field.to_owned(),
        }
    }

    fn given<T: ToString>(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        read: Option<T>,
        must_be: &str,
    ) -> Option<Given> {
        let place = self.place(value);
        if read.is_none() {
            let kind = value.get_ref().type_str();
            self.faults.push(&place, format_args!("must be {must_be}, not {kind}"));
        }
        read.map(|read| Given { value: read.to_string(), place })
    }

    fn string(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Given> {
        self.given(value, value.get_ref().as_str(), "text")
    }

    fn flag(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Given> {
        self.given(value, value.get_ref().as_bool(), "true or false")
    }

    fn number(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Given> {
        let integer = value.get_ref().as_integer().map(|integer| {
            let digits = integer.as_str().replace('_', "");
            // Of hexadecimal and such, which the file may have too. What is too large stays as it is.
            i64::from_str_radix(&digits, integer.radix()).map_or(digits, |n| n.to_string())
        });
        self.given(value, integer, "a whole number")
    }

    /// A list of texts, or one.
    fn strings(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Given> {
        match value.get_ref() {
            DeValue::Array(values) => {
                values.iter().filter_map(|value| self.string(value)).collect()
            }
            _ => self.string(value).into_iter().collect(),
        }
    }

    /// A list of what alone is let in. One of nothing could mean nobody or everybody.
    fn some_strings(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Given> {
        if value.get_ref().as_array().is_some_and(|values| values.is_empty()) {
            self.empty(value);
        }
        self.strings(value)
    }

    fn empty(&mut self, value: &Spanned<DeValue<'_>>) {
        let place = self.place(value);
        self.faults.push(&place, "is empty; leave it out, and nothing is restricted");
    }

    /// A table of texts, each as `NAME=TEXT`.
    fn pairs(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Given> {
        let DeValue::Table(table) = value.get_ref() else {
            let must_be = "a table, such as { web = \"8f1c0a\" }";
            self.given(value, None::<&str>, must_be);
            return Vec::new();
        };
        if table.is_empty() {
            self.empty(value);
        }
        // In the order of the file, which a table does not keep.
        let mut pairs: Vec<_> = table.iter().collect();
        pairs.sort_by_key(|(_, value)| value.span().start);
        let pairs = pairs.into_iter().filter_map(|(name, value)| {
            let given = self.string(value)?;
            if name.get_ref().contains('=') {
                let why = format_args!("the name `{}` has a =", name.get_ref());
                self.faults.push(&given.place, why);
                return None;
            }
            Some(Given { value: format!("{}={}", name.get_ref(), given.value), place: given.place })
        });
        pairs.collect()
    }
}
