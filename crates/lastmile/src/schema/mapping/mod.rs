//! What other clients' beacons mean: which of their fields is a value, of which family, under which labels.

mod check;
mod compiled;

pub(super) use check::mappings as check;
pub(crate) use compiled::{LabelFrom, Mappings, Matcher, Rules};

use crate::error::Place;

/// How one sample is made of a beacon.
///
/// A beacon is a flat list of fields: the members of a JSON object, whose own objects' members are named with a dot
/// (`attribution.url`), or the pairs of a form, named as they are. A rule applies to each beacon that has what
/// [`when`](Self::when) asks for, and the field that [`value`](Self::value) names.
///
/// ```
/// use lastmile::Rule;
///
/// // `{"name":"LCP","value":1240.5,"navigationURL":"https://app.example/users/42?tab=1", …}`
/// let vitals = Rule::new("client_web_vital_seconds")
///     .when("name", ["LCP", "INP", "FCP", "TTFB"])
///     .value("value")
///     .scale(0.001) // milliseconds
///     .label("name", "name")
///     .label_path("page", "navigationURL"); // `/users/:id`
/// # let _ = vitals;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub(super) family: String,
    pub(super) value: Option<String>,
    pub(super) scale: f64,
    pub(super) when: Vec<(String, Vec<String>)>,
    pub(super) labels: Vec<(String, LabelValue)>,
    pub(super) place: Option<Place>,
}

/// Where a label's value comes from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum LabelValue {
    Field(String),
    Path(String),
    Const(String),
}

impl Rule {
    /// A rule that adds to this family: 1, unless [`value`](Self::value) names a field.
    #[must_use]
    pub fn new(family: impl Into<String>) -> Self {
        Self {
            family: family.into(),
            value: None,
            scale: 1.0,
            when: Vec::new(),
            labels: Vec::new(),
            place: None,
        }
    }

    /// The field that holds the number. A beacon without it is not one of this rule; one where it is no number is
    /// refused as [`NotANumber`](crate::Refusal::NotANumber). Only a counter does without.
    #[must_use]
    pub fn value(mut self, field: impl Into<String>) -> Self {
        self.value = Some(field.into());
        self
    }

    /// What the number is multiplied by. 0.001 divides by 1,000, to the last digit.
    #[must_use]
    pub fn scale(mut self, scale: f64) -> Self {
        self.scale = scale;
        self
    }

    /// A field that must have one of these values; with several fields, each.
    #[must_use]
    pub fn when<V: Into<String>>(
        mut self,
        field: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.when.push((field.into(), values.into_iter().map(Into::into).collect()));
        self
    }

    /// A label whose value is that of a field: text, a number as it is written, `true` or `false`.
    #[must_use]
    pub fn label(self, label: impl Into<String>, field: impl Into<String>) -> Self {
        self.label_from(label, LabelValue::Field(field.into()))
    }

    /// A label whose value is the path of the URL in a field, and nothing else of it. Only for a label with a
    /// [`template`](crate::Label::template), so that what names one thing of many goes too.
    #[must_use]
    pub fn label_path(self, label: impl Into<String>, field: impl Into<String>) -> Self {
        self.label_from(label, LabelValue::Path(field.into()))
    }

    /// A label that always has this value.
    #[must_use]
    pub fn label_const(self, label: impl Into<String>, value: impl Into<String>) -> Self {
        self.label_from(label, LabelValue::Const(value.into()))
    }

    pub(super) fn label_from(mut self, label: impl Into<String>, from: LabelValue) -> Self {
        self.labels.push((label.into(), from));
        self
    }

    /// Every field that the rule looks at.
    fn fields(&self) -> impl Iterator<Item = &str> {
        let of_labels = self.labels.iter().filter_map(|(_, from)| match from {
            LabelValue::Field(field) | LabelValue::Path(field) => Some(field),
            LabelValue::Const(_) => None,
        });
        let all = self.value.iter().chain(self.when.iter().map(|(field, _)| field));
        all.chain(of_labels).map(String::as_str)
    }
}

