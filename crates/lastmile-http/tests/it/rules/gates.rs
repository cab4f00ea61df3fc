//! What is asked before a push is read, in its order, and what is counted of it.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use lastmile::{Aggregator, Family, Label, Schema, ValueFrom};
use lastmile_http::{PublicOptions, Service};

use super::server::{Server, aggregator, gzip, with_schema};

const PUSH: &str = r#"{"lm":1,"m":{"loads_total;app=student":1}}"#;

/// A listener with these options, and one to look at what it did.
fn start(aggregator: Aggregator, options: &PublicOptions) -> (Server, Server) {
    let public = Service::public_with(aggregator.clone(), options).expect("they can be meant");
    (Server::start(public), Server::start(Service::private(aggregator)))
}

/// The value of a series.
fn value(private: &Server, series: &str) -> String {
    let text = private.send("GET /metrics").body;
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or("absent").to_owned()
}

fn refused(private: &Server, reason: &str) -> String {
    value(private, &format!("lastmile_requests_refused_total{{reason=\"{reason}\"}}"))
}

#[test]
fn origins_that_are_not_listed_are_refused() {
    let options = PublicOptions::new().origins(["https://app.example", "https://*.school.example"]);
    let (server, private) = start(aggregator(), &options);
    let cors = |origin: &str| {
        format!(
            "access-control-allow-origin: {origin}\ntiming-allow-origin: {origin}\nvary: Origin"
        )
    };
    let none = "!access-control-allow-origin\n!timing-allow-origin\nvary: Origin";
    for origin in ["https://app.example", "https://a.school.example"] {
        let cors = cors(origin);
        server.check(&format!("POST /lm\norigin: {origin}\n\n{PUSH}"), &format!("204\n{cors}"));
        let preflight =
            format!("OPTIONS /lm\norigin: {origin}\naccess-control-request-method: POST");
        server.check(&preflight, &format!("204\naccess-control-max-age: 7200\n{cors}"));
        let answer = server.send(&format!("POST /lm\norigin: {origin}\n\n["));
        assert_eq!((answer.status, answer.header("vary")), (400, Some("Origin")));
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
    }
    server.check(&format!("POST /lm\n\n{PUSH}"), &format!("204\n{none}"));
    let problem = r#"{"title":"Forbidden","status":403,"detail":"Pages of this origin may not push here. Nothing was counted.","reason":"origin"}"#;
    for origin in ["https://evil.example", "null", "https://app.example.evil", "", "\u{e9}"] {
        for request in ["POST /lm", "POST /record", "OPTIONS /lm"] {
            let request = format!("{request}\norigin: {origin}");
            server.check(&request, &format!("403\n{none}\n\n{problem}"));
        }
    }
    let two = format!("POST /lm\norigin: https://app.example\norigin: null\n\n{PUSH}");
    server.check(&two, &format!("403\n\n{problem}"));
    assert_eq!(value(&private, "loads_total{app=\"student\"}"), "3");
    assert_eq!(refused(&private, "origin"), "16");
}

#[test]
fn null_is_an_origin_like_another() {
    let (server, _) = start(aggregator(), &PublicOptions::new().origins(["null"]));
    let wanted = "204\naccess-control-allow-origin: null";
    server.check(&format!("POST /lm\norigin: null\n\n{PUSH}"), wanted);
    assert_eq!(server.send(&format!("POST /lm\norigin: https://a.example\n\n{PUSH}")).status, 403);
}

