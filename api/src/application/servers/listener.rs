//! A listening socket that closes without resetting a connection.

use std::io;
use std::net::{Shutdown, TcpListener};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use socket2::Socket;

/// How long the server goes on accepting connections whose handshakes have begun. It exceeds the round trip to a client.
const HANDSHAKES: Duration = Duration::from_millis(250);

/// How long the accepting thread may take to pause.
const PAUSE: Duration = Duration::from_millis(50);

/// A handle of a listening socket whose server accepts its connections.
#[derive(Debug)]
pub(in crate::application) struct Listener(Socket);

impl Listener {
    /// A handle of `listener`.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub(super) fn of(listener: &TcpListener) -> io::Result<Self> {
        Ok(Self(listener.try_clone()?.into()))
    }

    /// Closes the socket, so that new connections are refused. The kernel resets a connection that it has established and the
    /// server has not accepted yet, and with it the request that its client may have sent. So first, for a moment, no
    /// handshake begins while the server accepts what is there. (This needs Linux.)
    pub(in crate::application) async fn close(&self, server: &ServerHandle) {
        if ignore_handshakes(&self.0).is_ok() {
            tokio::time::sleep(HANDSHAKES).await;
        }
        server.pause().await;
        tokio::time::sleep(PAUSE).await;
        // Elsewhere than on Linux, a listening socket cannot be shut down: it closes with the server.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Drops packets that begin a handshake. Their clients repeat them after a second, and are refused then.
#[cfg(target_os = "linux")]
fn ignore_handshakes(listener: &Socket) -> io::Result<()> {
    use socket2::SockFilter;

    /// The classic BPF instructions "load a byte", "skip unless a bit is set" and "return", as in linux/bpf_common.h.
    const LOAD_BYTE: u16 = 0x30;
    const JUMP_IF_SET: u16 = 0x45;
    const RETURN: u16 = 0x06;
    /// The offset of the flags in a TCP header (RFC 9293, section 3.1), and the flag SYN.
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    listener.attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(JUMP_IF_SET, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ])
}

#[cfg(not(target_os = "linux"))]
fn ignore_handshakes(_listener: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
