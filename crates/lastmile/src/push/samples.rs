//! Where a push waits between decoding and applying: every sample resolved to its family and its label
//! values, without one allocation once the buffers have grown to what pushes need.

use std::cell::Cell;

use super::explain::Note;
use super::json::{RawStr, unescape};
use super::lm1::{Known, Sighted};
#[cfg(feature = "mapping")]
use super::mapped::Leaf;
use super::number::Number;
use super::prom::Histograms;
use super::report::{Counts, Refusal};
use super::source::Source;
use crate::schema::{LABELS_MAX, UNKNOWN, ValueFrom, is_template, template_into};
use crate::store::{Catalog, FamilyState, Key, Seen, Target, Text, Texts, same};

/// The samples of one series.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The position of its family in the catalog.
    pub(crate) family: u32,
    pub(crate) hash: u64,
    /// Where its label values start, in schema order.
    pub(crate) values_at: u32,
    pub(crate) numbers_at: u32,
    pub(crate) n_numbers: u32,
    /// Next entry of the same shard.
    pub(crate) next: u32,
    /// The row that it may belong to.
    pub(crate) row: u32,
    /// A bit for each label whose value has no place and could get none, so that `other` is looked for. Of a key that is
    /// known, what it means says that.
    pub(crate) folded: u32,
    /// The slot of its key, if that is known: then there are no label values of it, and its key stands at
    /// `values_at` of the body.
    pub(crate) known: Option<u16>,
}

/// Samples that were counted in a row of `other`, as what came has no place.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Overflow {
    /// The position of their family in the catalog.
    pub(crate) family: u32,
    /// A bit for each label whose value has none.
    pub(crate) labels: u32,
    pub(crate) n: u64,
}

/// The buffers of one push at a time, kept by the thread between pushes.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    /// Texts that had escapes, decoded.
    pub(crate) arena: Vec<u8>,
    /// Labels of the entry being read, as pairs of name and value in the order they came.
    pub(crate) labels: Vec<(Text, Text)>,
    /// Label values of all entries.
    pub(crate) values: Vec<Text>,
    pub(crate) numbers: Vec<Number>,
    pub(crate) entries: Vec<Entry>,
    /// Keys of `lm1` that are known.
    pub(crate) known: Known,
    /// Those of this batch that are to be.
    pub(crate) sighted: Vec<Sighted>,
    /// Entries of the batch that was applied whose series was not found.
    pub(crate) misses: Vec<u32>,
    /// What was counted as `other`, by runs of the same labels.
    pub(crate) overflows: Vec<Overflow>,
    /// Histograms of Prometheus text whose lines are still coming.
    pub(crate) histograms: Histograms,
    /// Totals of a group that are being read.
    #[cfg(feature = "pushgateway")]
    pub(crate) prom: super::prom::Prom,
    /// A request of OpenTelemetry that is being read.
    #[cfg(feature = "otlp")]
    pub(crate) otlp: super::otlp::Doc,
    /// A text that is decoded to be looked at.
    pub(crate) scratch: Vec<u8>,
    /// Fields of the record being read, by the places of their names.
    #[cfg(feature = "mapping")]
    pub(crate) leaves: Vec<Leaf>,
    /// Of them those that all records of a payload share.
    #[cfg(feature = "faro")]
    pub(crate) page: Vec<Leaf>,
    /// What the server sets on labels, in the order of [`Catalog::served`].
    served: Vec<Text>,
    /// Why samples are refused, where a body is looked at once more to tell.
    pub(crate) notes: Option<Vec<Note>>,
}

/// Buffers of more bytes than this are given back after the push that grew them, all but the keys that are known.
const KEPT_BYTES_MAX: usize = 1 << 20;

thread_local! {
    static KEPT: Cell<Option<Box<Samples>>> = const { Cell::new(None) };
}

impl Samples {
    /// Runs `f` with this thread's buffers, empty. A push from within a push would get new ones.
    pub(crate) fn with<R>(f: impl FnOnce(&mut Self) -> R) -> R {
        let mut samples = KEPT.take().unwrap_or_default();
        let result = f(&mut samples);
        if samples.kept_bytes() > KEPT_BYTES_MAX {
            let known = std::mem::take(&mut samples.known);
            *samples = Self { known, ..Self::default() };
        }
        KEPT.set(Some(samples));
        result
    }

