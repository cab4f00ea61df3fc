//! Totals of groups, as they are pushed to a Pushgateway, and Prometheus' protobuf.

mod laws;
mod protobuf;

use std::time::Duration;

use lastmile::{Aggregator, Format, Limits, PushReport, Schema, Source, Timestamp};

use crate::expo::{self, Exposition};
use crate::oracle::start;

const FAMILIES: &str = "
    [[family]]
    name = 'up_total'
    type = 'counter'
    max = 1e15
    ttl = '24h'
    labels = [{ name = 'zone', max_values = 10 }]
    [[family]]
    name = 'jobs_total'
    type = 'counter'
    max = 1e15
    [[family]]
    name = 'wait_seconds'
    type = 'histogram'
    bounds = [0.5, 1, 4]
    native = { schema = 5 }
    [[family]]
    name = 'level'
    type = 'gauge'
    min = -100
";

const GROUP: &[(&str, &str)] = &[("job", "nightly"), ("zone", "eu")];

fn aggregator(limits: Limits, now: Timestamp) -> Aggregator {
    let schema = Schema::builder().toml("schema.toml", FAMILIES).build().unwrap();
    Aggregator::new(schema, limits, now).unwrap()
}

fn exposition(agg: &Aggregator, now: Timestamp) -> Exposition {
    let mut text = Vec::new();
    agg.tick(now);
    agg.encode_to(&mut text, now).unwrap();
    expo::parse(&text)
}

/// A minute for each step, so that clocks leave no doubt.
fn after(minutes: u64) -> Timestamp {
    start().after(Duration::from_secs(60 * minutes))
}

