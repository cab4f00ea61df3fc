//! Beacons and Faro's payloads: fields that the tests' rules look at, right and wrong, beside others.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{damaged, number_or_worse, one_of, quote, strange_value};

/// Values of fields: numbers that most families take, words, and what neither is.
fn value() -> BoxedStrategy<String> {
    prop_oneof![
        4 => number_or_worse(),
        4 => strange_value().prop_map(|value| quote(&value)),
        1 => one_of(&["null", "[]", "{}", "true", "\"1\"", "\"https://a.example/users/7?x\""]),
    ]
    .boxed()
}

/// Texts of values, or any.
fn mostly(texts: &'static [&'static str]) -> BoxedStrategy<String> {
    prop_oneof![8 => one_of(texts), 1 => value()].boxed()
}

/// A field of a beacon, by its full name.
fn field() -> BoxedStrategy<(&'static str, String)> {
    let of = |name: &'static str, value: BoxedStrategy<String>| value.prop_map(move |v| (name, v));
    prop_oneof![
        4 => of("kind", mostly(&["\"click\"", "\"tap\"", "\"view\"", "\"region\"", "\"scroll\""])),
        3 => of("took", number_or_worse().boxed()),
        2 => of("data.dns", number_or_worse().boxed()),
        3 => of("value", number_or_worse().boxed()),
        3 => of("device", mostly(&["\"phone\"", "\"desktop\"", "7"])),
        3 => of("page", mostly(&["\"a\"", "\"b\"", "\"/home\"", "42"])),
        3 => of("url", mostly(&["\"/home\"", "\"https://a.example/users/42?x\"", "\"x\""])),
        3 => of("sure", mostly(&["true", "1", "false"])),
        2 => of("n", number_or_worse().boxed()),
        1 => of("a.b.users", number_or_worse().boxed()),
        1 => of("other", value()),
    ]
    .boxed()
}

/// An object of these fields. A name with dots is written as one, or as objects in each other.
fn object(fields: &[(&str, String)], nested: bool) -> String {
    let pair = |(name, value): &(&str, String)| match nested {
        false => format!("{}:{value}", quote(name)),
        true => {
            let parts: Vec<String> = name.split('.').map(quote).collect();
            format!("{}:{value}{}", parts.join(":{"), "}".repeat(parts.len() - 1))
        }
    };
    format!("{{{}}}", fields.iter().map(pair).collect::<Vec<_>>().join(","))
}

/// The same as a form, of texts whatever they were.
fn form(fields: &[(&str, String)]) -> String {
    let escape = |text: &str| -> String {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        let byte = |b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
        text.bytes().map(byte).collect()
    };
    let pair = |(name, value): &(&str, String)| {
        let text = serde_json::from_str(value).unwrap_or_else(|_| value.clone());
        format!("{name}={}", escape(&text))
    };
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// A body for the path that the tests map.
pub(crate) fn beacon() -> BoxedStrategy<Vec<u8>> {
    let fields = vec(field(), 0..7).boxed();
    let one = (fields.clone(), any::<bool>()).prop_map(|(fields, nested)| object(&fields, nested));
    let one = prop_oneof![16 => one, 1 => one_of(&["7", "null", "[]", "\"x\""])].boxed();
    let list = vec(one.clone(), 0..5).prop_map(|beacons| format!("[{}]", beacons.join(",")));
    let form = vec(field(), 1..7).prop_map(|fields| form(&fields));
    damaged(prop_oneof![3 => one, 3 => list, 2 => form].prop_map(String::into_bytes))
}

/// A list of Faro's items, of which each is made of some of these members.
fn items(list: &'static str, members: &'static [&'static str]) -> BoxedStrategy<String> {
    let member = prop_oneof![
        12 => one_of(members),
        1 => (select(members), value()).prop_map(|(member, value)| {
            let name = member.split_once(':').map_or(member, |(name, _)| name);
            format!("{name}:{value}")
        }),
    ];
    let item = vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(",")));
    let item = prop_oneof![16 => item, 1 => value()];
    let items =
        vec(item, 0..4).prop_map(move |items| format!("{}:[{}]", quote(list), items.join(",")));
    prop_oneof![16 => items, 1 => value().prop_map(move |value| format!("{}:{value}", quote(list)))]
        .boxed()
}

/// A body for `/collect`.
pub(crate) fn faro() -> BoxedStrategy<Vec<u8>> {
    let meta = one_of(&[
        r#""meta":{"app":{"name":"student"},"page":{"url":"https://a.example/users/42"}}"#,
        r#""meta":{"app":{"name":"teacher","version":"1"},"page":{"url":"/home"}}"#,
        r#""meta":{"app":{"name":"x"}}"#,
        r#""meta":{"page":{"url":7}}"#,
        r#""meta":null"#,
    ]);
    let part = prop_oneof![
        items(
            "measurements",
            &[
                r#""type":"web-vitals""#,
                r#""type":"page""#,
                r#""values":{"lcp":1200.5,"cls":0.1}"#,
                r#""values":{"step":12}"#,
                r#""values":{"n":2,"step":-1}"#,
                r#""context":{"phase":"dns"}"#,
            ]
        ),
        items(
            "exceptions",
            &[
                r#""type":"TypeError""#,
                r#""type":"a""#,
                r#""value":"x is undefined","stacktrace":{"frames":[]}"#,
            ]
        ),
        items(
            "events",
            &[
                r#""name":"view""#,
                r#""name":"session_start""#,
                r#""attributes":{"n":3}"#,
                r#""attributes":{"n":"3"}"#,
            ]
        ),
        items("logs", &[r#""level":"error""#, r#""level":"info""#, r#""message":"m""#]),
    ];
    let payload = (meta, vec(part, 0..4)).prop_map(|(meta, mut parts)| {
        parts.insert(parts.len() / 2, meta);
        format!("{{{}}}", parts.join(","))
    });
    damaged(payload.prop_map(String::into_bytes))
}
