//! Random sequences of everything a user does, against the twin after each step.

use std::collections::BTreeMap;
use std::time::Duration;

use lastmile::{Counter, Format, Gauge, Histogram, Scrape, ScrapeOptions, Summary};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::expo::{self, Series};
use crate::oracle::{Pair, is_own};
use crate::pushes;
use crate::schemas::{EDITS, TestSchema, edited, every_schema};
use crate::twin::{Family, Kind, Policy};

#[derive(Clone, Debug)]
enum Op {
    Push(Push),
    /// Sends a push before once more, as it was.
    Again(Index),
    /// Starts one more scrape.
    Scrape,
    /// Takes one chunk of an open scrape.
    Chunk(Index),
    /// Takes the rest of an open scrape and says so.
    Complete(Index),
    /// Drops an open scrape.
    Abort(Index),
    /// Binds a handle to a family with these labels.
    Bind(usize, Vec<String>),
    /// Counts through a handle: an index and an amount.
    Use(Index, f64),
    /// Drops a handle.
    Unbind(Index),
    /// Lets time pass.
    Wait(u64),
    /// Lets so much time pass that what is idle leaves.
    Expire,
    /// Puts the schema in place with this edit.
    Reload(usize),
}

/// A body, and the key of its request if it has one.
#[derive(Clone)]
struct Push(Format, Vec<u8>, Option<&'static str>);

impl std::fmt::Debug for Push {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}: {:?}", self.0.as_str(), self.2, String::from_utf8_lossy(&self.1))
    }
}

/// Beacons, Faro's payloads and hits, of which some come with a key: twice as they were, or with another body.
fn records(families: &[Family]) -> BoxedStrategy<Push> {
    let body = pushes::hit(families).prop_map(|body| (Format::Hit, body)).boxed();
    #[cfg(feature = "faro")]
    let body = prop_oneof![
        1 => body,
        2 => pushes::beacon().prop_map(|body| (Format::Beacon, body)),
        2 => pushes::faro().prop_map(|body| (Format::Faro, body)),
    ];
    let key = select(
        &[None, None, None, Some("a-key-of-16-byte"), Some("another-of-17-byt"), Some("short")][..],
    );
    (body, key).prop_map(|((format, body), key)| Push(format, body, key)).boxed()
}

fn op(schema: &TestSchema) -> impl Strategy<Value = Op> + use<> {
    let push = prop_oneof![
        pushes::record(&schema.families).prop_map(|body| Push(Format::Record, body, None)),
        pushes::lm1(&schema.families).prop_map(|body| Push(Format::Lm1, body, None)),
        pushes::prom_text(&schema.families).prop_map(|body| Push(Format::PromText, body, None)),
        pushes::reports().prop_map(|body| Push(Format::Reports, body, None)),
        records(&schema.families),
    ];
    #[cfg(feature = "otlp")]
    let push = prop_oneof![
        3 => push,
        2 => pushes::otlp(&schema.families).prop_map(|(is_json, body)| {
            Push(if is_json { Format::OtlpJson } else { Format::OtlpProtobuf }, body, None)
        }),
    ];
    let families = schema.families.clone();
    let bind = (0..families.len(), vec(any::<Index>(), 2..3)).prop_map(move |(f, picks)| {
        let labels =
            families[f].labels.iter().zip(&picks).map(|(label, pick)| match &label.policy {
                Policy::Closed { values, .. } => pick.get(values).clone(),
                Policy::Open(_) => (*pick.get(&["a", "b", "", "/home", "é\n\""])).to_owned(),
            });
        (f, labels.collect::<Vec<_>>())
    });
    let amount = select(
        &[0.0, 1.0, 1.0, 2.0, 7.0, 0.1, 0.25, 2.5, 1e6, -1.0, 1e16, f64::NAN, f64::INFINITY][..],
    );
    prop_oneof![
        10 => push.prop_map(Op::Push),
        2 => any::<Index>().prop_map(Op::Again),
        2 => Just(Op::Scrape),
        4 => any::<Index>().prop_map(Op::Chunk),
        1 => any::<Index>().prop_map(Op::Complete),
        1 => any::<Index>().prop_map(Op::Abort),
        2 => bind.prop_map(|(f, labels)| Op::Bind(f, labels)),
        4 => (any::<Index>(), amount).prop_map(|(i, amount)| Op::Use(i, amount)),
        1 => any::<Index>().prop_map(Op::Unbind),
        1 => (1..200u64).prop_map(Op::Wait),
        1 => Just(Op::Expire),
        1 => (0..EDITS).prop_map(Op::Reload),
    ]
}

