//! Encoders over the rows, in chunks; values were escaped when the rows were made.

#[cfg(feature = "prometheus-client")]
mod appended;
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
use std::sync::Arc;
use std::time::Duration;

use crate::aggregator::Inner;
use crate::readers::{Peer, View};
use crate::store::{Catalog, Shard, Walk};
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

    /// Shows this family, by its name in the schema, and no others but those that are named as well. A
    /// name that is no family's adds nothing, so an exposition may be empty. Of more than
    /// [`FAMILIES_MAX`](Self::FAMILIES_MAX) names those that come last are passed over.
    ///
    /// A reader with other families is another reader: a scrape of some says nothing about the others. A series
    /// that is to leave waits for the next scrapes of every live reader, whatever they ask for.
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
    /// The rest of a block that is larger than one chunk.
    spill: Vec<u8>,
    spilled: usize,
    /// Until it is completed.
    walk: Option<Walk>,
}

/// Where the next block to write is looked for.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    family: usize,
    shard: usize,
    /// The number of the last block written.
    block: u64,
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
            spilled: 0,
            walk,
        }
    }

    /// The exact `Content-Type` of what [`next_chunk`](Self::next_chunk) writes.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        self.options.content_type()
    }

    /// Replaces the content of `chunk` by the next at most 64 KiB; `false` at the end, `chunk` then
    /// empty. Holds each shard's lock for one block at a time, about 10 µs at most, and longer by as much as the
    /// format is longer than text 0.0.4. Allocates only if `chunk` has less capacity than that, for a series
    /// whose text alone is larger, or for a block that is larger in this format than in text 0.0.4.
    pub fn next_chunk(&mut self, chunk: &mut Vec<u8>) -> bool {
        // Not cleared first: what is there need not be zeroed again.
        chunk.resize(CHUNK_BYTES + SLACK, 0);
        let end = self.fill(chunk);
        chunk.truncate(end);
        end > 0
    }

    fn fill(&mut self, chunk: &mut [u8]) -> usize {
        if self.spilled < self.spill.len() {
            let n = (self.spill.len() - self.spilled).min(CHUNK_BYTES);
            chunk[..n].copy_from_slice(&self.spill[self.spilled..self.spilled + n]);
            self.spilled += n;
            return n;
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
            let Some(block) = shard.block_after(family.slot(), self.at.block) else {
                self.at.shard += 1;
                self.at.block = 0;
                continue;
            };
            let seq = shard.block(block).seq();
            let need = encoder.bytes_max(&shard, block);
            if need > CHUNK_BYTES - end && end > 0 {
                return end;
            }
            // A block is larger than a chunk if it is of one long row, or in a format that takes more than text
            // does; it is written aside and handed out in parts.
            let is_large = need > CHUNK_BYTES;
            let mut out = if is_large {
                self.spill.clear();
                self.spill.resize(need + SLACK, 0);
                Out::new(&mut self.spill, 0)
            } else {
                Out::new(chunk, end)
            };
            let header_done = &mut self.at.header_done;
            encoder.block(&mut out, &mut shard, block, header_done);
            let written = out.end();
            unlock_fair(shard);
            if let (Some(clock), Some(since)) = (self.options.clock, held_since) {
                self.agg.own().held(clock().saturating_sub(since));
            }
            self.at.block = seq;
            if !is_large {
                end = written;
                continue;
            }
            self.spill.truncate(written);
            self.spilled = 0;
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
            chunk[end..end + trailer.len()].copy_from_slice(trailer);
            end += trailer.len();
        }
        end
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

/// What writes the rows of one family.
enum Encoder<'a> {
    Text(text::Lines<'a>),
    #[cfg(feature = "protobuf")]
    Protobuf(protobuf::Messages<'a>),
}

impl Encoder<'_> {
    /// Most bytes that a block takes, the family's header included.
    fn bytes_max(&self, shard: &Shard, block: u32) -> usize {
        match self {
            Self::Text(lines) => lines.bytes_max(shard.block(block)),
            #[cfg(feature = "protobuf")]
            Self::Protobuf(messages) => messages.bytes_max(shard, block),
        }
    }

    /// Writes the rows of a block that are to be seen.
    fn block(&self, out: &mut Out<'_>, shard: &mut Shard, block: u32, header_done: &mut bool) {
        match self {
            Self::Text(lines) => text::block(out, lines, shard, block, header_done),
            #[cfg(feature = "protobuf")]
            Self::Protobuf(messages) => messages.block(out, shard, block),
        }
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