#[test]
fn a_key_is_asked_for_behind_the_preflight() {
    let family =
        Family::counter("by_key_total").label(Label::open("key", 9).value_from(ValueFrom::Key));
    let schema = Schema::builder().family(family).build().expect("the schema is right");
    let options = PublicOptions::new().key("web", "k-1").key("app", "k-2");
    let (server, private) = start(with_schema(schema), &options);
    let push = r#"{"lm":1,"m":{"by_key_total":1}}"#;
    server.check("OPTIONS /lm", "204\naccess-control-max-age: 7200");
    server.check(&format!("POST /lm\nx-api-key: k-1\n\n{push}"), "204");
    server.check(&format!("POST /lm?key=k-2\n\n{push}"), "204");
    server.check(&format!("POST /lm?s=7&key=k-2\n\n{push}"), "204");
    let wanted = "401\nwww-authenticate: X-API-Key\naccess-control-allow-origin: *\n\n{\"title\":\"Unauthorized\",\"status\":401,\"detail\":\"Send a key that is known, in X-API-Key or as ?key=. Nothing was counted.\",\"reason\":\"key\"}";
    for request in ["POST /lm", "POST /lm?key=k-3", "POST /lm\nx-api-key: k-3", "POST /lm?key"] {
        server.check(&format!("{request}\n\n{push}"), wanted);
    }
    assert_eq!(value(&private, "by_key_total{key=\"web\"}"), "1");
    assert_eq!(value(&private, "by_key_total{key=\"app\"}"), "2");
    assert_eq!(refused(&private, "key"), "4");
}

#[test]
fn who_sends_too_fast_is_told_when_to_come_again() {
    let rate = "1/s burst 3".parse().expect("a rate");
    let options = PublicOptions::new().rate(rate).trusted_proxies(["127.0.0.0/8"]);
    let (server, private) = start(aggregator(), &options);
    let send = |client: &str, body: &str| {
        let answer = server.send(&format!("POST /lm\nx-forwarded-for: {client}\n\n{body}"));
        let retry = answer.header("retry-after").map(|secs| secs.parse::<u64>().expect("seconds"));
        (answer.status, retry)
    };
    let three = [PUSH; 3].join("\n");
    // The first is let in whatever its body costs, and the next waits for that.
    assert_eq!(send("192.0.2.1", PUSH), (204, None));
    assert_eq!(send("192.0.2.1", &[PUSH; 16].join("\n")), (204, None));
    let (status, retry) = send("192.0.2.1", PUSH);
    assert!(status == 429 && retry.is_some_and(|secs| (10..=15).contains(&secs)), "{retry:?}");
    // Another client, and another customer of IPv6, have their own.
    assert_eq!(send("192.0.2.2", &three), (204, None));
    assert_eq!(send("192.0.2.2", PUSH).0, 429);
    assert_eq!(send("2001:db8:0:100::1", &three).0, 204);
    assert_eq!(send("2001:db8:0:1ff::2", PUSH).0, 429, "of the same /56");
    assert_eq!(send("2001:db8:0:200::1", PUSH).0, 204);
    // Lines that do not decode cost as much, and a preflight nothing.
    assert_eq!([(); 2].map(|()| send("192.0.2.4", &"[\n".repeat(9)).0), [400, 429]);
    assert_eq!([(); 4].map(|()| send("192.0.2.3", "[").0), [400, 400, 400, 429]);
    assert_eq!(server.send("OPTIONS /lm\nx-forwarded-for: 192.0.2.3").status, 204);
    let answer = server.send(&format!("POST /lm\nx-forwarded-for: 192.0.2.3\n\n{PUSH}"));
    assert_eq!(answer.header("access-control-expose-headers"), Some("Retry-After"));
    assert_eq!(refused(&private, "rate"), "6");
    assert_eq!(value(&private, "loads_total{app=\"student\"}"), "24");
}

#[test]
fn a_rate_by_origin_is_one_for_a_site() {
    let rate = "1/s burst 1 by origin".parse().expect("a rate");
    let options = PublicOptions::new().rate(rate);
    assert!(options.check().is_err(), "any page could have an origin of its own");
    assert!(options.clone().origins(["https://*.example"]).check().is_err());
    let options = options.origins(["https://a.example", "https://b.example"]);
    let (server, _) = start(aggregator(), &options);
    let send = |origin: &str| server.send(&format!("POST /lm{origin}\n\n{PUSH}")).status;
    let [a, b] = ["\norigin: https://a.example", "\norigin: https://b.example"];
    assert_eq!(
        [send(a), send(b), send(""), send(a), send(b), send("")],
        [204, 204, 204, 429, 429, 429]
    );
}

