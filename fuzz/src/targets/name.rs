//! Display names.

use glasshouse_domain::values::Name;

use crate::Target;
use crate::check::{says_what_to_do, text};

pub(super) const TARGET: Target = Target {
    name: "name",
    seeds: &["Blue mug", "  Andre\u{301} ", "two\nlines", "\u{2000}", "\u{958}", "한"],
    dictionary: &["\u{301}", "\u{958}", "\u{a0}", "\u{200b}", "\u{85}", "\u{feff}"],
    run,
};

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    match Name::parse(text) {
        Ok(name) => {
            let name_text = name.as_str();
            assert!((1..=Name::MAX_CHARS).contains(&name_text.chars().count()));
            assert!(!name_text.chars().any(char::is_control), "{name_text:?}");
            assert_eq!(name_text, name_text.trim());
            assert_eq!(Name::parse(name_text), Ok(name.clone()), "the normal form is another name");
        }
        Err(error) => says_what_to_do(&error),
    }
}
