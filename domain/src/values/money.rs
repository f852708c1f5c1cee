//! Amounts of money.

use std::fmt;

use super::{Currency, Quantity};

/// An amount of money in whole minor units of its currency (cents for USD); never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

/// Why an amount is not valid, or a sum or product cannot be computed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The amount is below zero.
    #[error("must not be negative")]
    Negative,
    /// The amount exceeds [`Money::MAX_MINOR`].
    #[error("must not exceed {} minor units", Money::MAX_MINOR)]
    TooLarge,
    /// The amounts have different currencies.
    #[error("must be in one currency, not {0} and {1}")]
    MixedCurrencies(Currency, Currency),
}

impl Money {
    /// The largest amount: 2⁵³ − 1, the largest integer that every JSON client reads exactly (RFC 8259 §6).
    pub const MAX_MINOR: i64 = 9_007_199_254_740_991;

    /// An amount of `minor` minor units.
    ///
    /// # Errors
    /// [`MoneyError::Negative`], or [`MoneyError::TooLarge`] above [`Self::MAX_MINOR`].
    pub fn new(minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        match minor {
            ..0 => Err(MoneyError::Negative),
            0..=Self::MAX_MINOR => Ok(Self { minor, currency }),
            _ => Err(MoneyError::TooLarge),
        }
    }

    /// An amount from the database.
    #[must_use]
    pub const fn stored(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// The amount 0 in this currency.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// The number of minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency of the amount.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The amount multiplied by a quantity.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] above [`Self::MAX_MINOR`].
    pub fn times(self, quantity: Quantity) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_mul(i64::from(quantity.get())).ok_or(MoneyError::TooLarge)?;
        Self::new(minor, self.currency)
    }

    /// The sum of two amounts.
    ///
    /// # Errors
    /// [`MoneyError::MixedCurrencies`], or [`MoneyError::TooLarge`] above [`Self::MAX_MINOR`].
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::MixedCurrencies(other.currency, self.currency));
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::TooLarge)?;
        Self::new(minor, self.currency)
    }
}

/// In major units with the currency code: `12.50 USD`, `300 JPY`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.currency.decimals().unwrap_or(0);
        let unit = 10_i64.pow(digits.into());
        let (major, minor) = (self.minor / unit, self.minor % unit);
        match digits {
            0 => write!(f, "{major} {}", self.currency),
            _ => write!(f, "{major}.{minor:0width$} {}", self.currency, width = usize::from(digits)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn displays_major_units_and_the_code() {
        let show = |minor, code| Money::new(minor, Currency::parse(code).unwrap()).unwrap().to_string();
        assert_eq!(show(1250, "USD"), "12.50 USD");
        assert_eq!(show(5, "USD"), "0.05 USD");
        assert_eq!(show(300, "JPY"), "300 JPY");
        assert_eq!(show(1005, "KWD"), "1.005 KWD");
    }

    #[test]
    fn invalid_amounts_are_rejected() {
        assert_eq!(Money::new(-1, Currency::USD), Err(MoneyError::Negative));
        assert_eq!(Money::new(Money::MAX_MINOR + 1, Currency::USD), Err(MoneyError::TooLarge));
        let euro = Currency::parse("EUR").unwrap();
        let mixed = Money::zero(Currency::USD).plus(Money::zero(euro));
        assert_eq!(mixed, Err(MoneyError::MixedCurrencies(euro, Currency::USD)));
    }

    proptest! {
        #[test]
        fn arithmetic_is_exact_or_rejected(a in 0..=Money::MAX_MINOR, b in 0..=Money::MAX_MINOR, n in 1..=Quantity::MAX) {
            let money = |minor| Money::new(minor, Currency::USD).unwrap();
            let exact = |wide: i128| i64::try_from(wide).ok().filter(|minor| *minor <= Money::MAX_MINOR);
            let sum = money(a).plus(money(b)).ok().map(Money::minor);
            prop_assert_eq!(sum, exact(i128::from(a) + i128::from(b)));
            let product = money(a).times(Quantity::new(i64::from(n)).unwrap()).ok().map(Money::minor);
            prop_assert_eq!(product, exact(i128::from(a) * i128::from(n)));
        }
    }
}
