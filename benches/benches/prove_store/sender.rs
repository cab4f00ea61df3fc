//! One thread's pushes, and what must come of them.

use lastmile::{Aggregator, Format, Source, Timestamp};

use crate::families::{
    BOUNDS, COUNT, FAMILIES, FIXED, FamilyShape, INF, LabelShape, N_FIXED, SUM, VALUE_BYTES_MAX,
    first_cell, n_cells,
};
use crate::hostile::{Random, write_value};

/// Samples of a batch: entries of it, of which a histogram's have up to three.
const ENTRIES: usize = 16;

/// Entries of a batch that go to existing series.
const ENTRIES_FIXED: usize = 4;

/// One entry in so many is one that is refused.
const REFUSED_ONE_IN: usize = 40;

/// What was sent.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    /// What each cell must stand at, in quarters.
    pub(crate) cells: Vec<u64>,
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { cells: vec![0; n_cells()], accepted: 0, refused: 0 }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.cells.iter_mut().zip(&other.cells).for_each(|(total, n)| *total += n);
        self.accepted += other.accepted;
        self.refused += other.refused;
    }
}

/// The values of one entry's labels.
enum Values {
    /// Those of an existing series.
    Fixed(usize),
    /// Hostile ones.
    Any,
}

/// Why an entry must be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    TooLong,
    Unlisted,
    Negative,
}

#[derive(Debug)]
pub(crate) struct Sender {
    thread: u64,
    n_sent: u64,
    random: Random,
    body: Vec<u8>,
    pub(crate) ledger: Ledger,
}

impl Sender {
    pub(crate) fn new(thread: u64) -> Self {
        let random = Random::new(thread << 32 | 7);
        Self { thread, n_sent: 0, random, body: Vec::new(), ledger: Ledger::new() }
    }

    /// Makes every existing series, and nothing else.
    pub(crate) fn make_fixed(&mut self, agg: &Aggregator, now: Timestamp) {
        for first in (0..FAMILIES.len() * N_FIXED).step_by(ENTRIES) {
            let sent = first..first + ENTRIES;
            let entry = |i| (i / N_FIXED, Values::Fixed(i % N_FIXED));
            self.push(agg, now, Format::Lm1, sent.map(entry).filter(|(f, _)| *f < FAMILIES.len()));
        }
    }

    /// Sends one batch: entries for existing series first, then for whatever comes.
    pub(crate) fn send(&mut self, agg: &Aggregator, now: Timestamp) {
        // The seed's client is fewer by now.
        let format = if self.random.below(8) == 0 { Format::Record } else { Format::Lm1 };
        let entries: [_; ENTRIES] = std::array::from_fn(|i| {
            let family = self.random.below(FAMILIES.len());
            let values = if i < ENTRIES_FIXED {
                Values::Fixed(self.random.below(N_FIXED))
            } else {
                Values::Any
            };
            (family, values)
        });
        self.push(agg, now, format, entries.into_iter());
    }

