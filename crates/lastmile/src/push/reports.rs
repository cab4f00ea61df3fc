//! What browsers report by themselves: the Reporting API's array of `{"type":…,"age":…,"url":…,"body":{…}}`, and the
//! older `{"csp-report":{…}}`.
//!
//! The names of families and labels are ours and not the client's; of a report only its type and a few words of its
//! body are looked at. No URL, user agent, address or text of a page is. A report counts when it comes: its `age` says
//! when it was made, which a counter cannot show.
//!
//! | type | counted as | from |
//! |---|---|---|
//! | `network-error` | `browser_network_errors_total{phase,type}`, and unless it is `ok` `browser_network_error_seconds{phase}` | `phase`, `type`, `elapsed_time`; as many as `1/sampling_fraction` |
//! | `csp-violation`, `csp-report` | `browser_csp_violations_total{directive,disposition}` | `effectiveDirective`, `disposition` |
//! | `crash` | `browser_crashes_total{reason}` | `reason` |
//! | others that are known | `browser_reports_total{type,id}` | the type, and the member that [`ids`] names |
//!
//! Source: w3c/reporting (index.bs, §Serialize reports), w3c/network-error-logging (index.bs, §Network error reports),
//! CSP3 §5.3 (report bodies, old and new), Permissions Policy §Reporting, HTML §COEP and COOP reports.

use super::error::{DecodeError, DecodeReason};
use super::json::Json;
use super::number::Number;
use super::report::{Counts, PushReport, Refusal};
use super::samples::Samples;
use super::{Format, Intake};
use crate::schema::{Kind, OTHER};
use crate::store::{Catalog, Text};

type Result<T> = std::result::Result<T, DecodeError>;

/// Smallest fraction of requests that a report may stand for: of a thinner sample one report would outweigh all
/// others. As a weight of `lm1`, 1,000 is the largest.
const FRACTION_MIN: f64 = 0.001;

/// Decodes and applies a body.
pub(super) fn push(
    intake: &Intake<'_>,
    samples: &mut Samples,
    report: &mut PushReport,
) -> Result<()> {
    let Intake { ids, catalog, body, source, .. } = *intake;
    let expected = intake.expected(|| Format::Reports.as_str());
    let mut given = source.seed_value();
    let mut seed = || *given.get_or_insert_with(|| ids.content_hash(body));
    let mut counts = Counts::default();
    samples.begin(catalog, source);
    decode(catalog, body, &mut seed, samples, &mut counts)?;
    intake.finish_whole(expected, samples, counts, report);
    Ok(())
}

/// Decodes a body into `samples`, and counts what is refused on the way. `seed` decides which of two whole weights a
/// report has whose own is between them; it is asked for once there is one.
pub(super) fn decode(
    catalog: &Catalog,
    body: &[u8],
    seed: &mut dyn FnMut() -> u64,
    samples: &mut Samples,
    counts: &mut Counts,
) -> Result<()> {
    super::check_utf8(body, 0)?;
    let mut json = Json::new(body, 0);
    let mut reader = Reader { catalog, body, seed, nth: 0, samples, counts };
    match json.peek() {
        b'[' => {
            json.open(b'[', "")?;
            if !json.is_empty(b']') {
                loop {
                    reader.report(&mut json)?;
                    if !json.another(b']')? {
                        break;
                    }
                }
            }
        }
        // One alone: the older CSP report, and a report of who does not queue.
        b'{' => reader.report(&mut json)?,
        _ => return Err(json.other_kind(DecodeReason::ExpectedArray)),
    }
    json.end()
}

/// What a member of an object was.
enum Member<'a> {
    /// Not there, or null.
    Absent,
    Text(Text),
    Number(f64),
    /// An object, from its bracket on.
    Object(Json<'a>),
    Else,
}

struct Reader<'a, 'b> {
    catalog: &'a Catalog,
    body: &'a [u8],
    seed: &'b mut dyn FnMut() -> u64,
    /// Reports before this one.
    nth: u64,
    samples: &'b mut Samples,
    counts: &'b mut Counts,
}