/// A moment in seconds since the Unix epoch, as text has it.
fn secs(minutes: i64) -> String {
    let ms = start().wall_ms().checked_add_signed(minutes * 60_000).unwrap();
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

fn push(agg: &Aggregator, group: &[(&str, &str)], body: &str, now: Timestamp) -> PushReport {
    let source = Source::default().grouping_key(group);
    agg.push(Format::PromText, body.as_bytes(), &source, now).unwrap()
}

/// One push after the other, a minute between them, and what a series reads after each.
#[track_caller]
fn check(what: &str, series: (&str, &[(&str, &str)]), baselines: f64, pushes: &[(&str, f64)]) {
    let agg = aggregator(Limits::default(), start());
    for (minute, (body, total)) in (1..).zip(pushes) {
        let report = push(&agg, GROUP, body, after(minute));
        let n = body.lines().filter(|l| !l.starts_with('#') && !l.contains("_created")).count();
        assert_eq!(report.accepted() + report.n_refused(), n as u64, "{what}");
        let seen = exposition(&agg, after(minute));
        assert_eq!(seen.value(series.0, series.1), Some(*total), "{what}, push {minute}");
    }
    let seen = exposition(&agg, after(9));
    let counted = seen.value("lastmile_cumulative_baseline_total", &[]);
    assert_eq!(counted, Some(baselines), "{what}");
}

const JOBS: (&str, &[(&str, &str)]) = ("jobs_total", &[]);

#[test]
fn a_total_adds_what_it_rose_by() {
    let created = |minutes: i64, n: u64| {
        format!("# TYPE jobs counter\njobs_total {n}\njobs_created {}\n# EOF\n", secs(minutes))
    };
    let process = |minutes: i64, n: u64| {
        format!("jobs_total {n}\nprocess_start_time_seconds {}\n", secs(minutes))
    };
    check(
        "a counter",
        JOBS,
        1.0,
        &[
            ("jobs_total 30", 0.0),
            ("jobs_total 35", 5.0),
            ("jobs_total 35", 5.0),
            // A fall is a reset.
            ("jobs_total 2", 7.0),
            ("jobs_total 3.5", 8.5),
        ],
    );
    check(
        "one that began since, as it says",
        JOBS,
        0.0,
        &[(&created(1, 30), 30.0), (&created(1, 31), 31.0), (&created(3, 4), 35.0)],
    );
    check(
        "one that began before this process, as it says",
        JOBS,
        1.0,
        &[(&created(-1, 30), 0.0), (&created(-1, 31), 1.0)],
    );
    check(
        "one that said when it began, and says it no more",
        JOBS,
        0.0,
        &[(&created(1, 10), 10.0), ("jobs_total 12", 12.0), (&created(1, 13), 13.0)],
    );
    check(
        "one that began before another of its name that is known",
        JOBS,
        0.0,
        &[(&created(1, 10), 10.0), (&created(-1, 90), 10.0), (&created(1, 11), 11.0)],
    );
    check(
        "two that say to have begun at once take turns",
        JOBS,
        0.0,
        &[(&created(1, 30), 30.0), (&created(1, 5), 30.0), (&created(1, 31), 31.0)],
    );
    check(
        "what says when it began, as 0.0.4 has it",
        JOBS,
        0.0,
        &[(&format!("jobs_total 8\n# TYPE jobs_created gauge\njobs_created {}", secs(1)), 8.0)],
    );
    check(
        "of a process that began since",
        JOBS,
        0.0,
        &[(&process(1, 30), 30.0), (&process(1, 31), 31.0), (&process(3, 4), 35.0)],
    );
    check("of an older process", JOBS, 1.0, &[(&process(-1, 30), 0.0), (&process(-1, 31), 1.0)]);
    check("of one whose clock is ahead", JOBS, 1.0, &[(&process(90, 30), 0.0)]);
    check(
        "NaN",
        JOBS,
        1.0,
        &[("jobs_total NaN", 0.0), ("jobs_total 3", 0.0), ("jobs_total 4", 1.0)],
    );
    check("below 0", JOBS, 1.0, &[("jobs_total -1", 0.0), ("jobs_total 3", 0.0)]);
    check(
        "a series that comes twice counts as it came first",
        JOBS,
        1.0,
        &[("jobs_total 5\njobs_total 3", 0.0), ("jobs_total 6\njobs_total 3", 1.0)],
    );
    check(
        "too much at once",
        JOBS,
        1.0,
        &[("jobs_total 5", 0.0), ("jobs_total 2e15", 0.0), ("jobs_total 2000000000000007", 7.0)],
    );
}

#[test]
fn what_was_not_in_a_whole_group_is_new() {
    let key = &[("job", "nightly")];
    let post = Source::default().grouping_key(key);
    let put = post.whole_group();
    for (what, first, second, wanted) in [
        ("a whole group, and another", (&put, "up_total{zone=\"x\"} 4"), &put, 3.0),
        ("one that had nothing", (&put, ""), &put, 3.0),
        ("part of one", (&post, "up_total{zone=\"x\"} 4"), &put, 0.0),
        ("the second is part of one", (&put, "up_total{zone=\"x\"} 4"), &post, 0.0),
        // What was refused may have been it.
        ("one of which something was refused", (&put, "up_total{zone=\"y\"} NaN"), &put, 0.0),
        ("of which a label was", (&put, "up_total{page=\"y\"} 1"), &put, 0.0),
        ("of which a name was that is not declared", (&put, "nodejs_info{x=\"y\"} 1"), &put, 3.0),
    ] {
        let agg = aggregator(Limits::default(), start());
        let push = |source: &Source<'_>, body: &str, minute| {
            agg.push(Format::PromText, body.as_bytes(), source, after(minute)).unwrap();
        };
        push(first.0, first.1, 1);
        push(second, "up_total{zone=\"y\"} 3", 2);
        let seen = exposition(&agg, after(3)).value("up_total", &[("zone", "y")]);
        assert_eq!(seen.unwrap_or(0.0), wanted, "{what}");
    }
}

#[test]
fn what_a_schema_did_not_declare_was_not_looked_at() {
    let agg = aggregator(Limits::default(), start());
    let source = Source::default().grouping_key(GROUP).whole_group();
    let push = |body: &str, minute| {
        agg.push(Format::PromText, body.as_bytes(), &source, after(minute)).unwrap();
        exposition(&agg, after(minute)).value("later_total", &[])
    };
    assert_eq!(push("later_total 5", 1), None);
    let more = format!("{FAMILIES}\n[[family]]\nname = 'later_total'\ntype = 'counter'\nmax = 1e9");
    let schema = Schema::builder().toml("schema.toml", &more).build().unwrap();
    agg.reload(&schema, after(2)).unwrap();
    assert_eq!(push("later_total 7", 3), Some(0.0), "it was there before");
    assert_eq!(push("later_total 8", 4), Some(1.0));
}

#[test]
fn what_says_that_it_is_old_is_not_new() {
    let agg = aggregator(Limits::default(), start());
    let source = Source::default().grouping_key(GROUP).whole_group();
    agg.push(Format::PromText, b"", &source, after(1)).unwrap();
    for (created, wanted) in [(-9, 0.0), (1, 5.0)] {
        let body = format!("jobs_total 5\njobs_created {}\n", secs(created));
        agg.push(Format::PromText, body.as_bytes(), &source, after(2)).unwrap();
        assert_eq!(exposition(&agg, after(2)).value("jobs_total", &[]), Some(wanted));
    }
}

