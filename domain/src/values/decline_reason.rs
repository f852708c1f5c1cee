//! Reasons of declined payments.

use std::fmt;

/// The machine-readable reason of a declined payment, such as `insufficient_funds`: at most
/// [`DeclineReason::MAX_CHARS`] characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclineReason(String);

impl DeclineReason {
    /// The maximum length in characters.
    pub const MAX_CHARS: usize = 100;

    /// The reason as the payment gateway sent it, without control characters and cut to the maximum length; `unknown` if
    /// nothing is left. It is never rejected: a declined payment must be settled, whatever the gateway sends.
    #[must_use]
    pub fn from_gateway(text: &str) -> Self {
        let printable: String = text.chars().filter(|c| !c.is_control()).collect();
        let reason: String = printable.trim().chars().take(Self::MAX_CHARS).collect();
        // The cut may leave whitespace at the end.
        let reason = reason.trim_end();
        Self(if reason.is_empty() { "unknown" } else { reason }.to_owned())
    }

    /// A reason from the database.
    #[must_use]
    pub const fn stored(text: String) -> Self {
        Self(text)
    }

    /// The reason as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeclineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_reason_of_the_gateway_becomes_short_and_printable() {
        let long = "x".repeat(1000);
        let gap = format!("do not honor{:100}x", "");
        for (sent, stored) in [
            ("insufficient_funds", "insufficient_funds"),
            (" do not honor ", "do not honor"),
            ("a\u{0}b\nc", "abc"),
            ("", "unknown"),
            ("\u{0} \n", "unknown"),
            (&long, &long[..DeclineReason::MAX_CHARS]),
            (&gap, "do not honor"),
        ] {
            assert_eq!(DeclineReason::from_gateway(sent).as_str(), stored, "{sent:?}");
        }
    }
}
