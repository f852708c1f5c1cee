//! Reports: sums over many orders.

use time::Date;

use crate::failure::StoreFailure;
use crate::values::{Currency, Money};

/// Days, both included, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    from: Date,
    to: Date,
}

/// Why two days are no period.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// It would end before it begins.
    #[error("must not be before `from`")]
    EndsBeforeItBegins,
    /// Longer than [`Period::MAX_DAYS`].
    #[error("must be at most {} days after `from`", Period::MAX_DAYS)]
    TooLong,
}

impl Period {
    /// The longest period: it bounds how many rows a report has.
    pub const MAX_DAYS: i64 = 366;

    /// A period from one day to another.
    ///
    /// # Errors
    /// When it ends before it begins or is too long.
    pub fn new(from: Date, to: Date) -> Result<Self, PeriodError> {
        match (to - from).whole_days() {
            ..0 => Err(PeriodError::EndsBeforeItBegins),
            0..=Self::MAX_DAYS => Ok(Self { from, to }),
            _ => Err(PeriodError::TooLong),
        }
    }

    /// The first day.
    #[must_use]
    pub const fn from(self) -> Date {
        self.from
    }

    /// The last day.
    #[must_use]
    pub const fn to(self) -> Date {
        self.to
    }
}

/// What one day brought in one currency, by the day on which the orders were placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DailyRevenue {
    /// The day, in UTC.
    pub day: Date,
    /// The currency of the amounts.
    pub currency: Currency,
    /// How many orders were paid, refunded ones included.
    pub paid_orders: i64,
    /// What they brought.
    pub gross: Money,
    /// What of it went back.
    pub refunded: Money,
}

/// Why a report was not made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The revenue of one day in one currency exceeds [`Money::MAX_MINOR`].
    #[error("the revenue of {day} in {currency} is too large for a report: {minor} minor units")]
    SumTooLarge {
        /// The day in UTC, as `YYYY-MM-DD`.
        day: String,
        /// The ISO 4217 code.
        currency: String,
        /// The sum in minor units; it may exceed 64 bits.
        minor: String,
    },
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn a_period_has_an_order_and_a_bound() {
        assert!(Period::new(date!(2026 - 01 - 01), date!(2026 - 01 - 01)).is_ok());
        let backwards = Period::new(date!(2026 - 01 - 02), date!(2026 - 01 - 01));
        assert_eq!(backwards, Err(PeriodError::EndsBeforeItBegins));
        let long = Period::new(date!(2024 - 01 - 01), date!(2026 - 01 - 01));
        assert_eq!(long, Err(PeriodError::TooLong));
    }
}
