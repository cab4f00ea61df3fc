//! Instructions per operation: `cargo bench -p lastmile-benches --bench instructions`.
//!
//! Each operation runs under `valgrind --tool=callgrind` in a process of its own, twice: a number
//! of times, and twice that number. The difference of the two counts is what the operation takes;
//! set-up and exit cancel. A count does not depend on what else the machine does, so it can gate
//! a change where time can not. Of five such counts the middle one is told. `-- --check` fails when an operation takes over 6 % more than
//! `instructions.txt` says, `-- --bless` writes that file.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode};

use http::{Method, Response};
use lastmile::{Aggregator, Format, Limits, Schema, ScrapeOptions, Source};
use lastmile_benches::{
    N_SAMPLES_LM1_PAGE_LOAD, N_SAMPLES_PROMJS_PAGE_LOAD, N_SAMPLES_SEED_PAGE_LOAD, Shape,
    browser_aggregator, exposition, is_bench, lm1_page_load, median, now, promjs_page_load,
    pum_aggregator, seed_page_load,
};
use lastmile_http::RequestMeter;

/// The share above the blessed count at which `--check` fails. The keyed hash has another seed in each process, which
/// says what stands beside what, and so how many chunks a scrape has: counts move by up to five percent.
const TOLERANCE: f64 = 0.06;

/// Counts of an operation, of which the middle one is told: each has other seeds, and one alone may be of those that are
/// far from the others.
const N_COUNTS: usize = 5;

/// Where the blessed counts are.
const BLESSED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt");

/// What is counted.
struct Operation {
    name: &'static str,
    /// How often the smaller run does it.
    n: usize,
    /// Does it so often, and fails unless it did.
    run: fn(usize),
}

