//! Bodies that inflate, and bodies that do not arrive.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Client;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::repeat_until;
use crate::service::Service;

/// 62 MB of zeros are 60 KB in gzip.
pub(super) async fn inflating(service: &Service, end: Instant) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; 62_000_000]).unwrap();
    let (body, client) = (encoder.finish().unwrap(), Client::new());
    repeat_until(end, 40, async |_| {
        let request = client.post(service.url("/v1/auth/login")).header("Content-Type", "application/json");
        request.header("Content-Encoding", "gzip").body(body.clone()).send().await
    })
    .await
}

pub(super) async fn slow(service: &Service, end: Instant) -> usize {
    let head = "POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Content-Length: 60000\r\n\r\n";
    repeat_until(end, 540, async |_| {
        let mut connection = TcpStream::connect(service.address).await?;
        connection.write_all(head.as_bytes()).await?;
        loop {
            connection.write_all(b" ").await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
            if connection.try_read(&mut [0; 1024]).is_ok() {
                // Answered or closed.
                return Ok::<_, io::Error>(());
            }
        }
    })
    .await
}
