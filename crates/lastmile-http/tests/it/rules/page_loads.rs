//! The worked page loads of `../shared/wire`, as clients send them.

use lastmile::Schema;
use lastmile_http::Service;

use super::server::{Server, with_schema};

fn wire(name: &str) -> String {
    let path = format!("{}/../../../shared/wire/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_seeds_page_load_shows_what_the_seed_shows() {
    let schema = Schema::builder()
        .allowed_metrics("appMetricConfig.json", &wire("pum-config/appMetricConfig.json"))
        .allowed_metrics("performance.json", &wire("pum-config/performanceTimingMetricConfig.json"))
        .build()
        .expect("the seed's own files are right");
    let server = Server::start(Service::public_and_private(with_schema(schema)));
    let push = wire("seed-page-load.json");
    let post = "POST /record\ncontent-type: application/json\nprefer: return=representation";
    server.check(&format!("{post}\n\n{push}"), "200\n\n{\"accepted\":16,\"refused\":{}}");

    let text = server.send("GET /metrics").body;
    let expected = wire("seed-page-load.expected.prom");
    assert!(expected.lines().count() > 300);
    for line in expected.lines().filter(|line| !line.is_empty()) {
        let line = line.replace("{}", "");
        assert!(text.lines().any(|shown| shown == line), "no {line} in\n{text}");
    }
}

#[test]
fn an_lm1_page_load_shows_its_numbers() {
    let schema = Schema::builder().browser().build().expect("the default schema is right");
    let server = Server::start(Service::public_and_private(with_schema(schema)));
    let push = wire("page-load.lm1");
    server.check(&format!("POST /lm\n\n{push}"), "204");
    let text = server.send("GET /metrics").body;
    for line in [
        "client_page_loads_total{type=\"navigate\"} 1",
        "client_errors_total{kind=\"js\"} 1",
        "client_ping_seconds_count{target=\"firebase\"} 9",
        // A page has no series of its own until the third batch that names it.
        "client_web_vital_seconds_sum{name=\"LCP\",page=\"other\"} 0.812",
        "client_web_vital_seconds_count{name=\"INP\",page=\"other\"} 1",
        "client_layout_shift_sum{page=\"other\"} 0.178",
        "client_navigation_seconds_sum{phase=\"loadEventEnd\"} 0.238",
        "client_user_seconds_total 10.002",
        "lastmile_samples_total{format=\"lm1\"} 18",
        "lastmile_pushes_total{format=\"lm1\"} 1",
    ] {
        assert!(text.lines().any(|shown| shown == line), "no {line} in\n{text}");
    }
}
