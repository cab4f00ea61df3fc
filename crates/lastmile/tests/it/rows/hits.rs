//! Hits: queries of an image.

use lastmile::Format::Hit;

use super::Rows;

pub(super) fn rows(rows: &mut Rows) {
    for (name, query, n) in [
        ("a hit", "m=plain_total", 1),
        ("a hit with a label", "m=loads;app=student", 1),
        ("a hit with its key escaped", "m=loads%3Bapp%3Dstudent", 1),
        ("a hit with an escaped value", "m=loads;app=st%2575dent", 1),
        ("several hits", "m=plain_total&m=plain_total&m=loads;app=teacher", 3),
        ("a hit among other parameters", "key=x&&m=plain_total&t=123&m&=", 1),
        ("a hit with an unlisted value", "m=loads;app=x+y", 1),
        ("a hit whose name is escaped", "%6d=plain%5Ftotal", 1),
    ] {
        let refused: &[_] = if query.contains("&m&") { &[("malformed", 1)] } else { &[] };
        rows.decoded(name, Hit, query, n, refused);
    }
    for (name, query, why) in [
        ("a hit of nothing", "m=", "malformed"),
        ("a hit of a broken key", "m=loads;app", "malformed"),
        ("a hit with a label twice", "m=loads;app=student;app=student", "malformed"),
        ("a hit with an escape that is none", "m=loads;app=%2", "malformed"),
        ("a hit of a value that is no UTF-8", "m=loads;app=%25ff", "malformed"),
        ("a hit of no family", "m=nope", "unknown_family"),
        ("a hit of an own family", "m=lastmile_series", "unknown_family"),
        ("a hit of a histogram", "m=wait_seconds", "type_mismatch"),
        ("a hit of a gauge", "m=users", "type_mismatch"),
        ("a hit of an open label", "m=views_total;page=/x", "type_mismatch"),
        ("a hit of an open label that the server sets", "m=region_total", "type_mismatch"),
        ("a hit without its label", "m=loads", "missing_label"),
        ("a hit with a label too many", "m=plain_total;app=x", "unknown_label"),
        ("a hit with a value that is refused", "m=strict_total;app=x", "label_value"),
    ] {
        rows.refused(name, Hit, query, why);
    }
    rows.failed("no query", Hit, "", "empty", 0..=0);
    rows.failed("a query without hits", Hit, "a=1&b=m&M=plain_total", "empty", 0..=21);
    rows.failed("a query that is no UTF-8", Hit, b"m=\xff".to_vec(), "invalid_utf8", 2..=2);
}
