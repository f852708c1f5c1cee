//! Bodies of responses in small pieces.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;

/// The size of a piece, in bytes.
const PIECE: usize = 16 * 1024;

/// A body that is sent in small pieces. actix-http copies the next piece of a body for each connection. If that is a whole
/// file, clients that do not read it take its size in memory each.
pub struct Pieces {
    body: BoxBody,
    /// What is left of the last part of the body.
    rest: Bytes,
}

impl Pieces {
    /// Sends `body` in pieces.
    pub fn new(body: impl MessageBody + 'static) -> Self {
        Self { body: BoxBody::new(body), rest: Bytes::new() }
    }
}

impl MessageBody for Pieces {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_next(cx)) {
                Some(Ok(part)) => self.rest = part,
                end => return Poll::Ready(end),
            }
        }
        let length = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(self.rest.split_to(length))))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn a_body_is_sent_as_it_is() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7] {
            let body: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            let mut pieces = Pieces::new(body.clone());
            assert_eq!(pieces.size(), BodySize::Sized(length as u64));
            let mut sent = Vec::new();
            while let Some(piece) = poll_fn(|cx| Pin::new(&mut pieces).poll_next(cx)).await {
                let piece = piece.unwrap();
                assert!((1..=PIECE).contains(&piece.len()), "{length}: {}", piece.len());
                sent.extend_from_slice(&piece);
            }
            assert_eq!(sent, body);
        }
    }
}
