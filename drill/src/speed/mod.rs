//! Divides durations by a constant factor, so that hours of alerting pass in minutes. Thresholds, request rates and
//! labels do not change.

mod expression;
mod files;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use promql_parser::util::{display_duration, parse_duration};

/// The divisor of every duration, from 1 to 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speed(u32);

impl Speed {
    /// Durations are not divided.
    pub const NORMAL: Self = Self(1);

    /// The divisor.
    pub fn factor(self) -> u32 {
        self.0
    }

    /// Divides a duration and rounds to the millisecond, the resolution of Prometheus.
    pub fn divide(self, duration: Duration) -> Duration {
        let milliseconds = (duration.as_secs_f64() * 1000.0 / f64::from(self.0)).round();
        Duration::from_secs_f64(milliseconds / 1000.0)
    }

    /// Divides a duration in Prometheus' format, such as `1m30s`. Zero stays zero.
    ///
    /// # Errors
    /// The text is not a duration, or less than a millisecond remains.
    pub fn divide_text(self, text: &str) -> Result<String> {
        if matches!(text, "0" | "0s") {
            return Ok("0s".to_owned());
        }
        let duration = parse_duration(text).map_err(|error| anyhow!("“{text}”: {error}"))?;
        self.divide_to_nonzero(duration)
            .map(|divided| display_duration(&divided))
            .with_context(|| text.to_owned())
    }

    /// As [`divide`](Self::divide), with an error if less than a millisecond remains.
    fn divide_to_nonzero(self, duration: Duration) -> Result<Duration> {
        let divided = self.divide(duration);
        ensure!(!divided.is_zero(), "{duration:?} divided by {self} is less than a millisecond");
        Ok(divided)
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(number) if (1..=1000).contains(&number) => Ok(Self(number)),
            _ => Err("a speed is a whole number from 1 to 1000".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speed(number: u32) -> Speed {
        number.to_string().parse().unwrap()
    }

    #[test]
    fn durations_are_divided_to_the_millisecond() {
        let at_30 = |text: &str| speed(30).divide_text(text).unwrap();
        assert_eq!(at_30("2m"), "4s");
        assert_eq!(at_30("15s"), "500ms");
        assert_eq!(at_30("1h"), "2m");
        assert_eq!(at_30("1m30s"), "3s");
        assert_eq!(at_30("0s"), "0s");
        assert_eq!(speed(7).divide_text("5m").unwrap(), "42s857ms");
        assert_eq!(speed(1).divide_text("90s").unwrap(), "1m30s");
    }

    #[test]
    fn an_invalid_or_vanishing_duration_is_an_error() {
        assert!(speed(100).divide_text("1ms").unwrap_err().to_string().contains("1ms"));
        assert!(speed(2).divide_text("soon").unwrap_err().to_string().contains("soon"));
    }

    #[test]
    fn a_speed_is_at_least_1() {
        for wrong in ["0", "-1", "1.5", "1001", ""] {
            assert!(wrong.parse::<Speed>().is_err(), "{wrong}");
        }
    }
}
