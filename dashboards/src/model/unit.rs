//! The units of panels.

/// The unit of the values of a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A ratio from 0 to 1, shown as a percentage.
    Ratio,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Requests per second.
    RequestsPerSecond,
    /// Other events per second.
    PerSecond,
    /// Events per minute.
    PerMinute,
    /// US dollars.
    Dollars,
    /// A number without a unit.
    Count,
    /// For text, traces and profiles.
    None,
}

impl Unit {
    /// The id of the unit in Grafana.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Ratio => "percentunit",
            Self::Seconds => "s",
            Self::Bytes => "bytes",
            Self::RequestsPerSecond => "reqps",
            Self::PerSecond => "ops",
            Self::PerMinute => "cpm",
            Self::Dollars => "currencyUSD",
            Self::Count => "short",
            Self::None => "none",
        }
    }
}
