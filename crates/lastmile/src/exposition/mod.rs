//! Encoders over the rows, in chunks; values were escaped when the rows were made.

#[cfg(feature = "prometheus-client")]
mod appended;
mod encoder;
mod filter;
mod format;
mod names;
mod number;
mod out;
mod parts;
#[cfg(feature = "protobuf")]
mod protobuf;
mod text;

pub(crate) use filter::Filter;
pub use filter::OwnMetrics;
pub use format::{Escaping, ExpositionFormat};
#[cfg(feature = "prometheus-client")]
pub(crate) use names::escape_text;
pub(crate) use names::{ends_in_unit, is_label_name, is_metric_name};
pub(crate) use out::{Out, PAD, Piece, SLACK};
pub(crate) use parts::{FamilyText, Style, TextParts, body_literals, counter_base, created_base};

use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use self::encoder::Encoder;
use crate::aggregator::Inner;
use crate::readers::{Peer, View};
use crate::store::{Catalog, Walk};
use crate::sync::unlock_fair;
use crate::time::{Ticks, Timestamp};

/// Bytes of a chunk: large enough that a lock is taken rarely, small enough for a core's second-level
/// cache and for a lock hold of about 10 µs.
pub(crate) const CHUNK_BYTES: usize = if cfg!(all(test, shuttle)) { 256 } else { 64 << 10 };

/// How an exposition in OpenMetrics ends.
/// Source: OpenMetrics 1.0 §Overall Structure, "MUST end with EOF" (specification/OpenMetrics.md).
const EOF: &[u8] = b"# EOF\n";

/// What a scrape asks for.
///
/// ```
/// use lastmile::ScrapeOptions;
///
/// let peer = "10.0.0.7:40112".parse().unwrap();
/// let options = ScrapeOptions::text().reader(peer, Some(std::time::Duration::from_secs(10)));
/// assert_eq!(options.content_type(), "text/plain; version=0.0.4; charset=utf-8");
/// ```
#[derive(Clone, Debug)]
pub struct ScrapeOptions {
    format: ExpositionFormat,
    filter: Filter,
    reader: Option<(SocketAddr, Option<Duration>)>,
    clock: Option<fn() -> Duration>,
    created: bool,
}

impl ScrapeOptions {
    /// Prometheus text 0.0.4.
    #[must_use]
    pub fn text() -> Self {
        Self::new(ExpositionFormat::Text0_0_4)
    }

    /// This format.
    #[must_use]
    pub fn new(format: ExpositionFormat) -> Self {
        Self { format, filter: Filter::default(), reader: None, clock: None, created: false }
    }

    /// Says who reads: a Prometheus, by the address and port of its connection, and by how long it says
    /// that it waits (`X-Prometheus-Scrape-Timeout-Seconds`), which tells two of them apart that are new.
    #[must_use]
    pub fn reader(mut self, addr: SocketAddr, timeout: Option<Duration>) -> Self {
        self.reader = Some((addr, timeout));
        self
    }

    /// Shows this family, and no others but those that are named as well. It is named as in the schema, or as it or
    /// one of its samples is in any format and escaping, and is shown whole. A name that is no family's adds
    /// nothing, so an exposition may be empty. Of more than [`FAMILIES_MAX`](Self::FAMILIES_MAX) names those
    /// that come last are passed over.
    ///
    /// A reader with other names is another reader: a scrape of some families says nothing about the others. A
    /// series that is to leave waits for the next scrapes of every live reader that asks for its family.
    ///
    /// ```
    /// # use lastmile::{Aggregator, Family, Limits, Schema, ScrapeOptions, Timestamp};
    /// # let now = Timestamp::new(0, std::time::Duration::ZERO);
    /// let schema = Schema::builder()
    ///     .family(Family::counter("app_loads_total"))
    ///     .family(Family::counter("app_errors_total"))
    ///     .build()?;
    /// let agg = Aggregator::new(schema, Limits::default(), now)?;
    /// let mut scrape = agg.scrape(ScrapeOptions::text().family("app_errors_total"), now);
    /// let mut chunk = Vec::new();
    /// assert!(scrape.next_chunk(&mut chunk));
    /// assert_eq!(chunk, b"# TYPE app_errors_total counter\napp_errors_total 0\n");
    /// # Ok::<(), lastmile::Error>(())
    /// ```
    #[must_use]
    pub fn family(mut self, name: &str) -> Self {
        self.filter.add(name);
        self
    }

