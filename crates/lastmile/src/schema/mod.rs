//! Declared metric families and label policies: the only place a name is admitted.

mod allowed_metrics;
mod browser;
mod check;
mod clash;
mod family;
mod label;
#[cfg(feature = "mapping")]
mod mapping;
mod native;
mod pattern;
mod template;
#[cfg(feature = "toml")]
mod toml;

use std::sync::Arc;

pub(crate) use check::{LABELS_MAX, NAME_BYTES_MAX, is_reserved};
pub(crate) use clash::exposed_names;
pub(crate) use family::LeStyle;
pub use family::{Combine, Family, Kind};
pub use label::{AdmitBy, Label, Otherwise, ValueFrom};
pub(crate) use label::{OTHER, Open, Policy, UNKNOWN};
#[cfg(feature = "faro")]
pub use mapping::FaroItem;
#[cfg(feature = "mapping")]
pub(crate) use mapping::{LabelFrom, Mappings, Matcher, Rules};
#[cfg(feature = "mapping")]
pub use mapping::{Mapping, Rule};
pub use native::Native;
pub(crate) use pattern::Pattern;
pub(crate) use template::{is_template, template_into};

use crate::error::{Error, Fault, Place, Repr};
use crate::limit::Limits;

/// The metric families an [`Aggregator`](crate::Aggregator) accepts. Immutable; cloning is cheap.
///
/// Clients supply values only: a name, a label or a listed value that is not in here never reaches
/// an exposition.
///
/// ```
/// use lastmile::{Family, Label, Schema};
///
/// let schema = Schema::builder()
///     .family(Family::counter("app_loads_total").label(Label::closed("app", ["student", "teacher"])))
///     .browser() // and what `lastmile.js` sends
///     .build()?;
/// assert_eq!(schema.families().next().unwrap().name(), "app_loads_total");
/// # Ok::<(), lastmile::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Schema {
    families: Arc<[Family]>,
    limits: Limits,
    mappings: Arc<Mappings>,
}

/// Without the feature nothing is mapped.
#[cfg(not(feature = "mapping"))]
#[derive(Clone, Debug, Default)]
pub(crate) struct Mappings;

impl Schema {
    /// Starts an empty schema.
    #[must_use]
    pub fn builder() -> SchemaBuilder {
        SchemaBuilder::default()
    }

    /// The families in the order they were declared.
    pub fn families(&self) -> impl ExactSizeIterator<Item = &Family> {
        self.families.iter()
    }

    /// The limits that a schema file set, defaults where none did.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn mappings(&self) -> &Arc<Mappings> {
        &self.mappings
    }
}

/// Collects families from code and from files; see [`Schema::builder`].
#[derive(Clone, Debug, Default)]
pub struct SchemaBuilder {
    families: Vec<Family>,
    limits: Limits,
    #[cfg(feature = "mapping")]
    mapped: mapping::Declared,
    faults: Vec<Fault>,
}

impl SchemaBuilder {
    /// Adds one family.
    #[must_use]
    pub fn family(mut self, family: Family) -> Self {
        self.families.push(family);
        self
    }

    /// Adds several families, in their order.
    ///
    /// ```
    /// # use lastmile::{Family, Schema};
    /// let families = ["orders_total", "refunds_total"].map(|name| Family::counter(name).host_only());
    /// let schema = Schema::builder().families(families).build()?;
    /// assert_eq!(schema.families().len(), 2);
    /// # Ok::<(), lastmile::Error>(())
    /// ```
    #[must_use]
    pub fn families(mut self, families: impl IntoIterator<Item = Family>) -> Self {
        self.families.extend(families);
        self
    }

    /// Adds the default schema: what `lastmile.js` sends (`client_…`) and what browsers report by
    /// themselves (`browser_…`); with the feature `faro`, also what Faro's web vitals, exceptions and events are to
    /// these families.
    #[must_use]
    pub fn browser(mut self) -> Self {
        self.families.extend(browser::families());
        #[cfg(feature = "faro")]
        self.mapped.faro.extend(browser::faro());
        self
    }

    /// Adds a path that takes other clients' beacons; see [`Format::Beacon`](crate::Format::Beacon).
    #[cfg(feature = "mapping")]
    #[must_use]
    pub fn mapping(mut self, mapping: Mapping) -> Self {
        self.mapped.mappings.push(mapping);
        self
    }

