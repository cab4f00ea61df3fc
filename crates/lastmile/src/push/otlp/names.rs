//! Which family a metric of OpenTelemetry is.
//!
//! By the name that a family says it has there, by the family's own name as it is written, or by the name that
//! Prometheus gives such a metric: with its unit and `_total` behind it, with `_total` alone, or without either.
//! Source: prometheus/otlptranslator metric_namer.go and unit_namer.go, `UnderscoreEscapingWithSuffixes` and
//! `UnderscoreEscapingWithoutSuffixes`; the units are UCUM's.

use super::doc::Kind;
use crate::store::{Catalog, Target};

/// Units and what Prometheus calls them.
const UNITS: [(&[u8], &[u8]); 26] = [
    (b"s", b"seconds"),
    (b"ms", b"milliseconds"),
    (b"us", b"microseconds"),
    (b"ns", b"nanoseconds"),
    (b"min", b"minutes"),
    (b"h", b"hours"),
    (b"d", b"days"),
    (b"By", b"bytes"),
    (b"kBy", b"kilobytes"),
    (b"KBy", b"kilobytes"),
    (b"MBy", b"megabytes"),
    (b"GBy", b"gigabytes"),
    (b"TBy", b"terabytes"),
    (b"KiBy", b"kibibytes"),
    (b"MiBy", b"mebibytes"),
    (b"GiBy", b"gibibytes"),
    (b"TiBy", b"tebibytes"),
    (b"m", b"meters"),
    (b"V", b"volts"),
    (b"A", b"amperes"),
    (b"J", b"joules"),
    (b"W", b"watts"),
    (b"g", b"grams"),
    (b"Cel", b"celsius"),
    (b"Hz", b"hertz"),
    (b"%", b"percent"),
];

/// The same behind a slash.
const PER_UNITS: [(&[u8], &[u8]); 7] = [
    (b"s", b"per_second"),
    (b"m", b"per_minute"),
    (b"h", b"per_hour"),
    (b"d", b"per_day"),
    (b"w", b"per_week"),
    (b"mo", b"per_month"),
    (b"y", b"per_year"),
];

/// The family of a metric. `name` is room for what the name becomes.
pub(super) fn target<'a>(
    catalog: &'a Catalog,
    said: &[u8],
    unit: &[u8],
    kind: Kind,
    is_monotonic: bool,
    name: &mut Vec<u8>,
) -> Option<Target<'a>> {
    if let Some(target) = catalog.otel_target(said).or_else(|| catalog.target(said)) {
        return Some(target);
    }
    let is_counter = kind == Kind::Sum && is_monotonic;
    for (with_unit, with_total) in [(true, true), (false, true)] {
        name.clear();
        put_tokens(name, said, |token| !(with_total && is_counter && token == b"total"));
        if with_unit {
            put_unit(name, unit);
            if unit == b"1" && kind == Kind::Gauge {
                put(name, b"ratio");
            }
        }
        if with_total && is_counter {
            put(name, b"total");
        }
        if let Some(target) = catalog.target(name) {
            return Some(target);
        }
    }
    name.clear();
    put_tokens(name, said, |_| true);
    catalog.target(name)
}

/// Whether a metric of this unit can be counted in a family of that one: one that says none, or counts things, can.
pub(super) fn unit_fits(family: Option<&str>, unit: &[u8], name: &mut Vec<u8>) -> bool {
    let Some(family) = family else { return true };
    name.clear();
    put_unit(name, unit);
    let is_none = name.is_empty() || (unit == b"1" && family == "ratio");
    is_none || name.strip_prefix(b"_").unwrap_or(name) == family.as_bytes()
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b':'
}

/// Appends one token behind an underscore, unless it is there already.
fn put(name: &mut Vec<u8>, token: &[u8]) {
    if !name.split(|byte| *byte == b'_').any(|there| there == token) {
        if !name.is_empty() {
            name.push(b'_');
        }
        name.extend_from_slice(token);
    }
}

/// Appends the words of a name with an underscore between them.
fn put_tokens(name: &mut Vec<u8>, said: &[u8], is_wanted: impl Fn(&[u8]) -> bool) {
    let tokens = said.split(|byte| !is_part(*byte)).filter(|token| !token.is_empty());
    for token in tokens.filter(|token| is_wanted(token)) {
        if !name.is_empty() || token[0].is_ascii_digit() {
            name.push(b'_');
        }
        name.extend_from_slice(token);
    }
}