    fn clear(&mut self) {
        self.arena.clear();
        self.served.clear();
        #[cfg(feature = "otlp")]
        self.otlp.clear();
        #[cfg(feature = "pushgateway")]
        self.prom.clear();
        self.clear_entries();
    }

    /// Forgets the batch before, for one that this source sent.
    #[inline]
    pub(crate) fn begin(&mut self, catalog: &Catalog, source: &Source<'_>) {
        self.clear();
        if !catalog.served().is_empty() {
            self.serve(catalog, source);
        }
    }

    fn serve(&mut self, catalog: &Catalog, source: &Source<'_>) {
        for from in catalog.served() {
            let value = match from {
                ValueFrom::Header(name) => source.header_value(name),
                ValueFrom::Origin => source.origin_value(),
                ValueFrom::Key => source.key_value(),
                ValueFrom::Const(value) => Some(value.as_str()),
            };
            let value = value.unwrap_or(UNKNOWN).as_bytes();
            self.served.push(Text::put(&mut self.arena, value));
        }
    }

    /// Puts the values that the server sets beside those of the client.
    #[inline]
    pub(crate) fn fill_served(&mut self, target: &Target<'_>, values_at: usize) {
        for (label, served) in target.served {
            self.values[values_at + usize::from(*label)] = self.served[*served as usize];
        }
    }

    /// Replaces the paths among an entry's values by their templates, where the schema says so. Done for
    /// what is not found alone: what is stored is a template.
    pub(crate) fn make_templates(&mut self, catalog: &Catalog, body: &[u8], entry: usize) {
        let Entry { family, values_at, .. } = self.entries[entry];
        self.template_values(catalog.family(family), body, values_at as usize);
    }

    /// The same for the values that start at `values_at`.
    fn template_values(&mut self, family: &FamilyState, body: &[u8], values_at: usize) {
        let mut labels = family.templated();
        while labels != 0 {
            let value = &mut self.values[values_at + labels.trailing_zeros() as usize];
            labels &= labels - 1;
            let path = Texts { body, arena: &self.arena }.get(*value);
            if is_template(path) {
                continue;
            }
            let mut template = Vec::with_capacity(path.len());
            template_into(path, &mut template);
            *value = Text::put(&mut self.arena, &template);
        }
    }

    /// Forgets the entries and keeps the texts.
    pub(crate) fn clear_entries(&mut self) {
        self.labels.clear();
        self.values.clear();
        self.numbers.clear();
        self.entries.clear();
        self.sighted.clear();
        self.misses.clear();
    }

    fn kept_bytes(&self) -> usize {
        // Fields of a record are as many as the schema names, so they are not counted.
        self.arena.capacity()
            + self.scratch.capacity()
            + self.labels.capacity() * size_of::<(Text, Text)>()
            + self.values.capacity() * size_of::<Text>()
            + self.numbers.capacity() * size_of::<Number>()
            + self.entries.capacity() * size_of::<Entry>()
            + self.sighted.capacity() * size_of::<Sighted>()
            + self.overflows.capacity() * size_of::<Overflow>()
            + self.histograms.kept_bytes()
            + self.kept_totals_bytes()
    }

    fn kept_totals_bytes(&self) -> usize {
        let bytes = 0;
        #[cfg(feature = "otlp")]
        let bytes = bytes + self.otlp.kept_bytes();
        #[cfg(feature = "pushgateway")]
        let bytes = bytes + self.prom.kept_bytes();
        bytes
    }

    /// The text of a JSON string: in place if it has no escapes, decoded into the arena otherwise.
    #[inline]
    pub(crate) fn text(&mut self, body: &[u8], raw: RawStr) -> Text {
        if !raw.has_escapes() {
            return Text::in_body(raw.start, raw.end);
        }
        let start = self.arena.len();
        unescape(&body[raw.start..raw.end], &mut self.arena);
        Text::in_arena(&self.arena, start)
    }

    /// The bytes of a text.
    #[inline]
    pub(crate) fn bytes<'a>(&'a self, body: &'a [u8], text: Text) -> &'a [u8] {
        Texts { body, arena: &self.arena }.get(text)
    }

