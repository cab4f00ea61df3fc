//! What a family of ours is called in a host's registry.

use std::fmt::{self, Write as _};

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use crate::exposition::{Escaping, counter_base, ends_in_unit, escape_text};
use crate::schema::{Family, Kind};

/// Who encodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoder {
    /// `encoding::text`, which does not escape help.
    OpenMetrics,
    /// `encoding::prometheus_text`, which does.
    PrometheusText,
    /// Protobuf, or what a later version adds.
    Other,
}

impl Encoder {
    /// Which it is, as its `Debug` tells and nothing else. Should another version tell it otherwise, it is
    /// [`Other`](Self::Other), whose numbers and lines are right in all of them.
    pub(super) fn of(encoder: &DescriptorEncoder<'_>) -> Self {
        let mut begin = Begin(String::new());
        let _ = write!(begin, "{encoder:?}");
        let begin = begin.0;
        if begin.starts_with("DescriptorEncoder(Text(") {
            Self::OpenMetrics
        } else if begin.starts_with("DescriptorEncoder(PrometheusText(") {
            Self::PrometheusText
        } else {
            Self::Other
        }
    }
}

/// The first pieces of a text that may be large: those of protobuf print all that they have.
struct Begin(String);

impl fmt::Write for Begin {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push_str(text);
        if self.0.len() < 64 { Ok(()) } else { Err(fmt::Error) }
    }
}

/// A family as a registry knows it.
#[derive(Debug)]
pub(super) struct Descriptor {
    /// Without the unit and the `_total` that encoders add.
    pub(super) name: String,
    pub(super) help: String,
    pub(super) unit: Option<Unit>,
    pub(super) kind: MetricType,
}

impl Descriptor {
    /// That of a family, with its names escaped by [`Escaping::Underscores`]: the library writes no quotes.
    pub(super) fn new(family: &Family, encoder: Encoder) -> Self {
        let name = Escaping::Underscores.metric_name(family.name());
        let (base, kind) = match family.kind() {
            Kind::Counter => match counter_base(&name) {
                Some(base) => (base, MetricType::Counter),
                None => (&*name, unknown(encoder)),
            },
            // What is shown under the name of a summary are its quantiles; the library has no summaries.
            Kind::Gauge | Kind::Summary => (&*name, MetricType::Gauge),
            Kind::Histogram => (&*name, MetricType::Histogram),
        };
        let unit = family.unit_name().filter(|unit| ends_in_unit(&name, family.kind(), unit));
        let bare = unit.and_then(|unit| base.strip_suffix(unit)?.strip_suffix('_'));
        Self {
            name: bare.unwrap_or(base).to_owned(),
            help: help(family.help_text(), encoder),
            unit: unit.map(|unit| Unit::Other(unit.to_owned())),
            kind,
        }
    }

    /// That of the totals of a summary: `_sum` or `_count` of it.
    pub(super) fn of_totals(family: &Family, suffix: &str, encoder: Encoder) -> Self {
        let name = Escaping::Underscores.metric_name(family.name());
        let help = help(family.help_text(), encoder);
        Self { name: format!("{name}{suffix}"), help, unit: None, kind: unknown(encoder) }
    }
}

/// The type of what is none of the others. In protobuf the library writes the value of such a family as that of
/// a gauge, where Prometheus looks for another field and reads 0; so it is called a gauge there.
fn unknown(encoder: Encoder) -> MetricType {
    match encoder {
        Encoder::OpenMetrics | Encoder::PrometheusText => MetricType::Unknown,
        Encoder::Other => MetricType::Gauge,
    }
}

fn help(text: &str, encoder: Encoder) -> String {
    if encoder == Encoder::PrometheusText {
        return text.to_owned();
    }
    let mut help = String::with_capacity(text.len());
    escape_text(text, true, &mut help);
    help
}

#[cfg(test)]
mod tests;