#[test]
fn only_a_proxy_that_is_trusted_speaks_for_others() {
    let header = || ValueFrom::Header("x-country".to_owned());
    let family = Family::counter("n_total").label(Label::open("country", 9).value_from(header()));
    let schema = || Schema::builder().family(family.clone()).build().expect("the schema is right");
    for (trusted, country) in [("127.0.0.1", "de"), ("10.0.0.0/8", "unknown")] {
        let options = PublicOptions::new().trusted_proxies([trusted]);
        let (server, private) = start(with_schema(schema()), &options);
        let push = "POST /lm\nx-country: de\n\n{\"lm\":1,\"m\":{\"n_total\":1}}";
        server.check(push, "204");
        assert_eq!(value(&private, &format!("n_total{{country=\"{country}\"}}")), "1");
    }
}

#[test]
fn bodies_are_inflated_under_caps() {
    let (server, private) = start(aggregator(), &PublicOptions::new());
    let gzip = |text: &[u8]| gzip(text, Compression::best());
    let zlib = |text: &[u8]| {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).and_then(|()| encoder.finish()).expect("memory takes it")
    };
    let zstd = |text: &[u8]| {
        ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
    };
    let send = |coding: &str, body: &[u8]| {
        let head =
            format!("POST /lm\ncontent-encoding: {coding}\ncontent-length: {}\n\n", body.len());
        server.send_bytes(&head, body)
    };
    for (coding, body) in [
        ("gzip", gzip(PUSH.as_bytes())),
        ("x-gzip", gzip(PUSH.as_bytes())),
        ("deflate", zlib(PUSH.as_bytes())),
        ("zstd", zstd(PUSH.as_bytes())),
        ("identity", PUSH.as_bytes().to_vec()),
    ] {
        assert_eq!(send(coding, &body).status, 204, "{coding}");
    }
    // 256 KiB are the most, and 64 KiB those of a body that is smaller than a hundredth.
    let padded = |n: usize| [PUSH.as_bytes(), &vec![b' '; n - PUSH.len()]].concat();
    // Compresses about tenfold, as it says the same ten times and more.
    let repeated = |times: usize| {
        let noise =
            (0..2_000u64).map(|i| format!("{:08x},,", i.wrapping_mul(0x9e37_79b9) & 0xffff_ffff));
        gzip(noise.collect::<String>().repeat(times).as_bytes())
    };
    for (body, status) in [
        (gzip(&padded(64 << 10)), 204),
        (gzip(&padded((64 << 10) + 1)), 413),
        (gzip(&padded(32 << 20)), 413),
        (repeated(13), 400),
        (repeated(14), 413),
    ] {
        assert!(body.len() < 64 << 10, "it is not too large as it is sent");
        assert_eq!(send("gzip", &body).status, status, "{} bytes", body.len());
    }
    let answer = send("gzip", &gzip(&padded((64 << 10) + 1)));
    let wanted = "413\n\n{\"title\":\"Payload Too Large\",\"status\":413,\"detail\":\"This push may inflate to at most 65536 bytes. Nothing was counted.\",\"reason\":\"body_too_large\"}";
    answer.check("a body that inflates too far", wanted);
    let wanted = "400\n\n{\"title\":\"Bad Request\",\"status\":400,\"detail\":\"The body is not what its Content-Encoding says. Nothing was counted.\",\"reason\":\"content_encoding\"}";
    for coding in ["gzip", "deflate", "zstd"] {
        send(coding, PUSH.as_bytes()).check(coding, wanted);
        send(coding, b"").check(coding, wanted);
    }
    assert_eq!(value(&private, "loads_total{app=\"student\"}"), "6");
}

