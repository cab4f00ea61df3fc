//! Everything that is wrong with a configuration, at once, each with its place.

use crate::process::{command, folder, run};

/// Runs it in a folder with `files`, and compares what it says is wrong, line by line. A wanted line
/// that ends in `…` is the beginning of one.
#[track_caller]
fn check(
    name: &str,
    files: &[(&str, &str)],
    args: &[&str],
    variables: &[(&str, &str)],
    wanted: &[&str],
) {
    let folder = folder(&format!("faults-{name}"), files);
    let output = run(command(&folder, args, variables));
    let said = String::from_utf8(output.stderr).expect("it is text");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "nothing was started");
    let mut lines = said.lines();
    let title = "lastmile-aggregator: not started, because the configuration is wrong:";
    assert_eq!(lines.next(), Some(title), "{said}");
    for wanted in wanted {
        let line = lines.next().and_then(|line| line.strip_prefix("  ")).unwrap_or_default();
        let same = match wanted.strip_suffix('…') {
            Some(start) => line.starts_with(start),
            None => line == *wanted,
        };
        assert!(same, "wanted {wanted}\nin {said}");
    }
    assert_eq!(lines.next(), None, "{said}");
}

#[test]
fn who_may_push_and_read() {
    let file = "\
origins = [\"https://app.example\", \"app.example\"]
keys = { web = \"s3cr3t-1\", app = \"\",
  other = \"s3cr3t-1\" }
rate = \"fast\"
trusted_proxies = [\"10.0.0.0/33\"]
routes = [\"/healthz\"]
bytes_in_flight = \"1KiB\"
private_hosts = [\"a:80\"]
private_token = \"s3cr3t 2\"
private_basic = \"s3cr3t-3\"
debug_samples = 1
connections = \"many\"
connections_per_client = 0
private_connections = -1
sockets = 0
sockets_per_client = \"few\"
";
    let more = "keys = \"s3cr3t-4\"\n";
    check(
        "access",
        &[("c.toml", file)],
        &["--config", "c.toml"],
        &[],
        &[
            "c.toml:1: field `origins`: `app.example` is no origin, such as https://app.example or null",
            "c.toml:2: field `keys`: the key named `app` is empty or over 128 bytes",
            "c.toml:3: field `keys`: `web` and `other` are the same key",
            "c.toml:4: field `rate`: `fast` is no rate, such as 5/s, 5/s burst 50 or 5/s by origin",
            "c.toml:5: field `trusted_proxies`: `10.0.0.0/33` is no address or network, such as 10.0.0.0/8",
            "c.toml:6: field `routes`: there is no public path `/healthz`; there are /lm, /record, /metrics, /metrics/job/, …",
            "c.toml:7: field `bytes_in_flight`: is less than the 327680 bytes that one body may have, which would never be taken",
            "c.toml:8: field `private_hosts`: `a:80` is no name of a host, without a port",
            "c.toml:9: field `private_token`: a bearer token is not of visible ASCII characters",
            "c.toml:10: field `private_basic`: must be USER:PASSWORD, such as prometheus:p4ss",
            "c.toml:11: field `debug_samples`: must be true or false, not integer",
            "c.toml:12: field `connections`: must be a whole number, not string",
            "c.toml:13: field `connections_per_client`: must be at least 1",
            "c.toml:14: field `private_connections`: `-1` is not a whole number of at most 4294967295",
            "c.toml:15: field `sockets`: must be at least 1",
            "c.toml:16: field `sockets_per_client`: must be a whole number, not string",
        ],
    );
    check(
        "access-keys",
        &[("c.toml", more)],
        &["--config", "c.toml"],
        &[],
        &["c.toml:1: field `keys`: must be a table, such as { web = \"8f1c0a\" }, not string"],
    );
    check(
        "access-commas",
        &[],
        &["--rate", "5/s by origin"],
        &[("LASTMILE_ORIGINS", ","), ("LASTMILE_ROUTES", "")],
        &[
            "LASTMILE_ORIGINS: `` is no origin, such as https://app.example or null",
            "LASTMILE_ORIGINS: `` is no origin, such as https://app.example or null",
        ],
    );
    check(
        "access-by-origin",
        &[("c.toml", "origins = [\"https://*.example\"]\nrate = \"5/s by origin\"\n")],
        &["--config", "c.toml"],
        &[],
        &[
            "c.toml:2: field `rate`: by origin needs a list of whole origins, or each request can have its own",
        ],
    );
    check(
        "access-flags",
        &[],
        &["--keys", "web", "--origins", "https://a.example,x"],
        &[("LASTMILE_RATE", "0/s"), ("LASTMILE_DEBUG_SAMPLES", "maybe")],
        &[
            "--origins: `x` is no origin, such as https://app.example or null",
            "--keys: must be NAME=KEY, such as web=8f1c0a",
            "LASTMILE_RATE: `0/s` is no rate, such as 5/s, 5/s burst 50 or 5/s by origin",
            "LASTMILE_DEBUG_SAMPLES: `maybe` is neither true nor false",
        ],
    );
}

/// An empty list lets nobody in or everybody, and a name that has a `=` ends elsewhere than it says.
#[test]
fn what_could_be_taken_otherwise() {
    let file = "\
origins = []
routes = []
keys = {}
";
    check(
        "access-empty",
        &[("c.toml", file)],
        &["--config", "c.toml"],
        &[],
        &[
            "c.toml:1: field `origins`: is empty; leave it out, and nothing is restricted",
            "c.toml:2: field `routes`: is empty; leave it out, and nothing is restricted",
            "c.toml:3: field `keys`: is empty; leave it out, and nothing is restricted",
        ],
    );
    check(
        "access-names",
        &[("c.toml", "keys = { \"a=b\" = \"s3cr3t\" }\nconnections = 0xFFFFFFFFF\n")],
        &["--config", "c.toml", "--private-basic", ":"],
        &[],
        &[
            "--private-basic: a user has a colon in its name, or an empty password",
            "c.toml:1: field `keys`: the name `a=b` has a =",
            "c.toml:2: field `connections`: `68719476735` is not a whole number of at most 4294967295",
        ],
    );
}

/// What is wrong in the file is told now, and not on the day when the flag is dropped.
#[test]
fn what_a_flag_wins_over() {
    let file = "\
origins = [\"app.example\"]
keys = { web = \"\" }
rate = \"fast\"
hold = \"nobody\"
connections = 0
";
    check(
        "access-won",
        &[("c.toml", file)],
        &[
            "--config=c.toml",
            "--origins=https://a.example",
            "--keys=web=1",
            "--rate=5/s",
            "--hold=off",
            "--connections=9",
        ],
        &[],
        &[
            "c.toml:1: field `origins`: `app.example` is no origin, such as https://app.example or null",
            "c.toml:2: field `keys`: the key named `web` is empty or over 128 bytes",
            "c.toml:3: field `rate`: `fast` is no rate, such as 5/s, 5/s burst 50 or 5/s by origin",
            "c.toml:4: field `hold`: `nobody` is not readers, everyone or off",
            "c.toml:5: field `connections`: must be at least 1",
        ],
    );
}

#[test]
fn the_files_own_keys() {
    let file = "\
public = \"localhost:3000\"
private = 9102
log = \"loud\"
hold = \"nobody\"
default_schema = \"yes\"
schema = [\"nothing.toml\", 5,
  \"empty\"]
";
    check(
        "keys",
        &[("c.toml", file), ("empty/notes.txt", "")],
        &["--config", "c.toml"],
        &[],
        &[
            "c.toml:1: field `public`: `localhost:3000` is not an IP address and a port, such as 127.0.0.1:3000 or [::1]:3000",
            "c.toml:2: field `private`: must be text, not integer",
            "c.toml:3: field `log`: `loud` is not a level: off, error, warn, info, debug or trace, or a list such as warn,lastmile_aggregator=debug",
            "c.toml:4: field `hold`: `nobody` is not readers, everyone or off",
            "c.toml:5: field `default_schema`: must be true or false, not string",
            "c.toml:6: field `schema`: must be text, not integer",
            "c.toml:6: field `schema`: cannot read nothing.toml: No such file or directory (os error 2)",
            "c.toml:7: field `schema`: there is no .toml or .json file in empty",
        ],
    );
}

#[test]
fn the_files_families_too() {
    let file = "\
public = 1
[limits]
bytes = \"a lot\"
[[family]]
name = \"lastmile_1st\"
type = \"counter\"
[[family]]
name = \"x_total\"
type = \"meter\"
[elsewhere]
";
    check(
        "families",
        &[("c.toml", file)],
        &["--config", "c.toml"],
        &[],
        &[
            "c.toml:1: field `public`: must be text, not integer",
            "c.toml:3: field `limits.bytes`: must be bytes, as 64MiB…",
            "c.toml:5: family `lastmile_1st`, field `name`: …",
            "c.toml:9: family `x_total`, field `type`: `meter` is not counter, gauge, histogram or summary",
            "c.toml:10: field `elsewhere`: is not a key of this file",
        ],
    );
}

#[test]
fn flags_and_variables() {
    check(
        "flags",
        &[("metrics.yaml", "")],
        &[
            "--public=:3000",
            "--private=127.0.0.1",
            "--log=info;debug",
            "--limits-bytes=64 megabytes",
            "--limits-series-per-family=-1",
            "--default-schema=maybe",
            "--schema=nothing",
            "--schema=metrics.yaml",
            "--config=nothing.toml",
        ],
        &[],
        &[
            "--config: cannot read nothing.toml: No such file or directory (os error 2)",
            "--default-schema: `maybe` is neither true nor false",
            "--schema: there is no file or folder `nothing`",
            "--schema: metrics.yaml is neither a folder nor a .toml or .json file",
            "--limits-bytes: `64 megabytes` is not a size, such as 64MiB",
            "--limits-series-per-family: `-1` is not a whole number of at most 4294967295",
            "--public: `:3000` is not an IP address and a port, such as 127.0.0.1:3000 or [::1]:3000",
            "--private: `127.0.0.1` is not an IP address and a port, such as 127.0.0.1:9102 or [::1]:9102",
            "--log: `info;debug` is not a level: off, error, warn, info, debug or trace, or a list such as warn,lastmile_aggregator=debug",
        ],
    );
    check(
        "variables",
        &[],
        &[],
        &[
            ("LASTMILE_PUBLIC", "here"),
            ("LASTMILE_LIMITS_BYTES", "99999999999GiB"),
            ("LASTMILE_SCHEMA", "a.toml:b.json"),
            ("PUM_CONFIG_PATH", "c"),
        ],
        &[
            "LASTMILE_SCHEMA: cannot read a.toml: No such file or directory (os error 2)",
            "LASTMILE_SCHEMA: cannot read b.json: No such file or directory (os error 2)",
            "PUM_CONFIG_PATH: there is no file or folder `c`",
            "LASTMILE_LIMITS_BYTES: `99999999999GiB` is not a size, such as 64MiB",
            "LASTMILE_PUBLIC: `here` is not an IP address and a port, such as 127.0.0.1:3000 or [::1]:3000",
        ],
    );
}

#[test]
fn what_contradicts_itself() {
    check(
        "no-families",
        &[],
        &["--default-schema=false"],
        &[],
        &[
            "default_schema: is off, and there are no other metric families; name some with --schema",
        ],
    );
    check(
        "same-address",
        &[],
        &["--public=127.0.0.1:9102"],
        &[],
        &["public and private: have the same address, and each needs its own"],
    );
    let why =
        "there are 100 connections, and each WebSocket is one; choose fewer, or more connections";
    check(
        "sockets",
        &[("c.toml", "sockets = 101\n")],
        &["--config=c.toml", "--connections=100"],
        &[],
        &[&format!("c.toml:1: field `sockets`: {why}")],
    );
    check(
        "sockets-default",
        &[],
        &["--sockets=4097"],
        &[],
        &[&format!("--sockets: {}", why.replace("100", "4096"))],
    );
    let product = "\
[limits]
series_per_family = 5
[[family]]
name = \"x_total\"
type = \"counter\"
labels = [{ name = \"a\", values = [\"1\", \"2\"] }, { name = \"b\", values = [\"1\", \"2\"] }]
";
    check(
        "product",
        &[("c.toml", product)],
        &["--config=c.toml"],
        &[],
        &["c.toml:4: family `x_total`…"],
    );
    // Flags win over the file here too.
    let roomy = product.replace("= 5", "= 50");
    check(
        "product-flag",
        &[("c.toml", &roomy)],
        &["--config=c.toml", "--limits-series-per-family=5"],
        &[],
        &["c.toml:4: family `x_total`…"],
    );
    check(
        "tiny",
        &[("c.toml", &roomy)],
        &["--config=c.toml", "--limits-bytes=1"],
        &[],
        &["c.toml:4: family `x_total`, field `labels`: …"],
    );
}

#[test]
fn files_that_are_no_configuration() {
    for (name, text, wanted) in [
        ("syntax", "log = \"info\"\nprivate = [\n", "c.toml:2: …"),
        ("duplicate", "log = \"info\"\nlog = \"warn\"\n", "c.toml:2: …"),
        ("unknown", "log = \"info\"\npubic = \"127.0.0.1:3000\"\n", "c.toml:2: field `pubic`: …"),
    ] {
        check(name, &[("c.toml", text)], &["--config", "c.toml"], &[], &[wanted]);
    }
    let folder = folder("faults-bytes", &[]);
    std::fs::write(folder.join("c.toml"), b"log = \"\xff\"\n").expect("it is ours");
    let output = run(command(&folder, &["--config", "c.toml"], &[]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.ends_with("\n  --config: c.toml is not UTF-8 text: byte 7 is wrong\n"), "{said}");
    check(
        "json",
        &[("m.json", "{\n\"allowedMetrics\": [\n{]\n")],
        &["--schema", "m.json"],
        &[],
        &["m.json:3: is not what an allowedMetrics file holds: …"],
    );
}
