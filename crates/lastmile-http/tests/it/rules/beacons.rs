//! Faro on `/collect`, and other clients' beacons on paths that the schema maps.

use lastmile::{Aggregator, Family, FaroItem, Label, Limits, Mapping, Rule, Schema};
use lastmile_http::{Clock, PublicOptions, Service};

use super::server::{Server, aggregator};

const FARO: &str =
    r#"{"meta":{"app":{"name":"student"}},"events":[{"name":"load"},{"name":"load"}]}"#;

fn schema(path: &str) -> Schema {
    let loads = Family::counter("loads_total").label(Label::closed("app", ["student", "teacher"]));
    let rule = || Rule::new("loads_total").when("kind", ["load"]).label("app", "app");
    let of_faro = Rule::new("loads_total").when("name", ["load"]).label("app", "meta.app.name");
    let schema = Schema::builder().family(loads).faro(FaroItem::Event, of_faro);
    schema.mapping(Mapping::new(path).rule(rule())).build().expect("the schema is right")
}

fn both(options: &PublicOptions) -> (Aggregator, Server, Server) {
    let agg = Aggregator::new(schema("/loads"), Limits::default(), Clock::new().now());
    let agg = agg.expect("the schema fits");
    let public = Service::public_with(agg.clone(), options).expect("the options are right");
    let private = Service::private(agg.clone());
    (agg, Server::start(public), Server::start(private))
}

#[track_caller]
fn student(private: &Server) -> String {
    let text = private.send("GET /metrics").body;
    let line = text.lines().find_map(|line| line.strip_prefix("loads_total{app=\"student\"} "));
    line.expect("it is there from the start").to_owned()
}

#[test]
fn faro_is_told_what_it_expects() {
    let (_, public, private) = both(&PublicOptions::new());
    let preflight = "OPTIONS /collect\norigin: https://app.example\naccess-control-request-method: POST\n\
        access-control-request-headers: content-type,idempotency-key,x-api-key,x-faro-session-id";
    let headers = "content-type, content-encoding, prefer, idempotency-key, x-api-key, x-faro-session-id, traceparent";
    public.check(preflight, &format!("204\naccess-control-allow-origin: *\naccess-control-allow-headers: {headers}\naccess-control-allow-methods: POST"));
    let push = format!(
        "POST /collect\norigin: https://app.example\ncontent-type: application/json\nidempotency-key: 0123456789abcdef\nx-faro-session-id: secret\n\n{FARO}"
    );
    public.check(&push, "202\naccess-control-allow-origin: *\n!lastmile-duplicate\n!content-type");
    public.check(&push, "202\nlastmile-duplicate: 1");
    assert_eq!(student(&private), "2");
    let other = push
        .replace("0123456789abcdef", "0123456789abcdeg")
        .replace("\n\n", "\nprefer: return=representation\n\n");
    public.check(&other, "202\ncontent-type: application/json\n\n{\"accepted\":2,\"refused\":{}}");
    assert_eq!(student(&private), "4");
    assert_eq!(public.send("POST /collect\n\n[]").status, 400);
    assert_eq!(public.send("GET /collect").status, 405);
    let large = format!("POST /collect\n\n{}", " ".repeat((64 << 10) + 1));
    assert_eq!(public.send(&large).status, 413);
}

#[test]
fn faro_has_a_key_where_one_is_asked_for() {
    let (_, public, private) = both(&PublicOptions::new().key("app", "an-api-key"));
    assert_eq!(public.send(&format!("POST /collect\n\n{FARO}")).status, 401);
    public.check(&format!("POST /collect\nx-api-key: an-api-key\n\n{FARO}"), "202");
    assert_eq!(student(&private), "2");
}

