use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use tokio::sync::watch;
use tokio::time::timeout;

use super::counts::Tally;
use super::limits::{HEADERS_ON_STACK, ServeLimits};
use super::turns::Turns;

/// How much hyper may buffer of a connection's input, and of its output before it takes another frame of it:
/// twice what a head may have. A frame of a scrape is more, and goes alone. Its own default, 400 KiB, is what each
/// of those would hold who ask again and again and read no answer.
const BUFFER_BYTES: usize = 32 << 10;

/// How long connections may take to notice that they are closed; they do at once, unless a handler keeps
/// a thread of the runtime.
const CLOSING: Duration = Duration::from_secs(1);

/// How far a listener is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Running,
    /// No connection is accepted, and each closes after the request that it has.
    Stopping,
    /// Whatever is left ends now.
    Closed,
}

/// What one listener's tasks and its handle share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: ServeLimits,
    pub(crate) http: http1::Builder,
    pub(crate) tally: Arc<Tally>,
    pub(crate) turns: Turns,
    /// The stage once more, to be looked at without a lock. It is written before it is sent.
    stage: AtomicU8,
    stages: watch::Sender<Stage>,
}

impl Shared {
    pub(crate) fn new(limits: ServeLimits) -> (Arc<Self>, Stages) {
        let mut http = http1::Builder::new();
        // hyper's own timeout would be a timer a request and know one wait of five.
        http.half_close(true)
            .max_buf_size(BUFFER_BYTES.max(2 * limits.head_bytes))
            .max_header_size(limits.head_bytes);
        if limits.headers != HEADERS_ON_STACK {
            http.max_headers(limits.headers);
        }
        let (stages, receiver) = watch::channel(Stage::Running);
        let stage = AtomicU8::new(Stage::Running as u8);
        let (tally, turns) = (Arc::default(), Turns::new());
        (Arc::new(Self { limits, http, tally, turns, stage, stages }), Stages(receiver))
    }

    /// The stage, as a hint: who has seen one learns of it from [`Stages`].
    pub(crate) fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Relaxed) {
            0 => Stage::Running,
            1 => Stage::Stopping,
            _ => Stage::Closed,
        }
    }

    fn advance(&self, to: Stage) {
        self.stage.fetch_max(to as u8, Ordering::Relaxed);
        self.stages.send_if_modified(|stage| {
            let is_later = *stage < to;
            *stage = to.max(*stage);
            is_later
        });
    }

    /// See [`Server::stop`](super::Server::stop).
    pub(crate) async fn stop(&self, grace: Duration) -> usize {
        self.advance(Stage::Stopping);
        if timeout(grace, self.stages.closed()).await.is_ok() {
            return 0;
        }
        let before = self.tally.read().broken_off;
        self.advance(Stage::Closed);
        // Those that do not notice are not waited for, and not counted.
        drop(timeout(CLOSING, self.stages.closed()).await);
        usize::try_from(self.tally.read().broken_off - before).unwrap_or(usize::MAX)
    }
}

/// The stages as one task sees them. Each task has one for as long as it is to be waited for.
#[derive(Clone, Debug)]
pub(crate) struct Stages(watch::Receiver<Stage>);

impl Stages {
    pub(crate) async fn reach(&mut self, stage: Stage) {
        // The sender is kept by whoever holds this.
        drop(self.0.wait_for(|now| *now >= stage).await);
    }
}
