//! Work that would hold a thread of the runtime for milliseconds, given to another.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// Runs work on a thread that may be held.
pub(crate) type Spawn = Box<dyn Fn(Box<dyn FnOnce() + Send>) + Send + Sync>;

/// What the work gives, on its way.
struct Slot<T> {
    state: Mutex<State<T>>,
}

enum State<T> {
    Waiting(Option<Waker>),
    Done(T),
    /// The work panicked, or was dropped before it began.
    Lost,
}

/// Marks the work as lost unless it was done.
struct Filler<T>(Arc<Slot<T>>);

impl<T> Filler<T> {
    fn fill(&self, state: State<T>) {
        let before = std::mem::replace(&mut *self.0.state.lock(), state);
        if let State::Waiting(Some(waker)) = before {
            waker.wake();
        }
    }
}

impl<T> Drop for Filler<T> {
    fn drop(&mut self) {
        if matches!(*self.0.state.lock(), State::Waiting(_)) {
            self.fill(State::Lost);
        }
    }
}

/// Waits for what work gives; `None` if it was lost.
#[must_use = "what the work gives is lost"]
pub(crate) struct Running<T>(Arc<Slot<T>>);

impl<T> Future for Running<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.0.state.lock();
        match std::mem::replace(&mut *state, State::Waiting(Some(context.waker().clone()))) {
            State::Waiting(_) => Poll::Pending,
            State::Done(value) => Poll::Ready(Some(value)),
            State::Lost => Poll::Ready(None),
        }
    }
}

/// Runs `work` by `spawn`, from now on. Work that was begun is done even if nobody waits for it any more.
pub(crate) fn run<T: Send + 'static>(
    spawn: &Spawn,
    work: impl FnOnce() -> T + Send + 'static,
) -> Running<T> {
    let slot = Arc::new(Slot { state: Mutex::new(State::Waiting(None)) });
    let filler = Filler(Arc::clone(&slot));
    spawn(Box::new(move || filler.fill(State::Done(work()))));
    Running(slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_threads() -> Spawn {
        Box::new(|work| drop(std::thread::spawn(work)))
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_the_work_gives_comes_back() {
        assert_eq!(run(&on_threads(), || 7).await, Some(7));
        let here: Spawn = Box::new(|work| work());
        assert_eq!(run(&here, || 7).await, Some(7));
        let slow = || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            "done"
        };
        assert_eq!(run(&on_threads(), slow).await, Some("done"));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn lost_work_is_told() {
        let drops: Spawn = Box::new(drop);
        assert_eq!(run(&drops, || 7).await, None);
        // A panic without its message.
        let panics = || -> u8 { std::panic::resume_unwind(Box::new(())) };
        assert_eq!(run(&on_threads(), panics).await, None);
    }
}
