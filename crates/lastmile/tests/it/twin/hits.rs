//! What the query of a hit says.

use super::declared::{Kind, label_values};
use super::pushes::split_key;
use super::{Faults, Report, Twin};

impl Twin {
    // ---- `GET /lm.gif`: a query ----

    pub(crate) fn push_hit(&mut self, query: &[u8]) -> Result<Report, Faults> {
        let text = std::str::from_utf8(query).map_err(|_| Faults::from(["invalid_utf8"]))?;
        let keys: Vec<String> =
            form(text).into_iter().filter(|(n, _)| n == "m").map(|p| p.1).collect();
        if keys.is_empty() {
            return Err(["empty"].into());
        }
        self.batch += 1;
        let mut report = Report { batches: 1, without_id: 1, ..Report::default() };
        for key in keys {
            match self.hit(&key) {
                Err(reason) => report.refuse(reason, 1),
                Ok((f, labels)) => self.apply(f, &labels, Ok((1.0, 1)), 1, &mut report),
            }
        }
        Ok(report)
    }

    fn hit(&self, key: &str) -> Result<(usize, Vec<String>), &'static str> {
        let (name, labels) = split_key(key).ok_or("malformed")?;
        let f = self.family(&name).ok_or("unknown_family")?;
        let family = &self.families[f].family;
        if !matches!(family.kind, Kind::Counter) || family.is_open() {
            return Err("type_mismatch");
        }
        Ok((f, label_values(family, &labels)?))
    }
}

/// The pairs of a form, decoded a byte at a time.
pub(super) fn form(text: &str) -> Vec<(String, String)> {
    let decode = |part: &str| {
        let (bytes, mut decoded, mut at) = (part.as_bytes(), Vec::new(), 0);
        while at < bytes.len() {
            let hex =
                part.get(at + 1..at + 3).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
            match (bytes[at], hex) {
                (b'%', Some(hex)) => {
                    decoded.push(u8::from_str_radix(hex, 16).expect("two digits"));
                    at += 2;
                }
                (b'+', _) => decoded.push(b' '),
                (other, _) => decoded.push(other),
            }
            at += 1;
        }
        String::from_utf8_lossy(&decoded).into_owned()
    };
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    };
    text.split('&').filter(|pair| !pair.is_empty()).map(pair).collect()
}
