//! Random pushes over a schema's own words: valid ones, nearly valid ones, and hostile ones. They
//! are built as JSON texts, so that duplicate keys, spellings of numbers and broken bytes are in
//! reach.

#[cfg(feature = "faro")]
mod mapped;
#[cfg(feature = "otlp")]
mod otlp;
mod prom_text;
mod reports;

#[cfg(feature = "faro")]
pub(crate) use mapped::{beacon, faro};
#[cfg(feature = "otlp")]
pub(crate) use otlp::{both as otlp_both, otlp};
pub(crate) use prom_text::prom_text;
pub(crate) use reports::reports;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::twin::{Family, Kind, Policy};

/// So many cases, or as many as `PROPTEST_CASES` says. Failures are printed, not kept in files: what
/// is found becomes a row of a table.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: asked.unwrap_or(cases),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// One of these texts.
fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    select(texts).prop_map(str::to_owned)
}

/// A JSON string literal.
pub(crate) fn quote(text: &str) -> String {
    serde_json::to_string(text).expect("a string is always JSON")
}

/// Labels values that are hard on someone.
const STRANGE_VALUES: [&str; 19] = [
    "",
    "a",
    "b",
    "c",
    "/home",
    "/users/42",
    "/users/:id",
    "/home?q=1",
    "other",
    "a\"b",
    "a\\\"b",
    "line\nbreak",
    "\0",
    "é\u{2028}😀",
    "x\"} 1\nup{job=\"victim\"} 0\nz{a=\"",
    "%41%;=",
    "77kepQFQ8Kl",
    "!0IC=VloaY",
    "\u{fffd}",
];

fn strange_value() -> impl Strategy<Value = String> {
    prop_oneof![
        16 => one_of(&STRANGE_VALUES),
        1 => Just("x".repeat(128)),
        1 => Just("x".repeat(129)),
        1 => ".{0,5}",
    ]
}

/// Values for one declared label: mostly such as it takes.
fn label_value(policy: &Policy) -> BoxedStrategy<String> {
    match policy {
        Policy::Closed { values, .. } => {
            prop_oneof![8 => select(values.clone()), 1 => strange_value()].boxed()
        }
        Policy::Open(_) => strange_value().boxed(),
    }
}

/// The labels of one sample: mostly all of them and no other, in any order.
fn labels(family: &Family) -> BoxedStrategy<Vec<(String, String)>> {
    let declared: Vec<BoxedStrategy<(String, String)>> = family
        .labels
        .iter()
        .map(|label| (Just(label.name.clone()), label_value(&label.policy)).boxed())
        .collect();
    let right = declared.prop_shuffle();
    let names: Vec<String> = family.labels.iter().map(|label| label.name.clone()).collect();
    let name = select([names, vec!["nope".to_owned(), String::new()]].concat());
    prop_oneof![
        12 => right,
        1 => vec((name, strange_value()), 0..3),
    ]
    .boxed()
}

/// The text of a number: mostly one that is accepted.
fn number() -> impl Strategy<Value = String> {
    let good =
        &["1", "1", "2", "3", "0", "0.1", "0.5", "1.0", "2.5", "1E0", "1e-9", "-0", "7", "0.25"];
    let edge = &[
        "-1",
        "-1e-300",
        "1e999",
        "-1e999",
        "1e300",
        "1.7e308",
        "10000",
        "10001",
        "86400",
        "86401",
        "9007199254740993",
        "5e-324",
        "0.1e1",
        "1000000000000000000000",
        "100",
        "1e6",
        "-10",
        "-11",
    ];
    prop_oneof![
        12 => one_of(good),
        2 => one_of(edge),
        2 => (0.0..20.0f64).prop_map(|value| format!("{value}")),
        1 => (0u32..20_000).prop_map(|value| format!("{value}")),
    ]
}

