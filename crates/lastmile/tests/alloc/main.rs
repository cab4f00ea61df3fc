//! Pushes to known series, and encoding into a buffer that is used again, allocate nothing.
//!
//! Alone in its binary and without a harness, so that no other thread's allocations are counted.

use std::alloc::System;
use std::fs;
use std::path::Path;
use std::time::Duration;

use lastmile::{
    Aggregator, Family, Format, Limits, Native, Recorder, Schema, ScrapeOptions, Source, Timestamp,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// # Panics
/// If `work` allocates, once it was done so often that no refusal of this second is kept any more.
#[track_caller]
fn allocates_nothing(what: &str, mut work: impl FnMut()) {
    (0..20).for_each(|_| work());
    let region = Region::new(ALLOCATOR);
    (0..100).for_each(|_| work());
    let change = region.change();
    let n = change.allocations + change.reallocations;
    assert_eq!(n, 0, "{what}: {change:?}");
}

fn aggregator(builder: lastmile::SchemaBuilder, now: Timestamp) -> Aggregator {
    Aggregator::new(builder.build().unwrap(), Limits::default(), now).unwrap()
}

const SEED_SCHEMA: &str = r#"{"allowedMetrics":[
    {"name":"app_load_succeeded","help":"h","type":"counter","labels":[{"name":"app","allowedValues":["student"]}]},
    {"name":"wait","help":"h","type":"histogram","labels":[],"buckets":[0.1,1]}]}"#;
const SEED_PUSH: &str = r#"[
    {"metricName":"app_load_succeeded","metricType":"counter","labels":{"app":"student"},"inc":1},
    {"metricName":"app_load_succeeded","metricType":"counter","labels":{"app":"x\u0041"},"inc":1},
    {"metricName":"wait","metricType":"histogram","labels":{},"observations":[0.004,5,"x"]}]"#;
const LM1_PUSH: &str = r#"{"lm":1,"id":"Zk3vTq81mWc0xHs9","m":{"client_page_loads_total;type=navigate":1,"client_web_vital_seconds;page=%2fhome;name=LCP":[0.8,[1.5,2]],"nope":1}}"#;

fn main() {
    let now = Timestamp::new(1_767_225_600_000, Duration::from_secs(3600));
    let source = Source::default();
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/wire");
    let read = |file: &str| fs::read_to_string(shared.join(file));

    // What the seed and `lastmile.js` really send, where it is there; our own small ones in any case.
    let mut seeds =
        vec![(Schema::builder().allowed_metrics("seed.json", SEED_SCHEMA), SEED_PUSH.to_owned())];
    let mut lines = vec![LM1_PUSH.to_owned()];
    match (read("seed-page-load.json"), read("page-load.lm1")) {
        (Ok(seed), Ok(line)) => {
            let add = |builder: lastmile::SchemaBuilder, file: &str| {
                builder.allowed_metrics(file, &read(&format!("pum-config/{file}")).unwrap())
            };
            let files = ["appMetricConfig.json", "performanceTimingMetricConfig.json"];
            seeds.push((files.into_iter().fold(Schema::builder(), add), seed));
            lines.push(line);
        }
        _ => println!("skipped: worked pushes: no {}", shared.display()),
    }

    native_histograms(now);
    prom_text(now);
    reports(now);
    #[cfg(feature = "faro")]
    beacons(now);
    #[cfg(feature = "otlp")]
    otlp(now);
    for (schema, body) in seeds {
        let agg = aggregator(schema, now);
        allocates_nothing(&body, || {
            let report = agg.push(Format::Record, body.as_bytes(), &source, now).unwrap();
            assert!(report.accepted() >= 3);
        });
        encodes(&agg, now);
    }
    for line in lines {
        let agg = aggregator(Schema::builder().browser(), now);
        let mut body = line.clone().into_bytes();
        let id = line.find(r#""id":""#).unwrap() + r#""id":""#.len();
        let mut n: u64 = 0;
        let mut push = || {
            // Every batch has an id of its own, so that it is counted.
            n += 1;
            for (i, digit) in body[id..id + 16].iter_mut().enumerate() {
                *digit = b"0123456789abcdef"[(n >> (4 * i)) as usize % 16];
            }
            let report = agg.push(Format::Lm1, &body, &source, now).unwrap();
            assert!(report.accepted() >= 3);
        };
        // Each shard of the ids takes its memory with its first one.
        (0..1_000).for_each(|_| push());
        allocates_nothing(&line, push);
        encodes(&agg, now);
        let loads = agg.counter("client_page_loads_total", &[("type", "navigate")]).unwrap();
        allocates_nothing("a bound counter", || {
            loads.inc();
            loads.add(0.5).unwrap();
        });
    }
    println!("known series allocate nothing: ok");
}

/// Observations that move the window of a native histogram, and halve its resolution, stay in its row.
fn native_histograms(now: Timestamp) {
    let family = Family::native_histogram("wait_seconds", Native::new(8).max_buckets(40));
    let agg = aggregator(Schema::builder().family(family), now);
    let histogram = agg.histogram("wait_seconds", &[]).unwrap();
    let mut recorder = Recorder::new();
    let local = recorder.histogram(&histogram);
    let mut v = 1.0;
    allocates_nothing("a native histogram", || {
        histogram.observe(v).unwrap();
        recorder.observe(local, 1.0 / v).unwrap();
        recorder.flush();
        v *= 1.1;
    });
}

/// What `promjs` sends, histograms and refusals and all.
fn prom_text(now: Timestamp) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let body = fs::read(data.join("promjs.push.txt")).unwrap();
    let native = Family::native_histogram("load_seconds", Native::new(3));
    let page = lastmile::Label::open("page", 10);
    let schema = Schema::builder()
        .family(Family::counter("app_loads_total").label(lastmile::Label::open("app", 10)))
        .family(native.label(page))
        .family(Family::histogram("other_seconds", [0.2, 0.5]));
    let agg = aggregator(schema, now);
    allocates_nothing("Prometheus text", || {
        let report = agg.push(Format::PromText, &body, &Source::default(), now).unwrap();
        assert_eq!((report.accepted(), report.n_refused()), (22, 8));
    });
}