    /// Adds what an item that Faro sends is to a family; see [`Format::Faro`](crate::Format::Faro).
    ///
    /// ```
    /// use lastmile::{FaroItem, Family, Rule, Schema};
    ///
    /// let carts = Rule::new("cart_items_total").when("name", ["cart_filled"]).value("attributes.items");
    /// let schema = Schema::builder()
    ///     .family(Family::counter("cart_items_total"))
    ///     .faro(FaroItem::Event, carts)
    ///     .build()?;
    /// # Ok::<(), lastmile::Error>(())
    /// ```
    #[cfg(feature = "faro")]
    #[must_use]
    pub fn faro(mut self, item: FaroItem, rule: Rule) -> Self {
        self.mapped.faro.push((item, rule));
        self
    }

    /// Adds the families of a `prometheus-user-metrics` file, `{"allowedMetrics": […]}`, unchanged:
    /// its labels are closed and refuse unlisted values, and `le` is spelled as that server spells it.
    /// `file` is the name that mistakes are reported under.
    #[must_use]
    pub fn allowed_metrics(mut self, file: &str, json: &str) -> Self {
        allowed_metrics::read(file, json, &mut self.families, &mut self.faults);
        self
    }

    /// Adds the `[[family]]` tables of a TOML file and takes its `[limits]`; any other key is a mistake. With the feature
    /// `mapping` it may have `[[mapping]]` tables too, and with `faro` those of `[[faro]]`.
    /// `file` is the name that mistakes are reported under.
    ///
    /// ```
    /// use lastmile::Schema;
    ///
    /// let text = r#"
    /// [[family]]
    /// name = "app_loads_total"
    /// type = "counter"
    /// labels = [{ name = "app", values = ["student", "teacher"], otherwise = "refuse" }]
    ///
    /// [limits]
    /// bytes = "8MiB"
    /// "#;
    /// let schema = Schema::builder().toml("metrics.toml", text).build()?;
    /// assert_eq!(schema.limits().bytes_max(), 8 << 20);
    ///
    /// let wrong = Schema::builder().toml("metrics.toml", "[[family]]\nname = 'x'\ntype = 'meter'").build();
    /// assert!(wrong.unwrap_err().to_string().starts_with("metrics.toml:3: family `x`, field `type`: "));
    /// # Ok::<(), lastmile::Error>(())
    /// ```
    #[cfg(feature = "toml")]
    #[must_use]
    pub fn toml(self, file: &str, text: &str) -> Self {
        self.toml_with(file, text, &[])
    }

    /// Like [`toml`](Self::toml) for a file that also holds top-level keys the caller reads itself.
    #[cfg(feature = "toml")]
    #[must_use]
    pub fn toml_with(mut self, file: &str, text: &str, other_keys: &[&str]) -> Self {
        toml::read(file, text, other_keys, &mut self);
        self
    }

    /// Checks all that was added.
    ///
    /// # Errors
    /// Every mistake at once; [`Error::is_schema`].
    pub fn build(mut self) -> Result<Schema, Error> {
        self.faults.extend(check::families(&self.families));
        #[cfg(feature = "mapping")]
        {
            // What a family's own mistake brings about is not another one.
            let mut faults = mapping::check(&self.mapped, &self.families);
            faults.retain(|fault| !self.faults.iter().any(|known| known.is_of(&fault.family)));
            self.faults.extend(faults);
        }
        if self.faults.is_empty() {
            #[cfg(feature = "mapping")]
            let mappings = Mappings::new(&self.mapped, &self.families);
            #[cfg(not(feature = "mapping"))]
            let mappings = Mappings;
            let (families, mappings) = (self.families.into(), Arc::new(mappings));
            Ok(Schema { families, limits: self.limits, mappings })
        } else {
            Err(Repr::Schema(self.faults).into())
        }
    }
}

/// Turns byte offsets of a text into lines.
struct Lines<'a> {
    file: Arc<str>,
    text: &'a str,
}

impl<'a> Lines<'a> {
    fn new(file: &str, text: &'a str) -> Self {
        Self { file: file.into(), text }
    }

    fn place(&self, offset: usize) -> Option<Place> {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        Some(Place { file: Arc::clone(&self.file), line })
    }
}
