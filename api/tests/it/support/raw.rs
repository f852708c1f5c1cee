//! Requests byte by byte, such as no HTTP client would send them.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends a request with this request line, these headers and this body, as they are written here, and returns the whole
/// response.
pub(crate) async fn exchange(
    address: &str,
    request_line: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> String {
    let mut request = format!("{request_line}\r\nConnection: close\r\n").into_bytes();
    for (name, value) in headers {
        request.extend(format!("{name}:{value}\r\n").into_bytes());
    }
    request.extend(format!("\r\n{body}").into_bytes());
    let mut connection = TcpStream::connect(address).await.unwrap();
    // A server may respond and close before it has read everything.
    let _ = connection.write_all(&request).await;
    let mut response = Vec::new();
    // It may also wait for more, until a timeout of its own.
    let _ = tokio::time::timeout(Duration::from_secs(10), connection.read_to_end(&mut response)).await;
    String::from_utf8_lossy(&response).into_owned()
}

/// The value of a header in a response of [`exchange`].
pub(crate) fn header<'a>(response: &'a str, name: &str) -> Option<&'a str> {
    let head = response.split("\r\n\r\n").next()?;
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