/// Appends a unit as Prometheus calls it; what stands in braces is a remark, and `1` is none.
fn put_unit(name: &mut Vec<u8>, unit: &[u8]) {
    let (main, per) = match unit.iter().position(|byte| *byte == b'/') {
        Some(slash) => (&unit[..slash], &unit[slash + 1..]),
        None => (unit, &b""[..]),
    };
    let is_remark = |unit: &[u8]| unit.iter().any(|byte| matches!(byte, b'{' | b'}'));
    let known = |units: &[(&[u8], &'static [u8])], unit: &[u8]| {
        units.iter().find(|(known, _)| *known == unit).map(|(_, name)| *name)
    };
    let main = main.trim_ascii();
    if !main.is_empty() && main != b"1" && !is_remark(main) {
        match known(&UNITS, main) {
            Some(main) => put(name, main),
            None => put_clean(name, b"", main),
        }
    }
    let per = per.trim_ascii();
    if !per.is_empty() && !is_remark(per) {
        match known(&PER_UNITS, per) {
            // Two words, of which the first may well be there.
            Some(per) if !ends_in(name, per) => put_clean(name, b"", per),
            Some(_) => {}
            None => put_clean(name, b"per", per),
        }
    }
}

fn ends_in(name: &[u8], words: &[u8]) -> bool {
    name.strip_suffix(words).is_some_and(|before| before.is_empty() || before.ends_with(b"_"))
}

/// Appends what is no unit that is known, without what no name may have.
fn put_clean(name: &mut Vec<u8>, before: &[u8], unit: &[u8]) {
    let mut words = unit.split(|byte| !is_part(*byte)).filter(|word| !word.is_empty()).peekable();
    if words.peek().is_none() {
        return;
    }
    let is_there = before.is_empty() && ends_in(name, unit);
    if is_there {
        return;
    }
    for word in [before].into_iter().filter(|word| !word.is_empty()).chain(words) {
        if !name.is_empty() {
            name.push(b'_');
        }
        name.extend_from_slice(word);
    }
}

/// Whether a label is what Prometheus makes of an attribute's key: every character that no label name has becomes an
/// underscore, and a first digit gets `key_` before it.
/// Source: prometheus/otlptranslator label_namer.go.
pub(super) fn is_label_of(label: &[u8], key: &[u8]) -> bool {
    let label = match key.first() {
        Some(first) if first.is_ascii_digit() => match label.strip_prefix(b"key_") {
            Some(label) => label,
            None => return false,
        },
        _ => label,
    };
    // The bytes of a character that is not ASCII are one underscore together.
    let mut made = key
        .iter()
        .filter(|byte| **byte & 0xc0 != 0x80)
        .map(|byte| if byte.is_ascii_alphanumeric() { *byte } else { b'_' });
    label.iter().all(|byte| made.next() == Some(*byte)) && made.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_labels() {
        for (key, label, is) in [
            ("app", "app", true),
            ("service.name", "service_name", true),
            ("service.name", "service.name", false),
            ("http-status/code", "http_status_code", true),
            ("é.x", "__x", true),
            ("1st", "key_1st", true),
            ("1st", "1st", false),
            ("", "", true),
            ("app", "ap", false),
            ("ap", "app", false),
        ] {
            assert_eq!(is_label_of(label.as_bytes(), key.as_bytes()), is, "{key} {label}");
        }
    }

    #[test]
    fn names_get_units() {
        for (said, unit, with_unit) in [
            ("app.loads", "", "app_loads"),
            ("app.loads", "1", "app_loads"),
            ("app.loads", "{load}", "app_loads"),
            ("load", "s", "load_seconds"),
            ("load.seconds", "s", "load_seconds"),
            ("http.server.request.duration", "s", "http_server_request_duration_seconds"),
            ("sent", "By", "sent_bytes"),
            ("speed", "By/s", "speed_bytes_per_second"),
            ("speed_per_second", "1/s", "speed_per_second"),
            ("speed", "{page}/s", "speed_per_second"),
            ("speed", "/x-y", "speed_per_x_y"),
            ("a__b.", "weird unit", "a_b_weird_unit"),
            ("1st", "", "_1st"),
        ] {
            let mut name = Vec::new();
            put_tokens(&mut name, said.as_bytes(), |_| true);
            put_unit(&mut name, unit.as_bytes());
            assert_eq!(String::from_utf8(name).unwrap(), with_unit, "{said} {unit}");
        }
        for (family, unit, fits) in [
            (None, "ms", true),
            (Some("seconds"), "s", true),
            (Some("seconds"), "seconds", true),
            (Some("seconds"), "", true),
            (Some("seconds"), "1", true),
            (Some("seconds"), "{x}", true),
            (Some("seconds"), "ms", false),
            (Some("ratio"), "1", true),
            (Some("bytes_per_second"), "By/s", true),
        ] {
            assert_eq!(
                unit_fits(family, unit.as_bytes(), &mut Vec::new()),
                fits,
                "{family:?} {unit}"
            );
        }
    }
}