/// A JSON value where a number belongs: mostly a number.
fn number_or_worse() -> impl Strategy<Value = String> {
    let worse =
        &["null", "true", "\"1\"", "[]", "{}", "\"zz top\"", "[1]", "[[1,1]]", "{\"a\":[1]}"];
    prop_oneof![12 => number(), 1 => one_of(worse)]
}

/// An `lm1` element: `v` or `[v,n]`, mostly right.
fn element() -> impl Strategy<Value = String> {
    let n =
        select(&["1", "2", "10000", "0", "10001", "1e15", "1.5", "3.0", "\"2\"", "null", "-1"][..]);
    prop_oneof![
        6 => number_or_worse(),
        3 => (number_or_worse(), select(&["1", "2", "7", "10000"][..]))
            .prop_map(|(v, n)| format!("[{v},{n}]")),
        1 => (number_or_worse(), n).prop_map(|(v, n)| format!("[{v}, {n}]")),
        1 => number().prop_map(|v| format!("[{v},1,1]")),
    ]
}

fn family_of(families: &[Family]) -> impl Strategy<Value = Family> + use<> {
    let unknown = |name: &str| Family {
        name: name.to_owned(),
        kind: Kind::Counter,
        labels: vec![],
        min: 0.0,
        max: 1.0,
        native: None,
    };
    let names = ["constructor", "__proto__", "lastmile_pushes_total", "", "a;b=c", "é"];
    prop_oneof![
        12 => select(families.to_vec()),
        1 => select(names.map(unknown).to_vec()),
    ]
}

/// Numbers for a sample of this family's type, sometimes for another's: one JSON value.
fn values(kind: &Kind, element: BoxedStrategy<String>) -> BoxedStrategy<(bool, String)> {
    let array = vec(element, 0..4).prop_map(|items| (true, format!("[{}]", items.join(","))));
    let single = number_or_worse().prop_map(|value| (false, value));
    let (usual, other) = match kind.is_observed() {
        true => (array.boxed(), single.boxed()),
        false => (single.boxed(), array.boxed()),
    };
    prop_oneof![12 => usual, 1 => other].boxed()
}

/// One entry of `/record`.
fn record_entry(families: &[Family]) -> impl Strategy<Value = String> + use<> {
    let worse = &["null", "7", "[]", "{}", "[{}]", "\"x\"", "{\"metricName\":5}", "{\"inc\":1}"];
    let entry = family_of(families).prop_flat_map(|family| {
        let kind = family.kind.as_str();
        let types = ["counter", "gauge", "histogram", "summary", ""].map(quote).to_vec();
        let metric_type = prop_oneof![
            8 => Just(Some(quote(kind))),
            3 => Just(None),
            1 => select([types, vec!["null".to_owned(), "1".to_owned()]].concat()).prop_map(Some),
        ];
        let other_field = select(
            &[
                "\"x\":[[]]",
                "\"labels\":null",
                "\"labels\":[]",
                "\"inc\":3",
                "\"observations\":[2]",
            ][..],
        );
        (
            Just(quote(&family.name)),
            metric_type,
            labels(&family).prop_flat_map(|labels| record_labels(&labels)),
            values(&family.kind, number_or_worse().boxed()),
            prop_oneof![8 => Just(None), 1 => other_field.prop_map(Some)],
            any::<bool>(),
        )
    });
    let entry =
        entry.prop_map(|(name, metric_type, labels, (is_array, value), other, reversed)| {
            let mut fields = vec![format!("\"metricName\":{name}")];
            fields.extend(metric_type.map(|text| format!("\"metricType\":{text}")));
            fields.extend(labels.map(|text| format!("\"labels\":{text}")));
            fields.push(format!("\"{}\": {value}", if is_array { "observations" } else { "inc" }));
            fields.extend(other.map(str::to_owned));
            if reversed {
                fields.reverse();
            }
            format!("{{{}}}", fields.join(","))
        });
    prop_oneof![16 => entry, 1 => one_of(worse)]
}

