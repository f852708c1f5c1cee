//! What fields of events may hold.

use std::error::Error;
use std::fmt::Display;
use std::time::Duration;

use tracing::Value;
use tracing::field::{debug, display};

/// A plain value that a field of a log record may hold. Ids and other types of the application are passed as
/// `&dyn Display`.
pub trait FieldValue {
    /// The value in the terms of `tracing`.
    fn value(&self) -> impl Value + '_;
}

macro_rules! plain_values {
    ($($type:ty),+) => {
        $(impl FieldValue for $type {
            fn value(&self) -> impl Value + '_ {
                *self
            }
        })+
    };
}

plain_values!(bool, u16, u32, u64, i64);

impl FieldValue for f64 {
    fn value(&self) -> impl Value + '_ {
        with_six_decimals(*self)
    }
}

/// More decimals say nothing about a measurement, and a collector that redacts takes a long run of digits for the number of a card.
fn with_six_decimals(number: f64) -> f64 {
    let rounded = (number * 1e6).round() / 1e6;
    if rounded.is_finite() { rounded } else { number }
}

impl FieldValue for &str {
    fn value(&self) -> impl Value + '_ {
        *self
    }
}

impl FieldValue for Option<&str> {
    fn value(&self) -> impl Value + '_ {
        *self
    }
}

impl FieldValue for &dyn Display {
    fn value(&self) -> impl Value + '_ {
        display(*self)
    }
}

impl FieldValue for Option<&dyn Display> {
    fn value(&self) -> impl Value + '_ {
        self.map(display)
    }
}

/// With the chain of its sources.
impl FieldValue for &(dyn Error + 'static) {
    fn value(&self) -> impl Value + '_ {
        *self
    }
}

/// Such as `1.5s`.
impl FieldValue for Duration {
    fn value(&self) -> impl Value + '_ {
        debug(*self)
    }
}

/// The value of a field `severity`: above `ERROR`, which is the highest level of `tracing`.
#[derive(Clone, Copy, Debug)]
pub struct Critical;

impl FieldValue for Critical {
    fn value(&self) -> impl Value + '_ {
        "critical"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_at_most_six_decimals() {
        for (number, text) in [
            (8.412_345_678_901_234, "8.412346"),
            (29.418_532_000_000_4, "29.418532"),
            (1.5, "1.5"),
            (-0.25, "-0.25"),
        ] {
            assert_eq!(serde_json::to_string(&with_six_decimals(number)).unwrap(), text);
        }
        assert_eq!(with_six_decimals(f64::MAX), f64::MAX);
    }
}
