//! Pages of other origins may push; none may read.

use lastmile_http::Service;

use super::server::{Server, aggregator};

/// What every public answer but a preflight's has.
const OPEN: &str = "access-control-allow-origin: *\naccess-control-expose-headers: Retry-After\ncross-origin-resource-policy: cross-origin\ntiming-allow-origin: *\n!access-control-allow-credentials\n!vary";

#[test]
fn every_public_answer_is_for_any_origin() {
    let server = Server::start(Service::public(aggregator()));
    let large = "x".repeat(64 * 1024 + 1);
    for (request, status) in [
        ("POST /lm\norigin: https://app.example\n\n{\"lm\":1,\"m\":{}}", 204),
        ("POST /lm\n\n{\"lm\":1,\"m\":{}}", 204),
        ("POST /record\norigin: null\nprefer: return=representation\n\n[]", 200),
        ("POST /record\norigin: https://app.example\n\n[", 400),
        ("GET /nothing\norigin: https://app.example", 404),
        ("GET /record\norigin: https://app.example", 405),
        (&format!("POST /lm\norigin: https://app.example\n\n{large}"), 413),
        ("POST /lm\norigin: https://app.example\ncontent-encoding: br\n\nx", 415),
    ] {
        let mut answer = server.send(request);
        assert_eq!(answer.status, status);
        answer.body.clear();
        answer.check(request, &format!("{status}\n{OPEN}"));
    }
}

#[test]
fn a_preflight_allows_what_clients_send() {
    let server = Server::start(Service::public_and_private(aggregator()));
    let wanted = "204\n\
        access-control-allow-origin: *\n\
        access-control-allow-methods: POST\n\
        access-control-allow-headers: content-type, content-encoding, prefer, idempotency-key, x-api-key, x-faro-session-id, traceparent\n\
        access-control-max-age: 7200\n\
        allow: POST, OPTIONS\n\
        cross-origin-resource-policy: cross-origin\n\
        !access-control-expose-headers\n!access-control-allow-credentials\n!content-length\n!content-type\n!vary";
    let reports = cfg!(feature = "reports").then_some("/reports");
    for path in ["/lm", "/record"].into_iter().chain(reports) {
        for headers in [
            "",
            "\norigin: https://app.example\naccess-control-request-method: POST\naccess-control-request-headers: content-type",
            // The browser compares; the answer is the same.
            "\norigin: https://app.example\naccess-control-request-method: PUT\naccess-control-request-headers: x-else",
        ] {
            server.check(&format!("OPTIONS {path}{headers}"), wanted);
        }
    }
}

#[test]
fn the_private_side_says_nothing_of_origins() {
    let check = |server: &Server, request: &str, status: u16| {
        let answer = server.send(request);
        assert_eq!(answer.status, status, "{request}\n{answer}");
        for (name, _) in &answer.headers {
            let tells = ["access-control-", "cross-origin-", "timing-allow-"];
            let tells = tells.iter().any(|start| name.starts_with(start));
            assert!(!tells, "{request}\n{answer}");
        }
    };
    let private = Server::start(Service::private(aggregator()));
    let both = Server::start(Service::public_and_private(aggregator()));
    for path in ["/metrics", "/debug/refusals", "/healthz", "/readyz"] {
        for (method, status) in [("GET", 200), ("HEAD", 200), ("POST", 405), ("OPTIONS", 405)] {
            let request = format!(
                "{method} {path}\norigin: https://app.example\naccess-control-request-method: GET"
            );
            check(&private, &request, status);
            // A push to `/metrics` is the public side's.
            if path != "/metrics" || status == 200 {
                check(&both, &request, status);
            }
        }
    }
    check(&private, "POST /lm\norigin: https://app.example", 404);
    check(&private, "GET /\norigin: https://app.example", 404);
}
