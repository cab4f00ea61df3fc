//! The protobuf exposition, read by derived messages: the samples of text at the same instant, and what text
//! does not say.

pub(crate) mod messages;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use lastmile::{
    Aggregator, Escaping, ExpositionFormat, Family, Format, Label, Limits, Native, Schema,
    ScrapeOptions, Source, Timestamp,
};
use proptest::prelude::*;

use self::messages::{MetricFamily, messages, options, samples, scraped, text_samples};
use crate::expo;
use crate::formats::exemplars::{Host, host};
use crate::formats::reader::{self, Dialect};
use crate::oracle::start;
use crate::pushes::config;

fn aggregator(families: impl IntoIterator<Item = Family>) -> Aggregator {
    let schema = families.into_iter().fold(Schema::builder(), |s, family| s.family(family));
    Aggregator::new(schema.build().unwrap(), Limits::default(), start()).unwrap()
}

fn push(agg: &Aggregator, samples: &str, now: Timestamp) {
    let body = format!(r#"{{"lm":1,"m":{{{samples}}}}}"#);
    let report = agg.push(Format::Lm1, body.as_bytes(), &Source::default(), now).unwrap();
    assert_eq!(report.n_refused(), 0, "{body}");
}

/// The families of a scrape without those of the aggregator's own, of which the samples are those of text for
/// the same reader.
#[track_caller]
fn check(agg: &Aggregator, reader: Option<u16>, now: Timestamp) -> Vec<MetricFamily> {
    let read = |options: ScrapeOptions, port: u16| {
        let addr = |port| SocketAddr::from(([10, 0, 0, 1], port));
        let timeout = Some(Duration::from_secs(10));
        let with = if reader.is_some() { options.reader(addr(port), timeout) } else { options };
        scraped(agg, with, now)
    };
    // Two connections that are new to the table see the same.
    let port = reader.unwrap_or_default();
    let families = messages(&read(options(), port));
    let text = read(ScrapeOptions::text(), port + 1);
    let is_own = |name: &str| name.starts_with("lastmile_") || name.starts_with("metrics_agg");
    let families: Vec<MetricFamily> =
        families.into_iter().filter(|f| !is_own(f.name.as_deref().unwrap())).collect();
    let mut expected = text_samples(&expo::parse(&text));
    expected.retain(|(name, _), _| !is_own(name));
    assert_eq!(samples(&families), expected);
    families
}

fn each_kind() -> Vec<Family> {
    let page = || Label::open("page", 1000).max_bytes(1000);
    vec![
        Family::counter("views_total").help("Views,\nby \"page\" \\.").label(page()),
        Family::counter("bytes").label(Label::closed("way", ["in", "out"])),
        Family::counter("bare_seconds_total").unit("seconds"),
        Family::gauge("users").label(page()).label(Label::closed("app", ["x"])),
        Family::histogram("load_seconds", [0.05, 1.0, 2.5, 1e6]).unit("seconds").label(page()),
        Family::native_histogram("native_seconds", Native::new(3)).label(page()),
        Family::histogram("both_seconds", [1.0]).native(Native::new(0)).label(page()),
        #[cfg(feature = "summary")]
        Family::summary("wait_seconds").label(page()),
    ]
}

fn push_each_kind(agg: &Aggregator, page: &str, now: Timestamp) {
    for sample in [
        r#""views_total;page=P":3.5"#,
        r#""bytes;way=in":7"#,
        r#""bare_seconds_total":0.25"#,
        r#""users;page=P;app=x":-4"#,
        r#""load_seconds;page=P":[0.05,0.06,[3,5],2e6]"#,
        r#""native_seconds;page=P":[0,0.001,[0.5,3],4,400]"#,
        r#""both_seconds;page=P":[0.5,3]"#,
        #[cfg(feature = "summary")]
        r#""wait_seconds;page=P":[0.1,0.2,3]"#,
    ] {
        let bounded = sample.replace("-4", "4").replace("2e6", "1000");
        push(agg, &bounded.replace("=P", &format!("={page}")), now);
    }
}

#[test]
fn samples_are_those_of_text() {
    let agg = aggregator(each_kind());
    check(&agg, None, start());
    for (i, page) in ["/", "", "é\u{1F600}", "%25a%3Bb%3Dc"].into_iter().enumerate() {
        let now = start().after(Duration::from_millis(2500 * (i as u64 + 1)));
        push_each_kind(&agg, page, now);
        check(&agg, None, now);
    }
}

#[test]
fn families_say_what_they_are() {
    let agg = aggregator(each_kind());
    push_each_kind(&agg, "/", start());
    let families = check(&agg, None, start());
    let said: Vec<_> = families
        .iter()
        .map(|f| {
            (f.name.as_deref().unwrap(), f.kind.unwrap(), f.help.as_deref(), f.unit.as_deref())
        })
        .collect();
    for expected in [
        ("views_total", 0, Some("Views,\nby \"page\" \\."), None),
        ("bytes", 0, None, None),
        ("bare_seconds_total", 0, None, Some("seconds")),
        ("users", 1, None, None),
        ("load_seconds", 4, None, Some("seconds")),
        #[cfg(feature = "summary")]
        ("wait_seconds", 2, None, None),
    ] {
        assert!(said.contains(&expected), "{expected:?} is not in {said:?}");
    }
}

#[test]
fn series_say_when_they_began() {
    let agg = aggregator(each_kind());
    push_each_kind(&agg, "/late", start().after(Duration::from_millis(90_250)));
    let now = start().after(Duration::from_secs(100));
    for family in check(&agg, None, now) {
        for metric in &family.metric {
            let is_late = metric.label.iter().any(|l| l.value.as_deref() == Some("/late"));
            // Times are known to a tenth of a second.
            let created = start().wall_ms() + if is_late { 90_200 } else { 0 };
            let expected = metric.gauge.is_none().then_some(created as i64);
            assert_eq!(metric.created_ms(), expected, "{metric:?}");
        }
    }
}

#[test]
fn a_unit_is_told_where_the_name_ends_in_it() {
    // Prometheus refuses the whole scrape otherwise.
    let agg = aggregator([
        Family::counter("a.b_seconds_total").unit("seconds"),
        Family::gauge("q.r_per_s").unit("per_s"),
        Family::gauge("plain_per_s").unit("per_s"),
    ]);
    push(&agg, r#""q.r_per_s":1,"plain_per_s":1"#, start());
    for (escaping, units) in [
        (Escaping::AllowUtf8, [Some("seconds"), Some("per_s"), Some("per_s")]),
        (Escaping::Underscores, [Some("seconds"), Some("per_s"), Some("per_s")]),
        (Escaping::Dots, [None, None, Some("per_s")]),
        (Escaping::Values, [None, None, Some("per_s")]),
    ] {
        let options = ScrapeOptions::new(ExpositionFormat::Protobuf(escaping));
        let families = messages(&scraped(&agg, options, start()));
        let told: Vec<_> = families.iter().take(3).map(|family| family.unit.as_deref()).collect();
        assert_eq!(told, units, "{escaping:?}");
    }
}

#[test]
fn names_are_escaped_as_was_asked_for() {
    let agg = aggregator([Family::counter("page.views").label(Label::closed("a.b", ["x\"é"]))]);
    for (escaping, name, label) in [
        (Escaping::AllowUtf8, "page.views", "a.b"),
        (Escaping::Underscores, "page_views", "a_b"),
        (Escaping::Dots, "page_dot_views", "a_dot_b"),
        (Escaping::Values, "U__page_2e_views", "U__a_2e_b"),
    ] {
        let options = ScrapeOptions::new(ExpositionFormat::Protobuf(escaping));
        let families = messages(&scraped(&agg, options, start()));
        let found = families.iter().find(|family| family.name.as_deref() == Some(name)).unwrap();
        let labels: Vec<_> = found.metric.iter().flat_map(|metric| &metric.label).collect();
        assert!(labels.iter().all(|pair| pair.name.as_deref() == Some(label)), "{labels:?}");
        assert!(labels.iter().any(|pair| pair.value.as_deref() == Some("x\"é")), "{labels:?}");
    }
}

#[test]
fn exemplars_are_the_last_of_each_bucket_and_leave_with_their_handle() {
    let agg = aggregator(each_kind());
    let page = [("page", "/")];
    let views = agg.counter("views_total", &page).unwrap();
    let both = agg.histogram("both_seconds", &page).unwrap();
    let widest = "\u{1F600}".repeat(120);
    assert!(views.inc_by_with_exemplar(2, &[("trace_id", "lost")], None));
    assert!(views.inc_by_with_exemplar(3, &[("trace_id", &widest)], Some(1_500)));
    assert!(!views.inc_by_with_exemplar(1, &[("trace_id", &widest), ("b", "")], None));
    for (v, id) in [(0.5, "lost"), (0.25, "low"), (7.0, "high")] {
        assert_eq!(
            both.observe_with_exemplar(v, &[("id", id), ("empty", "")], Some(2_000)),
            Ok(true)
        );
    }
    assert!(both.observe_with_exemplar(f64::NAN, &[], None).is_err());
    assert_eq!(both.observe_with_exemplar(1.5, &[("", "")], None), Ok(false));

    let seen = || {
        let families = check(&agg, None, start());
        let histogram = native(&families, "both_seconds", "/").clone();
        assert_eq!(histogram.sample_count, Some(4));
        let counters = families.iter().filter(|f| f.name.as_deref() == Some("views_total"));
        let counter = counters.flat_map(|f| &f.metric).find_map(|m| m.counter.clone()).unwrap();
        assert_eq!(counter.value, Some(6.0));
        (counter.exemplar, histogram)
    };
    let (exemplar, histogram) = seen();
    let exemplar = exemplar.unwrap();
    let at = messages::Time { seconds: 1, nanos: 500_000_000 };
    assert_eq!((exemplar.value, exemplar.timestamp), (Some(3.0), Some(at)));
    assert_eq!(exemplar.label[0].value.as_deref(), Some(widest.as_str()));
    let of_buckets: Vec<_> = histogram.bucket.into_iter().filter_map(|b| b.exemplar).collect();
    let ids: Vec<_> = of_buckets.iter().map(|e| (e.value, e.label[0].value.as_deref())).collect();
    assert_eq!(ids, [(Some(0.25), Some("low")), (Some(7.0), Some("high"))]);
    assert_eq!(histogram.exemplars, of_buckets);

    drop((views, both));
    let (exemplar, histogram) = seen();
    assert_eq!(exemplar, None);
    assert!(
        histogram.exemplars.is_empty() && histogram.bucket.iter().all(|b| b.exemplar.is_none())
    );
}

#[test]
fn exemplars_are_those_of_open_metrics() {
    let Host { agg, handles: _handles } = host();
    let families = check(&agg, None, start());
    let read = |exemplar: &messages::Exemplar| {
        let pair = |l: &messages::LabelPair| (l.name.clone().unwrap(), l.value.clone().unwrap());
        let at = exemplar.timestamp.as_ref();
        (
            exemplar.label.iter().map(pair).collect::<Vec<_>>(),
            exemplar.value.unwrap(),
            at.map(|at| at.seconds * 1000 + i64::from(at.nanos) / 1_000_000),
        )
    };
    let mut found = Vec::new();
    for family in &families {
        for metric in &family.metric {
            let counter = metric.counter.iter().flat_map(|counter| &counter.exemplar);
            let histogram = metric.histogram.as_ref();
            let buckets = histogram.iter().flat_map(|h| &h.bucket).flat_map(|b| &b.exemplar);
            let native =
                histogram.iter().filter(|h| h.bucket.is_empty()).flat_map(|h| &h.exemplars);
            let of_metric = counter.chain(buckets).chain(native).map(read);
            // OpenMetrics calls it unknown, for want of a `_total`, and lets it have none.
            found.extend(of_metric.filter(|_| family.name.as_deref() != Some("hits")));
        }
    }
    let format = ExpositionFormat::OpenMetrics1_0_0(Escaping::Underscores);
    let text = scraped(&agg, ScrapeOptions::new(format), start());
    let exposition = reader::read(&text, Dialect::OpenMetrics).unwrap();
    let exemplars = exposition.samples().filter_map(|sample| sample.exemplar.as_ref());
    let ms = |seconds: f64| (seconds * 1000.0) as i64;
    let expected = exemplars.map(|e| (e.labels.clone(), e.value, e.timestamp.map(ms)));
    assert_eq!(found, expected.collect::<Vec<_>>());
    assert_eq!(found.len(), 8);
}

/// The native histogram of a page.
fn native<'a>(families: &'a [MetricFamily], name: &str, page: &str) -> &'a messages::Histogram {
    let family = families.iter().filter(|f| f.name.as_deref() == Some(name));
    let mut metrics = family.flat_map(|f| &f.metric);
    let found = metrics.find(|m| m.label.iter().any(|l| l.value.as_deref() == Some(page)));
    found.and_then(|m| m.histogram.as_ref()).unwrap()
}

