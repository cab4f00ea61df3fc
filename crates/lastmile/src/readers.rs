//! What each reader has been shown, so that no increment of a new series is lost to any of them.
//!
//! Prometheus takes the first value of a series as its baseline and loses what it stood at. So a reader
//! sees a row at 0 until it has completed a scrape that began after the row was created; from then on it
//! sees the value. Scrapes are numbered as they begin, and a row remembers the number of the last scrape
//! that had begun when it was created; both happen so that "began after" is a comparison of two numbers.
//!
//! A reader new to the table cannot be told what an earlier connection of the same Prometheus saw. It is
//! shown a row at 0 only if the row is young and nobody was ever shown its value who might have been the
//! same: then no one can see a fall that did not happen, and in doubt a reader loses what every other
//! exporter loses. Who scrapes with another timeout is somebody else: so a Prometheus that scrapes every
//! second takes nothing from one that scrapes every five, though both are new after a restart.
//!
//! Who asks for other families is another reader as well, though on the same connection: a scrape that
//! showed some families says nothing of what was seen of the others. It is no other kind: a job that asks for
//! something else since its configuration changed keeps its series. And no series waits, before it leaves, for who
//! does not ask for its family.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::exposition::Filter;
use crate::sync::{AtomicU32, Mutex, Ordering};
use crate::time::{TICKS_PER_SEC, Ticks};

/// Who sees a new row at 0 first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hold {
    /// Scrapers that say who they are; anyone else sees live values.
    #[default]
    Readers,
    /// Everyone: whoever is not a reader is shown what a reader new to the table is.
    Everyone,
    /// Nobody.
    Off,
}

/// Most readers that are remembered: pairs of Prometheus, agents, and the connections they opened lately.
const READERS_MAX: usize = 64;

/// A reader is gone after this many of its longest gaps without a scrape.
const GAPS_ALIVE: Ticks = 3;

/// The gap assumed of a reader that scraped once: Prometheus' default interval.
/// Source: Prometheus docs/configuration, `scrape_interval`, "default = 1m".
const GAP_ASSUMED: Ticks = 60 * TICKS_PER_SEC;

/// No gap counts as longer: a Prometheus that was away for an hour does not keep rows for three.
const GAP_MAX: Ticks = 600 * TICKS_PER_SEC;

/// A row is young for so long: two of Prometheus' default intervals.
const YOUNG: Ticks = 120 * TICKS_PER_SEC;

/// Kinds that readers are told apart by, each of one timeout: a row has a bit for each, and further ones share the
/// last.
const KINDS_MAX: usize = 8;

/// The number of a scrape: how many had begun when it did, itself included.
pub(crate) type ScrapeNo = u32;

/// Not a number that any scrape gets: of rows that are not there for anyone yet.
pub(crate) const NOT_BORN: ScrapeNo = ScrapeNo::MAX;

/// When something happens to a row: in time, and in the order of scrapes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    pub(crate) ticks: Ticks,
    /// The last scrape that had begun.
    pub(crate) scrape: ScrapeNo,
}

/// The readers of one aggregator.
#[derive(Debug)]
pub(crate) struct Readers {
    hold: Hold,
    /// Scrapes that have begun. Written under the table's lock; read under a shard's lock when a row is
    /// created. A row that a scrape's walk does not meet was created after that scrape's number was
    /// taken, as the shard's lock orders both; so relaxed reads are never too old for their purpose, and
    /// one that is old only holds a row for one scrape longer.
    begun: AtomicU32,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    readers: Vec<Reader>,
    /// How many readers there have been.
    n_readers: u64,
    /// The timeouts that readers came with, in the order they first did.
    kinds: Vec<Option<Duration>>,
}

impl Table {
    /// The kind of readers with this timeout, as one of [`KINDS_MAX`] bits. What they ask for makes no kind: who
    /// asks for something else over a new connection may be the Prometheus that was shown a row before.
    fn kind(&mut self, timeout: Option<Duration>) -> u8 {
        let known = self.kinds.iter().position(|kind| *kind == timeout);
        let at = known.unwrap_or_else(|| {
            if self.kinds.len() < KINDS_MAX {
                self.kinds.push(timeout);
            }
            self.kinds.len() - 1
        });
        1 << at
    }
}

