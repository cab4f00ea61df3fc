use lastmile::Label;

use super::*;

/// Whether a family of ours, or one that was appended before, leaves out one of a registry's.
#[track_caller]
fn check(ours: Family, theirs: &str, left_out: &[&str]) {
    let agg = aggregator([ours]);
    let text = theirs.to_owned();
    agg.append(move |out| {
        out.push_str(&text);
        Ok(())
    });
    let found = agg.left_out();
    let names: Vec<&str> = found.iter().map(lastmile::LeftOut::family).collect();
    assert_eq!(names, left_out, "{theirs}: {found:?}");
    for family in &found {
        assert!(family.why().starts_with("exposes `"), "{family}");
    }
    shown_in_all(&agg);
    let n_shown = theirs.matches("# TYPE ").count() - left_out.len();
    assert_eq!(counted(&agg), [n_shown as f64, left_out.len() as f64, 0.0, 0.0], "{theirs}");
}

const COUNTER: &str = "# TYPE x counter\nx_total 1\n";
const GAUGE: &str = "# TYPE x gauge\nx 1\n";
const HISTOGRAM: &str =
    "# TYPE x histogram\nx_sum 1\nx_count 1\nx_bucket{le=\"1.0\"} 1\nx_bucket{le=\"+Inf\"} 1\n";
const INFO: &str = "# TYPE x info\nx_info 1\n";
const UNKNOWN: &str = "# TYPE x unknown\nx 1\n";

#[test]
fn ours_stay_and_theirs_that_share_a_name_are_left_out() {
    let counter = Family::counter;
    let gauge = Family::gauge;
    let histogram = |name: &str| Family::histogram(name, [1.0]);
    for (ours, clashes) in [
        // In the order counter, gauge, histogram, info, unknown of `x`.
        (counter("x_total"), [true; 5]),
        (counter("x"), [true; 5]),
        (gauge("x"), [true; 5]),
        (histogram("x"), [true; 5]),
        (gauge("x_total"), [true, false, false, false, false]),
        (gauge("x_created"), [true, false, true, false, false]),
        (counter("x_created_total"), [true, false, true, false, false]),
        (gauge("x_sum"), [false, false, true, false, false]),
        (gauge("x_count"), [false, false, true, false, false]),
        (counter("x_bucket"), [false, false, true, false, false]),
        (gauge("x_info"), [false, false, false, true, false]),
        (counter("x_info_total"), [false, false, false, true, false]),
        (histogram("x_info"), [false, false, false, true, false]),
        (gauge("x_other"), [false; 5]),
        (counter("xx_total"), [false; 5]),
    ] {
        for (theirs, clashes) in [COUNTER, GAUGE, HISTOGRAM, INFO, UNKNOWN].into_iter().zip(clashes)
        {
            check(ours.clone(), theirs, if clashes { &["x"] } else { &[] });
        }
    }
    #[cfg(feature = "summary")]
    for (theirs, left_out) in [
        (GAUGE, &["x"][..]),
        ("# TYPE x_sum counter\nx_sum_total 1\n", &["x_sum"]),
        ("# TYPE x_count gauge\nx_count 1\n", &["x_count"]),
        ("# TYPE x_bucket gauge\nx_bucket 1\n", &[]),
    ] {
        check(Family::summary("x"), theirs, left_out);
    }
}

#[test]
fn names_that_escapings_make_of_ours_are_ours() {
    for (ours, theirs, left_out) in [
        ("my.x", "# TYPE my_x gauge\nmy_x 1\n", &["my_x"][..]),
        ("my.x", "# TYPE my_dot_x gauge\nmy_dot_x 1\n", &["my_dot_x"]),
        ("my.x", "# TYPE U__my_2e_x gauge\nU__my_2e_x 1\n", &["U__my_2e_x"]),
        ("my.x", "# TYPE my__x gauge\nmy__x 1\n", &[]),
        ("my_x", "# TYPE my_dot_x gauge\nmy_dot_x 1\n", &[]),
    ] {
        check(Family::gauge(ours).label(Label::closed("a", ["1"])), theirs, left_out);
    }
}

#[test]
fn the_aggregators_own_are_ours_too() {
    for theirs in [
        "# TYPE lastmile_readers gauge\nlastmile_readers 7\n",
        "# TYPE lastmile_refused counter\nlastmile_refused_total 7\n",
        "# TYPE metrics_aggregator_record counter\nmetrics_aggregator_record_total 7\n",
        "# TYPE lastmile_build info\nlastmile_build_info 1\n",
    ] {
        let name = theirs.split(' ').nth(2).unwrap();
        check(Family::gauge("x"), theirs, &[name]);
    }
}

#[test]
fn of_theirs_the_first_one_stays() {
    let ours = || Family::gauge("ours");
    let total = "# TYPE x_total gauge\nx_total 1\n";
    check(ours(), &(COUNTER.to_owned() + total), &["x_total"]);
    check(ours(), &(total.to_owned() + COUNTER), &["x"]);
    check(ours(), &(HISTOGRAM.to_owned() + "# TYPE x_sum info\nx_sum_info 1\n"), &["x_sum"]);
    check(ours(), &(INFO.to_owned() + "# TYPE x_total gauge\nx_total 1\n"), &[]);
    // One that is left out takes no names.
    let text = "# TYPE ours counter\nours_total 1\n# TYPE ours_total gauge\nours_total 1\n";
    check(ours(), text, &["ours"]);
}

#[test]
fn of_registries_the_first_one_stays() {
    let agg = aggregator([]);
    for n in 1..3 {
        agg.append(move |out| {
            out.push_str(&format!("# TYPE x gauge\nx {n}\n# TYPE x{n} gauge\nx{n} {n}\n"));
            Ok(())
        });
    }
    let values: Vec<String> = shown_in_all(&agg).into_values().collect();
    assert_eq!(values, ["1", "1", "2"]);
    let why = "family `x` is left out: exposes `x`, as family `x` does";
    assert_eq!(agg.left_out().iter().map(ToString::to_string).collect::<Vec<_>>(), [why]);
}

#[test]
fn a_reload_decides_anew() {
    let schema = |name: &str| Schema::builder().family(Family::gauge(name)).build().unwrap();
    let agg = aggregator([Family::gauge("y")]);
    agg.append(|out| {
        out.push_str("# TYPE x gauge\nx 1\n");
        Ok(())
    });
    for (ours, left_out) in [("x", &["x"][..]), ("y", &[]), ("x", &["x"])] {
        agg.reload(&schema(ours), start()).unwrap();
        let found = agg.left_out();
        assert_eq!(found.iter().map(lastmile::LeftOut::family).collect::<Vec<_>>(), left_out);
        shown_in_all(&agg);
    }
    // A scrape under way goes by the families that it began with.
    let mut scrape = agg.scrape(ScrapeOptions::text(), start());
    agg.reload(&schema("y"), start()).unwrap();
    let (mut text, mut chunk) = (Vec::new(), Vec::new());
    while scrape.next_chunk(&mut chunk) {
        text.extend_from_slice(&chunk);
    }
    assert_eq!(read(&text, Dialect::Text).family("x"), None, "x is gone, and was ours");
}
