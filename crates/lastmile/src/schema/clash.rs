//! Names that two families, or two labels of one, would both be exposed under.

use std::collections::HashMap;

use super::family::{Family, Kind};
use crate::exposition::{Escaping, counter_base, created_base, is_label_name, is_metric_name};

/// Of each family, what it has in common with those before it: of each of them one name.
///
/// Names are those of all formats: in OpenMetrics a counter `x_total` is a family `x` with a sample
/// `x_created`. Where a name is not `[a-zA-Z_:][a-zA-Z0-9_:]*`, they are those under every escaping.
/// Source: OpenMetrics 1.0 §Overall Structure, "clash" (specification/OpenMetrics.md).
pub(super) fn families(families: &[Family]) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<(usize, String)>> = vec![Vec::new(); families.len()];
    let is_plain = families.iter().all(|family| is_metric_name(&family.name));
    for escaping in Escaping::ALL.into_iter().take(if is_plain { 1 } else { usize::MAX }) {
        let mut taken: HashMap<String, usize> = HashMap::new();
        for (idx, family) in families.iter().enumerate() {
            for name in exposed(family, escaping) {
                let owner = *taken.entry(name.clone()).or_insert(idx);
                if owner == idx || found[idx].iter().any(|(other, _)| *other == owner) {
                    continue;
                }
                let other = &families[owner].name;
                let why = if *other == family.name {
                    "is declared twice".to_owned()
                } else {
                    format!("exposes `{name}`{}, as family `{other}` does", under(escaping))
                };
                found[idx].push((owner, why));
            }
        }
    }
    let whys = |found: Vec<(usize, String)>| found.into_iter().map(|(_, why)| why).collect();
    found.into_iter().map(whys).collect()
}

/// Why the label at `idx` cannot stand beside those before it, if it cannot.
pub(super) fn label(family: &Family, idx: usize) -> Option<String> {
    let (earlier, name) = (&family.labels[..idx], &family.labels[idx].name);
    if earlier.iter().any(|earlier| earlier.name == *name) {
        return Some("is declared twice".to_owned());
    }
    Escaping::ALL.into_iter().find_map(|escaping| {
        let exposed = escaping.label_name(name);
        let other = earlier.iter().find(|other| escaping.label_name(&other.name) == exposed)?;
        let (place, other) = (under(escaping), &other.name);
        Some(format!("is exposed as `{exposed}`{place}, as label `{other}` is"))
    })
}

/// Whether any format exposes a family under one of the aggregator's own names, or what begins like them.
pub(super) fn is_reserved(family: &Family) -> bool {
    let is_own = |name: String| {
        let suffix = name.strip_prefix("metrics_aggregator_record");
        suffix.is_some_and(|suffix| ["", "_total", "_created"].contains(&suffix))
    };
    Escaping::ALL.into_iter().any(|escaping| {
        super::is_reserved(&escaping.metric_name(&family.name))
            || exposed(family, escaping).into_iter().any(is_own)
    })
}

/// Names of labels that Prometheus gives a meaning to, which an escaping could make of others.
/// Source: prometheus model/labels/labels_common.go, and model/labels/labels.go for `__type__` and `__unit__`.
const MEANT: [&str; 3] = ["__name__", "__type__", "__unit__"];

/// Whether any escaping makes a label's name one that Prometheus gives a meaning to.
pub(super) fn is_meant(label: &str) -> bool {
    let is_meant = |escaping: Escaping| MEANT.contains(&&*escaping.label_name(label));
    !is_label_name(label) && Escaping::ALL.into_iter().any(is_meant)
}

/// All names that a family is exposed under, its own first: of it and its samples, in every format, under every
/// escaping.
pub(crate) fn exposed_names(family: &Family) -> Vec<String> {
    let mut names = Vec::new();
    for name in Escaping::ALL.into_iter().flat_map(|escaping| exposed(family, escaping)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The names of a family and of its samples in all formats.
fn exposed(family: &Family, escaping: Escaping) -> Vec<String> {
    // Servers add suffixes to what is escaped.
    // Source: prometheus/common expfmt/encode.go, `NewEncoder`, where `EscapeMetricFamily` comes first.
    let name = escaping.metric_name(&family.name);
    let suffixes: &[&str] = match family.kind {
        Kind::Counter | Kind::Gauge => &[],
        Kind::Histogram => &["_bucket", "_sum", "_count"],
        Kind::Summary => &["_sum", "_count"],
    };
    let mut names = vec![name.clone().into_owned()];
    names.extend(suffixes.iter().map(|suffix| format!("{name}{suffix}")));
    if family.kind == Kind::Counter {
        names.extend(counter_base(&name).map(str::to_owned));
    }
    names.extend(created_base(&name, family.kind).map(|base| format!("{base}_created")));
    names
}

/// Said behind a name that an escaping made.
fn under(escaping: Escaping) -> String {
    match escaping {
        Escaping::AllowUtf8 => String::new(),
        _ => format!(" where names are escaped as `{}`", escaping.as_str()),
    }
}
