//! Large bodies, decoded on threads that give way to those which answer small ones.
//!
//! Where both want one core, a push that takes microseconds would else wait for a slice of the other's time, some 3 ms:
//! a niceness changes how much of a core a thread has, but not when it lets go of it. Linux takes a core from a thread of
//! the policy `SCHED_IDLE` as soon as any other of the process wakes. It has what others leave and, where they leave
//! nothing, three parts of a thousand: an aggregator that is busy with small bodies alone is late with large ones, and
//! those that come on top of what may be in flight are answered 503.
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
    // It asks for niceness 0 besides, which nobody may who was started with another; that means nothing then.
    let asked = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle);
    if thread_schedule_policy().ok() == Some(idle) {
        return;
    }
    tracing::debug!(?asked, "large bodies are decoded by threads that have slices of time");
    if let Err(error) = rustix::process::setpriority_process(None, 10) {
        tracing::debug!(%error, "and as much of a core as all others");
    }
}
