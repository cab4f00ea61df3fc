//! What the lines of a family are made of, for each way to write them.

use std::sync::OnceLock;

use super::names::{ends_in_unit, escape_text, is_label_name, is_metric_name, quoted};
use super::number::{canonical, javascript};
use super::{Escaping, ExpositionFormat, Out, PAD, Piece};
use crate::schema::{Family, Kind, LeStyle};
use crate::store::{FamilyState, escaped_values};
use crate::value::summary::QUANTILES;

/// Longest value: 39 digits of a 128-bit whole number; an `f64` takes 24.
pub(super) const VALUE_BYTES_MAX: usize = 40;

/// A way to write lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    is_open_metrics: bool,
    escaping: Escaping,
}

/// How many there are.
const N_STYLES: usize = 2 * Escaping::ALL.len();

impl Style {
    /// Text 0.0.4.
    const PLAIN: Self = Self { is_open_metrics: false, escaping: Escaping::Underscores };

    pub(super) fn of(format: ExpositionFormat) -> Self {
        let is_open_metrics = matches!(format, ExpositionFormat::OpenMetrics1_0_0(_));
        Self { is_open_metrics, escaping: format.escaping() }
    }

    pub(super) fn is_open_metrics(self) -> bool {
        self.is_open_metrics
    }

    fn idx(self) -> usize {
        self.escaping as usize + if self.is_open_metrics { Escaping::ALL.len() } else { 0 }
    }
}

/// A family's parts in every style: those of text 0.0.4 at once, any other when it is first asked for, and
/// none twice for names that no escaping changes.
#[derive(Debug)]
pub(crate) struct FamilyText {
    plain: TextParts,
    others: [OnceLock<Box<TextParts>>; N_STYLES],
    /// Whether any name is written differently by different escapings.
    is_escaped: bool,
}

impl FamilyText {
    pub(crate) fn new(family: &Family) -> Self {
        let is_plain = is_metric_name(family.name())
            && family.labels().iter().all(|label| is_label_name(label.name()));
        Self {
            plain: TextParts::new(family, Style::PLAIN),
            others: Default::default(),
            is_escaped: !is_plain,
        }
    }

    /// Those of text 0.0.4.
    #[inline]
    pub(crate) fn plain(&self) -> &TextParts {
        &self.plain
    }

    /// Those of any style.
    pub(crate) fn parts(&self, family: &Family, mut style: Style) -> &TextParts {
        if !self.is_escaped {
            style.escaping = Escaping::Underscores;
        }
        if style == Style::PLAIN {
            return &self.plain;
        }
        self.others[style.idx()].get_or_init(|| Box::new(TextParts::new(family, style)))
    }
}

/// The pieces of a family's text that do not change.
#[derive(Debug)]
pub(crate) struct TextParts {
    /// The lines about the family: `# HELP`, `# TYPE`, `# UNIT`.
    header: Vec<u8>,
    /// Of a counter or gauge one line, of a histogram or summary the buckets or quantiles, `_sum`
    /// and `_count`.
    pub(super) lines: Vec<Line>,
    /// The line that tells when a series began, where the format has one.
    pub(super) created: Option<Line>,
    /// Whether the lines of a counter, or of a histogram's buckets, may carry exemplars.
    pub(super) takes_exemplars: bool,
    /// What stands before each value of a label body, if that is not what the store has.
    literals: Option<Vec<Box<[u8]>>>,
    /// By how much a body grows by that at most.
    body_growth: usize,
    /// Bytes of one row's text without its keys.
    fixed_bytes_max: usize,
}

/// What stands around the body in one line of a row.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) head: Piece,
    pub(super) tail: Piece,
}

