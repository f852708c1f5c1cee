use std::fmt;

use iso_currency::Currency;

use super::Quantity;

/// An amount of money: a whole number of the currency's minor unit (cents for USD), never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

/// Why a number and a currency are not an amount, or a sum cannot be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Below zero.
    #[error("must not be negative")]
    Negative,
    /// Above [`Money::MAX_MINOR`].
    #[error("must not exceed {} minor units", Money::MAX_MINOR)]
    TooLarge,
    /// Not a code of ISO 4217.
    #[error("must be an ISO 4217 currency code such as USD")]
    UnknownCurrency,
    /// Two amounts of different currencies.
    #[error("cannot add {0} to {1}")]
    MixedCurrencies(Currency, Currency),
}

impl Money {
    /// The largest amount: 2⁵³ − 1, the largest integer that every JSON client reads exactly.
    pub const MAX_MINOR: i64 = 9_007_199_254_740_991;

    /// An amount of `minor` units.
    ///
    /// # Errors
    /// When it is negative or above [`Self::MAX_MINOR`].
    pub fn new(minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        match minor {
            ..0 => Err(MoneyError::Negative),
            0..=Self::MAX_MINOR => Ok(Self { minor, currency }),
            _ => Err(MoneyError::TooLarge),
        }
    }

    /// Reads a currency code of ISO 4217, such as `USD`.
    ///
    /// # Errors
    /// When there is no such currency.
    pub fn parse_currency(code: &str) -> Result<Currency, MoneyError> {
        Currency::from_code(code).ok_or(MoneyError::UnknownCurrency)
    }

    /// Nothing, in this currency.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// The number of minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The price of `quantity` pieces.
    ///
    /// # Errors
    /// When the product is above [`Self::MAX_MINOR`].
    pub fn times(self, quantity: Quantity) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_mul(i64::from(quantity.get())).ok_or(MoneyError::TooLarge)?;
        Self::new(minor, self.currency)
    }

    /// The sum of two amounts.
    ///
    /// # Errors
    /// When the currencies differ or the sum is above [`Self::MAX_MINOR`].
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::MixedCurrencies(other.currency, self.currency));
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::TooLarge)?;
        Self::new(minor, self.currency)
    }
}

/// As people write it: `12.50 USD`, `300 JPY`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = usize::from(self.currency.exponent().unwrap_or(0));
        let unit = 10_i64.pow(self.currency.exponent().unwrap_or(0).into());
        let (major, minor) = (self.minor / unit, self.minor % unit);
        match digits {
            0 => write!(f, "{major} {}", self.currency.code()),
            _ => write!(f, "{major}.{minor:0digits$} {}", self.currency.code()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_as_people_write_it() {
        let show = |minor, currency| Money::new(minor, currency).unwrap().to_string();
        assert_eq!(show(1250, Currency::USD), "12.50 USD");
        assert_eq!(show(5, Currency::USD), "0.05 USD");
        assert_eq!(show(300, Currency::JPY), "300 JPY");
        assert_eq!(show(1005, Currency::KWD), "1.005 KWD");
    }

    #[test]
    fn refuses_what_it_cannot_hold() {
        assert_eq!(Money::new(-1, Currency::USD), Err(MoneyError::Negative));
        assert_eq!(Money::new(Money::MAX_MINOR + 1, Currency::USD), Err(MoneyError::TooLarge));
        let (dollar, euro) = (Money::zero(Currency::USD), Money::zero(Currency::EUR));
        assert_eq!(dollar.plus(euro), Err(MoneyError::MixedCurrencies(Currency::EUR, Currency::USD)));
        assert_eq!(Money::parse_currency("dollars"), Err(MoneyError::UnknownCurrency));
    }

    proptest! {
        #[test]
        fn arithmetic_is_exact_or_refused(a in 0..=Money::MAX_MINOR, b in 0..=Money::MAX_MINOR, n in 1..=Quantity::MAX) {
            let money = |minor| Money::new(minor, Currency::USD).unwrap();
            let exact = |wide: i128| i64::try_from(wide).ok().filter(|minor| *minor <= Money::MAX_MINOR);
            let sum = money(a).plus(money(b)).ok().map(Money::minor);
            prop_assert_eq!(sum, exact(i128::from(a) + i128::from(b)));
            let product = money(a).times(Quantity::new(i64::from(n)).unwrap()).ok().map(Money::minor);
            prop_assert_eq!(product, exact(i128::from(a) * i128::from(n)));
        }
    }
}
