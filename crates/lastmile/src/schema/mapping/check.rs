//! What mappings must satisfy, whichever way they were written down.

use std::collections::HashSet;

use super::{Declared, LabelValue, Rule};
use crate::error::{Fault, Place};
use crate::schema::check::{NAME_BYTES_MAX, takes};
use crate::schema::{Family, Kind};

/// Most mappings of a schema, most rules of one, and most values of one condition. Each record of a beacon is held
/// against each rule.
const LISTED_MAX: usize = 64;

/// Most fields that the rules for one kind of record look at; each record is read into a place for each.
const FIELDS_MAX: usize = 256;

/// Longest path in bytes.
const PATH_BYTES_MAX: usize = 128;

/// What `lastmile-http` routes itself, with all that is below, or will: no mapping can stand before it. Behind `/lm-`
/// stands the name of a script.
const OWN_PATHS: [&str; 13] = [
    "/lm", "/lm.gif", "/lm.js", "/lm-", "/record", "/metrics", "/collect", "/reports", "/v1",
    "/static", "/healthz", "/readyz", "/debug",
];

/// All mistakes of these mappings, each alone and together.
pub(in crate::schema) fn mappings(declared: &Declared, families: &[Family]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut paths = HashSet::new();
    let mut fault = |place: &Option<Place>, family: &str, field: &str, why: String| {
        let place = place.clone();
        faults.push(Fault { place, family: family.to_owned(), field: field.to_owned(), why });
    };
    if declared.mappings.len() > LISTED_MAX {
        let n = declared.mappings.len();
        let place = declared.mappings.get(LISTED_MAX).and_then(|mapping| mapping.place.clone());
        fault(&place, "", "mapping", format!("there are {n}; {LISTED_MAX} are possible"));
    }
    for mapping in &declared.mappings {
        let path = &mapping.path;
        if let Some(why) = path_fault(path) {
            fault(&mapping.place, "", "mapping.path", format!("`{path}` {why}"));
        } else if !paths.insert(path) {
            fault(&mapping.place, "", "mapping.path", format!("`{path}` is mapped twice"));
        }
        let n = mapping.rules.len();
        if n == 0 {
            fault(&mapping.place, "", "mapping.samples", format!("`{path}` has none"));
        } else if n > LISTED_MAX {
            let why = format!("`{path}` has {n}; {LISTED_MAX} are possible");
            fault(&mapping.place, "", "mapping.samples", why);
        }
        if let Some(why) = fields_fault(mapping.rules.iter()) {
            fault(&mapping.place, "", "mapping.samples", format!("`{path}` {why}"));
        }
        for rule in &mapping.rules {
            self::rule(rule, families, &mut |field, why| {
                fault(&rule.place, &rule.family, &format!("mapping.samples{field}"), why);
            });
        }
    }
    #[cfg(feature = "faro")]
    faro(declared, families, &mut fault);
    faults
}