/// Who reads.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) addr: SocketAddr,
    /// How long it waits for a scrape, if it said so.
    pub(crate) timeout: Option<Duration>,
    /// What it asks for.
    pub(crate) filter: Filter,
}

/// A reader's number, in the order in which they came.
type ReaderNo = u64;

#[derive(Debug)]
struct Reader {
    number: ReaderNo,
    addr: SocketAddr,
    filter: Arc<Filter>,
    last_begin: Ticks,
    longest_gap: Option<Ticks>,
    completed: Option<Completed>,
}

/// The last scrape that a reader completed.
#[derive(Clone, Copy, Debug)]
struct Completed {
    no: ScrapeNo,
    began: Ticks,
    /// Rows created before this scrape were shown at their value in it …
    shown_before: ScrapeNo,
    /// … and so were those of a reader's first scrape that were made until then.
    created_until: Option<Ticks>,
}

/// What one scrape shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    reader: Option<ReaderNo>,
    /// The kinds of readers that this one may be.
    kinds: u8,
    no: ScrapeNo,
    began: Ticks,
    shows: Shows,
}

#[derive(Clone, Copy, Debug)]
enum Shows {
    /// Live values, which nobody relies on.
    Live,
    /// Rows created before the scrape of this number; of a reader of whose rhythm nothing is known, or
    /// that has left it, also those that any reader of its kind was shown. It may be one of several
    /// connections that one Prometheus uses in turn, which was shown the value on another.
    Before { no: ScrapeNo, or_shown: bool },
    /// What a reader new to the table sees.
    Settled,
}

/// What the live readers asked for, and have read of it.
#[derive(Debug)]
pub(crate) struct Seen(Vec<(Arc<Filter>, Completed)>);

impl Seen {
    /// What those of them have read whose filter is one of these: that shows a family, say.
    pub(crate) fn by(&self, asks: impl Fn(&Filter) -> bool) -> Read {
        let asking = self.0.iter().filter(|(filter, _)| asks(filter));
        Read(asking.map(|(_, completed)| *completed).collect())
    }
}

/// What the readers of a family have read.
#[derive(Debug)]
pub(crate) struct Read(Vec<Completed>);

impl Read {
    /// Whether every one of them has read the final value of a row.
    pub(crate) fn final_value(&self, touched: Ticks, born: ScrapeNo, created: Ticks) -> bool {
        self.0.iter().all(|scrape| {
            touched < scrape.began
                && (born < scrape.shown_before
                    || scrape.created_until.is_some_and(|until| created <= until))
        })
    }
}

impl Readers {
    pub(crate) fn new(hold: Hold) -> Self {
        Self { hold, begun: AtomicU32::new(0), table: Mutex::new(Table::default()) }
    }

    /// The number of the last scrape that has begun: what a row remembers when it is created.
    ///
    /// Should the numbers ever run out, after 2^32 scrapes, new rows are shown at their value at once.
    pub(crate) fn begun(&self) -> ScrapeNo {
        self.begun.load(Ordering::Relaxed).min(NOT_BORN - 1)
    }

