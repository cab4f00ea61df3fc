//! A declared family as the store runs it: its policies ready to be asked, its text ready to be copied.

use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, OnceLock};

use super::admission::Admission;
use super::full::{Full, Seen};
use super::key::Key;
use super::pin::Pin;
use super::policy::Policies;
use crate::exposition::{Escaping, FamilyText, Style, TextParts, body_literals};
use crate::push::Refusal;
use crate::schema::{Combine, Family, Kind, Label, Native, OTHER, exposed_names, is_reserved};
use crate::sync::{AtomicBool, AtomicU32, FastRandomState, Mutex, Ordering};
use crate::time::{TICKS_PER_SEC, Ticks, duration_ticks};
use crate::value::native;
use crate::value::summary::Scale;

pub(super) type Seed = FastRandomState;

/// One family as it is declared now, and its incarnation.
#[derive(Debug)]
pub(crate) struct FamilyState {
    declared: Family,
    seed: Seed,
    /// What stands before each value in a label body: `app="`, then `",page="`.
    literals: Vec<Box<[u8]>>,
    /// Their lengths.
    literal_lens: Vec<u16>,
    /// Positions of the labels that clients send, in the order of the schema.
    sent: Vec<u8>,
    /// The same in the order of their names, as clients sort them.
    sorted: Vec<u8>,
    /// What stands before each of their values in an `lm1` key, in that order.
    key_literals: Vec<KeyLiteral>,
    pub(super) policies: Policies,
    min: f64,
    max: f64,
    ttl: Ticks,
    scale: Scale,
    text: FamilyText,
    /// All names that any format shows it under, its own first.
    exposed_names: Box<[String]>,
    /// Whether it is one of the aggregator's own, which no client can grow: the limits are not for it.
    own: bool,
    incarnation: Arc<Incarnation>,
    /// The incarnation's, both.
    slot: u32,
    full: Arc<Full>,
    /// The hash that those of its series begin with.
    hash_of_none: u64,
    hash_of_other: u64,
}

/// What lives as long as the rows of a family do. A reload that changes how a family looks or what it
/// accepts keeps it; one that changes what a series of it is begins another.
#[derive(Debug)]
pub(crate) struct Incarnation {
    /// Its id, which its rows carry and no other incarnation ever gets.
    slot: u32,
    /// Its rows are gone or go with their last handle: no schema in force declares it.
    retired: AtomicBool,
    /// When its series were last looked through for idle ones.
    swept: AtomicU32,
    /// The aggregator's own metrics about it.
    meters: OnceLock<Meters>,
    /// Held while a series is created, before any shard's lock and never behind one.
    pub(super) admission: Mutex<Admission>,
    /// What of it may be known without.
    full: Arc<Full>,
}

/// The aggregator's own metrics about one family.
#[derive(Debug)]
pub(crate) struct Meters {
    pub(crate) series: Arc<Pin>,
    pub(crate) bytes: Arc<Pin>,
    /// By label; of closed ones nothing.
    pub(crate) labels: Vec<Option<LabelMeters>>,
}

/// The aggregator's own metrics about one open label.
#[derive(Debug)]
pub(crate) struct LabelMeters {
    /// Samples that went to `other` for want of a place.
    pub(crate) overflow: Arc<Pin>,
    /// Values that have a place, and how many may.
    pub(crate) values: Arc<Pin>,
    pub(crate) limit: Arc<Pin>,
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
        let text = format!(";{}=", escape_key(name)).into_bytes().into_boxed_slice();
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

/// A name as clients write it in an `lm1` key: what ends a name there is escaped.
fn escape_key(name: &str) -> String {
    name.replace('%', "%25").replace(';', "%3b").replace('=', "%3d")
}

/// The keyed hash of a label value, its length included.
#[inline]
pub(super) fn value_hash(seed: &Seed, value: &[u8]) -> u64 {
    let mut hasher = seed.build_hasher();
    hasher.write(value);
    hasher.finish()
}

/// A hash of what `hash` is of and one more value behind it: the halves of their product folded together, as
/// foldhash does between its words. Both are secret, so no client can choose values whose hashes meet.
#[inline]
fn join(hash: u64, value: u64) -> u64 {
    // The fraction of the golden ratio, which is odd and has no pattern.
    let product = u128::from(hash ^ value) * u128::from(0x9E37_79B9_7F4A_7C15_u64);
    (product as u64 ^ (product >> 64) as u64).rotate_left(17)
}

impl Incarnation {
    /// A family's rows begin, with places for what its labels pin.
    fn new(slot: u32, declared: &Family, seed: &Seed) -> Self {
        let full = Arc::new(Full::new(declared.labels().len()));
        Self {
            slot,
            retired: AtomicBool::new(false),
            swept: AtomicU32::new(0),
            meters: OnceLock::new(),
            admission: Mutex::new(Admission::new(declared, seed, &full)),
            full,
        }
    }

