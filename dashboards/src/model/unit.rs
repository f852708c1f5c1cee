//! The units of panels.

/// The unit of the values of a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A ratio from 0 to 1, shown as a percentage.
    Ratio,
    /// A multiple of what is allowed.
    Multiple,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Requests per second.
    RequestsPerSecond,
    /// Bytes per second.
    BytesPerSecond,
    /// Other events, named in the plural, per second.
    PerSecond(&'static str),
    /// Events, named in the plural, per minute.
    PerMinute(&'static str),
    /// US dollars.
    Dollars,
    /// A number without a unit.
    Count,
    /// For text, traces and profiles.
    None,
}

impl Unit {
    /// The id of the unit in Grafana.
    pub(super) fn id(self) -> String {
        let id = match self {
            Self::PerSecond(events) => return format!("suffix: {events}/s"),
            Self::PerMinute(events) => return format!("suffix: {events}/min"),
            Self::Ratio => "percentunit",
            Self::Multiple => "suffix:×",
            Self::Seconds => "s",
            Self::Bytes => "bytes",
            Self::BytesPerSecond => "binBps",
            Self::RequestsPerSecond => "reqps",
            Self::Dollars => "currencyUSD",
            Self::Count => "short",
            Self::None => "none",
        };
        id.to_owned()
    }
}