    /// Most families that a scrape can be narrowed to by name.
    pub const FAMILIES_MAX: usize = Filter::NAMES_MAX;

    /// Shows the aggregator's own metrics, or only them, or none of them; they are included by default.
    /// It narrows what [`family`](Self::family) names further, and tells readers apart as that does.
    #[must_use]
    pub fn own(mut self, own: OwnMetrics) -> Self {
        self.filter.set_own(own);
        self
    }

    /// Measures with this monotonic clock how long the scrape holds a lock, for
    /// `lastmile_scrape_lock_seconds`; the core has no clock of its own. It is read twice a block of up to 256
    /// series.
    #[must_use]
    pub fn clock(mut self, clock: fn() -> Duration) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Whether counters, histograms and summaries tell in OpenMetrics when each of their series began, in a
    /// `_created` sample of its own. Off unless this says otherwise, and without effect on other formats: a
    /// Prometheus stores these samples as series like any other, unless it runs with
    /// `created-timestamp-zero-ingestion`.
    ///
    /// ```
    /// # use lastmile::{Aggregator, Family, Limits, Schema, Timestamp};
    /// use lastmile::{Escaping, ExpositionFormat, ScrapeOptions};
    ///
    /// # let schema = Schema::builder().family(Family::counter("app_loads_total")).build()?;
    /// # let now = Timestamp::new(1_700_000_000_250, std::time::Duration::ZERO);
    /// # let agg = Aggregator::new(schema, Limits::default(), now)?;
    /// let format = ExpositionFormat::OpenMetrics1_0_0(Escaping::AllowUtf8);
    /// let mut scrape = agg.scrape(ScrapeOptions::new(format).created(true), now);
    /// let mut chunk = Vec::new();
    /// assert!(scrape.next_chunk(&mut chunk));
    /// assert!(chunk.starts_with(
    ///     b"# TYPE app_loads counter\napp_loads_total 0\napp_loads_created 1700000000.250\n"
    /// ));
    /// # Ok::<(), lastmile::Error>(())
    /// ```
    #[must_use]
    pub fn created(mut self, created: bool) -> Self {
        self.created = created;
        self
    }

    /// The exact `Content-Type` of the exposition.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        self.format.content_type()
    }
}

/// One exposition in progress: an iterator of chunks that owns all it needs and holds no lock between
/// them. It needs no runtime; a slow reader costs one chunk.
///
/// All lines of one series come from one instant. Across series no snapshot is promised: a push that
/// arrives meanwhile may be seen in later series only. Dropping it without [`complete`](Self::complete)
/// is an aborted scrape.
///
/// ```
/// use lastmile::{Aggregator, Family, Limits, Schema, ScrapeOptions, Timestamp};
/// # use std::time::Duration;
/// # let now = Timestamp::new(0, Duration::ZERO);
/// let schema = Schema::builder().family(Family::counter("app_loads_total")).build()?;
/// let agg = Aggregator::new(schema, Limits::default(), now)?;
/// let mut scrape = agg.scrape(ScrapeOptions::text(), now);
/// let (mut text, mut chunk) = (Vec::new(), Vec::new());
/// while scrape.next_chunk(&mut chunk) {
///     text.extend_from_slice(&chunk);
/// }
/// scrape.complete(now);
/// assert!(text.starts_with(b"# TYPE app_loads_total counter\napp_loads_total 0\n"));
/// # Ok::<(), lastmile::Error>(())
/// ```
pub struct Scrape {
    agg: Arc<Inner>,
    /// The families that were declared when it began.
    catalog: Arc<Catalog>,
    options: ScrapeOptions,
    started: Timestamp,
    now: Ticks,
    view: View,
    at: Cursor,
    /// The family that the pieces are of, and they.
    #[cfg(feature = "protobuf")]
    protobuf: Option<(usize, protobuf::Parts)>,
    style: Style,
    /// Where series tell when they began: when tick 0 was.
    told_start: Option<Timestamp>,
    /// What stands behind all families, until it is written.
    trailer: &'static [u8],
    /// What is left of the host's registries, once they were read.
    #[cfg(feature = "prometheus-client")]
    appended: Option<appended::Families>,
    /// What is written aside: one row that alone is larger than a chunk, or a family of a host's registry.
    spill: Vec<u8>,
    /// The part of it that is not handed out yet.
    spilled: Range<usize>,
    /// Until it is completed.
    walk: Option<Walk>,
}

