//! How a body may come: any type, any framing, up to the cap.

use std::io::{Read, Write};
use std::net::Shutdown;

use lastmile_http::{BODY_BYTES_MAX, Service};

use super::server::{Answer, Server, aggregator, wire};

const TOO_LARGE: &str = r#"{"title":"Payload Too Large","status":413,"detail":"A push has at most 65536 bytes. Nothing was counted.","reason":"body_too_large"}"#;

const ENCODED: &str = r#"{"title":"Unsupported Media Type","status":415,"detail":"Send the body as it is, or as one of gzip, deflate and zstd.","reason":"content_encoding"}"#;

/// A push of `n_bytes` that decodes.
fn padded(n_bytes: usize) -> String {
    let push = r#"[{"metricName":"loads_total","metricType":"counter","labels":{"app":"student"},"inc":1}]"#;
    format!("{push}{}", " ".repeat(n_bytes.saturating_sub(push.len())))
}

/// `body` in chunks of `size` bytes.
fn chunked(body: &str, size: usize) -> String {
    let chunks = body.as_bytes().chunks(size);
    let chunks = chunks.map(|chunk| std::str::from_utf8(chunk).expect("the body is ASCII"));
    chunks.map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len())).collect::<String>()
        + "0\r\n\r\n"
}

fn loads(private: &Server) -> String {
    let text = private.send("GET /metrics").body;
    let line = text.lines().find(|line| line.starts_with("loads_total{app=\"student\"}"));
    line.expect("a closed family is always there").to_owned()
}

#[test]
fn any_or_no_content_type_is_taken() {
    let server = Server::start(Service::public(aggregator()));
    for content_type in [
        "",
        "\ncontent-type: text/plain;charset=UTF-8",
        "\ncontent-type: application/json",
        "\ncontent-type: application/x-www-form-urlencoded",
        "\ncontent-type: multipart/form-data; boundary=x",
        "\ncontent-type: nonsense",
        "\ncontent-type: text/plain\ncontent-type: text/plain",
    ] {
        server.check(&format!("POST /record{content_type}\n\n{}", padded(0)), "204");
        server.check(&format!("POST /lm{content_type}\n\n{{\"lm\":1,\"m\":{{}}}}"), "204");
    }
}

#[test]
fn a_body_has_at_most_the_cap() {
    let agg = aggregator();
    let private = Server::start(Service::private(agg.clone()));
    let server = Server::start(Service::public(agg));
    let problem = format!("413\ncontent-type: application/problem+json\n\n{TOO_LARGE}");
    assert_eq!(BODY_BYTES_MAX, 65_536);

    server.check(&format!("POST /record\n\n{}", padded(BODY_BYTES_MAX)), "204");
    server.check(&format!("POST /record\n\n{}", padded(BODY_BYTES_MAX + 1)), &problem);
    // What is declared is refused although nothing of it came.
    server.check("POST /record\ncontent-length: 65537", &problem);
    server.check("POST /lm\ncontent-length: 9000000000000000000", &problem);
    server.check("POST /lm\ncontent-length: 18446744073709551613", &problem);
    // The two largest numbers mean something else to hyper, whose parser refuses them as it does a head.
    for length in ["18446744073709551614", "18446744073709551615"] {
        server.check(&format!("POST /lm\ncontent-length: {length}"), "431");
    }
    server.check("POST /lm\ncontent-length: 65537\nexpect: 100-continue", &problem);

    for size in [1_000, 65_536] {
        let post = "POST /record\ntransfer-encoding: chunked\n\n";
        let fits = chunked(&padded(BODY_BYTES_MAX), size);
        server.check(&format!("{post}{fits}"), "204");
        let too_large = chunked(&padded(BODY_BYTES_MAX + 1), size);
        server.check(&format!("{post}{too_large}"), &problem);
    }
    assert_eq!(loads(&private), "loads_total{app=\"student\"} 3", "only what fits is counted");
}

#[test]
fn an_endless_body_is_cut_off() {
    let server = Server::start(Service::public(aggregator()));
    let mut stream = server.connect();
    stream
        .write_all(&wire("POST /lm\ntransfer-encoding: chunked", "keep-alive"))
        .expect("it is taken");
    let mut writer = stream.try_clone().expect("the socket is open");
    let endless = std::thread::spawn(move || {
        // Ends when the server closes the connection.
        while writer.write_all(b"400\r\n").and_then(|()| writer.write_all(&[b' '; 0x400])).is_ok()
            && writer.write_all(b"\r\n").is_ok()
        {}
    });
    let mut text = Vec::new();
    // The server closes with bytes unread, which may reset the connection after the answer.
    drop(stream.read_to_end(&mut text));
    Answer::read(&text, false).0.check("an endless body", &format!("413\n\n{TOO_LARGE}"));
    endless.join().expect("the writer does not panic");
}

