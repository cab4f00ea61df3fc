use super::*;

/// Room for so many streams of numbers in each shard.
fn totals(n: usize) -> Totals {
    Totals::new((n * SHARDS * (STREAM_BYTES + 16)) as u64, 1_000)
}

fn sender(totals: &Totals, last: u8, now: Ticks) -> Sender {
    let source = Source::default().addr([10, 0, 0, last].into());
    totals.sender(&source, now, 2_000 + u64::from(now) * 100)
}

/// A stream that began at a moment, seen at another.
fn stream(id: u128, start_ns: u64, time_ns: u64) -> Stream {
    let since = Since { ours_ns: 0, theirs_ns: start_ns, age_ns: time_ns.checked_sub(start_ns) };
    Stream { id, start_ns, time_ns, since }
}

/// One that began half a second after the process.
fn young(id: u128) -> Stream {
    stream(id, 1_500_000_000, 2_000_000_000)
}

/// Stream `i` of the first shard stands at `n`: what that adds, if anybody can tell.
fn point(totals: &Totals, i: u128, sender: Sender, n: i64) -> Option<f64> {
    let amount = Amount::Whole(n);
    match totals.advance(&young(i), sender, &amount.words(), |last| amount.rise(last)) {
        Rise::By(rise) => Some(rise),
        Rise::Behind => Some(0.0),
        Rise::Baseline => None,
    }
}

fn n_streams(totals: &Totals) -> usize {
    totals.shards.iter().map(|shard| shard.0.lock().table.len()).sum()
}

#[test]
fn the_longest_silent_of_the_longest_lane_goes() {
    let totals = totals(10);
    let flood = sender(&totals, 1, 0);
    // Lanes are by a keyed hash, so two may be the same.
    let mut others = (2..=u8::MAX).map(|last| sender(&totals, last, 0));
    let good = others.find(|other| other.lane != flood.lane).unwrap();
    assert_eq!(point(&totals, 100, good, 5), Some(5.0));
    for i in 0..9 {
        assert_eq!(point(&totals, i, flood, 1), Some(1.0));
    }
    assert_eq!((n_streams(&totals), totals.take_forgotten()), (10, 0));
    // A source that is not alone in being alive takes nothing from itself.
    assert_eq!(point(&totals, 9, flood, 1), None, "it waits");
    assert_eq!(point(&totals, 0, flood, 3), Some(2.0), "all others go on");
    assert_eq!(point(&totals, 101, good, 5), Some(5.0), "another takes its share");
    assert_eq!((n_streams(&totals), totals.take_forgotten()), (10, 1));
    assert_eq!(point(&totals, 1, flood, 9), None, "the longest silent went");
    assert_eq!(point(&totals, 2, flood, 9), Some(8.0));
    // Whoever comes after silence gets a place, and what began before what went is a baseline.
    let later = sender(&totals, 1, SILENT);
    assert_eq!(point(&totals, 9, later, 4), None);
    assert_eq!(point(&totals, 9, later, 6), Some(2.0));
    assert_eq!((n_streams(&totals), totals.take_forgotten()), (10, 1));
}

#[test]
fn a_few_large_streams_push_out_no_more_than_many_small_ones() {
    let totals = totals(64);
    for i in 0..64 {
        assert_eq!(point(&totals, i, sender(&totals, i as u8, 0), 1), Some(1.0));
    }
    let large = sender(&totals, 200, 0);
    let risen = totals.advance(&young(1_000), large, &[7; 500], |_| Rise::By(()));
    assert_eq!(risen, Rise::Baseline, "it is larger than any lane");
    assert_eq!((n_streams(&totals), totals.take_forgotten()), (64, 0));
}

#[test]
fn bytes_are_bounded_whatever_comes() {
    let totals = Totals::new(64 << 10, 0);
    for i in 0..20_000_u64 {
        let stream = stream(totals.hash(i % 7_001), i % 3, i);
        let words = vec![i; (i * 7 % 40) as usize];
        let source = Source::default().addr([10, 0, (i % 7) as u8, 1].into());
        let sender = totals.sender(&source, i as Ticks, i);
        totals.advance(&stream, sender, &words, |_| Rise::By(()));
    }
    let mut n = 0;
    for shard in &totals.shards {
        let shard = shard.0.lock();
        let live = shard.table.iter().map(|i| &shard.entries[*i as usize]);
        let bytes: usize = live.map(|entry| STREAM_BYTES + size_of_val(&*entry.words)).sum();
        assert_eq!(bytes, shard.bytes);
        assert!(bytes <= (64 << 10) / SHARDS);
        let linked: usize = shard.lanes.iter().map(|lane| lane.bytes).sum();
        assert_eq!(linked, shard.bytes);
        assert!(shard.entries.len() < 60, "places are used again");
        n += shard.table.len();
    }
    assert!(n > 100, "{n}");
}

