//! A push that a host's own handler takes.

use axum::Router;
use axum::extract::{FromRef, Path};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use lastmile::{Aggregator, Value, Visitor};
use lastmile_axum::{Lm1, Push, Record};
use lastmile_http::{BODY_BYTES_MAX, Clock, Service};

use crate::server::Server;
use crate::{OPEN, PUSH};

/// An application's own state, of which the service is a part.
#[derive(Clone)]
struct State {
    service: Service,
    name: &'static str,
}

impl FromRef<State> for Service {
    fn from_ref(state: &State) -> Self {
        state.service.clone()
    }
}

async fn own_answer(
    axum::extract::State(state): axum::extract::State<State>,
    Path(tenant): Path<String>,
    push: Push<Lm1>,
) -> Response {
    let report = push.report();
    if tenant == "echo" {
        return push.into_response();
    }
    let name = state.name;
    (StatusCode::ACCEPTED, format!("{name}: {} of {tenant}", report.accepted())).into_response()
}

async fn turns_strangers_away(
    headers: HeaderMap,
    request: axum::extract::Request,
    next: Next,
) -> Response {
    if headers.contains_key("authorization") {
        next.run(request).await
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    }
}

/// What `loads_total{app="student"}` stands at.
fn loads(agg: &Aggregator) -> f64 {
    struct Loads(f64);
    impl Visitor for Loads {
        fn family(&mut self, _: &lastmile::Family) {}
        fn series(&mut self, series: &lastmile::SeriesView<'_>) {
            let is_ours = series.labels().any(|(name, value)| name == "app" && value == "student");
            if let (true, Value::Counter(v)) = (is_ours, series.value()) {
                self.0 += v;
            }
        }
    }
    let mut loads = Loads(0.0);
    agg.visit(Clock::new().now(), &mut loads);
    loads.0
}

#[test]
fn a_push_comes_through_a_hosts_own_route() {
    let agg = crate::aggregator();
    let state = State { service: Service::public(agg.clone()), name: "host" };
    let app = Router::new()
        .route("/collect/{tenant}", post(own_answer).put(own_answer))
        .route("/record", post(async |push: Push<Record>| push))
        .layer(middleware::from_fn(turns_strangers_away))
        .with_state(state);
    let server = Server::router(app);

    let known = "authorization: x\r\n";
    let asks = "authorization: x\r\nprefer: return=representation\r\n";
    let brotli = "authorization: x\r\ncontent-encoding: br\r\n";
    let id = r#"{"lm":1,"id":"Zk3vTq81mWc0xHs9","m":{"loads_total;app=student":1}}"#;
    let record = r#"[{"metricName":"loads_total","metricType":"counter","labels":{"app":"student"},"inc":1}]"#;
    let large = " ".repeat(BODY_BYTES_MAX + 1);
    let problem = "\r\ncontent-type: application/problem+json\r\n";
    let mut counted = 0.0;
    // Request, headers, body, what it adds, the answer's status and what is in it.
    for (line, headers, body, adds, status, has) in [
        ("POST /collect/a", "", PUSH, 0.0, 401, &[][..]),
        ("POST /collect/a", known, PUSH, 1.0, 202, &["\r\n\r\nhost: 1 of a"]),
        ("PUT /collect/b", known, PUSH, 1.0, 202, &["\r\n\r\nhost: 1 of b"]),
        ("POST /collect/echo", known, PUSH, 1.0, 204, &[OPEN]),
        ("POST /collect/echo", asks, PUSH, 1.0, 200, &["{\"accepted\":1,\"refused\":{}}", OPEN]),
        ("POST /collect/echo", known, id, 1.0, 204, &[]),
        ("POST /collect/echo", known, id, 0.0, 204, &["\r\nlastmile-duplicate: 1\r\n"]),
        ("POST /collect/a", known, "{", 0.0, 400, &[problem, "\"offset\":1}", OPEN]),
        ("POST /collect/a", known, "", 0.0, 400, &[problem]),
        ("POST /collect/a", known, &large, 0.0, 413, &[problem, "\"body_too_large\""]),
        ("POST /collect/a", brotli, PUSH, 0.0, 415, &[problem, "\"content_encoding\""]),
        ("GET /collect/a", known, PUSH, 0.0, 405, &[]),
        ("POST /record", known, record, 1.0, 204, &[]),
        ("POST /record", known, PUSH, 0.0, 400, &[problem]),
    ] {
        let answer = server.send(line, headers, body).to_lowercase();
        assert!(answer.starts_with(&format!("http/1.0 {status} ")), "{line}: {answer}");
        for part in has {
            assert!(answer.contains(part), "{line} is to have {part}\n{answer}");
        }
        counted += adds;
        assert_eq!(loads(&agg), counted, "{line} {headers:?}");
    }
}
