//! The parts of the system, and what processes may report while a part fails.

use glasshouse_drill::stack::{RecordKind, SpanKind};

use super::expectation::Event;

/// A part of the system that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A process of the service that ends, or stands still.
    Process,
    /// Postgres, or the connection to it. Requests fail with it.
    Postgres,
    /// Redis, which is optional: no request fails.
    Redis,
    /// The payment gateway. Payments stay open, and no request fails.
    Gateway,
    /// A message that no receiver takes.
    Messages,
}

/// The spans around calls of the gateway.
const GATEWAY_SPANS: [&str; 3] = ["charge_payment", "refund_payment", "reconcile_payment"];

impl Part {
    pub(super) const ALL: [Self; 5] =
        [Self::Process, Self::Postgres, Self::Redis, Self::Gateway, Self::Messages];

    /// The alerts that may fire.
    pub(super) const fn alerts(self) -> &'static [&'static str] {
        match self {
            Self::Process => &["InstanceDown"],
            Self::Postgres => &[
                "DatabaseConnectionsExhausted",
                "HighErrorRate",
                "HighResponseTime",
                "LoadShedding",
                "NotReady",
                "SlowQueries",
            ],
            Self::Redis => &["CacheHitRateLow", "CacheUnavailable"],
            Self::Gateway => &["PaymentGatewayFailing", "PaymentsStuck"],
            Self::Messages => &["DeadLetters"],
        }
    }

    /// The warnings and errors that may be logged.
    pub(super) const fn events(self) -> &'static [Event] {
        match self {
            Self::Process => &[],
            Self::Postgres => &[
                Event::Named("background_job_failed"),
                Event::Named("database_close_failed"),
                Event::Named("database_connection_failed"),
                Event::Named("database_connection_lost"),
                Event::About("health_check_failed", "database"),
                Event::About("health_check_failed", "worker"),
                Event::About("health_check_timed_out", "database"),
                Event::Named("load_shed"),
                Event::Named("outbox_delivery_failed"),
                Event::Named("payment_stays_open"),
                Event::Named("transaction_repeated"),
                Event::Named("unhandled_exception"),
            ],
            Self::Redis => &[
                Event::Named("attempt_limiter_failed"),
                Event::Named("cache_failed"),
                Event::About("circuit_breaker_opened", "redis"),
                Event::About("health_check_failed", "redis"),
                Event::About("health_check_timed_out", "redis"),
                Event::Named("rate_limiter_fell_back"),
                Event::Named("redis_connection_failed"),
            ],
            Self::Gateway => &[
                Event::About("circuit_breaker_opened", "payment_gateway"),
                // A charge that was not confirmed when its order was cancelled is voided.
                Event::Named("payment_declined"),
                Event::Named("payment_gateway_timeout"),
                Event::Named("payment_left_pending"),
                Event::Named("payment_stays_open"),
                Event::Named("refund_left_pending"),
            ],
            Self::Messages => &[Event::Named("outbox_message_dead_lettered")],
        }
    }

    /// Whether a warning or an error may belong to it.
    pub(super) fn explains_record(self, kind: &RecordKind) -> bool {
        // The driver reports lost connections with records of its own.
        let is_of_driver = kind.about.as_ref().is_some_and(|target| target.starts_with("sqlx"));
        self.events().iter().any(|event| event.matches(kind)) || (self == Self::Postgres && is_of_driver)
    }

    /// Whether a failed span may belong to it.
    pub(super) fn explains_span(self, span: &SpanKind) -> bool {
        match self {
            // A process that ends is not ready.
            Self::Process => span.name == "GET /health/ready",
            Self::Postgres => {
                span.database.as_deref() == Some("postgresql")
                    || span.error.as_ref().is_some_and(|error| error == "503")
            }
            Self::Redis => span.database.as_deref() == Some("redis"),
            Self::Gateway => {
                span.name.contains(" /v1/charges") || GATEWAY_SPANS.contains(&span.name.as_str())
            }
            Self::Messages => span.name.starts_with("deliver "),
        }
    }
}
