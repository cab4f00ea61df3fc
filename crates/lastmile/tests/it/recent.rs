//! What is told of the last refusals: enough to find a client's mistake, and nothing of anybody.

use std::time::Duration;

use lastmile::{
    Aggregator, Family, Format, Label, Limits, Otherwise, RecentRefusal, RequestRefusal, Schema,
    Source, Timestamp,
};

fn aggregator() -> Aggregator {
    let schema = Schema::builder()
        .family(
            Family::counter("loads_total")
                .label(Label::closed("app", ["student"]).otherwise(Otherwise::Refuse))
                .label(Label::open("page", 9).max_bytes(10)),
        )
        .family(Family::histogram("wait", [1.0]).max(100.0));
    Aggregator::new(schema.build().unwrap(), Limits::default(), at(0)).unwrap()
}

fn at(secs: u64) -> Timestamp {
    Timestamp::new(1_700_000_000_000, Duration::ZERO).after(Duration::from_secs(secs))
}

/// One refusal in a line: `reason n family label value_bytes value @offset`, `-` for what is not told.
fn line(refusal: &RecentRefusal) -> String {
    let or = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    format!(
        "{} {} {} {} {} {} @{}",
        refusal.reason(),
        refusal.n_samples(),
        or(refusal.family().map(str::to_owned)),
        or(refusal.label().map(str::to_owned)),
        or(refusal.value_bytes().map(|n| n.to_string())),
        or(refusal.value().map(str::to_owned)),
        or(refusal.offset().map(|n| n.to_string())),
    )
}

fn push(agg: &Aggregator, body: &str, now: Timestamp) {
    let format = if body.starts_with("{\"lm\"") { Format::Lm1 } else { Format::Record };
    let _ = agg.push(format, body.as_bytes(), &Source::default(), now);
}

#[test]
fn a_refusal_tells_what_was_wrong() {
    let lm1 = |m: &str| format!(r#"{{"lm":1,"m":{{{m}}}}}"#);
    let record = |name: &str, labels: &str, value: &str| {
        format!(r#"[{{"metricName":"{name}","labels":{{{labels}}},{value}}}]"#)
    };
    let long = "n".repeat(70);
    let loads = r#""metricType":"counter","inc":1"#;
    let wait = |numbers: &str| format!(r#""metricType":"histogram","observations":[{numbers}]"#);
    for (body, expected) in [
        (lm1(r#""nope;a=b":1"#), &["unknown_family 1 nope - - - @-"][..]),
        (lm1(r#""loads_total;app=student":1"#), &["missing_label 1 loads_total page - - @-"]),
        (
            lm1(r#""loads_total;app=student;page=/;user=7":1"#),
            &["unknown_label 1 loads_total user 1 7 @-"],
        ),
        (
            lm1(r#""loads_total;app=admin;page=%2f":1"#),
            &["label_value 1 loads_total app 5 admin @-"],
        ),
        (
            lm1(r#""loads_total;app=student;page=/12345678901":1"#),
            &["label_too_long 1 loads_total page 12 /12345678901 @-"],
        ),
        (
            lm1(r#""loads_total;app=admin;page=%2f":-1"#),
            &["label_value 1 loads_total app 5 admin @-"],
        ),
        (lm1(r#""wait":1"#), &["type_mismatch 1 wait - - - @-"]),
        (
            lm1(r#""wait":[1,101,-2,"x"]"#),
            &[
                "too_large 1 wait - - 101 @-",
                "negative 1 wait - - -2 @-",
                "not_a_number 1 wait - - - @-",
            ],
        ),
        (
            lm1(r#""wait":[1e300,-5e-324]"#),
            &["too_large 1 wait - - 1e300 @-", "negative 1 wait - - -5e-324 @-"],
        ),
        (r#"{"lm":1,"w":0,"m":{"wait":[1,2]}}"#.to_owned(), &["bad_weight 2 wait - - - @-"]),
        (
            format!(r#"{{"lm":1,"m":{{"wait":[1]}}}}{}"#, "\n{\"lm\":2}"),
            &["unsupported_version 0 - - - - @32"],
        ),
        (record("nope", "", loads), &["unknown_family 1 nope - - - @-"]),
        (record(&long, "", loads), &[&format!("unknown_family 1 {}… - - - @-", &long[..64])]),
        (
            record("loads_total", r#""app":"ad\u006din","page":"/""#, loads),
            &["label_value 1 loads_total app 5 admin @-"],
        ),
        (record("wait", r#""a":"b""#, &wait("1,2")), &["unknown_label 2 wait a 1 b @-"]),
        (record("wait", "", &wait("1,1e9")), &["too_large 1 wait - - 1000000000 @-"]),
        ("[null]".to_owned(), &["malformed 1 - - - - @-"]),
        ("[".to_owned(), &["syntax 0 - - - - @1"]),
        (record("wait", "", &wait("1")), &[]),
    ] {
        for debug_samples in [true, false] {
            let agg = aggregator();
            agg.set_debug_samples(debug_samples);
            push(&agg, &body, at(1));
            let mut told: Vec<String> = agg.recent_refusals().iter().map(line).collect();
            told.reverse();
            let expected: Vec<String> = expected
                .iter()
                .map(|line| {
                    let mut words: Vec<&str> = line.split(' ').collect();
                    words[5] = if debug_samples { words[5] } else { "-" };
                    words.join(" ")
                })
                .collect();
            assert_eq!(told, expected, "{body}");
            let format = if body.starts_with('{') { Format::Lm1 } else { Format::Record };
            let is_its = |r: &RecentRefusal| (r.format(), r.wall_ms()) == (format, at(1).wall_ms());
            assert!(agg.recent_refusals().iter().all(is_its), "{body}");
        }
    }
}

#[test]
fn noise_is_bounded() {
    let agg = aggregator();
    push(&agg, &format!("{}{}", r#"{"lm":1,"m":{"nope":1}}"#, " ".repeat(256 << 10)), at(0));
    assert_eq!(agg.recent_refusals().len(), 0, "so long a body is not looked at");
    let one = r#"{"lm":1,"m":{"nope":1}}"#;
    (0..50).for_each(|_| push(&agg, one, at(1)));
    assert_eq!(agg.recent_refusals().len(), 8, "so many pushes a second are looked at");
    push(&agg, &format!(r#"{{"lm":1,"m":{{"wait":[{}1]}}}}"#, "-1,".repeat(50)), at(2));
    let all = agg.recent_refusals();
    assert_eq!(all.len(), 8 + 8, "so many samples of a push are told");
    assert_eq!((all[0].reason(), all[8].reason()), ("negative", "unknown_family"), "newest first");
    (3..100).for_each(|secs| push(&agg, "[", at(secs)));
    let reasons = |reason: &str| {
        agg.recent_refusals().iter().filter(|refusal| refusal.reason() == reason).count()
    };
    assert_eq!(
        (reasons("syntax"), reasons("negative")),
        (50, 8),
        "so many are kept, and hide no sample"
    );
}

#[test]
fn requests_refused_are_counted_by_reason() {
    let agg = aggregator();
    agg.refuse_request(RequestRefusal::Rate);
    agg.refuse_request(RequestRefusal::Rate);
    agg.refuse_request(RequestRefusal::Query);
    let mut text = Vec::new();
    agg.encode_to(&mut text, at(1)).unwrap();
    let text = String::from_utf8(text).unwrap();
    for (reason, n) in [("rate", 2), ("query", 1), ("origin", 0)] {
        let line = format!("lastmile_requests_refused_total{{reason=\"{reason}\"}} {n}\n");
        assert!(text.contains(&line), "{line}");
    }
}
