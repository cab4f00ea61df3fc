//! Prometheus text: what a registry holds, written in any order.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{damaged, family_of, labels};
use crate::twin::{Family, Kind};

/// The text of a number: mostly one that is accepted.
fn number() -> impl Strategy<Value = &'static str> {
    let good = &["1", "1", "2", "0", "0.1", "2.5", "1e0", "1E-2", ".5", "7.", "1.5700001000000001"];
    let edge = &["-1", "1e999", "NaN", "+Inf", "-Inf", "1e+21", "10000", "10001", "x", "0x1"];
    prop_oneof![16 => select(&good[..]), 1 => select(&edge[..])]
}

/// A label value as it should be escaped; as `promjs` does, not at all, one time in twenty.
fn quoted(value: &str, raw: bool) -> String {
    let value = match raw {
        true => value.to_owned(),
        false => value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"),
    };
    format!("\"{value}\"")
}

/// `{a="b",…}`, or nothing where there is nothing.
fn braces(labels: &[(String, String)], raw: bool) -> String {
    let pair = |(name, value): &(String, String)| {
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic());
        let name = if is_name { name.clone() } else { quoted(name, false) };
        format!("{name}={}", quoted(value, raw))
    };
    let pairs: Vec<String> = labels.iter().map(pair).collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

fn raw() -> impl Strategy<Value = bool> {
    prop_oneof![20 => Just(false), 1 => Just(true)]
}

/// The line of a counter or a gauge.
fn line(family: &Family) -> BoxedStrategy<Vec<String>> {
    let name = family.name.clone();
    let timestamp = prop_oneof![9 => Just(""), 1 => Just(" 1700000000000")];
    (labels(family), number(), timestamp, raw())
        .prop_map(move |(labels, value, timestamp, raw)| {
            vec![format!("{name}{} {value}{timestamp}", braces(&labels, raw))]
        })
        .boxed()
}

/// All lines of a series of a histogram that counted what it says.
fn histogram(family: &Family, bounds: &[f64]) -> BoxedStrategy<Vec<String>> {
    let (name, own) = (family.name.clone(), bounds.to_vec());
    let bounds = prop_oneof![
        4 => Just(own),
        2 => select(vec![vec![0.05, 0.1, 0.25, 1.0, 2.0, 1e7], vec![], vec![-1.0, 0.0, 3.0]]),
    ];
    let observed = prop_oneof![
        8 => vec((select(&[0.0, 0.07, 0.1, 0.25, 0.7, 1.0, 2.5, 9.0, 50.0][..]), 1..50u64), 0..5),
        1 => vec((select(&[-0.5, 1e6, 1e9][..]), prop_oneof![Just(1u64), Just(10_000), Just(10_001)]), 1..3),
    ];
    let left_out = prop_oneof![16 => Just(usize::MAX), 4 => 0..3usize, 1 => 3..6usize];
    (labels(family), bounds, observed, left_out, raw())
        .prop_map(move |(labels, mut bounds, observed, left_out, raw)| {
            bounds.push(f64::INFINITY);
            let up_to = |edge: f64| {
                observed.iter().filter(|(v, _)| *v <= edge).map(|(_, n)| n).sum::<u64>()
            };
            let sum: f64 = observed.iter().map(|(v, n)| v * *n as f64).sum();
            let mut lines = vec![
                format!("{name}_count{} {}", braces(&labels, raw), up_to(f64::INFINITY)),
                format!("{name}_sum{} {sum}", braces(&labels, raw)),
            ];
            for edge in bounds {
                let mut labels = labels.clone();
                let le = if edge.is_infinite() { "+Inf".to_owned() } else { edge.to_string() };
                labels.insert(labels.len() / 2, ("le".to_owned(), le));
                lines.push(format!("{name}_bucket{} {}", braces(&labels, raw), up_to(edge)));
            }
            if left_out < lines.len() {
                lines.remove(left_out);
            }
            lines
        })
        .boxed()
}

/// The lines of one series, and perhaps of what type it is.
fn series(families: &[Family]) -> impl Strategy<Value = Vec<String>> + use<> {
    let kinds = &["counter", "gauge", "histogram", "summary", "untyped", "unknown"];
    (family_of(families), 0..8u8, select(&kinds[..])).prop_flat_map(|(family, says, kind)| {
        let lines = match &family.kind {
            Kind::Histogram(bounds) => histogram(&family, bounds),
            Kind::Summary => prop_oneof![line(&family), histogram(&family, &[])].boxed(),
            Kind::Counter | Kind::Gauge(_) => line(&family),
        };
        let kind = match says {
            0..5 => family.kind.as_str(),
            5 => kind,
            _ => "",
        };
        let said = format!("# HELP {} Text.\n# TYPE {} {kind}\n", family.name, family.name);
        let said = if kind.is_empty() { String::new() } else { said };
        lines.prop_shuffle().prop_map(move |mut lines| {
            lines[0].insert_str(0, &said);
            lines
        })
    })
}

/// A body for `/metrics`: series one after the other, or all lines mixed.
pub(crate) fn prom_text(families: &[Family]) -> BoxedStrategy<Vec<u8>> {
    let in_order = vec(series(families), 0..6).prop_map(|series| series.concat()).boxed();
    let lines = prop_oneof![2 => in_order.clone(), 1 => in_order.prop_shuffle()];
    let end = select(&["", "\n", "\n", "\n# EOF\n"][..]);
    damaged((lines, end).prop_map(|(lines, end)| (lines.join("\n") + end).into_bytes()))
}
