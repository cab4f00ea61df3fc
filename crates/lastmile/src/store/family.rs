//! A declared family as the store runs it: its policies ready to be asked, its text ready to be copied.

use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, OnceLock};

use hashbrown::{HashMap, HashSet};

use super::key::Key;
use super::pin::Pin;
use crate::exposition::TextParts;
use crate::push::Refusal;
use crate::schema::{Combine, Family, Kind, Label, OTHER, Otherwise, Policy};
use crate::sync::{AtomicU32, Mutex, Ordering};
use crate::time::{TICKS_PER_SEC, Ticks, duration_ticks};
use crate::value::summary::Scale;

pub(super) type Seed = foldhash::fast::RandomState;

/// One family of an aggregator. Its slot is its id: never reused, not even when a reload removes it.
#[derive(Debug)]
pub(crate) struct FamilyState {
    slot: u32,
    declared: Family,
    seed: Seed,
    /// What stands before each value in a label body: `app="`, then `",page="`.
    literals: Vec<Box<[u8]>>,
    /// Positions of the labels in the order of their names, as clients sort them.
    sorted: Vec<u8>,
    /// What stands before each value in an `lm1` key, in that order.
    key_literals: Vec<KeyLiteral>,
    /// The listed values of each closed label; `None` for an open one.
    listed: Vec<Option<HashSet<Box<[u8]>, Seed>>>,
    /// A bit for each open label.
    open: u32,
    min: f64,
    max: f64,
    ttl: Ticks,
    scale: Scale,
    text: TextParts,
    /// When its series were last looked through for idle ones.
    swept: AtomicU32,
    /// For each label, the counter of samples that went to `other` for want of a place.
    overflow: Vec<OnceLock<Arc<Pin>>>,
    /// Held while a series is created, before any shard's lock and never behind one.
    pub(super) admission: Mutex<Admission>,
}

/// `;app=`: what stands before a value in an `lm1` key, and which label it is.
#[derive(Debug)]
pub(crate) struct KeyLiteral {
    text: Box<[u8]>,
    /// Its first 16 bytes as a number, and a mask of those there are.
    head: u128,
    mask: u128,
    label: u8,
}

impl KeyLiteral {
    fn new(name: &str, label: u8) -> Self {
        let text = format!(";{name}=").into_bytes().into_boxed_slice();
        let (mut head, mut mask) = ([0; 16], [0; 16]);
        for (i, byte) in text.iter().take(16).enumerate() {
            (head[i], mask[i]) = (*byte, 0xff);
        }
        Self { text, head: u128::from_le_bytes(head), mask: u128::from_le_bytes(mask), label }
    }

    /// Its position in the schema's order.
    #[inline]
    pub(crate) fn label(&self) -> usize {
        usize::from(self.label)
    }

    /// Where the value starts if this stands at `at`. A name is mostly shorter than 16 bytes, which are
    /// compared at once.
    #[inline]
    pub(crate) fn skip(&self, body: &[u8], at: usize) -> Option<usize> {
        let rest = body.get(at..)?;
        let is_here = match rest.first_chunk::<16>() {
            Some(chunk) => {
                u128::from_le_bytes(*chunk) & self.mask == self.head
                    && (self.text.len() <= 16 || rest.starts_with(&self.text))
            }
            None => rest.starts_with(&self.text),
        };
        is_here.then_some(at + self.text.len())
    }
}

/// What limits the series of a family.
#[derive(Debug, Default)]
pub(super) struct Admission {
    pub(super) n_series: u32,
    /// The values of each open label that have a place, and how many series carry each.
    pub(super) values: Vec<HashMap<Box<[u8]>, u32, Seed>>,
}

impl FamilyState {
    pub(super) fn new(slot: u32, declared: Family, seed: Seed) -> Self {
        let labels = declared.labels();
        let literals = labels
            .iter()
            .enumerate()
            .map(|(i, label)| {
                let before = if i == 0 { "" } else { "\"," };
                format!("{before}{}=\"", label.name()).into_bytes().into_boxed_slice()
            })
            .collect();
        let mut sorted: Vec<u8> = (0..labels.len() as u8).collect();
        sorted.sort_by_key(|i| labels[usize::from(*i)].name());
        let key_literals =
            sorted.iter().map(|i| KeyLiteral::new(labels[usize::from(*i)].name(), *i)).collect();
        let listed = labels
            .iter()
            .map(|label| {
                label.is_closed().then(|| {
                    let mut set = HashSet::with_hasher(seed.clone());
                    set.extend(label.reserved_values().map(|v| v.as_bytes().into()));
                    set
                })
            })
            .collect();
        let open = (0..labels.len()).filter(|i| !labels[*i].is_closed()).fold(0, |m, i| m | 1 << i);
        let admission = Admission {
            n_series: 0,
            values: labels.iter().map(|_| HashMap::with_hasher(seed.clone())).collect(),
        };
        Self {
            slot,
            literals,
            sorted,
            key_literals,
            listed,
            open,
            min: declared.value_min(),
            max: declared.value_max(),
            ttl: duration_ticks(declared.ttl_or_default()),
            scale: declared.scale(),
            text: TextParts::new(&declared),
            swept: AtomicU32::new(0),
            overflow: labels.iter().map(|_| OnceLock::new()).collect(),
            admission: Mutex::new(admission),
            seed,
            declared,
        }
    }

