use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use lastmile::OwnMetrics;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::{CounterWithExemplar, HistogramWithExemplars};
use prometheus_client::metrics::family::Family as Set;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Unit;

use super::*;

type Labels = Vec<(String, String)>;

fn labels(labels: &[(&str, &str)]) -> Labels {
    labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A metric of no type.
#[derive(Debug)]
struct Untyped(f64);

impl EncodeMetric for Untyped {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_gauge(&self.0)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Unknown
    }
}

/// A registry with all that the library has.
fn full() -> Registry {
    let mut registry = Registry::with_prefix("host");
    let orders: Counter = Counter::default();
    orders.inc_by(u64::MAX);
    registry.register("orders", "Orders", orders);
    let seconds = Counter::<f64, AtomicU64>::default();
    seconds.inc_by(0.1);
    registry.register_with_unit("busy", "Time \\ \"spent\"", Unit::Seconds, seconds);
    let depth: Gauge<i64, AtomicI64> = Gauge::default();
    depth.set(i64::MIN);
    registry.register("depth", "", depth);
    for (name, v) in [("nan", f64::NAN), ("inf", f64::INFINITY), ("low", -1e-7), ("high", 1e300)] {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(v);
        registry.register(name, "A float", gauge);
    }
    let waits = Set::<Labels, Histogram>::new_with_constructor(|| Histogram::new([0.05, 1.0, 1e6]));
    for host in ["a", "quote\"back\\slash\nline", "é\u{1F600}", ""] {
        let histogram = waits.get_or_create(&labels(&[("target", host), ("code", "200")]));
        [0.01, 0.5, 0.5, 2.0, 1e7].into_iter().for_each(|v| histogram.observe(v));
    }
    registry.register_with_unit("wait", "Waits", Unit::Seconds, waits);
    registry.register("empty", "Never observed", Histogram::new([1.0]));
    registry.register("build", "What runs", Info::new(labels(&[("version", "1.2.3")])));
    registry.register("any", "Of no type", Untyped(-0.5));
    for shard in ["0", "1"] {
        let with = (Cow::Borrowed("shard"), Cow::Owned(shard.to_owned()));
        let shards = registry.sub_registry_with_label(with);
        shards.register("jobs", "Jobs", Counter::<u64>::default());
        shards.register("workers", "Workers", Info::new(Labels::new()));
    }
    registry
}

fn ours() -> [Family; 2] {
    [Family::counter("app_loads_total"), Family::histogram("page_load_seconds", [1.0])]
}

#[test]
fn every_format_has_what_the_library_writes() {
    let agg = aggregator(ours());
    let before = shown_in_all(&agg);
    let registry = Arc::new(full());
    agg.append_registry(Arc::clone(&registry));
    let found = shown_in_all(&agg);
    // Two sub-registries have the same families, which the library writes twice; read here as one.
    let mut text = encoded(&registry);
    for name in ["jobs", "workers"] {
        let kind = if name == "jobs" { "counter" } else { "info" };
        let help = if name == "jobs" { "Jobs." } else { "Workers." };
        let about = format!("# HELP host_{name} {help}\n# TYPE host_{name} {kind}\n");
        let samples: Vec<String> = text
            .lines()
            .filter(|line| line.starts_with(&format!("host_{name}_")))
            .map(|line| line.to_owned() + "\n")
            .collect();
        assert_eq!((text.matches(&about).count(), samples.len()), (2, 2), "{text}");
        samples.iter().for_each(|line| text = text.replace(line, ""));
        text = text.replace(&about, "").replace("# EOF\n", "");
        text += &(about + &samples.concat() + "# EOF\n");
    }
    let mut expected = samples(&read(text.as_bytes(), Dialect::OpenMetrics));
    assert!(expected.len() > 40, "{expected:?}");
    expected.extend(before);
    assert_eq!(found, expected);
    assert_eq!(agg.left_out(), []);
    assert_eq!(counted(&agg), [13.0, 0.0, 0.0, 0.0]);
}

