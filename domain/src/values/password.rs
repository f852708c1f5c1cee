use secrecy::{ExposeSecret, SecretString};

/// A password as somebody typed it: 12 to 128 characters. Its `Debug` shows nothing.
///
/// The lower bound follows NIST SP 800-63B (length over composition rules); the upper one keeps the
/// cost of hashing bounded.
#[derive(Clone, Debug)]
pub struct Password(SecretString);

/// Why a text is not accepted as a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have {} to {} characters", Password::MIN_CHARS, Password::MAX_CHARS)]
pub struct PasswordError;

impl Password {
    /// The fewest characters of a new password.
    pub const MIN_CHARS: usize = 12;
    /// The most characters of a password.
    pub const MAX_CHARS: usize = 128;

    /// A new password.
    ///
    /// # Errors
    /// When it is too short or too long.
    pub fn parse(text: SecretString) -> Result<Self, PasswordError> {
        match text.expose_secret().chars().count() {
            Self::MIN_CHARS..=Self::MAX_CHARS => Ok(Self(text)),
            _ => Err(PasswordError),
        }
    }

    /// The text itself, for hashing only.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A password's argon2id hash in PHC string format. Its `Debug` shows nothing.
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
    fn counts_characters_and_hides_itself() {
        assert!(Password::parse("ä".repeat(11).into()).is_err());
        assert!(Password::parse("x".repeat(129).into()).is_err());
        let password = Password::parse("correct horse battery".into()).unwrap();
        assert!(!format!("{password:?}").contains("horse"));
        assert!(!format!("{:?}", PasswordHash::new("$argon2id$".into())).contains("argon2id"));
    }
}
