//! Images that count: `GET /lm.gif`.

use lastmile_http::{PublicOptions, Service};

use super::server::{Server, aggregator};

const STUDENT: &str = "loads_total{app=\"student\"}";
const HIT: &str = "/lm.gif?m=loads_total;app=student";

/// A public side with these options, and the private side beside it.
fn both(options: &PublicOptions) -> (Server, Server) {
    let agg = aggregator();
    let public = Service::public_with(agg.clone(), options).expect("the options are right");
    (Server::start(public), Server::start(Service::private(agg)))
}

#[track_caller]
fn value(private: &Server, series: &str) -> String {
    let text = private.send("GET /metrics").body;
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("there is no {series}")).to_owned()
}

/// Whatever counts, it is an image of one pixel that nobody keeps.
#[track_caller]
fn is_image(server: &Server, request: &str) {
    let head = "content-type: image/gif\ncontent-length: 42\ncache-control: no-store\ncross-origin-resource-policy: cross-origin";
    let answer = server.send_bytes(request, b"");
    assert_eq!(answer.status, 200, "{request}");
    for line in head.lines() {
        let (name, value) = line.split_once(": ").expect("name: value");
        assert_eq!(answer.header(name), Some(value), "{request}");
    }
    assert!(
        answer.raw.starts_with(b"GIF89a\x01\0\x01\0") && answer.raw.ends_with(b";"),
        "{request}"
    );
}

#[test]
fn a_listed_page_counts() {
    let origins = ["https://app.example", "https://*.school.example"];
    let (public, private) = both(&PublicOptions::new().origins(origins));
    let mut counted = 0;
    for (headers, counts) in [
        ("referer: https://app.example/users/42?q", true),
        ("referer: https://app.example", true),
        ("referer: https://a.b.school.example/", true),
        ("referer: https://app.example/\norigin: https://app.example", true),
        ("", false),
        ("referer: https://other.example/https://app.example/", false),
        ("referer: https://app.example.other.example/", false),
        ("referer: https://app.example@other.example/", false),
        ("referer: http://app.example/", false),
        ("referer: https://app.example/\nreferer: https://other.example/", false),
        ("referer: https://app.example/\norigin: https://other.example", false),
        ("referer: about:blank", false),
        ("origin: https://app.example", false),
    ] {
        is_image(&public, format!("GET {HIT}\n{headers}").trim_end());
        counted += u32::from(counts);
        assert_eq!(value(&private, STUDENT), counted.to_string(), "{headers}");
    }
    assert_eq!(value(&private, "lastmile_requests_refused_total{reason=\"origin\"}"), "9");
    assert_eq!(value(&private, "lastmile_pushes_total{format=\"hit\"}"), counted.to_string());
}

#[test]
fn without_a_list_nothing_counts() {
    let (public, private) = both(&PublicOptions::new());
    for headers in ["", "\nreferer: https://app.example/", "\norigin: https://app.example"] {
        is_image(&public, &format!("GET {HIT}{headers}"));
    }
    assert_eq!(value(&private, STUDENT), "0");
    assert_eq!(value(&private, "lastmile_requests_refused_total{reason=\"origin\"}"), "3");
}

#[test]
fn a_mail_counts_where_null_is_listed() {
    let (public, private) = both(&PublicOptions::new().origins(["null"]));
    is_image(&public, &format!("GET {HIT}"));
    is_image(&public, &format!("GET {HIT}\nreferer: android-app://com.example.mail/"));
    is_image(&public, &format!("GET {HIT}\nreferer: https://app.example/"));
    assert_eq!(value(&private, STUDENT), "2");
}

#[test]
fn what_nobody_looks_at_does_not_count() {
    let (public, private) = both(&PublicOptions::new().origins(["https://app.example"]));
    let page = "referer: https://app.example/";
    for header in [
        "sec-purpose: prefetch",
        "sec-purpose: prefetch;prerender",
        "purpose: prefetch",
        "x-moz: prefetch",
    ] {
        is_image(&public, &format!("GET {HIT}\n{page}\n{header}"));
    }
    public.check(
        &format!("HEAD {HIT}\n{page}"),
        "200\ncontent-type: image/gif\ncontent-length: 42\ncache-control: no-store",
    );
    assert_eq!(value(&private, STUDENT), "0");
    assert_eq!(value(&private, "lastmile_pushes_total{format=\"hit\"}"), "0");
    assert_eq!(value(&private, "lastmile_requests_refused_total{reason=\"origin\"}"), "0");
}

#[test]
fn only_counters_of_closed_labels_take_hits() {
    let (public, private) = both(&PublicOptions::new().origins(["https://app.example"]));
    let page = "referer: https://app.example/";
    is_image(
        &public,
        &format!("GET /lm.gif?t=1&m=loads_total%3Bapp%3Dstudent&m=load_seconds&m=nope\n{page}"),
    );
    assert_eq!(value(&private, STUDENT), "1");
    assert_eq!(value(&private, "lastmile_refused_total{reason=\"type_mismatch\"}"), "1");
    assert_eq!(value(&private, "lastmile_refused_total{reason=\"unknown_family\"}"), "1");
    let problem = r#"{"title":"Bad Request","status":400,"detail":"The push did not decode: expected `m`, a series at byte 3. Nothing was counted.","reason":"empty","offset":3}"#;
    public.check(&format!("GET /lm.gif?t=1\n{page}"), &format!("400\n\n{problem}"));
}

#[test]
fn keys_and_rates_hold() {
    let options =
        PublicOptions::new().origins(["https://app.example"]).key("mail", "0123456789abcdef");
    let rate = "1/s burst 2".parse().expect("a rate");
    let (public, private) = both(&options.rate(rate));
    let hit = |query: &str| {
        let request = format!("GET {HIT}{query}\nreferer: https://app.example/");
        public.send_bytes(&request, b"").status
    };
    assert_eq!(hit(""), 401);
    assert_eq!([hit("&key=0123456789abcdef"), hit("&key=0123456789abcdef")], [200, 200]);
    assert_eq!(hit("&key=0123456789abcdef"), 429);
    assert_eq!(value(&private, STUDENT), "2");
}
