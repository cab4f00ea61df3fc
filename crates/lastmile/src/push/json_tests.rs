use super::*;

/// The number that a text of exactly one number holds, whatever stands behind it.
fn number(text: &str) -> Option<f64> {
    let number_before = |rest: &str| {
        let body = format!("{text}{rest}");
        let mut json = Json::new(body.as_bytes(), 0);
        let v = json.number().ok()?;
        (json.offset() == text.len()).then_some(v)
    };
    let v = number_before("");
    for rest in [",", "]", " ", "}\n", ",0.123456789", "]}}      ", "\u{e9}\u{e9}\u{e9}\u{e9}"] {
        assert_eq!(number_before(rest).map(f64::to_bits), v.map(f64::to_bits), "{text}{rest}");
    }
    v
}

#[test]
fn short_numbers_are_what_long_ones_are() {
    for text in
        ["0", "7", "10", "0.5", "0.031", "0.0712", "10.002", "1234567", "12345.6", "9.99999"]
    {
        let long = format!("{text}e0");
        assert_eq!((number(text), number(&long)), (text.parse().ok(), text.parse().ok()), "{text}");
    }
}

#[test]
fn numbers_round_as_the_standard_library_does() {
    for text in [
        "0",
        "-0",
        "1",
        "10",
        "0.1",
        "0.5",
        "3.14159",
        "0.0712",
        "123456789.123",
        "9007199254740993",
        "9007199254740992.5",
        "1e5",
        "1E-7",
        "1e+22",
        "1.7e308",
        "1e-400",
        "5e-324",
        "-2.5e3",
        "0.00000000000000000000001",
        "179769313486231580793728971405303415079934132710037826936173",
        "0.3333333333333333333333333333",
        "18446744073709551616",
        "99999999999999999999.9",
    ] {
        assert_eq!(number(text), Some(text.parse().unwrap()), "{text}");
    }
    assert_eq!(number("1e999"), Some(f64::INFINITY));
}

#[test]
fn what_is_not_a_number_is_a_fault() {
    for text in [
        "", "-", "01", "+1", ".5", "1.", "1.e3", "1e", "1e+", "NaN", "Infinity", "0x10", "1_0",
        "--1",
    ] {
        assert_eq!(number(text), None, "{text}");
    }
}

#[test]
fn strings_stop_where_they_should() {
    for (text, expect) in [
        (r#""""#, Ok("")),
        (r#""plain text, longer than eight bytes""#, Ok("plain text, longer than eight bytes")),
        (r#""1234567""#, Ok("1234567")),
        (r#""é😀 ü""#, Ok("é😀 ü")),
        (r#""a\"b\\c\/\b\f\n\r\t""#, Ok("a\"b\\c/\u{8}\u{c}\n\r\t")),
        (r#""\u0041\u00e9\ud83d\ude00""#, Ok("Aé😀")),
        (r#""\ud800""#, Ok("\u{fffd}")),
        (r#""\ud800x\udc00\ud800\u0041""#, Ok("\u{fffd}x\u{fffd}\u{fffd}A")),
        (r#""\ud800\ud83d\ude00""#, Ok("\u{fffd}😀")),
        (r#""open"#, Err(5)),
        ("\"tab\tinside\"", Err(4)),
        ("\"long enough to take words\u{1}\"", Err(26)),
        (r#""bad \x escape""#, Err(5)),
        (r#""short \u12""#, Err(7)),
    ] {
        let mut json = Json::new(text.as_bytes(), 0);
        let mut out = Vec::new();
        let got = json.string().map(|s| unescape(&text.as_bytes()[s.start..s.end], &mut out));
        match expect {
            Ok(expect) => {
                got.unwrap_or_else(|e| panic!("{text}: {e}"));
                assert_eq!(String::from_utf8(out).unwrap(), expect, "{text}");
            }
            Err(offset) => assert_eq!(got.unwrap_err().offset(), offset, "{text}"),
        }
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
    let skip = |text: String| Json::new(text.as_bytes(), 0).skip();
    assert!(skip(nested(DEPTH_MAX as usize)).is_ok());
    let fault = skip(nested(DEPTH_MAX as usize + 1)).unwrap_err();
    assert_eq!((fault.reason(), fault.offset()), (DecodeReason::TooDeep, DEPTH_MAX as usize));
    assert_eq!(skip("[".repeat(100_000)).unwrap_err().reason(), DecodeReason::TooDeep);
}
