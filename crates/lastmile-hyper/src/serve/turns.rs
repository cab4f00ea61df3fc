//! Whose turn it is: who has shown to cost little goes before everyone else.
//!
//! A runtime polls its tasks in the order in which they woke. When a thousand slow sockets have a byte each, a push
//! that came after them waited for a thousand polls of hyper, tens of milliseconds, although its own takes
//! microseconds. So a connection is polled at once only while it is *prompt*, as [`Watch`](super::watch::Watch) has
//! it. Each other first takes a turn:
//!
//! ```text
//! woken ─ prompt ──────────────────────────────────────────────► polled
//!       └ else ─► waits in line ─► yields to all who are awake ─► polled
//! ```
//!
//! As many are behind the line's end at a time as the runtime has threads. Who yields is woken when its thread has
//! nothing else to do and has looked at the sockets once more. So between two turns of a thread everyone runs who is
//! prompt, or who is no connection at all; a wait in line costs some hundred nanoseconds. Nobody starves: the line is in
//! order, and a prompt connection stays so only by being answered.
//!
//! A turn begins when its poll does, and the next in line may come then: a handler that holds its thread holds up no
//! other thread's turns.

use std::future::poll_fn;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::yield_now;

/// The line of one listener.
#[derive(Debug)]
pub(crate) struct Turns(Semaphore);

impl Turns {
    /// # Panics
    /// Outside of a tokio runtime.
    pub(crate) fn new() -> Self {
        Self(Semaphore::new(Handle::current().metrics().num_workers()))
    }

    /// Waits until it is the caller's turn.
    async fn take(&self) {
        let place = self.0.acquire().await;
        yield_now().await;
        drop(place);
    }

    /// Polls until `poll` is ready: each time that the task is woken, at once if it is prompt, and else in its turn.
    pub(crate) async fn pace<T>(
        &self,
        is_prompt: impl Fn() -> bool,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> T {
        loop {
            if !is_prompt() {
                self.take().await;
            }
            let mut is_polled = false;
            let polled = poll_fn(|cx| {
                if is_polled {
                    return Poll::Ready(None);
                }
                is_polled = true;
                poll(cx).map(Some)
            });
            if let Some(ready) = polled.await {
                return ready;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::sync::Arc;
    use std::task::Poll;

    use tokio::task::{LocalSet, yield_now};

    use super::Turns;

    /// What each of the tasks of one thread did, in order.
    type Log = Rc<RefCell<Vec<usize>>>;

    /// Wakes itself as soon as it was polled, `n` times.
    async fn paced(turns: Arc<Turns>, n: usize, is_prompt: bool, name: usize, log: Log) {
        let mut n_polls = 0;
        let poll = |cx: &mut std::task::Context<'_>| {
            log.borrow_mut().push(name);
            n_polls += 1;
            if n_polls == n {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        };
        turns.pace(|| is_prompt, poll).await;
    }

    #[tokio::test(flavor = "current_thread")]
    async fn in_line_and_behind_who_is_prompt() {
        const TASKS: usize = 50;
        const PROMPT: usize = 1_000;
        let (turns, log) = (Arc::new(Turns::new()), Log::default());
        let tasks = LocalSet::new();
        for name in 0..TASKS {
            tasks.spawn_local(paced(turns.clone(), 3, false, name, log.clone()));
        }
        tasks.spawn_local(paced(turns.clone(), 20, true, PROMPT, log.clone()));
        tasks.await;
        let log = log.take();
        let of_prompt = log.iter().filter(|name| **name == PROMPT).count();
        let last = log.iter().rposition(|name| *name == PROMPT).expect("it ran");
        assert_eq!(of_prompt, 20);
        assert!(last < 45, "the prompt one is held up by at most one turn each time: {last}");
        let others: Vec<_> = log.into_iter().filter(|name| *name != PROMPT).collect();
        let wanted: Vec<_> = (0..TASKS).cycle().take(3 * TASKS).collect();
        assert_eq!(others, wanted, "each in its turn");
    }

    /// Who leaves the line, or ends in its turn, holds up nobody.
    #[tokio::test(flavor = "current_thread")]
    async fn a_turn_comes_back() {
        let turns = Arc::new(Turns::new());
        let held = turns.clone();
        let mut first =
            tokio::spawn(async move { held.pace(|| false, |_| Poll::<()>::Pending).await });
        yield_now().await;
        for _ in 0..3 {
            let gone = turns.clone();
            let gone = tokio::spawn(async move { gone.take().await });
            yield_now().await;
            gone.abort();
        }
        let ready = turns.pace(|| false, |_| Poll::Ready(7)).await;
        assert_eq!(ready, 7);
        assert!(is_pending(&mut first).await, "it waits to be woken, and has no turn meanwhile");
        first.abort();
        turns.take().await;
    }

    async fn is_pending<T>(task: &mut tokio::task::JoinHandle<T>) -> bool {
        std::future::poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut *task).poll(cx).is_pending()))
            .await
    }
}
