use std::fmt;
use std::sync::Arc;

use lastmile::LeftOut;
use prometheus_client::encoding::{
    EncodeLabelSet, EncodeMetric, LabelSetEncoder, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, NativeHistogramConfig};
use prometheus_client::registry::Unit;
use proptest::prelude::*;

use super::*;

/// A metric that encodes itself as it likes.
struct Custom(MetricType, fn(&mut MetricEncoder<'_>) -> fmt::Result);

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Custom")
    }
}

impl EncodeMetric for Custom {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        (self.1)(&mut encoder)
    }

    fn metric_type(&self) -> MetricType {
        self.0
    }
}

/// A label set whose names are not escaped by anyone.
struct Breaks;

impl EncodeLabelSet for Breaks {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        use prometheus_client::encoding::EncodeLabel as _;

        ("a=\"\"} 1\n# TYPE up gauge\nup 0\n#", "x").encode(encoder.encode_label())
    }
}

/// Registers what is wrong between two families that are right; these are shown, and of what is wrong nothing,
/// in any format. What is left out is told by name.
#[track_caller]
fn check(wrong: impl FnOnce(&mut Registry), left_out: &[&str], counts: [f64; 4]) -> Vec<LeftOut> {
    let agg = aggregator([Family::counter("ours_total")]);
    let mut registry = Registry::default();
    registry.register("before", "Before", Counter::<u64>::default());
    wrong(&mut registry);
    registry.register("after", "After", Counter::<u64>::default());
    agg.append_registry(Arc::new(registry));
    let found = agg.left_out();
    assert_eq!(found.iter().map(LeftOut::family).collect::<Vec<_>>(), left_out, "{found:?}");
    let shown = shown_in_all(&agg);
    let mut names: Vec<&str> = shown.keys().map(|(name, _)| name.as_str()).collect();
    names.dedup();
    // Of what came before an encoder failed, the library keeps some in a buffer.
    let expected = &["after_total", "before_total", "ours_total"][..];
    assert_eq!(names, if counts[3] > 0.0 { &expected[2..] } else { expected });
    assert_eq!(counted(&agg), counts);
    found
}

const ONE_INVALID: [f64; 4] = [2.0, 0.0, 1.0, 0.0];

#[test]
fn what_is_wrong_is_left_out_alone() {
    let gauge = |v: f64| {
        let gauge = Gauge::<f64, std::sync::atomic::AtomicU64>::default();
        gauge.set(v);
        gauge
    };
    for help in ["line one\nline two", "\n", "a\n# EOF", "a\n# TYPE x gauge\nx 1\n", "nul\0"] {
        check(|r| r.register("x", help, gauge(1.0)), &["x"], ONE_INVALID);
    }
    for name in ["my.x", "my-x", "9x", "é", "x{a=\"1\"}"] {
        check(|r| r.register(name, "Help", gauge(1.0)), &[name], ONE_INVALID);
    }
    check(|r| r.register("a x", "Help", gauge(1.0)), &["a"], ONE_INVALID);
    check(|r| r.register("", "Help", gauge(1.0)), &[""], ONE_INVALID);
    for unit in ["two words", "line\nfeed", "é"] {
        let unit = || Unit::Other(unit.to_owned());
        let name = format!("x_{}", unit().as_str().split([' ', '\n']).next().unwrap());
        check(|r| r.register_with_unit("x", "Help", unit(), gauge(1.0)), &[&name], ONE_INVALID);
    }
    for v in [f64::NAN, -1.0] {
        let histogram = Histogram::new([1.0]);
        histogram.observe(v);
        check(|r| r.register("x", "Help", histogram), &["x"], ONE_INVALID);
    }
    check(|r| r.register("x", "Help", Histogram::new([-1.0, 1.0])), &["x"], ONE_INVALID);
    check(|r| r.register("x", "Help", Histogram::new([1.0, 1.0])), &["x"], ONE_INVALID);
    let twice = |r: &mut Registry| (0..2).for_each(|_| r.register("x", "Help", gauge(1.0)));
    check(twice, &["x"], ONE_INVALID);
    let types = |r: &mut Registry| {
        r.register("x", "Help", gauge(1.0));
        r.register("x", "Help", Counter::<u64>::default());
    };
    check(types, &["x"], ONE_INVALID);
}

