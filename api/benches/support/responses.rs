//! Responses, read with as little work as possible: clients share the machine with the service.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Receives a response. Returns its status, and whether the connection stays open.
pub(crate) async fn receive(connection: &mut TcpStream) -> io::Result<(u16, bool)> {
    let mut received = Vec::with_capacity(4096);
    loop {
        if connection.read_buf(&mut received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&received[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        if received.len() >= end + 4 + length {
            let status = head.get(9..12).and_then(|status| status.parse().ok());
            return Ok((status.unwrap_or(0), !head.contains("connection: close")));
        }
    }
}
