//! Bound handles of the host.

use std::thread;

use lastmile::{Family, Format, Label, Limits, Otherwise};

use super::{aggregator, inc, push, read, written};

#[test]
fn a_refused_handle_takes_no_place() {
    let family = Family::counter("c").label(Label::open("a", 1)).label(Label::open("b", 2));
    let agg = aggregator([family], Limits::default());
    agg.counter("c", &[("a", "1"), ("b", "1")]).unwrap();
    agg.counter("c", &[("a", "2"), ("b", "2")]).expect_err("`a` is full");
    agg.counter("c", &[("a", "1"), ("b", "3")]).expect("`b` has one place left");
    assert_eq!(read(&agg).total("lastmile_overflow_total"), 0.0);
}

#[test]
fn handles_are_bound_by_name() {
    let page = Label::open("page", 1).max_bytes(5);
    let strict = Label::closed("app", ["student"]).otherwise(Otherwise::Refuse);
    let agg = aggregator(
        [
            Family::counter("c").label(page).label(strict),
            Family::gauge("g"),
            Family::histogram("h", [1.0]),
        ],
        Limits::default(),
    );
    for (name, labels, why) in [
        ("nope", &[][..], "an unknown family"),
        ("g", &[], "a gauge"),
        ("h", &[], "a histogram"),
        ("lastmile_pushes_total", &[("format", "lm1")], "our own"),
        ("c", &[], "no labels"),
        ("c", &[("page", "a")], "a label is missing"),
        ("c", &[("page", "a"), ("app", "student"), ("x", "y")], "a label too many"),
        ("c", &[("page", "a"), ("page", "a"), ("app", "student")], "a label twice"),
        ("c", &[("page", "a"), ("x", "student")], "another label"),
        ("c", &[("page", "a"), ("app", "teacher")], "an unlisted value"),
        ("c", &[("page", "/abcde"), ("app", "student")], "a long value"),
    ] {
        let error = agg.counter(name, labels).err().unwrap_or_else(|| panic!("{why} is bound"));
        assert!(error.is_handle(), "{why}: {error}");
    }
    agg.gauge("c", &[("page", "a"), ("app", "student")]).expect_err("no gauge");
    agg.histogram("g", &[]).expect_err("no histogram");
    let one = agg.counter("c", &[("app", "student"), ("page", "a")]).unwrap();
    agg.counter("c", &[("page", "b"), ("app", "student")]).expect_err("the page is taken");
    // Two handles and a push are one series, and it outlives them.
    let two = agg.counter("c", &[("page", "a"), ("app", "student")]).unwrap();
    one.inc();
    two.clone().inc_by(41);
    push(
        &agg,
        Format::Record,
        &format!("[{}]", inc("c", &[("page", "a"), ("app", "student")], "0.5")),
    );
    assert_eq!((one.value(), two.value()), (42.5, 42.5));
    drop((one, two));
    assert_eq!(read(&agg).value("c", &[("page", "a"), ("app", "student")]), Some(42.5));
    let again = agg.counter("c", &[("page", "a"), ("app", "student")]).unwrap();
    again.inc_by(u64::MAX);
    assert_eq!(written(&agg, "c").parse(), Ok(u64::MAX as f64 + 42.5));
    for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 1e300] {
        again.add(wrong).expect_err("it would break the sum");
        agg.histogram("h", &[]).unwrap().observe(wrong).expect_err("it would break the sum");
        agg.gauge("g", &[]).unwrap().set(wrong);
        agg.gauge("g", &[]).unwrap().add(wrong);
    }
    assert_eq!(read(&agg).value("h_count", &[]), Some(0.0));
}

#[test]
fn exemplars_are_charged_while_their_handle_lives() {
    let families = || [Family::counter("c"), Family::histogram("h", [1.0, 2.0])];
    let empty = aggregator(families(), Limits::default()).bytes_used();
    // Room for so many bytes of exemplars, and whether each of these is taken then.
    let (short, long) = ("a", "\u{1F600}".repeat(120));
    let label = 2 * size_of::<Box<str>>() as u64;
    let slot = size_of::<(Box<[u8]>, f64, Option<u64>)>() as u64;
    let of = |text: &str| label + "id".len() as u64 + text.len() as u64;
    let counter = |text: &str| slot + of(text);
    let histogram = 3 * slot + of(short);
    for (room, taken) in [
        (0, [false; 4]),
        (counter(short) - 1, [false; 4]),
        (counter(short), [true, false, true, false]),
        (counter(short) + histogram - 1, [true, false, true, false]),
        (counter(short) + histogram, [true, false, true, true]),
        (counter(&long) - 1, [true, false, true, true]),
        (counter(&long), [true; 4]),
    ] {
        let agg = aggregator(families(), Limits::default().bytes(empty + room));
        let (c, h) = (agg.counter("c", &[]).unwrap(), agg.histogram("h", &[]).unwrap());
        let clone = c.clone();
        let found = [
            c.inc_by_with_exemplar(1, &[("id", short)], None),
            c.inc_by_with_exemplar(1, &[("id", &long)], None),
            clone.inc_by_with_exemplar(1, &[("id", short)], None),
            h.observe_with_exemplar(1.5, &[("id", short)], None).unwrap(),
        ];
        assert_eq!(found, taken, "{room} bytes");
        assert_eq!((c.value(), read(&agg).value("h_count", &[])), (3.0, Some(1.0)), "{room} bytes");
        drop(c);
        let kept = u64::from(taken[0]) * counter(short) + u64::from(taken[3]) * histogram;
        assert_eq!(agg.bytes_used(), empty + kept, "{room} bytes");
        drop((clone, h));
        assert_eq!(agg.bytes_used(), empty, "{room} bytes");
    }
}

#[test]
fn handles_of_many_threads_lose_nothing() {
    let agg = aggregator([Family::counter("c"), Family::histogram("h", [1.0])], Limits::default());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    // Bound and dropped all the time, while others count and scrape.
                    let (c, h) = (agg.counter("c", &[]).unwrap(), agg.histogram("h", &[]).unwrap());
                    for _ in 0..100 {
                        c.inc();
                        h.observe(0.5).unwrap();
                    }
                    c.add(0.25).unwrap();
                    read(&agg);
                }
            });
        }
    });
    assert_eq!(written(&agg, "c"), "20050");
    assert_eq!(written(&agg, "h_count"), "20000");
    assert_eq!(written(&agg, "h_sum"), "10000");
}
