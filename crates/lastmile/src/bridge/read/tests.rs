use super::*;

/// The families of a text by name: how many series each has, or why it is none.
#[track_caller]
fn check(text: &str, expected: &[(&str, Result<usize, &str>)]) {
    let found = families(text, false);
    let found: Vec<(&str, Result<usize, &str>)> = found
        .iter()
        .map(|Found { name, family }| {
            let n_series =
                |family: &Option<Appended>| family.as_ref().map_or(0, |f| f.series.len());
            (name.as_str(), family.as_ref().map(n_series).map_err(String::as_str))
        })
        .collect();
    assert_eq!(found, expected, "{text}");
}

/// What stands before the samples of a family `x`.
fn x(kind: &str, samples: &str) -> String {
    format!("# HELP x Help.\n# TYPE x {kind}\n{samples}")
}

const HISTOGRAM: &str = "x_sum 3.5\nx_count 2\nx_bucket{le=\"1.0\"} 1\nx_bucket{le=\"+Inf\"} 2\n";

#[test]
fn families_are_read() {
    check("", &[]);
    check("# EOF\n", &[]);
    check(&(x("gauge", "x 1\nx{a=\"1\"} -2\n") + "# EOF\n"), &[("x", Ok(2))]);
    check(&x("gauge", "x NaN\nx{a=\"1\"} inf\n"), &[("x", Ok(2))]);
    check(&x("unknown", "x -1\n"), &[("x", Ok(1))]);
    check(&x("counter", "x_total 1 # {a=\"1\"} 1\nx_total{a=\"1\"} inf\n"), &[("x", Ok(2))]);
    check(&x("info", "x_info{a=\"1\"} 1\nx_info 1.0\n"), &[("x", Ok(2))]);
    check(&x("histogram", HISTOGRAM), &[("x", Ok(1))]);
    check(&x("counter", ""), &[("x", Ok(0))]);
    check("# TYPE x_s gauge\n# UNIT x_s s\nx_s 1\n", &[("x_s", Ok(1))]);
    check("# TYPE x gauge\n# UNIT x \nx 1\n", &[("x", Ok(1))]);
    // In any order, series apart in another, and labels beside `le`.
    let a = HISTOGRAM.replace("x_sum", "x_sum{a=\"1\"}").replace("_count", "_count{a=\"1\"}");
    let a = a.replace("{le", "{a=\"1\",le");
    let turned: Vec<&str> = HISTOGRAM.lines().rev().collect();
    let turned = [turned[1], turned[0], turned[3], turned[2], ""].join("\n");
    check(&x("histogram", &(turned + &a)), &[("x", Ok(2))]);
}

#[test]
fn blocks_of_one_family_are_one() {
    let two =
        x("gauge", "x{a=\"1\"} 1\n") + "# TYPE y gauge\ny 1\n" + &x("gauge", "x{a=\"2\"} 1\n");
    check(&two, &[("x", Ok(2)), ("y", Ok(1))]);
    check(&(x("gauge", "x 1\n") + &x("gauge", "")), &[("x", Ok(1))]);
    check(&(x("gauge", "") + &x("counter", "x_total 1\n")), &[("x", Ok(1))]);
    let otherwise = "it comes again, of another type or unit";
    for other in [x("unknown", "x{a=\"2\"} 1\n"), "# TYPE x gauge\n# UNIT x x\nx 1\n".to_owned()] {
        check(&(x("gauge", "x 1\n") + &other), &[("x", Err(otherwise))]);
    }
    let twice = "a series comes twice";
    check(&(x("gauge", "x 1\n") + &x("gauge", "x 1\n")), &[("x", Err(twice))]);
    // One that is wrong takes the others with it.
    for text in
        [x("gauge", "x 1\n") + &x("gauge", "y 1\n"), x("gauge", "y 1\n") + &x("gauge", "x 1\n")]
    {
        check(&text, &[("x", Err("`y` is no sample of its type"))]);
    }
}