/// Where the next block to write is looked for.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    family: usize,
    shard: usize,
    /// The number of the last block written whole.
    block: u64,
    /// The place of the next among those of its family in the shard, if they are as they were.
    place: usize,
    /// The number of a block that is written in part, and that of the next row in it.
    inside: Option<(u64, u16)>,
    header_done: bool,
}

impl Scrape {
    pub(crate) fn new(agg: Arc<Inner>, options: ScrapeOptions, started: Timestamp) -> Self {
        let now = agg.ticks(started);
        let filter = || options.filter.clone();
        let reader = options.reader.map(|(addr, timeout)| Peer { addr, timeout, filter: filter() });
        let view = agg.store().readers().begin(reader, now);
        let catalog = agg.store().catalog();
        let walk = Some(agg.store().walk());
        let style = Style::of(options.format);
        let told_start = options.created.then(|| agg.started());
        Self {
            agg,
            catalog,
            options,
            started,
            now,
            view,
            at: Cursor::default(),
            #[cfg(feature = "protobuf")]
            protobuf: None,
            style,
            told_start,
            trailer: if style.is_open_metrics() { EOF } else { b"" },
            #[cfg(feature = "prometheus-client")]
            appended: None,
            spill: Vec::new(),
            spilled: 0..0,
            walk,
        }
    }

