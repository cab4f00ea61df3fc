//! The metric families of a schema as TypeScript, for the compiler to check what a page counts.

use std::fmt::Write;

use lastmile::{Family, Kind, Label, Schema};

/// A module that declares what `increment` and `observe` of `lastmile.js` take.
///
/// All labels that a client sends are there, as a sample that lacks one is refused. Families for the host alone are not,
/// nor are gauges: the client adds up, or collects, what it is told between two pushes, and a gauge is neither.
pub(crate) fn of(schema: &Schema) -> String {
    let of_kinds = |kinds: &[Kind]| -> Vec<&Family> {
        let families = schema.families().filter(|family| !family.is_host_only());
        families.filter(|family| kinds.contains(&family.kind())).collect()
    };
    let mut text = String::from(
        "// Written by `lastmile-aggregator types` from the server's schema. Do not edit.\n",
    );
    let counters = of_kinds(&[Kind::Counter]);
    interface(
        &mut text,
        "Counters",
        "What `increment` takes: the labels of each counter.",
        &counters,
    );
    let observed = of_kinds(&[Kind::Histogram, Kind::Summary]);
    let about = "What `observe` takes: the labels of each histogram and summary.";
    interface(&mut text, "Observed", about, &observed);
    text += "\n";
    for (name, kind) in [
        ("CounterName", Kind::Counter),
        ("HistogramName", Kind::Histogram),
        ("SummaryName", Kind::Summary),
    ] {
        let names = of_kinds(&[kind]).into_iter().map(|family| literal(family.name()));
        push(&mut text, format_args!("export type {name} = {};\n", union(names)));
    }
    text += "
declare module \"lastmile\" {
  interface Metrics {
    counters: Counters;
    observed: Observed;
  }
}
";
    text
}

fn interface(text: &mut String, name: &str, about: &str, families: &[&Family]) {
    push(text, format_args!("\n/** {about} */\nexport interface {name} {{"));
    for family in families {
        text.push('\n');
        if !family.help_text().is_empty() {
            push(text, format_args!("  /** {} */\n", comment(family.help_text())));
        }
        push(text, format_args!("  {}: {};", property(family.name()), labels(family)));
    }
    text.push_str(if families.is_empty() { "}\n" } else { "\n}\n" });
}

/// The labels that a client sends, as a type.
fn labels(family: &Family) -> String {
    let sent = family.labels().iter().filter(|label| !label.is_set_by_server());
    let sent: Vec<String> =
        sent.map(|label| format!("{}: {}", property(label.name()), values(label))).collect();
    match sent.is_empty() {
        // `{}` would take anything.
        true => "Record<string, never>".to_owned(),
        false => format!("{{ {} }}", sent.join("; ")),
    }
}

fn values(label: &Label) -> String {
    match label.values() {
        Some(values) => union(values.map(literal)),
        None => "string".to_owned(),
    }
}

fn union(members: impl Iterator<Item = String>) -> String {
    let members: Vec<String> = members.collect();
    if members.is_empty() { "never".to_owned() } else { members.join(" | ") }
}

/// A property's name, in quotes unless it is plainly an identifier.
fn property(name: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    let is_plain = name.chars().all(is_part) && !name.starts_with(|c: char| c.is_ascii_digit());
    if is_plain { name.to_owned() } else { literal(name) }
}

/// A string literal.
fn literal(text: &str) -> String {
    let mut literal = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            '\n' => literal += "\\n",
            _ if is_unseen(c) => literal.extend(c.escape_unicode()),
            _ => literal.push(c),
        }
    }
    literal.push('"');
    literal
}

/// What a comment of one line may hold, and does not end it.
fn comment(text: &str) -> String {
    let text: String = text.chars().map(|c| if is_unseen(c) { ' ' } else { c }).collect();
    text.trim().replace("*/", "*\\/")
}

/// Whether a character ends a line, or is not seen where it stands, as those are not by which a text shows otherwise than
/// it reads.
/// Source: Unicode 16, general categories Cc, Zl and Zp, and of Cf what has no glyph in any script.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn push(text: &mut String, args: std::fmt::Arguments<'_>) {
    text.write_fmt(args).expect("a string takes it all");
}
