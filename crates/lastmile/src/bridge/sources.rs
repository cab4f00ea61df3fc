//! The registries that a host appended, and which of their families are shown.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::family::Appended;
use super::read::{self, Found};
use crate::store::Catalog;
use crate::sync::Mutex;

/// Writes a registry.
type Encode = dyn Fn(&mut String) -> fmt::Result + Send + Sync;

/// In the order in which they came.
#[derive(Default)]
pub(crate) struct Sources(Mutex<Vec<Arc<Encode>>>);

/// What all sources have, at one moment.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Without a name in common, neither with each other nor with the catalog.
    pub(crate) shown: Vec<Appended>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// A family of an appended registry that is not shown, and why; see
/// [`Aggregator::left_out`](crate::Aggregator::left_out).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    family: String,
    reason: Reason,
    why: String,
}

/// Why a family is left out, as `lastmile_appended_families` counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Another has a name of it.
    Clash,
    /// It is not as it must be.
    Invalid,
    /// No family: an encoder returned an error, and what it had yet to write is missing.
    Failed,
}

impl LeftOut {
    /// Its name as the registry wrote it: a counter's has no `_total`. Empty where an encoder failed.
    #[must_use]
    pub fn family(&self) -> &str {
        &self.family
    }

    /// One sentence, for people.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }

    pub(crate) fn reason(&self) -> Reason {
        self.reason
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "family `{}` is left out: {}", self.family, self.why)
    }
}

impl Sources {
    pub(crate) fn add(&self, encode: Arc<Encode>) {
        self.0.lock().push(encode);
    }

    /// Encodes and reads them all. No lock is held while an encoder runs.
    pub(crate) fn read(&self, catalog: &Catalog) -> Outcome {
        let sources: Vec<Arc<Encode>> = self.0.lock().clone();
        let mut outcome = Outcome::default();
        if sources.is_empty() {
            return outcome;
        }
        let mut taken = names_of(catalog);
        for encode in sources {
            let mut text = String::new();
            let is_cut = encode(&mut text).is_err();
            for Found { name, family } in read::families(&text, is_cut) {
                let left_out = match family {
                    Ok(None) => continue,
                    Ok(Some(family)) => match clash(&family, &taken) {
                        None => {
                            let names = family.exposed();
                            taken.extend(names.into_iter().map(|name| (name, family.name.clone())));
                            outcome.shown.push(family);
                            continue;
                        }
                        Some(why) => LeftOut { family: name, reason: Reason::Clash, why },
                    },
                    Err(why) => LeftOut { family: name, reason: Reason::Invalid, why },
                };
                outcome.left_out.push(left_out);
            }
            if is_cut {
                let why = "an encoder failed: what it had yet to write is missing".to_owned();
                let failed = LeftOut { family: String::new(), reason: Reason::Failed, why };
                outcome.left_out.push(failed);
            }
        }
        outcome
    }
}

/// The names that the families of a catalog are exposed under, and whose each is.
fn names_of(catalog: &Catalog) -> HashMap<String, String> {
    let names = catalog.families().iter().flat_map(|family| {
        let owner = family.declared().name();
        family.exposed_names().map(move |name| (name.to_owned(), owner.to_owned()))
    });
    names.collect()
}

/// Which name of a family another has.
fn clash(family: &Appended, taken: &HashMap<String, String>) -> Option<String> {
    family.exposed().into_iter().find_map(|name| {
        let owner = taken.get(&name)?;
        Some(format!("exposes `{name}`, as family `{owner}` does"))
    })
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}
