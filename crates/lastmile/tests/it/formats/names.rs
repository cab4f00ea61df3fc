//! A naive twin of the escaping of names, by the data of others.

use std::fs;

use lastmile::Escaping;

use super::conformance::shared;

/// A family's name, as prometheus/common's servers write it.
pub(super) fn metric_name(name: &str, escaping: Escaping) -> String {
    let plain = |name: &str| name.chars().enumerate().all(|(i, c)| is_plain(c, i) || c == ':');
    if plain(name) { name.to_owned() } else { escape(name, escaping, true) }
}

/// A label's, in which no colon is left.
pub(super) fn label_name(name: &str, escaping: Escaping) -> String {
    let plain = |name: &str| name.chars().enumerate().all(|(i, c)| is_plain(c, i));
    if plain(name) { name.to_owned() } else { escape(name, escaping, false) }
}

fn is_plain(c: char, i: usize) -> bool {
    c.is_ascii_alphabetic() || c == '_' || (c.is_ascii_digit() && i > 0)
}

/// Any name, even one that needs it not.
fn escape(name: &str, escaping: Escaping, colon: bool) -> String {
    let one = |(i, c): (usize, char)| match (escaping, c) {
        (Escaping::AllowUtf8, c) => c.to_string(),
        (Escaping::Dots, '.') => "_dot_".to_owned(),
        (Escaping::Dots | Escaping::Values, '_') => "__".to_owned(),
        (_, c) if is_plain(c, i) || (colon && c == ':') => c.to_string(),
        (Escaping::Values, c) => format!("_{:x}_", c as u32),
        (Escaping::Dots, _) => "__".to_owned(),
        (_, _) => "_".to_owned(),
    };
    let escaped: String = name.chars().enumerate().map(one).collect();
    if escaping == Escaping::Values { format!("U__{escaped}") } else { escaped }
}

#[test]
fn the_twin_escapes_as_servers_do() {
    let Some(folder) = shared("escaping") else { return };
    let text = fs::read_to_string(folder.join("escape_name.json")).unwrap();
    let cases: serde_json::Value = serde_json::from_str(&text).unwrap();
    let cases = cases.as_array().unwrap();
    assert!(cases.len() >= 8);
    for case in cases {
        let get = |field: &str| case[field].as_str().unwrap_or_default();
        let name = get("input");
        // The data is of `EscapeName`, which servers ask only about names that need it.
        if !name.is_empty() {
            assert_eq!(escape(name, Escaping::Dots, true), get("expectedDots"), "{name}");
            assert_eq!(metric_name(name, Escaping::Underscores), get("expectedUnderscores"));
            assert_eq!(metric_name(name, Escaping::Values), get("expectedValue"), "{name}");
        }
    }
}