#[cfg(feature = "faro")]
fn faro(
    declared: &Declared,
    families: &[Family],
    fault: &mut impl FnMut(&Option<Place>, &str, &str, String),
) {
    for item in super::FaroItem::ALL {
        let rules = || declared.faro.iter().filter(|(of, _)| *of == item).map(|(_, rule)| rule);
        if let Some(rule) = rules().nth(LISTED_MAX) {
            let why =
                format!("has {} for {}; {LISTED_MAX} are possible", rules().count(), item.list());
            fault(&rule.place, "", "faro", why);
        }
        if let (Some(why), Some(rule)) = (fields_fault(rules()), rules().next()) {
            fault(&rule.place, "", "faro", format!("for {} {why}", item.list()));
        }
        for rule in rules() {
            let mut fault = |field: &str, why: String| {
                fault(&rule.place, &rule.family, &format!("faro{field}"), why);
            };
            self::rule(rule, families, &mut fault);
            let is_of_item = |field: &str| field.is_empty() || item.has(field);
            let may_not =
                |field: &str| format!("`{field}` is no field that {} may give", item.list());
            if let Some(field) = rule.value.iter().find(|field| !is_of_item(field)) {
                fault(".value", may_not(field));
            }
            for (field, _) in rule.when.iter().filter(|(field, _)| !is_of_item(field)) {
                fault(".when", may_not(field));
            }
            for (label, from) in &rule.labels {
                let field_name = format!(".labels.{label}");
                match from {
                    LabelValue::Field(field) if !is_of_item(field) => {
                        fault(&field_name, may_not(field));
                    }
                    LabelValue::Path(field) if field != super::FARO_PAGE => {
                        fault(
                            &field_name,
                            format!("takes the path of `{}` alone", super::FARO_PAGE),
                        );
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Whether rules for one kind of record look at too many fields.
fn fields_fault<'r>(rules: impl Iterator<Item = &'r Rule>) -> Option<String> {
    let n = rules.flat_map(Rule::fields).collect::<HashSet<_>>().len();
    (n > FIELDS_MAX).then(|| format!("looks at {n} fields; {FIELDS_MAX} are possible"))
}

/// What is wrong with a path, if anything is.
fn path_fault(path: &str) -> Option<String> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let segments = || path.split('/').skip(1);
    if path.len() > PATH_BYTES_MAX {
        return Some(format!("is longer than {PATH_BYTES_MAX} bytes"));
    }
    let is_path = path.starts_with('/')
        && segments()
            .all(|s| !s.is_empty() && s.bytes().all(is_plain) && s.bytes().any(|b| b != b'.'));
    if !is_path {
        return Some("is no path such as /vitals: segments of letters, digits and -._~".to_owned());
    }
    let is_below = |own: &str| {
        path.strip_prefix(own)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || own.ends_with('-'))
    };
    let own = OWN_PATHS.into_iter().find(|own| is_below(own));
    own.map(|own| format!("is kept for what lastmile has at {own}"))
}

fn rule(rule: &Rule, families: &[Family], fault: &mut impl FnMut(&str, String)) {
    if !rule.scale.is_finite() || rule.scale <= 0.0 {
        fault(".scale", "must be a number above 0".to_owned());
    }
    for field in rule.fields() {
        if field.is_empty() || field.len() > NAME_BYTES_MAX {
            fault("", format!("a field's name has 1 to {NAME_BYTES_MAX} bytes"));
        }
    }
    for (field, values) in &rule.when {
        if values.is_empty() || values.len() > LISTED_MAX {
            fault(".when", format!("`{field}` needs 1 to {LISTED_MAX} values"));
        }
    }
    let declared = families.iter().find(|family| family.name() == rule.family);
    let Some(family) = declared.filter(|family| !family.host_only) else {
        let why = if declared.is_none() { "is not declared" } else { "is for the host only" };
        fault(".family", why.to_owned());
        return;
    };
    if rule.value.is_none() {
        if family.kind() != Kind::Counter {
            fault(
                ".value",
                format!("is missing; only a counter does without, this is a {}", family.kind()),
            );
        } else if rule.scale != 1.0 {
            fault(".scale", "has nothing to multiply without `value`".to_owned());
        }
    }
    labels(rule, family, fault);
}

/// The labels that a rule sets are those that clients send.
fn labels(rule: &Rule, family: &Family, fault: &mut impl FnMut(&str, String)) {
    for (i, (name, from)) in rule.labels.iter().enumerate() {
        let field = format!(".labels.{name}");
        let Some(label) = family.labels().iter().find(|label| label.name() == name) else {
            fault(&field, format!("`{}` has no such label", family.name()));
            continue;
        };
        if rule.labels[..i].iter().any(|(earlier, _)| earlier == name) {
            fault(&field, "is set twice".to_owned());
        }
        if label.value_from.is_some() {
            fault(&field, "is for the server to set".to_owned());
        }
        match from {
            LabelValue::Const(value) if !takes(label, value) => {
                fault(&field, format!("does not take `{value}`"));
            }
            LabelValue::Path(_) if !label.as_open().is_some_and(|open| open.template) => {
                let why = "is no open label with a template, which a path needs";
                fault(&field, why.to_owned());
            }
            _ => {}
        }
    }
    for label in family.labels() {
        let is_set = rule.labels.iter().any(|(name, _)| name == label.name());
        if label.value_from.is_none() && !is_set {
            fault(&format!(".labels.{}", label.name()), "is missing".to_owned());
        }
    }
}
