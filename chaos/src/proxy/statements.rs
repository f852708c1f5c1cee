//! Reads the statements in the protocol of Postgres, and holds the connection of the process that sends them at a chosen one.
//!
//! See "Frontend/Backend Protocol" in the documentation of PostgreSQL for the messages.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::link::{Direction, Link};

/// When the process is stopped, relative to the execution of the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The statement does not reach the server.
    Before,
    /// The server has executed the statement; its response does not reach the process.
    After,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before",
            Self::After => "after",
        })
    }
}

/// A point between two statements of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailPoint {
    /// The beginning of the statement, as [`FailPoints::seen`] returns it.
    pub(crate) statement: String,
    pub(crate) moment: Moment,
}

/// The fail points of one process.
#[derive(Debug)]
pub(crate) struct FailPoints {
    armed: Mutex<Option<FailPoint>>,
    seen: Mutex<BTreeSet<String>>,
    reached: Notify,
    released: Notify,
}

/// The length of the beginning of a statement that distinguishes it from others.
const LABEL: usize = 96;
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;

impl FailPoints {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            armed: Mutex::default(),
            seen: Mutex::default(),
            reached: Notify::new(),
            released: Notify::new(),
        })
    }

    /// Forgets the statements that the process sent so far, such as those of its start.
    pub(crate) fn forget(&self) {
        lock(&self.seen).clear();
    }

    /// The statements that the process has sent.
    pub(crate) fn seen(&self) -> BTreeSet<String> {
        lock(&self.seen).clone()
    }

    /// Lets the data of the connection pass that reached the fail point.
    pub(crate) fn release(&self) {
        self.released.notify_waiters();
    }

    /// Waits until the process reaches the fail point. From then on, its connection is silent until it is released.
    pub(crate) async fn wait_for(&self, fail_point: FailPoint) {
        let reached = self.reached.notified();
        *lock(&self.armed) = Some(fail_point);
        reached.await;
    }

    /// Forgets a fail point that was not reached.
    pub(crate) fn disarm(&self) {
        *lock(&self.armed) = None;
    }

    /// Notes a statement. Returns the moment of the fail point if this statement is its, and disarms it.
    fn sees(&self, statement: &str) -> Option<Moment> {
        let mut seen = lock(&self.seen);
        if !seen.contains(statement) {
            seen.insert(statement.to_owned());
        }
        drop(seen);
        lock(&self.armed).take_if(|armed| armed.statement == statement).map(|armed| armed.moment)
    }

    /// Notifies the waiting schedule, which kills or pauses the process, and waits until it releases the connection.
    async fn reach(&self) {
        let released = self.released.notified();
        self.reached.notify_waiters();
        released.await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Forwards messages until either side ends, or a fail point is reached.
pub(super) async fn forward(
    client: &mut TcpStream,
    server: &mut TcpStream,
    link: &Link,
    fail_points: &FailPoints,
) -> io::Result<()> {
    let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
    // Set when the statement of a fail point is on its way to the server.
    let is_held = AtomicBool::new(false);
    tokio::select! {
        result = requests(from_client, to_server, link.clone(), fail_points, &is_held) => result,
        result = responses(from_server, to_client, link.clone(), fail_points, &is_held) => result,
    }
}

async fn requests(
    mut client: impl AsyncReadExt + Unpin,
    mut server: impl AsyncWriteExt + Unpin,
    mut link: Link,
    fail_points: &FailPoints,
    is_held: &AtomicBool,
) -> io::Result<()> {
    let mut reader = MessageReader::default();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = client.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        link.pass(Direction::ToServer, length).await?;
        reader.push(&buffer[..length]);
        let mut batch = Vec::new();
        while let Some((message, statement)) = reader.next() {
            match statement.and_then(|statement| fail_points.sees(&statement)) {
                Some(Moment::Before) => {
                    server.write_all(&batch).await?;
                    batch.clear();
                    // A process that is killed closes its connections, which ends this one.
                    tokio::select! {
                        () = fail_points.reach() => {}
                        _ = client.read(&mut buffer) => return Ok(()),
                    }
                }
                Some(Moment::After) => is_held.store(true, Ordering::Relaxed),
                None => {}
            }
            batch.extend(message);
        }
        server.write_all(&batch).await?;
    }
}

