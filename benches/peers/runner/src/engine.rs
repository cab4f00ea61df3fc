use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;

use crate::Result;
use crate::process::Server;
use crate::scenario::Scenario;

/// Who is measured: one folder of `engines/` with an `engine.toml`.
#[derive(Debug)]
pub(crate) struct Engine {
    /// The folder's name.
    pub(crate) name: String,
    folder: PathBuf,
    about: About,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    about: String,
    /// The engine that its ratio is to; without one, it is such an engine itself.
    baseline: Option<String>,
    /// Run in the engine's folder before anything is measured.
    #[serde(default)]
    build: Vec<String>,
    /// The server. `{target}` is cargo's target folder; an argument with `{schema}` is repeated for
    /// each of the scenario's schema files, so it goes away when there is none. Once it listens, the
    /// process prints `public http://ADDRESS` and `private http://ADDRESS`, as the aggregator does;
    /// the second only if it has `metrics`.
    run: Vec<String>,
    /// Where pushes of each format go.
    paths: BTreeMap<String, String>,
    /// Path of the exposition on the private address, where the engine has one.
    metrics: Option<String>,
    /// The series that count pushes and samples; `{format}` is the scenario's.
    pushes: Option<String>,
    samples: Option<String>,
    /// The series that says for how many seconds batch ids are remembered, where the engine does that.
    ids_window: Option<String>,
}

/// How long an engine remembers an id as long as memory for ids is not short, in seconds.
/// Source: `dedup.rs` of the core, `WINDOW`.
const IDS_WINDOW_SECS: f64 = 600.0;

/// Every engine in the folder, by name, each behind the one that its ratio is to.
pub(crate) fn load_all(folder: &Path) -> Result<Vec<Engine>> {
    let mut engines = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let folder = entry?.path();
        let file = folder.join("engine.toml");
        if file.exists() {
            let about = toml::from_str(&std::fs::read_to_string(&file)?)
                .map_err(|error| format!("{}: {error}", file.display()))?;
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            engines.push(Engine { name, folder, about });
        }
    }
    engines.sort_by_key(|engine: &Engine| {
        let baseline = engine.baseline().map(str::to_owned);
        let is_beside = baseline.is_some();
        (baseline.unwrap_or_else(|| engine.name.clone()), is_beside, engine.name.clone())
    });
    Ok(engines)
}

/// What an engine was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) n_pushes: u64,
    /// How often the scenario's body was in them.
    pub(crate) n_bodies: u64,
    /// Whether that were more ids than an engine keeps.
    pub(crate) is_set_full: bool,
}

impl Engine {
    pub(crate) fn about(&self) -> &str {
        &self.about.about
    }

    /// The name of the engine that its ratio is to.
    pub(crate) fn baseline(&self) -> Option<&str> {
        self.about.baseline.as_deref()
    }

    /// Whether it remembers ids, so that its set of them can be full.
    pub(crate) fn remembers_ids(&self) -> bool {
        self.about.ids_window.is_some()
    }

    pub(crate) fn build(&self, root: &Path) -> Result<()> {
        build(root, &self.folder, &self.about.build)
    }

    /// Starts the server on the core that the calling thread is pinned to.
    pub(crate) fn start(&self, scenario: &Scenario) -> Result<Server> {
        let root = self.folder.ancestors().nth(2).ok_or("an engine is two folders deep")?;
        let target = target(root);
        let mut args = Vec::new();
        for arg in &self.about.run {
            let arg = arg.replace("{target}", &target.to_string_lossy());
            if arg.contains("{schema}") {
                let schema = scenario.schema.iter();
                args.extend(schema.map(|path| arg.replace("{schema}", &path.to_string_lossy())));
            } else {
                args.push(arg);
            }
        }
        let (program, args) = args.split_first().ok_or("`run` is empty")?;
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("`{program}`: {error}"))?;
        let stdout = child.stdout.take().ok_or("the output is piped")?;
        let mut server = Server::new(child);
        let mut lines = BufReader::new(stdout).lines();
        server.public = address(&mut lines, "public")?;
        if self.about.metrics.is_some() {
            server.private = address(&mut lines, "private")?;
        }
        Ok(server)
    }

    pub(crate) fn path(&self, format: &str) -> Result<&str> {
        let path = self.about.paths.get(format);
        Ok(path.ok_or_else(|| format!("the engine has no path for `{format}`"))?)
    }

    /// Fails unless the engine's exposition counts exactly what was sent, and unless its set of ids is full
    /// if it was filled.
    pub(crate) fn check_counts(
        &self,
        server: &Server,
        scenario: &Scenario,
        sent: Sent,
    ) -> Result<()> {
        let Some(path) = &self.about.metrics else {
            return Ok(());
        };
        // What an engine says of its ids is as of the time that it was told last, which a scrape does too.
        get(server.private, path)?;
        let text = get(server.private, path)?;
        let value = |series: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse::<f64>().ok())
        };
        let n_samples = scenario.samples_per_push * sent.n_bodies;
        let own = [(&self.about.pushes, sent.n_pushes), (&self.about.samples, n_samples)];
        let own = own.into_iter().filter_map(|(series, expected)| {
            Some((series.as_ref()?.replace("{format}", &scenario.format), expected as f64))
        });
        let adds = scenario.adds.iter();
        let adds = adds.map(|(series, each)| (series.clone(), each * sent.n_bodies as f64));
        for (series, expected) in own.chain(adds) {
            let value = value(&series);
            if value != Some(expected) {
                return Err(format!("`{series}` is {value:?} and not {expected}").into());
            }
        }
        if let Some(series) = self.about.ids_window.as_ref().filter(|_| sent.is_set_full) {
            let value = value(series);
            if value.is_none_or(|secs| secs >= IDS_WINDOW_SECS) {
                return Err(format!("`{series}` is {value:?}: the set of ids is not full").into());
            }
        }
        Ok(())
    }
}

/// Runs an engine's `build` in its folder.
pub(crate) fn build(root: &Path, folder: &Path, build: &[String]) -> Result<()> {
    let Some((program, args)) = build.split_first() else {
        return Ok(());
    };
    let status = Command::new(program)
        .args(args)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target(root))
        .status()
        .map_err(|error| format!("`{program}`: {error}"))?;
    if !status.success() {
        return Err(format!("building {} failed", folder.display()).into());
    }
    Ok(())
}

/// The address on the next line that starts with `side`.
fn address(lines: &mut Lines<impl BufRead>, side: &str) -> Result<SocketAddr> {
    loop {
        let line = lines.next().ok_or("the engine ended before it listened")??;
        let mut words = line.split_whitespace();
        if words.next() == Some(side) {
            let url = words.next().and_then(|url| url.strip_prefix("http://"));
            let address = url.and_then(|url| url.split('/').next());
            return Ok(address.ok_or("what the engine printed is no URL")?.parse()?);
        }
    }
}

/// Cargo's target folder: the one that the runner itself was built into.
pub(crate) fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// The body of a GET. HTTP/1.0, so that it is neither chunked nor kept open.
fn get(addr: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {addr}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("the answer has no head")?;
    let status = head.split(' ').nth(1);
    if status != Some("200") {
        return Err(format!("`{path}` answers {status:?}").into());
    }
    Ok(body.to_owned())
}
