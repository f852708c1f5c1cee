//! Connections that are held.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::repeat_until;
use crate::service::Service;

/// Each connection sends a whole request first, as the head of a connection's first request is limited by most servers.
pub(super) async fn slow_heads(service: &Service, end: Instant) -> usize {
    repeat_until(end, 540, async |_| {
        let mut connection = TcpStream::connect(service.address).await?;
        connection.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
        if connection.read(&mut [0; 1024]).await? == 0 {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        for byte in b"GET /health/live HTTP/1.1\r\nX-Slow: ".iter().chain([b'x'; 1000].iter()) {
            connection.write_all(&[*byte]).await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
            if connection.try_read(&mut [0; 1024]).is_ok() {
                return Ok(());
            }
        }
        Ok::<_, io::Error>(())
    })
    .await
}

/// Pipelines requests for more than fits into the buffers of the sockets, and reads nothing.
pub(super) async fn slow_readers(service: &Service, end: Instant) -> usize {
    let requests = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(8);
    repeat_until(end, 540, async |_| {
        let mut connection = TcpStream::connect(service.address).await?;
        connection.write_all(requests.as_bytes()).await?;
        // The server reads nothing more while it cannot send, so a connection that it closes fails to write.
        while connection.write_all(b"\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ok::<_, io::Error>(())
    })
    .await
}

/// Each connection is opened again as soon as it is closed.
pub(super) async fn idle(service: &Service, end: Instant) -> usize {
    repeat_until(end, 3000, async |_| {
        let mut connection = TcpStream::connect(service.address).await?;
        connection.read(&mut [0; 1024]).await
    })
    .await
}
