//! Reports: aggregates over the orders of a tenant.

use time::Date;
use time::macros::format_description;

use crate::failure::StoreFailure;
use crate::values::{Currency, Money};

/// A text is not a day of a report.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a day such as 2026-01-31")]
pub struct DayError;

/// Parses a day, written as `YYYY-MM-DD`, in the years 1 to 9999.
///
/// # Errors
/// [`DayError`] for any other text.
pub fn parse_day(text: &str) -> Result<Date, DayError> {
    // Ten characters: the format alone allows a sign.
    let day = Date::parse(text, format_description!("[year]-[month]-[day]"));
    let day = day.ok().filter(|_| text.len() == 10).ok_or(DayError)?;
    // Postgres has no timestamps before 4713 BC.
    if day.year() > 0 { Ok(day) } else { Err(DayError) }
}

/// A range of days in UTC; both ends are included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    from: Date,
    to: Date,
}

/// Why two days are not a period.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// The last day is before the first.
    #[error("must not be before `from`")]
    EndsBeforeItBegins,
    /// The last day is more than [`Period::MAX_DAYS`] days after the first.
    #[error("must be at most {} days after `from`", Period::MAX_DAYS)]
    TooLong,
}

impl Period {
    /// The maximum distance between the first and the last day, in days. It limits the rows of a report.
    pub const MAX_DAYS: i64 = 366;

    /// The period from one day to another.
    ///
    /// # Errors
    /// [`PeriodError`] when the period ends before it begins, or is too long.
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

/// The revenue of one day in one currency. An order counts for the day on which it was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DailyRevenue {
    /// The day, in UTC.
    pub day: Date,
    /// The currency of the amounts.
    pub currency: Currency,
    /// The number of paid orders, including refunded ones.
    pub paid_orders: i64,
    /// The sum of the paid orders, including refunded ones.
    pub gross: Money,
    /// The sum of the refunded orders.
    pub refunded: Money,
}

/// Why a report failed.
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
    fn a_day_has_ten_characters_and_is_one_of_the_calendar() {
        assert_eq!(parse_day("2024-02-29"), Ok(date!(2024 - 02 - 29)));
        for text in [
            "",
            "2025-02-29",
            "2026-1-1",
            "+2026-01-01",
            "-001-01-01",
            "0000-01-01",
            "2026-01-01 ",
            "20260101",
        ] {
            assert_eq!(parse_day(text), Err(DayError), "{text}");
        }
    }

    #[test]
    fn a_period_is_ordered_and_limited() {
        assert!(Period::new(date!(2026 - 01 - 01), date!(2026 - 01 - 01)).is_ok());
        let backwards = Period::new(date!(2026 - 01 - 02), date!(2026 - 01 - 01));
        assert_eq!(backwards, Err(PeriodError::EndsBeforeItBegins));
        let long = Period::new(date!(2024 - 01 - 01), date!(2026 - 01 - 01));
        assert_eq!(long, Err(PeriodError::TooLong));
    }
}
