//! The connections of the HTTP servers.
//!
//! actix-http responds to bytes that are no HTTP request with an empty body, or with nothing at all, and has no hook to
//! change that. A [`Connection`] recognizes these responses where they are written, and writes a problem document
//! instead.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::http::StatusCode;
use glasshouse_telemetry::metrics::HttpMetrics;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::connections::{Activity, CloseReason, WatchedStream};
use super::draining::Draining;
use super::rejection;
use super::unanswered::Unanswered;

/// How long the client of a malformed request may go on sending. A connection that is closed before is reset, and the
/// client may lose the response.
const LINGER: Duration = Duration::from_secs(1);

/// A TCP connection that responds to malformed requests with problem documents.
#[derive(Debug)]
pub struct Connection {
    stream: WatchedStream,
    state: State,
    unanswered: Unanswered,
    draining: Draining,
    metrics: HttpMetrics,
}

#[derive(Debug)]
enum State {
    /// What actix-http reads and writes passes.
    Relaying,
    /// A problem document is written in place of a response.
    Rejecting { response: Vec<u8>, written: usize },
    /// The response is written; what the client still sends is read and discarded.
    Lingering(Pin<Box<Sleep>>),
    /// Nothing more is written.
    Closed,
}

impl Connection {
    /// A connection whose malformed requests are counted in `metrics`.
    #[must_use]
    pub fn new(stream: WatchedStream, draining: Draining, metrics: HttpMetrics) -> Self {
        Self { stream, state: State::Relaying, unanswered: Unanswered::default(), draining, metrics }
    }

    /// The socket.
    #[must_use]
    pub const fn stream(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// What the connection is doing.
    #[must_use]
    pub const fn activity(&self) -> &Activity {
        self.stream.activity()
    }

    /// The requests without a response.
    #[must_use]
    pub const fn unanswered(&self) -> &Unanswered {
        &self.unanswered
    }

    /// Writes the problem document, and waits until the client has read it.
    fn poll_reject(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.state {
                State::Relaying | State::Closed => return Poll::Ready(Ok(())),
                State::Rejecting { response, written } => {
                    if let rest @ [_, ..] = &response[*written..] {
                        match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                            more => *written += more,
                        }
                        continue;
                    }
                    ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
                    self.state = State::Lingering(Box::pin(tokio::time::sleep(LINGER)));
                }
                State::Lingering(deadline) => {
                    let mut discarded = [0; 4096];
                    let mut discarded = ReadBuf::new(&mut discarded);
                    let read = Pin::new(&mut self.stream).poll_read(cx, &mut discarded);
                    let has_ended = match read {
                        Poll::Ready(Ok(())) => discarded.filled().is_empty(),
                        Poll::Ready(Err(_)) => true,
                        Poll::Pending => {
                            ready!(deadline.as_mut().poll(cx));
                            true
                        }
                    };
                    if has_ended {
                        self.state = State::Closed;
                    }
                }
            }
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        if read.is_err() {
            // The client is gone.
            self.state = State::Closed;
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let State::Relaying = self.state {
            match rejection::find(bytes) {
                None => return Pin::new(&mut self.stream).poll_write(cx, bytes),
                // The responses before it first.
                Some((at @ 1.., _)) => return Pin::new(&mut self.stream).poll_write(cx, &bytes[..at]),
                Some((0, status)) => {
                    let response = rejection::response(status, &self.metrics);
                    self.state = State::Rejecting { response, written: 0 };
                }
            }
        }
        ready!(self.poll_reject(cx))?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state = State::Closed;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for Connection {
    /// actix-http drops a request whose body has a malformed chunk without a response, if its handler is still at work. A head
    /// that did not arrive in time has no response either.
    fn drop(&mut self) {
        let is_dropped = self.unanswered.is_any() && !self.draining.is_on();
        let status = match self.activity().close_reason() {
            Some(CloseReason::HeadTimeout) => StatusCode::REQUEST_TIMEOUT,
            None if is_dropped => StatusCode::BAD_REQUEST,
            _ => return,
        };
        if matches!(self.state, State::Relaying) {
            // The socket's buffer has room, as nothing of this response was written. A client that is gone gets nothing.
            let _ = self.stream().try_write(&rejection::response(status, &self.metrics));
        }
    }
}
