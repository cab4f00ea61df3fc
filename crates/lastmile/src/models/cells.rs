//! What relies on an ordering weaker than a lock's, under every schedule.

use std::sync::Arc;

use loom::thread;

use crate::exposition::Filter;
use crate::limit::ByteBudget;
use crate::readers::{Hold, Peer, Readers};
use crate::store::{Full, Store};
use crate::sync::Mutex;
use crate::{Family, Label, Limits};

#[test]
fn a_budget_is_exact() {
    loom::model(|| {
        let budget = Arc::new(ByteBudget::new(100));
        let reserves = |bytes: u64| {
            let budget = Arc::clone(&budget);
            thread::spawn(move || {
                let has_room = budget.reserve(bytes);
                assert!(budget.used() <= 100);
                if has_room { bytes } else { 0 }
            })
        };
        let threads = [reserves(60), reserves(50)];
        let reserved: u64 = threads.map(|thread| thread.join().unwrap()).iter().sum();
        assert!(reserved == 60 || reserved == 50, "{reserved}");
        assert_eq!(budget.used(), reserved);
    });
}

#[test]
fn the_last_handle_folds_what_all_added() {
    loom::model(|| {
        let family = Family::counter("a_total").label(Label::open("page", 9));
        let store =
            Arc::new(Store::new([family], &Arc::default(), &Limits::default(), Some(1)).unwrap());
        let catalog = store.catalog();
        let bind = || store.bind(&catalog.families()[0], &[("page", "/x")], 0).unwrap();
        let threads = [bind(), bind()].map(|pin| {
            let store = Arc::clone(&store);
            thread::spawn(move || {
                pin.add(1);
                store.unbind(&pin, || 0);
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        let shard = store.shard(0);
        let block = shard.block(shard.blocks_of(0)[0]);
        let values: Vec<u64> = block.rows.iter().map(|row| row.value).collect();
        assert_eq!(values, [0, 2], "`other`, and the row that both held");
    });
}

#[test]
fn a_row_that_a_scrape_did_not_meet_is_at_0_in_the_next() {
    loom::model(|| {
        let reader = || {
            Some(Peer { addr: ([10, 0, 0, 1], 1).into(), timeout: None, filter: Filter::default() })
        };
        let readers = Arc::new(Readers::new(Hold::Readers));
        let complete = |now| readers.complete(&readers.begin(reader(), now));
        complete(0);
        complete(1);
        // One row at most, by the number of the scrape that it was made after.
        let shard = Arc::new(Mutex::new(None));
        let pushes = {
            let (readers, shard) = (Arc::clone(&readers), Arc::clone(&shard));
            thread::spawn(move || {
                let mut row = shard.lock();
                *row = Some(readers.begun());
            })
        };
        for now in 2..4 {
            let view = readers.begin(reader(), now);
            let met = *shard.lock();
            readers.complete(&view);
            let next = readers.begin(reader(), now + 1);
            if met.is_none_or(|born| !view.includes(born)) {
                let born = *shard.lock();
                assert!(born.is_none_or(|born| !next.shows(born, now, 0)), "not at 0 first");
            }
        }
        pushes.join().unwrap();
    });
}

/// A label with room for two values. One stays, and another leaves for a third one, for which the filter is
/// filled anew.
#[test]
fn a_full_label_tells_nobody_who_has_a_place_that_there_is_none() {
    // Two values share a word, so that all are in one; no two have a bit in common.
    const STAYS: u64 = 0o00_01_02;
    const LEAVES: u64 = 0o03_04_05;
    const COMES: u64 = 0o06_07_10;
    loom::model(|| {
        let full = Arc::new(Full::new(1));
        full.set_full(0, 2, false, [STAYS, LEAVES].into_iter());
        let before = full.seen();
        let reader = {
            let full = Arc::clone(&full);
            thread::spawn(move || {
                let seen = full.seen();
                let is_out = |hash| seen.labels() != 0 && full.has_no_place(seen, 0, hash);
                assert!(!is_out(STAYS), "it has its place all the time");
                assert!(!is_out(LEAVES) || seen != before, "it has one until there is room");
                assert!(!is_out(COMES) || seen == before, "it has one from then on");
            })
        };
        full.set_free(0);
        full.put(0, COMES);
        full.set_full(0, 2, true, [STAYS, COMES].into_iter());
        let is_out = |hash| full.has_no_place(full.seen(), 0, hash);
        assert_eq!([STAYS, LEAVES, COMES].map(is_out), [false, true, false]);
        reader.join().unwrap();
    });
}