impl TextParts {
    fn new(family: &Family, style: Style) -> Self {
        let name = style.escaping.metric_name(family.name());
        let bare = family.labels().is_empty();
        let line = |suffix: &str, label: Option<(&str, &str)>| {
            Line::new(&format!("{name}{suffix}"), bare, label)
        };
        let mut lines = Vec::new();
        match family.kind() {
            Kind::Counter | Kind::Gauge => lines.push(line("", None)),
            Kind::Histogram => {
                let spell = match family.le_style {
                    LeStyle::JavaScript if !style.is_open_metrics => javascript,
                    LeStyle::JavaScript | LeStyle::Canonical => canonical,
                };
                let bounds = family.bounds().iter().map(|b| spell(*b)).chain(["+Inf".to_owned()]);
                lines.extend(bounds.map(|le| line("_bucket", Some(("le", &le)))));
            }
            Kind::Summary => {
                lines.extend(
                    QUANTILES.map(|quantile| line("", Some(("quantile", &quantile.to_string())))),
                );
            }
        }
        if matches!(family.kind(), Kind::Histogram | Kind::Summary) {
            lines.extend([line("_sum", None), line("_count", None)]);
        }
        let (literals, body_growth) = literals(family, style.escaping);
        let fixed_bytes_max = lines.iter().map(|line| line.bytes_max() + body_growth).sum();
        let created = created_base(&name, family.kind()).filter(|_| style.is_open_metrics);
        // Source: OpenMetrics 1.0 §Exemplars: those of counters and of buckets alone (specification/OpenMetrics.md).
        let takes_exemplars = style.is_open_metrics
            && match family.kind() {
                Kind::Counter => counter_base(&name).is_some(),
                Kind::Histogram => true,
                Kind::Gauge | Kind::Summary => false,
            };
        Self {
            header: header(family, &name, style),
            takes_exemplars,
            created: created.map(|base| Line::new(&format!("{base}_created"), bare, None)),
            lines,
            literals,
            body_growth,
            fixed_bytes_max,
        }
    }

    /// Upper bound of the text of a row whose key has `key_len` bytes, without its start.
    #[inline]
    pub(crate) fn row_bytes_max(&self, key_len: usize) -> usize {
        self.fixed_bytes_max + self.lines.len() * key_len
    }

    /// Upper bound of the text of so many rows whose keys have `key_bytes` together.
    pub(crate) fn rows_bytes_max(&self, n_rows: usize, key_bytes: usize, starts: bool) -> usize {
        let starts = match &self.created {
            Some(line) if starts => n_rows * (line.bytes_max() + self.body_growth) + key_bytes,
            _ => 0,
        };
        n_rows * self.fixed_bytes_max + self.lines.len() * key_bytes + starts
    }

    pub(super) fn header(&self) -> &[u8] {
        &self.header
    }

    /// Whether bodies are written as the store has them.
    pub(super) fn keeps_bodies(&self) -> bool {
        self.literals.is_none()
    }

    /// A body as it is written, which is made in `scratch` if the store has another.
    pub(super) fn body<'a>(
        &'a self,
        family: &'a FamilyState,
        stored: &'a [u8],
        scratch: &'a mut Vec<u8>,
    ) -> &'a [u8] {
        let Some(literals) = &self.literals else { return stored };
        scratch.clear();
        for (literal, value) in literals.iter().zip(escaped_values(family, stored)) {
            scratch.extend_from_slice(literal);
            scratch.extend_from_slice(value);
        }
        scratch.push(b'"');
        scratch
    }
}

/// The lines about a family whose escaped name this is.
fn header(family: &Family, name: &str, style: Style) -> Vec<u8> {
    // An escaping may have changed how the name ends.
    let unit = family.unit_name().filter(|unit| ends_in_unit(name, family.kind(), unit));
    let (name, kind) = match (style.is_open_metrics, family.kind()) {
        // Its samples keep the names that they have in text, so only what ends in `_total` can be a counter.
        (true, Kind::Counter) => match counter_base(name) {
            Some(base) => (base, Kind::Counter.as_str()),
            None => (name, "unknown"),
        },
        (_, kind) => (name, kind.as_str()),
    };
    let quoted = quoted(name, is_metric_name(name));
    let mut help = String::new();
    if !family.help_text().is_empty() {
        help = format!("# HELP {quoted} ");
        escape_text(family.help_text(), style.is_open_metrics, &mut help);
        help.push('\n');
    }
    let kind = format!("# TYPE {quoted} {kind}\n");
    if !style.is_open_metrics {
        return (help + &kind).into_bytes();
    }
    let unit = unit.map(|unit| format!("# UNIT {quoted} {unit}\n")).unwrap_or_default();
    (kind + &unit + &help).into_bytes()
}

