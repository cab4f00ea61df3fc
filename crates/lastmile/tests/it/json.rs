//! JSON as `serde_json` reads it, with what a `Value` would lose: duplicate keys, the order of
//! keys, and the text of numbers. `RawValue` checks the grammar; only strings are unescaped here,
//! because a lone surrogate is U+FFFD for us and an error for `serde_json`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Most arrays and objects inside each other.
const DEPTH_MAX: usize = 32;

#[derive(Debug)]
pub(crate) enum Json<'a> {
    Null,
    /// `true` or `false`.
    Bool(&'a str),
    /// The number as it was written.
    Number(&'a str),
    String(String),
    Array(Vec<Json<'a>>),
    /// Every key, duplicates too, as written.
    Object(Vec<(String, Json<'a>)>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum JsonFault {
    Syntax,
    TooDeep,
}

/// Reads one JSON text.
pub(crate) fn read(text: &str) -> Result<Json<'_>, JsonFault> {
    let raw: &RawValue = serde_json::from_str(text).map_err(|_| JsonFault::Syntax)?;
    read_value(raw, 0)
}

fn read_value(raw: &RawValue, depth: usize) -> Result<Json<'_>, JsonFault> {
    let text = raw.get();
    if matches!(text.as_bytes()[0], b'[' | b'{') && depth == DEPTH_MAX {
        return Err(JsonFault::TooDeep);
    }
    Ok(match text.as_bytes()[0] {
        b'n' => Json::Null,
        b't' | b'f' => Json::Bool(text),
        b'"' => Json::String(unescape(text)),
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).expect("checked by RawValue");
            let read = |item| read_value(item, depth + 1);
            Json::Array(items.into_iter().map(read).collect::<Result<_, _>>()?)
        }
        b'{' => {
            let Pairs(pairs) = serde_json::from_str(text).expect("checked by RawValue");
            let read = |(key, value): (&'_ RawValue, _)| {
                Ok((unescape(key.get()), read_value(value, depth + 1)?))
            };
            Json::Object(pairs.into_iter().map(read).collect::<Result<_, _>>()?)
        }
        _ => Json::Number(text),
    })
}

/// The pairs of an object in order, duplicates kept.
struct Pairs<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;
        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor)
    }
}

/// What a checked JSON string literal means; each lone surrogate is U+FFFD.
fn unescape(literal: &str) -> String {
    let inner: Vec<char> = literal[1..literal.len() - 1].chars().collect();
    let mut units: Vec<u16> = Vec::new();
    let mut at = 0;
    while at < inner.len() {
        if inner[at] != '\\' {
            units.extend(inner[at].encode_utf16(&mut [0; 2]).iter());
            at += 1;
        } else if inner[at + 1] == 'u' {
            let hex: String = inner[at + 2..at + 6].iter().collect();
            units.push(u16::from_str_radix(&hex, 16).expect("checked by RawValue"));
            at += 6;
        } else {
            units.push(match inner[at + 1] {
                'b' => 0x08,
                't' => 0x09,
                'n' => 0x0a,
                'f' => 0x0c,
                'r' => 0x0d,
                same => u16::try_from(u32::from(same)).expect("quote, slash or backslash"),
            });
            at += 2;
        }
    }
    // A raw character next to an escaped half cannot pair with it: UTF-8 holds no halves.
    String::from_utf16_lossy(&units)
}

#[test]
fn json_is_read_with_duplicates_and_number_texts() {
    let text = r#"{"a":1.50,"\ud800":"\ud83d\ude00 \udc00\ud800 \/","a":[null,true,{}]}"#;
    let Ok(Json::Object(pairs)) = read(text) else { panic!("an object") };
    assert_eq!(pairs.len(), 3);
    assert!(matches!(&pairs[0], (key, Json::Number("1.50")) if key == "a"));
    assert!(matches!(&pairs[1], (key, Json::String(value))
        if key == "\u{fffd}" && value == "😀 \u{fffd}\u{fffd} /"));
    assert!(matches!(&pairs[2], (key, Json::Array(items)) if key == "a" && items.len() == 3));
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(read(&nested(32)).is_ok());
    assert_eq!(read(&nested(33)).err(), Some(JsonFault::TooDeep));
    for bad in ["", "[1,]", "\u{feff}[]", "[\"\u{1}\"]", "[01]", "[] []"] {
        assert_eq!(read(bad).err(), Some(JsonFault::Syntax), "{bad:?}");
    }
}
