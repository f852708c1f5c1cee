//! For tests: whether a text matches the rule that the API documents for a value, its length and regular expression.

use std::ops::RangeInclusive;

use regex::Regex;

/// Whether the text has a length in this range, in characters, and matches the regular expression.
pub(crate) fn accepts(pattern: &str, chars: RangeInclusive<usize>, text: &str) -> bool {
    chars.contains(&text.chars().count()) && Regex::new(pattern).unwrap().is_match(text)
}