#[test]
fn metrics_that_encode_themselves_break_nothing() {
    const NO: Option<&Exemplar<NoLabelSet, f64>> = None;
    let customs: [Custom; 9] = [
        Custom(MetricType::Gauge, |e| e.encode_counter(&1_u64, NO)),
        Custom(MetricType::Counter, |e| e.encode_gauge(&1_u64)),
        Custom(MetricType::Counter, |e| e.encode_counter(&-1.0, NO)),
        Custom(MetricType::Counter, |e| e.encode_counter(&f64::NAN, NO)),
        Custom(MetricType::Histogram, |e| e.encode_gauge(&1_u64)),
        Custom(MetricType::Histogram, |e| {
            e.encode_histogram::<NoLabelSet>(1.0, 2, &[(1.0, 1), (f64::INFINITY, 0)], None)
        }),
        Custom(MetricType::Histogram, |e| {
            e.encode_histogram::<NoLabelSet>(1.0, 1, &[(1.0, 1)], None)
        }),
        Custom(MetricType::Gauge, |e| {
            e.encode_family(&[("le", "1"), ("le", "2")])?.encode_gauge(&1_u64)
        }),
        Custom(MetricType::Gauge, |e| e.encode_family(&[("__name__", "up")])?.encode_gauge(&1_u64)),
    ];
    for custom in customs {
        check(|r| r.register("x", "Help", custom), &["x"], ONE_INVALID);
    }
    // A label that writes lines of another family can do so; what it writes is valid or not shown.
    let breaks = Custom(MetricType::Gauge, |e| e.encode_family(&Breaks)?.encode_gauge(&1_u64));
    let mut registry = Registry::default();
    registry.register("x", "Help", breaks);
    let agg = aggregator([]);
    agg.append_registry(Arc::new(registry));
    assert_eq!(shown_in_all(&agg).len(), 1);
    assert_eq!(agg.left_out()[0].to_string(), "family `up` is left out: a comment");
    // Nothing at all is no family.
    let nothing = Custom(MetricType::Gauge, |_| Ok(()));
    check(|r| r.register("x", "Help", nothing), &[], [2.0, 0.0, 0.0, 0.0]);
}

#[test]
fn what_an_encoder_did_not_write_is_missed() {
    // The library's text has no native histograms, and ends at one that has nothing else.
    let native = Histogram::new_native(NativeHistogramConfig::default());
    let found = check(|r| r.register("x", "Help", native), &[""], [0.0, 0.0, 0.0, 1.0]);
    assert!(found.last().unwrap().why().starts_with("an encoder failed"));
}

const VALID: &str = "\
# HELP a A.
# TYPE a counter
a_total{x=\"1\"} 3 # {t=\"1\"} 1.0
a_total{x=\"\\\"\\\\\\n\"} 4.5
# HELP b_s B.
# TYPE b_s histogram
# UNIT b_s s
b_s_sum{y=\"1\"} 3.5
b_s_count{y=\"1\"} 2
b_s_bucket{le=\"1.0\",y=\"1\"} 1 # {} 0.5 1.0
b_s_bucket{le=\"+Inf\",y=\"1\"} 2
# HELP c C.
# TYPE c info
c_info{v=\"1\"} 1
# HELP d D.
# TYPE d unknown
d NaN
# EOF
";

/// Lines that come again, are missing, in another order, or with other bytes in them.
fn mangled() -> impl Strategy<Value = String> {
    let lines: Vec<String> = VALID.lines().map(str::to_owned).collect();
    let n = lines.len();
    let piece = prop::sample::select(vec![
        "",
        "\"",
        "\\",
        "\n",
        " ",
        ",",
        "{",
        "}",
        "=",
        "#",
        "# ",
        "_",
        "1",
        "-",
        "e",
        "NaN",
        "+Inf",
        "_total",
        "_sum",
        "\r",
        "\0",
        "é",
        "\u{2028}",
        "# EOF",
        "# TYPE ours gauge",
        "le=\"1\"",
        "\t",
    ]);
    let swaps = prop::collection::vec((0..n, 0..n), 0..4);
    let edits =
        prop::collection::vec((0..n, any::<prop::sample::Index>(), 0..3_usize, piece), 0..4);
    (swaps, edits).prop_map(move |(swaps, edits)| {
        let mut lines = lines.clone();
        for (from, to) in swaps {
            lines[to] = lines[from].clone();
        }
        for (line, at, remove, piece) in edits {
            let mut chars: Vec<char> = lines[line].chars().collect();
            let at = at.index(chars.len() + 1);
            let end = (at + remove).min(chars.len());
            chars.splice(at..end, piece.chars());
            lines[line] = chars.into_iter().collect();
        }
        lines.join("\n") + "\n"
    })
}

#[test]
fn what_is_mangled_here_is_valid() {
    let agg = aggregator([Family::counter("ours_total")]);
    agg.append(|out| {
        out.push_str(VALID);
        Ok(())
    });
    assert_eq!(agg.left_out(), []);
    assert_eq!(shown_in_all(&agg).len(), 2 + 4 + 1 + 1 + 1);
}

proptest! {
    /// Whatever a registry writes, each format reads strictly, and shows ours.
    #[test]
    fn nothing_that_a_registry_writes_breaks_an_exposition(text in mangled(), fails in any::<bool>()) {
        let agg = aggregator([Family::counter("ours_total")]);
        push(&agg, r#""ours_total":3"#, start());
        agg.append(move |out| {
            out.push_str(&text);
            if fails { Err(fmt::Error) } else { Ok(()) }
        });
        let shown = shown_in_all(&agg);
        prop_assert_eq!(shown.get(&("ours_total".to_owned(), Vec::new())).map(String::as_str), Some("3"));
    }
}
