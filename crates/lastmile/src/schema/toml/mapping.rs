//! `[[mapping]]` and `[[faro]]`.

use toml::de::{DeTable, DeValue};

use super::{Reader, Value};
use crate::schema::mapping::{LabelValue, Mapping, Rule};

impl Reader<'_> {
    /// `[[mapping]]` tables.
    pub(super) fn mappings(&mut self, value: &Value<'_>) {
        self.tables("mapping", value, |reader, at, fields| {
            let mut mapping = Mapping::new("");
            // One whose path or samples cannot be read has its fault already.
            let mut is_read = fields.get("path").is_some_and(|v| v.get_ref().as_str().is_some());
            mapping.place =
                reader.lines.place(fields.get("path").map_or(at.start, |v| v.span().start));
            if !fields.contains_key("path") {
                reader.fault(at, "mapping.path", "is missing");
            }
            for (key, value) in fields {
                match key.get_ref().as_ref() {
                    "path" => mapping.path = reader.text("mapping.path", value).unwrap_or_default(),
                    "samples" => {
                        mapping.rules = reader.list("mapping.samples", value, |reader, value| {
                            let Some(fields) = value.get_ref().as_table() else {
                                let why = "a sample is written { family = \"…\", value = \"…\" }";
                                reader.fault(value.span(), "mapping.samples", why);
                                return None;
                            };
                            reader.rule("mapping.samples", value.span(), fields, &[])
                        });
                        let n = value.get_ref().as_array().map_or(1, |values| values.len());
                        is_read &= n == 0 || !mapping.rules.is_empty();
                    }
                    other => {
                        let field = format!("mapping.{other}");
                        reader.fault(key.span(), &field, "is not a field of a mapping");
                    }
                }
            }
            if is_read {
                reader.into.mapped.mappings.push(mapping);
            }
        });
    }

    /// `[[faro]]` tables.
    #[cfg(feature = "faro")]
    pub(super) fn faro(&mut self, value: &Value<'_>) {
        use crate::schema::mapping::FaroItem;

        self.tables("faro", value, |reader, at, fields| {
            let words = FaroItem::ALL.map(|item| (item.as_str(), item));
            let item = match fields.get("item") {
                Some(value) => reader.one_of("faro.item", value, &words),
                None => {
                    reader.fault(at.clone(), "faro.item", "is missing");
                    None
                }
            };
            let rule = reader.rule("faro", at, fields, &["item"]);
            if let (Some(item), Some(rule)) = (item, rule) {
                reader.into.mapped.faro.push((item, rule));
            }
        });
    }

    /// The fields of a rule, beside those that are read already; `None` if it names no family.
    fn rule(
        &mut self,
        of: &str,
        at: std::ops::Range<usize>,
        fields: &DeTable<'_>,
        others: &[&str],
    ) -> Option<Rule> {
        let mut rule = Rule::new("");
        rule.place = self.lines.place(fields.get("family").map_or(at.start, |v| v.span().start));
        if !fields.contains_key("family") {
            self.fault(at, &format!("{of}.family"), "is missing");
        }
        for (key, value) in fields {
            let name = key.get_ref().as_ref();
            let field = format!("{of}.{name}");
            match name {
                "family" => rule.family = self.text(&field, value).unwrap_or_default(),
                "value" => rule.value = self.text(&field, value),
                "scale" => rule.scale = self.number(&field, value).unwrap_or(1.0),
                "when" => self.members(&field, value, |reader, name, value| {
                    let values = match value.get_ref() {
                        DeValue::String(one) => vec![one.to_string()],
                        _ => reader.list(&field, value, |reader, v| reader.text(&field, v)),
                    };
                    rule.when.push((name.to_owned(), values));
                }),
                "labels" => self.members(&field, value, |reader, name, value| {
                    let field = format!("{field}.{name}");
                    let Some(text) = reader.text(&field, value) else { return };
                    let from = match text.split_once(':') {
                        Some(("field", field)) => LabelValue::Field(field.to_owned()),
                        Some(("path", field)) => LabelValue::Path(field.to_owned()),
                        Some(("const", value)) => LabelValue::Const(value.to_owned()),
                        _ => {
                            let why =
                                format!("`{text}` is not field:NAME, path:NAME or const:VALUE");
                            return reader.fault(value.span(), &field, why);
                        }
                    };
                    rule.labels.push((name.to_owned(), from));
                }),
                other if others.contains(&other) => {}
                _ => self.fault(key.span(), &field, "is not a field of a sample"),
            }
        }
        let has_family = fields.get("family").is_some_and(|v| v.get_ref().as_str().is_some());
        has_family.then_some(rule)
    }

    /// Each of the tables that are written `[[NAME]]`.
    fn tables(
        &mut self,
        name: &str,
        value: &Value<'_>,
        mut read: impl FnMut(&mut Self, std::ops::Range<usize>, &DeTable<'_>),
    ) {
        let why = format!("must be written [[{name}]]");
        let Some(tables) = value.get_ref().as_array() else {
            return self.fault(value.span(), name, why);
        };
        for table in tables.iter() {
            match table.get_ref().as_table() {
                Some(fields) => read(self, table.span(), fields),
                None => self.fault(table.span(), name, why.clone()),
            }
        }
    }

    /// Each member of a table in a line.
    fn members(
        &mut self,
        field: &str,
        value: &Value<'_>,
        mut read: impl FnMut(&mut Self, &str, &Value<'_>),
    ) {
        let Some(fields) = value.get_ref().as_table() else {
            return self.fault(value.span(), field, "is written { name = \"…\" }");
        };
        for (key, value) in fields {
            read(self, key.get_ref().as_ref(), value);
        }
    }
}
