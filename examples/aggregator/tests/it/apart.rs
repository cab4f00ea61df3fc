//! Where large bodies are decoded, as Linux has it.

use std::fs;

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id, thread_schedule_policy,
};

use crate::process::{ANY_PORT, Aggregator, command, folder, push};

/// Threads of a rank of their own among those of the program.
fn apart(aggregator: &Aggregator) -> Vec<[String; 2]> {
    let rank = |of: &str| {
        let stat = fs::read_to_string(format!("/proc/{}/{of}/stat", aggregator.pid()));
        rank(&stat.expect("it runs")).map(str::to_owned)
    };
    let tasks = fs::read_dir(format!("/proc/{}/task", aggregator.pid())).expect("it runs");
    let names = tasks.map(|task| task.expect("it runs").file_name().into_string());
    let names = names.map(|name| format!("task/{}", name.expect("it is a number")));
    names.map(|name| rank(&name)).filter(|of_task| *of_task != rank(".")).collect()
}

/// The rank of a thread that gives way at once or, where nobody may ask for that, the niceness of one that takes a tenth.
fn wanted() -> [&'static str; 2] {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    let may = std::thread::spawn(move || {
        drop(set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle));
        thread_schedule_policy().is_ok_and(|policy| policy == idle)
    });
    // Source: sched.h, `SCHED_IDLE`.
    if may.join().expect("it does not panic") { ["0", "5"] } else { ["10", "0"] }
}

/// The niceness and the policy in what is told of a thread. Source: proc_pid_stat(5): fields 19 and 41; the second is its
/// name in parentheses, which may hold blanks.
fn rank(stat: &str) -> [&str; 2] {
    let (_, behind) = stat.rsplit_once(')').expect("a thread has a name");
    [19, 41].map(|n| behind.split_whitespace().nth(n - 3).expect("it is there"))
}

#[test]
fn a_large_body_takes_no_core_from_small_ones() {
    let aggregator = Aggregator::start(command(&folder("apart", &[]), &ANY_PORT, &[]));
    for (n_blanks, was_large) in [(1_000, false), (20_000, true), (1_000, true)] {
        let blanks = " ".repeat(n_blanks);
        let body =
            format!(r#"{{"lm":1,{blanks}"m":{{"client_page_loads_total;type=navigate":1}}}}"#);
        assert_eq!(push(aggregator.public, "/lm", &body), r#"{"accepted":1,"refused":{}}"#);
        let wanted = if was_large { vec![wanted()] } else { Vec::new() };
        assert_eq!(apart(&aggregator), wanted, "after {n_blanks} blanks");
    }
}
