//! Large bodies, decoded on threads that give way to those which answer small ones.
//!
//! Where both want one core, a push that takes microseconds would else wait for a slice of the other's time, some 3 ms:
//! a niceness says how much of a core a thread has, but not when it lets go of it. From a thread of `SCHED_IDLE` Linux takes
//! the core when another that may run there wakes (seen on 6.18), and leaves it three parts of a thousand where others
//! want all of it. Those others are the aggregator's own where its control group has no other process, as that of a
//! container or of a service; beside a stranger that never lets go, a push may wait some 0.1 s for a thread that was put
//! aside with a lock held.
//! Source: sched(7), "SCHED_IDLE"; kernel/sched/fair.c, `wakeup_preempt_fair`, and sched.h, `WEIGHT_IDLEPRIO`.

/// Runs this there.
pub(crate) fn decode_apart(work: Box<dyn FnOnce() + Send>) {
    drop(tokio::task::spawn_blocking(|| {
        #[cfg(target_os = "linux")]
        GIVES_WAY.with(|()| ());
        work();
    }));
}

#[cfg(target_os = "linux")]
thread_local! {
    /// Once for each thread.
    static GIVES_WAY: () = give_way();
}

#[cfg(target_os = "linux")]
fn give_way() {
    use thread_priority::{
        NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
        set_thread_priority_and_policy, thread_native_id, thread_schedule_policy,
    };

    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    // It asks for niceness 0 besides, which may be refused to who was started nicer; that means nothing then.
    let asked = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle);
    if thread_schedule_policy().ok() == Some(idle) {
        return;
    }
    let nicer = rustix::process::setpriority_process(None, 10);
    tracing::info!(?asked, ?nicer, "a large body may hold up small ones by some 3 ms");
}
