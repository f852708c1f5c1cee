use std::fmt;

use email_address::{EmailAddress, Options};

/// An e-mail address, in lower case, so that one person cannot sign up twice by changing the case.
///
/// `Debug` hides it: e-mail addresses never appear in telemetry.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

/// Why a text is not an e-mail address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address such as ada@example.com")]
pub struct EmailError;

impl Email {
    /// Reads an address, for example `ada@example.com`.
    ///
    /// # Errors
    /// When the text is no plain address with a dot in its domain.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let plain = Options::default().without_display_text().without_domain_literal().with_required_tld();
        let text = text.trim();
        EmailAddress::parse_with_options(text, plain).map_err(|_| EmailError)?;
        Ok(Self(text.to_lowercase()))
    }

    /// The address as text, for the database and the notifier only.
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
    fn folds_case_and_hides_itself() {
        let email = Email::parse(" Ada@Example.COM ").unwrap();
        assert_eq!(email.as_str(), "ada@example.com");
        assert_eq!(format!("{email:?}"), "Email([REDACTED])");
    }

    #[test]
    fn refuses_what_is_no_address() {
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
