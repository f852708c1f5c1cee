//! Passwords and their hashes.

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

/// A new password in plain text: 12 to 128 characters in Unicode's Normalization Form C. `Debug` redacts it.
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

    /// Normalizes a new password, and checks its length.
    ///
    /// # Errors
    /// [`PasswordError`] when it is too short or too long.
    pub fn parse(text: SecretString) -> Result<Self, PasswordError> {
        let text = Self::normalized(&text);
        match text.expose_secret().chars().count() {
            Self::MIN_CHARS..=Self::MAX_CHARS => Ok(Self(text)),
            _ => Err(PasswordError),
        }
    }

    /// A password as it is hashed and verified: in Normalization Form C, because keyboards and operating systems write the
    /// same characters in different forms (NIST SP 800-63B; RFC 8265 §4.2.2). Spaces stay: they are part of it.
    #[must_use]
    pub fn normalized(text: &SecretString) -> SecretString {
        text.expose_secret().nfc().collect::<String>().into()
    }

    /// A password that was just verified. It may be older than the rules for new ones.
    #[must_use]
    pub const fn verified(text: SecretString) -> Self {
        Self(text)
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
        let parse = |text: String| Password::parse(text.into());
        assert!(parse("ä".repeat(11)).is_err());
        assert!(parse("x".repeat(129)).is_err());
        // Of two code points, the normal form makes one: the length does not depend on the keyboard.
        assert!(parse("a\u{308}".repeat(11)).is_err());
        assert_eq!(parse("a\u{308}".repeat(12)).unwrap().expose(), "ä".repeat(12));
        let password = parse("correct horse battery".to_owned()).unwrap();
        assert!(!format!("{password:?}").contains("horse"));
        assert!(!format!("{:?}", PasswordHash::new("$argon2id$".into())).contains("argon2id"));
    }
}
