/// What the numbers of a panel count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A share from 0 to 1, shown as a percentage.
    Share,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Requests per second.
    RequestsPerSecond,
    /// Anything else per second.
    PerSecond,
    /// Anything per minute.
    PerMinute,
    /// US dollars.
    Dollars,
    /// A number of things.
    Count,
    /// Text, a trace or a picture, which has none.
    None,
}

impl Unit {
    /// The unit's id in Grafana.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Share => "percentunit",
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
