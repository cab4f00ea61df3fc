//! What each reader has been shown, so that no increment of a new series is lost to any of them.
//!
//! Prometheus takes the first value of a series as its baseline and loses what it stood at. So a reader
//! sees a row at 0 until it has completed a scrape that began after the row was created; from then on it
//! sees the value. Scrapes are numbered as they begin, and a row remembers the number of the last scrape
//! that had begun when it was created; both happen so that "began after" is a comparison of two numbers.
//!
//! A reader new to the table cannot be told what an earlier connection of the same Prometheus saw. It is
//! shown a row at 0 only if nobody was ever shown the row's value and it is young: then no one can see
//! a fall that did not happen, and in doubt a reader loses what every other exporter loses.

use std::net::SocketAddr;

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

/// The number of a scrape: how many had begun when it did, itself included.
pub(crate) type ScrapeNo = u32;

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
    table: Mutex<Vec<Reader>>,
}

#[derive(Debug)]
struct Reader {
    addr: SocketAddr,
    last_begin: Ticks,
    longest_gap: Option<Ticks>,
    completed: Option<Completed>,
}

/// The last scrape that a reader completed.
#[derive(Clone, Copy, Debug)]
struct Completed {
    no: ScrapeNo,
    began: Ticks,
    /// Rows created before this scrape were shown at their value in it.
    shown_before: ScrapeNo,
}

/// What one scrape shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    reader: Option<SocketAddr>,
    no: ScrapeNo,
    began: Ticks,
    shows: Shows,
}

#[derive(Clone, Copy, Debug)]
enum Shows {
    /// Live values, which nobody relies on.
    Live,
    /// Rows created before the scrape of this number.
    Before(ScrapeNo),
    /// What a reader new to the table sees.
    Settled,
}

/// Up to when every live reader has seen everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Rows last touched before this have been read at their final value …
    pub(crate) touched_before: Ticks,
    /// … if they were created before this scrape.
    pub(crate) created_before: ScrapeNo,
}

impl Readers {
    pub(crate) fn new(hold: Hold) -> Self {
        Self { hold, begun: AtomicU32::new(0), table: Mutex::new(Vec::new()) }
    }

    /// The number of the last scrape that has begun: what a row remembers when it is created.
    pub(crate) fn begun(&self) -> ScrapeNo {
        self.begun.load(Ordering::Relaxed)
    }

    /// A scrape begins.
    pub(crate) fn begin(&self, reader: Option<SocketAddr>, now: Ticks) -> View {
        let mut table = self.table.lock();
        let no = self.begun.load(Ordering::Relaxed).saturating_add(1);
        self.begun.store(no, Ordering::Relaxed);
        let live = View { reader: None, no, began: now, shows: Shows::Live };
        let Some(addr) = reader else {
            let shows = if self.hold == Hold::Everyone { Shows::Settled } else { Shows::Live };
            return View { shows, ..live };
        };
        let known = table.iter_mut().find(|reader| reader.addr == addr);
        let completed = match known {
            Some(reader) => {
                let gap = now.saturating_sub(reader.last_begin).min(GAP_MAX);
                reader.longest_gap = Some(reader.longest_gap.unwrap_or(0).max(gap));
                reader.last_begin = now;
                reader.completed
            }
            None => {
                if table.len() == READERS_MAX {
                    let oldest = (0..table.len()).min_by_key(|i| table[*i].last_begin);
                    table.swap_remove(oldest.unwrap_or(0));
                }
                table.push(Reader { addr, last_begin: now, longest_gap: None, completed: None });
                None
            }
        };
        let shows = match (self.hold, completed) {
            (Hold::Off, _) => Shows::Live,
            (_, Some(completed)) => Shows::Before(completed.no),
            (_, None) => Shows::Settled,
        };
        View { reader, shows, ..live }
    }

    /// The reader has all of that scrape.
    pub(crate) fn complete(&self, view: &View) {
        let mut table = self.table.lock();
        let Some(reader) = table.iter_mut().find(|reader| Some(reader.addr) == view.reader) else {
            return;
        };
        if reader.completed.is_none_or(|completed| completed.no < view.no) {
            let shown_before = match view.shows {
                Shows::Live => view.no,
                Shows::Before(no) => no,
                Shows::Settled => 0,
            };
            reader.completed = Some(Completed { no: view.no, began: view.began, shown_before });
        }
    }

