use std::time::Duration;

use super::*;
use crate::push::report::Counts;
use crate::push::{Format, Source, lm1};
use crate::schema::ValueFrom;
use crate::{Aggregator, Family, Label, Limits, Schema, Timestamp};

fn schema(families: impl IntoIterator<Item = Family>) -> Schema {
    families.into_iter().fold(Schema::builder(), crate::SchemaBuilder::family).build().unwrap()
}

fn aggregator(families: impl IntoIterator<Item = Family>) -> Aggregator {
    Aggregator::new(schema(families), Limits::default(), at(0)).unwrap()
}

fn at(secs: u64) -> Timestamp {
    Timestamp::new(1_700_000_000_000 + secs * 1000, Duration::from_secs(secs))
}

fn views() -> Family {
    Family::counter("views_total").label(Label::open("page", 2)).ttl(Duration::from_secs(60))
}

fn line(samples: &str) -> String {
    format!(r#"{{"lm":1,"m":{{{samples}}}}}"#)
}

/// Pushes a batch of these samples, and gives how many of them were counted.
fn push(agg: &Aggregator, samples: &str, now: Timestamp) -> u64 {
    let report = agg.push(Format::Lm1, line(samples).as_bytes(), &Source::default(), now);
    report.unwrap().accepted()
}

/// For how many of these samples this holds as they are decoded here and now.
fn n_where(agg: &Aggregator, samples: &str, holds: impl Fn(&Entry) -> bool) -> usize {
    let (body, catalog) = (line(samples), agg.store().catalog());
    Samples::with(|samples| {
        samples.begin(&catalog, &Source::default());
        let mut counts = Counts::default();
        lm1::line(&catalog, body.as_bytes(), 0, body.len(), samples, &mut counts, |_| {}).unwrap();
        samples.entries.iter().filter(|entry| holds(entry)).count()
    })
}

/// How many keys of these samples are known here and now.
fn n_known(agg: &Aggregator, samples: &str) -> usize {
    n_where(agg, samples, |entry| entry.known.is_some())
}

/// A page that has no place, as far as a push of this key sees: in one case of a thousand it is taken for one that has.
fn page_over(agg: &Aggregator, key: impl Fn(&str) -> String) -> String {
    let is_over = |page: &String| n_where(agg, &key(page), |entry| entry.folded != 0) == 1;
    (0..9).map(|i| format!("/c{i}")).find(is_over).expect("pages are full")
}

/// Counts a batch of these samples; gives how many of them were not found at once.
fn n_missed(agg: &Aggregator, samples: &str, now: Timestamp) -> usize {
    push(agg, samples, now);
    Samples::with(|samples| samples.misses.len())
}

/// The line of the exposition that begins so, behind that.
fn value(agg: &Aggregator, series: &str, now: Timestamp) -> Option<String> {
    let mut text = Vec::new();
    agg.encode_to(&mut text, now).unwrap();
    let text = String::from_utf8(text).unwrap();
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned))
}

