//! What beacons and Faro's payloads say, and the rules that the tests have for them: declared once here, and
//! translated for the crate. A schema has those of the rules that suit its families.

use std::collections::BTreeMap;

use lastmile::{FaroItem, Mapping, Rule as CoreRule, SchemaBuilder};

use super::declared::label_values;
use super::hits::form;
use super::{ANY_FAULT, Family, Faults, Kind, Label, Policy, Report, Twin};
use crate::json::{self, Json, JsonFault};

/// The path that the tests map.
pub(crate) const PATH: &str = "/beacon";

/// Where a label's value comes from.
enum From {
    Field(&'static str),
    Path(&'static str),
    Const(&'static str),
}
use From::{Const, Field, Path};

struct Rule {
    family: &'static str,
    value: Option<&'static str>,
    /// What the number is divided by.
    over: f64,
    when: &'static [(&'static str, &'static [&'static str])],
    labels: &'static [(&'static str, From)],
}

impl Rule {
    /// Whether these families have one that the rule could be declared for.
    fn suits<'f>(&self, mut families: impl Iterator<Item = &'f Family>) -> bool {
        let Some(family) = families.find(|family| family.name == self.family) else { return false };
        let mut sent = family.labels.iter().filter(|label| label.served.is_none());
        let is_set = |label: &Label| {
            let from = self.labels.iter().find(|(name, _)| *name == label.name);
            match (from.map(|(_, from)| from), &label.policy) {
                (None, _) => false,
                (Some(Field(_)), _) => true,
                (Some(Path(_)), policy) => matches!(policy, Policy::Open(open) if open.template),
                (Some(Const(value)), Policy::Closed { values, .. }) => {
                    values.iter().any(|listed| listed == value)
                }
                (Some(Const(_)), Policy::Open(_)) => true,
            }
        };
        (self.value.is_some() || matches!(family.kind, Kind::Counter))
            && sent.clone().count() == self.labels.len()
            && sent.all(is_set)
    }
}

const fn rule(family: &'static str, value: Option<&'static str>, over: f64) -> Rule {
    Rule { family, value, over, when: &[], labels: &[] }
}

const BEACON: &[Rule] = &[
    Rule { when: &[("kind", &["click", "tap"])], ..rule("plain_total", None, 1.0) },
    rule("wait_seconds", Some("took"), 1000.0),
    Rule { labels: &[("phase", Const("dns"))], ..rule("step_seconds", Some("data.dns"), 1000.0) },
    Rule {
        labels: &[("device", Field("device")), ("page", Field("page"))],
        ..rule("view_seconds", Some("value"), 1.0)
    },
    Rule {
        when: &[("kind", &["view"]), ("sure", &["true", "1"])],
        labels: &[("page", Path("url"))],
        ..rule("paths_total", None, 1.0)
    },
    Rule { when: &[("kind", &["region"])], ..rule("region_total", Some("n"), 1.0) },
    rule("users", Some("a.b.users"), 1.0),
];

const MEASUREMENTS: &[Rule] = &[
    Rule { when: &[("type", &["web-vitals"])], ..rule("wait_seconds", Some("values.lcp"), 1000.0) },
    Rule {
        labels: &[("phase", Field("context.phase"))],
        ..rule("step_seconds", Some("values.step"), 1000.0)
    },
    Rule {
        when: &[("type", &["page"])],
        labels: &[("page", Path("meta.page.url"))],
        ..rule("paths_total", Some("values.n"), 1.0)
    },
];
const EXCEPTIONS: &[Rule] =
    &[Rule { labels: &[("page", Field("type"))], ..rule("views_total", None, 1.0) }];
const EVENTS: &[Rule] = &[
    Rule {
        when: &[("name", &["view"])],
        labels: &[("app", Field("meta.app.name"))],
        ..rule("loads", None, 1.0)
    },
    rule("plain_total", Some("attributes.n"), 1.0),
];
const LOGS: &[Rule] = &[Rule { when: &[("level", &["error"])], ..rule("plain_total", None, 1.0) }];

