//! Stock keeping units.

use std::fmt;

/// A stock keeping unit: the tenant's code for a product, such as `MUG-BLUE-01`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sku(String);

/// Why a text is not a SKU.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {} characters out of A-Z, 0-9, '-', '_' and '.'", Sku::MAX_CHARS)]
pub struct SkuError;

impl Sku {
    /// The maximum length in characters.
    pub const MAX_CHARS: usize = 64;
    /// The regular expression that all accepted texts match.
    pub const PATTERN: &str = "^[A-Za-z0-9._-]+$";

    /// Parses a new SKU. Lower-case letters become upper-case.
    ///
    /// # Errors
    /// [`SkuError`] when it is empty, too long or contains other characters.
    pub fn parse(text: &str) -> Result<Self, SkuError> {
        let text = text.to_ascii_uppercase();
        let allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
        let fits = (1..=Self::MAX_CHARS).contains(&text.len());
        if fits && text.chars().all(allowed) { Ok(Self(text)) } else { Err(SkuError) }
    }

    /// A SKU from the database.
    #[must_use]
    pub const fn stored(text: String) -> Self {
        Self(text)
    }

    /// The SKU as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Sku> for String {
    fn from(sku: Sku) -> Self {
        sku.0
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::text::tests::any_text;
    use super::*;
    use crate::pattern::accepts;

    proptest! {
        #[test]
        fn an_accepted_sku_is_accepted_again(text in any_text()) {
            if let Ok(sku) = Sku::parse(&text) {
                prop_assert_eq!(Sku::parse(sku.as_str()), Ok(sku));
            }
        }
    }

    #[test]
    fn skus_are_upper_case_and_validated() {
        assert_eq!(Sku::parse("mug-blue.01").unwrap().as_str(), "MUG-BLUE.01");
        for text in ["", "two words", " MUG", "MUG\n", "größe", &"A".repeat(65)] {
            assert_eq!(Sku::parse(text), Err(SkuError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_rule_is_that_of_the_pattern(text in "[A-Za-z0-9._-]{0,70}|[ -~]{0,4}|.{0,6}") {
            prop_assert_eq!(Sku::parse(&text).is_ok(), accepts(Sku::PATTERN, 1..=Sku::MAX_CHARS, &text));
        }
    }
}
