//! The tiers of burn-rate alerts, after chapter 5 of the SRE workbook, “Alerting on SLOs”.

/// An alert of every objective. It fires while the budget is spent at `factor` times the rate that the objective allows, over
/// both windows: the long one shows that the burn is significant, the short one that it continues.
#[derive(Clone, Copy, Debug)]
pub struct Tier {
    /// The end of the alert's name.
    pub name: &'static str,
    /// The burn rate above which the alert fires. At 1 the budget lasts for exactly 30 days.
    pub factor: f64,
    /// The long window.
    pub long: &'static str,
    /// The short window.
    pub short: &'static str,
    /// The long window in words.
    pub long_in_words: &'static str,
    /// The outcome for the 30-day budget at this rate.
    pub consequence: &'static str,
    /// The least rate of bad requests over the short window, per second: few requests must not make an alert of one failure.
    pub minimum_rate: f64,
    /// How long both must hold.
    pub hold: &'static str,
    /// Whether the alert pages, or is a ticket.
    pub is_page: bool,
}

/// How long an alert that pages keeps firing, so that a budget that is spent in bursts pages once.
pub(super) const KEEP_PAGING: &str = "5m";

/// From fast to slow. Each is silent while a faster one fires (see `deploy/alertmanager`).
pub const TIERS: [Tier; 3] = [
    Tier {
        name: "Fast",
        factor: 14.4,
        long: "1h",
        short: "5m",
        long_in_words: "hour",
        consequence: "exhausts it in 2 days",
        minimum_rate: 0.01, // three in 5 minutes
        hold: "1m",
        is_page: true,
    },
    Tier {
        name: "Slow",
        factor: 6.0,
        long: "6h",
        short: "30m",
        long_in_words: "6 hours",
        consequence: "exhausts it in 5 days",
        minimum_rate: 0.005, // nine in 30 minutes
        hold: "2m",
        is_page: true,
    },
    Tier {
        name: "Ticket",
        factor: 1.0,
        long: "3d",
        short: "6h",
        long_in_words: "3 days",
        consequence: "leaves nothing of it",
        minimum_rate: 0.0005, // eleven in 6 hours
        hold: "15m",
        is_page: false,
    },
];
