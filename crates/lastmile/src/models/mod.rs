//! Models of what is concurrent, for a checker that decides which thread goes on at each lock and atomic.
//!
//! ```text
//! shuttle  whole aggregators of 2 shards, blocks of 2 rows, chunks of 256 bytes: schedules by chance, half
//!          of them uniform, half with few preemptions (PCT). It knows no weak memory.
//! loom     what relies on an ordering weaker than a lock's: every schedule and every value that a relaxed
//!          load may give, of 2 or 3 threads with a few operations each.
//! ```
//! An aggregator takes some thousand steps to set up and to read, which is far beyond what can be walked
//! through whole; shuttle takes them as they are, at hundreds to thousands of schedules a second. What is
//! left for loom is little: the budget, the cell of a pin, the number of a scrape against the birth of a
//! row, what is known of full labels without a lock. All else is plain data under a lock.
//!
//! `cargo xtask prove models` runs them for minutes, `cargo xtask test` a few hundred schedules of each. A
//! failure prints its schedule, and `MODEL_SCHEDULE=…` with the name of the model runs that one again.

#[cfg(loom)]
mod cells;
#[cfg(shuttle)]
mod exposed;
#[cfg(shuttle)]
mod handles;
#[cfg(shuttle)]
mod harness;
#[cfg(shuttle)]
mod ids;
#[cfg(shuttle)]
mod limits;
#[cfg(shuttle)]
mod readers;
#[cfg(shuttle)]
mod reload;
