//! What the query of `/metrics` asks for.

use std::borrow::Cow;

use lastmile::{OwnMetrics, ScrapeOptions};

/// Narrows a scrape to what the query asks for: `family[]=NAME` (or `family=NAME`), repeated, and
/// `own=only` or `own=none`. Any name that a family is shown under is one of it. Other parameters are passed
/// over. Cost: linear in the query's length, and an allocation for each name that has an escape.
///
/// # Errors
/// What to tell who asked: more names than a scrape takes, or a value of `own` that is none. An answer to
/// less than was meant, or to more, would be believed.
pub(crate) fn narrow(
    mut options: ScrapeOptions,
    query: Option<&str>,
) -> Result<ScrapeOptions, String> {
    let mut n_families = 0;
    for pair in query.unwrap_or_default().split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match &*decoded(name) {
            b"family" | b"family[]" => {
                n_families += 1;
                if n_families > ScrapeOptions::FAMILIES_MAX {
                    let max = ScrapeOptions::FAMILIES_MAX;
                    return Err(format!("A scrape is of at most {max} families, or of all."));
                }
                options = options.family(&String::from_utf8_lossy(&decoded(value)));
            }
            b"own" => {
                options = options.own(match &*decoded(value) {
                    b"only" => OwnMetrics::Only,
                    b"none" => OwnMetrics::Excluded,
                    _ => return Err("The parameter own is only or none.".to_owned()),
                });
            }
            _ => {}
        }
    }
    Ok(options)
}

/// The first value of a parameter, decoded. Cost: linear in the query's length.
pub(crate) fn value<'a>(query: Option<&'a str>, name: &[u8]) -> Option<Cow<'a, [u8]>> {
    let mut pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(given, _)| *decoded(given) == *name).map(|(_, value)| decoded(value))
}

/// Text without `+` and `%`. An escape that is none stays as it is.
///
/// Source: WHATWG URL, "application/x-www-form-urlencoded parsing" and "percent-decode".
fn decoded(text: &str) -> Cow<'_, [u8]> {
    let bytes = text.as_bytes();
    if !bytes.iter().any(|b| matches!(b, b'%' | b'+')) {
        return Cow::Borrowed(bytes);
    }
    let (mut out, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
    while let [first, after @ ..] = rest {
        let escaped = match *after {
            [high, low, ..] if *first == b'%' => escaped(high, low),
            _ => None,
        };
        match escaped {
            Some(byte) => {
                out.push(byte);
                rest = &after[2..];
            }
            None => {
                out.push(if *first == b'+' { b' ' } else { *first });
                rest = after;
            }
        }
    }
    Cow::Owned(out)
}

/// The byte that two hexadecimal digits behind a `%` stand for. Source: RFC 3986, §2.1.
pub(crate) fn escaped(high: u8, low: u8) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).map(|digit| digit as u8);
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_what_is_none_stays() {
        for (text, expected) in [
            ("", &b""[..]),
            ("a_b", b"a_b"),
            ("family%5B%5d", b"family[]"),
            ("a+b%2B", b"a b+"),
            ("%", b"%"),
            ("%4", b"%4"),
            ("%zz%41", b"%zzA"),
            ("%%41%", b"%A%"),
            ("%+1%e9", b"% 1\xe9"),
            ("\u{e9}%2", b"\xc3\xa9%2"),
        ] {
            assert_eq!(*decoded(text), *expected, "{text}");
        }
    }
}
