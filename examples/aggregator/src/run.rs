//! Listening, serving and stopping.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use lastmile::{Aggregator, Listener};
use lastmile_http::{Clock, Service};
use lastmile_hyper::{Endpoint, ServeCounts, Server, serve};
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval};

use crate::apart::decode_apart;
use crate::config::Config;
use crate::signals::Signals;

/// How long requests in flight may take once a signal has come.
const GRACE: Duration = Duration::from_secs(10);

/// How long WebSockets may take to close.
const CLOSING: Duration = Duration::from_secs(2);

/// How often the aggregator is told the time.
const TICK: Duration = Duration::from_secs(1);

/// Serves until a signal comes, and returns when what was in flight is done.
pub(crate) fn run(config: Config) -> Result<(), Failure> {
    // Large bodies are decoded there: as many at once as there are cores for, and the others wait. More threads would
    // end no sooner, and the allocator keeps for each what it gave back.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(cores.max(2))
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?
        .block_on(serve_both(config))
}

async fn serve_both(config: Config) -> Result<(), Failure> {
    // Both are taken before either answers, so a start that fails has counted nothing.
    let (public_listener, public_at) = listen("public", config.public).await?;
    let (private_listener, private_at) = listen("private", config.private).await?;
    let mut signals = Signals::new().map_err(Failure::Runtime)?;
    let aggregator = config.aggregator.clone();
    let private_service = Service::private_with(aggregator.clone(), &config.private_options);
    let private_service = private_service.map_err(Failure::Options)?;
    let public_service = Service::public_with(aggregator.clone(), &config.public_options);
    let public_service = public_service.map_err(Failure::Options)?;
    announce(&config, &public_service, public_at, private_at);
    tracing_subscriber::fmt()
        .with_env_filter(config.log)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    tracing::info!(%public_at, %private_at, families = config.n_families, "started");

    if !config.public_options.has_origins() {
        tracing::warn!("pages of any origin may push; list those that may with --origins");
    }
    if config.n_families == 0 {
        tracing::warn!("there are no metric families, and every push is refused; see --schema");
    }
    if !private_at.ip().is_loopback() && !config.private_options.has_credentials() {
        tracing::warn!(
            "whoever reaches {private_at} reads the aggregate; ask for a token with --private-token"
        );
    }
    public_service.set_offload(decode_apart);
    let pushes = Endpoint::new(public_service.clone());
    let public = serve(public_listener, pushes, config.public_limits);
    let scrapes = Endpoint::new(private_service.clone());
    let private = serve(private_listener, scrapes, config.private_limits);
    tokio::spawn(tell_time(aggregator, [public.clone(), private.clone()]));

    let signal = signals.next().await;
    tracing::info!(signal, "stopping");
    private_service.set_ready(false);
    // The private side stays until the public one is done, so that `/readyz` can say why.
    let done = async {
        let begin = Instant::now();
        // Browsers close in their turn at once; who does not is not waited for.
        let n_left = public_service.close_sockets(CLOSING).await;
        if n_left > 0 {
            tracing::debug!(n_left, "sockets whose peers did not close");
        }
        let broken_off = public.stop(GRACE.saturating_sub(begin.elapsed())).await;
        let broken_off = broken_off + private.stop(GRACE.saturating_sub(begin.elapsed())).await;
        tracing::debug!(public = ?public.counts(), private = ?private.counts(), "connections");
        broken_off
    };
    tokio::select! {
        broken_off = done => match broken_off {
            0 => tracing::info!("stopped"),
            _ => tracing::warn!("stopped, and broke off {broken_off} requests that took over {GRACE:?}"),
        },
        signal = signals.next() => tracing::warn!(signal, "stopped at once"),
    }
    Ok(())
}

/// Tells the aggregator the time, and what happened to the connections of its listeners.
async fn tell_time(aggregator: Aggregator, [public, private]: [Server; 2]) {
    let clock = Clock::new();
    let mut listeners = [(Listener::Public, public), (Listener::Private, private)]
        .map(|(listener, server)| (listener, server, ServeCounts::default()));
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for (listener, server, before) in &mut listeners {
            let counts = server.counts();
            counts.publish(before, &aggregator, *listener);
            *before = counts;
        }
        aggregator.tick(clock.now());
    }
}

async fn listen(
    side: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), Failure> {
    let listen = async {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    listen.await.map_err(|error| Failure::Listen { side, address, error })
}

/// What is told of paths of the public side: a line for each kind of sender, with those of its paths that are served.
const TOLD: [(&str, &[(&str, &str)]); 4] = [
    ("Pages load", &[("/lm.js", "`lastmile-aggregator scripts` prints its tag")]),
    ("Pages send to", &[("/lm", "lm1"), ("/record", "prometheus-user-metrics")]),
    ("Others send to", &[("/metrics", "Prometheus text that adds"), ("/v1/metrics", "OTLP")]),
    ("Jobs send totals to", &[("/metrics/job/", "as to a Pushgateway")]),
];

/// Says on standard output where to look. Programs read the two lines that start with `public` and
/// `private`; the second word of each is a URL.
fn announce(config: &Config, service: &Service, public: SocketAddr, private: SocketAddr) {
    let is_served = |path: &str| service.paths().any(|served| served == path);
    let from = match config.has_default_schema {
        true if config.has_own_schema => ", the built-in ones among them",
        true => ", all built in",
        false => "",
    };
    let families = match config.n_families {
        1 => "1 metric family".to_owned(),
        n => format!("{n} metric families"),
    };
    let mut text = format!(
        "lastmile-aggregator {} with {families}{from}\n\
         public  http://{public}\n\
         private http://{private}/metrics\n",
        env!("CARGO_PKG_VERSION"),
    );
    for (who, paths) in TOLD {
        let paths = paths.iter().filter(|(path, _)| is_served(path));
        let urls = paths.map(|(path, what)| format!("http://{public}{path} ({what})"));
        let urls = urls.collect::<Vec<_>>().join(" or ");
        if !urls.is_empty() {
            text.push_str(&format!("{who} {urls}\n"));
        }
    }
    if !config.has_default_schema && is_served("/lm.js") {
        text.push_str(
            "What /lm.js measures by itself is in the built-in families: see --default-schema\n",
        );
    }
    if config.has_default_schema && is_served("/lm") {
        // Keys are never shown, not even here.
        let key = if config.public_options.has_keys() { " -H 'X-API-Key: …'" } else { "" };
        text.push_str(&format!(
            "Try it: curl{key} -d '{{\"lm\":1,\"m\":{{\"client_page_loads_total;type=navigate\":1}}}}' http://{public}/lm\n"
        ));
    }
    // Whoever closed our standard output does not want to know.
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Why the aggregator cannot run.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An address cannot be listened on.
    Listen { side: &'static str, address: SocketAddr, error: io::Error },
    /// Who may push or read is not to be made out.
    Options(lastmile_http::Error),
    /// The system gives no threads, or no signals.
    Runtime(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { side, address, error } => {
                write!(f, "cannot listen on the {side} address {address}: ")?;
                match error.kind() {
                    io::ErrorKind::AddrInUse => {
                        write!(f, "it is in use; choose a free one with --{side}")
                    }
                    io::ErrorKind::AddrNotAvailable => {
                        write!(f, "it is no address of this machine; choose another with --{side}")
                    }
                    _ => error.fmt(f),
                }
            }
            Self::Options(error) => write!(f, "cannot start: {error}"),
            Self::Runtime(error) => write!(f, "cannot start: {error}"),
        }
    }
}
