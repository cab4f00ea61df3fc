//! Paths without what names a person or a thing: `/users/42` becomes `/users/:id`.

/// What stands for a segment that names one thing of many.
const PLACEHOLDER: &[u8] = b":id";

/// A segment of more characters is an identifier, or as good as one.
const SEGMENT_CHARS_MAX: usize = 24;

/// Appends the template of a path to `out`: every segment with a digit, an `@`, or more than 24 characters
/// becomes `:id`, and a query or fragment goes. The template of a template is itself.
pub(crate) fn template_into(path: &[u8], out: &mut Vec<u8>) {
    let end = memchr::memchr2(b'?', b'#', path).unwrap_or(path.len());
    for (i, segment) in path[..end].split(|b| *b == b'/').enumerate() {
        if i > 0 {
            out.push(b'/');
        }
        out.extend_from_slice(if names_one(segment) { PLACEHOLDER } else { segment });
    }
}

/// Whether a path is its own template.
pub(crate) fn is_template(path: &[u8]) -> bool {
    memchr::memchr2(b'?', b'#', path).is_none() && !path.split(|b| *b == b'/').any(names_one)
}

fn names_one(segment: &[u8]) -> bool {
    // Bytes of UTF-8 that start a character.
    let n_chars = || segment.iter().filter(|b| **b & 0xC0 != 0x80).count();
    segment.iter().any(|b| b.is_ascii_digit() || *b == b'@')
        || (segment.len() > SEGMENT_CHARS_MAX && n_chars() > SEGMENT_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::{is_template, template_into};

    #[test]
    fn segments_that_name_one_thing_become_a_placeholder() {
        let check = |path: &str, wanted: &str| {
            let mut out = Vec::new();
            template_into(path.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), wanted, "{path}");
            assert_eq!(is_template(path.as_bytes()), path == wanted, "{path}");
            let mut again = Vec::new();
            template_into(&out, &mut again);
            assert_eq!(again, out, "the template of {wanted}");
        };
        check("", "");
        check("/", "/");
        check("/home", "/home");
        check("/users/42", "/users/:id");
        check("/users/42/", "/users/:id/");
        check("/users/:id", "/users/:id");
        check("/v2/a1b/list", "/:id/:id/list");
        check("/invite/ann@school.example", "/invite/:id");
        check("/search?q=secret", "/search");
        check("/app#/inner", "/app");
        check("?", "");
        check("//", "//");
        check(&format!("/{}/x", "a".repeat(24)), &format!("/{}/x", "a".repeat(24)));
        check(&format!("/{}/x", "a".repeat(25)), "/:id/x");
        check(&format!("/{}", "é".repeat(24)), &format!("/{}", "é".repeat(24)));
        check(&format!("/{}", "é".repeat(25)), "/:id");
        check("/%20", "/:id");
    }
}
