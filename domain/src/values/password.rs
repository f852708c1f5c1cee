//! Passwords and their hashes.

use secrecy::{ExposeSecret, SecretString};

/// A new password in plain text: 12 to 128 characters. `Debug` redacts it.
///
/// The minimum follows NIST SP 800-63B, which prefers length over composition rules. The maximum bounds the
/// cost of hashing.
#[derive(Clone, Debug)]
pub struct Password(SecretString);

/// Why a text is not accepted as a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have {} to {} characters", Password::MIN_CHARS, Password::MAX_CHARS)]
pub struct PasswordError;

impl Password {
    /// The minimum length in characters.
    pub const MIN_CHARS: usize = 12;
    /// The maximum length in characters.
    pub const MAX_CHARS: usize = 128;

    /// Checks the length of a new password.
    ///
    /// # Errors
    /// [`PasswordError`] when it is too short or too long.
    pub fn parse(text: SecretString) -> Result<Self, PasswordError> {
        match text.expose_secret().chars().count() {
            Self::MIN_CHARS..=Self::MAX_CHARS => Ok(Self(text)),
            _ => Err(PasswordError),
        }
    }

    /// The plain text, for hashing only.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// The argon2id hash of a password, in PHC string format. `Debug` redacts it.
#[derive(Clone, Debug)]
pub struct PasswordHash(SecretString);

impl PasswordHash {
    /// Wraps a PHC string, such as `$argon2id$v=19$…`.
    #[must_use]
    pub fn new(phc: String) -> Self {
        Self(phc.into())
    }

    /// The PHC string, for the database and for verification only.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_in_characters_and_debug_is_redacted() {
        assert!(Password::parse("ä".repeat(11).into()).is_err());
        assert!(Password::parse("x".repeat(129).into()).is_err());
        let password = Password::parse("correct horse battery".into()).unwrap();
        assert!(!format!("{password:?}").contains("horse"));
        assert!(!format!("{:?}", PasswordHash::new("$argon2id$".into())).contains("argon2id"));
    }
}
