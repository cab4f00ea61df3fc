//! Sockets from any address of 127.0.0.0/8, and what comes back on them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, bind, connect as connect_to, socket, sockopt};

/// Bytes that this side keeps of what is on its way. Attackers stand for other machines: were their buffers as large
/// as they can be, megabytes for each, the kernel that the server shares with them would run out of memory for TCP
/// and hold up everyone.
const BUFFER: usize = 32 << 10;

/// Connects from `source`. What it has not read waits at the server as far as it can: its buffer is small.
pub(crate) fn connect(source: [u8; 4], to: SocketAddr) -> io::Result<TcpStream> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    sockopt::set_socket_recv_buffer_size(&socket, 4096)?;
    sockopt::set_socket_send_buffer_size(&socket, BUFFER)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::from(source), 0))?;
    connect_to(&socket, &to)?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}

/// The statuses of all answers in `bytes`, of which the last may be cut off behind its head.
///
/// # Errors
/// What is no HTTP.
pub(crate) fn statuses(bytes: &[u8]) -> Result<Vec<u16>, String> {
    let text = String::from_utf8_lossy(bytes);
    let (mut rest, mut statuses) = (&*text, Vec::new());
    while let Some((head, body)) = rest.split_once("\r\n\r\n") {
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|line| line.get(..3)?.parse().ok());
        let Some(status) = status else { return Err(format!("no answer: {rest}")) };
        statuses.push(status);
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        rest = body.get(length..).unwrap_or_default();
    }
    Ok(statuses)
}

/// A push of one hit.
pub(crate) fn hit(by: &str, headers: &str) -> String {
    let body = format!(r#"{{"lm":1,"m":{{"hits_total;by={by}":1}}}}"#);
    format!("POST /lm HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}
