//! Rules as a push is read by them: fields by their places in a sorted list of names, labels in schema order.

use std::sync::Arc;

use super::{Declared, LabelValue, Rule};
use crate::schema::Family;

/// All mappings of a schema.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mappings {
    by_path: Vec<(Box<str>, Arc<Rules>)>,
    #[cfg(feature = "faro")]
    faro: [Arc<Rules>; super::FaroItem::ALL.len()],
}

impl Mappings {
    /// Of rules that were checked.
    pub(in crate::schema) fn new(declared: &Declared, families: &[Family]) -> Self {
        let rules = |mapping: &super::Mapping| {
            let rules = Rules::new(&mapping.rules.iter().collect::<Vec<_>>(), families);
            (mapping.path.as_str().into(), Arc::new(rules))
        };
        Self {
            by_path: declared.mappings.iter().map(rules).collect(),
            #[cfg(feature = "faro")]
            faro: super::FaroItem::ALL.map(|item| {
                let of_item = declared.faro.iter().filter(|(of, _)| *of == item);
                Arc::new(Rules::new(&of_item.map(|(_, rule)| rule).collect::<Vec<_>>(), families))
            }),
        }
    }

    /// The rules for beacons that come to a path. Looks at one after the other; there are few.
    pub(crate) fn at(&self, path: &str) -> Option<&Arc<Rules>> {
        self.by_path.iter().find(|(known, _)| **known == *path).map(|(_, rules)| rules)
    }

    /// The paths that take beacons.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.by_path.iter().map(|(path, _)| &**path)
    }

    #[cfg(feature = "faro")]
    pub(crate) fn faro(&self, item: super::FaroItem) -> &Arc<Rules> {
        &self.faro[item as usize]
    }
}

/// The rules for one kind of record.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// Each field that any rule looks at, once, sorted by its bytes.
    names: Vec<Box<[u8]>>,
    matchers: Vec<Matcher>,
}

impl Rules {
    fn new(rules: &[&Rule], families: &[Family]) -> Self {
        let mut names: Vec<Box<[u8]>> = rules
            .iter()
            .flat_map(|rule| rule.fields())
            .map(|field| field.as_bytes().into())
            .collect();
        names.sort_unstable();
        names.dedup();
        let place = |field: &str| {
            let found = names.binary_search_by(|name| (**name).cmp(field.as_bytes()));
            found.unwrap_or_else(|_| unreachable!("every field is among the names"))
        };
        let matchers = rules.iter().map(|rule| Matcher::new(rule, families, &place)).collect();
        Self { names, matchers }
    }

    pub(crate) fn names(&self) -> &[Box<[u8]>] {
        &self.names
    }

    pub(crate) fn matchers(&self) -> &[Matcher] {
        &self.matchers
    }
}

/// A rule.
#[derive(Debug)]
pub(crate) struct Matcher {
    pub(crate) family: Box<[u8]>,
    /// The place of the field with the number; 1 without one.
    pub(crate) value: Option<usize>,
    scale: Scale,
    pub(crate) when: Vec<(usize, Vec<Box<[u8]>>)>,
    /// For each label of the family, in its order, what it is set from; `None` for one that the server sets.
    pub(crate) labels: Vec<Option<LabelFrom>>,
}

/// Where a label's value comes from: a field, by its place.
#[derive(Debug)]
pub(crate) enum LabelFrom {
    Field(usize),
    /// The path of the URL in it.
    Path(usize),
    Const(Box<[u8]>),
}

impl Matcher {
    fn new(rule: &Rule, families: &[Family], place: &impl Fn(&str) -> usize) -> Self {
        let from = |from: &LabelValue| match from {
            LabelValue::Field(field) => LabelFrom::Field(place(field)),
            LabelValue::Path(field) => LabelFrom::Path(place(field)),
            LabelValue::Const(value) => LabelFrom::Const(value.as_bytes().into()),
        };
        let family = families.iter().find(|family| family.name() == rule.family);
        let labels = family.map_or(&[][..], Family::labels).iter().map(|label| {
            let given = rule.labels.iter().find(|(name, _)| name == label.name());
            given.map(|(_, given)| from(given))
        });
        let bytes = |values: &Vec<String>| values.iter().map(|v| v.as_bytes().into()).collect();
        Self {
            family: rule.family.as_bytes().into(),
            value: rule.value.as_deref().map(place),
            scale: Scale::new(rule.scale),
            when: rule.when.iter().map(|(field, values)| (place(field), bytes(values))).collect(),
            labels: labels.collect(),
        }
    }

    pub(crate) fn scaled(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Times(by) => value * by,
            Scale::Over(by) => value / by,
        }
    }
}

/// What a number is multiplied by.
#[derive(Clone, Copy, Debug)]
enum Scale {
    Times(f64),
    Over(f64),
}

impl Scale {
    /// 0.001 is no float, and 1,000 is one: a division rounds once, as whoever counts in milliseconds does.
    fn new(scale: f64) -> Self {
        let inverse = (1.0 / scale).round();
        if scale < 1.0 && 1.0 / inverse == scale { Self::Over(inverse) } else { Self::Times(scale) }
    }
}