    /// Up to when every live reader has seen everything; `None` if there are no live readers.
    pub(crate) fn seen(&self, now: Ticks) -> Option<Seen> {
        let table = self.table.lock();
        table
            .iter()
            .filter(|reader| reader.is_live(now))
            .map(|reader| match reader.completed {
                Some(c) => Seen { touched_before: c.began, created_before: c.shown_before },
                None => Seen { touched_before: 0, created_before: 0 },
            })
            .reduce(|a, b| Seen {
                touched_before: a.touched_before.min(b.touched_before),
                created_before: a.created_before.min(b.created_before),
            })
    }

    /// How many readers are live.
    pub(crate) fn n_live(&self, now: Ticks) -> usize {
        self.table.lock().iter().filter(|reader| reader.is_live(now)).count()
    }
}

impl Reader {
    fn is_live(&self, now: Ticks) -> bool {
        let gap = self.longest_gap.unwrap_or(GAP_ASSUMED).max(1);
        now.saturating_sub(self.last_begin) <= gap.saturating_mul(GAPS_ALIVE)
    }
}

impl View {
    /// Whether this scrape shows the value of a row, rather than 0.
    #[inline]
    pub(crate) fn shows(&self, born: ScrapeNo, created: Ticks, was_shown: bool) -> bool {
        match self.shows {
            Shows::Before(no) => born < no,
            Shows::Live => true,
            Shows::Settled => was_shown || self.began.saturating_sub(created) >= YOUNG,
        }
    }

    /// Whether a reader relies on what this scrape shows.
    pub(crate) fn is_reader(&self) -> bool {
        self.reader.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> Option<SocketAddr> {
        Some(([10, 0, 0, 1], port).into())
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
        scrape(&readers, 1, 10);
        scrape(&readers, 2, 11);
        let running = readers.begin(addr(1), 20);
        let born = readers.begun();
        assert!(!running.shows(born, 20, false));
        readers.complete(&running);
        let first = readers.begin(addr(1), 30);
        assert!(!first.shows(born, 20, false), "the scrape that ran had begun before the row");
        let aborted = readers.begin(addr(1), 31);
        assert!(!aborted.shows(born, 20, false), "an aborted scrape showed nothing");
        readers.complete(&first);
        assert!(readers.begin(addr(1), 40).shows(born, 20, false));
        assert!(!readers.begin(addr(2), 41).shows(born, 20, true), "each reader has its own view");
        assert!(readers.begin(None, 42).shows(born, 20, false), "a person sees live values");
    }

    #[test]
    fn a_new_reader_sees_what_is_old_or_was_shown() {
        let readers = Readers::new(Hold::Readers);
        let view = readers.begin(addr(1), 5_000);
        assert!(!view.shows(0, 5_000, false));
        assert!(!view.shows(0, 5_000 - YOUNG + 1, false));
        assert!(view.shows(0, 5_000 - YOUNG, false));
        assert!(view.shows(0, 5_000, true));
    }

    #[test]
    fn rows_wait_for_live_readers_only() {
        let readers = Readers::new(Hold::Readers);
        assert_eq!(readers.seen(0), None);
        for now in [100, 200, 300] {
            scrape(&readers, 1, now);
        }
        // The second scrape of a reader is the first that shows what came before its first.
        let seen = readers.seen(310).unwrap();
        assert_eq!((seen.touched_before, seen.created_before), (300, 2));
        scrape(&readers, 2, 400);
        assert_eq!(
            readers.seen(410).unwrap().created_before,
            0,
            "the new one was shown nothing yet"
        );
        assert_eq!(readers.n_live(410), 2);
        assert_eq!(readers.seen(601).map(|s| s.touched_before), Some(400), "the first one is gone");
        assert_eq!(readers.seen(400 + 3 * GAP_ASSUMED + 1), None);
    }

    #[test]
    fn the_table_is_bounded() {
        let readers = Readers::new(Hold::Readers);
        for port in 1..1_000 {
            scrape(&readers, port, Ticks::from(port));
        }
        assert_eq!(readers.table.lock().len(), READERS_MAX);
    }
}