    /// A scrape begins.
    pub(crate) fn begin(&self, reader: Option<Peer>, now: Ticks) -> View {
        let mut table = self.table.lock();
        let no = self.begun.load(Ordering::Relaxed).saturating_add(1);
        self.begun.store(no, Ordering::Relaxed);
        let live = View { reader: None, kinds: u8::MAX, no, began: now, shows: Shows::Live };
        let Some(peer) = reader else {
            let shows = if self.hold == Hold::Everyone { Shows::Settled } else { Shows::Live };
            return View { shows, ..live };
        };
        let kinds = table.kind(peer.timeout);
        let Table { readers, n_readers, .. } = &mut *table;
        let is_it = |reader: &Reader| reader.addr == peer.addr && *reader.filter == peer.filter;
        // Who was away for long is as good as new: its port may be another's by now.
        readers.retain(|reader| !is_it(reader) || reader.is_live(now));
        let known = readers.iter_mut().find(|reader| is_it(reader));
        let (number, completed, or_shown) = match known {
            Some(reader) => {
                let gap = now.saturating_sub(reader.last_begin).min(GAP_MAX);
                let in_rhythm =
                    reader.longest_gap.is_some_and(|longest| gap <= longest + longest / 2);
                reader.longest_gap = Some(reader.longest_gap.unwrap_or(0).max(gap));
                reader.last_begin = now;
                (reader.number, reader.completed, !in_rhythm)
            }
            None => {
                if readers.len() == READERS_MAX {
                    let oldest = (0..readers.len()).min_by_key(|i| readers[*i].last_begin);
                    readers.swap_remove(oldest.unwrap_or(0));
                }
                *n_readers += 1;
                let Peer { addr, filter, .. } = peer;
                readers.push(Reader {
                    number: *n_readers,
                    addr,
                    filter: Arc::new(filter),
                    last_begin: now,
                    longest_gap: None,
                    completed: None,
                });
                (*n_readers, None, true)
            }
        };
        let shows = match (self.hold, completed) {
            (Hold::Off, _) => Shows::Live,
            (_, Some(completed)) => Shows::Before { no: completed.no, or_shown },
            (_, None) => Shows::Settled,
        };
        View { reader: Some(number), kinds, shows, ..live }
    }

    /// The reader has all of that scrape.
    pub(crate) fn complete(&self, view: &View) {
        let table = &mut self.table.lock().readers;
        let Some(reader) = table.iter_mut().find(|reader| Some(reader.number) == view.reader)
        else {
            return;
        };
        if reader.completed.is_none_or(|completed| completed.no < view.no) {
            let (shown_before, created_until) = match view.shows {
                Shows::Live => (view.no, None),
                Shows::Before { no, .. } => (no, None),
                Shows::Settled => (0, view.began.checked_sub(YOUNG)),
            };
            let (no, began) = (view.no, view.began);
            reader.completed = Some(Completed { no, began, shown_before, created_until });
        }
    }

    /// What the live readers have read. One that never completed a scrape holds nothing up.
    pub(crate) fn seen(&self, now: Ticks) -> Seen {
        let table = &self.table.lock().readers;
        let live = table.iter().filter(|reader| reader.is_live(now));
        let read = |reader: &Reader| Some((Arc::clone(&reader.filter), reader.completed?));
        Seen(live.filter_map(read).collect())
    }

    /// How many readers are live.
    pub(crate) fn n_live(&self, now: Ticks) -> usize {
        self.table.lock().readers.iter().filter(|reader| reader.is_live(now)).count()
    }
}

impl Reader {
    fn is_live(&self, now: Ticks) -> bool {
        let gap = self.longest_gap.unwrap_or(GAP_ASSUMED).max(1);
        now.saturating_sub(self.last_begin) <= gap.saturating_mul(GAPS_ALIVE)
    }
}

impl View {
    /// Whether this scrape shows the value of a row, rather than 0. `shown` has a bit for each kind of
    /// reader that was shown it.
    #[inline]
    pub(crate) fn shows(&self, born: ScrapeNo, created: Ticks, shown: u8) -> bool {
        let was_shown = shown & self.kinds != 0;
        match self.shows {
            Shows::Before { no, or_shown } => born < no || (or_shown && was_shown),
            Shows::Live => true,
            Shows::Settled => was_shown || self.began.saturating_sub(created) >= YOUNG,
        }
    }

    /// Whether a row was there when the scrape began. One that was made since is left to the next: it may
    /// be the return of a series that this scrape has shown already.
    #[inline]
    pub(crate) fn includes(&self, born: ScrapeNo) -> bool {
        born < self.no
    }

