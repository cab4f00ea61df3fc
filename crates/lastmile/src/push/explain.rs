//! Why samples of a body are refused, in more words than a count: a second look at a body, for whoever
//! has to find out what a client does wrong.

use super::number::Number;
use super::samples::Samples;
use super::{Counts, Format, Refusal, Source, decode_whole, lm1};
use crate::store::{Catalog, FamilyState, Text};

/// Most notes of one body: who reads them wants to see many clients rather than all of one.
const NOTES_MAX: usize = 8;

/// Most characters of a text that a client sent in a note.
const TEXT_CHARS_MAX: usize = 64;

/// Why samples of one entry of a body were refused.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Note {
    pub(crate) why: Refusal,
    /// Samples that were refused for it.
    pub(crate) n: u64,
    /// As the client wrote it, so far as it is known; cut short.
    pub(crate) family: Option<String>,
    /// The label at fault, if one is; cut short.
    pub(crate) label: Option<String>,
    /// Bytes of that label's value.
    pub(crate) value_bytes: Option<usize>,
    /// That label's value, or the number at fault; cut short.
    pub(crate) value: Option<String>,
}

/// Looks at `body` once more and notes why samples of it are refused, the first 8 times. Nothing is counted
/// or applied. Cost: that of decoding it.
pub(crate) fn explain(
    catalog: &Catalog,
    format: Format,
    body: &[u8],
    source: &Source<'_>,
) -> Vec<Note> {
    Samples::with(|samples| {
        samples.notes = Some(Vec::new());
        let mut counts = Counts::default();
        match format {
            Format::Lm1 => {
                for lm1::Line { start, end, .. } in lm1::lines(body) {
                    samples.begin(catalog, source);
                    let line = lm1::line(catalog, body, start, end, samples, &mut counts, |_| {});
                    if line.is_ok() {
                        samples.note_entries(catalog, body);
                    }
                }
            }
            _ => {
                samples.begin(catalog, source);
                // What does not decode is told by the push itself.
                let _ = decode_whole(catalog, format, body, source, samples, &mut counts);
                samples.note_entries(catalog, body);
            }
        }
        samples.notes.take().unwrap_or_default()
    })
}

/// The first characters of a text, and `…` if there are more.
fn cut(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

/// A number with all its digits, or with an exponent where those are many: 1e300 has 301.
fn shown(number: f64) -> String {
    let text = number.to_string();
    if text.len() <= TEXT_CHARS_MAX { text } else { format!("{number:e}") }
}

impl Samples {
    /// Notes why an entry whose labels are being read was refused, if notes are taken.
    #[cold]
    pub(crate) fn note_entry(
        &mut self,
        body: &[u8],
        name: Option<Text>,
        family: Option<&FamilyState>,
        values_at: usize,
        why: Refusal,
        n: u64,
    ) {
        if self.notes.is_none() {
            return;
        }
        let name = name.map(|name| cut(self.bytes(body, name)));
        let mut note = Note { why, n, family: name, label: None, value_bytes: None, value: None };
        let Some(family) = family else { return self.push_note(note) };
        let sent = |i: &u8| family.labels()[usize::from(*i)].name.as_bytes();
        match why {
            Refusal::UnknownLabel => {
                let declared = |name: &[u8]| family.sent().iter().any(|i| sent(i) == name);
                let mut labels = self.labels.iter();
                if let Some((name, value)) =
                    labels.find(|(name, _)| !declared(self.bytes(body, *name)))
                {
                    note.label = Some(cut(self.bytes(body, *name)));
                    note.of_value(self.bytes(body, *value));
                }
            }
            Refusal::MissingLabel => {
                let came = |label: &[u8]| {
                    self.labels.iter().any(|(name, _)| self.bytes(body, *name) == label)
                };
                let missing = family.sent().iter().map(sent).find(|label| !came(label));
                note.label = missing.map(cut);
            }
            Refusal::LabelValue | Refusal::LabelTooLong => {
                return self.note_values(family, body, values_at, why, n);
            }
            _ => {}
        }
        self.push_note(note);
    }

    /// Notes which of the values that start at `values_at` the family's policies refuse.
    #[cold]
    pub(crate) fn note_values(
        &mut self,
        family: &FamilyState,
        body: &[u8],
        values_at: usize,
        why: Refusal,
        n: u64,
    ) {
        if self.notes.is_none() {
            return;
        }
        let mut note = Note::of_family(family, why, n);
        let key = self.key(family, body, values_at, 0);
        if let Some(i) = family.refused_label(&key) {
            note.label = Some(cut(family.labels()[i].name.as_bytes()));
            note.of_value(key.value(i));
        }
        self.push_note(note);
    }

    /// Notes a number that the family's bounds refuse.
    #[cold]
    pub(crate) fn note_number(&mut self, family: &FamilyState, number: f64, why: Refusal) {
        if self.notes.is_some() {
            let mut note = Note::of_family(family, why, 1);
            // What was no number, or no count, was not kept.
            let is_kept = !matches!(why, Refusal::NotANumber | Refusal::BadCount);
            note.value = is_kept.then(|| shown(number));
            self.push_note(note);
        }
    }

    /// Notes those of the decoded entries that the policies refuse, which is found out when they are
    /// applied.
    fn note_entries(&mut self, catalog: &Catalog, body: &[u8]) {
        for i in 0..self.entries.len() {
            let entry = self.entries[i];
            let (family, at) = (catalog.family(entry.family), entry.values_at as usize);
            if let Err(why) = self.check_values(family, body, at) {
                let n = Number::n_samples(self.numbers_of(&entry));
                self.note_values(family, body, at, why, n);
            }
        }
    }

    fn push_note(&mut self, note: Note) {
        if let Some(notes) = &mut self.notes
            && notes.len() < NOTES_MAX
        {
            notes.push(note);
        }
    }
}

impl Note {
    fn of_family(family: &FamilyState, why: Refusal, n: u64) -> Self {
        let family = Some(cut(family.declared().name().as_bytes()));
        Self { why, n, family, label: None, value_bytes: None, value: None }
    }

    fn of_value(&mut self, value: &[u8]) {
        self.value_bytes = Some(value.len());
        self.value = Some(cut(value));
    }
}
