//! E-mail addresses.

use std::fmt;

use email_address::{EmailAddress, Options};

use super::text::normalized;

/// An e-mail address in Unicode's Normalization Form C and in lower case, so that two addresses that differ only in
/// their encoding or their case are the same user.
///
/// `Debug` redacts it: e-mail addresses never appear in telemetry. Serde writes it as it is, for the database alone.
#[derive(Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Email(String);

/// Why a text is not an e-mail address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address such as ada@example.com")]
pub struct EmailError;

impl Email {
    /// The maximum length of an address to look up, in bytes: more than that of a new one (RFC 5321 §4.5.3.1).
    const MAX_LOOKUP_BYTES: usize = 1024;

    /// Parses a new address, such as `ada@example.com`. Surrounding whitespace is removed.
    ///
    /// # Errors
    /// [`EmailError`] unless the text is an address without a display name, without control characters (RFC 5322 permits a tab
    /// in quotes), and with a dot in its domain.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let plain = Options::default().without_display_text().without_domain_literal().with_required_tld();
        let email = Self::parse_existing(text)?;
        EmailAddress::parse_with_options(&email.0, plain).map_err(|_| EmailError)?;
        Ok(email)
    }

    /// Parses the address with which a user logs in: normalized like a new one, but not validated, because an earlier
    /// version may have accepted what [`Email::parse`] rejects now.
    ///
    /// # Errors
    /// [`EmailError`] when the text is no address of any version: too long, or with control characters.
    pub fn parse_existing(text: &str) -> Result<Self, EmailError> {
        let text = in_lower_case(text);
        let fits = text.len() <= Self::MAX_LOOKUP_BYTES && !text.chars().any(char::is_control);
        if fits { Ok(Self(text)) } else { Err(EmailError) }
    }

    /// An address from the database.
    #[must_use]
    pub const fn stored(text: String) -> Self {
        Self(text)
    }

    /// The address, for the database and the notifier only.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lower case may leave the normal form, so the text is normalized before and after.
fn in_lower_case(text: &str) -> String {
    normalized(&normalized(text).to_lowercase())
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    use super::super::text::tests::any_text;
    use super::*;

    /// A local part and a domain, so that most addresses are valid.
    fn any_address() -> impl Strategy<Value = String> {
        (any_text(), any_text()).prop_map(|(local, label)| format!("{local}@{label}.example"))
    }

    proptest! {
        #[test]
        fn an_accepted_address_is_accepted_again_in_each_form(text in any_address()) {
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email.clone()));
                for form in [text.clone(), text.nfc().collect(), text.nfd().collect(), format!(" {text}\n")] {
                    prop_assert_eq!(Email::parse(&form), Ok(email.clone()));
                    prop_assert_eq!(Email::parse_existing(&form), Ok(email.clone()));
                }
            }
        }
    }

    #[test]
    fn the_rules_apply_to_the_normal_form() {
        // In lower case, Ⱥ has three bytes instead of two: 32 of them exceed the 64 bytes of a local part.
        assert_eq!(Email::parse(&format!("{}@b.example", "Ⱥ".repeat(32))), Err(EmailError));
        assert!(Email::parse(&format!("{}@b.example", "Ⱥ".repeat(21))).is_ok());
        assert_eq!(Email::parse("Andre\u{301}@B.example").unwrap().as_str(), "andr\u{e9}@b.example");
        // Once stored, an address that is rejected now can still be looked up.
        assert_eq!(Email::parse_existing(" \u{130}@B.example").unwrap().as_str(), "i\u{307}@b.example");
        for text in ["a\u{0}@b.example", &"x".repeat(2000)] {
            assert_eq!(Email::parse_existing(text), Err(EmailError));
        }
    }

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
            "\"a b\t\"@example.com",
            &long,
        ] {
            assert_eq!(Email::parse(text), Err(EmailError), "{text}");
        }
    }
}
