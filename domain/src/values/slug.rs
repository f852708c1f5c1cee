//! Slugs of tenants.

use std::fmt;

/// The unique name of a tenant in logins: 3 to 40 characters out of a-z, 0-9 and single hyphens between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slug(String);

/// Why a text is not a slug.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must have {} to {} characters out of a-z, 0-9 and single hyphens between them",
    Slug::MIN_CHARS,
    Slug::MAX_CHARS
)]
pub struct SlugError;

impl Slug {
    /// The minimum length in characters.
    pub const MIN_CHARS: usize = 3;
    /// The maximum length in characters.
    pub const MAX_CHARS: usize = 40;
    /// The regular expression that all slugs match.
    pub const PATTERN: &str = "^[a-z0-9]+(-[a-z0-9]+)*$";

    /// Parses a new slug. Upper case is rejected rather than converted, so that the stored slug is the one that the
    /// client sent.
    ///
    /// # Errors
    /// [`SlugError`] when the length or a character is not allowed.
    pub fn parse(text: &str) -> Result<Self, SlugError> {
        let part = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        let fits = (Self::MIN_CHARS..=Self::MAX_CHARS).contains(&text.len());
        if fits && text.split('-').all(part) { Ok(Self(text.to_owned())) } else { Err(SlugError) }
    }

    /// A slug from the database.
    #[must_use]
    pub const fn stored(text: String) -> Self {
        Self(text)
    }

    /// The slug as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pattern::accepts;

    #[test]
    fn slugs_are_validated() {
        for text in ["acme", "acme-2", "a1b"] {
            assert_eq!(Slug::parse(text).unwrap().as_str(), text);
        }
        for text in ["", "ab", "Acme", "-acme", "acme-", "a--b", "a b c", "größe", &"a".repeat(41)] {
            assert_eq!(Slug::parse(text), Err(SlugError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_rule_is_that_of_the_pattern(text in "[a-z0-9-]{0,45}|[a-c -]{0,6}|.{0,6}") {
            let fits = accepts(Slug::PATTERN, Slug::MIN_CHARS..=Slug::MAX_CHARS, &text);
            prop_assert_eq!(Slug::parse(&text).is_ok(), fits);
        }
    }
}
