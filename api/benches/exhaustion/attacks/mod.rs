//! The attacks, a module for each kind.

mod bodies;
mod connections;
mod logins;
mod requests;

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::service::Service;

/// An attack.
pub(crate) struct Attack {
    /// Its name, as an argument.
    pub(crate) name: &'static str,
    /// What it does, for the table.
    pub(crate) description: &'static str,
    /// The limit of open descriptors of the service that is attacked, if it has a special one.
    pub(crate) descriptors: Option<u32>,
    /// Further settings of the service.
    pub(crate) settings: &'static [(&'static str, &'static str)],
    kind: Kind,
}

enum Kind {
    InflatingBodies,
    SlowBodies,
    SlowHeads,
    SlowReaders,
    IdleConnections,
    ParallelLogins,
    ManyLogins,
    SwaggerUi,
    Readiness,
    DeactivatedUser,
}

const fn attack(name: &'static str, description: &'static str, kind: Kind) -> Attack {
    Attack { name, description, descriptors: None, settings: &[], kind }
}

/// Attackers with many addresses are not limited by address.
const MANY_ADDRESSES: [(&str, &str); 3] = [
    ("GLASSHOUSE_LOGIN_LIMIT", "1000000/1"),
    ("GLASSHOUSE_LOGIN_LIMIT_ACCOUNT", "1000000/1"),
    ("GLASSHOUSE_LOGIN_LIMIT_ADDRESS", "1000000/1"),
];

/// All attacks.
pub(crate) const ATTACKS: [Attack; 10] = [
    attack(
        "inflating-bodies",
        "40 clients send gzip bodies of 60 KB that inflate to 62 MB",
        Kind::InflatingBodies,
    ),
    Attack {
        settings: &MANY_ADDRESSES,
        ..attack("parallel-logins", "600 clients log in all the time", Kind::ParallelLogins)
    },
    attack("slow-bodies", "540 connections send a body, one byte a second", Kind::SlowBodies),
    attack(
        "slow-heads",
        "540 connections send a request, and the head of the next one byte by byte",
        Kind::SlowHeads,
    ),
    attack("slow-readers", "540 connections ask for the largest file and do not read it", Kind::SlowReaders),
    Attack {
        descriptors: Some(1024),
        ..attack(
            "idle-connections",
            "3,000 connections that do nothing, with `ulimit -n 1024`",
            Kind::IdleConnections,
        )
    },
    Attack {
        settings: &MANY_ADDRESSES,
        ..attack("many-logins", "1,000 logins, 4 at a time", Kind::ManyLogins)
    },
    attack("swagger-ui", "200 clients load `/docs/swagger-ui-bundle.js` all the time", Kind::SwaggerUi),
    attack("readiness", "3,000 connections ask for `/health/ready` all the time", Kind::Readiness),
    attack(
        "deactivated-user",
        "40 clients use the token of a deactivated user all the time",
        Kind::DeactivatedUser,
    ),
];

impl Attack {
    /// Prepares the service.
    pub(crate) async fn prepare(&self, service: &Service) {
        if matches!(self.kind, Kind::DeactivatedUser) {
            requests::deactivate_a_user(service).await;
        }
    }

    /// Attacks the service for a time. Returns how often a client began anew: with a request, or with a connection.
    pub(crate) async fn run(&self, service: &Service, length: Duration) -> usize {
        let end = Instant::now() + length;
        match self.kind {
            Kind::InflatingBodies => bodies::inflating(service, end).await,
            Kind::SlowBodies => bodies::slow(service, end).await,
            Kind::SlowHeads => connections::slow_heads(service, end).await,
            Kind::SlowReaders => connections::slow_readers(service, end).await,
            Kind::IdleConnections => connections::idle(service, end).await,
            Kind::ParallelLogins => logins::parallel(service, end).await,
            Kind::ManyLogins => logins::many(service).await,
            Kind::SwaggerUi => requests::swagger_ui(service, end).await,
            Kind::Readiness => requests::readiness(service, end).await,
            Kind::DeactivatedUser => requests::deactivated_user(service, end).await,
        }
    }
}

/// Runs this many clients, each of which repeats what it does until the end. One that fails takes a short rest. Returns the number
/// of all repetitions.
async fn repeat_until<T, E>(
    end: Instant,
    clients: usize,
    action: impl AsyncFn(usize) -> Result<T, E>,
) -> usize {
    let client = async |n| {
        let mut repetitions = 0;
        while Instant::now() < end {
            repetitions += 1;
            let rest = tokio::time::sleep_until(end.into());
            let failed = tokio::select! { outcome = action(n) => outcome.is_err(), () = rest => false };
            if failed {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        repetitions
    };
    join_all((0..clients).map(client)).await.into_iter().sum()
}
