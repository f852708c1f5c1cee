//! Currencies of prices.

use glasshouse_domain::values::Currency;

use crate::Target;
use crate::check::{says_what_to_do, text};

pub(super) const TARGET: Target = Target {
    name: "currency",
    seeds: &["USD", "JPY", "XXX", "usd", "EURO"],
    dictionary: &["USD", "BTC"],
    run,
};

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let stored = Currency::stored(text);
    assert_eq!(stored.is_some(), text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()));
    match Currency::parse(text) {
        Ok(currency) => {
            assert!(Currency::in_circulation().any(|code| code == text));
            assert_eq!((currency.code(), Some(currency)), (text, stored));
            assert!(currency.decimals().is_some_and(|decimals| decimals <= 3));
        }
        Err(error) => {
            assert!(!Currency::in_circulation().any(|code| code == text));
            says_what_to_do(&error);
        }
    }
}