#[test]
fn a_total_that_grows_keeps_its_place_in_line() {
    let totals = totals(4);
    let sender = sender(&totals, 1, 0);
    let last = |time_ns, words: &[u64]| {
        let stream = stream(5, 1_500_000_000, time_ns);
        totals.advance(&stream, sender, words, |last| {
            Rise::By(match last {
                Last::Known { words, .. } => words.len(),
                Last::Nothing => 100,
            })
        })
    };
    let seen = [
        last(2_000_000_000, &[1, 2]),
        last(2_000_000_001, &[1, 2, 3]),
        last(2_000_000_000, &[1]),
        last(2_000_000_002, &[1; 9_999]),
        last(2_000_000_003, &[1]),
    ];
    let wanted = [Rise::By(100), Rise::By(2), Rise::Behind, Rise::Behind, Rise::By(3)];
    assert_eq!(seen, wanted, "one that outgrew all memory stands where it stood");
    assert_eq!(totals.take_forgotten(), 0);
}

#[test]
fn whoever_says_to_begin_in_the_future_hides_nobody() {
    let totals = totals(2);
    let (now, after) = (sender(&totals, 1, 0), sender(&totals, 1, 2 * SILENT));
    let push = |id, start_ns, time_ns, sender| {
        totals.advance(&stream(id, start_ns, time_ns), sender, &[0, 1], |_| Rise::By(()));
    };
    for id in 0..2 {
        push(id, u64::MAX, u64::MAX, now);
    }
    // They go for others, one by one, as they are silent.
    for id in 2..4 {
        push(id, u64::MAX, u64::MAX, after);
    }
    assert_eq!(totals.take_forgotten(), 2);
    let floor_ns = totals.shards[0].0.lock().floor_ns;
    assert_eq!(floor_ns, after.wall_ns + AHEAD_NS_MAX, "what began since may count");
}

#[test]
fn only_one_that_does_not_say_when_it_began_can_be_reset() {
    for (start_ns, time_ns, wanted) in [
        (0, 3_000_000_000, Some(4.0)),
        (0, 0, Some(4.0)),
        // Neither at the same moment,
        (0, 2_000_000_000, Some(0.0)),
        // nor where a reset would have made it another stream.
        (1_500_000_000, 3_000_000_000, Some(0.0)),
    ] {
        let totals = totals(4);
        let sender = sender(&totals, 1, 0);
        let at = |time_ns, n| {
            let (stream, amount) = (stream(5, start_ns, time_ns), Amount::Whole(n));
            match totals.advance(&stream, sender, &amount.words(), |last| amount.rise(last)) {
                Rise::By(rise) => Some(rise),
                Rise::Behind => Some(0.0),
                Rise::Baseline => None,
            }
        };
        at(2_000_000_000, 30);
        assert_eq!(at(time_ns, 4), wanted, "{start_ns} {time_ns}");
        let next = if wanted == Some(4.0) { 27.0 } else { 1.0 };
        assert_eq!(at(4_000_000_000, 31), Some(next), "{start_ns} {time_ns}: the one ahead");
    }
}

#[test]
fn first_points_count_by_what_is_known_of_their_start() {
    let secs = |s: u64| s * 1_000_000_000;
    // The process began after one second; it is the 40th now.
    for (ours, theirs, age, wanted) in [
        (0, 0, None, false),
        (secs(2), 0, None, true),
        (secs(1), 0, None, false),
        (0, secs(20), None, true),
        (0, secs(5), None, false),
        (0, secs(44), None, true),
        (0, secs(60), None, false),
        (0, secs(2), Some(secs(30)), true),
        (0, secs(2), Some(secs(39)), false),
        (0, secs(1), Some(secs(3)), false),
    ] {
        let totals = totals(4);
        let sender = Sender { wall_ns: secs(40), ..sender(&totals, 1, 0) };
        let since = Since { ours_ns: ours, theirs_ns: theirs, age_ns: age };
        let stream = Stream { id: 5, start_ns: 0, time_ns: 0, since };
        let risen = totals.advance(&stream, sender, &[0, 1], |_| Rise::By(()));
        assert_eq!(risen == Rise::By(()), wanted, "{since:?}");
    }
}

#[test]
fn what_went_without_a_start_may_have_been_any() {
    let totals = totals(1);
    let times = [0, SILENT, 2 * SILENT, 3 * SILENT];
    let [first, second, third, fourth] = times.map(|now| sender(&totals, 1, now));
    let push = |id, ours_ns, sender| {
        let since = Since { ours_ns, ..Since::default() };
        let stream = Stream { id, start_ns: 0, time_ns: 0, since };
        totals.advance(&stream, sender, &[0, 1], |_| Rise::By(()))
    };
    assert_eq!(push(1, first.wall_ns, first), Rise::By(()));
    assert_eq!(push(2, first.wall_ns, second), Rise::By(()), "it took the first one's place");
    assert_eq!(totals.take_forgotten(), 1);
    assert_eq!(push(1, first.wall_ns, third), Rise::Baseline, "it was counted then");
    assert_eq!(push(3, third.wall_ns + 1, fourth), Rise::By(()), "nothing of this one was");
}
