//! Clients that count, restart, leave out what did not change and come back, while the aggregator restarts and forgets:
//! what is exposed is never above what they counted, and just that where they say when they began.

use std::collections::BTreeMap;

use lastmile::{Aggregator, Limits, Source, Timestamp};
use proptest::prelude::*;

use super::{after, aggregator, exposition, push, secs};
use crate::pushes::config;

#[derive(Clone, Debug)]
enum Step {
    /// A client counts in a zone.
    Count {
        client: usize,
        zone: usize,
        n: u64,
    },
    /// It pushes what it has, but for the zones of these bits.
    Push {
        client: usize,
        without: u8,
    },
    /// It begins anew.
    Restart {
        client: usize,
    },
    Delete {
        client: usize,
    },
    /// The aggregator begins anew.
    Begin,
}

const CLIENTS: usize = 3;
const ZONES: usize = 4;

fn step() -> impl Strategy<Value = Step> {
    let (client, zone) = (0..CLIENTS, 0..ZONES);
    prop_oneof![
        6 => (client.clone(), zone, 1..9_u64).prop_map(|(client, zone, n)| Step::Count { client, zone, n }),
        6 => (client.clone(), prop_oneof![3 => Just(0), 1 => 0..16_u8])
            .prop_map(|(client, without)| Step::Push { client, without }),
        1 => client.clone().prop_map(|client| Step::Restart { client }),
        1 => client.prop_map(|client| Step::Delete { client }),
        1 => Just(Step::Begin),
    ]
}

#[derive(Clone)]
struct Client {
    /// In minutes after the test.
    began: i64,
    zones: BTreeMap<usize, u64>,
}

impl Client {
    /// Its registry as text, and perhaps when its process began.
    fn text(&self, without: u8, says: Says) -> String {
        let mut text = "# TYPE up_total counter\n".to_owned();
        for (zone, n) in &self.zones {
            if without & (1 << zone) == 0 {
                text += &format!("up_total{{zone=\"{zone}\"}} {n}\n");
                if says == Says::Series {
                    text += &format!("up_created{{zone=\"{zone}\"}} {}\n", secs(self.began));
                }
            }
        }
        if says == Says::Process {
            text += &format!("process_start_time_seconds {}\n", secs(self.began));
        }
        text
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Says {
    Nothing,
    Process,
    Series,
}

fn exposed(agg: &Aggregator, now: Timestamp) -> f64 {
    let seen = exposition(agg, now);
    let samples = seen.families.iter().filter(|f| f.name == "up_total").flat_map(|f| &f.samples);
    samples.map(|sample| sample.text.parse::<f64>().unwrap()).sum()
}

proptest! {
    #![proptest_config(config(192))]

    #[test]
    fn never_above_the_truth(
        steps in proptest::collection::vec(step(), 1..60),
        says in prop_oneof![Just(Says::Nothing), Just(Says::Process), Just(Says::Series)],
        bytes in prop_oneof![2 => Just(1_u64 << 20), 1 => Just(20_000), 1 => Just(8_000)],
    ) {
        let limits = Limits::default().streams_bytes(bytes);
        let mut agg = aggregator(limits.clone(), after(0));
        let mut clients = vec![Client { began: 1, zones: BTreeMap::new() }; CLIENTS];
        let (mut truth, mut before, mut minute) = (0, 0.0, 0_u64);
        let mut is_whole = bytes == 1 << 20 && says != Says::Nothing;
        let mut unsent = [0; CLIENTS];
        for step in &steps {
            minute += 4;
            match *step {
                Step::Count { client, zone, n } => {
                    *clients[client].zones.entry(zone).or_default() += n;
                    truth += n;
                    unsent[client] += n;
                }
                Step::Push { client, without } => {
                    let key = [("job", ["a", "b", "c"][client])];
                    let report = push(&agg, &key, &clients[client].text(without, says), after(minute));
                    prop_assert_eq!(report.n_refused(), u64::from(says == Says::Process));
                    // What it leaves out may be forgotten before it comes back.
                    is_whole &= without == 0;
                    unsent[client] = 0;
                }
                Step::Restart { client } => {
                    clients[client] = Client { began: minute as i64, zones: BTreeMap::new() };
                    // A total that grew beyond the last one does not look like a restart.
                    is_whole &= says == Says::Series;
                    truth -= std::mem::take(&mut unsent[client]);
                }
                Step::Delete { client } => {
                    let key = [("job", ["a", "b", "c"][client])];
                    agg.forget_group(&Source::default().grouping_key(&key), after(minute));
                    is_whole = false;
                }
                Step::Begin => {
                    before += exposed(&agg, after(minute));
                    agg = aggregator(limits.clone(), after(minute));
                    is_whole = false;
                }
            }
            let now = before + exposed(&agg, after(minute));
            prop_assert!(now <= truth as f64, "{now} of {truth}");
        }
        if is_whole {
            for (client, name) in ["a", "b", "c"].into_iter().enumerate() {
                let text = clients[client].text(0, says);
                push(&agg, &[("job", name)], &text, after(minute + 1));
            }
            prop_assert_eq!(exposed(&agg, after(minute + 1)), truth as f64);
        }
    }
}