    /// The kind of reader that relies on what this scrape shows; of no reader none.
    pub(crate) fn reader_kind(&self) -> u8 {
        if self.reader.is_some() { self.kinds } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> Option<Peer> {
        Some(Peer { addr: ([10, 0, 0, 1], port).into(), timeout: None, filter: Filter::default() })
    }

    fn with_timeout(port: u16, secs: u64) -> Option<Peer> {
        addr(port).map(|peer| Peer { timeout: Some(Duration::from_secs(secs)), ..peer })
    }

    /// A scrape that begins and ends at `now`.
    fn scrape(readers: &Readers, port: u16, now: Ticks) -> View {
        let view = readers.begin(addr(port), now);
        readers.complete(&view);
        view
    }

    #[test]
    fn a_reader_sees_a_row_at_0_until_it_completed_a_scrape_begun_after_it() {
        let readers = Readers::new(Hold::Readers);
        for now in [0, 10] {
            scrape(&readers, 1, now);
            scrape(&readers, 2, now + 1);
        }
        let running = readers.begin(addr(1), 20);
        let born = readers.begun();
        assert!(!running.shows(born, 20, 0));
        assert!(!running.includes(born) && running.includes(born - 1));
        readers.complete(&running);
        let first = readers.begin(addr(1), 30);
        assert!(!first.shows(born, 20, 0), "the scrape that ran had begun before the row");
        let aborted = readers.begin(addr(1), 31);
        assert!(!aborted.shows(born, 20, 0), "an aborted scrape showed nothing");
        readers.complete(&first);
        assert!(readers.begin(addr(1), 40).shows(born, 20, 0));
        assert!(
            !readers.begin(addr(2), 21).shows(born, 20, u8::MAX),
            "each reader has its own view"
        );
        assert!(readers.begin(None, 42).shows(born, 20, 0), "a person sees live values");
    }

    #[test]
    fn a_new_reader_sees_what_is_old_or_was_shown() {
        let readers = Readers::new(Hold::Readers);
        let view = readers.begin(addr(1), 5_000);
        assert!(!view.shows(0, 5_000, 0));
        assert!(!view.shows(0, 5_000 - YOUNG + 1, 0));
        assert!(view.shows(0, 5_000 - YOUNG, 0));
        assert!(view.shows(0, 5_000, u8::MAX));
    }

    #[test]
    fn who_waits_otherwise_is_somebody_else() {
        let readers = Readers::new(Hold::Readers);
        for now in [100, 110] {
            let view = readers.begin(with_timeout(1, 1), now);
            readers.complete(&view);
        }
        let fast = readers.begin(with_timeout(1, 1), 120).reader_kind();
        let slow = readers.begin(with_timeout(2, 5), 121);
        assert!(!slow.shows(0, 100, fast), "it was another who was shown the row");
        assert!(slow.shows(0, 100, slow.reader_kind()), "this may be it on another connection");
        readers.complete(&slow);
        let born = readers.begun();
        let second = readers.begin(with_timeout(2, 5), 171);
        assert!(!second.shows(born, 122, fast), "its rhythm is not known, but who it is not");
        assert!(readers.begin(with_timeout(3, 1), 122).shows(0, 100, fast));
        assert_eq!(readers.begin(None, 123).reader_kind(), 0);
        let kinds: Vec<u8> = (10..30)
            .map(|n| readers.begin(with_timeout(n, u64::from(n)), 130).reader_kind())
            .collect();
        assert!(kinds[..6].windows(2).all(|pair| pair[0] != pair[1]) && kinds[6..] == [128; 14]);
    }

    #[test]
    fn who_asks_for_other_families_is_somebody_else() {
        let of = |names: &[&str]| {
            let mut filter = Filter::default();
            names.iter().for_each(|name| filter.add(name));
            addr(1).map(|peer| Peer { filter, ..peer })
        };
        let readers = Readers::new(Hold::Readers);
        for now in [0, 10] {
            readers.complete(&readers.begin(of(&[]), now));
            readers.complete(&readers.begin(of(&["a", "b"]), now + 1));
        }
        let born = readers.begun();
        readers.complete(&readers.begin(of(&["b", "a", "b"]), 21));
        let some = readers.begin(of(&["a", "b"]), 31);
        assert!(some.shows(born, 15, 0), "the order of names makes no other reader");
        assert!(!some.shows(readers.begun(), 31, u8::MAX));
        readers.complete(&some);
        let all = readers.begin(of(&[]), 20);
        assert!(!all.shows(born, 15, some.reader_kind()), "it has completed nothing since");
        let (seen, asks_for_all) =
            (readers.seen(31), |filter: &Filter| *filter == Filter::default());
        assert!(!seen.by(|_| true).final_value(14, born, 15), "and the row waits for it");
        assert!(!seen.by(asks_for_all).final_value(14, born, 15));
        assert!(seen.by(|filter| !asks_for_all(filter)).final_value(14, born, 15), "or does not");
        assert!(seen.by(|_| false).final_value(99, born, 99), "nobody asks for it");
        readers.complete(&all);
        readers.complete(&readers.begin(of(&[]), 30));
        assert!(readers.seen(31).by(|_| true).final_value(14, born, 15));
        assert_eq!(readers.n_live(31), 2);
    }

    #[test]
    fn a_reader_out_of_its_rhythm_is_shown_what_any_was() {
        // Two connections that one Prometheus uses in turn, and not evenly.
        let readers = Readers::new(Hold::Readers);
        scrape(&readers, 1, 100);
        scrape(&readers, 2, 250);
        scrape(&readers, 1, 400);
        let born = readers.begun();
        scrape(&readers, 1, 550);
        assert!(readers.begin(addr(1), 700).shows(born, 410, 0));
        assert!(readers.begin(addr(2), 1_000).shows(born, 410, u8::MAX), "no fall");
        // A port that was someone's long ago.
        let readers = Readers::new(Hold::Readers);
        scrape(&readers, 1, 100);
        assert!(readers.begin(addr(1), 72_000).shows(readers.begun(), 71_000, u8::MAX));
    }

    #[test]
    fn rows_wait_for_live_readers_only() {
        let readers = Readers::new(Hold::Readers);
        assert!(readers.seen(0).by(|_| true).final_value(0, 9, 0), "nobody reads");
        for now in [100, 200, 300] {
            scrape(&readers, 1, now);
        }
        // The second scrape of a reader is the first that shows what came before its first.
        let seen = readers.seen(310).by(|_| true);
        assert!(seen.final_value(299, 1, 100));
        assert!(!seen.final_value(300, 1, 100), "touched since");
        assert!(!seen.final_value(299, 2, 100), "shown at 0");
        assert_eq!(readers.n_live(310), 1);
        readers.begin(addr(3), 320);
        assert!(
            readers.seen(330).by(|_| true).final_value(299, 1, 100),
            "who never completes holds nothing up"
        );
        scrape(&readers, 2, 400);
        assert!(
            !readers.seen(410).by(|_| true).final_value(299, 1, 100),
            "the new one was shown nothing yet"
        );
        assert!(
            readers.seen(400 + 3 * GAP_ASSUMED + 1).by(|_| true).final_value(299, 5, 100),
            "all are gone"
        );
    }

    #[test]
    fn a_new_connection_for_each_scrape_does_not_keep_rows_for_ever() {
        let readers = Readers::new(Hold::Readers);
        for i in 0..40 {
            scrape(&readers, i, Ticks::from(i) * 150);
        }
        let now = 40 * 150;
        assert!(readers.seen(now).by(|_| true).final_value(100, 3, 100));
        assert!(!readers.seen(now).by(|_| true).final_value(now - 1_000, 30, now - 1_000));
    }

    #[test]
    fn the_table_is_bounded() {
        let readers = Readers::new(Hold::Readers);
        for port in 1..1_000 {
            scrape(&readers, port, Ticks::from(port));
        }
        assert_eq!(readers.table.lock().readers.len(), READERS_MAX);
    }
}
