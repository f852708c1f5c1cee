//! Display names.

use super::text::normalized;

/// The display name of a tenant or a product: 1 to 200 characters in Unicode's Normalization Form C, none of them a control
/// character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// Why a text is not a name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {} characters and no control characters", Name::MAX_CHARS)]
pub struct NameError;

impl Name {
    /// The maximum length in characters.
    pub const MAX_CHARS: usize = 200;

    /// Parses a new name. Surrounding whitespace is removed.
    ///
    /// # Errors
    /// [`NameError`] when the name is empty, too long or contains control characters.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = normalized(text);
        let fits = !text.is_empty() && text.chars().count() <= Self::MAX_CHARS;
        if !fits || text.chars().any(char::is_control) {
            return Err(NameError);
        }
        Ok(Self(text))
    }

    /// A name from the database.
    #[must_use]
    pub const fn stored(text: String) -> Self {
        Self(text)
    }

    /// The name as text, without surrounding whitespace.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    use super::super::text::tests::any_text;
    use super::*;

    proptest! {
        #[test]
        fn an_accepted_name_is_accepted_again_in_each_form(text in any_text()) {
            if let Ok(name) = Name::parse(&text) {
                for form in [name.as_str().to_owned(), text.nfc().collect(), text.nfd().collect()] {
                    prop_assert_eq!(Name::parse(&form), Ok(name.clone()));
                }
            }
        }
    }

    #[test]
    fn length_is_that_of_the_normal_form() {
        // Two code points each, of which the normal form makes one, and the reverse.
        assert!(Name::parse(&"e\u{301}".repeat(200)).is_ok());
        assert_eq!(Name::parse(&"\u{958}".repeat(101)), Err(NameError));
    }

    #[test]
    fn names_are_trimmed_and_validated() {
        assert_eq!(Name::parse("  Blue mug ").unwrap().as_str(), "Blue mug");
        for text in ["", "  ", "two\nlines", &"x".repeat(201)] {
            assert_eq!(Name::parse(text), Err(NameError), "{text:?}");
        }
    }
}
