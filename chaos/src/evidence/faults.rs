//! The table: each fault with its evidence.

use super::expectation::{Event, Expectation, FailedSpan, Metric};
use super::parts::Part;
use crate::faults::{Fault, PoolerFault, PostgresFault, RedisFault, Server, Upgrade};
use crate::proxy::{Condition, Misbehavior};
use crate::system::Role;

/// The processes that place orders or work for them.
const BOTH: &[Role] = &[Role::Api, Role::Worker];

/// Nothing is seen: retries mask the fault, or there is none.
const NOTHING: Expectation =
    Expectation { reporters: BOTH, alerts: &[], metrics: &[], events: &[], spans: &[], parts: &[] };

const ENDED: Expectation = Expectation {
    alerts: &["InstanceDown"],
    metrics: &[Metric::Restarts],
    events: &[Event::Named("application_started")],
    parts: &[Part::Process],
    ..NOTHING
};
const REPLACED: Expectation = Expectation {
    alerts: &[],
    events: &[
        Event::Named("application_stopping"),
        Event::Named("application_stopped"),
        Event::Named("application_started"),
    ],
    ..ENDED
};
/// A process that stood still finds that all that it waited for took too long.
const PAUSED: Expectation = Expectation {
    alerts: &["InstanceDown"],
    metrics: &[Metric::Is("up", 0.0)],
    parts: &[Part::Process, Part::Postgres, Part::Redis, Part::Gateway],
    ..NOTHING
};