/// The labels of an entry as JSON, sometimes spelled as they should not be.
fn record_labels(labels: &[(String, String)]) -> BoxedStrategy<Option<String>> {
    let worse = &["null", "[1]", "\"x\"", "{\"app\":null}", "{\"app\":[]}", "{\"page\":{}}"];
    let pairs = labels.iter().map(|(name, value)| format!("{}:{}", quote(name), quote(value)));
    let right = format!("{{{}}}", pairs.collect::<Vec<_>>().join(","));
    let first = labels.first().map_or_else(|| quote("a"), |(name, _)| quote(name));
    let scalar = select(&["1.50", "true", "-0", "null", "\"\\ud800\"", "\"\\u0061\""][..]);
    let none = if labels.is_empty() { 6 } else { 1 };
    let twice = right.trim_end_matches('}').to_owned();
    let comma = if labels.is_empty() { "" } else { "," };
    prop_oneof![
        24 => Just(Some(right)),
        none => select(&[None, Some("[]"), Some("{}")][..]).prop_map(|text| text.map(str::to_owned)),
        1 => one_of(worse).prop_map(Some),
        1 => scalar.prop_map(move |value| Some(format!("{twice}{comma}{first}:{value}}}"))),
    ]
    .boxed()
}

/// A body for `/record`.
pub(crate) fn record(families: &[Family]) -> BoxedStrategy<Vec<u8>> {
    let entries = vec(record_entry(families), 0..5);
    let body = entries.prop_map(|entries| format!("[{}]", entries.join(",")).into_bytes());
    damaged(body)
}

/// `text` as a part of an `lm1` key: escaped as it must be, and at times more than that.
fn escape_key(text: &str, escape_all: bool) -> String {
    let escape = |c: char| {
        let mut bytes = [0; 4];
        let text = c.encode_utf8(&mut bytes);
        if escape_all || "%;=".contains(c) {
            text.bytes().map(|byte| format!("%{byte:02x}")).collect()
        } else {
            text.to_owned()
        }
    };
    text.chars().map(escape).collect()
}

/// One pair of `m`.
fn lm1_entry(families: &[Family]) -> impl Strategy<Value = String> + use<> {
    let entry = family_of(families).prop_flat_map(|family| {
        let values = values(&family.kind, element().boxed());
        (Just(family.name.clone()), labels(&family), values, 0..8u8)
    });
    let entry = entry.prop_map(|(name, labels, (_, value), escape)| {
        let mut key = escape_key(&name, escape == 1);
        for (label, value) in &labels {
            let (label, value) = (escape_key(label, escape == 2), escape_key(value, escape == 3));
            key.push_str(&format!(";{label}={value}"));
        }
        format!("{}:{value}", quote(&key))
    });
    let worse = &[
        "\"\":1",
        "\";\":1",
        "\"%\":1",
        "\"%4\":1",
        "\"%zz\":[1]",
        "\"%ff\":[]",
        "\"a;b\":1",
        "\"a;=b\":1",
        "\"a;b=1;b=2\":1",
        "\"a;b=c=d\":1",
        "\"%70lain_total\":1",
        "\"plain_total;\":1",
    ];
    prop_oneof![16 => entry, 1 => one_of(worse)]
}

