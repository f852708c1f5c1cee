//! Amounts of money in JSON, as a number of minor units behind the code of a currency, and quantities.

use glasshouse_api::http::json::Integer;
use glasshouse_domain::values::{Currency, Money, Quantity};

use crate::Target;
use crate::check::{says_what_to_do, text};

pub(super) const TARGET: Target = Target {
    name: "money",
    seeds: &[
        "USD 1250",
        "JPY 9007199254740991",
        "EUR -1",
        "USD 2.0",
        "USD 1e3",
        "USD 900719925474099.0",
        "USD 9223372036854775808",
        "USD 0.30000000000000004",
    ],
    dictionary: &["USD ", "JPY ", "9007199254740991", "9223372036854775807", ".0", "e", "E+", "-"],
    run,
};

fn run(input: &[u8]) {
    let Some((code, number)) = text(input).and_then(|text| text.split_once(' ')) else { return };
    let Ok(Integer(minor)) = serde_json::from_str(number) else { return };
    is_exact(number, minor);
    let quantity = Quantity::new(minor);
    assert_eq!(quantity.is_ok(), (1..=i64::from(Quantity::MAX)).contains(&minor));
    let Ok(currency) = Currency::parse(code) else { return };
    let is_amount = (0..=Money::MAX_MINOR).contains(&minor);
    match Money::new(minor, currency) {
        Ok(money) => {
            assert!(is_amount);
            assert_eq!((money.minor(), money.currency()), (minor, currency));
            let text = money.to_string();
            assert!(text.ends_with(currency.code()));
            let digits = text.chars().filter(char::is_ascii_digit).collect::<String>();
            assert_eq!(digits.parse(), Ok(minor), "{text}");
            let product = quantity.ok().map(|quantity| money.times(quantity).map(Money::minor).ok());
            let exact = i128::from(minor) * i128::from(minor);
            let exact = i64::try_from(exact).ok().filter(|minor| *minor <= Money::MAX_MINOR);
            assert!(product.is_none_or(|product| product == exact));
            let sum = money.plus(money).map(Money::minor).ok();
            assert_eq!(sum, Some(2 * minor).filter(|sum| *sum <= Money::MAX_MINOR));
        }
        Err(error) => {
            assert!(!is_amount);
            says_what_to_do(&error);
        }
    }
}

/// Checks that a number is the one that was written. An integer is exact, also with zeros behind its point. Any other number
/// counts for the nearest float, as JSON says (RFC 8259, section 6), and `serde_json` misses that by some units in the last place.
fn is_exact(number: &str, read: i64) {
    let number = number.trim_ascii();
    let integer = number.split_once('.').map_or(number, |(integer, zeros)| match zeros.trim_matches('0') {
        "" => integer,
        _ => number,
    });
    match integer.parse::<i128>() {
        Ok(written) => assert_eq!(i128::from(read), written),
        Err(_) => {
            let (written, read) = (number.parse::<f64>().expect("a number"), read as f64);
            let last_places = (written.abs() * f64::EPSILON).max(f64::EPSILON) * 4.0;
            assert!((written - read).abs() <= last_places, "{number} was read as {read}");
        }
    }
}