#[test]
fn native_buckets_are_spans_and_deltas() {
    let agg = aggregator(each_kind());
    push_each_kind(&agg, "/", start());
    let empty = ["native_seconds", "both_seconds"];
    let _handles = empty.map(|name| agg.histogram(name, &[("page", "/empty")]).unwrap());
    let families = check(&agg, None, start());
    let zero_threshold = Some(2_f64.powi(-128));

    let alone = native(&families, "native_seconds", "/");
    assert!(alone.bucket.is_empty());
    assert_eq!((alone.schema, alone.zero_count), (Some(3), Some(1)));
    assert_eq!(alone.zero_threshold, zero_threshold);
    // 0.5 and 4 are bounds of their buckets; 0.001 and 400 lie where logarithms say.
    let idx = |v: f64| (v.log2() * 8.0).ceil() as i32;
    let expected = BTreeMap::from([(idx(0.001), 1), (-8, 3), (16, 1), (idx(400.0), 1)]);
    assert_eq!(alone.native(), expected);
    assert_eq!(alone.positive_span.len(), 4, "far buckets are spans of their own");

    let both = native(&families, "both_seconds", "/");
    assert_eq!((both.bucket.len(), both.schema, both.zero_count), (2, Some(0), Some(0)));
    assert_eq!(both.native(), BTreeMap::from([(-1, 1), (2, 1)]));
    assert_eq!(both.positive_span.len(), 1, "two empty buckets are no gap");

    // One that is empty is native nevertheless.
    for name in empty {
        let empty = native(&families, name, "/empty");
        assert_eq!(empty.sample_count, Some(0));
        let no_op = messages::Span { offset: Some(0), length: Some(0) };
        assert_eq!((&*empty.positive_span, empty.zero_threshold), (&[no_op][..], zero_threshold));
    }
}