/// One line.
fn lm1_line(families: &[Family]) -> impl Strategy<Value = String> + use<> {
    let id = prop_oneof![
        6 => "[A-Za-z0-9_-]{16,20}".prop_map(|id| Some(quote(&id))),
        2 => Just(None),
        1 => select(
            &["\"short\"", "5", "null", "\"0123456789abcde\"", "\"0123456789abcdef\"", "\"0123456789abcde.\""][..]
        )
        .prop_map(|id| Some(id.to_owned())),
    ];
    let w = prop_oneof![
        8 => Just(None),
        4 => select(&["1", "2", "10", "1000", "1.0", "1e1"][..]).prop_map(Some),
        1 => select(&["0", "0.5", "1e15", "-1", "1001", "\"1\"", "null", "1e999"][..]).prop_map(Some),
    ];
    let lm = prop_oneof![
        16 => Just(Some("1")),
        1 => select(&[None, Some("2"), Some("1.0"), Some("\"1\""), Some("null")][..]),
    ];
    let other = prop_oneof![
        12 => Just(None),
        1 => select(&["\"x\":{\"y\":[]}", "\"lm\":1", "\"m\":{}", "\"w\":1", "\"id\":null"][..])
            .prop_map(Some),
    ];
    let m = vec(lm1_entry(families), 0..5).prop_map(|pairs| format!("{{{}}}", pairs.join(",")));
    let m = prop_oneof![
        20 => m.prop_map(Some),
        1 => select(&[None, Some("[]"), Some("null")][..]).prop_map(|m| m.map(str::to_owned)),
    ];
    (lm, id, w, m, other, any::<bool>()).prop_map(|(lm, id, w, m, other, reversed)| {
        let mut fields: Vec<String> = Vec::new();
        fields.extend(lm.map(|lm| format!("\"lm\":{lm}")));
        fields.extend(id.map(|id| format!("\"id\":{id}")));
        fields.extend(w.map(|w| format!("\"w\":{w}")));
        fields.extend(m.map(|m| format!("\"m\":{m}")));
        fields.extend(other.map(str::to_owned));
        if reversed {
            fields.reverse();
        }
        format!("{{{}}}", fields.join(","))
    })
}

/// A body for `/lm`.
pub(crate) fn lm1(families: &[Family]) -> BoxedStrategy<Vec<u8>> {
    let blank = one_of(&["", " \t\r", "\r"]);
    let line = prop_oneof![9 => lm1_line(families), 1 => blank].boxed();
    let lines = prop_oneof![
        4 => vec(line.clone(), 1..2),
        4 => vec(line.clone(), 0..4),
        1 => vec(line, 14..20),
    ];
    let body =
        (lines, select(&["\n", "\r\n"][..]), any::<bool>()).prop_map(|(lines, end, last)| {
            let body = lines.join(end) + if last { end } else { "" };
            body.into_bytes()
        });
    damaged(body)
}

/// `body`, one time in six with a few bytes gone wrong.
fn damaged(body: impl Strategy<Value = Vec<u8>> + 'static) -> BoxedStrategy<Vec<u8>> {
    let bytes = b"\0\x7f\xff\xc3\"\\{}[]:,;%=0e- \n";
    let damage = (any::<Index>(), 0..4u8, select(&bytes[..]));
    let damages = prop_oneof![5 => Just(vec![]), 1 => vec(damage, 1..3)];
    let body = (body, damages).prop_map(|(mut body, damages)| {
        for (at, how, byte) in damages {
            let at = at.index(body.len() + 1);
            match how {
                0 => body.truncate(at),
                1 => body.insert(at, byte),
                _ if at == body.len() => {}
                2 => drop(body.remove(at)),
                _ => body[at] = byte,
            }
        }
        body
    });
    body.boxed()
}

/// The query of a hit: keys as those of `lm1`, escaped once more.
pub(crate) fn hit(families: &[Family]) -> BoxedStrategy<Vec<u8>> {
    let key = family_of(families).prop_flat_map(|family| {
        (Just(family.name.clone()), labels(&family), 0..8u8).prop_map(|(name, labels, escape)| {
            let mut key = escape_key(&name, escape == 1);
            for (label, value) in &labels {
                let (label, value) = (escape_key(label, false), escape_key(value, escape == 2));
                key.push_str(&format!(";{label}={value}"));
            }
            key
        })
    });
    let key = prop_oneof![12 => key, 1 => one_of(&["", ";", "%zz", "%ff", "a;b", "a;b=1;b=2"])];
    let pair = key.prop_map(|key| format!("m={}", escape_key(&key, true)));
    let pair =
        prop_oneof![12 => pair, 1 => one_of(&["", "m", "x=1", "m=plain_total&m=", "%6d=a+b"])];
    damaged(vec(pair, 0..4).prop_map(|pairs| pairs.join("&").into_bytes()))
}