#[test]
fn a_body_in_pieces_is_one_body() {
    let agg = aggregator();
    let private = Server::start(Service::private(agg.clone()));
    let server = Server::start(Service::public(agg));
    let body = padded(0);
    let chunks = chunked(&body, 1);
    server.check(&format!("POST /record\ntransfer-encoding: chunked\n\n{chunks}"), "204");
    server.check(
        "POST /record\ntransfer-encoding: chunked\n\n2;ext=1\r\n[]\r\n0\r\ntrailer: x\r\n\r\n",
        "204",
    );

    let mut stream = server.connect();
    let request = wire(&format!("POST /record\n\n{body}"), "close");
    for part in request.chunks(7) {
        stream.write_all(part).expect("the server takes it");
        stream.flush().expect("the server takes it");
        std::thread::yield_now();
    }
    let mut text = Vec::new();
    stream.read_to_end(&mut text).expect("the server answers");
    Answer::read(&text, false).0.check("a body in many packets", "204");
    assert_eq!(loads(&private), "loads_total{app=\"student\"} 2");
}

#[test]
fn a_body_that_breaks_off_counts_nothing() {
    let agg = aggregator();
    let private = Server::start(Service::private(agg.clone()));
    let server = Server::start(Service::public(agg));
    // The text is whole, and more of it was announced.
    let body = padded(0);
    let longer = body.len() + 1;
    for request in [
        format!("POST /record\ncontent-length: {longer}\n\n{body}"),
        format!("POST /record\ntransfer-encoding: chunked\n\n{:x}\r\n{body}\r\n", body.len()),
        format!("POST /record\ntransfer-encoding: chunked\n\nzz\r\n{body}\r\n0\r\n\r\n"),
    ] {
        let mut stream = server.connect();
        stream.write_all(&wire(&request, "close")).expect("the server takes it");
        stream.shutdown(Shutdown::Write).expect("the socket is open");
        let mut text = Vec::new();
        stream.read_to_end(&mut text).expect("the server answers or closes");
        if !text.is_empty() {
            let answer = Answer::read(&text, false).0;
            assert_eq!(answer.status, 400, "{request}\n{answer}");
        }
    }
    assert_eq!(loads(&private), "loads_total{app=\"student\"} 0");
}

#[test]
fn codings_that_are_not_known_are_not_taken() {
    let server = Server::start(Service::public(aggregator()));
    for coding in ["identity", "IDENTITY", "", ",", "identity, identity"] {
        server.check(&format!("POST /record\ncontent-encoding: {coding}\n\n[]"), "204");
    }
    let problem = format!("415\naccept-encoding: gzip, deflate, zstd\n\n{ENCODED}");
    for coding in ["br", "gzip, gzip", "gzip, identity, deflate", "aws-chunked", "identity;q=1"] {
        server.check(&format!("POST /record\ncontent-encoding: {coding}\n\n[]"), &problem);
        server.check(
            &format!("POST /lm\ncontent-encoding: identity\ncontent-encoding: {coding}\n\n[]"),
            &problem,
        );
    }
}

#[test]
fn a_connection_carries_many_pushes() {
    let agg = aggregator();
    let private = Server::start(Service::private(agg.clone()));
    let server = Server::start(Service::public(agg));
    let push = wire(&format!("POST /record\n\n{}", padded(200)), "keep-alive");
    let wrong = wire("POST /record\n\n[", "keep-alive");
    let last = wire("POST /record\n\n[]", "close");
    // All are sent before any is answered.
    let mut stream = server.connect();
    stream
        .write_all(&[&push[..], &wrong, &push, &push, &last].concat())
        .expect("the server takes it");
    let mut text = Vec::new();
    stream.read_to_end(&mut text).expect("the server answers");
    let mut rest = text.as_slice();
    for status in [204, 400, 204, 204, 204] {
        let (answer, after) = Answer::read(rest, false);
        assert_eq!(answer.status, status, "{answer}");
        rest = after;
    }
    assert_eq!(rest, b"");
    assert_eq!(loads(&private), "loads_total{app=\"student\"} 3");
}
