use http::HeaderValue;
use http::header::ACCEPT_ENCODING;

use super::*;

fn headers(name: &http::HeaderName, lines: &[impl AsRef<[u8]>]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let value = HeaderValue::from_bytes(line.as_ref()).expect("a server would let it through");
        headers.append(name, value);
    }
    headers
}

#[test]
fn of_equals_the_first_counts_and_of_ranges_the_most_particular() {
    let text = ExpositionFormat::Text0_0_4;
    let text_1 = ExpositionFormat::Text1_0_0;
    let open_metrics = ExpositionFormat::OpenMetrics1_0_0(Escaping::Underscores);
    for (accept, expected) in [
        ("text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0", text),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4", open_metrics),
        ("text/plain;q=0.5,application/openmetrics-text;q=0.5000", text),
        ("text/plain;q=0.4,application/openmetrics-text;q=0.41", open_metrics),
        (
            "text/plain;q=0.9,text/plain;version=0.0.4;q=0.1,application/openmetrics-text;q=0.5",
            open_metrics,
        ),
        ("*/*,text/plain;version=0.0.4;q=0.1,application/openmetrics-text;q=0.5", open_metrics),
        ("*/*;q=0.1,text/*;q=0.6,application/openmetrics-text;q=0.5", text),
        (
            "application/openmetrics-text;version=1.0.0;q=0.2,application/openmetrics-text;q=0.9,text/plain;q=0.5",
            text,
        ),
        (
            "text/plain;version=1.0.0;escaping=dots;q=0.3,text/plain;version=1.0.0;escaping=values;q=0.4",
            text_1(Escaping::Values),
        ),
        (
            "text/plain;version=1.0.0;escaping=dots,text/plain;version=1.0.0;escaping=values",
            text_1(Escaping::Dots),
        ),
        ("text/plain;q=0,application/openmetrics-text;q=0", text),
        ("application/openmetrics-text;q=0,*/*", text),
        (
            "application/openmetrics-text;q=0,text/plain;version=1.0.0;q=0.001",
            text_1(Escaping::Underscores),
        ),
    ] {
        assert_eq!(format(&headers(&ACCEPT, &[accept])), expected, "{accept}");
    }
}

#[test]
fn no_more_than_so_many_ranges_are_looked_at() {
    let open_metrics = ExpositionFormat::OpenMetrics1_0_0(Escaping::Underscores);
    for (n_others, expected) in
        [(RANGES_MAX - 1, open_metrics), (RANGES_MAX, ExpositionFormat::Text0_0_4)]
    {
        let one_line = format!("{}application/openmetrics-text", "a/b,".repeat(n_others));
        assert_eq!(format(&headers(&ACCEPT, &[one_line])), expected);
        let mut lines = vec!["a/b"; n_others];
        lines.push("application/openmetrics-text");
        assert_eq!(format(&headers(&ACCEPT, &lines)), expected);
    }
}

#[test]
fn bytes_of_any_kind_have_an_answer() {
    // Every text of up to four of these pieces.
    let pieces: [&[u8]; 12] = [
        b"text/plain",
        b"application/openmetrics-text",
        b"gzip",
        b";",
        b",",
        b"q=",
        b"=",
        b"\"",
        b"\\",
        b"0.5",
        b"version=1.0.0",
        b"\xff",
    ];
    let mut n_open_metrics = 0;
    for i in 0..pieces.len().pow(4) {
        let text = (0..4).flat_map(|place| pieces[i / pieces.len().pow(place) % pieces.len()]);
        let text: Vec<u8> = text.copied().collect();
        let accepted = format(&headers(&ACCEPT, &[&text]));
        if accepted != ExpositionFormat::Text0_0_4 {
            let names = |name: &[u8]| text.windows(name.len()).any(|part| part == name);
            assert!(names(b"openmetrics-text") || names(b"version=1.0.0"), "{text:?}");
            n_open_metrics += 1;
        }
        let is_gzip = accepts_gzip(&headers(&ACCEPT_ENCODING, &[&text]));
        assert!(!is_gzip || text.windows(4).any(|part| part == b"gzip"), "{text:?}");
    }
    assert!(n_open_metrics > 100, "{n_open_metrics}");
}

#[test]
fn gzip_is_for_who_asks_for_it() {
    for (lines, expected) in [
        (&[] as &[&str], false),
        (&[""], false),
        (&["gzip"], true),
        (&["GZip ; Q=0.001"], true),
        (&["x-gzip"], true),
        (&["deflate, gzip;q=1.0, *;q=0.5"], true),
        (&["br", "gzip"], true),
        (&["gzip;q=0"], false),
        (&["gzip;q=0.000"], false),
        (&["gzip;q=0, *"], false),
        (&["*", "gzip;q=0"], false),
        (&["gzip, gzip;q=0"], false),
        (&["gzip;q=\"0\""], false),
        (&["*"], true),
        (&["*;q=0.1"], true),
        (&["*;q=0"], false),
        (&["*;q=0, gzip"], true),
        (&["identity"], false),
        (&["identity;q=0"], false),
        (&["identity;q=0, gzip;q=0.1"], true),
        (&["identity;q=0, *"], true),
        (&["identity;q=0, *;q=0"], false),
        (&["identity;q=0, gzip;q=0"], false),
        (&["identity, gzip"], true),
        (&["identity;q=1, gzip;q=0.5"], false),
        (&["identity;q=0.5, gzip;q=1"], true),
        (&["identity, *;q=0.5"], false),
        (&["deflate, br, zstd"], false),
        (&["gzip;q=banana"], false),
        (&["gzip;q=-1", "gzip;q=2", "gzip;q=NaN", "gzip;q=inf", "gzip;q="], false),
        (&["gzipped", "gz", "not gzip", "gzip gzip"], false),
        (&["\"gzip\""], false),
        (&["\"unterminated, gzip"], false),
    ] {
        assert_eq!(accepts_gzip(&headers(&ACCEPT_ENCODING, lines)), expected, "{lines:?}");
    }
}
