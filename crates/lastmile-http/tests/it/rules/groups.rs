//! Totals of a group, as a Pushgateway takes them: `/metrics/job/…`.

use lastmile_http::{PublicOptions, Service};

use super::server::{Server, aggregator, value};

const STUDENT: &str = "loads_total{app=\"student\"}";

/// A counter of a family `loads_total{app}` as protobuf: `MetricFamily` behind its length.
fn protobuf(total: u8) -> Vec<u8> {
    let bits = f64::from(total).to_le_bytes();
    let value = [&[0x1a, 9, 0x09][..], &bits].concat();
    let label = [&[0x0a, 14, 0x0a, 3][..], b"app", &[0x12, 7], b"student"].concat();
    let metric = [label, value].concat();
    let family = [&[0x0a, 11][..], b"loads_total", &[0x18, 0, 0x22, metric.len() as u8], &metric];
    let family = family.concat();
    [&[family.len() as u8][..], &family].concat()
}

/// The head of a request with so long a body of a type.
fn head(method: &str, path: &str, kind: &str, len: usize) -> String {
    format!("{method} {path}\ncontent-type: {kind}\ncontent-length: {len}")
}

fn servers() -> (Server, Server) {
    let agg = aggregator();
    (Server::start(Service::public(agg.clone())), Server::start(Service::private(agg)))
}

#[test]
fn totals_add_what_they_rose_by() {
    let (public, private) = servers();
    for (request, wanted) in [
        ("POST /metrics/job/nightly", "0"),
        ("POST /metrics/job/nightly", "5"),
        // The same key written in another way, and a method that is as good.
        ("PUT /metrics/job@base64/bmlnaHRseQ", "10"),
        ("PUT /metrics/%6aob/nightl%79", "15"),
        // Another group is another client.
        ("PUT /metrics/job/nightly/zone/eu", "15"),
    ] {
        let total: u32 = wanted.parse().expect("it is a number");
        let request = format!("{request}\n\nloads_total{{app=\"student\"}} {}\n", total + 30);
        public.check(&request, "200");
        assert_eq!(value(&private, STUDENT), wanted, "{request}");
    }
    public.check("POST /metrics/job/nightly\n\n", "200\naccess-control-allow-origin: *\n\n");
    let asks = "POST /metrics/job/x\nprefer: return=representation\n\nloads_total 1\nnope 2\n";
    let report = r#"{"accepted":0,"refused":{"unknown_family":1,"missing_label":1}}"#;
    public.check(asks, &format!("200\n\n{report}"));
    // A label of the group that the family declares is the sample's.
    for total in [3, 4] {
        let request = format!("POST /metrics/job/x/app/student\n\nloads_total {total}\n");
        public.check(&request, "200");
    }
    // The body without a series told the group of no name that would make this one new.
    assert_eq!(value(&private, STUDENT), "16");
    assert_eq!(value(&private, "lastmile_cumulative_baseline_total"), "3");
}

#[test]
fn a_body_may_be_protobuf() {
    let (public, private) = servers();
    let kind = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
    for (method, path, body, wanted) in [
        ("POST", "/metrics", 3, "3"),
        ("POST", "/metrics/", 3, "6"),
        ("PUT", "/metrics/job/x", 3, "6"),
        ("PUT", "/metrics/job/x", 7, "10"),
    ] {
        let body = protobuf(body);
        let answer = public.send_bytes(&head(method, path, kind, body.len()), &body);
        assert!(answer.status == 204 || answer.status == 200, "{}", answer.status);
        assert_eq!(value(&private, STUDENT), wanted);
    }
    for encoding in ["text", "compact-text"] {
        let kind = format!("application/vnd.google.protobuf; encoding={encoding}");
        let (head, body) = (head("POST", "/metrics", &kind, 5), [0; 5]);
        assert_eq!(public.send_bytes(&head, &body).status, 415, "{encoding}");
    }
    let cut = public.send_bytes(&head("POST", "/metrics", kind, 9), &protobuf(1)[..9]);
    assert_eq!(cut.status, 400);
    assert_eq!(value(&private, STUDENT), "10");
}

#[test]
fn a_group_is_deleted() {
    let (public, private) = servers();
    let push = |n: u32| {
        let body = format!("loads_total{{app=\"student\"}} {n}\n");
        public.check(&format!("PUT /metrics/job/a/b/c\n\n{body}"), "200");
        value(&private, STUDENT)
    };
    assert_eq!([push(5), push(6)], ["0", "1"]);
    public.check("DELETE /metrics/job/a", "202\naccess-control-allow-origin: *\n\n");
    assert_eq!(push(7), "2", "that was another group");
    public.check("DELETE /metrics/job/a/b@base64/Yw", "202\n\n");
    assert_eq!([push(9), push(10)], ["2", "3"]);
}

#[test]
fn what_is_no_group_is_told() {
    let (public, _) = servers();
    for (path, detail) in [
        ("/metrics/job", "The last label has no value."),
        ("/metrics/job/", "The job of a group has no name."),
        ("/metrics/job@base64/=", "The job of a group has no name."),
        ("/metrics/job/x/y", "The last label has no value."),
        ("/metrics/job/x/y/1/y/2", "A label of a group stands twice."),
    ] {
        let problem = format!(
            r#"{{"title":"Bad Request","status":400,"detail":"{detail}","reason":"path"}}"#
        );
        for method in ["POST", "PUT", "DELETE"] {
            public.check(&format!("{method} {path}"), &format!("400\n\n{problem}"));
        }
    }
    for (request, allow) in [
        ("GET /metrics/job/x", "POST, PUT, DELETE, OPTIONS"),
        ("HEAD /metrics/job/x", "POST, PUT, DELETE, OPTIONS"),
        ("PATCH /metrics/job/x", "POST, PUT, DELETE, OPTIONS"),
        ("DELETE /metrics/app/x", "POST, OPTIONS"),
        ("PUT /metrics", "POST, OPTIONS"),
    ] {
        let answer = public.send(request);
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{request}");
    }
    public.check("OPTIONS /metrics/job/x\norigin: http://a.example", "204");
}

#[test]
fn groups_are_those_of_their_key() {
    let agg = aggregator();
    let (ann, bob) = ("0123456789abcdef", "fedcba9876543210");
    let options = PublicOptions::default().key("ann", ann).key("bob", bob);
    let service = Service::public_with(agg.clone(), &options);
    let public = Server::start(service.expect("it is well set"));
    let private = Server::start(Service::private(agg));
    let send = |method: &str, key: &str, n: u32| {
        let body = format!("loads_total{{app=\"student\"}} {n}\n");
        let request = format!("{method} /metrics/job/a\nx-api-key: {key}\n\n{body}");
        public.send(&request).status
    };
    for (method, key, n, wanted) in [
        ("PUT", ann, 5, (200, "0")),
        ("PUT", ann, 6, (200, "1")),
        ("PUT", bob, 90, (200, "1")),
        ("DELETE", bob, 0, (202, "1")),
        ("DELETE", "nobody's", 0, (401, "1")),
        ("PUT", ann, 8, (200, "3")),
    ] {
        let status = send(method, key, n);
        assert_eq!((status, &*value(&private, STUDENT)), wanted, "{method} {n}");
    }
}
