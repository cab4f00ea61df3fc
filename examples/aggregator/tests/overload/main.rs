//! The aggregator under attack: `cargo xtask prove overload`.
//!
//! A good client pushes every few milliseconds, from calm into two attacks: `storm`, everything that a
//! socket can do wrong at once, and `crowd`, more connections than there are places. Each attack counts by
//! labels of its own, so that every total can be compared with what was answered. What of the storm is the
//! machine's is seen first: a storm on another aggregator, which takes its time from the attackers.
//!
//! It is small and short without `--full`, and then says nothing of time and memory: a test beside others.
//! The program under test is the one that cargo built with this one, in the same profile.

#[cfg(target_os = "linux")]
mod attack;
#[cfg(target_os = "linux")]
mod cores;
#[cfg(target_os = "linux")]
mod crowd;
#[cfg(target_os = "linux")]
mod good;
#[cfg(target_os = "linux")]
mod metrics;
#[cfg(target_os = "linux")]
mod proof;
#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod shots;
#[cfg(target_os = "linux")]
mod slow;
#[cfg(target_os = "linux")]
mod wire;

fn main() {
    // Elsewhere 127.0.0.2 is no address of the machine, and nobody says what is resident.
    #[cfg(target_os = "linux")]
    {
        let args: Vec<String> = std::env::args().collect();
        match args.iter().position(|arg| arg == attack::ARG) {
            Some(at) => attack::run(&args[at + 1..]),
            None => proof::run(args.iter().any(|arg| arg == "--full")),
        }
    }
}
