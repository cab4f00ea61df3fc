//! The run, its claims and its table.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use crate::attack::Attack;
use crate::cores::{self, Half};
use crate::crowd;
use crate::good::{BESIDE, CALM, CROWD, Good, N_PHASES, PHASES, STORM, Times};
use crate::metrics::Scrape;
use crate::server::Server;
use crate::shots::Hits;

/// What resident memory may grow by over an idle aggregator.
const GROWTH_MAX: u64 = 64 << 20;

/// How much slower a good push may be at the 99th percentile than in calm, or where the machine carries a storm and
/// the aggregator does not.
const SLOWER_MAX: f64 = 2.0;

const MIB: f64 = (1 << 20) as f64;

/// How much of everything.
pub(crate) struct Size {
    calm: Duration,
    /// How long a storm is on another aggregator first: as long as the storm, to be compared with it.
    beside: Option<Duration>,
    storm: Duration,
    crowd: Option<Duration>,
    pub(crate) n_slow: usize,
    pub(crate) n_large: usize,
    pub(crate) bomb: usize,
    /// Between two shots of one thread.
    pub(crate) pause: Duration,
}

const FULL: Size = Size {
    calm: Duration::from_secs(15),
    beside: Some(Duration::from_secs(40)),
    // Longer than a body and an answer may take.
    storm: Duration::from_secs(40),
    crowd: Some(Duration::from_secs(12)),
    n_slow: 1_000,
    n_large: 100,
    bomb: 512 << 20,
    pause: Duration::from_millis(10),
};

const SMALL: Size = Size {
    calm: Duration::from_millis(500),
    beside: None,
    storm: Duration::from_secs(2),
    crowd: None,
    n_slow: 60,
    n_large: 12,
    bomb: 80 << 20,
    pause: Duration::from_millis(1),
};

impl Size {
    pub(crate) fn of(is_full: bool) -> Self {
        if is_full { FULL } else { SMALL }
    }
}

/// What happened, beside what the good client sees.
#[derive(Default)]
struct Seen {
    n_scrapes: AtomicU64,
    /// The most bytes that were resident in each phase.
    resident: [AtomicU64; N_PHASES],
}

pub(crate) fn run(is_full: bool) {
    let size = Size::of(is_full);
    // The aggregator inherits it, and so do attackers.
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard })
        .expect("no more than hard");

    // Attackers are started from this thread, which has all cores.
    let keep_on = move |half| {
        if is_full {
            cores::keep(half);
        }
    };
    let keep = move || keep_on(Half::First);
    let start_on = |half| {
        let server = thread::spawn(move || {
            keep_on(half);
            Server::start()
        });
        server.join().expect("it starts")
    };
    let server = start_on(Half::First);
    // A panic of one thread is the end: others would go on, and nobody would hear of it.
    let (report, pid) = (std::panic::take_hook(), server.pid());
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        let _ = kill_process(pid, Signal::KILL);
        std::process::exit(1);
    }));
    Scrape::of(server.private);
    let idle = server.resident();
    let (good, seen, is_watched) = (Good::new(), Seen::default(), AtomicBool::new(true));
    let hits = thread::scope(|scope| {
        let (server, good, seen, is_watched) = (&server, &good, &seen, &is_watched);
        let client = scope.spawn(move || {
            keep();
            good.run(server.public);
        });
        let watcher = scope.spawn(move || {
            keep();
            watch(server, good, seen, is_watched);
        });
        thread::sleep(size.calm);
        if let Some(lasts) = size.beside {
            // It takes its time from attackers alone.
            let other = start_on(Half::Second);
            let storm = Attack::begin("storm", &other, is_full);
            good.phase.store(BESIDE, Ordering::Relaxed);
            thread::sleep(lasts);
            let n = storm.end().n_connections.into_inner();
            println!("{n} attacking connections beside");
            other.stop();
        }
        let storm = Attack::begin("storm", server, is_full);
        good.phase.store(STORM, Ordering::Relaxed);
        thread::sleep(size.storm);
        let hits = storm.end();
        if let Some(lasts) = size.crowd {
            good.phase.store(CROWD, Ordering::Relaxed);
            let crowd = Attack::begin("crowd", server, is_full);
            thread::sleep(lasts);
            crowd.end();
        }
        // What follows an attack is nobody's calm.
        good.phase.store(STORM, Ordering::Relaxed);
        thread::sleep(size.calm / 5);
        good.phase.store(CALM, Ordering::Relaxed);
        thread::sleep(size.calm);
        good.is_over.store(true, Ordering::Relaxed);
        client.join().expect("the client does not panic");
        is_watched.store(false, Ordering::Relaxed);
        watcher.join().expect("the watcher does not panic");
        hits
    });
    report_all(&good, &seen, &hits, [idle, server.resident()]);
    check_totals(&server, &good, &hits, is_full);
    server.stop();
    if is_full {
        check_bounds(&good, &seen, idle);
    }
}

