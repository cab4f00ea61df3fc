//! The program as a child process, in a folder of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Long enough for a loaded machine; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Flags for listeners that no other test has.
pub(crate) const ANY_PORT: [&str; 4] = ["--public", "127.0.0.1:0", "--private", "127.0.0.1:0"];

/// A schema file with one family.
pub(crate) const OWN: &str = "[[family]]\nname = \"own_total\"\ntype = \"counter\"\n";

/// The worked pushes beside the project.
pub(crate) fn wire() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/wire")
}

/// An empty folder with these files in it; the name is the test's own.
pub(crate) fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // It is there from an earlier run, or it is not.
    drop(std::fs::remove_dir_all(&folder));
    for (file, text) in files {
        let file = folder.join(file);
        std::fs::create_dir_all(file.parent().expect("it is in the folder")).expect("it is ours");
        std::fs::write(file, text).expect("it is ours");
    }
    std::fs::create_dir_all(&folder).expect("it is ours");
    folder
}

/// The program with these arguments, in this folder, with no other variables than these.
pub(crate) fn command(folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastmile-aggregator"));
    command.args(args).env_clear().envs(variables.iter().copied()).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A running aggregator, killed when dropped.
pub(crate) struct Aggregator {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// What it printed until both listeners were named.
    pub(crate) said: String,
    pub(crate) public: SocketAddr,
    pub(crate) private: SocketAddr,
}

impl Aggregator {
    /// Starts it and waits until it says where it listens.
    #[track_caller]
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the program is there");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (mut said, mut public, mut private) = (String::new(), None, None);
        while public.is_none() || private.is_none() {
            let mut line = String::new();
            if stdout.read_line(&mut line).expect("it prints text") == 0 {
                let output = child.wait_with_output().expect("it ended");
                panic!("it did not start: {}", String::from_utf8_lossy(&output.stderr));
            }
            let url = line.split_whitespace().nth(1).and_then(|url| url.strip_prefix("http://"));
            let address = url.and_then(|url| url.split('/').next()?.parse().ok());
            if line.starts_with("public ") {
                public = address;
            } else if line.starts_with("private ") {
                private = address;
            }
            said += &line;
        }
        let (public, private) = public.zip(private).expect("both were found");
        Self { child, stdout, said, public, private }
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Stops it, and waits for its end.
    #[track_caller]
    pub(crate) fn stop(self) -> (Option<i32>, String, String) {
        self.signal(Signal::TERM);
        self.end()
    }

    /// Waits for its end: the exit code, all it printed, and all it logged.
    #[track_caller]
    pub(crate) fn end(mut self) -> (Option<i32>, String, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        };
        let mut said = std::mem::take(&mut self.said);
        self.stdout.read_to_string(&mut said).expect("it prints text");
        let mut logged = String::new();
        let mut stderr = self.child.stderr.take().expect("it is piped");
        stderr.read_to_string(&mut logged).expect("it logs text");
        (status.code(), said, logged)
    }

    /// The value of one series, as it is written.
    #[track_caller]
    pub(crate) fn value(&self, series: &str) -> String {
        let text = send(self.private, "GET /metrics HTTP/1.0\r\n\r\n");
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in {text}")).to_owned()
    }
}

impl Drop for Aggregator {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs it to its end, which it has to come to by itself.
#[track_caller]
pub(crate) fn run(mut command: Command) -> Output {
    let mut child = command.spawn().expect("the program is there");
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().expect("it is our child").is_none() {
        if Instant::now() > deadline {
            drop(child.kill());
            panic!("it started, or it hangs: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().expect("it ended")
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time that is not zero");
    stream
}

/// Sends one request and reads until the connection ends.
#[track_caller]
pub(crate) fn send(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).expect("the request is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the answer is text");
    answer
}

/// Pushes `body` and gives the report.
#[track_caller]
pub(crate) fn push(address: SocketAddr, path: &str, body: &str) -> String {
    let length = body.len();
    let answer = send(
        address,
        &format!(
            "POST {path} HTTP/1.0\r\nprefer: return=representation\r\ncontent-length: {length}\r\n\r\n{body}"
        ),
    );
    let (head, report) = answer.split_once("\r\n\r\n").expect("a whole head");
    assert!(head.starts_with("HTTP/1.0 200 "), "{answer}");
    report.to_owned()
}
