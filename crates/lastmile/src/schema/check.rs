//! What a schema must satisfy, whichever way it was written down.

use super::clash;
use super::family::{Family, Kind, LeStyle};
use super::label::{Label, OTHER, Open, Policy, ValueFrom};
use super::native::Native;
use super::pattern::Pattern;
use super::template::is_template;
use crate::error::Fault;
use crate::exposition::{ends_in_unit, is_metric_name};
use crate::value::VALUE_MAX;
use crate::value::native::{BUCKETS_MAX, BUCKETS_MIN, SCHEMA_MAX, SCHEMA_MIN};
use crate::value::summary::IS_BUILT_IN;

/// Longest name of a family or a label, in bytes. Every line of every scrape carries it.
pub(crate) const NAME_BYTES_MAX: usize = 256;

/// Most labels of one family; the store marks folded labels in 32 bits.
pub(crate) const LABELS_MAX: usize = 30;

/// Most bounds of one histogram; client libraries use about a dozen, and every bound is a line per
/// series in every scrape.
const BOUNDS_MAX: usize = 128;

/// Longest label body of a row, escaped, in bytes; a row keeps the length of its key in 16 bits, and
/// 8 such rows still fit one block of keys.
pub(crate) const BODY_BYTES_MAX: usize = 8_192;

/// Most batches or sources that a value must come from before it takes a place; sources are told apart by
/// 64 bits.
const ADMIT_AFTER_MAX: u32 = 32;

/// Names that the aggregator keeps for its own families.
pub(crate) fn is_reserved(name: &str) -> bool {
    name.starts_with("lastmile_") || name == "metrics_aggregator_record_total"
}

/// All mistakes of these families, each alone and together.
pub(super) fn families(families: &[Family]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (family, clashes) in families.iter().zip(clash::families(families)) {
        let mut fault = |field: &str, why: String| {
            faults.push(family.fault(field, why));
        };
        name(family, &mut fault);
        otel(families, family, &mut fault);
        for why in clashes {
            fault("name", why);
        }
        labels(family, &mut fault);
        bounds(family, &mut fault);
        native(family, &mut fault);
        resolution(family, &mut fault);
        values(family, &mut fault);
    }
    faults
}

fn name(family: &Family, fault: &mut impl FnMut(&str, String)) {
    if let Some(why) = name_fault(&family.name) {
        fault("name", why);
    } else if clash::is_reserved(family) {
        fault("name", "is kept for the aggregator's own metrics".to_owned());
    }
    if let Some(unit) = &family.unit {
        if !is_metric_name(unit) {
            fault("unit", "is not a unit: [a-zA-Z_:][a-zA-Z0-9_:]*".to_owned());
            return;
        }
        if !ends_in_unit(&family.name, family.kind, unit) {
            fault("unit", format!("the name must end in `_{unit}` (before `_total`)"));
        }
    }
}

/// A name of OpenTelemetry is one family's.
fn otel(families: &[Family], family: &Family, fault: &mut impl FnMut(&str, String)) {
    let Some(otel) = &family.otel else { return };
    if otel.is_empty() {
        fault("otel", "is empty".to_owned());
    }
    for other in families.iter().filter(|other| !std::ptr::eq(*other, family)) {
        if other.otel.as_ref() == Some(otel) {
            fault("otel", format!("`{otel}` is what family `{}` has too", other.name));
        } else if other.name == *otel {
            fault("otel", format!("`{otel}` is the name of another family"));
        }
    }
}

/// What is wrong with the name of a family or a label: any UTF-8 is right but the one character at which
/// Prometheus stops to read.
/// Source: prometheus model/textparse/promlex.l, where `\0` is the end of the input.
fn name_fault(name: &str) -> Option<String> {
    if name.len() > NAME_BYTES_MAX {
        Some(format!("is longer than {NAME_BYTES_MAX} bytes"))
    } else if name.is_empty() {
        Some("is empty".to_owned())
    } else if name.contains('\0') {
        Some("holds U+0000, at which scrapers stop to read".to_owned())
    } else {
        None
    }
}