    /// Whether no schema in force declares it. Read and written under the lock of the shard that asks.
    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    /// Says that the series were looked through at `now`, unless another thread was first.
    fn mark_swept(&self, before: Ticks, now: Ticks) -> bool {
        self.swept.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The aggregator's own metrics about the family, once they are bound.
    pub(crate) fn meters(&self) -> Option<&Meters> {
        self.meters.get()
    }

    pub(crate) fn set_meters(&self, meters: Meters) {
        let _ = self.meters.set(meters);
    }
}

impl FamilyState {
    /// A family that begins.
    pub(super) fn new(slot: u32, declared: Family, seed: Seed) -> Self {
        let incarnation = Arc::new(Incarnation::new(slot, &declared, &seed));
        Self::of(incarnation, declared, seed)
    }

    /// The same series, declared otherwise.
    pub(super) fn redeclared(&self, declared: Family) -> Self {
        Self::of(Arc::clone(&self.incarnation), declared, self.seed.clone())
    }

    fn of(incarnation: Arc<Incarnation>, declared: Family, seed: Seed) -> Self {
        let labels = declared.labels();
        let literals = body_literals(&declared, Escaping::Underscores);
        let is_sent = |i: &u8| labels[usize::from(*i)].value_from.is_none();
        let sent: Vec<u8> = (0..labels.len() as u8).filter(is_sent).collect();
        let mut sorted = sent.clone();
        sorted.sort_by_key(|i| labels[usize::from(*i)].name());
        let key_literals =
            sorted.iter().map(|i| KeyLiteral::new(labels[usize::from(*i)].name(), *i)).collect();
        Self {
            literal_lens: literals.iter().map(|literal| literal.len() as u16).collect(),
            literals,
            sent,
            sorted,
            key_literals,
            policies: Policies::new(labels, &seed),
            min: declared.value_min(),
            max: declared.value_max(),
            // Time is known to a tenth of a second.
            ttl: duration_ticks(declared.ttl_or_default()).max(1),
            scale: declared.scale(),
            text: FamilyText::new(&declared),
            exposed_names: exposed_names(&declared).into(),
            own: is_reserved(&declared.name),
            hash_of_none: value_hash(&seed, &incarnation.slot.to_le_bytes()),
            hash_of_other: value_hash(&seed, OTHER.as_bytes()),
            slot: incarnation.slot,
            full: Arc::clone(&incarnation.full),
            incarnation,
            seed,
            declared,
        }
    }

    #[inline]
    pub(crate) fn incarnation(&self) -> &Arc<Incarnation> {
        &self.incarnation
    }

    /// Whether it is one of the aggregator's own, which are exempt from the limits.
    pub(crate) fn is_own(&self) -> bool {
        self.own
    }

    /// Its name, and whatever else it and its samples are called in any format.
    pub(crate) fn exposed_names(&self) -> impl Iterator<Item = &str> {
        self.exposed_names.iter().map(String::as_str)
    }

    /// The id of its incarnation.
    #[inline]
    pub(crate) fn slot(&self) -> u32 {
        self.slot
    }

