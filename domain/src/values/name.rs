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
    /// The regular expression that all accepted texts match: no control character, and one that is not whitespace.
    pub const PATTERN: &str = concat!(
        r"^[^\u0000-\u001f\u007f-\u009f]*",
        r"[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]",
        r"[^\u0000-\u001f\u007f-\u009f]*$",
    );

    /// Parses a new name. Surrounding whitespace is removed.
    ///
    /// # Errors
    /// [`NameError`] when the name is blank, too long or contains control characters.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.chars().any(char::is_control) {
            return Err(NameError);
        }
        let text = normalized(text);
        let fits = !text.is_empty() && text.chars().count() <= Self::MAX_CHARS;
        if fits { Ok(Self(text)) } else { Err(NameError) }
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

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    use super::super::text::tests::any_text;
    use super::*;
    use crate::pattern::accepts;

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
        for text in ["", "  ", "two\nlines", "Mug\n", &"x".repeat(201)] {
            assert_eq!(Name::parse(text), Err(NameError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_rule_is_that_of_the_pattern(text in r"\PC{0,210}|[\s\p{Cc}a]{0,5}|\s{0,3}.{0,2}") {
            let is_accepted = Name::parse(&text).is_ok();
            prop_assert!(!is_accepted || accepts(Name::PATTERN, 1..=usize::MAX, &text));
            // Limits of length are those of the normal form.
            let text = normalized(&text);
            prop_assert_eq!(Name::parse(&text).is_ok(), accepts(Name::PATTERN, 1..=Name::MAX_CHARS, &text));
        }
    }
}
