//! The normal form of texts.

use unicode_normalization::UnicodeNormalization;

/// The text in Unicode's Normalization Form C, without surrounding whitespace. Keyboards and operating systems write the
/// same text in different forms: `é` is one code point or two.
///
/// A value is normalized before it is validated: normalization and case mapping can change its length and characters, so a
/// value that is valid before may not be valid after.
pub(super) fn normalized(text: &str) -> String {
    text.nfc().collect::<String>().trim().to_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    /// Texts in which normalization and case mapping matter: characters that grow, shrink, decompose or combine.
    pub(in crate::values) fn any_text() -> impl Strategy<Value = String> {
        let special = "[İıſßŒǅȺⱥΣςσKÅéà\u{301}\u{307}\u{323}\u{958}\u{1100}\u{1161}\u{11a8}\u{fb2c}\u{2000}\u{a0}]{1,40}";
        prop_oneof![any::<String>(), special, "[a-zA-Z0-9._ @-]{0,70}"]
    }
}