/// What browsers report, of known types and another.
fn reports(now: Timestamp) {
    let body = br#"[{"age":73,"body":{"elapsed_time":12,"phase":"connection","sampling_fraction":0.3,"type":"tcp.refused"},"type":"network-error","url":"https://app.example/","user_agent":"Mozilla/5.0"},
        {"body":{"id":"Unload\u0048andler"},"type":"deprecation"},{"body":{},"type":"crash"},{"body":{},"type":"x"}]"#;
    let agg = aggregator(Schema::builder().browser(), now);
    allocates_nothing("reports of browsers", || {
        let report = agg.push(Format::Reports, body, &Source::default(), now).unwrap();
        assert_eq!((report.accepted(), report.n_refused()), (4, 1));
    });
}

/// What Faro and other clients send, and a hit.
#[cfg(feature = "faro")]
fn beacons(now: Timestamp) {
    let mappings = include_str!("../../mappings/beacons.toml");
    let agg = aggregator(Schema::builder().browser().toml("beacons.toml", mappings), now);
    let faro = include_str!("../data/faro.json");
    let perfume = r#"[{"metricName":"FCP","data":52.5},{"metricName":"navigationTiming","data":{"totalTime":12.2}}]"#;
    let boomerang =
        "rt.start=navigation&t_done=81&t_resp=12&pt.fcp=60&u=https%3A%2F%2Fapp.example%2F";
    for (format, path, body, n) in [
        (Format::Faro, "/collect", faro, 7),
        (Format::Beacon, "/perfume", perfume, 2),
        (Format::Beacon, "/boomerang", boomerang, 3),
        (
            Format::Hit,
            "/lm.gif",
            "m=client_page_loads_total%3Btype%3Dreload&m=client_page_loads_total;type=%6eavigate",
            2,
        ),
    ] {
        allocates_nothing(path, || {
            let report =
                agg.push(format, body.as_bytes(), &Source::default().path(path), now).unwrap();
            assert_eq!(report.accepted(), n);
        });
    }
}

/// What SDKs of OpenTelemetry send: each kind of point, as increments and as totals.
#[cfg(feature = "otlp")]
fn otlp(now: Timestamp) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let schema = fs::read_to_string(data.join("otlp.schema.toml")).unwrap();
    let delta = fs::read_to_string(data.join("otlp.push.otlp.json")).unwrap();
    // What is escaped where it is exposed is compared aside.
    let delta = delta.replace(r#"/\"home\""#, "/home");
    let temporality = |n: u8| format!("\"aggregationTemporality\": {n}");
    let cumulative = delta.replace(&temporality(1), &temporality(2));
    assert_ne!(delta, cumulative);
    for body in [delta, cumulative] {
        let agg = aggregator(Schema::builder().toml("otlp.schema.toml", &schema), now);
        allocates_nothing("OTLP", || {
            let report = agg.push(Format::OtlpJson, body.as_bytes(), &Source::default(), now);
            assert_eq!(report.unwrap().accepted(), 7);
        });
    }
}

fn encodes(agg: &Aggregator, now: Timestamp) {
    let mut chunk = Vec::with_capacity(64 * 1024);
    let mut n_bytes = 0;
    allocates_nothing("a scrape into a buffer that is used again", || {
        n_bytes = 0;
        let mut scrape = agg.scrape(ScrapeOptions::text(), now);
        while scrape.next_chunk(&mut chunk) {
            n_bytes += chunk.len();
        }
        scrape.complete(now);
    });
    assert!(n_bytes > 1000);
}
