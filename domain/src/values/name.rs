//! Display names.

/// The display name of a tenant or a product: 1 to 200 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// Why a text is not a name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {} characters and no control characters", Name::MAX_CHARS)]
pub struct NameError;

impl Name {
    /// The maximum length in characters.
    pub const MAX_CHARS: usize = 200;

    /// Parses a name. Surrounding whitespace is removed.
    ///
    /// # Errors
    /// [`NameError`] when the name is empty, too long or contains control characters.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        let fits = !text.is_empty() && text.chars().count() <= Self::MAX_CHARS;
        if !fits || text.chars().any(char::is_control) {
            return Err(NameError);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text, without surrounding whitespace.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_validated() {
        assert_eq!(Name::parse("  Blue mug ").unwrap().as_str(), "Blue mug");
        for text in ["", "  ", "two\nlines", &"x".repeat(201)] {
            assert_eq!(Name::parse(text), Err(NameError), "{text:?}");
        }
    }
}