const OPERATIONS: [Operation; 9] = [
    Operation { name: "record_page_load", n: 1000, run: record_page_load },
    Operation { name: "lm1_page_load", n: 1000, run: lm1_page_load_pushes },
    Operation { name: "lm1_16_counters", n: 1000, run: lm1_16_counters },
    Operation { name: "lm1_16_of_4000", n: 1000, run: lm1_16_of_4000 },
    Operation { name: "lm1_16_over_limit", n: 2000, run: lm1_16_over_limit },
    Operation { name: "prom_text_page_load", n: 100, run: prom_text_page_load },
    Operation { name: "measured_request", n: 10_000, run: measured_requests },
    Operation { name: "encode_20000_counters", n: 10, run: |n| encode(Shape::Counter, 20_000, n) },
    Operation {
        name: "encode_2000_histograms",
        n: 10,
        run: |n| encode(Shape::Histogram, 2_000, n),
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    if let [child, name, n] = args.as_slice()
        && child == "--child"
    {
        let operation = OPERATIONS.iter().find(|operation| operation.name == name);
        let run = operation.expect("the name of an operation").run;
        run(n.parse().expect("a number"));
        return ExitCode::SUCCESS;
    }
    // Each operation asserts what it did, with or without valgrind.
    if !is_bench() {
        for operation in OPERATIONS {
            (operation.run)(1);
        }
        return ExitCode::SUCCESS;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("instructions: valgrind is not installed, nothing was counted");
        return if has("--check") { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }

    lastmile_benches::print_host();
    let before = std::fs::read_to_string(BLESSED).unwrap_or_default();
    let (mut text, mut failed) = (String::new(), false);
    for Operation { name, n, .. } in OPERATIONS {
        let counts = (0..N_COUNTS).map(|_| (count(name, 2 * n) - count(name, n)) / n as u64);
        let count = median(counts.collect());
        writeln!(text, "{name} {count}").expect("a String takes every write");
        let blessed =
            before.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        let Some(blessed) = blessed else {
            println!("{name:<24} {count:>9} instructions");
            failed |= has("--check");
            continue;
        };
        let change = count as f64 / blessed as f64 - 1.0;
        let over = change > TOLERANCE;
        failed |= over && has("--check");
        println!(
            "{name:<24} {count:>9} instructions, {:+.1} % from {blessed}{}",
            100.0 * change,
            if over { ", too many" } else { "" }
        );
    }
    if has("--bless") {
        std::fs::write(BLESSED, text).expect("the file can be written");
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Instructions of a process that does the operation `n` times.
fn count(name: &str, n: usize) -> u64 {
    let program = std::env::current_exe().expect("the program has a path");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg::<&Path>(&program)
        .args(["--child", name, &n.to_string()])
        .output()
        .expect("valgrind is installed");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{name}` failed under valgrind:\n{stderr}");
    let collected = stderr.lines().find_map(|line| line.split_once("Collected : "));
    let (_, collected) = collected.expect("callgrind prints what it collected");
    collected.trim().parse().expect("a number of instructions")
}

fn push(aggregator: &Aggregator, format: Format, body: &[u8], n_samples: u64) {
    let report = aggregator.push(format, black_box(body), &Source::default(), now());
    assert_eq!(report.expect("the push decodes").accepted(), n_samples);
}

fn record_page_load(n: usize) {
    let aggregator = pum_aggregator();
    for _ in 0..n {
        push(&aggregator, Format::Record, seed_page_load(), N_SAMPLES_SEED_PAGE_LOAD);
    }
    assert_eq!(exposition(&aggregator).value(r#"app_load_succeeded{app="student"}"#), n as f64);
}

/// The same page load as `promjs` writes it.
fn prom_text_page_load(n: usize) {
    let aggregator = pum_aggregator();
    for _ in 0..n {
        push(&aggregator, Format::PromText, promjs_page_load(), N_SAMPLES_PROMJS_PAGE_LOAD);
    }
    let after = exposition(&aggregator);
    assert_eq!(after.value(r#"app_load_succeeded{app="student"}"#), n as f64);
    assert_eq!(after.value("performance_timing_domComplete_count"), n as f64);
}

fn lm1_page_load_pushes(n: usize) {
    let (aggregator, mut batch) = (browser_aggregator(), lm1_page_load());
    for id in 0..n {
        push(&aggregator, Format::Lm1, batch.with_id(id as u64), N_SAMPLES_LM1_PAGE_LOAD);
    }
    assert_eq!(exposition(&aggregator).total("client_page_loads_total").1, n as f64);
}

fn lm1_16_counters(n: usize) {
    let (aggregator, mut batch) = (Shape::Counter.aggregator(), Shape::Counter.line(0..16));
    for id in 0..n {
        push(&aggregator, Format::Lm1, batch.with_id(id as u64), 16);
    }
    assert_eq!(exposition(&aggregator).total(Shape::Counter.family()).1, (16 * n) as f64);
}

/// More keys in turn than a thread remembers.
fn lm1_16_of_4000(n: usize) {
    let aggregator = Shape::Counter.aggregator();
    Shape::Counter.fill(&aggregator, 4_000);
    let mut batches: Vec<_> = (0..250).map(|i| Shape::Counter.line(i * 16..i * 16 + 16)).collect();
    for id in 0..n {
        push(&aggregator, Format::Lm1, batches[id % 250].with_id(id as u64), 16);
    }
    assert_eq!(exposition(&aggregator).total(Shape::Counter.family()).1, (4_000 + 16 * n) as f64);
}

/// A host's own request, from its begin to the end of an answer that has no body to wait for.
fn measured_requests(n: usize) {
    let schema = Schema::builder().families(RequestMeter::families()).build();
    let schema = schema.expect("the families are valid");
    let aggregator = Aggregator::new(schema, Limits::default(), now()).expect("they fit");
    let meter = RequestMeter::new(&aggregator).expect("they are declared");
    for _ in 0..n {
        let in_flight = meter.begin(black_box(&Method::GET), black_box(Some("/api/v1/users/{id}")));
        drop(in_flight.answered(Response::new(())));
    }
    assert_eq!(exposition(&aggregator).total("http_server_requests_total").1, n as f64);
}

/// Pages that have no place and get none: each sample counts as `other`.
fn lm1_16_over_limit(n: usize) {
    const N_PAGES: u32 = 50;
    let aggregator = Shape::Counter.aggregator_with_pages(N_PAGES);
    // Series 0..500 are the first fifty pages of each app.
    Shape::Counter.fill(&aggregator, 500);
    let mut batches: Vec<_> =
        (0..30).map(|i| Shape::Counter.line(5_000 + i * 16..5_016 + i * 16)).collect();
    for id in 0..n {
        let batch = &mut batches[id % 30];
        push(&aggregator, Format::Lm1, batch.with_id(id as u64), 16);
    }
    assert_eq!(exposition(&aggregator).total("lastmile_overflow_total").1, (16 * n) as f64);
}

fn encode(shape: Shape, n_series: usize, n: usize) {
    let aggregator = shape.aggregator();
    shape.fill(&aggregator, n_series);
    let (mut chunk, mut n_lines) = (Vec::new(), 0);
    for _ in 0..n {
        n_lines = 0;
        let mut scrape = aggregator.scrape(ScrapeOptions::text(), now());
        while scrape.next_chunk(&mut chunk) {
            n_lines += chunk.len() / 90;
        }
        scrape.complete(now());
    }
    assert!(n_lines >= n_series * shape.n_lines());
}
