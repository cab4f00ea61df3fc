//! What label policies make of the values that clients send.

use lastmile::{
    AdmitBy, Aggregator, Family, Format, Label, Limits, Otherwise, Refusal, Source, ValueFrom,
};

use super::{aggregator, read};
use crate::oracle::start;

fn addr(n: u8) -> Source<'static> {
    Source::default().addr([203, 0, 113, n].into())
}

/// Sends one sample of `c` with these labels, as clients write a key.
fn send(agg: &Aggregator, labels: &str, source: &Source<'_>) -> Result<(), Refusal> {
    let body = format!(r#"{{"lm":1,"m":{{"c;{labels}":1}}}}"#);
    let report = agg.push(Format::Lm1, body.as_bytes(), source, start()).unwrap();
    match report.refused().next() {
        None => Ok(()),
        Some((why, n)) => {
            assert_eq!((n, report.accepted()), (1, 0));
            Err(why)
        }
    }
}

/// What the series of `c` stand at, by the values of its labels, as `"/home" 2`.
fn rows(agg: &Aggregator) -> Vec<String> {
    let exposition = read(agg);
    let samples = exposition.family("c").map_or(&[][..], |family| &family.samples);
    let mut rows: Vec<String> = samples
        .iter()
        .map(|sample| {
            let values: Vec<&str> = sample.labels.iter().map(|(_, value)| value.as_str()).collect();
            format!("{} {}", values.join(","), sample.text)
        })
        .collect();
    rows.sort();
    rows
}

/// Sends `sent` in turn to a counter with one label, and compares what there is then.
#[track_caller]
fn check(label: Label, sent: &[&str], wanted: &[&str]) {
    let agg = aggregator([Family::counter("c").label(label)], Limits::default());
    for value in sent {
        send(&agg, &format!("a={value}"), &Source::default()).unwrap();
    }
    assert_eq!(rows(&agg), wanted, "{sent:?}");
}

fn open(max_values: u32) -> Label {
    Label::open("a", max_values)
}

#[test]
fn values_take_places_as_their_policy_says() {
    check(open(2), &["x", "y", "z", "x"], &["other 1", "x 2", "y 1"]);
    // Pinned values have theirs, come what may, and are not shown before they come.
    check(open(2).pin(["x"]), &["y", "z", "x"], &["other 1", "x 1", "y 1"]);
    check(open(1).pin(["x"]), &["y", "z"], &["other 2"]);
    // A value waits until it came often enough; what it was counted as stays.
    check(open(9).admit_after(3), &["x", "x", "x", "x"], &["other 2", "x 2"]);
    check(open(9).admit_after(2).pin(["x"]), &["x", "y"], &["other 1", "x 1"]);
    check(open(1).admit_after(2), &["x", "y", "x", "y", "y"], &["other 4", "x 1"]);
    // A path is made a template before anything else is asked.
    let page = || open(9).template().pattern("/[a-z/:]{0,9}");
    check(page(), &["/a", "/a?q", "/a/1", "/a/2"], &["/a 2", "/a/:id 2"]);
    check(page(), &["a", "/A", "/abcdefghijk", ""], &["other 4"]);
    check(page().max_bytes(6), &["/a/123456789"], &["/a/:id 1"]);
    check(open(9).pattern("[0-9]+"), &["12", "1a", "other"], &["12 1", "other 2"]);
}

#[test]
fn a_pattern_may_refuse() {
    let label = open(9).pattern("[0-9]+").otherwise(Otherwise::Refuse);
    let agg = aggregator([Family::counter("c").label(label)], Limits::default());
    assert_eq!(send(&agg, "a=12", &Source::default()), Ok(()));
    assert_eq!(send(&agg, "a=x", &Source::default()), Err(Refusal::LabelValue));
    assert_eq!(send(&agg, "a=other", &Source::default()), Ok(()), "it has a row in any case");
    assert_eq!(rows(&agg), ["12 1", "other 1"]);
}

#[test]
fn values_that_wait_or_overflow_are_marked_and_others_are_not() {
    let overflow = |label: Label, sent: &[&str]| {
        let agg = aggregator([Family::counter("c").label(label)], Limits::default());
        for value in sent {
            send(&agg, &format!("a={value}"), &Source::default()).unwrap();
        }
        agg.tick(start());
        let exposition = read(&agg);
        let labels = [("family", "c"), ("label", "a")];
        let places = exposition.value("lastmile_label_values", &labels);
        (exposition.value("lastmile_overflow_total", &labels), places)
    };
    assert_eq!(overflow(open(1), &["x", "y", "z"]), (Some(2.0), Some(1.0)));
    assert_eq!(overflow(open(9).admit_after(3), &["x", "x", "x"]), (Some(2.0), Some(1.0)));
    assert_eq!(overflow(open(9).pattern("x"), &["y", "other", "x"]), (Some(0.0), Some(1.0)));
    assert_eq!(overflow(open(9).pin(["p", "q"]), &[]), (Some(0.0), Some(2.0)));
}

#[test]
fn many_entries_of_one_batch_are_one_batch() {
    let family = Family::counter("c").label(open(9).admit_after(2)).label(Label::open("b", 9));
    let agg = aggregator([family], Limits::default());
    let line = br#"{"lm":1,"m":{"c;a=x;b=1":1,"c;a=x;b=2":1,"c;a=x;b=3":1}}"#;
    agg.push(Format::Lm1, line, &Source::default(), start()).unwrap();
    assert_eq!(rows(&agg), ["other,1 1", "other,2 1", "other,3 1"]);
    agg.push(Format::Lm1, &[&line[..], b"\n", line].concat(), &Source::default(), start()).unwrap();
    assert_eq!(rows(&agg)[3..], ["x,1 2", "x,2 2", "x,3 2"], "each line is a batch");
}

#[test]
fn what_comes_once_takes_no_place() {
    let family = Family::counter("c").label(open(100).admit_after(3));
    let agg = aggregator([family], Limits::default());
    let before = agg.bytes_used();
    for i in 0..20_000 {
        send(&agg, &format!("a=/once/{i}"), &addr(i as u8)).unwrap();
        // Often enough that a set of candidates is never full of others in between.
        if i % 20 == 0 {
            send(&agg, "a=/home", &addr(1)).unwrap();
        }
    }
    assert_eq!(rows(&agg), ["/home 998", "other 20002"]);
    assert!(agg.bytes_used() - before < 300, "one series and one value");
}

#[test]
fn sources_are_counted_by_their_prefix() {
    let label = open(9).admit_after(3).admit_by(AdmitBy::Source);
    let agg = aggregator([Family::counter("c").label(label)], Limits::default());
    for _ in 0..50 {
        send(&agg, "a=x", &addr(1)).unwrap();
        send(&agg, "a=x", &Source::default()).unwrap();
        // One customer's addresses.
        let last = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0x0100, 0, 0, 0, rand(50));
        send(&agg, "a=x", &Source::default().addr(last.into())).unwrap();
    }
    assert_eq!(rows(&agg), ["other 150"], "two sources");
    // Of so many, two fall into other bits of the 64 than the first.
    (10..80).for_each(|n| send(&agg, "a=x", &addr(n)).unwrap());
    assert!(rows(&agg).len() == 2, "{:?}", rows(&agg));
}