    #[inline]
    pub(crate) fn slot(&self) -> u32 {
        self.slot
    }

    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        self.declared.kind
    }

    pub(crate) fn declared(&self) -> &Family {
        &self.declared
    }

    #[inline]
    pub(crate) fn labels(&self) -> &[Label] {
        &self.declared.labels
    }

    #[inline]
    pub(crate) fn literals(&self) -> &[Box<[u8]>] {
        &self.literals
    }

    #[inline]
    pub(crate) fn key_literals(&self) -> &[KeyLiteral] {
        &self.key_literals
    }

    #[inline]
    pub(crate) fn sorted(&self) -> &[u8] {
        &self.sorted
    }

    #[inline]
    pub(crate) fn bounds(&self) -> &[f64] {
        &self.declared.bounds
    }

    pub(crate) fn combine(&self) -> Combine {
        self.declared.gauge_combine()
    }

    /// Whether the series should be looked through for idle ones: eight times in their time to live, so
    /// that none stays much longer, and once a second at most.
    pub(super) fn sweep_is_due(&self, now: Ticks) -> bool {
        let swept = self.swept.load(Ordering::Relaxed);
        let due = now.saturating_sub(swept) >= (self.ttl / 8).max(TICKS_PER_SEC);
        due && self.swept.compare_exchange(swept, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// How long a series stays without a push, a gauge's value even in a family that is closed.
    pub(crate) fn ttl(&self) -> Ticks {
        self.ttl
    }

    /// How a summary counts its values.
    #[inline]
    pub(crate) fn scale(&self) -> Scale {
        self.scale
    }

    #[inline]
    pub(crate) fn text(&self) -> &TextParts {
        &self.text
    }

    /// A bit for each open label.
    pub(super) fn open(&self) -> u32 {
        self.open
    }

    /// The keyed hash of a series: its slot and its length-framed values.
    #[inline]
    pub(crate) fn hash(&self, key: &Key<'_>) -> u64 {
        let mut hasher = self.seed.build_hasher();
        hasher.write_u32(self.slot);
        for i in 0..key.values.len() {
            let value = key.value(i);
            hasher.write(value);
            hasher.write_u32(value.len() as u32);
        }
        hasher.finish()
    }

    /// Whether a sample may carry this value, which is a number (of a counter: this increment, weighted).
    #[inline]
    pub(crate) fn check_value(&self, v: f64) -> Result<(), Refusal> {
        if (self.min..=self.max).contains(&v) {
            return Ok(());
        }
        Err(if v > self.max {
            Refusal::TooLarge
        } else if v < 0.0 {
            Refusal::Negative
        } else {
            Refusal::TooSmall
        })
    }

    /// Whether the policies let these label values in, as themselves or as `other`.
    pub(crate) fn check_values(&self, key: &Key<'_>) -> Result<(), Refusal> {
        self.fold_unlisted(key).map(drop)
    }

    /// The labels whose value the policies replace by `other`, before any limit is asked: a bit each.
    pub(super) fn fold_unlisted(&self, key: &Key<'_>) -> Result<u32, Refusal> {
        for (i, label) in self.labels().iter().enumerate() {
            if let Policy::Open { max_bytes, .. } = label.policy
                && key.value(i).len() > max_bytes
            {
                return Err(Refusal::LabelTooLong);
            }
        }
        let mut folded = 0;
        for (i, label) in self.labels().iter().enumerate() {
            let value = key.value(i);
            match (&label.policy, &self.listed[i]) {
                (Policy::Closed { otherwise, .. }, Some(listed)) => {
                    if !listed.contains(value) {
                        match otherwise {
                            Otherwise::Other => folded |= 1 << i,
                            Otherwise::Refuse => return Err(Refusal::LabelValue),
                        }
                    }
                }
                _ => {
                    if value == OTHER.as_bytes() {
                        folded |= 1 << i;
                    }
                }
            }
        }
        Ok(folded)
    }

    /// Which counter counts samples whose value of label `i` found no place.
    pub(crate) fn set_overflow(&self, i: usize, pin: Arc<Pin>) {
        let _ = self.overflow[i].set(pin);
    }

    /// Counts `n` samples for each of these labels, whose value found no place.
    pub(super) fn count_overflow(&self, labels: u32, n: u64) {
        for (i, pin) in self.overflow.iter().enumerate() {
            if labels & (1 << i) != 0
                && let Some(pin) = pin.get()
            {
                pin.add(n);
            }
        }
    }
}
