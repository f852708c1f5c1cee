//! What several targets check.

use std::fmt::Display;

use percent_encoding::percent_decode_str;
use regex::bytes::Regex;

/// The input as text; `None` if it is not UTF-8. Parsers of `&str` never see other bytes.
pub(crate) fn text(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok()
}

/// Checks that an error says what to do: that it has an imperative or an obligation, and fits on a line.
pub(crate) fn says_what_to_do(error: &impl Display) {
    let message = error.to_string();
    let instructions = ["must ", "use ", "send ", "write ", "set ", "allow ", "name ", "log in"];
    assert!(instructions.iter().any(|word| message.contains(word)), "the error does not help: {message}");
    assert!(!message.contains('\n'), "the error has several lines: {message}");
}

/// Whether a part of a URL spells a word, however it is written: in capital letters, percent-encoded, or with the control
/// characters that parsers of URLs remove.
pub(crate) fn spells(part: &str, word: &str) -> bool {
    let decoded = percent_decode_str(part).decode_utf8_lossy();
    let letters: String = decoded.chars().filter(|c| !c.is_ascii_control()).collect();
    letters.to_ascii_lowercase().contains(word)
}

/// A grammar of bytes, for the second implementation of a parser.
pub(crate) fn grammar(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the grammar of a target is a regular expression")
}