/// Any number below `end`, another with each call.
fn rand(end: u16) -> u16 {
    use std::hash::{BuildHasher, RandomState};
    (RandomState::new().hash_one(0) % u64::from(end)) as u16
}

#[test]
fn the_server_sets_what_no_client_may() {
    let header = ValueFrom::Header("x-country".to_owned());
    let family = Family::counter("c")
        .label(Label::open("country", 2).max_bytes(4).value_from(header))
        .label(Label::open("page", 9))
        .label(Label::open("site", 9).value_from(ValueFrom::Origin))
        .label(Label::closed("key", ["web"]).value_from(ValueFrom::Key))
        .label(Label::constant("region", "eu"));
    let agg = aggregator([family], Limits::default());
    let headers = [("x-other", "zz"), ("x-country", "de"), ("x-country", "fr")];
    let known = Source::default().headers(&headers).origin("https://a.example").key("web");
    for (labels, source) in [
        ("page=/a", known),
        ("page=/a", Source::default()),
        ("page=/a", known.headers(&[("x-country", "long one")]).key("app")),
        ("page=/b", known.headers(&[("x-country", "a\"\\")])),
    ] {
        assert_eq!(send(&agg, labels, &source), Ok(()));
    }
    let rows = rows(&agg);
    assert_eq!(
        rows,
        [
            "a\"\\,/b,https://a.example,web,eu 1",
            "de,/a,https://a.example,web,eu 1",
            // What is too long is not the client's fault; nor is it that `unknown` is.
            "other,/a,https://a.example,other,eu 1",
            "other,/a,unknown,other,eu 1",
        ]
    );
    for labels in ["country=us;page=/a", "page=/a;region=eu", "page=/a;x=y"] {
        assert_eq!(send(&agg, labels, &known), Err(Refusal::UnknownLabel), "{labels}");
    }
    assert_eq!(send(&agg, "region=eu", &known), Err(Refusal::UnknownLabel));
    let record = br#"[{"metricName":"c","labels":{"page":"/a"},"inc":1}]"#;
    let report = agg.push(Format::Record, record, &known, start()).unwrap();
    assert_eq!(report.accepted(), 1);
    assert_eq!(read(&agg).value("c", &[("country", "de"), ("page", "/a")]), None, "all labels");
    assert_eq!(self::rows(&agg)[1], "de,/a,https://a.example,web,eu 2");
    // The host names all labels, these too.
    let labels = [("country", "de"), ("page", "/a"), ("site", "https://a.example"), ("key", "web")];
    agg.counter("c", &labels).expect_err("`region` is missing");
    agg.counter("c", &[&labels[..], &[("region", "eu")]].concat()).unwrap().inc();
    assert_eq!(self::rows(&agg)[1], "de,/a,https://a.example,web,eu 3");
}

