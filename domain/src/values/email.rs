//! E-mail addresses.

use std::fmt;

use email_address::{EmailAddress, Options};

/// An e-mail address in lower case, so that two addresses that differ only in case are the same user.
///
/// `Debug` redacts it: e-mail addresses never appear in telemetry.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

/// Why a text is not an e-mail address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address such as ada@example.com")]
pub struct EmailError;

impl Email {
    /// Parses an address, such as `ada@example.com`. Surrounding whitespace is removed.
    ///
    /// # Errors
    /// [`EmailError`] unless the text is an address without a display name and with a dot in its domain.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let plain = Options::default().without_display_text().without_domain_literal().with_required_tld();
        let text = text.trim();
        EmailAddress::parse_with_options(text, plain).map_err(|_| EmailError)?;
        Ok(Self(text.to_lowercase()))
    }

    /// The address, for the database and the notifier only.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_lower_case_and_redacted() {
        let email = Email::parse(" Ada@Example.COM ").unwrap();
        assert_eq!(email.as_str(), "ada@example.com");
        assert_eq!(format!("{email:?}"), "Email([REDACTED])");
    }

    #[test]
    fn other_texts_are_rejected() {
        let long = format!("{}@example.com", "a".repeat(400));
        for text in [
            "",
            "ada",
            "ada@",
            "@example.com",
            "ada@localhost",
            "Ada <ada@example.com>",
            "a b@example.com",
            &long,
        ] {
            assert_eq!(Email::parse(text), Err(EmailError), "{text}");
        }
    }
}
