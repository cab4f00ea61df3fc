//! What the label policies of a family say to the values of a sample, before any limit is asked.

use hashbrown::HashSet;

use super::family::{FamilyState, Seed};
use super::key::Key;
use crate::push::Refusal;
use crate::schema::{Label, OTHER, Otherwise, Pattern, Policy, is_template};

/// The policies of a family's labels, ready to be asked.
///
/// They are asked for series that are not there. One that is there passed them once, and a value that a
/// rule would change is never stored; so the values of known series need no look.
#[derive(Debug)]
pub(super) struct Policies {
    /// The listed values of each closed label; `None` for an open one.
    listed: Vec<Option<HashSet<Box<[u8]>, Seed>>>,
    /// The pattern of each open label that has one.
    patterns: Vec<Option<Pattern>>,
    /// A bit for each open label.
    pub(super) open: u32,
    /// A bit for each label whose values are paths to be made templates.
    pub(super) templated: u32,
}

impl Policies {
    pub(super) fn new(labels: &[Label], seed: &Seed) -> Self {
        let listed = |label: &Label| {
            label.is_closed().then(|| {
                let mut set = HashSet::with_hasher(seed.clone());
                set.extend(label.reserved_values().map(|v| v.as_bytes().into()));
                set
            })
        };
        let pattern = |label: &Label| {
            // The schema was checked, so it compiles.
            label.as_open()?.pattern.as_deref().and_then(|pattern| Pattern::new(pattern).ok())
        };
        let bits = |is: &dyn Fn(&Label) -> bool| {
            (0..labels.len()).filter(|i| is(&labels[*i])).fold(0, |bits, i| bits | 1 << i)
        };
        Self {
            listed: labels.iter().map(listed).collect(),
            patterns: labels.iter().map(pattern).collect(),
            open: bits(&|label| !label.is_closed()),
            templated: bits(&|label| label.as_open().is_some_and(|open| open.template)),
        }
    }
}

impl FamilyState {
    /// Whether the policies let these label values in, as themselves or as `other`. Paths are templates
    /// already.
    pub(crate) fn check_values(&self, key: &Key<'_>) -> Result<(), Refusal> {
        self.fold_unlisted(key).map(drop)
    }

    /// The labels whose value the policies replace by `other`: a bit each.
    pub(super) fn fold_unlisted(&self, key: &Key<'_>) -> Result<u32, Refusal> {
        let mut folded = 0;
        let mut refused = None;
        for i in 0..self.labels().len() {
            match self.verdict(i, key.value(i)) {
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
    #[inline]
    pub(super) fn verdict(&self, i: usize, value: &[u8]) -> Result<Option<Otherwise>, Refusal> {
        let label = &self.labels()[i];
        Ok(match (&label.policy, &self.policies.listed[i]) {
            (Policy::Closed { otherwise, .. }, Some(listed)) => {
                (!listed.contains(value)).then_some(*otherwise)
            }
            (Policy::Open(open), _) if value.len() > open.max_bytes => {
                // What the server sets is not the client's fault.
                if label.value_from.is_none() {
                    return Err(Refusal::LabelTooLong);
                }
                Some(Otherwise::Other)
            }
            (Policy::Open(_), _) if value == OTHER.as_bytes() => Some(Otherwise::Other),
            (Policy::Open(open), _) => {
                let pattern = self.policies.patterns[i].as_ref();
                let is_good = pattern.is_none_or(|pattern| pattern.matches(value));
                (!is_good).then_some(open.otherwise)
            }
            (Policy::Closed { .. }, None) => None,
        })
    }

    /// The first label whose value a template would change.
    pub(super) fn not_a_template(&self, key: &Key<'_>) -> Option<usize> {
        let templated = |i: &usize| self.templated() & (1 << i) != 0;
        (0..self.labels().len()).filter(templated).find(|i| !is_template(key.value(*i)))
    }
}