/// What is appended, in one format.
#[track_caller]
fn appended(format: ExpositionFormat, registry: Registry, expected: &str) {
    let agg = aggregator([]);
    agg.append_registry(Arc::new(registry));
    let text = scraped(&agg, options(format).own(OwnMetrics::Excluded));
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn lines_are_like_those_of_the_aggregate() {
    let registry = || {
        let mut registry = Registry::default();
        let hits = CounterWithExemplar::<Labels>::default();
        hits.inc_by(3, Some(labels(&[("trace", "a\"")])), None);
        registry.register("hits", "Hits \"\\n\" twice", hits);
        let waits = HistogramWithExemplars::new([0.25, 1e6].into_iter());
        waits.observe(0.5, Some(labels(&[("trace", "b")])), None);
        waits.observe(0.125, Some(labels(&[("trace", &"x".repeat(200))])), None);
        registry.register_with_unit("wait", "", Unit::Seconds, waits);
        let empty = "";
        registry.register("build", empty, Info::new(labels(&[("v", "1")])));
        registry.register("any", "Any", Untyped(f64::NEG_INFINITY));
        registry
    };
    let text = "\
# HELP hits_total Hits \"\\n\" twice.
# TYPE hits_total counter
hits_total 3
# HELP wait_seconds .
# TYPE wait_seconds histogram
wait_seconds_bucket{le=\"0.25\"} 1
wait_seconds_bucket{le=\"1e+06\"} 2
wait_seconds_bucket{le=\"+Inf\"} 2
wait_seconds_sum 0.625
wait_seconds_count 2
# HELP build_info .
# TYPE build_info gauge
build_info{v=\"1\"} 1
# HELP any Any.
# TYPE any untyped
any -Inf
";
    let open_metrics = "\
# TYPE hits counter
# HELP hits Hits \\\"\\n\\\" twice.
hits_total 3 # {trace=\"a\\\"\"} 3
# TYPE wait_seconds histogram
# UNIT wait_seconds seconds
# HELP wait_seconds .
wait_seconds_bucket{le=\"0.25\"} 1
wait_seconds_bucket{le=\"1e+06\"} 2 # {trace=\"b\"} 0.5
wait_seconds_bucket{le=\"+Inf\"} 2
wait_seconds_sum 0.625
wait_seconds_count 2
# TYPE build info
# HELP build .
build_info{v=\"1\"} 1
# TYPE any unknown
# HELP any Any.
any -Inf
# EOF
";
    appended(ExpositionFormat::Text0_0_4, registry(), text);
    appended(ExpositionFormat::Text1_0_0(Escaping::AllowUtf8), registry(), text);
    for escaping in [Escaping::AllowUtf8, Escaping::Values] {
        appended(ExpositionFormat::OpenMetrics1_0_0(escaping), registry(), open_metrics);
    }
}

#[cfg(feature = "protobuf")]
#[test]
fn messages_say_what_families_are() {
    use crate::protobuf::messages::{self, MetricFamily, messages};

    let mut registry = full();
    let hits = CounterWithExemplar::<Labels>::default();
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_700_000_000_250);
    hits.inc_by(3, Some(labels(&[("trace", "a")])), Some(at));
    registry.register("hits", "Hits", hits);
    let many = Set::<Labels, Counter>::default();
    for i in 0..1000 {
        many.get_or_create(&labels(&[("i", &i.to_string())])).inc_by(i);
    }
    registry.register("many", "Many", many);
    let agg = aggregator([]);
    agg.append_registry(Arc::new(registry));
    let families = messages(&scraped(&agg, messages::options().own(OwnMetrics::Excluded)));
    let family = |name: &str| families.iter().find(|f| f.name.as_deref() == Some(name)).unwrap();
    let about = |f: &MetricFamily| (f.kind.unwrap(), f.help.clone(), f.unit.clone());
    for (name, kind, help, unit) in [
        ("host_orders_total", 0, Some("Orders."), None),
        ("host_busy_seconds_total", 0, Some("Time \\ \"spent\"."), Some("seconds")),
        ("host_depth", 1, Some("."), None),
        ("host_wait_seconds", 4, Some("Waits."), Some("seconds")),
        ("host_build_info", 1, Some("What runs."), None),
        ("host_any", 3, Some("Of no type."), None),
    ] {
        let expected = (kind, help.map(str::to_owned), unit.map(str::to_owned));
        assert_eq!(about(family(name)), expected, "{name}");
    }
    let counter = family("host_hits_total").metric[0].counter.clone().unwrap();
    let exemplar = counter.exemplar.unwrap();
    let time = exemplar.timestamp.unwrap();
    assert_eq!((exemplar.label[0].value.as_deref(), exemplar.value), (Some("a"), Some(3.0)));
    assert_eq!((time.seconds, time.nanos), (1_700_000_000, 250_000_000));
    let many = families.iter().filter(|f| f.name.as_deref() == Some("host_many_total"));
    let sizes: Vec<usize> = many.map(|f| f.metric.len()).collect();
    assert_eq!(sizes, [256, 256, 256, 232]);
}

#[test]
fn a_scrape_asks_for_families_by_their_names_in_text() {
    let agg = aggregator(ours());
    agg.append_registry(Arc::new(full()));
    let names = |options: ScrapeOptions| {
        let text = String::from_utf8(scraped(&agg, options)).unwrap();
        let about = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let names = about.map(|about| about.split(' ').next().unwrap().to_owned());
        (names.collect::<Vec<_>>(), text.matches("# EOF\n").count())
    };
    for (families, own, expected) in [
        (&["host_orders_total"][..], OwnMetrics::Included, &["host_orders"][..]),
        (&["host_orders"], OwnMetrics::Included, &[]),
        (&["host_build_info", "host_any"], OwnMetrics::Excluded, &["host_build", "host_any"]),
        (&["host_any"], OwnMetrics::Only, &[]),
        (&["app_loads_total"], OwnMetrics::Included, &["app_loads"]),
        (
            &["app_loads_total", "host_jobs_total", "lastmile_readers"],
            OwnMetrics::Included,
            &["app_loads", "lastmile_readers", "host_jobs"],
        ),
    ] {
        let format = ExpositionFormat::OpenMetrics1_0_0(Escaping::AllowUtf8);
        let options = options(format).own(own);
        let options = families.iter().fold(options, |options, name| options.family(name));
        let expected = expected.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(names(options), (expected, 1), "{families:?} {own:?}");
    }
    let (all, _) = names(ScrapeOptions::text().own(OwnMetrics::Excluded));
    assert_eq!(all.len(), 2 + 13);
    let (own, _) = names(ScrapeOptions::text().own(OwnMetrics::Only));
    assert!(own.iter().all(|name| name.starts_with("lastmile_") || name.starts_with("metrics_")));
}

#[test]
fn chunks_end_anywhere_and_lose_nothing() {
    let format = ExpositionFormat::OpenMetrics1_0_0(Escaping::AllowUtf8);
    let size = |help: usize| {
        let agg = aggregator([]);
        let text = format!(
            "# HELP a {}\n# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n# EOF\n",
            "x".repeat(help)
        );
        let with = text.clone();
        agg.append(move |out| {
            out.push_str(&text);
            Ok(())
        });
        let options = options(format).own(OwnMetrics::Excluded);
        let found = String::from_utf8(scraped(&agg, options)).unwrap();
        let lines = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(lines(&found), lines(&with));
        assert!(found.ends_with("# TYPE b gauge\nb 1\n# EOF\n"));
        found.len()
    };
    let others = size(1) - 1;
    for end in (64 << 10) - 30..(64 << 10) + 30 {
        assert_eq!(size(end - others), end);
    }
    size(200_000);
}

#[test]
fn a_registry_behind_a_lock_is_encoded_anew_each_time() {
    let agg = aggregator([]);
    let registry = Arc::new(Mutex::new(Registry::default()));
    let shared = Arc::clone(&registry);
    agg.append(move |text| encode_registry(text, &shared.lock().unwrap()));
    let hits: Counter = Counter::default();
    let shown = |agg: &Aggregator| {
        let text = scraped(agg, ScrapeOptions::text().own(OwnMetrics::Excluded));
        String::from_utf8(text).unwrap()
    };
    assert_eq!(shown(&agg), "");
    registry.lock().unwrap().register("hits", "Hits", hits.clone());
    for n in 1..3 {
        hits.inc();
        assert_eq!(
            shown(&agg),
            format!("# HELP hits_total Hits.\n# TYPE hits_total counter\nhits_total {n}\n")
        );
    }
}

#[test]
fn registries_are_read_once_a_scrape_and_off_every_lock() {
    let agg = aggregator(ours());
    let (n, within) = (Arc::new(AtomicU64::new(0)), agg.clone());
    let counts = Arc::clone(&n);
    agg.append(move |text| {
        counts.fetch_add(1, Ordering::Relaxed);
        push(&within, r#""app_loads_total":1"#, start());
        within.counter("app_loads_total", &[]).unwrap().inc();
        within.append(|_| Ok(()));
        text.push_str("# TYPE x gauge\nx 1\n");
        Ok(())
    });
    for done in 1..3 {
        scraped(&agg, ScrapeOptions::text());
        assert_eq!(n.load(Ordering::Relaxed), done);
    }
    scraped(&agg, ScrapeOptions::text().own(OwnMetrics::Only));
    let aborted = agg.scrape(ScrapeOptions::text(), start());
    drop(aborted);
    assert_eq!(n.load(Ordering::Relaxed), 2, "who does not want them does not pay for them");
}

#[test]
fn both_ways_at_once_show_each_family_once() {
    let agg = aggregator(ours());
    let hits: Counter = Counter::default();
    let mut registry = Registry::default();
    registry.register("hits", "Hits", hits);
    registry.register_collector(Box::new(agg.collector(start)));
    let registry = Arc::new(registry);
    agg.append_registry(Arc::clone(&registry));
    let found = shown_in_all(&agg);
    assert_eq!(found.keys().filter(|(name, _)| name == "hits_total").count(), 1);
    assert_eq!(counted(&agg)[0], 1.0);
    let text = encoded(&registry);
    assert_eq!(text.matches("# TYPE app_loads counter\n").count(), 1, "{text}");
    read(text.as_bytes(), Dialect::OpenMetrics);
}