/// Adds the rules that suit a schema's families. A mapping without any is a mistake, so there is none then.
pub(crate) fn declare(schema: SchemaBuilder, families: &[Family]) -> SchemaBuilder {
    let suits = |rule: &&Rule| rule.suits(families.iter());
    let core = |rule: &Rule| {
        let mut core = CoreRule::new(rule.family).scale(1.0 / rule.over);
        if let Some(value) = rule.value {
            core = core.value(value);
        }
        for (field, values) in rule.when {
            core = core.when(*field, values.iter().copied());
        }
        rule.labels.iter().fold(core, |core, (label, from)| match from {
            Field(field) => core.label(*label, *field),
            Path(field) => core.label_path(*label, *field),
            Const(value) => core.label_const(*label, *value),
        })
    };
    let beacon = BEACON.iter().filter(suits);
    let beacon = beacon.fold(Mapping::new(PATH), |mapping, rule| mapping.rule(core(rule)));
    let is_mapped = BEACON.iter().any(|rule| suits(&rule));
    let schema = if is_mapped { schema.mapping(beacon) } else { schema };
    let items = [
        (FaroItem::Measurement, MEASUREMENTS),
        (FaroItem::Exception, EXCEPTIONS),
        (FaroItem::Event, EVENTS),
        (FaroItem::Log, LOGS),
    ];
    let rules =
        items.into_iter().flat_map(|(item, rules)| rules.iter().map(move |rule| (item, rule)));
    let rules = rules.filter(|(_, rule)| suits(rule));
    rules.fold(schema, |schema, (item, rule)| schema.faro(item, core(rule)))
}

/// A field as a rule sees it.
#[derive(Clone)]
enum Leaf {
    Nothing,
    Number(f64, String),
    Word(String),
}

impl Leaf {
    fn text(&self) -> Option<&str> {
        match self {
            Leaf::Nothing => None,
            Leaf::Number(_, text) | Leaf::Word(text) => Some(text),
        }
    }
}

type Fields = BTreeMap<String, Leaf>;

/// The members of an object, those of its objects with a dot.
fn flatten(prefix: &str, pairs: &[(String, Json<'_>)], fields: &mut Fields) {
    for (key, value) in pairs {
        let name = format!("{prefix}{key}");
        let leaf = match value {
            Json::Object(pairs) => {
                flatten(&format!("{name}."), pairs, fields);
                Leaf::Nothing
            }
            Json::Null | Json::Array(_) => Leaf::Nothing,
            Json::Bool(text) => Leaf::Word((*text).to_owned()),
            Json::Number(text) => Leaf::Number(text.parse().expect("a number"), (*text).to_owned()),
            Json::String(text) => Leaf::Word(text.clone()),
        };
        fields.insert(name, leaf);
    }
}

fn of_form(text: &str) -> Fields {
    let leaf = |(name, value): (String, String)| {
        let is_digits = value.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c));
        let number = value.parse().ok().filter(|_| is_digits);
        (name, number.map_or(Leaf::Word(value.clone()), |number| Leaf::Number(number, value)))
    };
    form(text).into_iter().map(leaf).collect()
}

fn path_of(url: &str) -> String {
    let behind = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match behind {
        Some(behind) => match behind.find(['/', '?', '#']) {
            Some(at) if behind[at..].starts_with('/') => behind[at..].to_owned(),
            _ => "/".to_owned(),
        },
        None if url.starts_with('/') => url.to_owned(),
        None => String::new(),
    }
}

fn read(text: &str) -> Result<Json<'_>, Faults> {
    json::read(text).map_err(|fault| match fault {
        JsonFault::TooDeep => ["too_deep"].into(),
        JsonFault::Syntax => ANY_FAULT.into(),
    })
}

impl Twin {
    // ---- `POST /beacon`, which the tests map ----

