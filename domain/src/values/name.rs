/// A name that people read: of a tenant or a product. 1 to 200 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// Why a text is not a name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {} characters and no control characters", Name::MAX_CHARS)]
pub struct NameError;

impl Name {
    /// The most characters that a name may have.
    pub const MAX_CHARS: usize = 200;

    /// Reads a name; blanks at both ends are dropped.
    ///
    /// # Errors
    /// When it is empty, too long or has control characters.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        let fits = !text.is_empty() && text.chars().count() <= Self::MAX_CHARS;
        if !fits || text.chars().any(char::is_control) {
            return Err(NameError);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trims_and_refuses() {
        assert_eq!(Name::parse("  Blue mug ").unwrap().as_str(), "Blue mug");
        for text in ["", "  ", "two\nlines", &"x".repeat(201)] {
            assert_eq!(Name::parse(text), Err(NameError), "{text:?}");
        }
    }
}
