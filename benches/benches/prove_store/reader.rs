//! Reads an exposition line by line as it comes, checks what is true of every one, and adds up its cells.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;

use lastmile::{Aggregator, ScrapeOptions, Timestamp};

use crate::families::{BOUNDS, COUNT, FAMILIES, FIXED, INF, SUM, first_cell, n_cells};

/// A scraper, and what it has seen.
#[derive(Debug)]
pub(crate) struct Reader {
    /// What each cell stands at: in the last scrape, or, of who adds up increases, since the first.
    pub(crate) cells: Vec<u64>,
    /// The aggregator's own samples in the last scrape, by name and labels.
    pub(crate) own: BTreeMap<String, f64>,
    pub(crate) n_scrapes: u32,
    /// Lines of the last scrape.
    pub(crate) n_lines: u64,
    increases: Option<Increases>,
    histogram: Histogram,
    rest: Vec<u8>,
    chunk: Vec<u8>,
}

/// What a Prometheus remembers to compute increases. Series are told apart by a hash, as their text would
/// take more memory than the store.
#[derive(Debug)]
struct Increases {
    addr: SocketAddr,
    hash: RandomState,
    /// What each series stood at in the last scrape, and in the one under way. There are two, as a table
    /// from which much is taken one by one grows, and this one must not be seen to.
    last: HashMap<u64, u64>,
    next: HashMap<u64, u64>,
}

/// The series of a histogram whose lines are being read.
#[derive(Debug, Default)]
struct Histogram {
    body: Vec<u8>,
    n_lines: usize,
    last: u64,
}

impl Reader {
    /// One that sees live values.
    pub(crate) fn live() -> Self {
        Self {
            cells: vec![0; n_cells()],
            own: BTreeMap::new(),
            n_scrapes: 0,
            n_lines: 0,
            increases: None,
            histogram: Histogram::default(),
            rest: Vec::new(),
            chunk: Vec::new(),
        }
    }

    /// One that scrapes as a Prometheus does and adds up what it can compute, with memory for so many
    /// lines of a scrape.
    pub(crate) fn prometheus(n_lines: usize) -> Self {
        let increases = Increases {
            addr: ([192, 0, 2, 1], 40_112).into(),
            hash: RandomState::new(),
            last: written_once(n_lines),
            next: written_once(n_lines),
        };
        Self { increases: Some(increases), ..Self::live() }
    }

    /// Scrapes all there is. `between` runs after each chunk.
    ///
    /// # Panics
    /// At the first line that is not well formed or breaks a law.
    pub(crate) fn scrape(&mut self, agg: &Aggregator, now: Timestamp, mut between: impl FnMut()) {
        let before = self.cells.clone();
        self.n_scrapes += 1;
        self.n_lines = 0;
        self.own.clear();
        let options = match &self.increases {
            Some(increases) => ScrapeOptions::text().reader(increases.addr, None),
            None => {
                self.cells.fill(0);
                ScrapeOptions::text()
            }
        };
        let mut scrape = agg.scrape(options, now);
        let (mut chunk, mut rest) =
            (std::mem::take(&mut self.chunk), std::mem::take(&mut self.rest));
        rest.clear();
        while scrape.next_chunk(&mut chunk) {
            rest.extend_from_slice(&chunk);
            let end = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let text = std::str::from_utf8(&rest[..end]).expect("an exposition is UTF-8");
            for line in text.split_terminator('\n') {
                self.line(line);
            }
            rest.drain(..end);
            between();
        }
        assert!(rest.is_empty(), "the last line has no end: {rest:?}");
        scrape.complete(now);
        (self.chunk, self.rest) = (chunk, rest);
        for (cell, (was, is)) in before.iter().zip(&self.cells).enumerate() {
            assert!(was <= is, "{} fell from {was} to {is}", crate::families::describe(cell));
        }
        if let Some(increases) = &mut self.increases {
            increases.turn();
        }
    }

    /// The sum over the aggregator's own samples whose name and labels begin so.
    pub(crate) fn own(&self, prefix: &str) -> f64 {
        let found = self.own.range(prefix.to_owned()..);
        found.take_while(|(series, _)| series.starts_with(prefix)).map(|(_, value)| value).sum()
    }