#[test]
fn a_family_with_closed_values_of_the_server_is_there_from_the_start() {
    let family = Family::counter("c").label(Label::constant("region", "a\"b"));
    let agg = aggregator([family], Limits::default());
    assert_eq!(rows(&agg), ["a\"b 0"]);
    let push = br#"{"lm":1,"m":{"c":2}}"#;
    assert_eq!(agg.push(Format::Lm1, push, &addr(1), start()).unwrap().accepted(), 1);
    assert_eq!(rows(&agg), ["a\"b 2"]);
}

#[test]
fn each_family_has_the_value_that_is_set_for_it() {
    let family = |i: usize| {
        Family::counter(format!("c{i}_total")).label(Label::constant("region", format!("r{i}")))
    };
    let agg = aggregator((0..300).map(family), Limits::default());
    let body = br#"{"lm":1,"m":{"c5_total":1,"c256_total":2,"c299_total":3}}"#;
    assert_eq!(agg.push(Format::Lm1, body, &addr(1), start()).unwrap().accepted(), 3);
    let exposition = read(&agg);
    for (i, n) in [(5, 1.0), (256, 2.0), (299, 3.0), (0, 0.0)] {
        let region = format!("r{i}");
        assert_eq!(
            exposition.value(&format!("c{i}_total"), &[("region", &region)]),
            Some(n),
            "{i}"
        );
    }
}

