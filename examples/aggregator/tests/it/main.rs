//! The program itself: what it says when it starts, why it does not, and how it stops.

mod access;
#[cfg(target_os = "linux")]
mod apart;
mod faults;
mod prints;
mod process;
mod schemas;
mod starts;
mod stops;