    /// The exact `Content-Type` of what [`next_chunk`](Self::next_chunk) writes.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        self.options.content_type()
    }

    /// Replaces the content of `chunk` by the next at most 64 KiB; `false` at the end, `chunk` then
    /// empty. Holds a shard's lock for one block at a time and never for more than a chunk, about 10 µs, or for
    /// one series whose text alone is larger. Allocates only if `chunk` has less capacity than that, for such a
    /// series, or for what a host appended.
    pub fn next_chunk(&mut self, chunk: &mut Vec<u8>) -> bool {
        // Before any lock is taken.
        chunk.reserve((CHUNK_BYTES + SLACK).saturating_sub(chunk.len()));
        let end = self.fill(chunk);
        chunk.truncate(end);
        end > 0
    }

    fn fill(&mut self, chunk: &mut Vec<u8>) -> usize {
        if !self.spilled.is_empty() {
            return self.hand_out(chunk, 0);
        }
        let store = self.agg.store();
        let mut end = 0;
        while let Some(family) = self.catalog.families().get(self.at.family) {
            let is_new = (self.at.shard, self.at.block) == (0, 0);
            if self.at.shard == store.n_shards() || is_new && !self.options.filter.shows(family) {
                self.at = Cursor { family: self.at.family + 1, ..Cursor::default() };
                continue;
            }
            // What is made for the first time is made before the lock.
            #[cfg(feature = "protobuf")]
            if let ExpositionFormat::Protobuf(escaping) = self.options.format
                && self.protobuf.as_ref().is_none_or(|(of, _)| *of != self.at.family)
            {
                let parts = protobuf::Parts::new(family, escaping);
                self.protobuf = Some((self.at.family, parts));
            }
            let (view, now) = (&self.view, self.now);
            let lines = || {
                let (parts, started) = (family.text_in(self.style), self.told_start);
                Encoder::Text(text::Lines { family, parts, view, now, started })
            };
            #[cfg(feature = "protobuf")]
            let encoder = match &self.protobuf {
                Some((_, parts)) => {
                    let started = self.agg.started();
                    Encoder::Protobuf(protobuf::Messages { family, parts, view, now, started })
                }
                None => lines(),
            };
            #[cfg(not(feature = "protobuf"))]
            let encoder = lines();
            let mut shard = store.shard(self.at.shard);
            let held_since = self.options.clock.map(|clock| clock());
            let turn = shard.turn_after(family.slot(), self.at.block, self.at.place);
            let Some((place, turn)) = turn else {
                let Cursor { family, shard, header_done, .. } = self.at;
                self.at = Cursor { family, shard: shard + 1, header_done, ..Cursor::default() };
                continue;
            };
            let block = turn.block;
            let seq = shard.block(block).seq();
            let rows = match self.at.inside {
                Some((inside, row)) if inside == seq => shard.block(block).rows_from(row),
                _ => 0..shard.block(block).rows.len(),
            };
            let (room, n_rows) = (CHUNK_BYTES - end, rows.end);
            let part = encoder.part(&shard, block, rows, room);
            if part.bytes_max > room && end > 0 {
                return end;
            }
            // One row that alone is larger than a chunk is written aside and handed out in parts.
            let is_large = part.bytes_max > room;
            if is_large && self.spill.len() < part.bytes_max + SLACK {
                // Not under the lock; the row may be another by then.
                drop(shard);
                self.spill.resize(part.bytes_max + SLACK, 0);
                continue;
            }
            let mut out = if is_large {
                Out::new(&mut self.spill, 0)
            } else {
                widen(chunk, end + part.bytes_max + SLACK);
                Out::new(chunk, end)
            };
            let next = part.rows.end;
            encoder.rows(&mut out, &mut shard, turn, part.rows, &mut self.at.header_done);
            let written = out.end();
            self.at.inside =
                (next < n_rows).then(|| (seq, shard.block(block).rows[next].ordinal()));
            if self.at.inside.is_none() {
                (self.at.block, self.at.place) = (seq, place + 1);
            }
            unlock_fair(shard);
            if let (Some(clock), Some(since)) = (self.options.clock, held_since) {
                self.agg.own().held(clock().saturating_sub(since));
            }
            if !is_large {
                end = written;
                continue;
            }
            self.spilled = 0..written;
            if written > 0 {
                return self.fill(chunk);
            }
        }
        #[cfg(feature = "prometheus-client")]
        {
            end = self.append(chunk, end);
        }
        if self.trailer.len() <= CHUNK_BYTES - end {
            let trailer = std::mem::take(&mut self.trailer);
            widen(chunk, end + trailer.len());
            chunk[end..end + trailer.len()].copy_from_slice(trailer);
            end += trailer.len();
        }
        end
    }

    /// Copies of what is written aside as much as fits into a chunk behind `end`: where that ends.
    fn hand_out(&mut self, chunk: &mut Vec<u8>, end: usize) -> usize {
        let n = self.spilled.len().min(CHUNK_BYTES - end);
        let start = self.spilled.start;
        widen(chunk, end + n);
        chunk[end..end + n].copy_from_slice(&self.spill[start..start + n]);
        self.spilled.start += n;
        end + n
    }

    /// The reader has all of it, at `now`.
    pub fn complete(mut self, now: Timestamp) {
        // Over before time passes, so that what is left of blocks may join.
        self.walk = None;
        self.agg.store().readers().complete(&self.view);
        let took = now.mono().saturating_sub(self.started.mono());
        self.agg.own().scrape_completed(&self.agg, took, now);
        self.agg.tick(now);
    }
}

/// Makes a chunk that long at least. What it had is not zeroed again, and most chunks end long before they are full.
#[inline]
fn widen(chunk: &mut Vec<u8>, len: usize) {
    if chunk.len() < len {
        chunk.resize(len, 0);
    }
}

impl Drop for Scrape {
    fn drop(&mut self) {
        if self.walk.is_some() {
            self.agg.own().scrape_aborted();
        }
    }
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrape")
            .field("options", &self.options)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}
