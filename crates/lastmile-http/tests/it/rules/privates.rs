//! Who may read the private side.

use lastmile_http::{PrivateOptions, PublicOptions, Service};

use super::server::{Server, aggregator};

#[test]
fn a_name_that_is_not_ours_reads_nothing() {
    let options = PrivateOptions::new().hosts(["metrics.internal"]);
    let private = Service::private_with(aggregator(), &options).expect("a name");
    let server = Server::start(private);
    let both = Service::public_and_private_with(aggregator(), &PublicOptions::new(), &options);
    let both = Server::start(both.expect("a name"));
    let wanted = "421\ncontent-type: application/problem+json\n!access-control-allow-origin\n\n{\"title\":\"Misdirected Request\",\"status\":421,\"detail\":\"This host is not served here. Ask by an address, as localhost, or by a name that is listed (private_hosts of the aggregator, PrivateOptions::hosts).\",\"reason\":\"host\"}";
    for path in ["/metrics", "/debug/refusals", "/healthz", "/readyz"] {
        for host in ["127.0.0.1:9102", "[::1]:9102", "localhost", "Metrics.Internal:80"] {
            for server in [&server, &both] {
                let answer = server.send(&format!("GET {path}\nhost: {host}"));
                assert_eq!(answer.status, 200, "{path} {host}\n{answer}");
            }
        }
        for server in [&server, &both] {
            server.check(&format!("GET {path}\nhost: rebound.example"), wanted);
        }
        server.check(&format!("POST {path}\nhost: rebound.example"), wanted);
        // Pages push there.
        if path != "/metrics" {
            both.check(&format!("POST {path}\nhost: rebound.example"), wanted);
        }
    }
    server.check("GET /\nhost: rebound.example", wanted);
    // Pages push under whatever name leads here.
    assert_eq!(both.send("POST /record\nhost: rebound.example\n\n[]").status, 204);
    let text = server.send("GET /metrics").body;
    assert!(text.contains("lastmile_requests_refused_total{reason=\"host\"} 9\n"), "{text}");
}

#[test]
fn a_token_is_asked_of_all_but_probes() {
    let options = PrivateOptions::new().bearer("s3cr3t").basic("prometheus", "p4ss");
    let private = Service::private_with(aggregator(), &options).expect("a token");
    let server = Server::start(private);
    for path in ["/metrics", "/debug/refusals"] {
        for authorization in ["Bearer s3cr3t", "Basic cHJvbWV0aGV1czpwNHNz"] {
            let request = format!("GET {path}\nauthorization: {authorization}");
            assert_eq!(server.send(&request).status, 200, "{request}");
        }
        for authorization in ["", "\nauthorization: Bearer s3cr3", "\nauthorization: Basic Og=="] {
            server.check(
                &format!("GET {path}{authorization}"),
                "401\nwww-authenticate: Basic realm=\"lastmile\", charset=\"UTF-8\"\n\n{\"title\":\"Unauthorized\",\"status\":401,\"detail\":\"Send a token or password that is known, in Authorization.\",\"reason\":\"token\"}",
            );
        }
    }
    server.check("GET /healthz", "200\n\nhealthy\n");
    server.check("GET /readyz", "200\n\nready\n");
}

#[test]
fn refusals_are_told_without_values_unless_asked_for() {
    let agg = aggregator();
    let private = Server::start(Service::private(agg.clone()));
    let public = Server::start(Service::public(agg.clone()));
    let head = "200\ncontent-type: application/json\ncache-control: no-store\nx-content-type-options: nosniff";
    private.check("GET /debug/refusals", &format!("{head}\n\n{{\"refusals\":[]}}"));
    let push = "POST /lm\n\n{\"lm\":1,\"m\":{\"loads_total;app=student;user=\\\"ann\\\"\":1}}";
    public.check(push, "204");
    agg.set_debug_samples(true);
    public.check(push, "204");
    public.check("POST /record\n\n[1", &public.send("POST /record\n\n[1").as_wanted());
    let mut answer = private.send("GET /debug/refusals");
    let json: serde_json::Value = serde_json::from_str(&answer.body).expect("it is JSON");
    answer.body.clear();
    answer.check("GET /debug/refusals", head);
    let mut refusals = json["refusals"].as_array().expect("a list").clone();
    for refusal in &mut refusals {
        let at = refusal.as_object_mut().and_then(|refusal| refusal.remove("at_ms"));
        assert!(at.and_then(|at| at.as_u64()).is_some_and(|at| at > 1_700_000_000_000));
    }
    let sample = serde_json::json!({"format": "lm1", "reason": "unknown_label", "samples": 1,
        "family": "loads_total", "label": "user", "value_bytes": 5});
    let mut with_value = sample.clone();
    with_value["value"] = "\"ann\"".into();
    let failed =
        serde_json::json!({"format": "record", "reason": "syntax", "samples": 0, "offset": 2});
    assert_eq!(refusals, [failed.clone(), failed, with_value, sample]);
    assert_eq!(private.send("HEAD /debug/refusals").status, 200);
    assert_eq!(private.send("POST /debug/refusals").status, 405);
}
