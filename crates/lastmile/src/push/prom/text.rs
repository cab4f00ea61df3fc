//! Prometheus text, line by line: 0.0.4, and what OpenMetrics has beyond it.

use super::lines::{Lines, Type};
use super::scan::Scan;
use super::{Result, SAMPLES_MAX};
use crate::push::error::{DecodeError, DecodeReason};
use crate::push::report::Counts;
use crate::push::samples::Samples;
use crate::store::Text;

/// Reads a body that is UTF-8, and resolves each line that is a sample.
pub(super) fn read(
    lines: &mut Lines<'_, '_>,
    samples: &mut Samples,
    counts: &mut Counts,
) -> Result<()> {
    let body = lines.body;
    Reader { body, scan: Scan::new(body), block: None, lines }.read(samples, counts)
}

struct Reader<'a, 'l, 'h> {
    body: &'a [u8],
    scan: Scan<'a>,
    /// What the last `# TYPE` said.
    block: Option<(Text, Type)>,
    lines: &'l mut Lines<'a, 'h>,
}

impl Reader<'_, '_, '_> {
    fn read(&mut self, samples: &mut Samples, counts: &mut Counts) -> Result<()> {
        let mut n_samples = 0;
        while !self.scan.is_at_end() {
            match self.scan.peek() {
                b'\n' => self.scan.end_line("")?,
                b'#' => {
                    if self.comment(samples)? {
                        return match self.scan.is_at_end() {
                            true => Ok(()),
                            false => Err(self.scan.fault("text goes on behind `# EOF`")),
                        };
                    }
                }
                _ if n_samples == SAMPLES_MAX => {
                    let at = self.scan.offset();
                    let detail = "there are more than 262,144 samples";
                    return Err(DecodeError::new(DecodeReason::TooManyLines, at, detail));
                }
                _ => {
                    n_samples += 1;
                    self.sample(samples, counts)?;
                }
            }
        }
        Ok(())
    }

    /// Reads a line that begins with `#`; whether it is `# EOF`.
    fn comment(&mut self, samples: &mut Samples) -> Result<bool> {
        self.scan.eat(b'#');
        self.scan.peek();
        match self.scan.word() {
            b"EOF" if self.scan.peek() == b'\n' => {
                self.scan.end_line("")?;
                return Ok(true);
            }
            b"TYPE" => {
                self.scan.peek();
                let name = self.scan.metric(samples)?;
                self.scan.peek();
                let at = self.scan.clone();
                let Some(kind) = Type::named(self.scan.word()) else {
                    return Err(at.fault("expected the type of a metric"));
                };
                self.block = Some((name, kind));
                self.lines.said(name, samples);
                self.scan.end_line("text goes on behind the type")?;
            }
            _ => self.scan.skip_line(),
        }
        Ok(false)
    }

    /// Reads a line with a sample, and resolves it.
    fn sample(&mut self, samples: &mut Samples, counts: &mut Counts) -> Result<()> {
        samples.labels.clear();
        let mut name = None;
        if self.scan.peek() != b'{' {
            name = Some(self.scan.metric(samples)?);
            self.scan.peek();
        }
        if self.scan.eat(b'{') {
            self.labels(&mut name, samples)?;
        } else if !self.follows_gap() {
            return Err(self.scan.fault("expected labels or a value"));
        }
        let Some(name) = name else { return Err(self.scan.fault("expected the name of a metric")) };
        self.scan.peek();
        let value = self.scan.number()?;
        if self.scan.peek() != b'\n' {
            self.behind_value(samples)?;
        }
        self.scan.end_line("text goes on behind the sample")?;
        self.lines.resolve(name, self.block, value, samples, counts);
        Ok(())
    }

    /// Whether the byte before is a space or a tab.
    fn follows_gap(&self) -> bool {
        let before = self.scan.offset().checked_sub(1).and_then(|at| self.body.get(at));
        matches!(before, Some(b' ' | b'\t'))
    }

    /// Reads labels whose brace was the last byte, and the name of the metric where it stands among them.
    #[inline]
    fn labels(&mut self, metric: &mut Option<Text>, samples: &mut Samples) -> Result<()> {
        loop {
            let first = self.scan.peek();
            if self.scan.eat(b'}') {
                return Ok(());
            }
            let label = self.scan.label(samples)?;
            let next = self.scan.peek();
            if first == b'"' && matches!(next, b',' | b'}') && metric.is_none() {
                *metric = Some(label);
            } else {
                if !self.scan.eat(b'=') {
                    return Err(self.scan.fault("expected `=`"));
                }
                self.scan.peek();
                if !self.scan.eat(b'"') {
                    return Err(self.scan.fault("expected a quoted value"));
                }
                let value = self.scan.string(samples)?;
                samples.labels.push((label, value));
                self.scan.peek();
            }
            if !self.scan.eat(b',') {
                if self.scan.eat(b'}') {
                    return Ok(());
                }
                return Err(self.scan.fault("expected `,` or `}`"));
            }
        }
    }

    /// Passes over a timestamp and an exemplar.
    #[cold]
    fn behind_value(&mut self, samples: &mut Samples) -> Result<()> {
        if self.scan.peek() != b'#' {
            self.scan.number()?;
        }
        if self.scan.peek() != b'#' {
            return Ok(());
        }
        self.scan.eat(b'#');
        self.scan.peek();
        if !self.scan.eat(b'{') {
            return Err(self.scan.fault("expected the labels of an exemplar"));
        }
        let n_labels = samples.labels.len();
        // A quoted text alone is no label here.
        self.labels(&mut Some(Text::EMPTY), samples)?;
        samples.labels.truncate(n_labels);
        self.scan.peek();
        self.scan.number()?;
        if self.scan.peek() != b'\n' {
            self.scan.number()?;
        }
        Ok(())
    }
}
