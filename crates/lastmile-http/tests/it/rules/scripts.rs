//! The client's scripts: at their own paths for the moment, at those that name their bytes for good.

use lastmile_http::{PublicOptions, Service};

use super::server::{Answer, Server, aggregator};

/// Where each is looked for, and its text.
const SCRIPTS: [(&str, &str); 3] = [
    ("/lm.js", include_str!("../../../../lastmile-web/dist/lastmile.js")),
    ("/lm-core.js", include_str!("../../../../lastmile-web/dist/lastmile-core.js")),
    (
        "/static/aggregatorClient.js",
        include_str!("../../../../lastmile-web/dist/aggregatorClient.js"),
    ),
];

const FOR_THE_MOMENT: &str = "cache-control: public, max-age=3600, stale-while-revalidate=86400";
const FOR_GOOD: &str = "cache-control: public, max-age=31536000, immutable";
const FOR_ALL: &str = "vary: Accept-Encoding\nx-content-type-options: nosniff\n\
    cross-origin-resource-policy: cross-origin\naccess-control-allow-origin: *";
const CONTENT: &str = "content-type: text/javascript; charset=utf-8";

/// The path that names the bytes of an answer.
fn hashed(answer: &Answer) -> String {
    let tag = answer.header("etag").expect("it has one");
    let hash = tag.strip_prefix("W/\"").and_then(|tag| tag.strip_suffix('"'));
    let hash = hash.unwrap_or_else(|| panic!("{tag} is no weak tag"));
    assert!(hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{hash}");
    format!("/lm-{hash}.js")
}

/// Both paths of each script, with what caches are told there.
fn both_paths(server: &Server) -> Vec<(String, &'static str, &'static str)> {
    let paths = SCRIPTS.map(|(path, text)| {
        let hashed = hashed(&server.send(&format!("HEAD {path}")));
        [(path.to_owned(), text, FOR_THE_MOMENT), (hashed, text, FOR_GOOD)]
    });
    paths.into_iter().flatten().collect()
}

#[test]
fn each_is_the_same_for_every_page() {
    let options =
        PublicOptions::new().origins(["https://app.example"]).key("web", "0123456789abcdef");
    let listed = Service::public_with(aggregator(), &options).expect("the options are right");
    for service in
        [Service::public(aggregator()), listed, Service::public_and_private(aggregator())]
    {
        let server = Server::start(service);
        for (path, text, cache) in both_paths(&server) {
            let wanted = format!("200\n{CONTENT}\n!content-encoding\n{FOR_ALL}\n{cache}");
            for request in [
                format!("GET {path}"),
                format!("GET {path}\norigin: https://other.example\nsec-fetch-site: cross-site"),
                format!("GET {path}\nhost: metrics.example:8443"),
                format!("GET {path}?v=2&key=none"),
                format!("GET {path}\nrange: bytes=0-9"),
                format!("GET {path}\naccept-encoding: gzip;q=0, br"),
            ] {
                server.check(&request, &format!("{wanted}\n\n{text}"));
            }
            let length = text.len();
            server.check(&format!("HEAD {path}"), &format!("{wanted}\ncontent-length: {length}"));
        }
    }
}

#[test]
fn who_takes_gzip_gets_that() {
    let server = Server::start(Service::public(aggregator()));
    for (path, text, cache) in both_paths(&server) {
        let wanted = format!("200\n{CONTENT}\ncontent-encoding: gzip\n{FOR_ALL}\n{cache}");
        let request = format!("GET {path}\naccept-encoding: gzip, deflate, br, zstd");
        let answer = server.send(&request);
        answer.check(&request, &format!("{wanted}\n\n{text}"));
        let length = answer.raw.len();
        assert!(length < text.len() * 2 / 3, "{path}: {length} of {}", text.len());
        server.check(
            &format!("HEAD {path}\naccept-encoding: gzip"),
            &format!("{wanted}\ncontent-length: {length}"),
        );
    }
}

#[test]
fn who_has_it_is_told_so() {
    let server = Server::start(Service::public(aggregator()));
    for (path, _, cache) in both_paths(&server) {
        let answer = server.send(&format!("GET {path}"));
        let tag = answer.header("etag").expect("it has one");
        let opaque = &tag[2..];
        for (tags, status) in [
            (tag, 304),
            (opaque, 304),
            (&format!("\"x\", {tag}"), 304),
            ("*", 304),
            ("\"x\"", 200),
            (opaque.trim_matches('"'), 200),
        ] {
            for coding in ["", "\naccept-encoding: gzip"] {
                for method in ["GET", "HEAD"] {
                    let request = format!("{method} {path}\nif-none-match: {tags}{coding}");
                    let answer = server.send(&request);
                    assert_eq!(answer.status, status, "{request}");
                    if status == 304 {
                        let wanted =
                            format!("304\netag: {tag}\n{FOR_ALL}\n{cache}\n!content-encoding");
                        answer.check(&request, &wanted);
                    }
                }
            }
        }
    }
}

#[test]
fn a_path_that_names_no_bytes_is_kept_by_no_cache() {
    let server = Server::start(Service::public(aggregator()));
    let hashed = hashed(&server.send("HEAD /lm.js"));
    for path in [
        "/lm-0000000000000000.js",
        "/lm-.js",
        "/lm-{script}",
        "/lm-lastmile.js",
        &hashed.replace(".js", ""),
        &hashed.replace(".js", ".js.map"),
        &hashed.replace(".js", "0.js"),
        &hashed.replace("/lm-", "/lm-0"),
        &format!("{hashed}/"),
        "/lm.js.map",
        "/lm.mjs",
        "/static/lm.js",
    ] {
        let answer = server.send(&format!("GET {path}"));
        assert_eq!(answer.status, 404, "{path}: {answer}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}: {answer}");
    }
}

#[test]
fn a_script_is_there_at_both_paths_or_at_none() {
    let all = Server::start(Service::public(aggregator()));
    let all = both_paths(&all);
    for (i, (served, _)) in SCRIPTS.iter().enumerate() {
        // Either of the two paths stands for both.
        for route in [served, all[2 * i + 1].0.as_str()] {
            let options = PublicOptions::new().routes([route]);
            let service = Service::public_with(aggregator(), &options).expect("it is a path");
            assert_eq!(service.paths().collect::<Vec<_>>(), [served, "/lm-{script}"]);
            let server = Server::start(service);
            for (j, (path, ..)) in all.iter().enumerate() {
                let status = if j / 2 == i { 200 } else { 404 };
                assert_eq!(server.send(&format!("GET {path}")).status, status, "{route}: {path}");
            }
        }
    }
    let service = Service::public_with(aggregator(), &PublicOptions::new().routes(["/lm"]));
    let service = service.expect("it is a path");
    assert_eq!(service.paths().collect::<Vec<_>>(), ["/lm"]);
    let server = Server::start(service);
    for (path, ..) in &all {
        assert_eq!(server.send(&format!("GET {path}")).status, 404, "{path}");
    }
    let private = Server::start(Service::private(aggregator()));
    for (path, ..) in &all {
        assert_eq!(private.send(&format!("GET {path}")).status, 404, "{path}");
    }
    let unknown = PublicOptions::new().routes(["/lm-{script}"]);
    assert!(Service::public_with(aggregator(), &unknown).is_err());
}
