//! The table of bad input, row by row, through one check.

use std::collections::BTreeMap;
use std::panic::catch_unwind;

use lastmile::{Aggregator, Format, Limits, Schema, Source};

use crate::expo;
use crate::oracle::{Context, Pair, start};
use crate::rows::{Outcome, Row, rows};
use crate::schemas::everything;

#[test]
fn bad_input() {
    let rows = rows(10_000_000);
    let failed = rows.iter().filter(|row| catch_unwind(|| check(row)).is_err());
    let failed: Vec<&str> = failed.map(|row| row.name).collect();
    assert!(failed.is_empty(), "{} of {} rows: {failed:?}", failed.len(), rows.len());
}

fn check(row: &Row) {
    let excerpt: String = String::from_utf8_lossy(&row.body).chars().take(200).collect();
    let context = format!("{} ({}): {excerpt}", row.name, row.format.as_str());
    let _context = Context(context.clone());
    let mut pair = Pair::new(&everything());
    let before = pair.check();
    let got = match pair.push(row.format, &row.body) {
        Ok(report) => {
            let refused: BTreeMap<_, _> = report.refused().map(|(r, n)| (r.as_str(), n)).collect();
            (Ok((report.accepted(), refused)), 0)
        }
        Err(error) => (Err(error.reason().as_str()), error.offset()),
    };
    match &row.outcome {
        Outcome::Decoded(accepted, refused) => {
            let refused = refused.iter().copied().collect();
            assert_eq!(got.0, Ok((*accepted, refused)), "{context}");
        }
        Outcome::Failed(reason, at) => {
            assert_eq!(got.0, Err(*reason), "{context}");
            assert!(at.contains(&got.1), "{context}: offset {} is not in {at:?}", got.1);
        }
    }
    let after = pair.check();
    if got.0.is_err() || got.0.as_ref().is_ok_and(|(accepted, _)| *accepted == 0) {
        let users = |e: &expo::Exposition| {
            let users = e.families.iter().filter(|f| !crate::oracle::is_own(&f.name));
            users.cloned().collect::<Vec<_>>()
        };
        assert_eq!(users(&before), users(&after), "{context}: nothing counts");
    }
    // Whatever came, the next good push counts.
    let total = after.total("plain_total");
    let good = br#"[{"metricName":"plain_total","metricType":"counter","labels":{},"inc":1}]"#;
    pair.push(Format::Record, good).expect("it is good");
    assert_eq!(pair.check().total("plain_total"), total + 1.0, "{context}");
}

#[test]
fn a_body_of_2_gib_is_too_large() {
    let agg = Aggregator::new(Schema::builder().build().unwrap(), Limits::default(), start());
    // Zeroed memory that nobody touches costs nothing.
    let body = vec![0; 1 << 31];
    let agg = agg.expect("no family needs no room");
    for format in [Format::Record, Format::Lm1] {
        let error = agg.push(format, &body, &Source::default(), start()).unwrap_err();
        assert_eq!(error.reason().as_str(), "too_large");
        assert!(error.offset() <= body.len());
    }
}

#[test]
fn a_label_name_that_reaches_beyond_its_key_is_looked_for_within_it() {
    let label = lastmile::Label::closed("a\":1", ["x"]);
    let schema = Schema::builder().family(lastmile::Family::counter("f_total").label(label));
    let agg = Aggregator::new(schema.build().unwrap(), Limits::default(), start()).unwrap();
    for body in [r#"{"lm":1,"m":{"f_total;a":1="#, r#"{"lm":1,"m":{"f_total;a":1=x"#] {
        assert!(agg.push(Format::Lm1, body.as_bytes(), &Source::default(), start()).is_err());
    }
    let report = agg.push(
        Format::Lm1,
        br#"{"lm":1,"m":{"f_total;a\":1=x":2}}"#,
        &Source::default(),
        start(),
    );
    assert_eq!(report.unwrap().accepted(), 1);
}
