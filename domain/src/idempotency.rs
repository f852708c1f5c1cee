//! Idempotency keys: a repeated request has its effect once, and gets the response of the first one.

use sha2::{Digest, Sha256};

use crate::id::UserId;

/// The client's identifier of one request: 1 to 255 visible ASCII characters, for example a UUID. It belongs to the user who
/// makes the request: another user may use the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// Why a text is not an idempotency key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {} visible ASCII characters, for example a UUID", IdempotencyKey::MAX_CHARS)]
pub struct IdempotencyKeyError;

impl IdempotencyKey {
    /// The maximum length in characters.
    pub const MAX_CHARS: usize = 255;
    /// The regular expression that all keys match.
    pub const PATTERN: &str = "^[!-~]+$";

    /// Parses a key.
    ///
    /// # Errors
    /// [`IdempotencyKeyError`] when the text is empty, too long or contains other characters.
    pub fn parse(text: &str) -> Result<Self, IdempotencyKeyError> {
        let fits = (1..=Self::MAX_CHARS).contains(&text.len());
        let fits = fits && text.chars().all(|c| c.is_ascii_graphic());
        if fits { Ok(Self(text.to_owned())) } else { Err(IdempotencyKeyError) }
    }

    /// The key as the client sent it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A hash of the contents of a request. Requests of a user with the same key must have the same hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHash(String);

impl RequestHash {
    /// The SHA-256 of the parts: the user, the operation and the body.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // The length comes first, so that a byte that moves from one part to the next changes the hash.
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The hash as 64 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The response to a request, stored so that a repetition gets the same one.
///
/// It is opaque here and in the store: the client-facing interface writes it, reads it, and defines the codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredResponse {
    /// The outcome, as a code of the client-facing interface; at most [`i16::MAX`], which is what the store holds.
    pub code: u16,
    /// The serialized body.
    pub body: String,
}

/// A request that a client may repeat without repeating its effect.
///
/// The response is recorded in the transaction of the effect, so each port that has an effect gets the
/// function that renders it.
#[derive(Clone, Debug)]
pub struct IdempotentRequest<T> {
    /// The user who makes the request, and to whom the key belongs.
    pub user: UserId,
    /// The client's key.
    pub key: IdempotencyKey,
    /// The hash of the request's contents.
    pub hash: RequestHash,
    /// Renders the response for a result.
    pub render: fn(&T) -> StoredResponse,
}

/// The outcome of an operation with an idempotency key.
#[derive(Clone, Debug)]
pub enum Idempotent<T> {
    /// This request is the first with its key, and took effect.
    Executed(T),
    /// An earlier request with this key took effect; this is the response that was recorded for it.
    Replayed(StoredResponse),
    /// An earlier request with this key has no recorded response: it is still running, or its process
    /// crashed. This is the current state of the resource.
    InProgress(T),
}

/// The user used the key before for a different request.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("this idempotency key was used before for a different request: use a new key")]
pub struct KeyReused;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pattern::accepts;

    #[test]
    fn a_hash_depends_on_the_parts_and_their_boundaries() {
        let hash = RequestHash::of(&[b"POST", b"/v1/orders"]);
        assert_eq!(hash, RequestHash::of(&[b"POST", b"/v1/orders"]));
        assert_ne!(hash, RequestHash::of(&[b"POST/", b"v1/orders"]));
        assert_eq!(hash.as_str().len(), 64);
    }

    #[test]
    fn a_key_is_short_visible_ascii() {
        assert!(IdempotencyKey::parse("order-1").is_ok());
        for text in ["", "two words", "größe", &"k".repeat(256)] {
            assert_eq!(IdempotencyKey::parse(text), Err(IdempotencyKeyError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_rule_of_keys_is_that_of_the_pattern(text in "[!-~]{0,260}|[ -~]{0,4}|.{0,6}") {
            let fits = accepts(IdempotencyKey::PATTERN, 1..=IdempotencyKey::MAX_CHARS, &text);
            prop_assert_eq!(IdempotencyKey::parse(&text).is_ok(), fits);
        }
    }
}