#[test]
fn bodies_in_flight_share_their_bytes() {
    let options = PublicOptions::new().body_bytes(40_000, 10_000).bytes_in_flight(50_000);
    let (server, private) = start(aggregator(), &options);
    let large = format!("POST /lm\n\n{PUSH}{}", " ".repeat(30_000));
    let announce = || {
        let mut slow = server.connect();
        let head = "POST /lm HTTP/1.1\r\nhost: localhost\r\ncontent-length: 40000\r\n\r\n";
        slow.write_all(head.as_bytes()).expect("the server takes it");
        slow
    };
    // One that is on its way holds what came of it, not what it announced.
    let silent = announce();
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(server.send(&large).status, 204);
    drop(silent);
    // Whichever of the two is read last is shed, so now and then it is the slow one.
    let shed = (0..200).find_map(|_| {
        let mut slow = announce();
        slow.write_all(&[b' '; 30_000]).expect("the server takes it");
        std::thread::sleep(Duration::from_millis(20));
        let answer = server.send(&large);
        (answer.status == 503).then_some((slow, answer))
    });
    let (slow, answer) = shed.expect("what came of the slow one is held");
    let wanted = "503\nretry-after: 1\naccess-control-allow-origin: *\n\n{\"title\":\"Service Unavailable\",\"status\":503,\"detail\":\"Too much is on its way in; send again later. Nothing was counted.\",\"reason\":\"busy\"}";
    answer.check("a large one beside it", wanted);
    assert_eq!(server.send(&format!("POST /lm\n\n{PUSH}")).status, 204, "a small one has room");
    drop(slow);
    let taken = (0..200).map(|_| server.send(&large).status).find(|status| {
        std::thread::sleep(Duration::from_millis(20));
        *status == 204
    });
    assert_eq!(taken, Some(204), "what broke off is given back");
    assert_ne!(refused(&private, "busy"), "0");
}

/// Or it would be told for ever to send again later.
#[test]
fn the_largest_body_has_room_alone() {
    let text = format!("{PUSH}{}", " ".repeat(40_000 - PUSH.len()));
    let body = gzip(&text, Compression::none());
    let options = |in_flight| {
        PublicOptions::new().body_bytes(body.len(), text.len()).bytes_in_flight(in_flight)
    };
    let least = body.len() + text.len();
    assert!(options(least - 1).check().is_err());
    let (server, _) = start(aggregator(), &options(least));
    let head = format!("POST /lm\ncontent-encoding: gzip\ncontent-length: {}\n\n", body.len());
    assert_eq!(server.send_bytes(&head, &body).status, 204);
}

#[test]
fn large_bodies_are_taken_where_they_are_allowed() {
    let options = PublicOptions::new().body_bytes(4 << 20, 16 << 20);
    let service = Service::public_with(aggregator(), &options).expect("they can be meant");
    service.set_offload(|work| drop(std::thread::spawn(work)));
    let server = Server::start(service);
    let large = format!("POST /lm\nprefer: return=representation\n\n{PUSH}{}", " ".repeat(3 << 20));
    server.check(&large, "200\n\n{\"accepted\":1,\"refused\":{}}");
    assert_eq!(server.send(&format!("POST /lm\n\n{}", "[".repeat(3 << 20))).status, 400);
    assert_eq!(server.send("POST /lm\ncontent-length: 4194305").status, 413);
}

/// A short one is at once, compressed or not, or it would wait behind the large ones of an attack.
#[test]
fn what_is_long_is_decoded_apart() {
    const LONGEST: usize = 16 << 10;
    let service = Service::public_with(aggregator(), &PublicOptions::new()).expect("as it comes");
    let apart = Arc::new(AtomicUsize::new(0));
    let counted = apart.clone();
    service.set_offload(move |work| {
        counted.fetch_add(1, Ordering::Relaxed);
        drop(std::thread::spawn(work));
    });
    let server = Server::start(service);
    let check = |coding: &str, n_bytes: usize, n_apart: usize| {
        let text = format!("{PUSH}{}", " ".repeat(n_bytes - PUSH.len()));
        let body = match coding {
            "gzip" => gzip(text, Compression::best()),
            _ => text.into_bytes(),
        };
        let length = body.len();
        let head = format!("POST /lm\ncontent-encoding: {coding}\ncontent-length: {length}\n\n");
        assert_eq!(server.send_bytes(&head, &body).status, 204, "{n_bytes} {coding}");
        assert_eq!(apart.swap(0, Ordering::Relaxed), n_apart, "{n_bytes} {coding}");
    };
    for coding in ["identity", "gzip"] {
        for (n_bytes, n_apart) in [(PUSH.len(), 0), (LONGEST, 0), (LONGEST + 1, 1), (64 << 10, 1)] {
            check(coding, n_bytes, n_apart);
        }
    }
}

