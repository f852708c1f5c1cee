//! The keys of buckets.

use std::fmt;

use sha2::{Digest, Sha256};

/// A hash of what a bucket is for: it has a fixed size, and does not show e-mail addresses to those who can read Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 16]);

impl Key {
    /// The key of a limit for these parts, such as an account and an address.
    pub(super) fn of(limit: &str, parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in [limit].iter().chain(parts) {
            // With its length, so that no two lists of parts are the same text.
            hash.update(part.len().to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        Self(key)
    }
}

/// Such as `0f1e…`, in hexadecimal digits.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_parts_have_another_key() {
        let keys = [
            Key::of("login", &["ada", "acme"]),
            Key::of("login", &["adaacme"]),
            Key::of("login", &["adaa", "cme"]),
            Key::of("loginada", &["acme"]),
        ];
        for (n, key) in keys.iter().enumerate() {
            assert!(keys[..n].iter().all(|other| other != key));
        }
        assert_eq!(keys[0], Key::of("login", &["ada", "acme"]));
        assert_eq!(keys[0].to_string().len(), 32);
    }
}
