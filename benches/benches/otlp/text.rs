//! Prometheus text as registries write it: of one page load by `promjs`, and of a whole service by `prom-client`.

use std::fmt::Write as _;
use std::hint::black_box;

use lastmile::{Aggregator, Family, Format, Label, Limits, Schema, Source};
use lastmile_benches::{
    Comparison, N_SAMPLES_PROMJS_PAGE_LOAD, compare, exposition, now, promjs_page_load,
    pum_aggregator,
};

/// Both, decoded and applied to known series.
pub(crate) fn rows(n_calls: usize) {
    let page_load = Pushes::new(pum_aggregator(), promjs_page_load(), N_SAMPLES_PROMJS_PAGE_LOAD);
    let (n_sent, aggregator) = page_load.row("prom text, a page load of promjs", n_calls);
    assert_eq!(exposition(&aggregator).total("usage_total").1, 4.0 * n_sent);

    let registry = registry();
    let n_lines = registry.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let n_lines = n_lines.count() as u64;
    let pushes = Pushes::new(service(), registry.as_bytes(), n_lines);
    let (n_sent, aggregator) = pushes.row("prom text, a registry of prom-client", n_calls / 10);
    let after = exposition(&aggregator);
    assert_eq!(after.total("http_requests_total").1, n_requests() as f64 * n_sent);
    assert_eq!(after.total("http_request_duration_seconds_count").1, n_requests() as f64 * n_sent);
    assert_eq!(after.value("nodejs_active_handles"), 9.0);
}

/// One body that is pushed over and over.
struct Pushes<'a> {
    aggregator: Aggregator,
    body: &'a [u8],
    /// Lines with samples, of which all are accepted.
    n_lines: u64,
}

impl<'a> Pushes<'a> {
    fn new(aggregator: Aggregator, body: &'a [u8], n_lines: u64) -> Self {
        Self { aggregator, body, n_lines }
    }

    /// Prints how fast it is beside a reader that cuts lines at their last blank and reads the number there; gives back
    /// how often it was pushed.
    fn row(self, what: &str, n_calls: usize) -> (f64, Aggregator) {
        let Self { aggregator, body, n_lines } = self;
        let mut n_sent = 0_u32;
        let Comparison { a_nanos, b_nanos, ratio } = compare(
            31,
            n_calls.max(1),
            || {
                let report =
                    aggregator.push(Format::PromText, black_box(body), &Source::default(), now());
                assert_eq!(report.expect("the push decodes").accepted(), n_lines);
                n_sent += 1;
            },
            || {
                black_box(sum(black_box(body)));
            },
        );
        let megabytes = body.len() as f64 * 1e3 / a_nanos;
        println!(
            "{what:<44} {a_nanos:>9.1} {b_nanos:>9.1} {ratio:>7.2}  {megabytes:.0} of 250 MB/s ({} B, {n_lines} lines)",
            body.len()
        );
        (f64::from(n_sent), aggregator)
    }
}

/// The sum of all numbers, which any reader must find.
fn sum(body: &[u8]) -> f64 {
    let text = std::str::from_utf8(body).expect("the text is UTF-8");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let numbers = lines.filter_map(|line| line.rsplit_once(' ')).map(|(_, number)| number.parse());
    numbers.map(|number: Result<f64, _>| number.expect("a number")).sum()
}

/// The default of `prom-client`. Source: prom-client 15.1.3, lib/histogram.js.
const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const METHODS: [&str; 2] = ["GET", "POST"];
const CODES: [&str; 3] = ["200", "404", "500"];
const N_ROUTES: usize = 12;
/// What `collectDefaultMetrics` has, apart from what it has for each kind of handle or space.
const GAUGES: [(&str, f64); 12] = [
    ("process_resident_memory_bytes", 52_961_280.0),
    ("process_virtual_memory_bytes", 1_124_098_048.0),
    ("process_heap_bytes", 73_125_888.0),
    ("process_open_fds", 21.0),
    ("process_max_fds", 1_048_576.0),
    ("nodejs_eventloop_lag_seconds", 0.001_204_736),
    ("nodejs_eventloop_lag_p99_seconds", 0.012_132_351),
    ("nodejs_active_handles", 9.0),
    ("nodejs_active_requests", 0.0),
    ("nodejs_heap_size_total_bytes", 9_732_096.0),
    ("nodejs_heap_size_used_bytes", 8_101_128.0),
    ("nodejs_external_memory_bytes", 2_286_104.0),
];

/// A service that `prom-client` measures.
fn service() -> Aggregator {
    let labels = |family: Family| {
        family
            .label(Label::closed("method", METHODS))
            .label(Label::open("route", 100))
            .label(Label::open("status_code", 20))
    };
    let families = [
        Family::counter("process_cpu_seconds_total"),
        labels(Family::counter("http_requests_total")),
        labels(Family::histogram("http_request_duration_seconds", BOUNDS)),
    ];
    let gauges = GAUGES.into_iter().map(|(name, _)| Family::gauge(name));
    let families = families.into_iter().chain(gauges);
    let schema = families.fold(Schema::builder(), |all, family| all.family(family));
    let schema = schema.build().expect("the families are valid");
    Aggregator::new(schema, Limits::default(), now()).expect("the schema fits")
}

/// The labels of each series, in the order of `prom-client`.
fn series() -> impl Iterator<Item = String> {
    (0..N_ROUTES).flat_map(|route| {
        METHODS.into_iter().flat_map(move |method| {
            CODES.into_iter().map(move |code| {
                format!(r#"method="{method}",route="/api/v1/courses/:id/part-{route}",status_code="{code}""#)
            })
        })
    })
}

/// How often the series of this place was counted.
fn times(idx: usize) -> u64 {
    (idx as u64 * 7_919) % 1_000 + 14
}

fn n_requests() -> u64 {
    (0..series().count()).map(times).sum()
}

/// What its registry writes: a family after the other, an empty line between them, `le` before the other labels.
fn registry() -> String {
    let mut text = String::new();
    let head = |text: &mut String, name: &str, kind: &str| {
        let gap = if text.is_empty() { "" } else { "\n" };
        let help = "What a service tells of itself.";
        let _ = write!(text, "{gap}# HELP {name} {help}\n# TYPE {name} {kind}\n");
    };
    head(&mut text, "process_cpu_seconds_total", "counter");
    text.push_str("process_cpu_seconds_total 0.40625500000000003\n");
    for (name, value) in GAUGES {
        head(&mut text, name, "gauge");
        let _ = writeln!(text, "{name} {value}");
    }
    head(&mut text, "http_requests_total", "counter");
    for (idx, labels) in series().enumerate() {
        let _ = writeln!(text, "http_requests_total{{{labels}}} {}", times(idx));
    }
    let name = "http_request_duration_seconds";
    head(&mut text, name, "histogram");
    for (idx, labels) in series().enumerate() {
        let n = times(idx);
        for (below, bound) in (1..).zip(BOUNDS) {
            let n = n * below / 12;
            let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\",{labels}}} {n}");
        }
        let _ = writeln!(text, "{name}_bucket{{le=\"+Inf\",{labels}}} {n}");
        let _ = writeln!(text, "{name}_sum{{{labels}}} {}", n as f64 * 0.173_190_000_000_1);
        let _ = writeln!(text, "{name}_count{{{labels}}} {n}");
    }
    text
}
