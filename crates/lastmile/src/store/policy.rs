//! What the label policies of a family say to the values of a sample, before any limit is asked.

use hashbrown::HashTable;

use super::family::{FamilyState, Seed, value_hash};
use super::key::{Key, ValueHashes, same};
use crate::push::Refusal;
use crate::schema::{Label, OTHER, Otherwise, Pattern, Policy, is_template};

/// The policies of a family's labels, ready to be asked.
///
/// They are asked for series that are not there. One that is there passed them once, and a value that a
/// rule would change is never stored; so the values of known series need no look.
#[derive(Debug)]
pub(super) struct Policies {
    rules: Vec<Rule>,
    /// By label, the length that values are shorter than which their length alone lets in; 0 where the rule asks for more.
    short: Vec<usize>,
    /// A bit for each open label.
    pub(super) open: u32,
    /// A bit for each label whose values are paths to be made templates.
    pub(super) templated: u32,
}

/// What one label's values must be, and what becomes of others.
#[derive(Debug)]
enum Rule {
    Listed(HashTable<Box<[u8]>>, Otherwise),
    /// No longer than so many bytes, and like a pattern if there is one.
    Open(usize, Option<Box<Pattern>>, Otherwise),
}

impl Rule {
    fn new(label: &Label, seed: &Seed) -> Self {
        match &label.policy {
            Policy::Closed { otherwise, .. } => {
                let mut listed: HashTable<Box<[u8]>> = HashTable::new();
                for value in label.reserved_values().map(str::as_bytes) {
                    let hash = |value: &[u8]| value_hash(seed, value);
                    listed.insert_unique(hash(value), value.into(), |value| hash(value));
                }
                Self::Listed(listed, *otherwise)
            }
            Policy::Open(open) => {
                // The schema was checked, so it compiles.
                let pattern =
                    open.pattern.as_deref().and_then(|text| Pattern::new(text).ok().map(Box::new));
                Self::Open(open.max_bytes, pattern, open.otherwise)
            }
        }
    }
}

impl Policies {
    pub(super) fn new(labels: &[Label], seed: &Seed) -> Self {
        let bits = |is: &dyn Fn(&Label) -> bool| {
            (0..labels.len()).filter(|i| is(&labels[*i])).fold(0, |bits, i| bits | 1 << i)
        };
        let short = |label: &Label| {
            let open = label.as_open().filter(|open| open.pattern.is_none() && !open.template);
            open.map_or(0, |open| open.max_bytes.saturating_add(1))
        };
        Self {
            rules: labels.iter().map(|label| Rule::new(label, seed)).collect(),
            short: labels.iter().map(short).collect(),
            open: bits(&|label| !label.is_closed()),
            templated: bits(&|label| label.as_open().is_some_and(|open| open.template)),
        }
    }
}

impl FamilyState {
    /// Whether the policies let these label values in, as themselves or as `other`. Paths are templates
    /// already.
    pub(crate) fn check_values(&self, key: &Key<'_>) -> Result<(), Refusal> {
        self.fold_unlisted(key, &key.value_hashes()).map(drop)
    }

    /// The first label for whose value the policies refuse a sample.
    pub(crate) fn refused_label(&self, key: &Key<'_>) -> Option<usize> {
        let hashes = key.value_hashes();
        let refuses = |i: &usize| {
            let verdict = self.verdict(*i, key.value(*i), hashes.of(*i));
            !matches!(verdict, Ok(None | Some(Otherwise::Other)))
        };
        (0..self.labels().len()).find(refuses)
    }

    /// The labels whose value the policies replace by `other`: a bit each.
    pub(super) fn fold_unlisted(
        &self,
        key: &Key<'_>,
        hashes: &ValueHashes,
    ) -> Result<u32, Refusal> {
        let mut folded = 0;
        let mut refused = None;
        for i in 0..self.labels().len() {
            match self.verdict(i, key.value(i), hashes.of(i)) {
                Ok(None) => {}
                Ok(Some(Otherwise::Other)) => folded |= 1 << i,
                // A value that is too long is told first, wherever it stands.
                Ok(Some(Otherwise::Refuse)) => refused = refused.or(Some(Refusal::LabelValue)),
                Err(why) => return Err(why),
            }
        }
        refused.map_or(Ok(folded), Err)
    }

    /// What becomes of a value of label `i` that does not stay as it is.
    fn verdict(&self, i: usize, value: &[u8], hash: u64) -> Result<Option<Otherwise>, Refusal> {
        let (is_good, otherwise) = match &self.policies.rules[i] {
            Rule::Listed(listed, otherwise) => {
                (listed.find(hash, |listed| same(listed, value)).is_some(), *otherwise)
            }
            Rule::Open(max_bytes, ..) if value.len() > *max_bytes => {
                // What the server sets is not the client's fault.
                if self.labels()[i].value_from.is_none() {
                    return Err(Refusal::LabelTooLong);
                }
                (false, Otherwise::Other)
            }
            Rule::Open(..) if same(value, OTHER.as_bytes()) => (false, Otherwise::Other),
            Rule::Open(_, pattern, otherwise) => {
                (pattern.as_ref().is_none_or(|pattern| pattern.matches(value)), *otherwise)
            }
        };
        Ok((!is_good).then_some(otherwise))
    }

    /// Whether the policy of open label `i` surely lets a value in that is not `other`.
    #[inline]
    pub(super) fn lets_in(&self, i: usize, value: &[u8]) -> bool {
        value.len() < self.policies.short[i] || self.lets_in_by_form(i, value)
    }

    #[inline(never)]
    fn lets_in_by_form(&self, i: usize, value: &[u8]) -> bool {
        let Rule::Open(max_bytes, pattern, _) = &self.policies.rules[i] else { return false };
        value.len() <= *max_bytes
            && pattern.as_ref().is_none_or(|pattern| pattern.matches(value))
            && (self.templated() & (1 << i) == 0 || is_template(value))
    }

    /// The first label whose value a template would change.
    pub(super) fn not_a_template(&self, key: &Key<'_>) -> Option<usize> {
        let templated = |i: &usize| self.templated() & (1 << i) != 0;
        (0..self.labels().len()).filter(templated).find(|i| !is_template(key.value(*i)))
    }
}
