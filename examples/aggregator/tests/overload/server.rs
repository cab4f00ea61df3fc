//! The aggregator as a child process.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Long enough for a loaded machine, and for the ten seconds that requests in flight are given.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is pushed: hits by who sent them, and a family whose names are as short as they can be, so that
/// 20,000 values fit into one push.
const SCHEMA: &str = r#"
[[family]]
name = "hits_total"
type = "counter"
labels = [{ name = "by", values = ["good", "shots", "churn", "nobody"] }]

[[family]]
name = "p"
type = "counter"
labels = [{ name = "p", max_values = 1000 }]
"#;

/// A running aggregator, killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) public: SocketAddr,
    pub(crate) private: SocketAddr,
}

impl Server {
    /// Starts it and waits until it says where it listens.
    pub(crate) fn start() -> Self {
        let schema = concat!(env!("CARGO_TARGET_TMPDIR"), "/overload.toml");
        std::fs::write(schema, SCHEMA).expect("the folder is ours");
        let mut child = Command::new(env!("CARGO_BIN_EXE_lastmile-aggregator"))
            .args(["--public=127.0.0.1:0", "--private=127.0.0.1:0", "--schema", schema])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program is there");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut address = |name: &str| {
            let mut lines = lines.by_ref().map(|line| line.expect("it prints text"));
            let line = lines.find(|line| line.starts_with(name)).expect("it starts");
            let url = line.split_once("http://").expect("a URL").1;
            url.split('/').next().and_then(|at| at.parse().ok()).expect("an address")
        };
        let (public, private) = (address("public "), address("private "));
        Self { child, public, private }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Resident bytes.
    pub(crate) fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("it runs");
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB"));
        kib.and_then(|kib| kib.trim().parse::<u64>().ok()).expect("the kernel says it in kB") * 1024
    }

    /// Asks it to stop, and checks that it does so cleanly.
    pub(crate) fn stop(mut self) {
        kill_process(self.pid(), Signal::TERM).expect("it runs");
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not stop");
            std::thread::sleep(Duration::from_millis(5));
        };
        let (mut log, mut stderr) = (String::new(), self.child.stderr.take().expect("it is piped"));
        stderr.read_to_string(&mut log).expect("it logs text");
        assert!(status.success(), "{status}: {log}");
        assert!(!log.contains("panicked"), "{log}");
        assert!(log.trim_end().ends_with("stopped"), "{log}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
