//! Which families a scrape shows.

use crate::schema::NAME_BYTES_MAX;
use crate::store::FamilyState;

/// Whether a scrape shows the aggregator's own metrics (`lastmile_…`, `metrics_aggregator_record_total`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OwnMetrics {
    /// Beside those of the schema.
    #[default]
    Included,
    /// Nothing else.
    Only,
    /// None of them.
    Excluded,
}

/// What a scrape was asked to show. Two are equal if they were asked for the same names, in whatever order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Sorted, each once; empty for all families.
    names: Vec<Box<str>>,
    own: OwnMetrics,
}

impl Filter {
    /// Most names that are kept.
    pub(crate) const NAMES_MAX: usize = 64;

    pub(crate) fn set_own(&mut self, own: OwnMetrics) {
        self.own = own;
    }

    /// Adds a family to those that are shown.
    pub(crate) fn add(&mut self, name: &str) {
        // A longer name is no family's, and neither is the empty one, which costs nothing to keep.
        let name = if name.len() > NAME_BYTES_MAX { "" } else { name };
        if let Err(at) = self.names.binary_search_by(|known| (**known).cmp(name))
            && self.names.len() < Self::NAMES_MAX
        {
            self.names.insert(at, name.into());
        }
    }

    /// Whether the family is shown: any name that it is exposed under says so.
    pub(crate) fn shows(&self, family: &FamilyState) -> bool {
        let own = match self.own {
            OwnMetrics::Included => true,
            OwnMetrics::Only => family.is_own(),
            OwnMetrics::Excluded => !family.is_own(),
        };
        own && (self.names.is_empty() || family.exposed_names().any(|name| self.has(name)))
    }

    /// Whether any family that a host appended may be shown: none is the aggregator's own.
    #[cfg(feature = "prometheus-client")]
    pub(super) fn takes_appended(&self) -> bool {
        self.own != OwnMetrics::Only
    }

    /// Whether one of them is shown, that has this name in text.
    #[cfg(feature = "prometheus-client")]
    pub(super) fn shows_appended(&self, name: &str) -> bool {
        self.takes_appended() && (self.names.is_empty() || self.has(name))
    }

    /// Whether this name is one that was asked for.
    fn has(&self, name: &str) -> bool {
        self.names.binary_search_by(|known| (**known).cmp(name)).is_ok()
    }
}
