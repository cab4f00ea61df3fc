//! Reports of browsers: those of the families that the schemas have, with words that they list and others.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{damaged, number_or_worse, one_of, quote, strange_value};

const TYPES: [&str; 13] = [
    "network-error",
    "network-error",
    "network-error",
    "csp-violation",
    "crash",
    "deprecation",
    "intervention",
    "coep",
    "permissions-policy-violation",
    "document-policy-violation",
    "integrity-violation",
    "security-violation",
    "",
];

const MEMBERS: [&str; 12] = [
    "phase",
    "type",
    "effectiveDirective",
    "disposition",
    "reason",
    "id",
    "policyId",
    "featureId",
    "destination",
    "effective-directive",
    "violated-directive",
    "referrer",
];

const WORDS: [&str; 12] = [
    "dns",
    "ok",
    "tcp.refused",
    "img-src",
    "img-src 'none'",
    "enforce",
    "report",
    "oom",
    "UnloadHandler",
    "other",
    "https://app.example/?q=1",
    "",
];

fn word() -> impl Strategy<Value = String> {
    let worse = one_of(&["null", "7", "[\"dns\"]", "{}", "true"]);
    prop_oneof![
        16 => select(&WORDS[..]).prop_map(quote),
        2 => strange_value().prop_map(|value| quote(&value)),
        1 => worse,
    ]
}

/// A few members, most of them for somebody.
fn about() -> impl Strategy<Value = String> {
    let text =
        (select(&MEMBERS[..]), word()).prop_map(|(name, word)| format!("{}:{word}", quote(name)));
    let fraction = prop_oneof![
        4 => select(&["1", "1.0", "0.5", "0.4", "0.3", "0.001", "0.0001", "0", "7", "-0"][..])
            .prop_map(str::to_owned),
        1 => number_or_worse(),
    ];
    let fraction = fraction.prop_map(|fraction| format!("\"sampling_fraction\":{fraction}"));
    let elapsed = prop_oneof![
        4 => (0..20_000u32).prop_map(|ms| ms.to_string()),
        1 => number_or_worse(),
    ];
    let elapsed = elapsed.prop_map(|elapsed| format!("\"elapsed_time\":{elapsed}"));
    let members = vec(prop_oneof![8 => text, 2 => fraction, 3 => elapsed], 0..8);
    let full = (select(&["dns", "x"][..]), select(&["ok", "tcp.refused", "x"][..]));
    let full = full.prop_map(|(phase, kind)| format!("\"phase\":\"{phase}\",\"type\":\"{kind}\""));
    (members, prop_oneof![1 => full, 1 => Just(String::new())]).prop_map(|(mut members, full)| {
        members.extend((!full.is_empty()).then_some(full));
        format!("{{{}}}", members.join(","))
    })
}

fn report() -> impl Strategy<Value = String> {
    let worse =
        one_of(&["null", "{}", "[]", "\"x\"", "{\"type\":1,\"body\":{}}", "{\"type\":\"crash\"}"]);
    let envelope = "\"age\":73,\"url\":\"https://app.example/\",\"user_agent\":\"Mozilla/5.0\"";
    let right = (select(&TYPES[..]), about(), 0..4u8).prop_map(move |(kind, about, order)| {
        let kind = format!("\"type\":{}", quote(kind));
        let about = format!("\"body\":{about}");
        match order {
            0 => format!("{{{about},{envelope},{kind}}}"),
            1 => format!("{{{kind},{about},{kind}}}"),
            _ => format!("{{{kind},{envelope},{about}}}"),
        }
    });
    let legacy = about().prop_map(|about| format!("{{\"csp-report\":{about}}}"));
    prop_oneof![12 => right, 2 => legacy, 1 => worse]
}

/// A body for `/reports`.
pub(crate) fn reports() -> BoxedStrategy<Vec<u8>> {
    let all = vec(report(), 0..6).prop_map(|reports| format!("[{}]", reports.join(",")));
    damaged(prop_oneof![6 => all, 1 => report()].prop_map(String::into_bytes))
}
