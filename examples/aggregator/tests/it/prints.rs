//! What it prints instead of running: TypeScript, and tags.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::process::{OWN, command, folder, run};

fn types_of(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/types").join(file)
}

/// Runs it, and gives what it printed.
#[track_caller]
fn printed(folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> String {
    let Output { status, stdout, stderr } = run(command(folder, args, variables));
    let said = String::from_utf8_lossy(&stderr);
    assert_eq!((status.code(), &*said), (Some(0), ""), "{args:?}");
    String::from_utf8(stdout).expect("it is text")
}

/// The expected texts are TypeScript, which the stage `web` of `cargo xtask test` has compiled with what uses them.
/// `UPDATE_EXPECT=1` writes them.
#[test]
fn types_are_those_of_the_schema() {
    let folder = folder("prints-types", &[]);
    for name in ["every", "hostile"] {
        let schema = types_of(&format!("{name}.toml"));
        let schema = schema.to_str().expect("the path is text");
        let text = printed(&folder, &["types", "--schema", schema], &[]);
        let expected = types_of(&format!("{name}.ts"));
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&expected, &text).expect("it is ours");
        }
        assert_eq!(text, std::fs::read_to_string(expected).expect("it is there"), "{name}");
        // What would end a line or is not seen stands in none.
        let is_seen =
            |c: char| c == '\n' || !(c.is_control() || "\u{2028}\u{202e}\u{200b}".contains(c));
        assert!(text.chars().all(is_seen), "{text:?}");
    }
}

/// They come from where the families of a server come from.
#[test]
fn types_come_from_flags_or_variables_or_the_file() {
    let pum =
        r#"{"allowedMetrics":[{"name":"pum_total","help":"h","type":"counter","labels":[]}]}"#;
    let config = "public = \"127.0.0.1:1\"\nschema = [\"own.toml\"]\ndefault_schema = true\n";
    let files = [("own.toml", OWN), ("pum.json", pum), ("c.toml", config)];
    let folder = folder("prints-sources", &files);
    let (own, built_in, seed) = ("own_total", "client_page_loads_total", "pum_total");
    let variables = [("LASTMILE_SCHEMA", "own.toml"), ("LASTMILE_PUBLIC", "127.0.0.1:1")];
    for (args, variables, has) in [
        (&["types"][..], &[][..], &[built_in][..]),
        (&["types", "--schema", "own.toml"], &[], &[own]),
        (&["types", "--schema", "own.toml", "--schema", "pum.json"], &[], &[own, seed]),
        (&["types", "--schema", "own.toml", "--default-schema"], &[], &[own, built_in]),
        (&["types", "--schema", "pum.json"], &variables, &[seed]),
        (&["types", "--config", "c.toml"], &[], &[own, built_in]),
        (&["types"], &variables, &[own]),
        (&["types"], &[("PUM_CONFIG_PATH", "pum.json")], &[seed]),
    ] {
        let text = printed(&folder, args, variables);
        for name in [own, built_in, seed] {
            let is_there = text.contains(&format!("\n  {name}: "));
            assert_eq!(is_there, has.contains(&name), "{name} of {args:?} {variables:?}\n{text}");
        }
    }
}

#[test]
fn types_are_written_to_a_file() {
    let folder = folder("prints-out", &[("own.toml", OWN), ("metrics.ts", "before")]);
    let text = printed(&folder, &["types", "--schema", "own.toml"], &[]);
    let args = ["types", "--schema", "own.toml", "--out", "metrics.ts"];
    assert_eq!(printed(&folder, &args, &[]), "");
    assert_eq!(std::fs::read_to_string(folder.join("metrics.ts")).expect("it is there"), text);

    let output = run(command(&folder, &["types", "--out", "nowhere/metrics.ts"], &[]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("lastmile-aggregator: cannot write nowhere/metrics.ts: "), "{said}");
}

#[test]
fn what_is_wrong_is_told() {
    let folder =
        folder("prints-faults", &[("bad.toml", "[[family]]\nname = \"x\"\ntype = \"meter\"\n")]);
    let title = "lastmile-aggregator: nothing printed, because the configuration is wrong:\n  ";
    let unknown = "error: ";
    for (args, wanted) in [
        (
            &["types", "--schema", "bad.toml"][..],
            format!("{title}bad.toml:3: family `x`, field `type`: "),
        ),
        (&["types", "--schema", "none.toml"], format!("{title}--schema: cannot read none.toml: ")),
        (&["types", "--default-schema=false"], format!("{title}default_schema: is off, ")),
        (&["types", "--public", "127.0.0.1:0"], unknown.to_owned()),
        (&["--public", "127.0.0.1:0", "types"], unknown.to_owned()),
        (&["--schema", "bad.toml", "scripts"], unknown.to_owned()),
        (&["tags"], unknown.to_owned()),
    ] {
        let output = run(command(&folder, args, &[]));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.starts_with(&wanted), "{args:?} {wanted}: {said}");
        assert_eq!(output.stdout, b"", "{args:?}");
    }
}

#[test]
fn tags_name_what_is_served() {
    let folder = folder("prints-scripts", &[]);
    for (args, root) in [
        (&["scripts"][..], ""),
        (
            &["scripts", "--root", "https://metrics.example/telemetry/"],
            "https://metrics.example/telemetry",
        ),
        (
            &["scripts", "--root", "https://x.example/?a&b\"><"],
            "https://x.example/?a&amp;b&quot;>&lt;",
        ),
    ] {
        let wanted = lastmile_web::ALL.map(|script| {
            let (name, path, integrity) = (script.name(), script.path(), script.integrity());
            let tag = format!(
                r#"<script defer src="{root}{path}" integrity="{integrity}" crossorigin="anonymous"></script>"#
            );
            format!("{name} {path}\n{tag}\n")
        });
        // A variable for the server itself is nothing to it.
        assert_eq!(printed(&folder, args, &[("LASTMILE_PUBLIC", "nowhere")]), wanted.join("\n"));
    }
}
