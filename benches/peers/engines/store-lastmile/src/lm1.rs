use measure_store::{FAMILY, LABELS, labels};

/// One `lm1` line, as `lastmile.js` writes it.
#[derive(Debug)]
pub(crate) struct Line(Vec<u8>);

const HEAD: &str = r#"{"lm":1,"id":""#;
const ID: &str = "Zk3vTq81mWc0xHs9";

impl Line {
    /// One sample of each of these series.
    pub(crate) fn new(series: &[usize]) -> Self {
        let mut line = format!("{HEAD}{ID}\",\"m\":{{");
        for (n, idx) in series.iter().enumerate() {
            if n > 0 {
                line.push(',');
            }
            line.push('"');
            line.push_str(FAMILY);
            let values = labels(*idx);
            let mut labels: Vec<(&str, &String)> = LABELS.into_iter().zip(&values).collect();
            // Clients sort them by name.
            labels.sort();
            for (name, value) in labels {
                line.push(';');
                line.push_str(name);
                line.push('=');
                line.push_str(value);
            }
            line.push_str("\":1");
        }
        line.push_str("}}\n");
        Self(line.into_bytes())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The line with `n` as its id, in sixteen hexadecimal digits: an id names one batch for good.
    pub(crate) fn with_id(&mut self, n: u64) -> &[u8] {
        for (digit_idx, digit) in self.0[HEAD.len()..][..ID.len()].iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(n >> (60 - 4 * digit_idx)) as usize & 0xf];
        }
        &self.0
    }
}
