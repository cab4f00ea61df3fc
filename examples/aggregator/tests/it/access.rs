//! Who may push and read, as flags, variables and the file say.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use crate::process::{ANY_PORT, Aggregator, PATIENCE, command, connect, folder, send};

const PUSH: &str = r#"{"lm":1,"m":{"client_page_loads_total;type=navigate":1}}"#;

/// The status that a push with these headers is answered.
fn push(aggregator: &Aggregator, path: &str, headers: &str) -> String {
    let request =
        format!("POST {path} HTTP/1.0\r\ncontent-length: {}\r\n{headers}\r\n{PUSH}", PUSH.len());
    status(&send(aggregator.public, &request))
}

fn scrape(aggregator: &Aggregator, path: &str, headers: &str) -> String {
    status(&send(aggregator.private, &format!("GET {path} HTTP/1.0\r\n{headers}\r\n")))
}

fn status(answer: &str) -> String {
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn everyone_may_unless_something_says_otherwise() {
    let aggregator = Aggregator::start(command(&folder("access-open", &[]), &ANY_PORT, &[]));
    assert_eq!(push(&aggregator, "/lm", "origin: https://anywhere.example\r\n"), "204");
    assert_eq!(scrape(&aggregator, "/metrics", "host: localhost\r\n"), "200");
    assert_eq!(scrape(&aggregator, "/metrics", "host: rebound.example\r\n"), "421");
    let (_, _, log) = aggregator.stop();
    assert!(
        log.contains("pages of any origin may push; list those that may with --origins"),
        "{log}"
    );
}

#[test]
fn who_can_be_reached_without_a_token_is_told() {
    for (private, token, is_told) in [
        ("--private=127.0.0.1:0", None, false),
        ("--private=[::1]:0", None, false),
        ("--private=0.0.0.0:0", None, true),
        ("--private=0.0.0.0:0", Some("--private-token=s3cr3t"), false),
        ("--private=0.0.0.0:0", Some("--private-basic=prometheus:p4ss"), false),
    ] {
        let flags: Vec<_> = ["--public=127.0.0.1:0", private].into_iter().chain(token).collect();
        let aggregator = Aggregator::start(command(&folder("access-reached", &[]), &flags, &[]));
        let (_, _, log) = aggregator.stop();
        assert_eq!(log.contains("reads the aggregate"), is_told, "{private} {token:?}: {log}");
    }
}

#[test]
fn settings_are_the_same_from_everywhere() {
    let file = "\
origins = [\"https://app.example\"]
keys = { web = \"k-1\" }
rate = \"1/s burst 2\"
trusted_proxies = \"127.0.0.0/8\"
routes = [\"/lm\"]
private_hosts = [\"metrics.internal\"]
private_token = \"s3cr3t\"
private_basic = \"prometheus:p4ss\"
";
    let flags = [
        "--origins=https://app.example",
        "--keys=web=k-1",
        "--rate=1/s burst 2",
        "--trusted-proxies=127.0.0.0/8",
        "--routes=/lm",
        "--private-hosts=metrics.internal",
        "--private-token=s3cr3t",
        "--private-basic=prometheus:p4ss",
    ];
    let variables = [
        ("LASTMILE_ORIGINS", "https://app.example,https://b.example"),
        ("LASTMILE_KEYS", "web=k-1,app=k-2"),
        ("LASTMILE_RATE", "1/s burst 2"),
        ("LASTMILE_TRUSTED_PROXIES", "10.0.0.1,127.0.0.0/8"),
        ("LASTMILE_ROUTES", "/lm"),
        ("LASTMILE_PRIVATE_HOSTS", "other,metrics.internal"),
        ("LASTMILE_PRIVATE_TOKEN", "s3cr3t"),
        ("LASTMILE_PRIVATE_BASIC", "prometheus:p4ss"),
    ];
    let other = "origins = [\"https://c.example\"]\nkeys = { c = \"k-3\" }\nrate = \"9/s\"\n\
        private_token = \"other\"\nprivate_basic = \"a:b\"\n";
    for (name, file, flags, variables) in [
        ("file", file, &[][..], &[][..]),
        ("flags", other, &flags[..], &[]),
        ("variables", other, &[], &variables[..]),
    ] {
        let folder = folder(&format!("access-{name}"), &[("c.toml", file)]);
        let args = [&ANY_PORT[..], &["--config", "c.toml"], flags].concat();
        let aggregator = Aggregator::start(command(&folder, &args, variables));
        let app = "origin: https://app.example\r\nx-forwarded-for: 192.0.2.1\r\n";
        for (path, headers, wanted) in [
            ("/record?key=k-1", app, "404"),
            ("/lm?key=k-1", "origin: https://c.example\r\n", "403"),
            ("/lm?key=k-3", app, "401"),
            ("/lm?key=k-1", app, "204"),
            ("/lm?key=k-1", app, "204"),
            ("/lm?key=k-1", app, "429"),
            ("/lm?key=k-1", "x-forwarded-for: 192.0.2.2\r\n", "204"),
        ] {
            assert_eq!(push(&aggregator, path, headers), wanted, "{name} {path} {headers}");
        }
        let token = "authorization: Bearer s3cr3t\r\n";
        for (headers, wanted) in [
            (format!("host: metrics.internal\r\n{token}"), "200"),
            (format!("host: rebound.example\r\n{token}"), "421"),
            ("authorization: Basic cHJvbWV0aGV1czpwNHNz\r\n".to_owned(), "200"),
            ("authorization: Bearer other\r\n".to_owned(), "401"),
            (String::new(), "401"),
        ] {
            assert_eq!(scrape(&aggregator, "/metrics", &headers), wanted, "{name} {headers}");
        }
        assert_eq!(scrape(&aggregator, "/readyz", ""), "200");
        let (_, said, log) = aggregator.stop();
        assert!(!log.contains("any origin"), "{log}");
        for secret in ["k-1", "s3cr3t", "p4ss"] {
            assert!(!format!("{said}{log}").contains(secret), "{name} shows {secret}");
        }
    }
}

#[test]
fn values_of_refused_samples_are_shown_where_asked_for() {
    for (flag, shown) in [(None, false), (Some("--debug-samples"), true)] {
        let folder = folder("access-debug", &[]);
        let args: Vec<&str> = ANY_PORT.into_iter().chain(flag).collect();
        let aggregator = Aggregator::start(command(&folder, &args, &[]));
        let body = r#"{"lm":1,"m":{"client_page_loads_total;type=navigate;user=ann":1}}"#;
        let head = format!("POST /lm HTTP/1.0\r\ncontent-length: {}\r\n\r\n", body.len());
        assert_eq!(status(&send(aggregator.public, &format!("{head}{body}"))), "204");
        let told = send(aggregator.private, "GET /debug/refusals HTTP/1.0\r\n\r\n");
        assert!(told.contains(r#""reason":"unknown_label""#), "{told}");
        assert_eq!(told.contains("ann"), shown, "{told}");
    }
}

#[test]
fn connections_are_capped_and_counted() {
    let folder = folder("access-connections", &[("c.toml", "connections = 5_0\n")]);
    let more = ["--config", "c.toml", "--connections-per-client", "2"];
    let aggregator = Aggregator::start(command(&folder, &[&ANY_PORT[..], &more].concat(), &[]));
    let mut held: Vec<_> = (0..2).map(|_| connect(aggregator.public)).collect();
    for stream in &mut held {
        stream
            .write_all(b"POST /record HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n[]")
            .expect("it is taken");
        stream.read_exact(&mut [0; 12]).expect("it is answered");
    }
    let mut third = connect(aggregator.public);
    let mut answer = Vec::new();
    // Closed at once, and perhaps before it was read from.
    drop(third.read_to_end(&mut answer));
    assert_eq!(answer, b"");
    let events = |event: &str| {
        format!("lastmile_connection_events_total{{listener=\"public\",event=\"{event}\"}}")
    };
    let deadline = Instant::now() + PATIENCE;
    while aggregator.value(&events("refused")) != "1" {
        assert!(Instant::now() < deadline, "the refusal is not counted");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(aggregator.value(&events("accepted")), "2");
    assert_eq!(aggregator.value("lastmile_connections{listener=\"public\"}"), "2");
}

#[test]
fn sockets_are_capped() {
    let handshake =
        b"GET /lm/ws HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for (file, more, third) in [
        ("sockets = 2\nsockets_per_client = 9\n", &[][..], "503"),
        ("sockets = 9\n", &["--sockets-per-client", "2"], "429"),
        // Half of the connections, and a quarter of that for one client.
        ("connections = 16\n", &[], "429"),
        ("connections = 4\nconnections_per_client = 4\nsockets_per_client = 4\n", &[], "503"),
    ] {
        let folder = folder("access-sockets", &[("c.toml", file)]);
        let args = [&ANY_PORT[..], &["--config", "c.toml"], more].concat();
        let aggregator = Aggregator::start(command(&folder, &args, &[]));
        let mut held: Vec<_> = (0..3).map(|_| connect(aggregator.public)).collect();
        let statuses = held.iter_mut().map(|stream| {
            stream.write_all(handshake).expect("it is taken");
            let mut head = [0; 12];
            stream.read_exact(&mut head).expect("it is answered");
            String::from_utf8_lossy(&head[9..]).into_owned()
        });
        assert_eq!(statuses.collect::<Vec<_>>(), ["101", "101", third], "{file}");
    }
}