    pub(crate) fn push_beacon(&mut self, body: &[u8]) -> Result<Report, Faults> {
        if !BEACON.iter().any(|rule| self.suits(rule)) {
            return Err(["unknown_path"].into());
        }
        let text = std::str::from_utf8(body).map_err(|_| Faults::from(["invalid_utf8"]))?;
        let mut report = Report { batches: 1, without_id: 1, ..Report::default() };
        let records: Vec<Option<Fields>> =
            match text.trim_start_matches([' ', '\n', '\t', '\r']).chars().next() {
                None => return Err(["empty"].into()),
                Some('{' | '[') => {
                    let items = match read(text)? {
                        Json::Array(items) => items,
                        one => vec![one],
                    };
                    let fields = |item: &Json<'_>| match item {
                        Json::Object(pairs) => {
                            let mut fields = Fields::new();
                            flatten("", pairs, &mut fields);
                            Some(fields)
                        }
                        _ => None,
                    };
                    items.iter().map(fields).collect()
                }
                Some(_) => vec![Some(of_form(text))],
            };
        self.batch += 1;
        records.iter().for_each(|record| self.record(BEACON, record.as_ref(), &mut report));
        Ok(report)
    }

    // ---- `POST /collect` ----

    pub(crate) fn push_faro(&mut self, body: &[u8]) -> Result<Report, Faults> {
        let text = std::str::from_utf8(body).map_err(|_| Faults::from(["invalid_utf8"]))?;
        let members = match read(text) {
            Ok(Json::Object(members)) => members,
            Ok(_) => return Err(["expected_object"].into()),
            Err(mut faults) => {
                faults.insert("expected_object");
                return Err(faults);
            }
        };
        let last = |name: &str| members.iter().rev().find(|(key, _)| key == name).map(|(_, v)| v);
        let mut page = Fields::new();
        if let Some(Json::Object(pairs)) = last("meta") {
            flatten("meta.", pairs, &mut page);
        }
        self.batch += 1;
        let mut report = Report { batches: 1, without_id: 1, ..Report::default() };
        let lists = [
            ("measurements", MEASUREMENTS),
            ("exceptions", EXCEPTIONS),
            ("events", EVENTS),
            ("logs", LOGS),
        ];
        for (name, rules) in lists {
            let items = match last(name) {
                None | Some(Json::Null) => continue,
                Some(Json::Array(items)) => items,
                Some(_) => {
                    report.refuse("malformed", 1);
                    continue;
                }
            };
            for item in items {
                let Json::Object(pairs) = item else {
                    report.refuse("malformed", 1);
                    continue;
                };
                let mut fields = Fields::new();
                flatten("", pairs, &mut fields);
                fields.retain(|name, _| !name.starts_with("meta."));
                fields.extend(page.clone());
                self.record(rules, Some(&fields), &mut report);
            }
        }
        Ok(report)
    }

    fn suits(&self, rule: &Rule) -> bool {
        rule.suits(self.families.iter().map(|state| &state.family))
    }

    fn record(&mut self, rules: &[Rule], fields: Option<&Fields>, report: &mut Report) {
        let Some(fields) = fields else {
            return report.refuse("malformed", 1);
        };
        let text = |field: &str| fields.get(field).and_then(Leaf::text);
        let applies = |rule: &&Rule| {
            let is = |(field, values): &(&str, &[&str])| {
                text(field).is_some_and(|text| values.contains(&text))
            };
            rule.when.iter().all(is) && rule.value.is_none_or(|value| fields.contains_key(value))
        };
        let mut n = 0;
        let declared: Vec<&Rule> = rules.iter().filter(|rule| self.suits(rule)).collect();
        for rule in declared.into_iter().filter(applies) {
            n += 1;
            let label = |(label, from): &(&str, From)| {
                let value = match from {
                    Field(field) => text(field).map(str::to_owned),
                    Path(field) => text(field).map(path_of),
                    Const(value) => Some((*value).to_owned()),
                };
                value.map(|value| ((*label).to_owned(), value))
            };
            let value = match rule.value.map(|value| &fields[value]) {
                None => Ok((1.0, 1)),
                Some(Leaf::Number(value, _)) if value.is_finite() => Ok((value / rule.over, 1)),
                Some(Leaf::Number(..)) => Err("not_finite"),
                Some(_) => Err("not_a_number"),
            };
            let f = self.family(rule.family).expect("the schema has the families of its rules");
            let labels: Option<Vec<_>> = rule.labels.iter().map(label).collect();
            let labels = labels.ok_or("missing_label");
            match labels.and_then(|labels| label_values(&self.families[f].family, &labels)) {
                Err(reason) => report.refuse(reason, 1),
                Ok(labels) => self.apply(f, &labels, value, 1, report),
            }
        }
        if n == 0 {
            report.refuse("unknown_family", 1);
        }
    }
}
