use super::*;
use crate::readers::Moment;
use crate::schema::{Family, Label};
use crate::store::block::Block;

/// Each series of a block is found to be itself and no other, with its values wherever they may stand: in the
/// body of a push and in the arena, at their ends and not, short and long, in rows that need escapes and not, and with
/// any of them replaced by `other`.
#[test]
fn a_row_is_its_series_alone() {
    let long = "/a/path/that/is/longer/than/what/is/compared/at/once";
    let texts_of = |n_labels: usize| -> Vec<Vec<String>> {
        let ends = (0..40).flat_map(|n| [long[..n].to_owned(), format!("{}x", &long[..n])]);
        let others = ["x\"y", "x\\", "\n", ",", "é", "othe", "other", "others", long];
        let others = others.map(str::to_owned);
        let values: Vec<String> = ends.chain(others).collect();
        let series = (0..values.len() * n_labels.min(3)).map(|i| {
            let value =
                |label: usize| values[(i + label * (i / values.len() + 1)) % values.len()].clone();
            (0..n_labels).map(value).collect()
        });
        if n_labels == 0 { vec![Vec::new()] } else { series.collect() }
    };
    for n_labels in 0..4 {
        let names = ["app", "page", "a_name_that_is_rather_long_for_a_label"];
        let labels = names.iter().take(n_labels).map(|name| Label::open(*name, 1));
        let family = labels.fold(Family::counter("loads_total"), Family::label);
        let family = FamilyState::new(0, family, Default::default());
        let mut series = texts_of(n_labels);
        series.sort();
        series.dedup();
        let bodies: Vec<Vec<u8>> =
            series.iter().map(|values| values.concat().into_bytes()).collect();
        // By the room that is left behind the texts.
        for n_behind in [0, 8, 64] {
            let mut block = Block::new(&family, 0);
            let sources: Vec<(Vec<u8>, [Vec<Text>; 2])> = series
                .iter()
                .zip(&bodies)
                .map(|(values, body)| {
                    let mut starts = 0;
                    let in_body = values.iter().map(|value| {
                        starts += value.len();
                        Text::in_body(starts - value.len(), starts)
                    });
                    let in_body: Vec<Text> = in_body.collect();
                    let mut arena = Vec::new();
                    let in_arena =
                        values.iter().map(|value| Text::put(&mut arena, value.as_bytes()));
                    let in_arena: Vec<Text> = in_arena.collect();
                    let behind = vec![b'"'; n_behind];
                    ([body.as_slice(), &behind].concat(), [in_body, in_arena])
                })
                .collect();
            let key = |i: usize, source: usize, folded: u32| {
                let (bytes, values) = &sources[i];
                let texts = Texts { body: bytes, arena: bytes };
                Key { family: &family, values: &values[source], texts, folded, hash: 0 }
            };
            for i in 0..series.len() {
                block.push(&key(i, 1, 0), 0, 0, Moment::default());
            }
            let is_folded = |values: &[String], of: &[String], folded: u32| {
                values.iter().zip(of).enumerate().all(|(label, (value, of))| {
                    value == if folded & (1 << label) == 0 { of } else { OTHER }
                })
            };
            for (i, row) in block.rows.iter().enumerate() {
                for j in 0..series.len() {
                    let is_special = key(j, 1, 0).is_special();
                    for (source, folded) in (0..2 << n_labels).map(|n| (n & 1, n as u32 >> 1)) {
                        // What needs escapes never stands in a body as it is.
                        if source == 1 || !is_special {
                            let found = key(j, source, folded).matches(block.bodies().stored(row));
                            let is = is_folded(&series[i], &series[j], folded);
                            assert_eq!(found, is, "{:?} {:?} {folded:b}", series[i], series[j]);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn same_is_equality() {
    for len in 0..70 {
        let a: Vec<u8> = (0..len).map(|i| i as u8).collect();
        assert!(same(&a, &a.clone()));
        assert!(!same(&a, &[a.as_slice(), b"x"].concat()));
        for i in 0..len {
            let mut b = a.clone();
            b[i] ^= 0x80;
            assert!(!same(&a, &b), "{len} bytes, byte {i}");
        }
    }
}

#[test]
fn escaping_is_undone() {
    for value in ["", "plain", "a\"b", "\\", "\n", "\\n", "é\"\n\\", "x\"} 1\nup{job=\"victim"] {
        let mut escaped = Vec::new();
        escape_into(value.as_bytes(), &mut escaped);
        assert!(memchr::memchr(b'\n', &escaped).is_none());
        assert_eq!(unescape(&escaped), value.as_bytes());
    }
}