#[test]
fn a_value_that_found_no_room_need_not_wait_again() {
    let label = open(9).admit_after(3);
    let limits = Limits::default().new_series_per_second(1);
    let agg = aggregator([Family::counter("c").label(label)], limits);
    for _ in 0..3 {
        for labels in ["a=x", "a=y"] {
            send(&agg, labels, &addr(1)).unwrap();
        }
    }
    assert_eq!(rows(&agg), ["other 5", "x 1"], "one new series a second");
    let later = start().after(std::time::Duration::from_secs(1));
    agg.push(Format::Lm1, br#"{"lm":1,"m":{"c;a=y":1}}"#, &addr(1), later).unwrap();
    assert_eq!(rows(&agg), ["other 5", "x 1", "y 1"]);
}

#[test]
fn one_source_brings_about_so_many_new_series_in_a_second() {
    let family = Family::counter("c").label(open(1_000)).label(Label::closed("d", ["x"]));
    let agg = aggregator([family], Limits::default().new_series_per_second(5));
    for i in 0..20 {
        send(&agg, &format!("a={i};d=x"), &addr(1)).unwrap();
    }
    assert_eq!(rows(&agg).len(), 6, "five and `other`");
    assert_eq!(rows(&agg)[5], "other,x 15", "its closed label stays");
    // What exists counts on, and others have their own share.
    send(&agg, "a=0;d=x", &addr(1)).unwrap();
    assert_eq!(rows(&agg)[0], "0,x 2");
    let n = (2..40).filter(|n| {
        send(&agg, &format!("a=of-{n};d=x"), &addr(*n)).unwrap();
        rows(&agg).contains(&format!("of-{n},x 1"))
    });
    assert!(n.count() > 35, "two of them may share a bucket, no more");
    let later = start().after(std::time::Duration::from_secs(1));
    let body = br#"{"lm":1,"m":{"c;a=later;d=x":1}}"#;
    agg.push(Format::Lm1, body, &addr(1), later).unwrap();
    assert!(rows(&agg).contains(&"later,x 1".to_owned()));
}

#[test]
fn a_full_label_says_of_each_value_what_the_policies_say() {
    let open = || Label::open("page", 2).pin(["/a", "/b/:id"]);
    let few = || open().pattern("^/.*$").otherwise(Otherwise::Other);
    // What comes, the row that counts it, and how many of it overflowed.
    let check = |page: Label, value: &str, row: Result<&str, Refusal>, overflow: u64| {
        let device = Label::closed("device", ["tv"]).otherwise(Otherwise::Refuse);
        let family = Family::counter("c").label(page.clone()).label(device);
        let agg = aggregator([family], Limits::default());
        let what = format!("`{value}` for {page:?}");
        for n in 1..=3 {
            let sent = send(&agg, &format!("device=tv;page={value}"), &Source::default());
            assert_eq!(sent, row.map(drop), "{what}");
            let shown: Vec<String> = row.iter().map(|row| format!("{row},tv {n}")).collect();
            assert_eq!(rows(&agg), shown, "{what}");
        }
        // Another label refuses it, whatever becomes of this one.
        send(&agg, &format!("device=radio;page={value}"), &Source::default()).unwrap_err();
        let labels = [("family", "c"), ("label", "page")];
        let overflowed = read(&agg).value("lastmile_overflow_total", &labels);
        assert_eq!(overflowed, Some((3 * overflow) as f64), "{what}");
    };
    check(open(), "/a", Ok("/a"), 0);
    check(open(), "/c", Ok("other"), 1);
    check(open(), "other", Ok("other"), 0);
    check(open().admit_after(2), "/c", Ok("other"), 1);
    check(open().max_bytes(6), "/longer", Err(Refusal::LabelTooLong), 0);
    check(few(), "/c", Ok("other"), 1);
    check(few(), "c", Ok("other"), 0);
    check(few().otherwise(Otherwise::Refuse), "/c", Ok("other"), 1);
    check(few().otherwise(Otherwise::Refuse), "c", Err(Refusal::LabelValue), 0);
    check(open().template(), "/b/17", Ok("/b/:id"), 0);
    check(open().template(), "/c/17", Ok("other"), 1);
    check(open().template(), "/c/:id", Ok("other"), 1);
}
