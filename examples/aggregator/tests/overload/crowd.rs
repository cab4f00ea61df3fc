//! More connections than there are places.

use std::net::SocketAddr;
use std::net::TcpStream;
use std::ops::Range;
use std::thread;
use std::time::Duration;

use crate::wire::connect;

/// Connections from each of so many addresses: more than an address has places. The listener has places for all
/// three, so it is for their address that the others are refused.
pub(crate) const FROM_EACH: usize = 1_100;
pub(crate) const ADDRESSES: u8 = 3;

/// Then more from another two than the listener has. They wait in the system's backlog, which has 1,024.
const FROM_OTHERS: usize = 700;

/// Opens them, and says nothing on any; they are there until they are dropped.
pub(crate) fn gather(to: SocketAddr) -> Vec<TcpStream> {
    let mut crowd = at_once(100..100 + ADDRESSES, FROM_EACH, to);
    crowd.extend(at_once(100 + ADDRESSES..102 + ADDRESSES, FROM_OTHERS, to));
    crowd
}

/// From one connection of an address to its next: slow enough that none finds the backlog full and is sent again
/// after a second or three, fast enough that all are there before the first is late with its head.
const PACE: Duration = Duration::from_micros(300);

/// So many from each of these addresses.
fn at_once(last: Range<u8>, n: usize, to: SocketAddr) -> Vec<TcpStream> {
    let open = |last| {
        thread::sleep(PACE);
        connect([127, 0, 0, last], to).expect("it is taken or waits")
    };
    thread::scope(|scope| {
        let of = |last| scope.spawn(move || (0..n).map(|_| open(last)).collect::<Vec<_>>());
        let crowds: Vec<_> = last.map(of).collect();
        crowds.into_iter().flat_map(|crowd| crowd.join().expect("it does not panic")).collect()
    })
}
