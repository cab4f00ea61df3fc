//! What stays true where there is no room.

use lastmile::{Aggregator, Family, Format, Label, Limits, Otherwise, Schema};
use proptest::prelude::*;

use super::{aggregator, inc, push, read};
use crate::oracle::start;
use crate::pushes::config;

proptest! {
    #![proptest_config(config(64))]

    /// Whatever the limits, totals and every query on closed labels stay true.
    #[test]
    fn totals_survive_every_limit(
        bytes in 0..200_000u64,
        series in 1..40u32,
        max_values in 1..40u32,
        pushes in proptest::collection::vec((0..60u32, 0..60u32, any::<bool>(), 1..5u32), 1..200),
    ) {
        let schema = Schema::builder()
            .family(
                Family::counter("c")
                    .label(Label::open("a", max_values))
                    .label(Label::closed("d", ["x", "y"]).otherwise(Otherwise::Refuse))
                    .label(Label::open("b", max_values)),
            )
            .family(Family::histogram("h", [1.0, 3.0]).label(Label::open("a", max_values)))
            .build()
            .unwrap();
        let limits = Limits::default().bytes(bytes).series_per_family(series);
        let agg = match Aggregator::new(schema, limits, start()) {
            Ok(agg) => agg,
            Err(error) => {
                prop_assert!(error.is_limit(), "{}", error);
                prop_assert!(bytes < 100_000 || series < 2, "{}", error);
                return Ok(());
            }
        };
        let (mut x, mut y, mut h) = (0, 0, 0);
        for (a, b, is_x, n) in pushes {
            let d = if is_x { "x" } else { "y" };
            let page = "long".repeat(a as usize % 20);
            push(&agg, Format::Lm1, &format!(
                "{{\"lm\":1,\"m\":{{\"c;a={page}{a};b={b};d={d}\":{n},\"h;a={a}\":[[{n},{n}]]}}}}"
            ));
            *(if is_x { &mut x } else { &mut y }) += n;
            h += n;
        }
        let exposition = read(&agg);
        let of = |d: &str| -> f64 {
            let samples = exposition.samples().filter(|s| s.name == "c" && s.label("d") == Some(d));
            samples.map(|s| s.value()).sum()
        };
        prop_assert_eq!((of("x"), of("y")), (f64::from(x), f64::from(y)));
        prop_assert_eq!(exposition.total("h_count"), f64::from(h));
        for (name, n) in [("c", 1), ("h", 5)] {
            let n_series = exposition.family(name).map_or(0, |f| f.samples.len()) / n;
            prop_assert!(n_series <= series as usize, "{} series of {}", n_series, name);
        }
        for label in ["a", "b"] {
            let mut values: Vec<_> = exposition.samples().filter(|s| s.name == "c").map(|s| s.label(label)).collect();
            values.retain(|value| *value != Some("other"));
            values.sort();
            values.dedup();
            prop_assert!(values.len() <= max_values as usize, "{:?}", values);
        }
    }
}

#[test]
fn a_full_label_folds_alone() {
    let family = Family::counter("c")
        .label(Label::open("page", 2))
        .label(Label::closed("device", ["phone"]))
        .label(Label::open("country", 2));
    let agg = aggregator([family], Limits::default());
    for page in ["/a", "/b", "/c", "/d", "other"] {
        for country in ["de", "fr", "us"] {
            let labels = [("page", page), ("device", "phone"), ("country", country)];
            push(&agg, Format::Record, &format!("[{}]", inc("c", &labels, "1")));
        }
    }
    let exposition = read(&agg);
    let value = |page: &str, country: &str| {
        exposition.value("c", &[("page", page), ("device", "phone"), ("country", country)])
    };
    for page in ["/a", "/b"] {
        assert_eq!([value(page, "de"), value(page, "fr"), value(page, "other")], [Some(1.0); 3]);
    }
    // `/c`, `/d`, and what was sent as `other`.
    assert_eq!(
        [value("other", "de"), value("other", "fr"), value("other", "other")],
        [Some(3.0); 3]
    );
    let overflow =
        |label| exposition.value("lastmile_overflow_total", &[("family", "c"), ("label", label)]);
    assert_eq!(overflow("page"), Some(6.0), "a client's own `other` is no overflow");
    assert_eq!(overflow("country"), Some(5.0));
}
