//! Tokens of password resets.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// The secret with which a user may set a new password. `Debug` redacts it.
#[derive(Clone, Debug)]
pub struct ResetToken(SecretString);

impl ResetToken {
    /// A new token: these random bytes as 64 hexadecimal digits.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self(hex(&random).into())
    }

    /// A token as a client presents it, which may be any text.
    #[must_use]
    pub const fn presented(text: SecretString) -> Self {
        Self(text)
    }

    /// The token as text, for the notifier only.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The SHA-256 of the token as 64 hexadecimal digits, for the database. A token has 256 random bits, so a slow hash would
    /// add nothing.
    #[must_use]
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.expose()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_presented_token_has_the_hash_of_the_new_one_and_both_are_redacted() {
        let new = ResetToken::new([0xab; 32]);
        let presented = ResetToken::presented(new.expose().into());
        assert_eq!((new.expose().len(), presented.hash()), (64, new.hash()));
        assert_ne!(new.expose(), new.hash());
        assert!(!format!("{new:?}{presented:?}").contains("abab"));
    }

    #[test]
    fn the_hash_is_sha256() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(ResetToken::presented("abc".into()).hash(), expected);
    }
}
