//! Where its metric families come from.

use crate::process::{ANY_PORT, Aggregator, OWN, command, folder, send};

/// Starts it with `args` and `variables`, and checks which families it has.
#[track_caller]
fn check(
    name: &str,
    files: &[(&str, &str)],
    args: &[&str],
    variables: &[(&str, &str)],
    has: &[&str],
    lacks: &[&str],
) {
    let folder = folder(name, files);
    let aggregator = Aggregator::start(command(&folder, &[&ANY_PORT, args].concat(), variables));
    let text = send(aggregator.private, "GET /metrics HTTP/1.0\r\n\r\n");
    for family in has {
        assert!(
            text.contains(&format!("# TYPE {family} ")),
            "no {family} with {args:?} {variables:?}"
        );
    }
    for family in lacks {
        assert!(
            !text.contains(&format!("# TYPE {family} ")),
            "{family} with {args:?} {variables:?}"
        );
    }
}

#[test]
fn schemas_come_from_flags_or_variables_or_the_file() {
    let pum = |name: &str| {
        format!(
            r#"{{"allowedMetrics":[{{"name":"{name}","help":"h","type":"counter","labels":[]}}]}}"#
        )
    };
    let (json, hidden) = (pum("json_total"), pum("hidden_total"));
    let files = [
        ("own.toml", OWN),
        ("dir/a.json", json.as_str()),
        ("dir/b.toml", "[[family]]\nname = \"dir_total\"\ntype = \"counter\"\n"),
        ("dir/.old.json", hidden.as_str()),
        ("dir/notes.txt", "not a schema"),
        ("dir/sub/c.json", hidden.as_str()),
        (
            "conf/lastmile.toml",
            "schema = \"../own.toml\"\n[[family]]\nname = \"file_total\"\ntype = \"counter\"\n",
        ),
        ("conf/keep.toml", "default_schema = true\nschema = [\"../own.toml\", \"../dir\"]\n"),
        ("conf/plain.toml", "log = \"warn\"\n[limits]\nbytes = \"8MiB\"\n"),
    ];
    let built_in = "client_page_loads_total";
    let check =
        |name: &str, args: &[&str], variables: &[(&str, &str)], has: &[&str], lacks: &[&str]| {
            check(&format!("starts-schema-{name}"), &files, args, variables, has, lacks);
        };
    check("flag", &["--schema", "own.toml"], &[], &["own_total"], &[built_in]);
    check(
        "folder",
        &["--schema", "dir"],
        &[],
        &["json_total", "dir_total"],
        &[built_in, "hidden_total"],
    );
    check(
        "two",
        &["--schema", "own.toml", "--schema", "dir"],
        &[],
        &["own_total", "dir_total"],
        &[built_in],
    );
    check(
        "keep",
        &["--schema", "own.toml", "--default-schema"],
        &[],
        &["own_total", built_in],
        &[],
    );
    check(
        "variable",
        &[],
        &[("LASTMILE_SCHEMA", "own.toml:dir")],
        &["own_total", "dir_total"],
        &[built_in],
    );
    check("pum", &[], &[("PUM_CONFIG_PATH", "dir")], &["json_total"], &[built_in]);
    check(
        "pum-too",
        &[],
        &[
            ("PUM_CONFIG_PATH", "dir"),
            ("LASTMILE_SCHEMA", "own.toml"),
            ("LASTMILE_DEFAULT_SCHEMA", "true"),
        ],
        &["json_total", "own_total", built_in],
        &[],
    );
    let variables = [("LASTMILE_SCHEMA", "dir"), ("PUM_CONFIG_PATH", "dir")];
    check(
        "flag-wins",
        &["--schema", "own.toml"],
        &variables,
        &["own_total"],
        &["json_total", built_in],
    );
    check(
        "file",
        &["--config", "conf/lastmile.toml"],
        &[],
        &["own_total", "file_total"],
        &[built_in],
    );
    check(
        "flag-over-file",
        &["--config", "conf/lastmile.toml", "--schema", "dir"],
        &[],
        &["file_total", "dir_total"],
        &["own_total", built_in],
    );
    check(
        "file-keeps",
        &["--config", "conf/keep.toml"],
        &[],
        &["own_total", "json_total", built_in],
        &[],
    );
    check(
        "flag-drops",
        &["--config", "conf/keep.toml", "--default-schema=false"],
        &[],
        &["own_total", "json_total"],
        &[built_in],
    );
    check("file-without", &[], &[("LASTMILE_CONFIG", "conf/plain.toml")], &[built_in], &[]);
    let empty = ["CONFIG", "SCHEMA", "DEFAULT_SCHEMA", "PUBLIC", "PRIVATE", "LOG", "LIMITS_BYTES"];
    let empty = empty.map(|name| format!("LASTMILE_{name}"));
    let empty: Vec<_> = empty.iter().map(|name| (name.as_str(), "")).collect();
    check("empty", &[], &empty, &[built_in], &[]);
}