#[test]
fn what_is_known_counts_as_what_is_not() {
    let agg = aggregator([
        views(),
        Family::counter("paths_total").label(Label::open("path", 9).template()),
        Family::counter("clicks_total").label(Label::closed("b", ["x"])).label(Label::open("a", 9)),
        Family::histogram("wait_seconds", [1.0]).max(5.0),
        Family::gauge("users"),
        Family::counter("from_total").label(Label::open("key", 9).value_from(ValueFrom::Key)),
    ]);
    let long = format!(r#""views_total;page={}":1"#, "x".repeat(125));
    let check = |samples: &str, known: usize, series: &str, thrice: &str| {
        for _ in 0..3 {
            push(&agg, samples, at(1));
        }
        assert_eq!(n_known(&agg, samples), known, "{samples}");
        assert_eq!(value(&agg, series, at(1)).as_deref(), Some(thrice), "{samples}");
    };
    for (samples, known, series, thrice) in [
        (r#""views_total;page=/a":2"#, 1, r#"views_total{page="/a"}"#, "6"),
        // Any order, any escaping: each is a key of its own.
        (r#""clicks_total;a=q;b=x":1"#, 1, r#"clicks_total{b="x",a="q"}"#, "3"),
        (r#""clicks_total;b=x;a=q":1"#, 1, r#"clicks_total{b="x",a="q"}"#, "6"),
        (r#""clicks_total;a=%71;b=x" : 1"#, 1, r#"clicks_total{b="x",a="q"}"#, "9"),
        (r#""clicks_total;a=\u0071;b=x":1"#, 0, r#"clicks_total{b="x",a="q"}"#, "12"),
        // What the schema makes of it is always the same.
        (r#""paths_total;path=/class/17":1"#, 1, r#"paths_total{path="/class/:id"}"#, "3"),
        // What it does not list is other, and its turn to be told so comes each time.
        (r#""clicks_total;a=q;b=y":1"#, 0, r#"clicks_total{b="other",a="q"}"#, "3"),
        (r#""wait_seconds":[0.5,[1.5,2]]"#, 1, r#"wait_seconds_bucket{le="1.0"}"#, "3"),
        (r#""wait_seconds":[0.5,9,"x"]"#, 0, r#"wait_seconds_count"#, "12"),
        (r#""users":3"#, 0, "users", "3"),
        (r#""from_total":1"#, 0, r#"from_total{key="unknown"}"#, "3"),
        // The same key twice in one batch.
        (r#""views_total;page=/b":1,"views_total;page=/b":1"#, 2, r#"views_total{page="/b"}"#, "6"),
    ] {
        check(samples, known, series, thrice);
    }
    // No place is left.
    let key = |page: &str| format!(r#""views_total;page={page}":1"#);
    check(&key(&page_over(&agg, key)), 1, r#"views_total{page="other"}"#, "3");
    check(&long, 0, r#"views_total{page="other"}"#, "6");
    let overflow = r#"lastmile_overflow_total{family="views_total",label="page"}"#;
    assert_eq!(value(&agg, overflow, at(1)).as_deref(), Some("6"));
}

#[test]
fn a_row_that_left_or_moved_is_looked_for_again() {
    let (a, b) = (r#""views_total;page=/a":1"#, r#""views_total;page=/b":1"#);
    let agg = aggregator([views()]);
    assert_eq!([push(&agg, a, at(0)), push(&agg, b, at(0)), push(&agg, b, at(50))], [1, 1, 1]);
    assert_eq!([n_known(&agg, a), n_known(&agg, b)], [1, 1]);
    // /a leaves, and /b moves up.
    (60..80).for_each(|secs| agg.tick(at(secs)));
    assert_eq!(value(&agg, r#"views_total{page="/a"}"#, at(80)), None);
    for (samples, series, expect) in
        [(b, r#"views_total{page="/b"}"#, "3"), (a, r#"views_total{page="/a"}"#, "1")]
    {
        assert_eq!((n_known(&agg, samples), push(&agg, samples, at(80))), (1, 1));
        assert_eq!(value(&agg, series, at(80)).as_deref(), Some(expect));
        // It is known where it is now.
        push(&agg, samples, at(80));
        assert_eq!(
            value(&agg, series, at(80)),
            (expect.parse::<u32>().ok()).map(|n| (n + 1).to_string())
        );
    }
}

#[test]
fn a_block_in_the_place_of_another_has_other_rows() {
    let views = Family::counter("views_total").label(Label::open("page", 20));
    let agg = aggregator([views.ttl(Duration::from_secs(60))]);
    let key = |page: &str| format!(r#""views_total;page={page}":1"#);
    // Eight of each, as a page is in one of two shards by chance, and one of the shards keeps a row for what folds.
    let pages = |kind: &'static str| (0..8).map(move |i| format!("/{kind}{i}"));
    pages("old").for_each(|page| assert_eq!(push(&agg, &key(&page), at(0)), 1));
    (60..80).for_each(|secs| agg.tick(at(secs)));
    for page in pages("new").chain(pages("old")) {
        assert_eq!(push(&agg, &key(&page), at(80)), 1);
    }
    for page in pages("new").chain(pages("old")) {
        let series = format!(r#"views_total{{page="{page}"}}"#);
        assert_eq!(value(&agg, &series, at(80)).as_deref(), Some("1"), "{page}");
    }
}

#[test]
fn a_place_that_is_free_again_is_taken() {
    let agg = aggregator([views()]);
    let key = |page: &str| format!(r#""views_total;page={page}":1"#);
    ["/a", "/b"].iter().for_each(|page| assert_eq!(push(&agg, &key(page), at(0)), 1));
    let page = page_over(&agg, key);
    let over = key(&page);
    [0, 0].iter().for_each(|secs| assert_eq!(push(&agg, &over, at(*secs)), 1));
    assert_eq!(n_known(&agg, &over), 1);
    push(&agg, &key("/b"), at(50));
    (60..80).for_each(|secs| agg.tick(at(secs)));
    assert_eq!(n_known(&agg, &over), 0, "the label is not full");
    assert_eq!(n_known(&agg, &key("/b")), 1);
    push(&agg, &over, at(80));
    assert_eq!(n_known(&agg, &over), 1);
    push(&agg, &over, at(80));
    let series = format!("views_total{{page={page:?}}}");
    assert_eq!(value(&agg, &series, at(80)).as_deref(), Some("2"));
    assert_eq!(value(&agg, r#"views_total{page="other"}"#, at(80)), None);
}

#[test]
fn what_has_no_place_is_known_again_where_its_row_moved() {
    let views = views().label(Label::open("app", 99));
    let agg = aggregator([views]);
    let key = |page: &str, app: &str| format!(r#""views_total;app={app};page={page}":1"#);
    // Sixteen, as each is in one of two shards by chance.
    let gone = (0..16).map(|i| key("/a", &format!("x{i}")));
    gone.for_each(|key| assert_eq!(push(&agg, &key, at(0)), 1));
    let stays = [key("/a", "y"), key("/b", "y")];
    stays.iter().for_each(|key| assert_eq!(push(&agg, key, at(0)), 1));
    let over = key(&page_over(&agg, |page| key(page, "y")), "y");
    for secs in [0, 0, 50] {
        stays.iter().chain([&over]).for_each(|key| assert_eq!(push(&agg, key, at(secs)), 1));
    }
    assert_eq!((n_known(&agg, &over), n_missed(&agg, &over, at(51))), (1, 0));
    (60..80).for_each(|secs| agg.tick(at(secs)));
    assert_eq!(value(&agg, r#"views_total{page="/a",app="x0"}"#, at(80)), None);
    assert_eq!(n_known(&agg, &over), 1, "pages are full as before");
    assert_eq!(n_missed(&agg, &over, at(80)), 1, "its row is elsewhere");
    assert_eq!(n_missed(&agg, &over, at(80)), 0, "it is known where that is");
    let series = r#"views_total{page="other",app="y"}"#;
    assert_eq!(value(&agg, series, at(80)).as_deref(), Some("6"));
}

#[test]
fn what_a_key_means_is_what_one_catalog_says() {
    let samples = r#""views_total;page=/a":1"#;
    let (agg, other) = (aggregator([views()]), aggregator([Family::counter("c_total"), views()]));
    for _ in 0..2 {
        assert_eq!([push(&agg, samples, at(0)), push(&other, samples, at(0))], [1, 1]);
    }
    for agg in [&agg, &other] {
        assert_eq!(value(agg, r#"views_total{page="/a"}"#, at(0)).as_deref(), Some("2"));
    }
    assert_eq!([n_known(&agg, samples), n_known(&other, samples)], [0, 1], "it is known once");
    other.reload(&schema([Family::counter("views_total")]), at(1)).unwrap();
    assert_eq!(n_known(&other, r#""views_total":1"#), 0);
    assert_eq!(push(&other, samples, at(1)), 0, "it has no such label any more");
    assert_eq!(n_known(&agg, samples), 0);
}

#[test]
fn who_asks_why_is_told_by_what_looks_at_it() {
    let agg = aggregator([views()]);
    let samples = r#""views_total;page=/a":1"#;
    push(&agg, samples, at(0));
    assert_eq!(n_known(&agg, samples), 1);
    let catalog = agg.store().catalog();
    let body = line(r#""views_total;page=/a":-1"#);
    let notes = crate::push::explain(&catalog, Format::Lm1, body.as_bytes(), &Source::default());
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0].why, crate::Refusal::Negative);
}

#[test]
fn buffers_that_grew_go_and_what_is_known_stays() {
    let agg = aggregator([views(), Family::histogram("wait_seconds", [1.0])]);
    let samples = r#""views_total;page=/a":1"#;
    push(&agg, samples, at(0));
    let many = vec!["0.5"; 100_000].join(",");
    assert_eq!(push(&agg, &format!(r#""wait_seconds":[{many}]"#), at(0)), 100_000);
    assert_eq!(n_known(&agg, samples), 1);
    Samples::with(|samples| assert!(samples.numbers.capacity() < 100));
}

#[test]
fn each_key_of_batches_that_are_alike_is_drawn() {
    for n_keys in 1..=64 {
        let mut lots = Lots::default();
        let mut n_drawn = vec![0; n_keys];
        for _ in 0..1_000 {
            n_drawn.iter_mut().for_each(|n| *n += u32::from(lots.draw().is_multiple_of(8)));
        }
        let range = (n_drawn.iter().min().unwrap(), n_drawn.iter().max().unwrap());
        assert!(*range.0 > 60 && *range.1 < 250, "{n_keys} keys: {range:?} of 1,000 batches");
    }
}
