//! The families that are declared now, and how a reload replaces them while pushes are under way.

use std::ops::Deref;
use std::sync::Arc;

use hashbrown::HashMap;

use super::family::{FamilyState, Seed};
use crate::schema::{Mappings, ValueFrom};
use crate::sync::{CachePadded, Mutex, lane, unique, yield_now};

/// The declared families, by position and by name. Never changed: a reload makes another.
#[derive(Debug)]
pub(crate) struct Catalog {
    /// No other catalog of this process has it.
    number: u64,
    families: Vec<Arc<FamilyState>>,
    by_name: HashMap<Box<[u8]>, u32, Seed>,
    /// Those that say what OpenTelemetry calls them, by that.
    #[cfg(feature = "otlp")]
    by_otel: HashMap<Box<[u8]>, u32, Seed>,
    /// What the server sets on labels, each once.
    served: Vec<ValueFrom>,
    /// By family, each label that the server sets and where in `served` its value comes from.
    served_of: Vec<Vec<(u8, u32)>>,
    /// What other clients' beacons are to the families.
    #[cfg_attr(not(feature = "mapping"), expect(dead_code, reason = "nothing is mapped"))]
    mappings: Arc<Mappings>,
}

/// A family that a sample names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// Its position in the catalog.
    pub(crate) position: u32,
    pub(crate) family: &'a FamilyState,
    /// Each label that the server sets, and which of the values that it sets.
    pub(crate) served: &'a [(u8, u32)],
}

impl Catalog {
    /// Of these families, in the order of exposition.
    pub(super) fn new(
        families: Vec<Arc<FamilyState>>,
        mappings: Arc<Mappings>,
        seed: Seed,
    ) -> Self {
        #[cfg(feature = "otlp")]
        let mut by_otel = HashMap::with_hasher(seed.clone());
        let mut by_name = HashMap::with_hasher(seed);
        let mut served: Vec<ValueFrom> = Vec::new();
        let mut served_of = Vec::with_capacity(families.len());
        for (position, family) in families.iter().enumerate() {
            let declared = family.declared();
            if !declared.host_only {
                by_name.insert(declared.name().as_bytes().into(), position as u32);
                #[cfg(feature = "otlp")]
                if let Some(otel) = &declared.otel {
                    by_otel.insert(otel.as_bytes().into(), position as u32);
                }
            }
            let mut of_family = Vec::new();
            for (i, label) in declared.labels().iter().enumerate() {
                let Some(from) = &label.value_from else { continue };
                let at = served.iter().position(|known| known == from).unwrap_or_else(|| {
                    served.push(from.clone());
                    served.len() - 1
                });
                of_family.push((i as u8, at as u32));
            }
            served_of.push(of_family);
        }
        Self {
            number: unique(),
            families,
            by_name,
            #[cfg(feature = "otlp")]
            by_otel,
            served,
            served_of,
            mappings,
        }
    }

    /// What tells it from every other catalog of this process.
    #[inline]
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The family at a position.
    #[inline]
    pub(crate) fn family(&self, position: u32) -> &Arc<FamilyState> {
        &self.families[position as usize]
    }

    /// The family of a name that clients may use.
    #[inline]
    pub(crate) fn target(&self, name: &[u8]) -> Option<Target<'_>> {
        Some(self.at(*self.by_name.get(name)?))
    }

    /// The family that says that OpenTelemetry calls it so.
    #[cfg(feature = "otlp")]
    pub(crate) fn otel_target(&self, name: &[u8]) -> Option<Target<'_>> {
        Some(self.at(*self.by_otel.get(name)?))
    }

    /// The family at a position, to be written to.
    #[inline]
    pub(crate) fn at(&self, position: u32) -> Target<'_> {
        let (family, served) = (self.family(position), &self.served_of[position as usize]);
        Target { position, family, served }
    }

    /// The family of a name, whoever may use it. Looks at one after the other.
    pub(crate) fn find(&self, name: &str) -> Option<&Arc<FamilyState>> {
        self.families.iter().find(|family| family.declared().name() == name)
    }

    /// All families in the order of exposition.
    pub(crate) fn families(&self) -> &[Arc<FamilyState>] {
        &self.families
    }

    #[cfg(feature = "mapping")]
    pub(crate) fn mappings(&self) -> &Mappings {
        &self.mappings
    }

    /// What the server sets on labels.
    #[inline]
    pub(crate) fn served(&self) -> &[ValueFrom] {
        &self.served
    }
}

/// Copies of the pointer to the catalog, so that pushes on different cores count their use of it on
/// different cache lines.
const LANES: usize = if cfg!(all(test, shuttle)) { 2 } else { 16 };

/// The catalog in force.
///
/// A push leases the catalog for as long as it runs and works with that one from its first byte to its
/// last row. A reload puts another catalog in place, which pushes that begin from then on lease, and
/// waits for those that hold a lease on the one before; nobody waits for the reload. Only then are the
/// rows of removed families taken away, so no push ever finds its family half gone, and no sample has to
/// be resolved twice.
#[derive(Debug)]
pub(super) struct InForce {
    lanes: [CachePadded<Mutex<Arc<Holder>>>; LANES],
}

/// One lane's pointer; its reference count is how many leases there are.
#[derive(Debug)]
struct Holder(Arc<Catalog>);

/// The catalog, held in force for one push.
#[derive(Debug)]
pub(crate) struct Lease(Arc<Holder>);

impl Deref for Lease {
    type Target = Arc<Catalog>;

    #[inline]
    fn deref(&self) -> &Arc<Catalog> {
        &self.0.0
    }
}

impl InForce {
    pub(super) fn new(catalog: &Arc<Catalog>) -> Self {
        let holder = |_| CachePadded(Mutex::new(Arc::new(Holder(Arc::clone(catalog)))));
        Self { lanes: std::array::from_fn(holder) }
    }

    /// The catalog for one push, which a reload waits for.
    #[inline]
    pub(super) fn lease(&self) -> Lease {
        Lease(Arc::clone(&self.lanes[lane() % LANES].0.lock()))
    }

    /// Puts another catalog in place, and returns when nobody works with the one before any more.
    pub(super) fn replace(&self, catalog: &Arc<Catalog>) {
        let mut before = Vec::with_capacity(LANES);
        for lane in &self.lanes {
            let holder = Arc::new(Holder(Arc::clone(catalog)));
            before.push(std::mem::replace(&mut *lane.0.lock(), holder));
        }
        // A lease is taken from its lane under the lock, so none is added to a holder that has left it.
        // Being alone with it acquires what each lease released: all that its push did is seen.
        for mut holder in before {
            while Arc::get_mut(&mut holder).is_none() {
                yield_now();
            }
        }
    }
}
