//! The last refusals, for whoever has to find out what a client does wrong.

use std::cmp::Reverse;
use std::collections::VecDeque;

use crate::push::{DecodeError, Format, Source, explain};
use crate::store::Store;
use crate::sync::{AtomicBool, AtomicU64, Mutex, Ordering};
use crate::time::Timestamp;

/// Most refusals of a kind that are kept: some 20 kB at the most.
const KEPT_MAX: usize = 50;

/// Most pushes of a kind that are looked at in one second.
const PUSHES_PER_SECOND_MAX: u64 = 8;

/// Longest body that is looked at once more, in bytes: a look at 16 MiB of text would take as long as fifty pushes
/// of pages together.
const LOOK_BYTES_MAX: usize = 256 << 10;

/// Why a sample, or a batch that did not decode, was refused; see
/// [`Aggregator::recent_refusals`](crate::Aggregator::recent_refusals).
///
/// ```
/// use lastmile::{Aggregator, Family, Format, Label, Limits, Schema, Source, Timestamp};
/// # use std::time::Duration;
/// # let now = Timestamp::new(1_700_000_000_000, Duration::ZERO);
/// let loads = Family::counter("loads_total").label(Label::closed("app", ["student"]));
/// let agg = Aggregator::new(Schema::builder().family(loads).build()?, Limits::default(), now)?;
///
/// let body = br#"{"lm":1,"m":{"loads_total;ap=student":1}}"#;
/// agg.push(Format::Lm1, body, &Source::default(), now).unwrap();
/// let refusal = &agg.recent_refusals()[0];
/// assert_eq!(refusal.reason(), "unknown_label");
/// assert_eq!((refusal.family(), refusal.label()), (Some("loads_total"), Some("ap")));
/// assert_eq!((refusal.value_bytes(), refusal.value()), (Some(7), None));
/// # Ok::<(), lastmile::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RecentRefusal {
    /// How many were kept before it.
    number: u64,
    wall_ms: u64,
    format: Format,
    reason: &'static str,
    n_samples: u64,
    family: Option<String>,
    label: Option<String>,
    value_bytes: Option<usize>,
    value: Option<String>,
    offset: Option<usize>,
}

impl RecentRefusal {
    /// When it came, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn wall_ms(&self) -> u64 {
        self.wall_ms
    }

    /// The format of the push.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Why, as the label `reason` of `lastmile_refused_total` or `lastmile_push_errors_total` has it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// Samples that were refused for it; 0 of a batch that did not decode, as nobody knows.
    #[must_use]
    pub fn n_samples(&self) -> u64 {
        self.n_samples
    }

    /// The metric family as the client named it, whether declared or not: its first 64 characters.
    #[must_use]
    pub fn family(&self) -> Option<&str> {
        self.family.as_deref()
    }

    /// The label at fault, if one is: its first 64 characters.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// Bytes of that label's value.
    #[must_use]
    pub fn value_bytes(&self) -> Option<usize> {
        self.value_bytes
    }

    /// The first 64 characters of that label's value, or the number at fault: only where
    /// [`set_debug_samples`](crate::Aggregator::set_debug_samples) was asked for.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// Where a batch did not decode, in bytes from the start of the body.
    #[must_use]
    pub fn offset(&self) -> Option<usize> {
        self.offset
    }
}

/// Keeps them: refused samples and batches that did not decode apart, as anyone can send bytes that do not, and
/// what is wrong with samples is what one wants to know.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    samples: Kept,
    batches: Kept,
    /// Numbers them, so that both kinds stay in the order they came.
    next: AtomicU64,
    values: AtomicBool,
}

/// Those of one kind.
#[derive(Debug, Default)]
struct Kept {
    /// The newest last.
    kept: Mutex<VecDeque<RecentRefusal>>,
    /// The second of the last look in the upper half, how many there were in it in the lower.
    looks: AtomicU64,
}

impl Recent {
    /// Keeps why samples of a push were refused, if it is one of the first of this second.
    #[cold]
    pub(crate) fn refused(
        &self,
        store: &Store,
        format: Format,
        body: &[u8],
        source: &Source<'_>,
        now: Timestamp,
    ) {
        if body.len() > LOOK_BYTES_MAX || !self.samples.may_look(now) {
            return;
        }
        let has_values = self.values.load(Ordering::Relaxed);
        // The look is taken before the lock.
        let notes = explain(&store.catalog(), format, body, source);
        let refusals = notes.into_iter().map(|note| RecentRefusal {
            number: self.number(),
            wall_ms: now.wall_ms(),
            format,
            reason: note.why.as_str(),
            n_samples: note.n,
            family: note.family,
            label: note.label,
            value_bytes: note.value_bytes,
            value: note.value.filter(|_| has_values),
            offset: None,
        });
        self.samples.keep(refusals);
    }

    /// Keeps why a batch did not decode.
    #[cold]
    pub(crate) fn failed(&self, format: Format, error: &DecodeError, now: Timestamp) {
        if self.batches.may_look(now) {
            self.batches.keep([RecentRefusal {
                number: self.number(),
                wall_ms: now.wall_ms(),
                format,
                reason: error.reason().as_str(),
                n_samples: 0,
                family: None,
                label: None,
                value_bytes: None,
                value: None,
                offset: Some(error.offset()),
            }]);
        }
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn set_values(&self, values: bool) {
        self.values.store(values, Ordering::Relaxed);
    }

    pub(crate) fn all(&self) -> Vec<RecentRefusal> {
        let mut all: Vec<_> = self.samples.kept.lock().iter().rev().cloned().collect();
        all.extend(self.batches.kept.lock().iter().rev().cloned());
        all.sort_by_key(|refusal| Reverse(refusal.number));
        all
    }
}

impl Kept {
    fn keep(&self, refusals: impl IntoIterator<Item = RecentRefusal>) {
        let mut kept = self.kept.lock();
        for refusal in refusals {
            if kept.len() == KEPT_MAX {
                kept.pop_front();
            }
            kept.push_back(refusal);
        }
    }

    /// Whether there are looks left in this second. No other memory depends on it; two threads that begin
    /// a second at once may take one more each.
    fn may_look(&self, now: Timestamp) -> bool {
        let second = now.mono().as_secs() << 32;
        let looks = self.looks.load(Ordering::Relaxed);
        if looks >> 32 << 32 != second {
            self.looks.store(second | 1, Ordering::Relaxed);
            return true;
        }
        if looks - second >= PUSHES_PER_SECOND_MAX {
            return false;
        }
        self.looks.fetch_add(1, Ordering::Relaxed);
        true
    }
}