#[test]
fn beacons_come_as_bodies_and_as_queries() {
    let (_, public, private) = both(&PublicOptions::new());
    let mut counted = 0;
    for (request, wanted, n) in [
        (
            "POST /loads\ncontent-type: text/plain\n\n{\"kind\":\"load\",\"app\":\"student\"}",
            "204",
            1,
        ),
        (
            "POST /loads\n\n[{\"kind\":\"load\",\"app\":\"student\"},{\"kind\":\"load\",\"app\":\"student\"}]",
            "204",
            2,
        ),
        (
            "POST /loads?x=1\ncontent-type: application/x-www-form-urlencoded\n\nkind=load&app=student",
            "204",
            1,
        ),
        (
            "GET /loads?kind=load&app=s%74udent&u=https%3A%2F%2Fapp.example",
            "204\ncache-control: no-store",
            1,
        ),
        ("HEAD /loads?kind=load&app=student", "204\ncache-control: no-store", 0),
        ("GET /loads?kind=load&app=student\nsec-purpose: prefetch", "204", 0),
        (
            "POST /loads\nprefer: return=representation\n\nkind=load&app=student&x",
            "200\n\n{\"accepted\":1,\"refused\":{}}",
            1,
        ),
        (
            "POST /loads\nprefer: return=representation\n\nkind=load",
            "200\n\n{\"accepted\":0,\"refused\":{\"missing_label\":1}}",
            0,
        ),
        (
            "OPTIONS /loads\norigin: https://app.example\naccess-control-request-method: POST",
            "204\nallow: GET, HEAD, POST, OPTIONS\naccess-control-allow-methods: POST",
            0,
        ),
    ] {
        public.check(request, wanted);
        counted += n;
        assert_eq!(student(&private), counted.to_string(), "{request}");
    }
    for request in ["GET /loads", "GET /loads?", "POST /loads\n\n"] {
        let answer = public.send(request);
        assert!(answer.status == 400 && answer.body.contains("\"reason\":\"empty\""), "{answer}");
    }
    for request in ["PUT /loads", "DELETE /loads"] {
        public.check(request, "405\nallow: GET, HEAD, POST, OPTIONS\n\n{\"title\":\"Method Not Allowed\",\"status\":405,\"detail\":\"This path takes GET and HEAD and POST and OPTIONS only.\",\"reason\":\"method_not_allowed\"}");
    }
    assert_eq!(private.send("GET /loads?kind=load&app=student").status, 404);
    assert_eq!(public.send("POST /loads/\n\nkind=load&app=student").status, 404);
    assert_eq!(student(&private), counted.to_string());
}

#[test]
fn pages_that_are_not_listed_count_nothing() {
    let (_, public, private) = both(&PublicOptions::new().origins(["https://app.example"]));
    let get = "GET /loads?kind=load&app=student";
    for (request, status) in [
        (format!("{get}\nreferer: https://app.example/x"), 204),
        (format!("{get}\nreferer: https://other.example/"), 403),
        (get.to_owned(), 403),
        ("POST /loads\norigin: https://other.example\n\nkind=load&app=student".to_owned(), 403),
        ("POST /loads\norigin: https://app.example\n\nkind=load&app=student".to_owned(), 204),
    ] {
        assert_eq!(public.send(&request).status, status, "{request}");
    }
    assert_eq!(student(&private), "2");
}

#[test]
fn a_mapping_is_served_whatever_the_routes_are() {
    let (_, public, private) = both(&PublicOptions::new().routes(["/lm"]));
    public.check("POST /loads\n\nkind=load&app=student", "204");
    assert_eq!(public.send(&format!("POST /collect\n\n{FARO}")).status, 404);
    assert_eq!(student(&private), "1");
}

#[test]
fn a_reload_changes_paths() {
    let (agg, public, private) = both(&PublicOptions::new());
    agg.reload(&schema("/starts"), Clock::new().now()).expect("it fits");
    // An adapter that asks the service itself knows at once; a router of fixed paths knows those that were there.
    let push = |path: &str| public.send(&format!("POST {path}\n\nkind=load&app=student")).status;
    assert_eq!(push("/loads"), 404);
    let known = push("/starts");
    assert!(known == 204 || known == 404, "{known}");
    assert_eq!(student(&private), if known == 204 { "1" } else { "0" });
    let service = Service::public(agg);
    assert_eq!(service.paths().last().as_deref(), Some("/starts"));
}

/// What the core keeps from mappings is what is routed here.
#[test]
fn no_mapping_stands_before_a_route() {
    let service = Service::public_and_private(aggregator());
    for path in service.paths() {
        let path = path.replace("{*labels}", "x").replace("{script}", "x");
        let mapping = Mapping::new(path.trim_end_matches('/')).rule(Rule::new("loads_total"));
        let schema = Schema::builder().family(Family::counter("loads_total")).mapping(mapping);
        let error = schema.build().expect_err(&path).to_string();
        assert!(error.contains("is kept for"), "{path}: {error}");
    }
}
