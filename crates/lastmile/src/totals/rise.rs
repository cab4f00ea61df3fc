//! What a total says beyond the one before.
//!
//! A total is words. Those of a number are its type and its bits, those of buckets
//!
//! ```text
//! [sum][scale, or EXPLICIT][hash of the bounds, or bits of the zero threshold][offset][zeros] [count] …
//! ```
//! A fall is a reset where one may be: what is there now all came since. Of buckets any that falls is one, as in
//! Prometheus.
//! Source: prometheus model/histogram/histogram.go, `DetectReset` of floats: "if any bucket count ... decreased".

use std::iter::Peekable;

use super::Last;

/// A number as clients have them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Amount {
    Whole(i64),
    Double(f64),
}

/// What a point adds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rise<T> {
    By(T),
    /// Nothing: what of it was counted before is not known.
    Baseline,
    /// Nothing: more than that was counted, or a later point, or there is no room to keep this one.
    Behind,
}

impl Amount {
    pub(crate) fn to_f64(self) -> f64 {
        match self {
            Self::Whole(n) => n as f64,
            Self::Double(v) => v,
        }
    }

    /// The words of this total.
    pub(crate) fn words(self) -> [u64; 2] {
        match self {
            Self::Whole(n) => [0, n as u64],
            Self::Double(v) => [1, v.to_bits()],
        }
    }

    fn of_words(words: &[u64]) -> Self {
        match words {
            [0, n] => Self::Whole(*n as i64),
            [_, bits] => Self::Double(f64::from_bits(*bits)),
            _ => Self::Whole(0),
        }
    }

    /// How much this total is above the last. Neither is below 0.
    pub(crate) fn rise(self, last: Last<'_>) -> Rise<f64> {
        let (words, may_reset) = match last {
            Last::Nothing => return Rise::By(self.to_f64()),
            Last::Known { words, may_reset } => (words, may_reset),
        };
        let rise = match (self, Self::of_words(words)) {
            // Exact beyond 2^53 too; the difference of what is not below 0 does not overflow.
            (Self::Whole(now), Self::Whole(last)) => (now - last) as f64,
            (now, last) => now.to_f64() - last.to_f64(),
        };
        match rise {
            _ if rise >= 0.0 => Rise::By(rise),
            _ if may_reset => Rise::By(self.to_f64()),
            _ => Rise::Behind,
        }
    }
}

/// The second word of buckets with bounds of their own.
const EXPLICIT: u64 = u64::MAX;

/// Words before the counts.
const HEAD: usize = 5;

/// The words of a total of buckets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buckets<'a>(&'a [u64]);

/// What buckets rose by, besides the counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Counted {
    pub(crate) sum: f64,
    pub(crate) zeros: u64,
    /// The resolution of the counts, the coarser of both.
    pub(crate) scale: i32,
}

impl<'a> Buckets<'a> {
    /// Of bounds with this hash.
    pub(crate) fn explicit(
        out: &'a mut Vec<u64>,
        sum: f64,
        bounds: u64,
        counts: impl IntoIterator<Item = u64>,
    ) -> Self {
        out.clear();
        out.extend([sum.to_bits(), EXPLICIT, bounds, 0, 0]);
        out.extend(counts);
        Self(out)
    }

    /// Exponential ones: bucket `offset + i` of `counts`, at a scale.
    pub(crate) fn exponential(
        out: &'a mut Vec<u64>,
        sum: f64,
        (scale, offset): (i32, i32),
        (threshold, zeros): (f64, u64),
        counts: impl IntoIterator<Item = u64>,
    ) -> Self {
        out.clear();
        let (scale, offset) = (u64::from(scale as u32), i64::from(offset) as u64);
        out.extend([sum.to_bits(), scale, threshold.to_bits(), offset, zeros]);
        out.extend(counts);
        Self(out)
    }

    pub(crate) fn words(self) -> &'a [u64] {
        self.0
    }

    fn sum(self) -> f64 {
        f64::from_bits(self.0[0])
    }

    fn scale(self) -> i32 {
        if self.0[1] == EXPLICIT { 0 } else { self.0[1] as u32 as i32 }
    }

    fn zeros(self) -> u64 {
        self.0[4]
    }

    /// Whether counts of both can be compared: of the same bounds, or of the same threshold for zero.
    fn is_like(self, other: Buckets<'_>) -> bool {
        let is_explicit = |words: &[u64]| words[1] == EXPLICIT;
        other.0.len() >= HEAD
            && is_explicit(self.0) == is_explicit(other.0)
            && self.0[2] == other.0[2]
            && (!is_explicit(self.0) || self.0.len() == other.0.len())
    }

    /// Index and count of each bucket that is not empty, at a scale that is no finer.
    fn counts(self, scale: i32) -> Peekable<impl Iterator<Item = (i64, u64)> + 'a> {
        let shift = (self.scale() - scale).clamp(0, 63) as u32;
        let mut counts = (self.0[3] as i64..).zip(self.0[HEAD..].iter().copied()).peekable();
        let coarser = std::iter::from_fn(move || {
            let (idx, mut count) = counts.find(|(_, count)| *count > 0)?;
            let idx = idx >> shift;
            while let Some((_, more)) = counts.next_if(|(next, _)| next >> shift == idx) {
                count += more;
            }
            Some((idx, count))
        });
        coarser.peekable()
    }

    /// How much this total is above the last; appends to `out` index and count of each bucket that rose.
    pub(crate) fn rise(self, last: Last<'_>, out: &mut Vec<(i64, u64)>) -> Rise<Counted> {
        out.clear();
        let (last, may_reset) = match last {
            Last::Nothing => return Rise::By(self.all(out)),
            Last::Known { words, may_reset } => (Buckets(words), may_reset),
        };
        if !self.is_like(last) {
            return Rise::Baseline;
        }
        let scale = self.scale().min(last.scale());
        if self.zeros() >= last.zeros() && self.counts_above(last, scale, out) {
            let (sum, zeros) = (self.sum() - last.sum(), self.zeros() - last.zeros());
            return Rise::By(Counted { sum, zeros, scale });
        }
        out.clear();
        if may_reset { Rise::By(self.all(out)) } else { Rise::Behind }
    }

    fn all(self, out: &mut Vec<(i64, u64)>) -> Counted {
        let scale = self.scale();
        out.extend(self.counts(scale));
        Counted { sum: self.sum(), zeros: self.zeros(), scale }
    }

    /// Appends by how much each bucket rose; `false` if any fell.
    fn counts_above(self, last: Buckets<'_>, scale: i32, out: &mut Vec<(i64, u64)>) -> bool {
        let mut before = last.counts(scale);
        for (idx, now) in self.counts(scale) {
            let rise = match before.next_if(|(last, _)| *last <= idx) {
                None => Some(now),
                Some((last, count)) if last == idx => now.checked_sub(count),
                Some(_) => None,
            };
            match rise {
                None => return false,
                Some(0) => {}
                Some(n) => out.push((idx, n)),
            }
        }
        before.next().is_none()
    }
}