    fn line(&mut self, line: &str) {
        self.n_lines += 1;
        if let Some(comment) = line.strip_prefix("# ") {
            let is_known = comment.starts_with("HELP ") || comment.starts_with("TYPE ");
            return assert!(is_known, "{line:?}");
        }
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line:?}"));
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line:?}"));
        let name_end = series.find('{').unwrap_or(series.len());
        let (name, labels) = series.split_at(name_end);
        let of = |shape: &crate::families::FamilyShape| {
            let suffix = name.strip_prefix(shape.name)?;
            (shape.is_histogram == suffix.starts_with('_')).then_some(suffix)
        };
        let found = FAMILIES.iter().enumerate().find_map(|(f, shape)| Some((f, of(shape)?)));
        let Some((family, suffix)) = found else {
            let is_own =
                ["lastmile_", "metrics_aggregator_"].iter().any(|own| name.starts_with(own));
            assert!(is_own, "{line:?}");
            check_labels(labels, line, |_, _, _| {});
            self.own.insert(series.to_owned(), value);
            return;
        };
        let shape = &FAMILIES[family];
        let (mut combination, mut fixed, mut le, mut body_end) = (0, None, None, labels.len());
        check_labels(labels, line, |at, label, text| match shape.labels.get(at) {
            Some(known) => {
                assert_eq!(known.name(), label, "{line:?}");
                match known.values() {
                    Some(listed) => {
                        let at = listed.iter().position(|value| *value == text);
                        let at = at.unwrap_or_else(|| panic!("unlisted: {line:?}"));
                        combination = combination * listed.len() + at;
                    }
                    None => {
                        let digit: Option<usize> =
                            text.strip_prefix(FIXED).map(|i| i.parse().expect("a digit"));
                        fixed = fixed.or(digit);
                    }
                }
            }
            None => {
                assert!(label == "le" && suffix == "_bucket", "{line:?}");
                le = Some(text.parse::<f64>().expect("a bound is a number"));
                body_end = text.as_ptr() as usize - labels.as_ptr() as usize;
            }
        });
        let quarters = value * 4.0;
        assert!(quarters >= 0.0 && quarters.fract() == 0.0 && quarters < 9e15, "{line:?}");
        let quarters = quarters as u64;
        let field = if shape.is_histogram {
            let body = labels[..body_end].trim_end_matches("le=\"").trim_end_matches([',', '}']);
            self.histogram.line(body, suffix, le, quarters, line)
        } else {
            0
        };
        let added = match &mut self.increases {
            Some(increases) => increases.of(series, quarters, line),
            None => quarters,
        };
        let (first, n_fields) = (first_cell(family), shape.n_fields());
        self.cells[first + combination * n_fields + field] += added;
        if let Some(i) = fixed {
            self.cells[first + (shape.n_combinations() + i) * n_fields + field] += added;
        }
    }
}

impl Histogram {
    /// Which of its cells a line is. The lines of a series stand together and in order, and its buckets do
    /// not decrease up to `+Inf`, which is the count.
    fn line(
        &mut self,
        body: &str,
        suffix: &str,
        le: Option<f64>,
        quarters: u64,
        line: &str,
    ) -> usize {
        let field = self.n_lines;
        self.n_lines = (field + 1) % (COUNT + 1);
        if field == 0 {
            self.body.clear();
            self.body.extend_from_slice(body.as_bytes());
            self.last = 0;
        }
        assert_eq!(self.body, body.as_bytes(), "a line of another series: {line:?}");
        let wanted = match field {
            SUM => ("_sum", None),
            COUNT => ("_count", None),
            INF => ("_bucket", Some(f64::INFINITY)),
            bucket => ("_bucket", Some(BOUNDS[bucket])),
        };
        assert_eq!((suffix, le), wanted, "{line:?}");
        match field {
            SUM => {}
            COUNT => assert_eq!(quarters, self.last, "not the bucket of +Inf: {line:?}"),
            _ => {
                assert!(quarters >= self.last, "less than the bucket before: {line:?}");
                self.last = quarters;
            }
        }
        field
    }
}

impl Increases {
    /// By how much a series rose since the last scrape. One that is new, or has come again, must be seen
    /// at 0 first, or what it stood at would be lost.
    fn of(&mut self, series: &str, quarters: u64, line: &str) -> u64 {
        let hash = self.hash.hash_one(series);
        assert!(self.next.len() < self.next.capacity(), "more lines than there is memory for");
        assert!(self.next.insert(hash, quarters).is_none(), "twice in one scrape: {line:?}");
        let Some(last) = self.last.get(&hash) else {
            assert_eq!(quarters, 0, "new, and not at 0: {line:?}");
            return 0;
        };
        assert!(quarters >= *last || quarters == 0, "fell from {last} quarters: {line:?}");
        quarters.saturating_sub(*last)
    }

    /// The scrape has ended.
    fn turn(&mut self) {
        std::mem::swap(&mut self.last, &mut self.next);
        self.next.clear();
    }
}

/// An empty table for so many, all of it resident from the start, so that it does not look like growth.
fn written_once(n: usize) -> HashMap<u64, u64> {
    let mut table: HashMap<u64, u64> = (0..n as u64).map(|i| (i, i)).collect();
    table.clear();
    table
}

/// Walks `{name="value",…}` strictly and gives each label's position, name and text.
fn check_labels<'a>(labels: &'a str, line: &str, mut label: impl FnMut(usize, &'a str, &'a str)) {
    if labels.is_empty() {
        return;
    }
    let inner = labels.strip_prefix('{').and_then(|labels| labels.strip_suffix('}'));
    let mut rest = inner.unwrap_or_else(|| panic!("no braces: {line:?}"));
    for at in 0.. {
        let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no value: {line:?}"));
        let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        assert!(is_name && !name.is_empty(), "no label name: {line:?}");
        let end = value_end(after).unwrap_or_else(|| panic!("no end of a value: {line:?}"));
        label(at, name, &after[..end]);
        rest = &after[end + 1..];
        if rest.is_empty() {
            return;
        }
        rest = rest.strip_prefix(',').unwrap_or_else(|| panic!("no comma: {line:?}"));
    }
}

/// Where the quote is that ends a value, whose escapes are those of the format.
fn value_end(text: &str) -> Option<usize> {
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some(at),
            b'\\' => {
                let (_, escaped) = bytes.next()?;
                assert!(matches!(escaped, b'\\' | b'"' | b'n'), "an unknown escape in {text:?}");
            }
            _ => {}
        }
    }
    None
}