    /// Whether the entry being read has a label twice.
    #[cold]
    pub(crate) fn has_label_twice(&self, body: &[u8]) -> bool {
        let name = |i: usize| self.bytes(body, self.labels[i].0);
        if self.labels.len() <= LABELS_MAX {
            return (1..self.labels.len()).any(|i| (0..i).any(|earlier| name(earlier) == name(i)));
        }
        let mut names: Vec<&[u8]> = (0..self.labels.len()).map(name).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// Puts the labels of the entry being read into schema order, behind the values of earlier entries,
    /// if they came in an order that clients use: the schema's, or sorted by name. Each label then came
    /// once.
    #[inline]
    pub(crate) fn resolve_labels_in_order(&mut self, target: &Target<'_>, body: &[u8]) -> bool {
        let family = target.family;
        let (sent, sorted) = (family.sent(), family.sorted());
        if self.labels.len() != sent.len() {
            return false;
        }
        let at = self.values.len();
        let texts = Texts { body, arena: &self.arena };
        let names = self.labels.iter().map(|(name, _)| texts.get(*name));
        if target.served.is_empty() {
            let mut declared = family.labels().iter().map(|label| label.name.as_bytes());
            if names.clone().all(|name| declared.next().is_some_and(|label| same(name, label))) {
                self.values.extend(self.labels.iter().map(|(_, value)| *value));
                return true;
            }
        }
        let are = |order: &[u8]| {
            let label = |i: &u8| family.labels()[usize::from(*i)].name.as_bytes();
            names.clone().zip(order).all(|(name, i)| same(name, label(i)))
        };
        let order = if are(sorted) {
            sorted
        } else if are(sent) {
            sent
        } else {
            return false;
        };
        self.values.resize(at + family.labels().len(), Text::EMPTY);
        for ((_, value), i) in self.labels.iter().zip(order) {
            self.values[at + usize::from(*i)] = *value;
        }
        self.fill_served(target, at);
        true
    }

    /// The same for any order; of a label that came twice the last value counts.
    ///
    /// # Errors
    /// When a label is missing or not declared, or is for the server to set.
    #[cold]
    pub(crate) fn resolve_labels_in_any_order(
        &mut self,
        target: &Target<'_>,
        body: &[u8],
    ) -> Result<(), Refusal> {
        let family = target.family;
        let at = self.values.len();
        let texts = Texts { body, arena: &self.arena };
        let position = |name: Text| {
            let mut sent = family.sent().iter().map(|i| usize::from(*i));
            sent.find(|i| family.labels()[*i].name.as_bytes() == texts.get(name))
        };
        if self.labels.iter().any(|(name, _)| position(*name).is_none()) {
            return Err(Refusal::UnknownLabel);
        }
        self.values.resize(at + family.labels().len(), Text::EMPTY);
        let mut seen: u32 = 0;
        for (name, value) in &self.labels {
            if let Some(i) = position(*name) {
                self.values[at + i] = *value;
                seen |= 1 << i;
            }
        }
        self.fill_served(target, at);
        if seen.count_ones() as usize == family.sent().len() {
            Ok(())
        } else {
            Err(Refusal::MissingLabel)
        }
    }

    /// Samples of all entries, and those that wait to become some.
    pub(crate) fn n_samples(&self) -> u64 {
        let entries = self.entries.iter().map(|entry| Number::n_samples(self.numbers_of(entry)));
        let entries: u64 = entries.sum();
        #[cfg(feature = "otlp")]
        let entries = entries + self.otlp.n_pending();
        #[cfg(feature = "pushgateway")]
        let entries = entries + self.n_pending();
        entries
    }

    /// The values of an entry.
    #[inline]
    pub(crate) fn numbers_of(&self, entry: &Entry) -> &[Number] {
        let at = entry.numbers_at as usize;
        &self.numbers[at..at + entry.n_numbers as usize]
    }

    /// The label values of an entry, in schema order.
    #[inline]
    pub(crate) fn values_of(&self, entry: &Entry, family: &FamilyState) -> &[Text] {
        let at = entry.values_at as usize;
        &self.values[at..at + family.literal_lens().len()]
    }

    /// The key of a series whose values start at `values_at`.
    #[inline]
    pub(crate) fn key<'a>(
        &'a self,
        family: &'a FamilyState,
        body: &'a [u8],
        values_at: usize,
        hash: u64,
    ) -> Key<'a> {
        Key {
            family,
            values: &self.values[values_at..values_at + family.labels().len()],
            texts: Texts { body, arena: &self.arena },
            folded: 0,
            hash,
        }
    }

    /// Ends an entry whose labels are resolved: checks its numbers, from `numbers_at` on, against the
    /// family's bounds. A refused number is counted by its reason, unless the label values already refuse
    /// the whole entry.
    #[inline]
    pub(crate) fn finish_entry(
        &mut self,
        target: &Target<'_>,
        body: &[u8],
        values_at: usize,
        numbers_at: usize,
        counts: &mut Counts,
    ) {
        let family = target.family;
        let check = |number: &Number| number.check(family);
        if self.numbers[numbers_at..].iter().any(|number| check(number).is_err()) {
            self.refuse_numbers(family, body, values_at, numbers_at, counts);
        }
        if self.numbers.len() == numbers_at {
            self.values.truncate(values_at);
            return;
        }
        self.push_entry(target.position, family, body, values_at, numbers_at);
    }

    /// Adds an entry whose numbers are checked and the last that came.
    #[inline(always)]
    pub(crate) fn push_entry(
        &mut self,
        position: u32,
        family: &FamilyState,
        body: &[u8],
        values_at: usize,
        numbers_at: usize,
    ) {
        let full = family.full();
        let (hash, folded) = if full.labels() == 0 {
            (family.hash(&self.key(family, body, values_at, 0)), 0)
        } else {
            self.hash_where_full(family, full, body, values_at)
        };
        self.entries.push(Entry {
            family: position,
            hash,
            values_at: values_at as u32,
            numbers_at: numbers_at as u32,
            n_numbers: (self.numbers.len() - numbers_at) as u32,
            next: u32::MAX,
            row: u32::MAX,
            folded,
            known: None,
        });
    }

    /// See [`FamilyState::hash_where_full`].
    #[inline(never)]
    pub(crate) fn hash_where_full(
        &self,
        family: &FamilyState,
        full: Seen,
        body: &[u8],
        values_at: usize,
    ) -> (u64, u32) {
        family.hash_where_full(&self.key(family, body, values_at, 0), full)
    }

    /// Whether the policies let the values in that start at `values_at`.
    pub(crate) fn check_values(
        &mut self,
        family: &FamilyState,
        body: &[u8],
        values_at: usize,
    ) -> Result<(), Refusal> {
        self.template_values(family, body, values_at);
        family.check_values(&self.key(family, body, values_at, 0))
    }

    /// Counts why `n` samples of a series are refused, whose values start at `values_at`. A value that the schema
    /// refuses is told first.
    #[cold]
    #[expect(clippy::too_many_arguments, reason = "all that is known of it")]
    pub(crate) fn refuse_series(
        &mut self,
        family: &FamilyState,
        name: Text,
        values_at: usize,
        why: Refusal,
        n: u64,
        body: &[u8],
        counts: &mut Counts,
    ) {
        let why = self.check_values(family, body, values_at).err().unwrap_or(why);
        self.labels.clear();
        self.note_entry(body, Some(name), Some(family), values_at, why, n);
        counts.refuse(why, n);
    }

    /// Counts and removes the numbers that the family's bounds refuse.
    #[cold]
    fn refuse_numbers(
        &mut self,
        family: &FamilyState,
        body: &[u8],
        values_at: usize,
        numbers_at: usize,
        counts: &mut Counts,
    ) {
        if let Err(why) = self.check_values(family, body, values_at) {
            let n = (self.numbers.len() - numbers_at) as u64;
            self.note_values(family, body, values_at, why, n);
            counts.refuse(why, n);
            self.numbers.truncate(numbers_at);
            return;
        }
        let mut kept = numbers_at;
        for i in numbers_at..self.numbers.len() {
            let number = self.numbers[i];
            match number.check(family) {
                Ok(()) => {
                    self.numbers[kept] = number;
                    kept += 1;
                }
                Err(why) => {
                    self.note_number(family, number.value, why);
                    counts.refuse(why, 1);
                }
            }
        }
        self.numbers.truncate(kept);
    }
}