fn labels(family: &Family, fault: &mut impl FnMut(&str, String)) {
    if family.labels.len() > LABELS_MAX {
        fault("labels", format!("has {} labels; {LABELS_MAX} are possible", family.labels.len()));
    }
    for (i, label) in family.labels.iter().enumerate() {
        let field = format!("labels.{}", label.name);
        if let Some(why) = name_fault(&label.name) {
            fault("labels", format!("has a label whose name {why}"));
        } else if label.name.starts_with("__") || clash::is_meant(&label.name) {
            fault(&field, "is not a label name: a leading `__` is Prometheus' own".to_owned());
        } else if label.name == "le" && family.kind == Kind::Histogram {
            fault(&field, "is kept for a histogram's buckets".to_owned());
        } else if label.name == "quantile" && family.kind == Kind::Summary {
            fault(&field, "is kept for a summary's quantiles".to_owned());
        } else if let Some(why) = clash::label(family, i) {
            fault(&field, why);
        }
        policy(label, &mut |why| fault(&field, why));
    }
    let body_bytes: usize = family
        .labels
        .iter()
        .map(|label| {
            let value = label.value_bytes_max().saturating_mul(2);
            value.saturating_add(label.name.len() + r#"="","#.len())
        })
        .fold(0, usize::saturating_add);
    if body_bytes > BODY_BYTES_MAX {
        fault(
            "labels",
            format!(
                "could take {body_bytes} bytes in one series; at most {BODY_BYTES_MAX}: lower max_bytes"
            ),
        );
    }
}

fn policy(label: &Label, fault: &mut impl FnMut(String)) {
    match &label.policy {
        Policy::Closed { values, .. } => {
            if values.is_empty() {
                fault("lists no values".to_owned());
            }
            for (i, value) in values.iter().enumerate() {
                if values[..i].contains(value) {
                    fault(format!("lists `{value}` twice"));
                }
            }
        }
        Policy::Open(open) => open_policy(open, fault),
    }
    match &label.value_from {
        Some(ValueFrom::Header(name)) if !is_header_name(name) => {
            fault("from must name a header in lower case: header:x-country".to_owned());
        }
        Some(ValueFrom::Const(value)) if !takes(label, value) => {
            fault(format!("does not take `{value}`, which is set on every series"));
        }
        _ => {}
    }
}

/// Whether a value stays as it is under a label's policy.
pub(super) fn takes(label: &Label, value: &str) -> bool {
    match &label.policy {
        Policy::Closed { values, .. } => values.iter().any(|listed| listed == value),
        Policy::Open(open) => {
            let pattern = open.pattern.as_deref().map(Pattern::new);
            value.len() <= open.max_bytes
                && (!open.template || is_template(value.as_bytes()))
                && !matches!(pattern, Some(Ok(pattern)) if !pattern.matches(value.as_bytes()))
        }
    }
}

fn open_policy(open: &Open, fault: &mut impl FnMut(String)) {
    if open.max_values == 0 {
        fault("max_values must be at least 1".to_owned());
    }
    if open.max_bytes == 0 {
        fault("max_bytes must be at least 1".to_owned());
    }
    if !(1..=ADMIT_AFTER_MAX).contains(&open.admit_after) {
        fault(format!("admit_after must be 1 to {ADMIT_AFTER_MAX}"));
    }
    if open.pin.len() > open.max_values as usize {
        let (n, max) = (open.pin.len(), open.max_values);
        fault(format!("pins {n} values, and max_values is {max}"));
    }
    let pattern = match open.pattern.as_deref().map(Pattern::new) {
        Some(Ok(pattern)) => Some(pattern),
        Some(Err(why)) => {
            fault(format!("pattern: {why}"));
            None
        }
        None => None,
    };
    for (i, value) in open.pin.iter().enumerate() {
        // A value that the other rules change would keep a place that nothing can use.
        let why = if open.pin[..i].contains(value) {
            "twice"
        } else if value == OTHER {
            "which has a place in any case"
        } else if value.len() > open.max_bytes {
            "which is longer than max_bytes"
        } else if open.template && !is_template(value.as_bytes()) {
            "which the template changes"
        } else if pattern.as_ref().is_some_and(|pattern| !pattern.matches(value.as_bytes())) {
            "which does not match the pattern"
        } else {
            continue;
        };
        fault(format!("pins `{value}`, {why}"));
    }
}

/// Source: RFC 9110 §5.6.2, "token", in the lower case that HTTP/2 sends.
fn is_header_name(name: &str) -> bool {
    let is_token =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(is_token)
}

fn bounds(family: &Family, fault: &mut impl FnMut(&str, String)) {
    if family.kind != Kind::Histogram {
        return;
    }
    // The name in the kind of file that it came from.
    let field = match family.le_style {
        LeStyle::Canonical => "bounds",
        LeStyle::JavaScript => "buckets",
    };
    if family.bounds.is_empty() && family.native.is_none() {
        let why = match family.le_style {
            LeStyle::Canonical => "a histogram needs at least one, or `native`",
            LeStyle::JavaScript => "a histogram needs at least one",
        };
        fault(field, why.to_owned());
    }
    if family.bounds.len() > BOUNDS_MAX {
        fault(field, format!("has {}; {BOUNDS_MAX} are possible", family.bounds.len()));
    }
    if family.bounds.iter().any(|b| !b.is_finite()) {
        fault(field, "must be finite; `+Inf` is always there".to_owned());
    } else if family.bounds.iter().any(|b| b.is_sign_negative()) {
        // Below 0 stands no observation, so a bound there is a mistake; and OpenMetrics lets no `_sum` stand beside it.
        // Source: OpenMetrics 1.0 §Histogram, "a negative bucket threshold" (specification/OpenMetrics.md).
        fault(field, "must not be below 0, where a histogram takes nothing".to_owned());
    } else if !family.bounds.is_sorted_by(|a, b| a < b) {
        fault(field, "must ascend".to_owned());
    }
}

fn native(family: &Family, fault: &mut impl FnMut(&str, String)) {
    let Some(Native { schema, max_buckets }) = family.native else { return };
    if family.kind != Kind::Histogram {
        fault("native", format!("is for histograms; this is a {}", family.kind));
    }
    if !(SCHEMA_MIN..=SCHEMA_MAX).contains(&schema) {
        fault("native.schema", format!("must be {SCHEMA_MIN} to {SCHEMA_MAX}"));
    }
    if !(BUCKETS_MIN..=BUCKETS_MAX).contains(&(max_buckets as usize)) {
        fault("native.max_buckets", format!("must be {BUCKETS_MIN} to {BUCKETS_MAX}"));
    }
}

fn resolution(family: &Family, fault: &mut impl FnMut(&str, String)) {
    if family.kind != Kind::Summary {
        if family.resolution.is_some() {
            fault("resolution", format!("is for summaries; this is a {}", family.kind));
        }
        return;
    }
    if !IS_BUILT_IN {
        fault("type", "needs the feature `summary`".to_owned());
    }
    let (resolution, max) = (family.resolution_or_default(), family.value_max());
    if !resolution.is_finite() || resolution <= 0.0 {
        fault("resolution", "must be a number above 0".to_owned());
    } else if max.is_finite() && !(2.0..=VALUE_MAX).contains(&(max / resolution)) {
        fault(
            "resolution",
            "must be at most half of `max`, and at least a 2^53rd of it".to_owned(),
        );
    }
}

fn values(family: &Family, fault: &mut impl FnMut(&str, String)) {
    let (min, max) = (family.value_min(), family.value_max());
    if !min.is_finite() || min.abs() > VALUE_MAX {
        fault("min", "must lie within -2^53 and 2^53".to_owned());
    } else if min < 0.0 && family.kind != Kind::Gauge {
        fault("min", format!("a {} takes nothing below 0", family.kind));
    }
    if !max.is_finite() || max.abs() > VALUE_MAX {
        fault("max", "must lie within -2^53 and 2^53".to_owned());
    } else if max < min || (max <= 0.0 && family.kind != Kind::Gauge) {
        fault("max", "leaves no value that could be sent".to_owned());
    }
    if family.combine.is_some() && family.kind != Kind::Gauge {
        fault("combine", format!("is for gauges; this is a {}", family.kind));
    }
    if family.ttl.is_some_and(|ttl| ttl.is_zero()) {
        fault("ttl", "must be more than 0".to_owned());
    }
    if family.ttl.is_some()
        && family.kind != Kind::Gauge
        && family.labels.iter().all(Label::is_closed)
    {
        fault("ttl", "has no effect: series of closed labels stay".to_owned());
    }
}
