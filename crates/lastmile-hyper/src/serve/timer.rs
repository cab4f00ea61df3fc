use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep};

use super::limits::ServeLimits;
use super::watch::{Wait, Watch};

/// How long a peer may go on sending after an answer that ends the connection. A mebibyte comes in this
/// time at 4 Mbit/s.
const LINGER: Duration = Duration::from_secs(2);

/// One timer for all that a connection may wait for.
///
/// It is moved only to an earlier time. What ends later than it is set for finds it when it fires, and sets
/// it anew; so a connection that is never late moves it about once in its shortest wait.
pub(crate) struct Timer<'a> {
    watch: &'a Watch,
    limits: &'a ServeLimits,
    sleep: Pin<&'a mut Sleep>,
    set_for: Option<Instant>,
    wait: (Wait, u32),
    deadline: Option<Instant>,
}

impl<'a> Timer<'a> {
    pub(crate) fn new(
        watch: &'a Watch,
        limits: &'a ServeLimits,
        sleep: Pin<&'a mut Sleep>,
        begins: Instant,
    ) -> Self {
        let wait = watch.wait();
        let deadline = deadline(limits, wait.0, begins);
        Self { watch, limits, sleep, set_for: None, wait, deadline }
    }

    /// Ready with what took too long. To be called by one task alone, after it has done what it can.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Wait> {
        let wait = self.watch.wait();
        if wait != self.wait {
            self.wait = wait;
            self.deadline = deadline(self.limits, wait.0, Instant::now());
        }
        loop {
            let Some(deadline) = self.deadline else { return Poll::Pending };
            if self.set_for.is_none_or(|set_for| deadline < set_for) {
                self.set_for = Some(deadline);
                self.sleep.as_mut().reset(deadline);
                // Polled once after it was set: the task is always the same. A task that has spent its
                // budget must not miss its timer for it.
                if Pin::new(&mut unconstrained(self.sleep.as_mut())).poll(cx).is_pending() {
                    return Poll::Pending;
                }
            } else if !self.sleep.is_elapsed() {
                return Poll::Pending;
            }
            self.set_for = None;
            if Instant::now() < deadline {
                continue;
            }
            if wait.0 != Wait::Reader {
                return Poll::Ready(wait.0);
            }
            // Nobody is late. The next look finds the body awaited, if it is read in another task.
            self.deadline = self::deadline(self.limits, wait.0, Instant::now());
        }
    }
}

