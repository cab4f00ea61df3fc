use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use lastmile_hyper::{ServeLimits, serve};
use tokio::net::TcpListener;

/// Sends one request and reads the whole answer.
fn send(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the example listens");
    stream.write_all(request.as_bytes()).expect("the request is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the answer is text");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_count_and_prometheus_scrapes() {
    let (site, metrics) = super::app().expect("the schema is right");
    let listen = || TcpListener::bind("127.0.0.1:0");
    let public = listen().await.expect("a port is free");
    let private = listen().await.expect("a port is free");
    let public_at = public.local_addr().expect("it is bound");
    let private_at = private.local_addr().expect("it is bound");
    let public = serve(public, site, ServeLimits::public());
    let private = serve(private, metrics, ServeLimits::private());

    let answers = tokio::task::spawn_blocking(move || {
        // What the page's script sends.
        let push = r#"{"lm":1,"id":"6e8bc430-9c3a-11d9-9669-0800200c9a66","m":{"pages_shown_total":1,"greetings_total":1000,"page_load_seconds":[0.3]}}"#;
        let length = push.len();
        let push = format!(
            "POST /lm HTTP/1.0\r\nprefer: return=representation\r\ncontent-length: {length}\r\n\r\n{push}"
        );
        let metrics = "GET /metrics HTTP/1.0\r\n\r\n";
        [
            send(public_at, "GET / HTTP/1.0\r\n\r\n"),
            send(public_at, "GET / HTTP/1.0\r\n\r\n"),
            send(public_at, &push),
            send(public_at, metrics),
            send(private_at, metrics),
        ]
    });
    let [page, _, push, hidden, metrics] = answers.await.expect("the client does not panic");
    assert!(page.contains("\r\ncontent-type: text/html; charset=utf-8\r\n"), "{page}");
    assert!(page.ends_with(super::PAGE), "{page}");
    let report = "\r\n\r\n{\"accepted\":2,\"refused\":{\"unknown_family\":1}}";
    assert!(push.ends_with(report), "{push}");
    assert!(hidden.starts_with("HTTP/1.0 405 "), "{hidden}");
    for line in [
        "greetings_total 2",
        "http_server_requests_total{method=\"GET\",route=\"/\",status=\"2xx\"} 2",
        "http_server_requests_total{method=\"POST\",route=\"/lm\",status=\"2xx\"} 1",
        "http_server_requests_total{method=\"GET\",route=\"unmatched\",status=\"4xx\"} 1",
        "pages_shown_total 1",
        "page_load_seconds_bucket{le=\"0.1\"} 0",
        "page_load_seconds_bucket{le=\"0.5\"} 1",
        "page_load_seconds_bucket{le=\"+Inf\"} 1",
    ] {
        let is_shown = metrics.lines().any(|shown| shown == line);
        assert!(is_shown, "no {line} in {metrics}");
    }
    for server in [public, private] {
        assert_eq!(server.stop(Duration::from_secs(20)).await, 0, "nothing is in flight");
    }
}
