//! Attackers, in a process of their own: what they do to their own memory and locks is not what the good client
//! may wait for.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::setpriority_process;

use crate::cores::{self, Half};
use crate::proof::Size;
use crate::server::Server;
use crate::shots::{Hits, Shot, all, churn, large_bodies};
use crate::{crowd, slow};

/// The argument behind which the rest says what to attack and how.
pub(crate) const ARG: &str = "--attack";

/// An attack on its way, killed when dropped.
pub(crate) struct Attack {
    child: Child,
    /// It goes on until this is closed.
    stdin: Option<ChildStdin>,
    lines: BufReader<ChildStdout>,
}

impl Attack {
    /// Starts the attack of this name, and waits until it begins.
    pub(crate) fn begin(name: &str, server: &Server, is_full: bool) -> Self {
        let program = std::env::current_exe().expect("this runs");
        let mut command = Command::new(program);
        command.args([ARG, name, &server.public.to_string(), &server.private.to_string()]);
        command.args(is_full.then_some("--full"));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("what runs can run again");
        let stdin = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut attack = Self { child, stdin, lines };
        attack.line();
        attack
    }

    /// Ends it, and gives what came of it.
    pub(crate) fn end(mut self) -> Hits {
        drop(self.stdin.take());
        let hits = Hits::read(&self.line());
        let status = self.child.wait().expect("it is our child");
        assert!(status.success(), "the attack: {status}");
        hits
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("it prints text");
        assert!(line.ends_with('\n'), "the attack ended early");
        line
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The other process: attacks until its input is closed, then says what came of it.
pub(crate) fn run(args: &[String]) {
    let [name, public, private, ..] = args else { panic!("what is to be attacked is not said") };
    let side = |arg: &String| arg.parse().expect("an address");
    let sides = [side(public), side(private)];
    let is_full = args.iter().any(|arg| arg == "--full");
    let size = Size::of(is_full);
    // Attackers stand for other machines, whose cores the server does not share. Threads are where the thread is
    // that starts them, and as nice.
    setpriority_process(None, 19).expect("anyone may be nicer");
    if is_full {
        cores::keep(Half::Second);
    }
    // A panic of one thread is the end: the others would go on.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::exit(1);
    }));
    let hits = Hits::default();
    match name.as_str() {
        "storm" => storm(sides, &size, &hits),
        "crowd" => {
            let crowd = crowd::gather(sides[0]);
            wait_for_the_end();
            drop(crowd);
        }
        other => panic!("no attack is named {other}"),
    }
    println!("{hits}");
}

/// Says that it has begun, and waits until it is to end.
fn wait_for_the_end() {
    println!("begun");
    std::io::stdin().read_to_end(&mut Vec::new()).expect("it is a pipe");
}

/// Everything that one socket can do wrong, at once.
fn storm(sides: [SocketAddr; 2], size: &Size, hits: &Hits) {
    let (shots, large) = (&all(size.bomb), &large_bodies());
    let (is_over, public) = (&AtomicBool::new(false), sides[0]);
    let goes_on = || !is_over.load(Ordering::Relaxed);
    thread::scope(|scope| {
        let slow = scope.spawn(move || slow::run(size.n_slow, sides, hits, is_over));
        for last in 30..32 {
            scope.spawn(move || shoot_all(shots, last, public, size.pause, hits, is_over));
        }
        scope.spawn(move || {
            for round in (0_u64..).take_while(|_| goes_on()) {
                let source = [127, 0, 1, 1 + (round % 250) as u8];
                hits.n_churned.fetch_add(churn(round, source, public), Ordering::Relaxed);
                thread::sleep(size.pause);
            }
        });
        scope.spawn(move || {
            while goes_on() {
                thread::scope(|scope| {
                    for (i, shot) in (0..size.n_large).zip(large.iter().cycle()) {
                        let source = [127, 0, 0, 40 + (i % 10) as u8];
                        scope.spawn(move || hits.shoot(shot, source, public));
                    }
                });
                thread::sleep(Duration::from_secs(1));
            }
        });
        wait_for_the_end();
        is_over.store(true, Ordering::Relaxed);
        let n_slow = slow.join().expect("it does not panic");
        hits.n_connections.fetch_add(n_slow, Ordering::Relaxed);
    });
}

/// Sends shot after shot until it is over, and each at least once.
fn shoot_all(
    shots: &[Shot],
    last: u8,
    to: SocketAddr,
    pause: Duration,
    hits: &Hits,
    is_over: &AtomicBool,
) {
    for (shot, n) in shots.iter().cycle().zip(1..) {
        hits.shoot(shot, [127, 0, 0, last], to);
        if n >= shots.len() && is_over.load(Ordering::Relaxed) {
            return;
        }
        thread::sleep(pause);
    }
}