const POSTGRES: Expectation = Expectation {
    reporters: BOTH,
    alerts: &["HighErrorRate"],
    metrics: &[Metric::Increases(r#"http_requests_total{status="503"}"#)],
    events: &[Event::Named("unhandled_exception")],
    spans: &[FailedSpan { name: "POST /v1/orders", error: "503" }],
    parts: &[Part::Postgres],
};

const REDIS: Expectation = Expectation {
    reporters: &[Role::Api],
    alerts: &["CacheUnavailable"],
    metrics: &[
        Metric::Is("redis_circuit_open", 1.0),
        Metric::Increases(r#"cache_requests_total{result="error"}"#),
    ],
    events: &[Event::About("circuit_breaker_opened", "redis"), Event::Named("rate_limiter_fell_back")],
    spans: &[FailedSpan { name: "EVALSHA", error: "connection" }],
    parts: &[Part::Redis],
};
const SILENT_REDIS: Expectation =
    Expectation { spans: &[FailedSpan { name: "EVALSHA", error: "timeout" }], ..REDIS };

const GATEWAY: Expectation = Expectation {
    reporters: BOTH,
    alerts: &["PaymentGatewayFailing"],
    metrics: &[Metric::Increases(r#"payment_gateway_request_duration_seconds_count{outcome="error"}"#)],
    events: &[Event::Named("payment_left_pending")],
    spans: &[FailedSpan { name: "POST /v1/charges", error: "500" }],
    parts: &[Part::Gateway],
};

impl Fault {
    /// What operators see of it.
    pub(crate) fn expectation(&self) -> Expectation {
        match self {
            Self::Nothing => NOTHING,
            Self::KillAt(role, _) | Self::KillAll(role) => Expectation { reporters: only(*role), ..ENDED },
            Self::KillEverything => ENDED,
            Self::MachineDies(role) => {
                Expectation { reporters: only(*role), parts: &[Part::Process, Part::Postgres], ..ENDED }
            }
            Self::RollingRestart(role) => Expectation { reporters: only(*role), ..REPLACED },
            Self::PauseAt(role, _) | Self::Pause(role) => Expectation { reporters: only(*role), ..PAUSED },
            Self::Upgrade(Upgrade::Schema | Upgrade::NextSchema) => masked(&[Part::Postgres]),
            Self::Upgrade(Upgrade::Release) => {
                Expectation { parts: &[Part::Process, Part::Postgres], ..REPLACED }
            }
            // Connections that are in use stay so, and few suffice.
            Self::Pooler(PoolerFault::Reload | PoolerFault::Exhausted) => masked(&[Part::Postgres]),
            Self::Pooler(_) | Self::Disk(_) => POSTGRES,
            // Time that decides comes from the database's clock; entries of the cache expire by that of the process.
            Self::PoisonMessages => Expectation {
                alerts: &["DeadLetters"],
                metrics: &[Metric::Increases(r#"outbox_deliveries_total{result="dead_lettered"}"#)],
                events: &[Event::Named("outbox_message_dead_lettered")],
                reporters: &[Role::Worker],
                parts: &[Part::Messages],
                ..NOTHING
            },
            Self::Clock(role, _) => Expectation { reporters: only(*role), ..masked(&[Part::Redis]) },
            Self::Postgres(fault) => postgres(*fault),
            Self::Redis(fault) => redis(*fault),
            Self::Gateway(misbehavior) => gateway(*misbehavior),
            Self::Network(role, server, condition) => {
                Expectation { reporters: only(*role), ..network(*role, *server, *condition) }
            }
            Self::Cut(role, server) => Expectation { reporters: only(*role), ..cut(*role, *server) },
        }
    }
}

const fn only(role: Role) -> &'static [Role] {
    match role {
        Role::Api => &[Role::Api],
        Role::Worker => &[Role::Worker],
        Role::Gateway => &[Role::Gateway],
        Role::Demo => &[Role::Demo],
    }
}

fn postgres(fault: PostgresFault) -> Expectation {
    match fault {
        PostgresFault::ImmediateRestart
        | PostgresFault::Kill
        | PostgresFault::Pause
        | PostgresFault::ReadOnly
        | PostgresFault::TerminateBackends
        | PostgresFault::FailOver => POSTGRES,
        // The processes get some connections back at first: few requests fail, and sometimes too few for an alert.
        PostgresFault::OutOfConnections => Expectation { alerts: &[], ..POSTGRES },
        PostgresFault::Lock => Expectation {
            alerts: &["SlowQueries"],
            metrics: &[Metric::Increases("database_slow_queries_total")],
            events: &[Event::Named("slow_query")],
            ..POSTGRES
        },
    }
}

fn redis(fault: RedisFault) -> Expectation {
    match fault {
        RedisFault::Kill => REDIS,
        RedisFault::Pause => SILENT_REDIS,
        RedisFault::Flush => Expectation {
            alerts: &[],
            metrics: &[Metric::Increases(r#"cache_requests_total{result="miss"}"#)],
            events: &[],
            spans: &[],
            ..REDIS
        },
        RedisFault::OutOfMemory => {
            Expectation { spans: &[FailedSpan { name: "EVALSHA", error: "OOM" }], ..REJECTING_REDIS }
        }
        RedisFault::ReadOnlyReplica => REJECTING_REDIS,
    }
}

/// Reads succeed.
const REJECTING_REDIS: Expectation = Expectation {
    alerts: &[],
    metrics: &[Metric::Is("rate_limiter_local", 1.0)],
    events: &[Event::Named("rate_limiter_fell_back")],
    spans: &[FailedSpan { name: "EVALSHA", error: "READONLY" }],
    ..REDIS
};

fn gateway(misbehavior: Misbehavior) -> Expectation {
    match misbehavior {
        Misbehavior::None | Misbehavior::Twice => NOTHING,
        Misbehavior::Slow(_) => SLOW_GATEWAY,
        Misbehavior::ErrorBefore | Misbehavior::ErrorAfter => GATEWAY,
        Misbehavior::NoResponse => SILENT_GATEWAY,
        Misbehavior::Garbage | Misbehavior::GarbageBody | Misbehavior::HalfResponse => GARBAGE_GATEWAY,
        Misbehavior::Throttled => {
            Expectation { spans: &[FailedSpan { name: "POST /v1/charges", error: "429" }], ..GATEWAY }
        }
    }
}

const SLOW_GATEWAY: Expectation = Expectation {
    metrics: &[Metric::Exceeds("payment_gateway_request_duration_seconds", "0.1")],
    parts: &[Part::Gateway],
    ..NOTHING
};
const SILENT_GATEWAY: Expectation = Expectation {
    metrics: &[Metric::Increases(r#"payment_gateway_request_duration_seconds_count{outcome="timeout"}"#)],
    events: &[Event::Named("payment_gateway_timeout")],
    spans: &[FailedSpan { name: "POST /v1/charges", error: "timeout" }],
    ..GATEWAY
};
const GARBAGE_GATEWAY: Expectation =
    Expectation { spans: &[FailedSpan { name: "POST /v1/charges", error: "protocol" }], ..GATEWAY };

fn network(role: Role, server: Server, condition: Condition) -> Expectation {
    match (server, role, condition) {
        (_, _, Condition::Healthy) => NOTHING,
        (Server::Postgres, _, Condition::Delayed(_)) => DELAYED_POSTGRES,
        (Server::Postgres, _, Condition::Throttled(_)) => THROTTLED_POSTGRES,
        (Server::Postgres, Role::Worker, Condition::Silent | Condition::HalfClosed) => FAILING_JOBS,
        (Server::Postgres, _, Condition::Silent | Condition::HalfClosed) => POSTGRES,
        (Server::Redis, _, Condition::Silent) => SILENT_REDIS,
        (Server::Redis, _, Condition::HalfClosed) => REDIS,
        (Server::Redis, ..) => masked(&[Part::Redis]),
        // The worker calls the gateway for payments that the API left open, of which there are few.
        (Server::Gateway, Role::Worker, _) => masked(&[Part::Gateway]),
        (Server::Gateway, _, Condition::Silent) => SILENT_GATEWAY,
        (Server::Gateway, _, Condition::HalfClosed) => GARBAGE_GATEWAY,
        (Server::Gateway, _, Condition::Delayed(_)) => SLOW_GATEWAY,
        (Server::Gateway, _, Condition::Throttled(_)) => masked(&[Part::Gateway]),
    }
}

fn cut(role: Role, server: Server) -> Expectation {
    match (server, role) {
        (Server::Postgres, Role::Worker) => masked(&[Part::Postgres]),
        (Server::Postgres, _) => POSTGRES,
        (Server::Redis, _) => masked(&[Part::Redis]),
        (Server::Gateway, _) => masked(&[Part::Gateway]),
    }
}

/// Retries and fallbacks mask the fault, though the part may be reported.
const fn masked(parts: &'static [Part]) -> Expectation {
    Expectation { parts, ..NOTHING }
}

const DELAYED_POSTGRES: Expectation = Expectation {
    metrics: &[Metric::Exceeds("database_query_duration_seconds", "0.1")],
    parts: &[Part::Postgres],
    ..NOTHING
};
const THROTTLED_POSTGRES: Expectation = Expectation {
    metrics: &[Metric::Exceeds("database_query_duration_seconds", "0.025")],
    parts: &[Part::Postgres],
    ..NOTHING
};
const FAILING_JOBS: Expectation =
    Expectation { events: &[Event::Named("background_job_failed")], parts: &[Part::Postgres], ..NOTHING };
