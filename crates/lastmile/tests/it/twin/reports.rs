//! What a browser's reports say.

use super::declared::{Kind, label_values};
use super::pushes::{number, utf8_faults};
use super::{ANY_FAULT, Faults, Report, Twin};
use crate::json::{self, Json, JsonFault};

/// What the pairs give their pushes as the seed.
pub(crate) const SEED: u64 = 0x0123_4567_89ab_cdef;

/// What is known of a type: its family, and each label with the members of the body of which the first that is there
/// is its value.
type Known = (&'static str, &'static [(&'static str, &'static [&'static str])]);

fn known(kind: &str) -> Option<Known> {
    let id: &[&str] = match kind {
        "network-error" => {
            return Some((
                "browser_network_errors_total",
                &[("phase", &["phase"]), ("type", &["type"])],
            ));
        }
        "csp-violation" => {
            return Some((
                "browser_csp_violations_total",
                &[("directive", &["effectiveDirective"]), ("disposition", &["disposition"])],
            ));
        }
        "crash" => return Some(("browser_crashes_total", &[("reason", &["reason"])])),
        "deprecation" | "intervention" => &["id"],
        "coep" | "coop" => &["type"],
        "permissions-policy-violation" | "potential-permissions-policy-violation" => {
            return Some(("browser_reports_total", &[("id", &["policyId", "featureId"])]));
        }
        "document-policy-violation" => &["policyId"],
        "integrity-violation" => &["destination"],
        _ => return None,
    };
    Some((
        "browser_reports_total",
        match id {
            ["id"] => &[("id", &["id"])],
            ["type"] => &[("id", &["type"])],
            ["policyId"] => &[("id", &["policyId"])],
            _ => &[("id", &["destination"])],
        },
    ))
}

/// The last member of this name, unless it is null.
fn member<'a, 'b>(object: &'b Json<'a>, name: &str) -> Option<&'b Json<'a>> {
    let Json::Object(members) = object else { unreachable!("an object is looked into") };
    let last = members.iter().rev().find(|(key, _)| key == name).map(|(_, json)| json);
    last.filter(|json| !matches!(json, Json::Null))
}

impl Twin {
    // ---- `POST /reports`: an array, or one alone ----

    pub(crate) fn push_reports(&mut self, body: &[u8]) -> Result<Report, Faults> {
        let text = String::from_utf8_lossy(body);
        let mut faults = utf8_faults(body);
        let reports = match json::read(&text) {
            Ok(Json::Array(reports)) if faults.is_empty() => reports,
            Ok(report @ Json::Object(_)) if faults.is_empty() => vec![report],
            Ok(Json::Array(_) | Json::Object(_)) => return Err(faults),
            Ok(_) => {
                faults.insert("expected_array");
                return Err(faults);
            }
            Err(JsonFault::TooDeep) => {
                faults.insert("too_deep");
                return Err(faults);
            }
            Err(JsonFault::Syntax) => return Err(ANY_FAULT.into()),
        };
        self.batch += 1;
        let mut report = Report { batches: 1, without_id: 1, ..Report::default() };
        for (i, json) in reports.iter().enumerate() {
            if let Err((why, n)) = self.one_report(json, i as u64 + 1, &mut report) {
                report.refuse(why, n);
            }
        }
        Ok(report)
    }

    fn one_report(
        &mut self,
        json: &Json<'_>,
        nth: u64,
        report: &mut Report,
    ) -> Result<(), (&'static str, usize)> {
        let malformed = ("malformed", 1);
        if !matches!(json, Json::Object(_)) {
            return Err(malformed);
        }
        let (kind, about) = match (member(json, "type"), member(json, "body")) {
            (Some(Json::String(kind)), Some(about @ Json::Object(_))) => (kind.as_str(), about),
            (None, _) => match member(json, "csp-report") {
                Some(about @ Json::Object(_)) => ("csp-report", about),
                _ => return Err(malformed),
            },
            _ => return Err(malformed),
        };
        if kind == "csp-report" && member(json, "type").is_none() {
            let effective = member(about, "effective-directive");
            let directive = match (effective, member(about, "violated-directive")) {
                (None, Some(Json::String(text))) => {
                    Some(text.split(' ').next().unwrap_or_default().to_owned())
                }
                (None, other) | (other, _) => text(other),
            };
            let directive = directive.ok_or(malformed)?;
            let disposition = text(member(about, "disposition")).ok_or(malformed)?;
            let labels = [("directive", directive), ("disposition", disposition)];
            self.add_report("browser_csp_violations_total", &labels, Ok((1.0, 1)), report);
            return Ok(());
        }
        let (family, from) = known(kind).ok_or(("unknown_report", 1))?;
        let mut labels = Vec::new();
        let is_error = kind == "network-error";
        let is_ok = matches!(member(about, "type"), Some(Json::String(text)) if text == "ok");
        let n_samples = if is_error && !is_ok { 2 } else { 1 };
        if family == "browser_reports_total" {
            labels.push(("type", kind.to_owned()));
        }
        for (label, members) in from {
            let found = members.iter().find_map(|name| member(about, name));
            labels.push((label, text(found).ok_or(("malformed", n_samples))?));
        }
        let mut weight = 1;
        if is_error {
            weight = match member(about, "sampling_fraction") {
                None => 1,
                Some(Json::Number(fraction)) => {
                    let fraction: f64 = fraction.parse().expect("JSON's numbers are floats");
                    if fraction < 0.0 {
                        return Err(("bad_weight", n_samples));
                    }
                    round(1.0 / fraction.clamp(0.001, 1.0), nth)
                }
                Some(_) => return Err(("bad_weight", n_samples)),
            };
        }
        self.add_report(family, &labels, Ok((1.0, weight)), report);
        if is_error && !is_ok {
            let ms = number(member(about, "elapsed_time"));
            let seconds = ms.map(|ms| (ms / 1000.0, weight));
            self.add_report("browser_network_error_seconds", &labels[..1], seconds, report);
        }
        Ok(())
    }

    fn add_report(
        &mut self,
        family: &str,
        labels: &[(&str, String)],
        sample: Result<(f64, u64), &'static str>,
        report: &mut Report,
    ) {
        let labels: Vec<_> =
            labels.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let Some(f) = self.family(family) else {
            return report.refuse("unknown_family", 1);
        };
        let declared = &self.families[f].family;
        let fits = match declared.kind {
            Kind::Counter => !family.ends_with("_seconds"),
            Kind::Gauge(_) => false,
            Kind::Histogram(_) | Kind::Summary => family.ends_with("_seconds"),
        };
        if !fits {
            return report.refuse("type_mismatch", 1);
        }
        match label_values(declared, &labels) {
            Err(reason) => report.refuse(reason, 1),
            Ok(labels) => {
                // An observation comes so often; a counter grows by so much.
                let (n, w) = sample.map_or((1, 1), |(_, weight)| {
                    if fits && family.ends_with("_seconds") { (weight, 1) } else { (1, weight) }
                });
                self.apply(f, &labels, sample.map(|(value, _)| (value, n)), w, report);
            }
        }
    }
}

/// The value of a label: `other` of what is not there, nothing of what is no text.
fn text(json: Option<&Json<'_>>) -> Option<String> {
    match json {
        None => Some("other".to_owned()),
        Some(Json::String(text)) => Some(text.clone()),
        Some(_) => None,
    }
}

/// The weight of the `nth` report from 1: SplitMix64 of the seed says which whole number it becomes.
fn round(weight: f64, nth: u64) -> u64 {
    let mut z = u128::from(SEED) + u128::from(nth) * 0x9e37_79b9_7f4a_7c15;
    let low = |z: u128| z & u128::from(u64::MAX);
    z = low(z);
    z = low((z ^ (z >> 30)) * 0xbf58_476d_1ce4_e5b9);
    z = low((z ^ (z >> 27)) * 0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    let drawn = (z >> 11) as f64 / 2f64.powi(53);
    if drawn < weight.fract() { weight.ceil() as u64 } else { weight.floor() as u64 }
}