#[test]
fn what_is_not_in_a_push_stays_where_it_stood() {
    check(
        "left out and back",
        JOBS,
        2.0,
        &[("jobs_total 30", 0.0), ("level 1", 0.0), ("jobs_total 37\nup_total 1", 7.0)],
    );
}

#[test]
fn a_group_that_is_deleted_starts_anew() {
    let agg = aggregator(Limits::default(), start());
    let source = Source::default().grouping_key(GROUP);
    // Labels are a set, and another key another group.
    let same = Source::default().grouping_key(&[("zone", "eu"), ("job", "nightly")]);
    let other = Source::default().grouping_key(&[("job", "nightly")]);
    let other_key = source.key("somebody");
    let total = |minute: u64, n: u64| {
        push(&agg, GROUP, &format!("jobs_total {n}"), after(minute));
        exposition(&agg, after(minute)).value("jobs_total", &[])
    };
    assert_eq!(total(1, 30), Some(0.0));
    assert_eq!(total(2, 31), Some(1.0));
    agg.forget_group(&other, after(4));
    agg.forget_group(&other_key, after(4));
    agg.forget_group(&Source::default(), after(4));
    assert_eq!(total(3, 32), Some(2.0));
    agg.forget_group(&same, after(4));
    assert_eq!(total(4, 90), Some(2.0), "nobody can tell");
    assert_eq!(total(5, 91), Some(3.0));
    agg.forget_group(&source, after(4));
    assert_eq!(total(6, 4), Some(3.0), "neither by a fall");
}

#[test]
fn labels_of_a_group_are_those_of_its_samples() {
    let agg = aggregator(Limits::default(), start());
    for n in [1, 4] {
        let body = format!("up_total {n}\nup_total{{zone=\"asia\",job=\"x\"}} 1\njobs_total {n}");
        let report = push(&agg, GROUP, &body, after(n));
        // What names the group and no label is no label; what is none at all still is.
        assert_eq!((report.accepted(), report.n_refused()), (2, 1), "{n}");
        let why: Vec<_> = report.refused().collect();
        assert_eq!(why, [(lastmile::Refusal::UnknownLabel, 1)]);
    }
    let seen = exposition(&agg, after(5));
    assert_eq!(seen.value("up_total", &[("zone", "eu")]), Some(3.0));
    assert_eq!(seen.value("jobs_total", &[]), Some(3.0));
    // A sample's own label gives way, so that both would be one series here.
    let twice = "up_total{zone=\"asia\"} 9\nup_total 9\n";
    assert_eq!(push(&agg, GROUP, twice, after(6)).n_refused(), 1);
}

#[test]
fn buckets_add_what_they_rose_by() {
    let wait = |counts: [u64; 4], sum: f64| {
        let [a, b, c, inf] = counts;
        format!(
            "# TYPE wait_seconds histogram\nwait_seconds_bucket{{le=\"0.5\"}} {a}\nwait_seconds_bucket{{le=\"1\"}} {b}\n\
             wait_seconds_bucket{{le=\"4\"}} {c}\nwait_seconds_bucket{{le=\"+Inf\"}} {inf}\n\
             wait_seconds_sum {sum}\nwait_seconds_count {inf}\n"
        )
    };
    let one = ("wait_seconds_bucket", &[("le", "1.0")][..]);
    check(
        "a histogram",
        one,
        1.0,
        &[
            (&wait([1, 2, 3, 3], 4.0), 0.0),
            (&wait([1, 4, 6, 7], 20.0), 2.0),
            (&wait([1, 4, 6, 7], 20.0), 2.0),
            // A bucket that falls is a reset.
            (&wait([0, 1, 9, 9], 12.0), 3.0),
        ],
    );
    let explicit = |n: u64, sum: f64| {
        format!(
            "wait_seconds_bucket{{le=\"1\"}} {n}\nwait_seconds_bucket{{le=\"+Inf\"}} {n}\nwait_seconds_sum {sum}\n"
        )
    };
    let counted = |n: u64, sum: f64| {
        format!(
            "wait_seconds_bucket{{le=\"1\"}} {n}\nwait_seconds_sum {sum}\nwait_seconds_count {n}\n"
        )
    };
    check(
        "with a count of all and without",
        one,
        1.0,
        &[
            (&explicit(2, 1.0), 0.0),
            (&(explicit(5, 2.0) + "wait_seconds_count 5"), 3.0),
            (&counted(9, 3.0), 7.0),
            (&explicit(10, 4.0), 8.0),
        ],
    );
    check(
        "a sum that no such counts have",
        one,
        1.0,
        &[(&wait([1, 2, 3, 3], 4.0), 0.0), (&wait([1, 3, 4, 4], 1e300), 0.0)],
    );
    check(
        "other bounds",
        one,
        2.0,
        &[
            (&wait([1, 2, 3, 3], 4.0), 0.0),
            ("wait_seconds_bucket{le=\"+Inf\"} 9\nwait_seconds_sum 9\n", 0.0),
        ],
    );
    check("counts that fall within", one, 0.0, &[(&wait([3, 2, 3, 3], 4.0), 0.0)]);
}