    /// Sets the metrics about what its series take of the limits.
    pub(crate) fn meter(&self) {
        let Some(meters) = self.incarnation.meters() else { return };
        let set = |pin: &Pin, value: f64| pin.store(value.to_bits());
        let admission = self.incarnation.admission.lock();
        set(&meters.series, f64::from(admission.n_series));
        set(&meters.bytes, admission.bytes as f64);
        for (i, label) in self.labels().iter().enumerate() {
            if let (Some(meters), Some(open)) = (&meters.labels[i], label.as_open()) {
                set(&meters.values, admission.n_values(i) as f64);
                set(&meters.limit, f64::from(open.max_values));
            }
        }
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
    pub(crate) fn literal_lens(&self) -> &[u16] {
        &self.literal_lens
    }

    #[inline]
    pub(crate) fn key_literals(&self) -> &[KeyLiteral] {
        &self.key_literals
    }

    /// Positions of the labels that clients send, in the order of the schema.
    #[inline]
    pub(crate) fn sent(&self) -> &[u8] {
        &self.sent
    }

    /// The same in the order of their names.
    #[inline]
    pub(crate) fn sorted(&self) -> &[u8] {
        &self.sorted
    }

    #[inline]
    pub(crate) fn bounds(&self) -> &[f64] {
        &self.declared.bounds
    }

    /// The native buckets of a histogram, if it has any.
    #[inline]
    pub(crate) fn native(&self) -> Option<Native> {
        self.declared.native
    }

    /// Words that a row of a histogram takes for its native buckets.
    pub(super) fn n_native_cells(&self) -> usize {
        self.declared.native.map_or(0, |native| native::n_cells(native.max_buckets as usize))
    }

    pub(crate) fn combine(&self) -> Combine {
        self.declared.gauge_combine()
    }

    /// Whether the series should be looked through for idle ones: eight times in their time to live, so
    /// that none stays much longer, and once a second at most.
    pub(super) fn sweep_is_due(&self, now: Ticks) -> bool {
        let swept = self.incarnation.swept.load(Ordering::Relaxed);
        let due = now.saturating_sub(swept) >= (self.ttl / 8).max(TICKS_PER_SEC);
        due && self.incarnation.mark_swept(swept, now)
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

    /// What its lines in text 0.0.4 are made of.
    #[inline]
    pub(crate) fn text(&self) -> &TextParts {
        self.text.plain()
    }

    /// The same in any style, made when it is first asked for.
    pub(crate) fn text_in(&self, style: Style) -> &TextParts {
        self.text.parts(&self.declared, style)
    }

    /// A bit for each open label.
    #[inline]
    pub(super) fn open(&self) -> u32 {
        self.policies.open
    }

    /// A bit for each label whose values are paths to be made templates.
    #[inline]
    pub(crate) fn templated(&self) -> u32 {
        self.policies.templated
    }

    /// The keyed hash of a series: of its incarnation and, in order, of its values. Each value is hashed by
    /// itself, which takes no longer, and what looks at single values then has its hash.
    #[inline]
    pub(crate) fn hash(&self, key: &Key<'_>) -> u64 {
        (0..key.values.len())
            .fold(self.hash_of_none, |hash, i| join(hash, self.value_hash(key.value(i))))
    }

    /// The labels that are full now.
    #[inline]
    pub(crate) fn full(&self) -> Seen {
        self.full.seen()
    }

    /// The hash of a series some of whose labels were full, with those values at `other` that had no place then
    /// and could get none, and a bit for each of them.
    ///
    /// That is so of what the policies let in alone. Gauges, which are taken one by one, are asked for later.
    #[inline]
    pub(crate) fn hash_where_full(&self, key: &Key<'_>, full: Seen) -> (u64, u32) {
        let labels = if self.kind() == Kind::Gauge { 0 } else { full.labels() };
        let mut folded = 0;
        let values = key.values.iter().enumerate();
        let hash = values.fold(self.hash_of_none, |hash, (i, value)| {
            let value = key.texts.get(*value);
            let mut of_value = self.value_hash(value);
            if labels & (1 << i) != 0
                && of_value != self.hash_of_other
                && self.full.has_no_place(full, i, of_value)
                && self.lets_in(i, value)
            {
                folded |= 1 << i;
                of_value = self.hash_of_other;
            }
            join(hash, of_value)
        });
        (hash, folded)
    }

    /// The same of values whose hashes are known, some of which are replaced by `other`.
    #[inline]
    pub(super) fn hash_folded(&self, folded: u32, values: &[u64]) -> u64 {
        values.iter().enumerate().fold(self.hash_of_none, |hash, (i, value)| {
            join(hash, if folded & (1 << i) == 0 { *value } else { self.hash_of_other })
        })
    }

    /// The keyed hash of a label value.
    #[inline]
    pub(super) fn value_hash(&self, value: &[u8]) -> u64 {
        value_hash(&self.seed, value)
    }

    /// Largest value that a sample may carry.
    pub(crate) fn max(&self) -> f64 {
        self.max
    }

    /// Smallest value that a sample may carry.
    pub(crate) fn min(&self) -> f64 {
        self.min
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
}