#[test]
fn routes_are_those_that_are_asked_for() {
    let (server, private) = start(aggregator(), &PublicOptions::new().routes(["/lm"]));
    server.check(&format!("POST /lm\n\n{PUSH}"), "204");
    assert_eq!(server.send("POST /record\n\n[]").status, 404);
    assert_eq!(server.send("OPTIONS /record").status, 404);
    assert_eq!(refused(&private, "path"), "2");
    let service = Service::public_with(aggregator(), &PublicOptions::new().routes(["/record"]));
    assert_eq!(service.expect("a route").paths().collect::<Vec<_>>(), ["/record"]);
}

#[test]
fn each_limit_comes_before_the_next() {
    let options = PublicOptions::new()
        .origins(["https://a.example"])
        .key("web", "k")
        .rate("1/s burst 1".parse().expect("a rate"));
    let (server, private) = start(aggregator(), &options);
    // Each request breaks a rule and all that follow; the second of a client is over its rate.
    let large = " ".repeat(64 * 1024 + 1);
    let evil = "\norigin: https://b.example\ncontent-encoding: br";
    for (request, status) in [
        (format!("PUT /nothing{evil}\n\n{large}"), 404),
        (format!("PUT /lm{evil}"), 405),
        (format!("OPTIONS /lm{evil}"), 403),
        ("OPTIONS /lm\norigin: https://a.example".to_owned(), 204),
        (format!("POST /lm{evil}\n\n{large}"), 403),
        (format!("POST /lm\norigin: https://a.example\ncontent-encoding: br\n\n{large}"), 401),
        (format!("POST /lm?key=k\ncontent-encoding: br\n\n{large}"), 415),
        (format!("POST /lm?key=k\ncontent-encoding: br\n\n{large}"), 429),
    ] {
        let answer = server.send(&request);
        assert_eq!(answer.status, status, "{}\n{answer}", request.trim_end());
    }
    for (reason, n) in
        [("path", 1), ("method", 1), ("origin", 2), ("key", 1), ("encoding", 1), ("rate", 1)]
    {
        assert_eq!(refused(&private, reason), n.to_string(), "{reason}");
    }
}

#[test]
fn twenty_thousand_labels_are_refused_in_their_time() {
    let (server, private) = start(aggregator(), &PublicOptions::new().body_bytes(1 << 20, 1 << 20));
    let labels: String = (0..20_000).map(|i| format!(",\"l{i}\":\"v\"")).collect();
    let push = format!(
        "POST /record\nprefer: return=representation\n\n[{{\"metricName\":\"loads_total\",\"metricType\":\"counter\",\"labels\":{{\"app\":\"student\"{labels}}},\"inc\":1}}]"
    );
    server.check(&push, "200\n\n{\"accepted\":0,\"refused\":{\"unknown_label\":1}}");
    let labels: String = (0..20_000).map(|i| format!(";l{i}=v")).collect();
    let push = format!(
        "POST /lm\nprefer: return=representation\n\n{{\"lm\":1,\"m\":{{\"loads_total{labels}\":1}}}}"
    );
    server.check(&push, "200\n\n{\"accepted\":0,\"refused\":{\"unknown_label\":1}}");
    assert_eq!(value(&private, "loads_total{app=\"student\"}"), "0");
}