#[test]
fn a_level_is_what_it_is_now() {
    let level = ("level", &[][..]);
    check("a gauge", level, 0.0, &[("level 5", 5.0), ("level -3", -3.0), ("level -300", -3.0)]);
}

#[test]
fn a_push_that_is_known_by_its_key_is_not_looked_at() {
    let agg = aggregator(Limits::default(), start());
    let source = Source::default().grouping_key(GROUP).idempotency_key("0123456789abcdef");
    let other = Source::default().grouping_key(&GROUP[..1]).idempotency_key("0123456789abcdef");
    for (source, duplicates) in [(&source, 0), (&source, 1), (&other, 0)] {
        let report = agg.push(Format::PromText, b"jobs_total 3", source, after(1)).unwrap();
        assert_eq!(report.duplicate_batches(), duplicates);
        assert_eq!(report.accepted() + report.duplicate_samples(), 1);
    }
}

#[test]
fn what_the_server_sets_names_no_stream() {
    let schema = "[[family]]\nname = 'up_total'\ntype = 'counter'\n\
        labels = [{ name = 'country', max_values = 9, from = 'header:x-country' }]";
    let schema = Schema::builder().toml("schema.toml", schema).build().unwrap();
    let agg = Aggregator::new(schema, Limits::default(), start()).unwrap();
    let key = [("job", "a")];
    for (minute, country, n) in [(1, "de", 0), (2, "de", 10), (3, "fr", 12), (4, "de", 13)] {
        let headers = [("x-country", country)];
        let source = Source::default().grouping_key(&key).whole_group().headers(&headers);
        let body = format!("up_total {n}");
        agg.push(Format::PromText, body.as_bytes(), &source, after(minute)).unwrap();
    }
    let seen = exposition(&agg, after(5));
    let of = |country| seen.value("up_total", &[("country", country)]);
    assert_eq!((of("de"), of("fr")), (Some(11.0), Some(2.0)));
}

#[test]
fn who_loses_streams_loses_its_own() {
    let agg = aggregator(Limits::default(), start());
    let (good, bad) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
    let push = |addr, job: &str, body: &str, minute| {
        let key = [("job", job)];
        let source = Source::default().grouping_key(&key).whole_group().addr(addr);
        agg.push(Format::PromText, body.as_bytes(), &source, after(minute)).unwrap()
    };
    push(good, "a", "", 1);
    push(bad, "b", "", 1);
    // More buckets than are kept of one stream: it is not known next time.
    let wide = (0..9_000)
        .fold(String::new(), |all, i| format!("{all}wait_seconds_bucket{{le=\"{i}\"}} 3\n"));
    let wide = wide + "wait_seconds_sum 1\nwait_seconds_count 3\n";
    assert_eq!(push(bad, "b", &wide, 2).n_refused(), 0);
    push(bad, "b", "jobs_total 7", 3);
    assert_eq!(exposition(&agg, after(3)).value("jobs_total", &[]), Some(0.0));
    push(good, "a", "jobs_total 5", 3);
    assert_eq!(exposition(&agg, after(3)).value("jobs_total", &[]), Some(5.0));
}

#[test]
fn a_group_has_no_more_labels_than_a_family() {
    let agg = aggregator(Limits::default(), start());
    let names: Vec<String> = (0..31).map(|i| format!("l{i}")).collect();
    let labels: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    for (n, wanted) in [(30, true), (31, false)] {
        let group = Source::default().grouping_key(&labels[..n]);
        let added = Source::default().labels(&labels[..n]);
        for source in [group, added] {
            let pushed = agg.push(Format::PromText, b"jobs_total 1", &source, start());
            assert_eq!(pushed.is_ok(), wanted, "{n}");
        }
    }
}