async fn responses(
    mut server: impl AsyncReadExt + Unpin,
    mut client: impl AsyncWriteExt + Unpin,
    mut link: Link,
    fail_points: &FailPoints,
    is_held: &AtomicBool,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = server.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        // The server sends its response to a statement after it has executed it.
        if is_held.swap(false, Ordering::Relaxed) {
            fail_points.reach().await;
        }
        link.pass(Direction::ToClient, length).await?;
        client.write_all(&buffer[..length]).await?;
    }
}

/// Splits the data of a client into messages, and parses their statements.
#[derive(Debug, Default)]
struct MessageReader {
    data: Vec<u8>,
    is_started: bool,
    prepared: HashMap<Vec<u8>, String>,
}

impl MessageReader {
    fn push(&mut self, data: &[u8]) {
        self.data.extend(data);
    }

    /// The next complete message, and the statement that it executes.
    fn next(&mut self) -> Option<(Vec<u8>, Option<String>)> {
        // The messages of the start-up phase have no type.
        let type_length = usize::from(self.is_started);
        let length = self.data.get(type_length..type_length + 4)?;
        let length = type_length + u32::from_be_bytes(length.try_into().ok()?) as usize;
        if self.data.len() < length {
            return None;
        }
        let rest = self.data.split_off(length);
        let message = std::mem::replace(&mut self.data, rest);
        if !self.is_started {
            let code = message.get(4..8).and_then(|code| code.try_into().ok()).map(u32::from_be_bytes);
            self.is_started = !matches!(code, Some(SSL_REQUEST | GSS_REQUEST));
            return Some((message, None));
        }
        let statement = self.statement(&message);
        Some((message, statement))
    }

    fn statement(&mut self, message: &[u8]) -> Option<String> {
        let mut texts = message.get(5..)?.split(|byte| *byte == 0);
        match message.first()? {
            b'Q' => Some(label(texts.next()?)),
            b'P' => {
                let (name, sql) = (texts.next()?, texts.next()?);
                self.prepared.insert(name.to_vec(), label(sql));
                None
            }
            b'B' => {
                let (_portal, name) = (texts.next()?, texts.next()?);
                self.prepared.get(name).cloned()
            }
            _ => None,
        }
    }
}

/// The beginning of a statement, without line breaks. The arguments of a call differ each time, and are left out.
fn label(sql: &[u8]) -> String {
    let text = String::from_utf8_lossy(sql);
    let text = if text.contains("CALL ") { text.split('(').next().unwrap_or_default() } else { &text };
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").chars().take(LABEL).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap_or_default();
        [&[kind], &length.to_be_bytes()[..], body].concat()
    }

    #[test]
    fn statements_are_known_by_their_text_however_the_data_is_split() {
        let data = [
            [&8_u32.to_be_bytes()[..], &SSL_REQUEST.to_be_bytes()].concat(),
            [&9_u32.to_be_bytes()[..], &196_608_u32.to_be_bytes(), b"\0"].concat(),
            message(b'Q', b"BEGIN; CALL begin_scope('1', NULL)\0"),
            message(b'P', b"s1\0UPDATE orders\n  SET state = $1\0\0\0"),
            message(b'B', b"\0s1\0\0\0\0\0\0\0"),
            message(b'E', b"\0\0\0\0\0"),
            message(b'Q', b"COMMIT\0"),
        ]
        .concat();
        for size in [1, 3, data.len()] {
            let (mut reader, mut forwarded, mut statements) =
                (MessageReader::default(), Vec::new(), Vec::new());
            for chunk in data.chunks(size) {
                reader.push(chunk);
                while let Some((message, statement)) = reader.next() {
                    forwarded.extend(message);
                    statements.extend(statement);
                }
            }
            assert_eq!(forwarded, data);
            assert_eq!(statements, ["BEGIN; CALL begin_scope", "UPDATE orders SET state = $1", "COMMIT"]);
        }
    }
}
