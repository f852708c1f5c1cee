//! A payment gateway that misbehaves: it changes the responses of the real simulator on their way.

use std::time::Duration;
use std::{fmt, io};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::link::{Direction, Link};

/// How the gateway misbehaves. In all cases but [`ErrorBefore`](Self::ErrorBefore) and
/// [`Throttled`](Self::Throttled) the request has taken effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misbehavior {
    /// It does not.
    None,
    /// It responds late.
    Slow(Duration),
    /// It responds with 500, and the request has no effect.
    ErrorBefore,
    /// It responds with 500.
    ErrorAfter,
    /// It never responds.
    NoResponse,
    /// Its response is no HTTP.
    Garbage,
    /// It responds with 200 and a body that is not JSON.
    GarbageBody,
    /// It sends each response twice.
    Twice,
    /// It closes the connection in the middle of a response.
    HalfResponse,
    /// It responds with 429 and `Retry-After`, and the request has no effect.
    Throttled,
}

impl fmt::Display for Misbehavior {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "behaves",
            Self::Slow(delay) => return write!(f, "responds after {delay:?}"),
            Self::ErrorBefore => "responds with 500 before it charges",
            Self::ErrorAfter => "responds with 500 after it charged",
            Self::NoResponse => "charges and never responds",
            Self::Garbage => "responds with garbage",
            Self::GarbageBody => "responds with a garbage body",
            Self::Twice => "responds twice",
            Self::HalfResponse => "closes in the middle of a response",
            Self::Throttled => "responds with 429",
        })
    }
}

const ERROR: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
const THROTTLED: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";
const GARBAGE: &[u8] = b"\x16\x03\x01 this is no HTTP \xff\xfe\r\n\r\n";
const GARBAGE_BODY: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"status\":\xff";
/// Longer than the timeout of any client.
const NEVER: Duration = Duration::from_secs(3600);
const MAX_MESSAGE: usize = 1 << 20;

/// Forwards requests one by one, and changes their responses.
pub(super) async fn forward(
    client: &mut TcpStream,
    server: &mut TcpStream,
    link: &Link,
    misbehavior: &watch::Receiver<Misbehavior>,
) -> io::Result<()> {
    let mut link = link.clone();
    loop {
        let mut unexpected = [0];
        let request = tokio::select! {
            request = read_message(client) => request?,
            // The gateway ends an idle connection, and its client must learn it.
            _ = server.peek(&mut unexpected) => return Ok(()),
        };
        let Some(request) = request else { return Ok(()) };
        link.pass(Direction::ToServer, request.len()).await?;
        let misbehavior = *misbehavior.borrow();
        let without_effect = match misbehavior {
            Misbehavior::ErrorBefore => Some(ERROR),
            Misbehavior::Throttled => Some(THROTTLED),
            _ => None,
        };
        if let Some(response) = without_effect {
            client.write_all(response).await?;
            continue;
        }
        server.write_all(&request).await?;
        let Some(response) = read_message(server).await? else { return Ok(()) };
        link.pass(Direction::ToClient, response.len()).await?;
        match misbehavior {
            Misbehavior::Slow(delay) => {
                tokio::time::sleep(delay).await;
                client.write_all(&response).await?;
            }
            Misbehavior::ErrorAfter => client.write_all(ERROR).await?,
            Misbehavior::NoResponse => tokio::time::sleep(NEVER).await,
            Misbehavior::Garbage => return client.write_all(GARBAGE).await,
            Misbehavior::GarbageBody => return client.write_all(GARBAGE_BODY).await,
            Misbehavior::Twice => client.write_all(&[&response[..], &response].concat()).await?,
            Misbehavior::HalfResponse => return client.write_all(&response[..response.len() / 2]).await,
            Misbehavior::None | Misbehavior::ErrorBefore | Misbehavior::Throttled => {
                client.write_all(&response).await?;
            }
        }
    }
}

/// Reads a message of HTTP/1.1 with its body, whose length is in `Content-Length`; `None` at the end.
async fn read_message(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut message = Vec::new();
    loop {
        if let Some(length) = message_length(&message)
            && message.len() >= length
        {
            return Ok(Some(message));
        }
        if stream.read_buf(&mut message).await? == 0 {
            return Ok(None);
        }
        if message.len() > MAX_MESSAGE {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

/// The length of the message with its body; `None` until its head is complete.
fn message_length(message: &[u8]) -> Option<usize> {
    let head = message.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&message[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    Some(head + length.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_with_its_body() {
        assert_eq!(message_length(b"HTTP/1.1 200 OK\r\nContent-"), None);
        let message = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(message_length(message), Some(message.len()));
        assert_eq!(message_length(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"), Some(27));
    }
}
