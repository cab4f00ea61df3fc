//! Which path is there, on which side, for which method.

use lastmile_http::Service;

use super::server::{Server, aggregator};

const NOT_FOUND: &str = r#"{"title":"Not Found","status":404,"detail":"There is nothing at PATH on this listener.","reason":"not_found"}"#;

#[test]
fn each_side_has_its_own_paths() {
    let agg = aggregator();
    let public = Service::public(agg.clone());
    let private = Service::private(agg.clone());
    let both = Service::public_and_private(agg);
    let mut wanted = vec!["/lm", "/record", "/metrics", "/metrics/", "/metrics/{*labels}"];
    if cfg!(feature = "pushgateway") {
        wanted.extend(["/metrics/job/", "/metrics/job/{*labels}"]);
    }
    wanted.extend(cfg!(feature = "otlp").then_some("/v1/metrics"));
    wanted.extend(cfg!(feature = "reports").then_some("/reports"));
    wanted.extend(cfg!(feature = "ws").then_some("/lm/ws"));
    wanted.extend(cfg!(feature = "faro").then_some("/collect"));
    wanted.extend([
        "/lm.gif",
        "/lm.js",
        "/lm-core.js",
        "/static/aggregatorClient.js",
        "/lm-{script}",
    ]);
    assert_eq!(public.paths().collect::<Vec<_>>(), wanted);
    assert_eq!(
        private.paths().collect::<Vec<_>>(),
        ["/metrics", "/debug/refusals", "/healthz", "/readyz"]
    );
    assert_eq!(both.paths().count(), wanted.len() + 3, "`/metrics` once");

    let [public, private, both] = [public, private, both].map(Server::start);
    for path in ["/lm", "/record"] {
        let post = format!("POST {path}\n\n[");
        assert_eq!(public.send(&post).status, 400);
        assert_eq!(both.send(&post).status, 400);
        private.check(&post, &format!("404\n\n{}", NOT_FOUND.replace("PATH", path)));
    }
    for path in ["/metrics", "/debug/refusals", "/healthz", "/readyz"] {
        let get = format!("GET {path}");
        assert_eq!(private.send(&get).status, 200);
        assert_eq!(both.send(&get).status, 200);
        if path == "/metrics" {
            assert_eq!(public.send(&get).status, 405, "a push is there");
            continue;
        }
        public.check(&get, &format!("404\n\n{}", NOT_FOUND.replace("PATH", path)));
    }
}

#[test]
fn other_paths_are_not_there() {
    let server = Server::start(Service::public_and_private(aggregator()));
    for path in [
        "/",
        "/lm/",
        "/LM",
        "//lm",
        "/lm/x",
        "/lm/ws/",
        "/%6cm",
        "/record.json",
        "/metric",
        #[cfg(not(feature = "pushgateway"))]
        "/metrics/job",
        #[cfg(not(feature = "pushgateway"))]
        "/metrics/job/x",
        #[cfg(not(feature = "pushgateway"))]
        "/metrics/job@base64/eA",
        "/metricsx",
        "/favicon.ico",
        "/lm.gif/",
        "/static",
        "/static/",
        "/static/lm.js",
        "/vitals",
    ] {
        for method in ["GET", "POST", "OPTIONS", "DELETE"] {
            server.check(
                &format!("{method} {path}"),
                &format!(
                    "404\ncontent-type: application/problem+json\n!allow\n\n{}",
                    NOT_FOUND.replace("PATH", path)
                ),
            );
        }
    }
    // A long path is not repeated whole, and a quotation mark in it breaks no JSON.
    let answer = server.send(&format!("GET /\"{}", "é".repeat(300)));
    let problem: serde_json::Value = serde_json::from_str(&answer.body).expect("it is JSON");
    let detail = problem["detail"].as_str().expect("there is one");
    assert!(
        detail.starts_with("There is nothing at /\"") && detail.chars().count() < 200,
        "{detail}"
    );
}

#[test]
fn a_query_chooses_nothing() {
    let server = Server::start(Service::public_and_private(aggregator()));
    server.check("POST /lm?s=17\n\n{\"lm\":1,\"m\":{}}", "204");
    server.check("POST /record?\n\n[]", "204");
    server.check("GET /healthz?/lm", "200\n\nhealthy\n");
}

#[test]
fn other_methods_are_told_which_there_are() {
    let server = Server::start(Service::public_and_private(aggregator()));
    let problem = |methods: &str| {
        format!(
            r#"{{"title":"Method Not Allowed","status":405,"detail":"This path takes {methods} only.","reason":"method_not_allowed"}}"#
        )
    };
    for path in ["/lm", "/record"] {
        for method in ["GET", "PUT", "DELETE", "PATCH", "TRACE", "post", "BREW"] {
            let wanted = format!("405\nallow: POST, OPTIONS\n\n{}", problem("POST and OPTIONS"));
            server.check(&format!("{method} {path}"), &wanted);
        }
        let length = problem("POST and OPTIONS").len();
        let wanted = format!("405\nallow: POST, OPTIONS\ncontent-length: {length}");
        server.check(&format!("HEAD {path}"), &wanted);
    }
    for path in ["/metrics/", "/metrics/app/student"] {
        let wanted = format!("405\nallow: POST, OPTIONS\n\n{}", problem("POST and OPTIONS"));
        server.check(&format!("GET {path}"), &wanted);
        server.check(&format!("PUT {path}"), &wanted);
    }
    let tag = server.send("HEAD /lm.js").header("etag").expect("it has one").to_owned();
    let hashed = format!("/lm-{}.js", tag.trim_matches(['W', '/', '"']));
    for path in ["/lm.gif", "/lm.js", "/lm-core.js", "/static/aggregatorClient.js", &hashed] {
        let wanted = format!("405\nallow: GET, HEAD\n\n{}", problem("GET and HEAD"));
        server.check(&format!("POST {path}"), &wanted);
        server.check(&format!("OPTIONS {path}"), &wanted);
    }
    let all = problem("GET and HEAD and POST and OPTIONS");
    for method in ["PUT", "DELETE", "get"] {
        let wanted = format!("405\nallow: GET, HEAD, POST, OPTIONS\n\n{all}");
        server.check(&format!("{method} /metrics"), &wanted);
    }
    let private = Server::start(Service::private(aggregator()));
    let wanted = format!("405\nallow: GET, HEAD\n\n{}", problem("GET and HEAD"));
    private.check("POST /metrics", &wanted);
    for path in ["/debug/refusals", "/healthz", "/readyz"] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "get"] {
            let wanted = format!("405\nallow: GET, HEAD\n\n{}", problem("GET and HEAD"));
            server.check(&format!("{method} {path}"), &wanted);
        }
    }
}

#[test]
fn readiness_is_what_was_set_last() {
    let service = Service::private(aggregator());
    let server = Server::start(service.clone());
    let text = "content-type: text/plain; charset=utf-8\ncache-control: no-store";
    for ready in [true, false, true] {
        service.set_ready(ready);
        let (status, word) = if ready { (200, "ready") } else { (503, "stopping") };
        server.check("GET /readyz", &format!("{status}\n{text}\n\n{word}\n"));
        let length = word.len() + 1;
        server.check("HEAD /readyz", &format!("{status}\n{text}\ncontent-length: {length}"));
        server.check("GET /healthz", &format!("200\n{text}\n\nhealthy\n"));
    }
}