impl<'a> Reader<'a, '_> {
    fn report(&mut self, json: &mut Json<'a>) -> Result<()> {
        self.nth += 1;
        self.samples.labels.clear();
        if json.peek() != b'{' {
            self.refuse(Refusal::Malformed, 1);
            return json.skip();
        }
        let [kind, about, legacy] = self.members(json, [b"type", b"body", b"csp-report"])?;
        match (kind, about, legacy) {
            (Member::Text(kind), Member::Object(mut about), _) => self.known(kind, &mut about),
            (Member::Absent, _, Member::Object(mut about)) => self.legacy(&mut about),
            _ => {
                self.refuse(Refusal::Malformed, 1);
                Ok(())
            }
        }
    }

    /// The members of an object by these names; of one that comes twice the last counts.
    fn members<const N: usize>(
        &mut self,
        json: &mut Json<'a>,
        names: [&[u8]; N],
    ) -> Result<[Member<'a>; N]> {
        let mut found = [const { Member::Absent }; N];
        json.open(b'{', "")?;
        if json.is_empty(b'}') {
            return Ok(found);
        }
        loop {
            let key = json.key()?;
            let key = self.samples.text(self.body, key);
            let key = self.samples.bytes(self.body, key);
            match names.iter().position(|name| *name == key) {
                Some(i) => found[i] = self.member(json)?,
                None => json.skip()?,
            }
            if !json.another(b'}')? {
                return Ok(found);
            }
        }
    }

    fn member(&mut self, json: &mut Json<'a>) -> Result<Member<'a>> {
        Ok(match json.peek() {
            b'"' => {
                let text = json.string()?;
                Member::Text(self.samples.text(self.body, text))
            }
            b'-' | b'0'..=b'9' => Member::Number(json.number()?),
            first => {
                let at = json.clone();
                json.skip()?;
                match first {
                    b'{' => Member::Object(at),
                    b'n' => Member::Absent,
                    _ => Member::Else,
                }
            }
        })
    }

    /// A report with a type and a body.
    fn known(&mut self, kind: Text, about: &mut Json<'a>) -> Result<()> {
        match self.samples.bytes(self.body, kind) {
            b"network-error" => self.network_error(about),
            b"csp-violation" => {
                let [directive, disposition] =
                    self.members(about, [b"effectiveDirective", b"disposition"])?;
                self.csp(&directive, &disposition);
                Ok(())
            }
            b"crash" => {
                let [reason] = self.members(about, [b"reason"])?;
                let labels = self.text(&reason).map(|reason| [("reason", reason)]);
                self.count("browser_crashes_total", labels, 1);
                Ok(())
            }
            other => match ids(other) {
                Some(names) => {
                    let [first, second] = self.members(about, names)?;
                    let id = if let Member::Absent = first { second } else { first };
                    let labels = self.text(&id).map(|id| [("type", kind), ("id", id)]);
                    self.count("browser_reports_total", labels, 1);
                    Ok(())
                }
                None => {
                    self.refuse(Refusal::UnknownReport, 1);
                    Ok(())
                }
            },
        }
    }

    /// The body of `application/csp-report`. Before CSP 3 the directive stood at the start of its own text.
    /// Source: CSP3 §5.3 (`report-uri`), CSP2 §4.4.
    fn legacy(&mut self, about: &mut Json<'a>) -> Result<()> {
        let [effective, violated, disposition] =
            self.members(about, [b"effective-directive", b"violated-directive", b"disposition"])?;
        let directive = match (effective, violated) {
            (Member::Absent, Member::Text(violated)) => {
                let text = self.samples.bytes(self.body, violated);
                let end = memchr::memchr(b' ', text).unwrap_or(text.len());
                let word = text[..end].to_vec();
                Member::Text(Text::put(&mut self.samples.arena, &word))
            }
            (Member::Absent, violated) => violated,
            (effective, _) => effective,
        };
        self.csp(&directive, &disposition);
        Ok(())
    }

    fn csp(&mut self, directive: &Member<'_>, disposition: &Member<'_>) {
        let (directive, disposition) = (self.text(directive), self.text(disposition));
        let labels = directive.zip(disposition);
        let labels = labels.map(|(directive, disposition)| {
            [("directive", directive), ("disposition", disposition)]
        });
        self.count("browser_csp_violations_total", labels, 1);
    }

    fn network_error(&mut self, about: &mut Json<'a>) -> Result<()> {
        let [phase, kind, elapsed_ms, fraction] =
            self.members(about, [b"phase", b"type", b"elapsed_time", b"sampling_fraction"])?;
        let (phase, kind) = (self.text(&phase), self.text(&kind));
        // What went well took no time until it failed.
        let is_ok = kind.is_some_and(|kind| self.samples.bytes(self.body, kind) == b"ok");
        let n_samples = if is_ok { 1 } else { 2 };
        let (Some(phase), Some(kind)) = (phase, kind) else {
            self.refuse(Refusal::Malformed, n_samples);
            return Ok(());
        };
        let weight = match fraction {
            Member::Absent => Some(1),
            Member::Number(fraction) if fraction >= 0.0 => Some(self.weight(fraction)),
            _ => None,
        };
        let Some(weight) = weight else {
            self.refuse(Refusal::BadWeight, n_samples);
            return Ok(());
        };
        let labels = [("phase", phase), ("type", kind)];
        self.count("browser_network_errors_total", Some(labels), weight);
        if !is_ok {
            let number = match elapsed_ms {
                Member::Number(ms) => Number { value: ms / 1_000.0, n: weight },
                _ => Number::NOT_A_NUMBER,
            };
            let labels = &[("phase", phase)];
            self.add("browser_network_error_seconds", labels, number, true);
        }
        Ok(())
    }

    /// How many a report of this fraction stands for: `1/fraction` on average, and one of the two whole numbers around
    /// it each time.
    fn weight(&mut self, fraction: f64) -> u64 {
        let weight = 1.0 / fraction.clamp(FRACTION_MIN, 1.0);
        let whole = weight.floor();
        let part = weight - whole;
        let is_up = part > 0.0 && random((self.seed)(), self.nth) < part;
        whole as u64 + u64::from(is_up)
    }

    /// What a label is to read: of what is not there `other`; nothing if it is no text.
    fn text(&mut self, member: &Member<'_>) -> Option<Text> {
        match member {
            Member::Absent => Some(Text::put(&mut self.samples.arena, OTHER.as_bytes())),
            Member::Text(text) => Some(*text),
            Member::Number(_) | Member::Object(_) | Member::Else => None,
        }
    }

    /// Adds to a counter, unless a label was no text.
    fn count<const N: usize>(
        &mut self,
        family: &'static str,
        labels: Option<[(&'static str, Text); N]>,
        n: u64,
    ) {
        match labels {
            Some(labels) => self.add(family, &labels, Number { value: 1.0, n }, false),
            None => self.refuse(Refusal::Malformed, 1),
        }
    }

    /// Adds a number to a series, or counts why it is refused.
    fn add(
        &mut self,
        family: &'static str,
        labels: &[(&'static str, Text)],
        number: Number,
        is_observed: bool,
    ) {
        let Self { catalog, body, samples, counts, .. } = self;
        let (values_at, numbers_at) = (samples.values.len(), samples.numbers.len());
        samples.labels.clear();
        for (name, value) in labels {
            let name = Text::put(&mut samples.arena, name.as_bytes());
            samples.labels.push((name, *value));
        }
        samples.numbers.push(number);
        let target = catalog.target(family.as_bytes());
        let resolved = match target {
            None => Err(Refusal::UnknownFamily),
            Some(target) => match target.family.kind() {
                Kind::Histogram | Kind::Summary if !is_observed => Err(Refusal::TypeMismatch),
                Kind::Counter | Kind::Gauge if is_observed => Err(Refusal::TypeMismatch),
                Kind::Gauge => Err(Refusal::TypeMismatch),
                _ if samples.resolve_labels_in_order(&target, body) => Ok(target),
                _ => samples.resolve_labels_in_any_order(&target, body).map(|()| target),
            },
        };
        match resolved {
            Ok(target) => samples.finish_entry(&target, body, values_at, numbers_at, counts),
            Err(why) => {
                let name = Text::put(&mut samples.arena, family.as_bytes());
                let family = target.map(|target| target.family);
                samples.note_entry(body, Some(name), family, values_at, why, 1);
                counts.refuse(why, 1);
                samples.numbers.truncate(numbers_at);
                samples.values.truncate(values_at);
            }
        }
    }

    fn refuse(&mut self, why: Refusal, n: u64) {
        let values_at = self.samples.values.len();
        self.samples.note_entry(self.body, None, None, values_at, why, n);
        self.counts.refuse(why, n);
    }
}

/// The members of which the first that is there tells what a report of this type is about, if the type is one of
/// `browser_reports_total`.
fn ids(kind: &[u8]) -> Option<[&'static [u8]; 2]> {
    Some(match kind {
        b"deprecation" | b"intervention" => [b"id", b"id"],
        b"coep" | b"coop" => [b"type", b"type"],
        // `featureId` until the draft of June 2021.
        b"permissions-policy-violation" | b"potential-permissions-policy-violation" => {
            [b"policyId", b"featureId"]
        }
        b"document-policy-violation" => [b"policyId", b"policyId"],
        b"integrity-violation" => [b"destination", b"destination"],
        _ => return None,
    })
}

/// A number from 0 to below 1, evenly spread over seeds and over `nth`.
/// Source: SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
fn random(seed: u64, nth: u64) -> f64 {
    let mut z = seed.wrapping_add(nth.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    // 53 bits are as many as a float has.
    (z >> 11) as f64 / (1u64 << 53) as f64
}