/// A scrape under way, and what was there when it began.
struct Reading {
    scrape: Scrape,
    text: Vec<u8>,
    at_start: BTreeMap<Series, f64>,
}

impl Reading {
    fn chunk(&mut self) -> bool {
        let mut chunk = b"left over".to_vec();
        let more = self.scrape.next_chunk(&mut chunk);
        assert!(chunk.len() <= 64 * 1024, "a chunk of {} bytes", chunk.len());
        assert!(more != chunk.is_empty(), "more: {more}, and {} bytes", chunk.len());
        self.text.extend(chunk);
        more
    }
}

enum Handle {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
    Summary(Summary),
}

struct Model {
    schema: TestSchema,
    pair: Pair,
    pushed: Vec<Push>,
    readings: Vec<Reading>,
    handles: Vec<(Handle, usize, Vec<String>)>,
    /// Counters whose series no schema declares any more, and what they stand at.
    detached: Vec<(Counter, f64)>,
    /// Every counter and histogram line as last seen.
    seen: BTreeMap<Series, f64>,
}

impl Model {
    fn new(schema: &TestSchema) -> Model {
        let mut model = Model {
            schema: schema.clone(),
            detached: Vec::new(),
            pair: Pair::new(schema),
            pushed: Vec::new(),
            readings: Vec::new(),
            handles: Vec::new(),
            seen: BTreeMap::new(),
        };
        model.check();
        model
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Push(push) => {
                self.push(&push);
                self.pushed.push(push);
            }
            Op::Again(i) if !self.pushed.is_empty() => self.push(&i.get(&self.pushed).clone()),
            Op::Scrape => {
                let options = ScrapeOptions::text();
                assert_eq!(options.content_type(), "text/plain; version=0.0.4; charset=utf-8");
                let scrape = self.pair.agg.scrape(options, self.pair.now);
                let at_start = rising(&self.pair.check());
                self.readings.push(Reading { scrape, text: Vec::new(), at_start });
            }
            Op::Chunk(i) if !self.readings.is_empty() => {
                i.get_mut(&mut self.readings).chunk();
            }
            Op::Complete(i) if !self.readings.is_empty() => {
                let reading = self.readings.swap_remove(i.index(self.readings.len()));
                self.complete(reading);
            }
            Op::Abort(i) if !self.readings.is_empty() => {
                drop(self.readings.swap_remove(i.index(self.readings.len())));
                self.pair.count_one("lastmile_scrapes_total", &[("result", "aborted")], 1);
            }
            Op::Bind(f, values) => self.bind(f, &values),
            Op::Use(i, amount) if !self.handles.is_empty() => {
                self.count(i.index(self.handles.len()), amount);
            }
            Op::Unbind(i) if !self.handles.is_empty() => {
                drop(self.handles.swap_remove(i.index(self.handles.len())));
            }
            Op::Wait(millis) => {
                self.pair.now = self.pair.now.after(Duration::from_millis(millis));
                self.pair.agg.tick(self.pair.now);
            }
            Op::Expire => self.expire(),
            Op::Reload(edit) => self.reload(edit),
            // No push, scrape or handle to choose from.
            _ => {}
        }
        self.check();
    }

    /// Series may start again: what was seen of them says nothing any more.
    fn forget_what_was_seen(&mut self) {
        for reading in self.readings.drain(..) {
            drop(reading);
            self.pair.count_one("lastmile_scrapes_total", &[("result", "aborted")], 1);
        }
        self.seen.clear();
    }

    fn expire(&mut self) {
        self.forget_what_was_seen();
        let families = &self.pair.twin.families;
        let held =
            self.handles.iter().map(|(_, f, key)| (families[*f].family.name.clone(), key.clone()));
        let held: Vec<_> = held.collect();
        self.pair.now = self.pair.now.after(Duration::from_secs(2 * 3_600));
        self.pair.agg.tick(self.pair.now);
        self.pair.twin.expire(&held);
    }

    fn reload(&mut self, edit: usize) {
        let next = edited(&self.schema, edit);
        let result = self.pair.agg.reload(&next.core(), self.pair.now);
        if let Err(error) = result {
            let limit = next.series_per_family as usize;
            let fits = next.families.iter().all(|family| family.closed_rows().len() <= limit);
            assert!(error.is_limit() && !fits, "{error}");
            return;
        }
        self.forget_what_was_seen();
        let before: Vec<_> =
            self.pair.twin.families.iter().map(|state| state.family.clone()).collect();
        self.pair.twin.reload(&next.families);
        let kept =
            |f: usize| next.families.iter().position(|family| before[f].keeps_series_of(family));
        for (handle, f, key) in std::mem::take(&mut self.handles) {
            match (kept(f), handle) {
                (Some(f), handle) => self.handles.push((handle, f, key)),
                (None, Handle::Counter(counter)) => {
                    let value = counter.value();
                    self.detached.push((counter, value));
                }
                (None, _) => {}
            }
        }
    }

    fn push(&mut self, Push(format, body, key): &Push) {
        let before = self.pair.text();
        let result = self.pair.push_with(*format, body, *key);
        let changes = result.is_ok_and(|report| report.accepted() > 0);
        if !changes {
            let after = self.pair.text();
            assert_eq!(users(&before), users(&after), "a refused push changes nothing");
        }
    }

    fn complete(&mut self, mut reading: Reading) {
        while reading.chunk() {}
        let Reading { scrape, text, at_start } = reading;
        scrape.complete(self.pair.now);
        let at_end = rising(&expo::parse(&self.pair.text()));
        let got = rising(&expo::parse(&text));
        for (series, value) in &got {
            let end = at_end.get(series);
            assert!(end.is_some_and(|end| value <= end), "{series:?} {value}, now {end:?}");
        }
        for (series, value) in &at_start {
            let got = got.get(series);
            assert!(got.is_some_and(|got| got >= value), "{series:?} {got:?}, before {value}");
        }
        self.pair.count_one("lastmile_scrapes_total", &[("result", "complete")], 1);
    }

    fn bind(&mut self, f: usize, values: &[String]) {
        // Another schema may be in place than the one that the family was chosen from.
        let Some(state) = self.pair.twin.families.get(f) else { return };
        let family = state.family.clone();
        if family.labels.len() != values.len() {
            return;
        }
        let labels =
            family.labels.iter().map(|label| label.name.clone()).zip(values.iter().cloned());
        let labels: Vec<(String, String)> = labels.collect();
        // Handles take labels by name, in any order.
        let refs: Vec<(&str, &str)> =
            labels.iter().rev().map(|(l, v)| (l.as_str(), v.as_str())).collect();
        let agg = &self.pair.agg;
        let handle = match &family.kind {
            Kind::Counter => agg.counter(&family.name, &refs).map(Handle::Counter),
            Kind::Gauge(_) => agg.gauge(&family.name, &refs).map(Handle::Gauge),
            Kind::Histogram(_) => agg.histogram(&family.name, &refs).map(Handle::Histogram),
            Kind::Summary => agg.summary(&family.name, &refs).map(Handle::Summary),
        };
        match (handle, self.pair.twin.bind(f, &labels)) {
            (Ok(handle), Some(key)) => self.handles.push((handle, f, key)),
            (Err(_), None) => {}
            (Ok(_), None) => panic!("{}{labels:?}: bound over the limit", family.name),
            (Err(error), Some(_)) => panic!("{}{labels:?}: {error}", family.name),
        }
    }

    fn count(&mut self, handle: usize, amount: f64) {
        let (handle, f, key) = &self.handles[handle];
        let twin = &mut self.pair.twin;
        let (result, twins) = match handle {
            Handle::Gauge(gauge) => {
                gauge.set(amount);
                if amount.is_finite() {
                    assert_eq!(gauge.value(), amount);
                    twin.set(*f, key, amount);
                }
                return;
            }
            Handle::Counter(counter) if amount == 1.0 => {
                counter.inc();
                (Ok(()), twin.count(*f, key, amount))
            }
            Handle::Counter(counter) if amount == 2.0 => {
                counter.inc_by(2);
                (Ok(()), twin.count(*f, key, amount))
            }
            Handle::Counter(counter) => (counter.add(amount), twin.count(*f, key, amount)),
            Handle::Histogram(histogram) => {
                (histogram.observe(amount), twin.count(*f, key, amount))
            }
            Handle::Summary(summary) => (summary.observe(amount), twin.count(*f, key, amount)),
        };
        assert_eq!(result.map_err(|refusal| refusal.as_str()), twins, "{amount}");
    }

    /// Everything agrees with the twin, and no counter fell.
    fn check(&mut self) {
        let now = rising(&self.pair.check());
        for (series, before) in &self.seen {
            let value = now.get(series);
            assert!(value.is_some_and(|value| value >= before), "{series:?} {value:?} < {before}");
        }
        self.seen = now;
        for (counter, before) in &mut self.detached {
            assert!(counter.value() >= *before, "a detached counter fell");
            *before = counter.value();
            counter.inc();
            assert!(counter.value() > *before, "a detached handle counts on by itself");
        }
        for (handle, f, key) in &self.handles {
            if let Handle::Counter(counter) = handle {
                let family = &self.pair.twin.families[*f].family;
                let labels = family.labels.iter().zip(key);
                let labels = labels.map(|(label, value)| (label.name.clone(), value.clone()));
                let shown = self.seen[&(family.name.clone(), labels.collect())];
                assert_eq!(counter.value(), shown, "a handle reads its row");
            }
        }
    }
}