/// Reads `/metrics` and what is resident for as long as it goes on.
fn watch(server: &Server, good: &Good, seen: &Seen, is_watched: &AtomicBool) {
    let mut next_scrape = Instant::now();
    while is_watched.load(Ordering::Relaxed) {
        let phase = good.phase.load(Ordering::Relaxed);
        seen.resident[phase].fetch_max(server.resident(), Ordering::Relaxed);
        if Instant::now() >= next_scrape {
            let n_before = good.n_answered.load(Ordering::Acquire);
            let counted = Scrape::of(server.private).value("hits_total{by=\"good\"}");
            // One may be counted and on its way back.
            let n_after = good.n_answered.load(Ordering::Acquire) + 1;
            let is_right = n_before as f64 <= counted && counted <= n_after as f64;
            assert!(is_right, "{counted} counted, {n_before} to {n_after} answered");
            seen.n_scrapes.fetch_add(1, Ordering::Relaxed);
            next_scrape += Duration::from_secs(1);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// What was answered 204 was counted, and nothing else.
fn check_totals(server: &Server, good: &Good, sent: &Hits, is_full: bool) {
    // The listeners' counts are told once a second.
    thread::sleep(Duration::from_millis(1_500));
    let scrape = Scrape::of(server.private);
    let hits = |by: &str| scrape.value(&format!("hits_total{{by=\"{by}\"}}"));
    let answered = |n: &AtomicU64| n.load(Ordering::Relaxed) as f64;
    assert_eq!(hits("good"), answered(&good.n_answered), "good pushes");
    assert_eq!(hits("shots"), answered(&sent.n_hits), "odd pushes that were answered 204");
    assert_eq!(scrape.sum("p"), answered(&sent.n_labels), "20,000 values, `other` among them");
    assert_eq!((hits("nobody"), hits("other")), (0.0, 0.0), "what was refused");
    // Those did not wait for their answers.
    assert!(hits("churn") <= answered(&sent.n_churned), "pushes of those who left");
    let events = |listener: &str, event: &str| {
        scrape.value(&format!(
            "lastmile_connection_events_total{{listener=\"{listener}\",event=\"{event}\"}}"
        ))
    };
    for listener in ["public", "private"] {
        assert_eq!(events(listener, "panic"), 0.0);
        assert_eq!(events(listener, "accept_error"), 0.0);
    }
    if is_full {
        let n_refused = events("public", "refused");
        let each = crowd::FROM_EACH as f64 - 1_024.0;
        assert_eq!(n_refused, f64::from(crowd::ADDRESSES) * each, "one too many of its address");
        assert!(events("public", "paused") > 0.0, "all places were taken");
        assert!(events("public", "head_timeout") > 0.0 && events("public", "body_timeout") > 0.0);
    }
    let by_promtool = if scrape.check_by_promtool() { "agrees" } else { "is not installed" };
    println!("totals exact; promtool {by_promtool}");
}

fn report_all(good: &Good, seen: &Seen, hits: &Hits, [idle, end]: [u64; 2]) {
    let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
    let mib = |bytes: u64| bytes as f64 / MIB;
    println!(
        "| phase | good pushes | p50 µs | p99 µs | p99.9 µs | largest µs | p99 by calm | MiB |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for (name, phase) in PHASES.into_iter().zip(0..) {
        let times = good.times[phase].lock().expect("nobody panics with it");
        let us = |ns: u64| ns / 1_000;
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|q| us(times.value_at_quantile(q)));
        let (n, max) = (times.len(), us(times.max()));
        drop(times);
        let slower = slower(good, phase, CALM);
        let resident = mib(load(&seen.resident[phase]));
        println!("| {name} | {n} | {p50} | {p99} | {p999} | {max} | {slower:.2} | {resident:.1} |");
    }
    println!("resident: {:.1} MiB when idle, {:.1} at the end", mib(idle), mib(end));
    println!(
        "{} attacking connections, {} pushes that left; answers by status: {:?}",
        load(&hits.n_connections),
        load(&hits.n_churned),
        hits.answers.lock().expect("nobody panics with it")
    );
    println!("{} scrapes meanwhile", load(&seen.n_scrapes));
}

/// The p99 of a phase by that of another.
fn slower(good: &Good, phase: usize, than: usize) -> f64 {
    let p99 = |times: &Times| times.value_at_quantile(0.99) as f64;
    let [than, phase] =
        [than, phase].map(|phase| p99(&good.times[phase].lock().expect("as above")));
    phase / than
}

/// The claims of time and memory.
fn check_bounds(good: &Good, seen: &Seen, idle: u64) {
    for (name, resident) in PHASES.into_iter().zip(&seen.resident) {
        let growth = resident.load(Ordering::Relaxed).saturating_sub(idle);
        let growth_mib = growth as f64 / MIB;
        assert!(growth <= GROWTH_MAX, "memory grew by {growth_mib:.1} MiB in the {name}");
    }
    for phase in [STORM, CROWD] {
        let slower = slower(good, phase, CALM).min(slower(good, phase, BESIDE));
        let name = PHASES[phase];
        assert!(slower <= SLOWER_MAX, "p99 in the {name} is {slower:.2} times that beside it");
    }
}
