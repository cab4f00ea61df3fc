//! Which bucket a value falls into.
//!
//! The bounds within one doubling are client_golang's to the bit (prometheus/histogram.go,
//! `nativeHistogramBounds`), and Prometheus has the same (model/histogram/generic.go, `exponentialBounds`):
//! products that are up to 4 units in the last place beside the power that they stand for. What matters is
//! that a value on a bound falls into the bucket whose bound Prometheus says it is. The bounds of a schema are
//! every other of the next finer, so one index at the finest resolution gives that at any other by halving.

use std::f64::consts::SQRT_2;

/// The finest resolution: 256 buckets a doubling.
/// Source: client_golang `nativeHistogramSchemaMaximum` (prometheus/histogram.go).
pub(crate) const SCHEMA_MAX: i8 = 8;

/// The coarsest: a bucket for 16 doublings.
/// Source: client_golang `nativeHistogramSchemaMinimum` (prometheus/histogram.go).
pub(crate) const SCHEMA_MIN: i8 = -4;

/// Buckets of one doubling at the finest resolution.
const PER_DOUBLING: usize = 1 << SCHEMA_MAX;

/// The bits of a float behind its exponent.
const FRACTION_BITS: u32 = 52;
const FRACTION: u64 = (1 << FRACTION_BITS) - 1;

/// What an exponent of 0 is written as.
const BIAS: i32 = 1_023;

/// For each schema from 1 on, the factor between two bounds that client_golang's table was made with: 2^(1/2),
/// 2^(1/4) and so on, the first of them one unit in the last place below the nearest.
const FACTORS: [f64; SCHEMA_MAX as usize] = [
    f64::from_bits(SQRT_2.to_bits() - 1),
    1.189_207_115_002_721,
    1.090_507_732_665_257_7,
    1.044_273_782_427_413_8,
    1.021_897_148_654_116_6,
    1.010_889_286_051_700_5,
    1.005_429_901_112_802_7,
    1.002_711_275_050_202_5,
];

/// The bounds from 1 up to 2, without 2, at the finest resolution. Those of each schema that its next coarser
/// does not have are the bound before times the schema's factor.
const BOUNDS: [f64; PER_DOUBLING] = {
    let mut bounds = [1.0; PER_DOUBLING];
    let mut schema = 0;
    while schema < FACTORS.len() {
        let step = PER_DOUBLING >> (schema + 1);
        let mut at = step;
        while at < PER_DOUBLING {
            bounds[at] = bounds[at - step] * FACTORS[schema];
            at += 2 * step;
        }
        schema += 1;
    }
    bounds
};

/// Pieces of equal width that a doubling is cut into, each narrower than any bucket: so there is one bound in a
/// piece at most.
const N_PIECES: usize = 512;
const PIECE_SHIFT: u32 = FRACTION_BITS - N_PIECES.ilog2();

/// Bits of a bucket's number within its doubling, 0 to 256.
const BUCKET_BITS: u32 = 9;

/// For each piece, the bucket that its first value falls into, and above that the fraction bits of that
/// bucket's upper bound: what is above it in this piece falls into the next bucket.
static PIECES: [u64; N_PIECES] = {
    let mut pieces = [0; N_PIECES];
    let (mut piece, mut bucket) = (0, 0);
    while piece < N_PIECES {
        let start = (piece as u64) << PIECE_SHIFT;
        while fraction_of_bound(bucket) < start {
            bucket += 1;
        }
        pieces[piece] = fraction_of_bound(bucket) << BUCKET_BITS | bucket as u64;
        piece += 1;
    }
    pieces
};

/// The fraction bits of a bound; of 2 one more than all of them.
const fn fraction_of_bound(bucket: usize) -> u64 {
    if bucket == PER_DOUBLING { FRACTION + 1 } else { BOUNDS[bucket].to_bits() & FRACTION }
}

/// The index at the finest resolution of a value that has all its digits, as every one above
/// [`ZERO_THRESHOLD`](super::ZERO_THRESHOLD) does. One look at a table and one comparison.
#[inline]
pub(super) fn finest_index(v: f64) -> i32 {
    let bits = v.to_bits();
    let fraction = bits & FRACTION;
    let piece = PIECES[(fraction >> PIECE_SHIFT) as usize];
    let bucket = piece as i32 & ((1 << BUCKET_BITS) - 1);
    let is_above = fraction > piece >> BUCKET_BITS;
    let exponent = (bits >> FRACTION_BITS) as i32 - BIAS;
    exponent * PER_DOUBLING as i32 + bucket + i32::from(is_above)
}

/// The index of the same bucket after the resolution was halved so often: the bounds that stay are the upper
/// ones of even buckets, so half of it, rounded up.
#[inline]
pub(super) fn halved(idx: i32, times: u32) -> i32 {
    (idx + ((1 << times) - 1)) >> times
}

/// The upper bound of a bucket, as Prometheus computes it; for powers from 2^-1022 to 2^1023.
pub(crate) fn upper_bound(schema: i8, idx: i32) -> f64 {
    let finest = i64::from(idx) << (SCHEMA_MAX - schema);
    let exponent = finest >> SCHEMA_MAX;
    let fraction = fraction_of_bound((finest as usize) & (PER_DOUBLING - 1));
    let biased = (exponent + i64::from(BIAS)).clamp(1, 2_046) as u64;
    f64::from_bits(biased << FRACTION_BITS | fraction)
}
