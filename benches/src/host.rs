use std::process::Command;

/// Whether this is `cargo bench`. `cargo test --benches` does not pass the flag: it runs each benchmark
/// once and on little, to see that it still works and that its result is right.
pub fn is_bench() -> bool {
    std::env::args().any(|arg| arg == "--bench")
}

/// Prints what a number cannot be read without: processor, commit, compiler and flags.
pub fn print_host() {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let n_cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("host    {model}, {n_cores} cores");
    let commit = output("git", &["describe", "--always", "--dirty", "--abbrev=12"]);
    println!("commit  {}", commit.as_deref().unwrap_or("unknown"));
    println!("rustc   {}", output("rustc", &["--version"]).as_deref().unwrap_or("unknown"));
    println!("flags   {}", std::env::var("RUSTFLAGS").as_deref().unwrap_or("none"));
    if cfg!(debug_assertions) {
        println!("WITH DEBUG ASSERTIONS: these are not numbers");
    }
}

fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned()).filter(|text| !text.is_empty())
}
