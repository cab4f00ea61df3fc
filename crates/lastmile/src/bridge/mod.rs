//! Both ways between an aggregate and a host's `prometheus_client::registry::Registry`.
//!
//! ```text
//! host's registry ── text ──► read ──► families ──► behind ours in every format
//! rows ──► Collector ──► the encoder of the host's registry
//! ```

mod collector;
mod descriptor;
mod family;
mod line;
mod read;
mod sources;

pub use collector::Collector;
#[cfg(feature = "protobuf")]
pub(crate) use family::AppendedSeries;
pub(crate) use family::{Appended, AppendedKind, Number, Point};
pub use sources::LeftOut;
pub(crate) use sources::{Outcome, Reason, Sources};

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::text::encode_registry;
use prometheus_client::registry::Registry;

use crate::{Aggregator, Timestamp};

impl Aggregator {
    /// This aggregate as a collector, for the host's registry to show with its own metrics. The core has no
    /// clock, so it brings one.
    ///
    /// ```
    /// use lastmile::{Aggregator, Family, Limits, Schema, Timestamp};
    /// use prometheus_client::{encoding::text::encode, registry::Registry};
    ///
    /// let schema = Schema::builder().family(Family::counter("app_loads_total")).build()?;
    /// let started = (std::time::SystemTime::now(), std::time::Instant::now());
    /// let wall_ms = started.0.duration_since(std::time::UNIX_EPOCH)?.as_millis() as u64;
    /// let begin = Timestamp::new(wall_ms, std::time::Duration::ZERO);
    /// let agg = Aggregator::new(schema, Limits::default(), begin)?;
    ///
    /// let mut registry = Registry::default();
    /// let clock = move || begin.after(started.1.elapsed());
    /// registry.register_collector(Box::new(agg.collector(clock)));
    ///
    /// agg.counter("app_loads_total", &[])?.inc();
    /// let mut text = String::new();
    /// encode(&mut text, &registry)?;
    /// assert!(text.contains("# TYPE app_loads counter\napp_loads_total 1\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn collector(&self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Collector {
        Collector::new(self.clone(), clock)
    }

    /// Shows a host's registry behind the families of the aggregate, in every scrape from now on and in every
    /// format; see [`append`](Self::append). A registry that holds a [`Collector`] of this aggregate keeps both
    /// alive for ever; what it collects is left out here, as it is here already.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use lastmile::{Aggregator, Family, Limits, Schema, Timestamp};
    /// use prometheus_client::{metrics::counter::Counter, registry::Registry};
    ///
    /// let schema = Schema::builder().family(Family::counter("app_loads_total")).build()?;
    /// # let now = Timestamp::new(0, std::time::Duration::ZERO);
    /// let agg = Aggregator::new(schema, Limits::default(), now)?;
    ///
    /// let orders: Counter = Counter::default();
    /// let mut registry = Registry::default();
    /// registry.register("orders", "Orders placed", orders.clone());
    /// registry.register("app_loads", "Not what pages pushed", Counter::<u64>::default());
    /// agg.append_registry(Arc::new(registry));
    ///
    /// orders.inc();
    /// let mut text = Vec::new();
    /// agg.encode_to(&mut text, now)?;
    /// let text = String::from_utf8(text)?;
    /// let ours = "# TYPE app_loads_total counter\napp_loads_total 0\n";
    /// let theirs = "# HELP orders_total Orders placed.\n# TYPE orders_total counter\norders_total 1\n";
    /// assert!(text.starts_with(ours) && text.ends_with(theirs));
    ///
    /// let [left_out] = &agg.left_out()[..] else { panic!("one family is left out") };
    /// assert_eq!(left_out.family(), "app_loads");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append_registry(&self, registry: Arc<Registry>) {
        self.append(move |text| encode_registry(text, &registry));
    }

    /// Shows what `encode` writes behind the families of the aggregate, in every scrape from now on and in every
    /// format. It writes what `prometheus_client`'s `encoding::text` does, and is for a registry behind a lock:
    /// `agg.append(move |text| encode_registry(text, &registry.lock().unwrap()))`. It runs once a scrape, when all
    /// of the aggregate is out, while no lock of the aggregate is held; what it wrote is in memory until the
    /// scrape has sent it.
    ///
    /// Values are live: nothing is held at 0 for a reader, as the host's series were there before it came. A scrape
    /// that asks for [some families](crate::ScrapeOptions::family) finds these by the name that they have in text,
    /// a counter's with its `_total`; none is among [the aggregator's own](crate::OwnMetrics). Families of one name
    /// and type, from two sub-registries for example, become one. Exemplars go out in OpenMetrics and in protobuf.
    ///
    /// A family is left out, whole,
    /// - if any format or escaping would show a name of it that another family of the schema, of the aggregator's
    ///   own, or of what was appended before has: the first one stays;
    /// - if anything of it is not as OpenMetrics demands: a name that needs quotes, a help text with a line feed
    ///   in it, a counter, a sum or a bound that is negative or no number, buckets that fall, a series twice, a type
    ///   that `prometheus_client` has not;
    /// - if `encode` fails in the middle of it, as the library does at a histogram that has native buckets alone.
    ///   What would have followed is missing, too.
    ///
    /// [`left_out`](Self::left_out) says which and why, and `lastmile_appended_families` how many.
    ///
    /// # Panics
    /// A scrape panics where `encode` does.
    pub fn append(&self, encode: impl Fn(&mut String) -> fmt::Result + Send + Sync + 'static) {
        self.inner().sources().add(Arc::new(encode));
    }

    /// What a scrape that came now would leave out of the registries that were
    /// [appended](Self::append). Costs as much as reading them for a scrape.
    #[must_use]
    pub fn left_out(&self) -> Vec<LeftOut> {
        let inner = self.inner();
        inner.sources().read(&inner.store().catalog()).left_out
    }
}
