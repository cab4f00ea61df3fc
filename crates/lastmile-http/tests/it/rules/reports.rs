//! What browsers report by themselves: `POST /reports`.

use lastmile::{Limits, Schema};
use lastmile_http::{Clock, PublicOptions, Service};

use super::server::{Server, with_schema};

/// As Chromium sends them.
const REPORTS: &str = r#"[{"age":73,"body":{"elapsed_time":12,"method":"GET","phase":"connection","protocol":"http/1.1","referrer":"","sampling_fraction":0.5,"server_ip":"127.0.0.1","status_code":0,"type":"tcp.refused"},"type":"network-error","url":"https://app.example/","user_agent":"Mozilla/5.0"},{"age":1,"body":{"id":"UnloadHandler"},"type":"deprecation","url":"https://app.example/","user_agent":"Mozilla/5.0"}]"#;

fn service(options: &PublicOptions) -> (Server, Server) {
    let schema = Schema::builder().browser().build().expect("the default schema is right");
    let agg = with_schema(schema);
    let public = Service::public_with(agg.clone(), options).expect("the options are right");
    (Server::start(public), Server::start(Service::private(agg)))
}

#[track_caller]
fn reads(private: &Server, line: &str) {
    let text = private.send("GET /metrics").body;
    assert!(text.contains(&format!("\n{line}\n")), "{line} is not in\n{text}");
}

#[test]
fn reports_count() {
    let (public, private) = service(&PublicOptions::new());
    let origin = "origin: https://app.example";
    for content in ["application/reports+json", "application/csp-report", "text/plain"] {
        let head = format!("POST /reports\n{origin}\ncontent-type: {content}");
        public.check(&format!("{head}\n\n{REPORTS}"), "204\naccess-control-allow-origin: *");
    }
    let legacy = r#"{"csp-report":{"document-uri":"https://app.example/","violated-directive":"img-src","effective-directive":"img-src","disposition":"enforce"}}"#;
    public.check(&format!("POST /reports\n{origin}\n\n{legacy}"), "204");
    for line in [
        r#"browser_network_errors_total{phase="connection",type="tcp.refused"} 6"#,
        r#"browser_network_error_seconds_count{phase="connection"} 6"#,
        r#"browser_reports_total{type="deprecation",id="UnloadHandler"} 3"#,
        r#"browser_csp_violations_total{directive="img-src",disposition="enforce"} 1"#,
        r#"lastmile_pushes_total{format="reports"} 4"#,
        r#"lastmile_samples_total{format="reports"} 10"#,
    ] {
        reads(&private, line);
    }
}

#[test]
fn what_is_refused_is_told() {
    let (public, private) = service(&PublicOptions::new());
    public.check(
        "POST /reports\nprefer: return=representation\n\n[{\"type\":\"cpu-on-fire\",\"body\":{}},{\"type\":\"crash\",\"body\":{}},1]",
        "200\n\n{\"accepted\":1,\"refused\":{\"malformed\":1,\"unknown_report\":1}}",
    );
    public.check(
        "POST /reports\n\n7",
        "400\n\n{\"title\":\"Bad Request\",\"status\":400,\"detail\":\"The push did not decode: expected an array at byte 0. Nothing was counted.\",\"reason\":\"expected_array\",\"offset\":0}",
    );
    reads(&private, r#"lastmile_refused_total{reason="unknown_report"} 1"#);
    let refusals = private.send("GET /debug/refusals").body;
    assert!(refusals.contains(r#""reason":"unknown_report""#), "{refusals}");
}

/// A browser asks before it sends to another origin, and is told; who may not push is told so then.
#[test]
fn the_browsers_own_preflight_is_answered() {
    let asks = "access-control-request-method: POST\naccess-control-request-headers: content-type";
    let (public, _) = service(&PublicOptions::new());
    public.check(
        &format!("OPTIONS /reports\norigin: https://app.example\n{asks}"),
        "204\naccess-control-allow-origin: *\naccess-control-allow-methods: POST\nallow: POST, OPTIONS",
    );
    let (public, private) = service(&PublicOptions::new().origins(["https://app.example"]));
    for (origin, status) in [("https://app.example", 204), ("https://evil.example", 403)] {
        for request in [
            format!("OPTIONS /reports\norigin: {origin}\n{asks}"),
            format!("POST /reports\norigin: {origin}\n\n{REPORTS}"),
        ] {
            let answer = public.send(&request);
            assert_eq!(answer.status, status, "{request}");
            let allowed = answer.header("access-control-allow-origin");
            assert_eq!(allowed, (status == 204).then_some(origin), "{request}");
        }
    }
    reads(&private, r#"lastmile_requests_refused_total{reason="origin"} 2"#);
}

#[test]
fn there_is_a_cap() {
    let (public, _) = service(&PublicOptions::new());
    let large = format!("[{}]", " ".repeat(65_536));
    assert_eq!(public.send(&format!("POST /reports\n\n{large}")).status, 413);
    assert_eq!(public.send("GET /reports").status, 405);
    let none = Service::public_with(
        lastmile::Aggregator::new(
            Schema::builder().build().expect("none"),
            Limits::default(),
            Clock::new().now(),
        )
        .expect("it fits"),
        &PublicOptions::new().routes(["/lm"]),
    );
    let none = Server::start(none.expect("there is such a route"));
    assert_eq!(none.send("POST /reports\n\n[]").status, 404);
}

/// Each push is rounded by a seed of its own, equal ones too.
#[test]
fn equal_pushes_are_rounded_apart() {
    let (public, private) = service(&PublicOptions::new());
    let one =
        r#"[{"type":"network-error","body":{"phase":"dns","type":"ok","sampling_fraction":0.4}}]"#;
    (0..40).for_each(|_| assert_eq!(public.send(&format!("POST /reports\n\n{one}")).status, 204));
    let text = private.send("GET /metrics").body;
    let series = "browser_network_errors_total{phase=\"dns\",type=\"ok\"} ";
    let total = text.lines().find_map(|line| line.strip_prefix(series)).expect("it is there");
    let total: u32 = total.parse().expect("a whole number");
    // All up or all down happens once in 2^39.
    assert!((81..=119).contains(&total), "{total}");
}