#[test]
fn a_reader_sees_a_new_native_histogram_empty_and_then_its_value() {
    let agg = aggregator(each_kind());
    push_each_kind(&agg, "/", start());
    let held = check(&agg, Some(4000), start());
    let empty = native(&held, "native_seconds", "/");
    let no_op = messages::Span { offset: Some(0), length: Some(0) };
    assert_eq!(empty.positive_span, [no_op]);
    assert_eq!(
        (empty.sample_count, empty.sample_sum, empty.zero_count),
        (Some(0), Some(0.0), Some(0))
    );
    assert_eq!((empty.schema, empty.positive_delta.len()), (Some(3), 0));
    let shown = check(&agg, Some(4000), start().after(Duration::from_secs(1)));
    assert_eq!(native(&shown, "native_seconds", "/").sample_count, Some(7));
}

#[test]
fn what_is_larger_than_a_chunk_comes_in_parts() {
    let agg = aggregator([
        Family::counter("a").label(Label::open("b", 3000).max_bytes(1000)),
        Family::histogram("h", (1..100).map(f64::from)).label(Label::open("b", 300)),
        Family::native_histogram("n", Native::new(8)).label(Label::open("b", 300)),
    ]);
    for i in 0..300 {
        let long = "x".repeat(i * 3 % 1000);
        push(
            &agg,
            &format!(r#""a;b={i}{long}":{i},"h;b={i}":[{i}],"n;b={i}":[0.001,0.5,{i}]"#),
            start(),
        );
    }
    for i in 300..2500 {
        push(&agg, &format!(r#""a;b={i}":{i}"#), start());
    }
    let families = check(&agg, None, start());
    let n_messages = families.iter().filter(|f| f.name.as_deref() == Some("a")).count();
    assert!(n_messages > 1, "a family of many blocks is many messages");
    assert!(families.iter().all(|f| f.metric.len() <= 256));
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn label_values_are_as_they_were_given(
        values in prop::collection::vec((r#"[\PC\n"\\]{0,40}"#, "[a\"\\\\\n,={}é]{0,200}"), 1..20),
    ) {
        let open = |name| Label::open(name, 100).max_bytes(1500);
        let agg = aggregator([Family::counter("c_total").label(open("a")).label(open("long_name"))]);
        let mut expected = BTreeMap::<_, u64>::new();
        for (a, b) in &values {
            let counter = agg.counter("c_total", &[("a", a), ("long_name", b)]).unwrap();
            counter.inc_by(3);
            *expected.entry(vec![("a".to_owned(), a.clone()), ("long_name".to_owned(), b.clone())]).or_default() += 3;
        }
        let families = check(&agg, None, start());
        let mut seen = BTreeMap::new();
        for ((name, labels), value) in samples(&families) {
            prop_assert_eq!(name, "c_total");
            if value > 0.0 {
                seen.insert(labels, value as u64);
            }
        }
        prop_assert_eq!(seen, expected);
    }
}
