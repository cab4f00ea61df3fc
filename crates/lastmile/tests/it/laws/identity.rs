//! Series are told apart, and nothing a client sends breaks out of its place in the exposition.

use lastmile::{Family, Format, Label, Limits};

use super::{aggregator, inc, push, read};

#[test]
fn labels_are_told_apart() {
    let pair =
        Family::counter("pairs_total").label(Label::open("a", 100)).label(Label::open("b", 100));
    let single = Family::counter("single_total").label(Label::open("a", 1000));
    let agg = aggregator([pair, single], Limits::default());
    // Without lengths, tikv's client takes the first two for one series.
    let pairs = [
        ("ab", "c"),
        ("a", "bc"),
        ("abc", ""),
        ("", "abc"),
        ("a\",b=\"c", "d"),
        ("a", "c\",b=\"d"),
        ("\0", "\0\0"),
        ("\0\0", "\0"),
        ("a\u{1}", "b"),
        ("a", "\u{1}b"),
    ];
    for (n, (a, b)) in pairs.iter().enumerate() {
        push(
            &agg,
            Format::Record,
            &format!("[{}]", inc("pairs_total", &[("a", a), ("b", b)], &(n + 1).to_string())),
        );
    }
    // These two collide in FNV-1a; then what looks alike in metrics-rs' sanitised labels.
    let singles = [
        "77kepQFQ8Kl",
        "!0IC=VloaY",
        "a\"b",
        "a\\\"b",
        "b c",
        "b_c",
        "b\u{a0}c",
        "é",
        "e\u{301}",
        "É",
    ];
    for (n, a) in singles.iter().enumerate() {
        push(
            &agg,
            Format::Record,
            &format!("[{}]", inc("single_total", &[("a", a)], &(n + 1).to_string())),
        );
    }
    let exposition = read(&agg);
    for (n, (a, b)) in pairs.iter().enumerate() {
        assert_eq!(
            exposition.value("pairs_total", &[("a", a), ("b", b)]),
            Some(n as f64 + 1.0),
            "{a:?} {b:?}"
        );
    }
    for (n, a) in singles.iter().enumerate() {
        assert_eq!(exposition.value("single_total", &[("a", a)]), Some(n as f64 + 1.0), "{a:?}");
    }
}

#[test]
fn no_label_value_forges_a_sample() {
    let agg = aggregator([Family::counter("c").label(Label::open("a", 100))], Limits::default());
    let values = [
        "x\"} 1\nup{job=\"victim\"} 0\nz{a=\"",
        "\n# TYPE up gauge\nup 1\n",
        "\\",
        "\\\"",
        "\r\nup 1",
        "\u{2028}up 1\u{85}up 2",
    ];
    for value in values {
        push(&agg, Format::Record, &format!("[{}]", inc("c", &[("a", value)], "1")));
    }
    let exposition = read(&agg);
    assert_eq!(exposition.family("c").unwrap().samples.len(), values.len());
    for value in values {
        assert_eq!(exposition.value("c", &[("a", value)]), Some(1.0), "{value:?}");
    }
    assert!(exposition.family("up").is_none());
}

#[test]
fn help_is_escaped() {
    for help in [
        "line one\nline two",
        "a \\ b",
        "\\n",
        "\"quotes\" stay",
        "",
        " leads",
        "é\u{2028}\0",
        "x\r\ny",
    ] {
        let agg = aggregator([Family::counter("c").help(help)], Limits::default());
        let read = read(&agg);
        assert_eq!(read.family("c").unwrap().help.as_deref().unwrap_or(""), help, "{help:?}");
    }
}
