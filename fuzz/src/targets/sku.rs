//! Stock keeping units.

use glasshouse_domain::values::Sku;

use crate::Target;
use crate::check::{says_what_to_do, text};

pub(super) const TARGET: Target = Target {
    name: "sku",
    seeds: &["MUG-BLUE-01", "mug_blue.01", "two words", "größe", "ſ"],
    dictionary: &["-", "_", ".", "ı", "ſ"],
    run,
};

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let is_sku = (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    match Sku::parse(text) {
        Ok(sku) => {
            assert!(is_sku);
            assert_eq!(sku.as_str(), text.to_ascii_uppercase());
            assert_eq!(Sku::parse(sku.as_str()), Ok(sku));
        }
        Err(error) => {
            assert!(!is_sku);
            says_what_to_do(&error);
        }
    }
}
