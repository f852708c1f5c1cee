//! Reasons of declined payments, which the gateway may write as it likes.

use glasshouse_domain::values::DeclineReason;

use crate::Target;
use crate::check::text;

pub(super) const TARGET: Target = Target {
    name: "decline_reason",
    seeds: &["insufficient_funds", " do not honor ", "a\u{0}b\nc", "\u{a0}\u{85}"],
    dictionary: &["\u{0}", "\n", "\u{a0}", "                                "],
    run,
};

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let reason = DeclineReason::from_gateway(text);
    let stored = reason.as_str();
    assert!((1..=DeclineReason::MAX_CHARS).contains(&stored.chars().count()));
    assert!(!stored.chars().any(char::is_control), "{stored:?}");
    assert_eq!(DeclineReason::from_gateway(stored), reason, "the normal form is another reason");
}
