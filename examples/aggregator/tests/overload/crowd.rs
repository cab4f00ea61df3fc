//! More connections than there are places.

use std::net::SocketAddr;
use std::net::TcpStream;

use crate::wire::{connect, stand_back};

/// Connections from each address: more than an address has places, and from all of them more than the
/// listener has. What is beyond waits in the system's backlog, which has 1,024.
const FROM_EACH: [usize; 5] = [1_100, 1_100, 1_100, 1_100, 300];

/// Opens them, and says nothing on any; they are there until they are dropped.
pub(crate) fn gather(to: SocketAddr) -> Vec<TcpStream> {
    stand_back();
    let mut crowd = Vec::new();
    for (n, last) in FROM_EACH.into_iter().zip(100..) {
        crowd.extend((0..n).map(|_| connect([127, 0, 0, last], to).expect("it is taken or waits")));
    }
    crowd
}
