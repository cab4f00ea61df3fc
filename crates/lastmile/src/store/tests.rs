use super::block::ROWS_MAX;
use super::*;
use crate::push::{Number, Refusal};
use crate::schema::Label;
use crate::time::Ticks;

const NOW: Ticks = 7;

/// A store of one counter family with these labels.
fn store(labels: Vec<Label>, limits: &Limits) -> Result<Store, Error> {
    let family = labels.into_iter().fold(Family::counter("loads_total"), Family::label);
    Store::new([family], &Arc::default(), limits, Some(2))
}

/// Adds 1 to the series with these values and gives the label body it was counted under.
fn inc(store: &Store, values: &[&str]) -> Result<String, Refusal> {
    inc_at(store, values, NOW)
}

fn inc_at(store: &Store, values: &[&str], now: Ticks) -> Result<String, Refusal> {
    let mut arena = Vec::new();
    let values: Vec<Text> = values.iter().map(|v| Text::put(&mut arena, v.as_bytes())).collect();
    let texts = Texts { body: &[], arena: &arena };
    let catalog = store.catalog();
    let family = catalog.family(0);
    let key = Key { family, values: &values, texts, folded: 0, hash: 0 }.fold(0);
    let arrival = store.arrival(&Source::default(), now);
    let mut admission = family.incarnation().admission.lock();
    let mut rows = admission::Locked::none();
    let (row, _) = store.admit(&mut admission, &key, &key.value_hashes(), &arrival, &mut rows)?;
    let rows = rows.held().expect("the row is in the shard that is held");
    rows.update(row, family, &[Number { value: 1.0, n: 1 }], store.moment(now));
    Ok(String::from_utf8(rows.body_of(row).to_vec()).expect("bodies are UTF-8"))
}

/// The rows of all shards that are exposed, by label body.
fn rows(store: &Store) -> std::collections::BTreeMap<String, u64> {
    let mut rows = std::collections::BTreeMap::new();
    for shard in 0..store.n_shards() {
        let shard = store.shard(shard);
        for &id in shard.blocks_of(0) {
            let block = shard.block(id);
            for row in block.rows.iter().filter(|row| row.flags & UNUSED == 0) {
                let body = String::from_utf8(block.body(row).to_vec()).expect("bodies are UTF-8");
                assert!(rows.insert(body, row.value).is_none(), "a series stands twice");
            }
        }
    }
    rows
}

#[test]
fn identity_is_the_whole_key() {
    let pairs = [
        ["ab", "c"],
        ["a", "bc"],
        ["abc", ""],
        ["a\",b=\"", "c"],
        ["a", "\",b=\"c"],
        ["\\", "\\n"],
        ["\n", "\\"],
    ];
    let store =
        store(vec![Label::open("a", 100), Label::open("b", 100)], &Limits::default()).unwrap();
    for _ in 0..2 {
        for pair in &pairs {
            inc(&store, pair).unwrap();
        }
    }
    let rows = rows(&store);
    assert_eq!(rows.len(), pairs.len(), "{rows:?}");
    assert!(rows.values().all(|n| *n == 2), "{rows:?}");
}