/// When this is too late that begins at this moment. A time that no clock reaches is never.
fn deadline(limits: &ServeLimits, wait: Wait, begins: Instant) -> Option<Instant> {
    let longest = match wait {
        Wait::Head => limits.head,
        Wait::Body | Wait::Reader => limits.body,
        Wait::Write => limits.write,
        Wait::Idle => limits.idle,
        Wait::Linger => LINGER,
        Wait::Handler => return None,
    };
    begins.checked_add(longest)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::time::Duration;

    use tokio::time::{Instant, sleep, timeout_at};

    use super::Timer;
    use crate::serve::limits::ServeLimits;
    use crate::serve::watch::{Wait, Watch};

    type Step<'a> = &'a dyn Fn(&Watch);

    /// What happens at which millisecond, then when the timer says that what took too long, if it does
    /// within an hour. The clock is tokio's own, which jumps.
    async fn check(steps: &[(u64, Step<'_>)], wanted: Option<(u64, Wait)>) {
        let limits = ServeLimits::public()
            .head(Duration::from_secs(1))
            .body(Duration::from_secs(2))
            .write(Duration::from_secs(3))
            .idle(Duration::from_secs(10));
        let watch = Watch::default();
        let begin = Instant::now();
        let sleep = pin!(sleep(Duration::ZERO));
        let mut timer = Timer::new(&watch, &limits, sleep, begin);
        let end: (u64, Step<'_>) = (3_600_000, &|_| {});
        for (at, step) in steps.iter().chain([&end]) {
            let until = begin + Duration::from_millis(*at);
            if let Ok(wait) = timeout_at(until, poll_fn(|cx| timer.poll(cx))).await {
                let ms = u64::try_from(begin.elapsed().as_millis()).expect("an hour");
                assert_eq!(Some((ms, wait)), wanted);
                return;
            }
            step(&watch);
        }
        assert_eq!(None, wanted);
    }

    #[tokio::test(start_paused = true)]
    async fn each_wait_has_its_time() {
        let received: Step<'_> = &|watch| watch.received(1);
        let begin: Step<'_> = &|watch| _ = watch.begin(false);
        let begin_body: Step<'_> = &|watch| _ = watch.begin(true);
        let awaited: Step<'_> = &|watch| watch.body_awaited(1);
        let done: Step<'_> = &|watch| watch.body_done(1);
        let left: Step<'_> = &|watch| watch.body_left(1);
        let answered: Step<'_> = &|watch| watch.answered(1);
        let blocked: Step<'_> = &|watch| watch.blocked();
        let some: Step<'_> = &|watch| {
            watch.written();
            watch.blocked();
        };
        let written: Step<'_> = &|watch| watch.written();
        let linger: Step<'_> = &|watch| _ = watch.linger();

        check(&[], Some((1_000, Wait::Head))).await;
        check(&[(500, received), (900, received)], Some((1_000, Wait::Head))).await;
        check(&[(500, begin)], None).await;
        let one = [(100, begin), (200, answered)];
        check(&one, Some((10_200, Wait::Idle))).await;
        let next = [(9_000, received), (9_900, received)];
        check(&[&one[..], &next].concat(), Some((10_000, Wait::Head))).await;
        // A request that comes and goes between two looks begins another silence.
        let quick: Step<'_> = &|watch| watch.answered(watch.begin(false));
        check(&[(100, quick), (9_000, quick)], Some((19_000, Wait::Idle))).await;

        check(&[(100, begin_body), (300, awaited)], Some((2_300, Wait::Body))).await;
        check(&[(100, begin_body), (300, awaited), (900, awaited)], Some((2_300, Wait::Body)))
            .await;
        check(&[(100, begin_body), (300, awaited), (2_200, done)], None).await;
        check(&[(100, begin_body), (300, awaited), (2_200, left)], None).await;
        // Read late, and in time; read late, and never done.
        check(&[(100, begin_body), (60_000, done)], None).await;
        check(&[(100, begin_body), (60_000, awaited)], Some((62_000, Wait::Body))).await;
        // An answer does not excuse it.
        let early = [(100, begin_body), (300, awaited), (400, answered)];
        check(&early, Some((2_300, Wait::Body))).await;

        check(&[(100, begin), (200, blocked)], Some((3_200, Wait::Write))).await;
        let slow = [(100, begin), (200, blocked), (3_000, some), (5_900, some)];
        check(&slow, Some((8_900, Wait::Write))).await;
        check(&[&slow[..], &[(8_000, written)]].concat(), None).await;
        let idle = [(8_000, written), (8_000, answered)];
        check(&[&slow[..], &idle].concat(), Some((18_000, Wait::Idle))).await;

        check(&[(100, begin), (200, linger)], Some((2_200, Wait::Linger))).await;
    }

    /// An hour of a request a second, under a public listener's limits.
    #[tokio::test(start_paused = true)]
    async fn it_is_seldom_moved() {
        let limits = ServeLimits::public();
        let watch = Watch::default();
        let sleep = pin!(sleep(Duration::ZERO));
        let mut timer = Timer::new(&watch, &limits, sleep, Instant::now());
        let (mut n_moved, mut set_for) = (0, None);
        let begin = Instant::now();
        for n in 0..3_600 {
            // Every other body makes its handler wait.
            let request = watch.begin(true);
            if n % 2 == 0 {
                watch.body_awaited(request);
                poll_fn(|cx| std::task::Poll::Ready(timer.poll(cx).is_pending())).await;
            }
            watch.body_done(request);
            watch.answered(request);
            let until = begin + Duration::from_secs(n + 1);
            let looked = timeout_at(until, poll_fn(|cx| timer.poll(cx))).await;
            assert!(looked.is_err(), "{looked:?}");
            n_moved += u32::from(timer.set_for != set_for);
            set_for = timer.set_for;
        }
        assert!(n_moved < 3_600 / 10, "{n_moved}");
    }
}