/// A path that takes beacons, and the rules for them.
///
/// In a schema file (feature `toml`) a rule is a line of `samples`: `family`, and where it needs them `when`, `value`,
/// `scale` and `labels`, of which each is `field:NAME`, `path:NAME` or `const:VALUE`. These are for the families of the
/// default schema; `--default-schema` keeps it beside such a file:
/// ```toml
#[doc = include_str!("../../../mappings/beacons.toml")]
/// ```
///
/// ```
/// use lastmile::{Mapping, Rule, Schema};
///
/// let loads = Rule::new("client_navigation_seconds")
///     .value("t_done") // of `boomerang`, in milliseconds
///     .scale(0.001)
///     .label_const("phase", "loadEventEnd");
/// let schema = Schema::builder().browser().mapping(Mapping::new("/beacon").rule(loads)).build()?;
/// # Ok::<(), lastmile::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    pub(super) path: String,
    pub(super) rules: Vec<Rule>,
    pub(super) place: Option<Place>,
}

impl Mapping {
    /// A mapping of the beacons that come to `path`.
    #[must_use]
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), rules: Vec::new(), place: None }
    }

    /// Adds a rule. All rules that apply to a beacon make a sample each.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// What Faro sends lists of. A rule for one names its fields as the payload has them: `values.load_time` and
/// `context.…` of a measurement, `type` of an exception, `name`, `domain` and `attributes.…` of an event, `level` of
/// a log; of the page's meta data `meta.app.…`, `meta.view.name`, `meta.browser.name`, `meta.browser.os` and
/// `meta.browser.mobile`, and `meta.page.url` for its path alone. No other field can be named: what is said of
/// sessions, users and messages never becomes a label.
#[cfg(feature = "faro")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaroItem {
    /// Numbers under names: web vitals and what a page measures itself.
    Measurement,
    /// An error.
    Exception,
    /// Something that happened.
    Event,
    /// A line of a log.
    Log,
}

#[cfg(feature = "faro")]
impl FaroItem {
    pub(crate) const ALL: [Self; 4] = [Self::Measurement, Self::Exception, Self::Event, Self::Log];

    /// Its name in a schema file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Measurement => "measurement",
            Self::Exception => "exception",
            Self::Event => "event",
            Self::Log => "log",
        }
    }

    /// The member of a payload that lists them.
    /// Source: grafana/faro-web-sdk, packages/core/src/transports/const.ts, `transportItemTypeToBodyKey`.
    pub(crate) const fn list(self) -> &'static str {
        match self {
            Self::Measurement => "measurements",
            Self::Exception => "exceptions",
            Self::Event => "events",
            Self::Log => "logs",
        }
    }

    /// Whether a rule may name a field; one that ends in a dot stands for all that begin so.
    fn has(self, field: &str) -> bool {
        let own: &[&str] = match self {
            Self::Measurement => &["type", "values.", "context."],
            Self::Exception => &["type", "context."],
            Self::Event => &["name", "domain", "attributes."],
            Self::Log => &["level", "context."],
        };
        let meta = &[
            "meta.app.",
            "meta.view.name",
            "meta.browser.name",
            "meta.browser.os",
            "meta.browser.mobile",
        ];
        own.iter().chain(meta).any(|known| match known.strip_suffix('.') {
            Some(_) => field.len() > known.len() && field.starts_with(known),
            None => field == *known,
        })
    }
}

/// The one URL that a rule for Faro may take the path of.
#[cfg(feature = "faro")]
const FARO_PAGE: &str = "meta.page.url";

/// All mappings of a schema as they were given.
#[derive(Clone, Debug, Default)]
pub(super) struct Declared {
    pub(super) mappings: Vec<Mapping>,
    #[cfg(feature = "faro")]
    pub(super) faro: Vec<(FaroItem, Rule)>,
}
