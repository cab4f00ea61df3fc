//! Forms and queries: `name=value&…`, as browsers write them.

/// Each pair, neither part decoded: where the name starts and ends, and where the value does.
pub(super) fn pairs(form: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pair = |pair| match memchr::memchr(b'=', pair) {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, &[][..]),
    };
    form.split(|b| *b == b'&').filter(|pair| !pair.is_empty()).map(pair)
}

/// Appends a part of a form, decoded: `+` is a space, `%xx` a byte, an escape that is none stays, and what is no
/// UTF-8 then becomes U+FFFD. Source: WHATWG URL, "application/x-www-form-urlencoded parsing".
pub(super) fn decode_into(part: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let mut rest = part;
    while let Some(at) = memchr::memchr2(b'%', b'+', rest) {
        out.extend_from_slice(&rest[..at]);
        let escaped = match rest[at..] {
            [b'%', high, low, ..] => escaped(high, low),
            _ => None,
        };
        match (rest[at], escaped) {
            (_, Some(byte)) => out.push(byte),
            (b'+', None) => out.push(b' '),
            (other, None) => out.push(other),
        }
        rest = &rest[at + if escaped.is_some() { 3 } else { 1 }..];
    }
    out.extend_from_slice(rest);
    if std::str::from_utf8(&out[start..]).is_err() {
        let text = String::from_utf8_lossy(&out[start..]).into_owned();
        out.truncate(start);
        out.extend_from_slice(text.as_bytes());
    }
}

fn escaped(high: u8, low: u8) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).map(|digit| digit as u8);
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_decoded_and_what_is_no_escape_stays() {
        for (part, wanted) in [
            ("", ""),
            ("a.b_c-d", "a.b_c-d"),
            ("a+b%2B", "a b+"),
            ("%41%", "A%"),
            ("%4", "%4"),
            ("%zz%41+", "%zzA "),
            ("%C3%A9", "é"),
            ("é%26", "é&"),
            ("%ff", "\u{fffd}"),
            ("%C3+", "\u{fffd} "),
        ] {
            let mut out = b"before".to_vec();
            decode_into(part.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), format!("before{wanted}"), "{part}");
        }
    }

    #[test]
    fn pairs_are_split_at_the_first_sign() {
        let read = |form: &'static str| -> Vec<(&[u8], &[u8])> { pairs(form.as_bytes()).collect() };
        assert_eq!(
            read("a=1&&b&=2&c==3&"),
            [(&b"a"[..], &b"1"[..]), (b"b", b""), (b"", b"2"), (b"c", b"=3"),]
        );
        assert!(read("").is_empty());
    }
}