#[test]
fn what_is_wrong_takes_its_family_and_no_other() {
    let not = |sample: &str| format!("`{sample}` is no sample of its type");
    for (wrong, why) in [
        (x("counter", "x 1\n"), not("x")),
        (x("counter", "x_created 1\n"), not("x_created")),
        (x("gauge", "x_total 1\n"), not("x_total")),
        (x("gauge", "xy 1\n"), not("xy")),
        (x("histogram", "x 1\n"), not("x")),
        (x("info", "x 1\n"), not("x")),
        (x("counter", "x_total -1\n"), "a counter is negative or no number".into()),
        (x("counter", "x_total NaN\n"), "a counter is negative or no number".into()),
        (x("info", "x_info 2\n"), "an info is not 1".into()),
        (x("gauge", "x 1 # {} 1\n"), "an exemplar where none may be".into()),
        (x("info", "x_info 1 # {} 1\n"), "an exemplar where none may be".into()),
        (x("gauge", "x 1 2\n"), "more than a value".into()),
        (x("gauge", "\nx 1\n"), "a line without a value".into()),
        (x("gauge", "# a comment\nx 1\n"), "a comment".into()),
        (x("gauge", "x 1\n# EOF\n"), "a comment".into()),
        (x("gauge", "x 1\nx{a=\"\"} 2\n"), "a series comes twice".into()),
        (x("gauge", "x{a=\"1\",b=\"2\"} 1\nx{b=\"2\",a=\"1\"} 2\n"), "a series comes twice".into()),
        (x("summary", "x 1\n"), "`summary` is no type that is read".into()),
        (x("gauge ", "x 1\n"), "`gauge ` is no type that is read".into()),
        ("# HELP x Help.\nx 1\n".into(), "it has no type".into()),
        ("# HELP x Help.\n".into(), "it has no type".into()),
        ("# HELP x a\0\n# TYPE x gauge\nx 1\n".into(), "its help has a NUL".into()),
        ("# HELP x one\ntwo.\n# TYPE x gauge\nx 1\n".into(), "a line without a value".into()),
        (
            "# HELP x one\n# TYPE x gauge\nx 1\n# TYPE x gauge\nx 2\n".into(),
            "a series comes twice".into(),
        ),
        (
            "# TYPE x gauge\n# UNIT x s\nx 1\n".into(),
            "its name does not end in its unit `s`".into(),
        ),
    ] {
        for before in ["", "# TYPE a gauge\na 1\n"] {
            let text = format!("{before}{wrong}# TYPE z gauge\nz 1\n");
            let mut expected = vec![("x", Err(&*why)), ("z", Ok(1))];
            if !before.is_empty() {
                expected.insert(0, ("a", Ok(1)));
            }
            check(&text, &expected);
        }
    }
    let unit = "# TYPE x_s info\n# UNIT x_s s\nx_s_info 1\n";
    check(unit, &[("x_s", Err("an info has a unit"))]);
    check("# TYPE my.x gauge\nmy.x 1\n", &[("my.x", Err("its name would need quotes"))]);
    let nobody = Err("lines of no family");
    check("x 1\n# TYPE x gauge\n", &[("", nobody), ("x", Ok(0))]);
    check("# TYPE\n", &[("", nobody)]);
    check("# TYPE  gauge\n 1\n", &[("", nobody)]);
}

#[test]
fn histograms_keep_their_laws() {
    for (from, to, why) in [
        ("x_sum 3.5\n", "", "a histogram has no sum"),
        ("x_count 2\n", "", "a histogram has no count"),
        ("x_sum 3.5", "x_sum NaN", "a sum is negative or no number"),
        ("x_sum 3.5", "x_sum -0.5", "a sum is negative or no number"),
        ("x_count 2", "x_count 3", "the last bucket is not for `+Inf`, or not the count"),
        ("x_count 2", "x_count 2.5", "a count that is none"),
        ("x_count 2", "x_count -2", "a count that is none"),
        ("x_count 2", "x_count 2\nx_count 2", "a series comes twice"),
        ("x_sum 3.5", "x_sum 3.5\nx_sum 3.5", "a series comes twice"),
        ("\"} 1", "\"} 3", "buckets fall"),
        ("\"} 1", "\"} 1.5", "a count that is none"),
        ("\"} 1", "\"} 99999999999999999999", "a count that is none"),
        ("le=\"1.0\"", "le=\"+Inf\"", "buckets fall"),
        ("le=\"1.0\"", "le=\"NaN\"", "a bound that is none"),
        ("le=\"1.0\"", "le=\"\"", "a bound that is none"),
        ("le=\"1.0\"", "le=\"-1\"", "a bound is below zero"),
        ("{le=\"1.0\"}", "", "`le` stands on buckets and nowhere else"),
        ("x_sum", "x_sum{le=\"1\"}", "`le` stands on buckets and nowhere else"),
        ("x_bucket{le=\"+Inf\"} 2\n", "", "the last bucket is not for `+Inf`, or not the count"),
        ("x_count", "x_count{a=\"1\"}", "a histogram has no count"),
    ] {
        let text = x("histogram", &HISTOGRAM.replacen(from, to, 1));
        check(&(text + "# TYPE z gauge\nz 1\n"), &[("x", Err(why)), ("z", Ok(1))]);
    }
}

#[test]
fn what_an_encoder_did_not_end_is_left_out() {
    let text = x("gauge", "x 1\n") + "# TYPE y gauge\ny 12";
    let stopped = Err("its encoder stopped in it, or before the next");
    check(&text, &[("x", Ok(1)), ("y", stopped)]);
    let ended = text.clone() + "\n";
    check(&ended, &[("x", Ok(1)), ("y", Ok(1))]);
    let found = families(&ended, true);
    assert!(found[0].family.is_ok() && found[1].family.is_err());
    assert!(families("", true).is_empty());
}