/// The user's families as they are written.
fn users(text: &[u8]) -> String {
    let text = std::str::from_utf8(text).expect("an exposition is UTF-8");
    let own = text.lines().position(|line| line.strip_prefix("# HELP ").is_some_and(is_own));
    text.lines().take(own.unwrap_or(usize::MAX)).collect::<Vec<_>>().join("\n")
}

/// All lines that must never fall: counters, buckets, counts and sums, except our own.
fn rising(exposition: &expo::Exposition) -> BTreeMap<Series, f64> {
    let families = exposition.families.iter().filter(|f| f.kind != "gauge" && !is_own(&f.name));
    let samples = families.flat_map(|f| f.samples.iter().map(move |sample| (f, sample)));
    let rising = samples.filter(|(f, sample)| !f.is_quantile(sample));
    rising.map(|(_, sample)| (sample.series(), sample.value())).collect()
}

fn sequences() -> impl Strategy<Value = (TestSchema, Vec<Op>)> {
    select(every_schema()).prop_flat_map(|schema| {
        let ops = vec(op(&schema), 1..40);
        (Just(schema), ops)
    })
}

proptest! {
    #![proptest_config(pushes::config(400))]

    #[test]
    fn any_sequence_agrees_with_the_twin((schema, ops) in sequences()) {
        let mut model = Model::new(&schema);
        for op in ops {
            model.step(op);
        }
    }
}
