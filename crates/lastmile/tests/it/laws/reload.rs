//! Another schema takes the place of the one in force, and nothing else changes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use lastmile::{Aggregator, Family, Format, Label, Limits, Schema, Source};

use super::{aggregator, push, read, written};
use crate::expo::Exposition;
use crate::oracle::start;

fn schema(families: impl IntoIterator<Item = Family>) -> Schema {
    families.into_iter().fold(Schema::builder(), lastmile::SchemaBuilder::family).build().unwrap()
}

fn views() -> Family {
    Family::counter("views_total").label(Label::open("page", 2))
}

fn waits(bounds: &[f64]) -> Family {
    Family::histogram("wait_seconds", bounds.iter().copied())
}

#[track_caller]
fn reload(agg: &Aggregator, families: impl IntoIterator<Item = Family>) -> Exposition {
    agg.reload(&schema(families), start()).unwrap();
    read(agg)
}

#[test]
fn what_is_declared_alike_keeps_its_series() {
    let agg = aggregator([views(), waits(&[1.0]), Family::counter("old_total")], Limits::default());
    push(
        &agg,
        Format::Lm1,
        r#"{"lm":1,"m":{"views_total;page=a":3,"views_total;page=b":4,"wait_seconds":[0.5],"old_total":1}}"#,
    );
    let used = agg.bytes_used();

    // Other words, other bounds on values, another order, more places.
    let more = Family::counter("views_total").label(Label::open("page", 3));
    let more = more.help("Other words.").max(5.0);
    let exposition = reload(&agg, [Family::counter("new_total"), waits(&[1.0]), more]);
    let names: Vec<&str> = exposition.families.iter().map(|f| f.name.as_str()).take(3).collect();
    assert_eq!(names, ["new_total", "wait_seconds", "views_total"]);
    assert_eq!(exposition.value("views_total", &[("page", "a")]), Some(3.0));
    assert_eq!(exposition.value("wait_seconds_sum", &[]), Some(0.5));
    assert_eq!(exposition.value("new_total", &[]), Some(0.0));
    assert_eq!(exposition.family("views_total").unwrap().help.as_deref(), Some("Other words."));
    assert!(exposition.family("old_total").is_none());
    push(&agg, Format::Lm1, r#"{"lm":1,"m":{"views_total;page=c":1,"views_total;page=d":1}}"#);
    let exposition = read(&agg);
    assert_eq!(exposition.value("views_total", &[("page", "c")]), Some(1.0), "a third place");
    assert_eq!(exposition.value("views_total", &[("page", "other")]), Some(1.0));
    let old = br#"{"lm":1,"m":{"old_total":1,"views_total;page=a":6}}"#;
    let report = agg.push(Format::Lm1, old, &Source::default(), start()).unwrap();
    assert_eq!((report.accepted(), report.n_refused()), (0, 2), "gone, and above the new bound");

    // Other bounds are other series.
    let exposition = reload(&agg, [waits(&[2.0]), views(), Family::counter("old_total")]);
    assert_eq!(exposition.value("wait_seconds_count", &[]), Some(0.0));
    assert_eq!(exposition.value("old_total", &[]), Some(0.0), "it begins anew");
    assert_eq!(
        exposition.value("views_total", &[("page", "c")]),
        Some(1.0),
        "who has a place keeps it"
    );
    assert_eq!(exposition.value("lastmile_reloads_total", &[]), Some(2.0));

    // Back to where it began but for the series of `c` and `other`: nothing of the others is left.
    agg.reload(&schema([]), start()).unwrap();
    assert_eq!(agg.bytes_used(), 0);
    reload(&agg, [views(), waits(&[1.0]), Family::counter("old_total")]);
    push(&agg, Format::Lm1, r#"{"lm":1,"m":{"views_total;page=a":3,"views_total;page=b":4}}"#);
    assert_eq!(agg.bytes_used(), used);
}

#[test]
fn a_schema_that_does_not_fit_changes_nothing() {
    let many = |n: u32| {
        Family::counter("many_total").label(Label::closed("a", (0..n).map(|i| format!("{i:0>90}"))))
    };
    let many_too = |n: u32| {
        let label = Label::closed("a", (0..n).map(|i| format!("{i:0>90}")));
        Family::counter("many_too_total").label(label)
    };
    let agg = aggregator([views(), many(5)], Limits::default().bytes(40_000));
    push(&agg, Format::Lm1, r#"{"lm":1,"m":{"views_total;page=a":3}}"#);
    let (before, used) = (super::text(&agg), agg.bytes_used());
    let pins = (0..400).map(|i| format!("{i:0>90}"));
    let pinned = Family::counter("views_total").label(Label::open("page", 400).pin(pins));
    let many_pinned = Family::counter("pinned_total").label(pinned.labels()[0].clone());
    for (families, named) in [
        (vec![many(400)], "`many_total`"),
        (vec![pinned.clone(), many(5)], "`views_total`"),
        (vec![views(), many(5), many_pinned.clone()], "`pinned_total`"),
        (vec![views().help("Other words."), many(6), many_too(400)], "`many_too_total`"),
    ] {
        let error = agg.reload(&schema(families), start()).unwrap_err();
        assert!(error.is_limit() && error.to_string().contains(named), "{error}");
        assert_eq!(agg.bytes_used(), used);
    }
    let after = super::text(&agg);
    let of_users = |text: &str| text.split("# HELP lastmile_").next().unwrap().to_owned();
    assert_eq!(of_users(&before), of_users(&after));
}

#[test]
fn handles_to_series_that_left_work_on_and_are_counted() {
    let agg = aggregator([views(), Family::gauge("g"), waits(&[1.0])], Limits::default());
    let counter = agg.counter("views_total", &[("page", "a")]).unwrap();
    let (gauge, histogram) =
        (agg.gauge("g", &[]).unwrap(), agg.histogram("wait_seconds", &[]).unwrap());
    counter.inc();
    let exposition = reload(&agg, [Family::counter("g")]);
    assert_eq!(exposition.value("lastmile_detached_series", &[]), Some(3.0));
    assert_eq!(exposition.value("g", &[]), Some(0.0));
    let again = counter.clone();
    again.inc_by(2);
    again.add(0.5).unwrap();
    gauge.set(7.0);
    histogram.observe(0.5).unwrap();
    assert_eq!((counter.value(), gauge.value()), (3.5, 7.0));
    assert_eq!(read(&agg).value("g", &[]), Some(0.0), "what is detached is not exposed");
    assert!(agg.counter("views_total", &[("page", "a")]).unwrap_err().is_handle());

    // Declared again it is another series; the handle stays with the one that it is of.
    let exposition = reload(&agg, [views(), waits(&[1.0])]);
    assert_eq!(exposition.value("views_total", &[("page", "a")]), None);
    counter.inc();
    assert_eq!(read(&agg).value("views_total", &[("page", "a")]), None);
    drop((counter, again, gauge));
    agg.tick(start());
    assert_eq!(read(&agg).value("lastmile_detached_series", &[]), Some(1.0), "the histogram's");
    drop(histogram);
    agg.reload(&schema([]), start()).unwrap();
    assert_eq!(read(&agg).value("lastmile_detached_series", &[]), Some(0.0));
    assert_eq!(agg.bytes_used(), 0, "they take nothing with them");
}

#[test]
fn a_scrape_under_way_ends_with_the_families_it_began_with() {
    let agg = aggregator([views(), Family::counter("old_total"), waits(&[1.0])], Limits::default());
    let mut scrape = agg.scrape(lastmile::ScrapeOptions::text(), start());
    reload(&agg, [Family::counter("new_total"), waits(&[1.0])]);
    let (mut text, mut chunk) = (Vec::new(), Vec::new());
    while scrape.next_chunk(&mut chunk) {
        text.extend_from_slice(&chunk);
    }
    let exposition = crate::expo::parse(&text);
    assert!(exposition.family("new_total").is_none());
    assert_eq!(exposition.value("wait_seconds_count", &[]), Some(0.0));
}

#[test]
fn pushes_go_on_while_schemas_come_and_go() {
    let stays = Family::counter("stays_total").label(Label::open("page", 50));
    let agg = aggregator([stays.clone()], Limits::default());
    let (done, n_lost) = (AtomicBool::new(false), AtomicU64::new(0));
    const PUSHES: usize = 3_000;
    thread::scope(|scope| {
        let pushers: Vec<_> = (0..3)
            .map(|thread| {
                let (agg, n_lost) = (&agg, &n_lost);
                scope.spawn(move || {
                    for i in 0..PUSHES {
                        let body = format!(
                            r#"{{"lm":1,"m":{{"stays_total;page={}":1,"comes_total;page={i}":1,"stays_total;page=t{thread}":1}}}}"#,
                            i % 40
                        );
                        let push = agg.push(Format::Lm1, body.as_bytes(), &Source::default(), start());
                        let report = push.unwrap();
                        assert!(report.accepted() >= 2, "{report:?}");
                        n_lost.fetch_add(report.n_refused(), Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let (agg, done, stays) = (&agg, &done, &stays);
        let reloads = scope.spawn(move || {
            let mut n = 0;
            while !done.load(Ordering::Relaxed) || n < 20 {
                let comes = Family::counter("comes_total").label(Label::open("page", 10 + n % 3));
                let bounds = waits(&[f64::from(n) + 1.0]);
                let with = [stays.clone(), comes, bounds];
                reload(agg, with.into_iter().take(1 + n as usize % 3));
                n += 1;
            }
        });
        pushers.into_iter().for_each(|pusher| pusher.join().unwrap());
        done.store(true, Ordering::Relaxed);
        reloads.join().unwrap();
    });
    let exposition = read(&agg);
    assert_eq!(exposition.total("stays_total"), (3 * 2 * PUSHES) as f64);
    let refused = exposition.value("lastmile_refused_total", &[("reason", "unknown_family")]);
    assert_eq!(refused, Some(n_lost.load(Ordering::Relaxed) as f64));
    let n: f64 = written(&agg, "lastmile_samples_total").parse().unwrap();
    assert_eq!(n + refused.unwrap(), (3 * 3 * PUSHES) as f64);
    agg.reload(&schema([]), start()).unwrap();
    assert_eq!(agg.bytes_used(), 0, "nothing of what came and went is left");
}

#[test]
fn a_label_is_as_full_as_the_schema_in_force_says() {
    let pages = |max: u32| [Family::counter("c").label(Label::open("page", max))];
    let agg = aggregator(pages(1), Limits::default());
    let mut n_sent = 0;
    let mut check = |max: Option<u32>, page: &str, row: &str| {
        if let Some(max) = max {
            reload(&agg, pages(max));
        }
        let value = |row: &str| read(&agg).value("c", &[("page", row)]).unwrap_or(0.0);
        let before = value(row);
        push(&agg, Format::Lm1, &format!(r#"{{"lm":1,"m":{{"c;page={page}":1}}}}"#));
        n_sent += 1;
        assert_eq!(value(row), before + 1.0, "{page} with room for {max:?}");
        assert_eq!(read(&agg).total("c"), f64::from(n_sent));
    };
    check(None, "/1", "/1");
    check(None, "/2", "other");
    check(Some(2), "/2", "/2");
    check(None, "/3", "other");
    // None of those that have a place loses it.
    check(Some(1), "/1", "/1");
    check(None, "/2", "/2");
    check(None, "/3", "other");
    // A filter that was made for one value, too small for so many.
    check(Some(500), "/3", "/3");
    for page in 4..=500 {
        check(None, &format!("/{page}"), &format!("/{page}"));
    }
    check(None, "/501", "other");
    check(None, "/500", "/500");
}
