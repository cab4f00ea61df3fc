use super::*;

fn labels(labels: &[(&str, &str)]) -> Labels {
    labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn samples_are_read_with_all_they_say() {
    let whole = |n: i128| Number::Whole(n);
    for (line, name, expected, number) in [
        ("x 1", "x", &[][..], whole(1)),
        ("x{} 1", "x", &[], whole(1)),
        (
            "a:b_total{c=\"1\",d=\"\"} 0.5",
            "a:b_total",
            &[("c", "1"), ("d", "")],
            Number::Float(0.5),
        ),
        ("x{c=\"1\",} 18446744073709551615", "x", &[("c", "1")], whole(u64::MAX.into())),
        ("x -9223372036854775808", "x", &[], whole(i64::MIN.into())),
        ("x 100000000000000000000000", "x", &[], Number::Float(1e23)),
        ("x{c=\"} 1 # {\"} 2", "x", &[("c", "} 1 # {")], whole(2)),
        ("x{c=\"\\\\\",d=\"\\\"\\n\\d\"} 2", "x", &[("c", "\\"), ("d", "\"\n\\d")], whole(2)),
        ("x{c=\"é\u{1F600}\"} 1e3", "x", &[("c", "é\u{1F600}")], Number::Float(1000.0)),
        ("x +Inf", "x", &[], Number::Float(f64::INFINITY)),
        ("x -inf", "x", &[], Number::Float(f64::NEG_INFINITY)),
    ] {
        let labels = labels(expected);
        let expected = Sample { name, labels, number, exemplar: None };
        assert_eq!(Sample::read(line).as_ref(), Ok(&expected), "{line}");
    }
    let Number::Float(nan) = Sample::read("x NaN").unwrap().number else { panic!("a whole NaN") };
    assert!(nan.is_nan());
}

#[test]
fn what_is_no_sample_is_not_read() {
    for line in [
        "",
        "x",
        "x ",
        " 1",
        "x  1",
        "x 1 ",
        "x 1 1700000000",
        "x 0x10",
        "x 1_000",
        "x one",
        "x 1.2.3",
        "x 1 #",
        "x 1 # ",
        "x 1 # {}",
        "x 1 # {} ",
        "x 1 # {} one",
        "x 1 # {} 1 now",
        "x 1 # {} 1 2 3",
        "x\t1",
        "9x 1",
        "é 1",
        "my.name 1",
        "{\"x\"} 1",
        "x{\"a\"=\"1\"} 1",
        "x{a=\"1\"}1",
        "x{a=\"1\" 1",
        "x{a=\"1} 1",
        "x{a=\"1\\\"} 1",
        "x{a=1} 1",
        "x{a} 1",
        "x{,a=\"1\"} 1",
        "x{a=\"1\",,b=\"1\"} 1",
        "x{a=\"1\"b=\"1\"} 1",
        "x{a=\"1\",a=\"2\"} 1",
        "x{__name__=\"y\"} 1",
        "x{__a=\"y\"} 1",
        "x{9=\"1\"} 1",
        "x{a:b=\"1\"} 1",
        "x{a=\"1\",b=\"\\",
    ] {
        assert!(Sample::read(line).is_err(), "{line:?}");
    }
}

#[test]
fn exemplars_that_break_a_limit_are_left_out_alone() {
    let long = format!("{{a=\"{}\"}} 1", "x".repeat(128));
    for (text, expected) in [
        ("{} 1", Some((&[][..], 1.0, None))),
        ("{a=\"1\"} 0.5 1700000000.2504", Some((&[("a", "1")], 0.5, Some(1_700_000_000_250)))),
        ("{a=\"1\"} -2 0", Some((&[("a", "1")], -2.0, Some(0)))),
        ("{a=\"1\",a=\"2\"} 1", None),
        ("{a.b=\"1\"} 1", None),
        ("{} NaN", None),
        ("{} 1 NaN", None),
        ("{} 1 -1", None),
        ("{} 1 1e300", None),
        (&long, None),
    ] {
        let line = format!("x_total 3 # {text}");
        let sample = Sample::read(&line).unwrap_or_else(|why| panic!("{line}: {why}"));
        let expected =
            expected.map(|(labels, value, ms)| Exemplar::new(labels, value, ms).unwrap());
        assert_eq!((sample.number, sample.exemplar), (Number::Whole(3), expected), "{line}");
    }
}