#[test]
fn a_full_label_folds_alone() {
    let labels = vec![Label::open("page", 2), Label::closed("app", ["x", "y"])];
    let store = store(labels, &Limits::default()).unwrap();
    for (page, app, body) in [
        ("/1", "x", r#"page="/1",app="x""#),
        ("/2", "y", r#"page="/2",app="y""#),
        ("/3", "x", r#"page="other",app="x""#),
        ("/1", "y", r#"page="/1",app="y""#),
        ("/1", "z", r#"page="/1",app="other""#),
        ("/4", "z", r#"page="other",app="other""#),
        ("other", "x", r#"page="other",app="x""#),
    ] {
        assert_eq!(inc(&store, &[page, app]).as_deref(), Ok(body));
    }
}

#[test]
fn at_a_limit_open_labels_fold_and_closed_ones_stay() {
    let labels = || vec![Label::open("page", 1000), Label::closed("app", ["x"])];
    let few = Limits::default().series_per_family(4);
    let small = Limits::default().bytes(900);
    for limits in [few, small] {
        let store = store(labels(), &limits).unwrap();
        let mut folded = 0;
        for i in 0..100 {
            let page = format!("/{i}");
            let body = inc(&store, &[page.as_str(), "x"]).unwrap();
            if body == r#"page="other",app="x""# {
                folded += 1;
            } else {
                assert_eq!(folded, 0, "a place was found after the limit was reached");
            }
        }
        assert!((90..100).contains(&folded), "{folded} of 100 folded");
        assert_eq!(
            inc(&store, &["/0", "x"]).as_deref(),
            Ok(r#"page="/0",app="x""#),
            "an existing series counts on"
        );
        assert_eq!(rows(&store).values().sum::<u64>(), 101, "the total is true");
        assert!(store.bytes_used() <= limits.bytes_max());
    }
}

#[test]
fn reservations_beyond_a_limit_are_a_mistake_that_names_the_product() {
    let labels = || {
        vec![
            Label::closed("a", ["1", "2", "3"]),
            Label::closed("b", ["1", "2"]),
            Label::open("c", 5),
        ]
    };
    let e = store(labels(), &Limits::default().series_per_family(11)).unwrap_err();
    assert!(e.is_limit());
    assert!(e.to_string().contains("`loads_total`") && e.to_string().contains("12 series"), "{e}");
    assert!(store(labels(), &Limits::default().bytes(1_000)).unwrap_err().is_limit());
    assert!(store(labels(), &Limits::default().series_per_family(12)).is_ok());
}

#[test]
fn blocks_and_tables_grow_without_losing_a_row() {
    let labels = vec![Label::open("user", 5_000)];
    let store = store(labels, &Limits::default()).unwrap();
    for round in 1..=2 {
        for i in 0..3_000 {
            inc(&store, &[format!("user-{i}").as_str()]).unwrap();
        }
        let rows = rows(&store);
        assert_eq!(rows.len(), 3_000);
        assert!(rows.values().all(|n| *n == round));
    }
}

#[test]
fn what_stays_of_many_blocks_comes_together_unless_somebody_walks() {
    const LATER: Ticks = NOW + 40_000;
    for walks in [false, true] {
        let store = store(vec![Label::open("user", 10_000)], &Limits::default()).unwrap();
        for i in 0..8_000 {
            inc(&store, &[format!("user-{i}").as_str()]).unwrap();
        }
        let used_by_one = store.bytes_used() / 8_000;
        for i in (0..8_000).step_by(64) {
            inc_at(&store, &[format!("user-{i}").as_str()], LATER - 1).unwrap();
        }
        let _walk = walks.then(|| store.walk());
        assert_eq!(store.expire(LATER), 8_000 - 125);
        let rows = rows(&store);
        assert!(rows.len() == 125 && rows.values().all(|n| *n == 2), "{rows:?}");
        let n_blocks: usize = (0..2).map(|shard| store.shard(shard).blocks_of(0).len()).sum();
        assert_eq!(n_blocks > 10, walks, "{n_blocks} blocks");
        assert!(store.bytes_used() <= 130 * used_by_one);
        for i in (0..8_000).step_by(64) {
            let user = format!("user-{i}");
            assert_eq!(inc_at(&store, &[&user], LATER), Ok(format!("user=\"{user}\"")));
        }
        assert_eq!(self::rows(&store).len(), 125, "each was found");
    }
}

#[test]
fn a_block_is_found_behind_any_number_whatever_place_is_guessed() {
    const LATER: Ticks = NOW + 40_000;
    let store = store(vec![Label::open("user", 10_000)], &Limits::default()).unwrap();
    let users = |now, is_wanted: fn(usize) -> bool| {
        for i in (0..4_000).filter(|i| is_wanted(*i)) {
            inc_at(&store, &[format!("user-{i}").as_str()], now).unwrap();
        }
    };
    users(NOW, |_| true);
    // Of every second block nothing stays; the first row is `other`.
    users(LATER - 1, |i| ((i + 1) / ROWS_MAX).is_multiple_of(2));
    let _walk = store.walk();
    store.expire(LATER);
    let shard = (0..2).map(|shard| store.shard(shard)).find(|shard| !shard.blocks_of(0).is_empty());
    let shard = shard.expect("the series are in one of them");
    let blocks = shard.blocks_of(0);
    let seq_of = |b: &u32| shard.block(*b).seq();
    let last = seq_of(blocks.last().unwrap());
    assert!(blocks.len() == 8 && last == 15, "{blocks:?}, the last is {last}");
    for seq in 0..last + 2 {
        let place = blocks.iter().position(|b| seq_of(b) > seq);
        let at = |place: usize| (place, blocks[place], blocks[7.min(place + 1)]);
        for guess in 0..blocks.len() + 2 {
            let turn = shard.turn_after(0, seq, guess);
            let found = turn.map(|(place, Turn { block, next })| (place, block, next));
            assert_eq!(found, place.map(at), "behind {seq}, at {guess}");
        }
        assert_eq!(shard.block_after(0, seq), place.map(|place| blocks[place]));
    }
    assert!(shard.turn_after(1, 0, 0).is_none(), "a family without rows");
}

/// Rows are looked up 64 at a time, in up to four shards.
#[test]
fn a_push_of_any_length_counts_each_series_once() {
    let now = crate::Timestamp::new(1_700_000_000_000, std::time::Duration::from_secs(60));
    let family = |name: &str| {
        let family = match name.ends_with("seconds") {
            true => Family::histogram(name, [0.1, 1.0]),
            false => Family::counter(name),
        };
        family.help("Of a test.").label(Label::open("user", 5_000))
    };
    let names = ["loads_total", "load_seconds", "clicks_total"];
    let builder = names.iter().fold(crate::Schema::builder(), |b, name| b.family(family(name)));
    let schema = builder.build().unwrap();
    let aggregator = crate::Aggregator::new(schema, Limits::default(), now).unwrap();
    let push = |n_families: usize, users: std::ops::Range<usize>| {
        let sample = |name, user| match name {
            "load_seconds" => format!(r#""{name};user=u{user}":[0.5]"#),
            _ => format!(r#""{name};user=u{user}":1"#),
        };
        let of = |user| names[..n_families].iter().map(move |name| sample(name, user));
        let samples: Vec<String> = users.flat_map(of).collect();
        let line = format!(r#"{{"lm":1,"m":{{{}}}}}"#, samples.join(","));
        let pushed = aggregator.push(crate::Format::Lm1, line.as_bytes(), &Source::default(), now);
        assert_eq!(pushed.unwrap().accepted(), samples.len() as u64, "{line}");
        samples.len()
    };
    let (mut n_sent, mut n_known) = (push(3, 0..400), 400);
    for n_families in [1, 3] {
        for n_users in [1, 21, 22, 63, 64, 65, 127, 128, 129, 400] {
            // Half of them have not come before.
            n_sent += push(n_families, n_known - n_users / 2..n_known + n_users.div_ceil(2));
            n_known += n_users.div_ceil(2);
        }
    }
    let mut text = Vec::new();
    aggregator.encode_to(&mut text, now).unwrap();
    let text = String::from_utf8(text).unwrap();
    let counted = text.lines().filter(|line| {
        line.contains("user=") && !line.contains("_bucket{") && !line.contains("_sum{")
    });
    let total: f64 =
        counted.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum();
    assert_eq!(total, n_sent as f64);
}