    fn push(
        &mut self,
        agg: &Aggregator,
        now: Timestamp,
        format: Format,
        entries: impl Iterator<Item = (usize, Values)>,
    ) {
        self.n_sent += 1;
        let id = format!("{:02x}-{:013x}", self.thread, self.n_sent);
        let (open, close) = match format {
            Format::Lm1 => (format!(r#"{{"lm":1,"id":"{id}","m":{{"#), "}}"),
            _ => ("[".to_owned(), "]"),
        };
        self.body.clear();
        self.body.extend_from_slice(open.as_bytes());
        let (accepted, refused) = (self.ledger.accepted, self.ledger.refused);
        for (i, (family, values)) in entries.enumerate() {
            if i > 0 {
                self.body.push(b',');
            }
            let is_refused =
                matches!(values, Values::Any) && self.random.below(REFUSED_ONE_IN) == 0;
            self.entry(format, family, &values, is_refused);
        }
        self.body.extend_from_slice(close.as_bytes());
        let address = self.random.bits() as u16;
        let source = Source::default()
            .addr(std::net::Ipv4Addr::from(0x0a00_0000 | u32::from(address)).into())
            .origin(["https://a.example", "https://b.example"][usize::from(address % 2)]);
        // An array without a name of its own is counted as often as it comes.
        let source = if format == Format::Record && self.n_sent.is_multiple_of(2) {
            source.idempotency_key(&id)
        } else {
            source
        };
        let report = match agg.push(format, &self.body, &source, now) {
            Ok(report) => report,
            Err(error) => panic!("{error}: {}", String::from_utf8_lossy(&self.body)),
        };
        let wanted = (self.ledger.accepted - accepted, self.ledger.refused - refused, 0);
        let found = (report.accepted(), report.n_refused(), report.duplicate_samples());
        assert!(
            found == wanted,
            "accepted, refused, duplicate: {found:?}, not {wanted:?}: {:?} of {}",
            report.refused().collect::<Vec<_>>(),
            String::from_utf8_lossy(&self.body)
        );
    }

    /// Appends one entry and writes down what must come of it.
    fn entry(&mut self, format: Format, family: usize, values: &Values, is_refused: bool) {
        let shape = &FAMILIES[family];
        let fault = is_refused.then(|| self.fault(shape));
        match (format, shape.is_histogram) {
            (Format::Lm1, _) => self.write(&["\"", shape.name]),
            (_, is_histogram) => {
                let kind = if is_histogram { "histogram" } else { "counter" };
                self.write(&[r#"{"metricName":""#, shape.name, r#"","metricType":""#, kind]);
                self.write(&[r#"","labels":{"#]);
            }
        }
        let combination = self.labels(format, shape, values, fault);
        self.write(&[if format == Format::Lm1 { "\":" } else { "}," }]);
        let (first, n_fields) = (first_cell(family), shape.n_fields());
        let fixed = match values {
            Values::Fixed(i) if shape.n_fixed() > 0 => Some(shape.n_combinations() + i),
            _ => None,
        };
        let rows = [Some(combination), fixed].map(|row| row.map(|row| first + row * n_fields));
        if shape.is_histogram {
            self.observations(format, fault, rows);
        } else {
            self.increment(format, shape.has_fractions, fault, rows);
        }
        if format != Format::Lm1 {
            self.write(&["}"]);
        }
    }

    /// A reason to refuse an entry of this family.
    fn fault(&mut self, shape: &FamilyShape) -> Fault {
        match self.random.below(3) {
            0 if shape.n_fixed() > 0 => Fault::TooLong,
            1 if shape.labels.iter().any(LabelShape::refuses) => Fault::Unlisted,
            _ => Fault::Negative,
        }
    }

    /// Appends the labels; gives the combination of closed values that the entry counts in.
    fn labels(
        &mut self,
        format: Format,
        shape: &FamilyShape,
        values: &Values,
        fault: Option<Fault>,
    ) -> usize {
        let (mut combination, mut too_long) = (0, fault == Some(Fault::TooLong));
        for (i, label) in shape.labels.iter().enumerate() {
            match format {
                Format::Lm1 => self.write(&[";", label.name(), "="]),
                _ => self.write(&[if i > 0 { ",\"" } else { "\"" }, label.name(), "\":\""]),
            }
            match (label.values(), values) {
                (Some(listed), _) => {
                    let at = match values {
                        Values::Fixed(i) => i % listed.len(),
                        Values::Any => self.random.below(listed.len()),
                    };
                    combination = combination * listed.len() + at;
                    // What a client calls `other` and what becomes it are one.
                    let folds = listed[at] == "other" && self.random.below(2) == 0;
                    let is_unlisted = folds || fault == Some(Fault::Unlisted) && label.refuses();
                    self.write(&[if is_unlisted { "unlisted" } else { listed[at] }]);
                }
                (None, Values::Fixed(i)) => self.write(&[FIXED, &i.to_string()]),
                (None, Values::Any) => {
                    // Most are short, as they mostly are, and there are more of them then.
                    let longest = if self.random.below(4) == 0 { VALUE_BYTES_MAX } else { 24 };
                    let mut n_bytes = self.random.below(longest + 1);
                    if std::mem::take(&mut too_long) {
                        n_bytes += VALUE_BYTES_MAX + 1;
                    }
                    write_value(&mut self.body, &mut self.random, format, n_bytes);
                }
            }
            if format != Format::Lm1 {
                self.write(&["\""]);
            }
        }
        combination
    }

    fn increment(
        &mut self,
        format: Format,
        has_fractions: bool,
        fault: Option<Fault>,
        rows: [Option<usize>; 2],
    ) {
        let n = 1 + self.random.below(100) as u64;
        let quarters = if has_fractions { n } else { 4 * n };
        if format != Format::Lm1 {
            self.write(&["\"inc\":"]);
        }
        self.number(quarters, fault);
        if fault.is_some() {
            self.ledger.refused += 1;
            return;
        }
        self.ledger.accepted += 1;
        for row in rows.into_iter().flatten() {
            self.ledger.cells[row] += quarters;
        }
    }

    fn observations(&mut self, format: Format, fault: Option<Fault>, rows: [Option<usize>; 2]) {
        self.write(&[if format == Format::Lm1 { "[" } else { "\"observations\":[" }]);
        for i in 0..=self.random.below(3) {
            if i > 0 {
                self.write(&[","]);
            }
            let quarters = 1 + self.random.below(100) as u64;
            self.number(quarters, fault);
            if fault.is_some() {
                self.ledger.refused += 1;
                continue;
            }
            self.ledger.accepted += 1;
            for row in rows.into_iter().flatten() {
                let cells = &mut self.ledger.cells[row..];
                for (bucket, bound) in BOUNDS.iter().enumerate() {
                    cells[bucket] += 4 * u64::from(quarters as f64 / 4.0 <= *bound);
                }
                cells[INF] += 4;
                cells[COUNT] += 4;
                cells[SUM] += quarters;
            }
        }
        self.write(&["]"]);
    }

    fn number(&mut self, quarters: u64, fault: Option<Fault>) {
        let sign = if fault == Some(Fault::Negative) { "-" } else { "" };
        let fraction = ["", ".25", ".5", ".75"][quarters as usize % 4];
        self.write(&[sign, &(quarters / 4).to_string(), fraction]);
    }

    fn write(&mut self, texts: &[&str]) {
        texts.iter().for_each(|text| self.body.extend_from_slice(text.as_bytes()));
    }
}
