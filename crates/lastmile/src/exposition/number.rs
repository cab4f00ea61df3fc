//! Numbers as expositions spell them.

use super::{Out, SLACK};
use crate::value::Sum;

/// `00` to `99`.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut n = 0;
    while n < 100 {
        pairs[n] = [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
        n += 1;
    }
    pairs
};

/// Most digits of a 64-bit number.
const DIGITS_MAX: usize = 20;

/// Writes a whole number and ends the line.
#[inline(always)]
pub(super) fn whole(out: &mut Out<'_>, n: u64) {
    let len = digits(out.room(), 0, n);
    out.advance(len);
}

/// Writes a whole number at `at` of `room`, and a line feed behind it: where that ends. Two digits at a time
/// from the right, to where they stay: written aside, a copy would wait for the last of them to be stored.
#[inline(always)]
pub(super) fn digits(room: &mut [u8; SLACK], at: usize, mut n: u64) -> usize {
    let at = at.min(SLACK - DIGITS_MAX - 2);
    if n < 10 {
        room[at] = b'0' + n as u8;
        room[at + 1] = b'\n';
        return at + 2;
    }
    let len = (n.ilog10() as usize + 1).min(DIGITS_MAX);
    let end = at + len;
    room[end] = b'\n';
    let mut left = len;
    while n >= 100 && left >= 2 {
        left -= 2;
        room[at + left..at + left + 2].copy_from_slice(&PAIRS[(n % 100) as usize]);
        n /= 100;
    }
    if n >= 10 {
        room[at..at + 2].copy_from_slice(&PAIRS[n as usize % 100]);
    } else {
        room[at] = b'0' + n as u8;
    }
    end + 1
}

/// Writes a sum and ends the line: all digits of a whole one, the shortest text that reads back as its
/// nearest `f64` of any other.
#[inline(never)]
pub(super) fn sum(out: &mut Out<'_>, sum: Sum) {
    match sum.as_whole() {
        Some(n) => {
            out.put(itoa::Buffer::new().format(n).as_bytes());
            out.put(b"\n");
        }
        None => float(out, sum.to_f64()),
    }
}

/// Writes a finite float, shortest text that reads back equal, without `.0`, and ends the line.
pub(super) fn float(out: &mut Out<'_>, v: f64) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format(v);
    out.put(text.strip_suffix(".0").unwrap_or(text).as_bytes());
    out.put(b"\n");
}

/// Any float as text, in the same way.
/// Source: OpenMetrics 1.0 §Numbers (specification/OpenMetrics.md); Prometheus docs/instrumenting/
/// exposition_formats.md, "`NaN`, `+Inf`, and `-Inf`".
#[cfg(feature = "prometheus-client")]
pub(super) fn any_float(v: f64) -> String {
    if v.is_nan() {
        return "NaN".to_owned();
    }
    if v.is_infinite() {
        return if v > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format(v);
    text.strip_suffix(".0").unwrap_or(text).to_owned()
}

/// Writes an instant in seconds, and ends the line.
pub(super) fn seconds(out: &mut Out<'_>, ms: u64) {
    out.put(itoa::Buffer::new().format(ms / 1000).as_bytes());
    let [hundreds, tens, ones] = [ms / 100, ms / 10, ms].map(|n| b'0' + (n % 10) as u8);
    out.put(&[b'.', hundreds, tens, ones, b'\n']);
}

/// A bound as OpenMetrics' canonical float: `1.0`, `0.05`, `1e+06`, `2.5e-05`.
///
/// Source: client_golang's and prometheus/common's `writeOpenMetricsFloat` (expfmt/openmetrics_create.go),
/// Go's shortest `%g` (an exponent below -4 or from 6 significant whole digits on is written out as one)
/// with `.0` added to what has neither a point nor an exponent.
pub(super) fn canonical(v: f64) -> String {
    let scientific = format!("{v:e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("`{:e}` writes an exponent");
    let exponent: i32 = exponent.parse().expect("`{:e}` writes a whole exponent");
    if v != 0.0 && !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let plain = format!("{v}");
    if plain.contains('.') { plain } else { plain + ".0" }
}

/// A bound as JavaScript's `String(v)` prints it: `1`, `0.05`, `1e-7`, `1e+21`.
/// Source: ECMA-262 §6.1.6.1.20 Number::toString.
pub(super) fn javascript(v: f64) -> String {
    if v != 0.0 && (v.abs() < 1e-6 || v.abs() >= 1e21) {
        let scientific = format!("{v:e}");
        if scientific.contains("e-") { scientific } else { scientific.replace('e', "e+") }
    } else {
        format!("{v}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_spelled_as_their_sources_do() {
        for (v, go, js) in [
            (0.0, "0.0", "0"),
            (1.0, "1.0", "1"),
            (0.05, "0.05", "0.05"),
            (100.0, "100.0", "100"),
            (1.2, "1.2", "1.2"),
            (100_000.0, "100000.0", "100000"),
            (1e6, "1e+06", "1000000"),
            (1_234_567.0, "1.234567e+06", "1234567"),
            (0.0001, "0.0001", "0.0001"),
            (0.000_025, "2.5e-05", "0.000025"),
            (1e-7, "1e-07", "1e-7"),
            (1e21, "1e+21", "1e+21"),
            (-2.5, "-2.5", "-2.5"),
        ] {
            assert_eq!((canonical(v).as_str(), javascript(v).as_str()), (go, js));
        }
    }

    #[test]
    fn whole_numbers_are_those_of_the_standard_library() {
        let powers = (0..20).map(|e| 10_u64.pow(e));
        for n in powers.flat_map(|p| [p - 1, p, p + 1, p.saturating_mul(7)]).chain([u64::MAX]) {
            let mut bytes = [0; 64 + SLACK];
            let mut out = Out::new(&mut bytes, 0);
            whole(&mut out, n);
            let end = out.end();
            assert_eq!(std::str::from_utf8(&bytes[..end]).unwrap(), format!("{n}\n"));
        }
    }

    #[test]
    fn instants_are_seconds_with_milliseconds() {
        for (ms, expect) in [
            (0, "0.000\n"),
            (7, "0.007\n"),
            (1_700_000_000_250, "1700000000.250\n"),
            (u64::MAX, "18446744073709551.615\n"),
        ] {
            let mut bytes = [0; 64 + SLACK];
            let mut out = Out::new(&mut bytes, 0);
            seconds(&mut out, ms);
            let end = out.end();
            assert_eq!(std::str::from_utf8(&bytes[..end]).unwrap(), expect);
        }
    }

    #[test]
    fn sums_keep_all_digits() {
        let mut past_float = Sum::from_whole(1 << 53);
        past_float.add_whole(1);
        let mut past_u64 = Sum::from_whole(u64::MAX);
        past_u64.add_whole(1);
        let mut fraction = Sum::default();
        fraction.add(0.1, 3);
        for (value, expect) in [
            (Sum::default(), "0"),
            (Sum::from_whole(7), "7"),
            (past_float, "9007199254740993"),
            (past_u64, "18446744073709551616"),
            (fraction, "0.30000000000000004"),
        ] {
            let mut bytes = [0; 64 + SLACK];
            let mut out = Out::new(&mut bytes, 0);
            sum(&mut out, value);
            let end = out.end();
            assert_eq!(std::str::from_utf8(&bytes[..end]).unwrap(), format!("{expect}\n"));
        }
    }
}
