use super::*;

fn ids(n: usize) -> Ids {
    let bytes = (0..).find(|bytes| ids_in(*bytes) >= n).expect("there is always more");
    let ids = Ids::new((bytes * SHARDS) as u64);
    assert_eq!(ids.ids_per_shard, n);
    ids
}

fn claim(ids: &Ids, id: &str, content: &str, source: &Source<'_>, now: Ticks) -> Claim {
    ids.claim(ids.expect("lm1", (id.as_bytes(), 0), source), content.as_bytes(), now)
}

fn from(last: u8) -> Source<'static> {
    Source::default().addr([10, 0, 0, last].into())
}

#[test]
fn an_id_is_new_once() {
    let ids = ids(10);
    let other_origin = from(1).origin("https://b.example");
    for (id, content, source, expect) in [
        ("a", "x", from(1), Claim::New),
        ("a", "x", from(1), Claim::Duplicate),
        ("a", "x", from(2), Claim::Duplicate),
        ("a", "y", from(1), Claim::Conflict),
        ("b", "x", from(1), Claim::New),
        ("a", "x", other_origin, Claim::New),
    ] {
        assert_eq!(claim(&ids, id, content, &source, 0), expect, "{id} {content}");
    }
    assert_eq!(ids.claim(ids.expect("record", (b"a", 0), &from(1)), b"x", 0), Claim::New);
    assert_eq!(claim(&Ids::new(0), "a", "x", &from(1), 0), Claim::New);
}

#[test]
fn who_floods_forgets_its_own_first() {
    let ids = ids(200);
    for i in 0..1_000 {
        assert_eq!(claim(&ids, &format!("good{i}"), "x", &from(1), i), Claim::New);
    }
    assert_eq!(ids.window_secs(), 600.0);
    let flood = (2..).map(from).find(|other| ids.lane(other) != ids.lane(&from(1))).unwrap();
    for i in 0..100_000 {
        assert_eq!(claim(&ids, &format!("flood{i}"), "x", &flood, 1_000), Claim::New);
    }
    for i in 0..1_000 {
        assert_eq!(claim(&ids, &format!("good{i}"), "x", &from(1), 1_001), Claim::Duplicate, "{i}");
    }
    assert_eq!(ids.window_secs(), 0.0, "and it is said");
    ids.tick(1_001 + 50);
    assert!(ids.window_secs() > 0.0, "it grows again");
    let entries: usize = ids.shards.iter().map(|s| s.0.lock().n_entries()).sum();
    assert!(entries <= 200 * SHARDS, "{entries}");
}

#[test]
fn ids_go_when_their_time_is_over() {
    let ids = ids(1_000);
    for i in 0..5_000 {
        claim(&ids, &format!("a{i}"), "x", &from(1), 0);
    }
    for i in 0..20_000 {
        claim(&ids, &format!("b{i}"), "x", &from(1), WINDOW + 1 + i);
    }
    let forgotten = (0..5_000)
        .filter(|i| claim(&ids, &format!("a{i}"), "x", &from(1), WINDOW * 3) == Claim::New);
    assert_eq!(forgotten.count(), 5_000);
}

#[test]
fn memory_is_what_was_given() {
    for (bytes, expect) in [
        (0, 0),
        (100, 0),
        (160, 1),
        (1_000, 23),
        // As shipped: the table is three quarters full.
        (2 << 20, 49_152),
        (BYTES_MAX as usize / SHARDS, 6_291_456),
        (usize::MAX, (1 << 26) - 1),
    ] {
        let ids = ids_in(bytes);
        assert_eq!(ids, expect, "{bytes}");
        let table = (4 * ids).div_ceil(3).next_power_of_two() * 8;
        assert!(ids == 0 || ids * 32 + table <= bytes, "{bytes}: {ids}");
    }
}