/// What OpenMetrics calls the family of a counter.
pub(crate) fn counter_base(name: &str) -> Option<&str> {
    name.strip_suffix("_total").filter(|base| !base.is_empty())
}

/// What stands before `_created` in OpenMetrics, where the family has such samples.
pub(crate) fn created_base(name: &str, kind: Kind) -> Option<&str> {
    match kind {
        Kind::Counter => counter_base(name),
        Kind::Gauge => None,
        Kind::Histogram | Kind::Summary => Some(name),
    }
}

/// What stands before each value of a label body, if it is not what the store has, and by how much it is
/// longer.
fn literals(family: &Family, escaping: Escaping) -> (Option<Vec<Box<[u8]>>>, usize) {
    let stored = body_literals(family, Escaping::Underscores);
    let written = body_literals(family, escaping);
    if stored == written {
        return (None, 0);
    }
    let len = |literals: &[Box<[u8]>]| literals.iter().map(|literal| literal.len()).sum::<usize>();
    let growth = len(&written).saturating_sub(len(&stored));
    (Some(written), growth)
}

/// `app="`, then `",page="`: what stands before each value of a label body.
pub(crate) fn body_literals(family: &Family, escaping: Escaping) -> Vec<Box<[u8]>> {
    let literal = |(i, name): (usize, &str)| {
        let name = escaping.label_name(name);
        let before = if i == 0 { "" } else { "\"," };
        format!("{before}{}=\"", quoted(&name, is_label_name(&name))).into_bytes().into()
    };
    family.labels().iter().map(|label| label.name()).enumerate().map(literal).collect()
}

/// What stands around the body of a short line: a name of at most 31 bytes, and no label behind the body.
#[derive(Clone, Copy, Default)]
pub(super) struct Short {
    pub(super) head: [u8; PAD],
    pub(super) head_len: usize,
    pub(super) tail: [u8; 4],
    pub(super) tail_len: usize,
}

impl Line {
    /// The line of the sample `name`, with a label behind those of the series, which is `bare` without any.
    /// A name that needs quotes stands before the labels: `{"my.name",app="x"} `.
    fn new(name: &str, bare: bool, label: Option<(&str, &str)>) -> Self {
        let is_plain = is_metric_name(name);
        let has_labels = !bare || label.is_some();
        let name = quoted(name, is_plain);
        let head = match (is_plain, has_labels) {
            (true, false) => name.into_owned(),
            (true, true) => format!("{name}{{"),
            (false, false) => format!("{{{name}"),
            (false, true) => format!("{{{name},"),
        };
        let comma = if bare { "" } else { "," };
        let label = label.map(|(label, value)| format!("{comma}{label}=\"{value}\""));
        let close = if has_labels || !is_plain { "} " } else { " " };
        let tail = label.unwrap_or_default() + close;
        Self { head: Piece::new(&head), tail: Piece::new(&tail) }
    }

    /// Upper bound of its bytes without the body.
    fn bytes_max(&self) -> usize {
        self.head.len() + self.tail.len() + VALUE_BYTES_MAX + 1
    }

    pub(super) fn as_short(&self) -> Option<Short> {
        let (head, head_len) = self.head.as_padded()?;
        let (tail, tail_len) = self.tail.as_padded()?;
        let tail = (tail_len <= 4).then(|| tail.first_chunk().copied()).flatten()?;
        Some(Short { head: *head, head_len, tail, tail_len })
    }

    /// All of a line but its value.
    #[inline(always)]
    pub(super) fn start(&self, out: &mut Out<'_>, body: Body<'_>) {
        self.head.put(out);
        match body.padded {
            Some((padded, len)) => out.put_padded(padded, len),
            None => out.put_rare(body.exact),
        }
        self.tail.put(out);
    }
}

/// A label body, and the same in [`BODY_PAD`] bytes if it is no longer than that and not at the end of its
/// block.
#[derive(Clone, Copy)]
pub(super) struct Body<'a> {
    pub(super) exact: &'a [u8],
    pub(super) padded: Option<(&'a [u8; BODY_PAD], usize)>,
}

/// What most label bodies fit into.
const BODY_PAD: usize = 96;
