//! The audit of the books: proves that what the database says about orders, payments, stock, revenue and messages agrees,
//! with itself, with the ledger of the payment gateway, and with what was acknowledged to clients.
//!
//! It reads one snapshot and changes nothing. What is unfinished is no contradiction while it is young: a payment may be at
//! the gateway while the audit looks.

mod acknowledgements;
mod check;
mod idempotency;
mod isolation;
mod ledger;
mod orders;
mod progress;
mod report;
mod revenue;
mod rows;
mod snapshot;
mod stock;

pub use acknowledgements::{Acknowledgement, Acknowledgements, AcknowledgementsError};
pub use check::Check;
pub use report::{CheckReport, CheckResult, Finding, Report};

use std::time::{Duration, Instant};

use glasshouse_domain::failure::StoreFailure;
use uuid::Uuid;

use self::check::{Bounds, SqlCheck};
use self::report::Outcomes;
use self::rows::Rows;
use self::snapshot::{Snapshot, Tenant};
use super::Database;
use crate::payment_gateway::ledger::{Ledger, LedgerError};

/// Audits the books of all tenants, for a command of the operator. It takes the [`Database`] by value, which a handler never
/// owns: see [`Seeder`](super::Seeder). On Postgres it connects as the owner of the schema, who alone can list the tenants.
#[derive(Debug)]
pub struct Auditor {
    database: Database,
}

/// What an audit compares the database with.
#[derive(Debug)]
pub struct AuditInput {
    /// How long a payment or a message may be in flight.
    pub grace: Duration,
    /// How long delivered messages are kept.
    pub outbox_retention: Duration,
    /// The maximum number of findings of a check that the report lists.
    pub listed: u32,
    /// The login role of the service, if it is known. Members of its group are always checked.
    pub service_role: Option<String>,
    /// The ledger of the payment gateway.
    pub ledger: Option<Ledger>,
    /// What was acknowledged to clients.
    pub acknowledgements: Option<Acknowledgements>,
}

/// Why the audit cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
    /// Row-level security hides the tenants from this role.
    #[error(
        "the database role {role:?} does not see all tenants: set DATABASE_MIGRATION_URL to the owner of the schema, as for \
         `glasshouse migrate`"
    )]
    TenantsHidden {
        /// The role of the connection.
        role: String,
    },
    /// The schema is missing, or that of an earlier version.
    #[error("the schema of the database is not that of this version: run `glasshouse migrate` first")]
    NotMigrated,
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The acknowledgements cannot be read.
    #[error(transparent)]
    Acknowledgements(#[from] AcknowledgementsError),
}

/// The checks that one statement makes for each tenant.
fn sql_checks() -> impl Iterator<Item = &'static SqlCheck> {
    orders::CHECKS.iter().chain(&stock::CHECKS).chain(&progress::CHECKS).chain(&idempotency::CHECKS)
}

/// All checks, in the order of the report.
#[must_use]
pub fn checks() -> Vec<Check> {
    let sql = sql_checks().map(|sql| sql.check);
    sql.chain([revenue::CHECK])
        .chain(acknowledgements::CHECKS)
        .chain(ledger::CHECKS)
        .chain(isolation::CHECKS)
        .collect()
}

impl Auditor {
    /// An auditor of this database. Its pool needs two connections.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }

    /// Makes all checks.
    ///
    /// # Errors
    /// [`AuditError`] when the audit cannot be made. Findings are no error.
    pub async fn audit(&self, mut input: AuditInput) -> Result<Report, AuditError> {
        let started = Instant::now();
        let pool = self.database.pool();
        let snapshot = Snapshot::take(&pool).await?;
        let mut audit = Audit {
            bounds: bounds(&snapshot, &input),
            outcomes: Outcomes::new(input.listed),
            notes: Vec::new(),
        };
        let tenants = audit.tenants(&snapshot).await?;
        isolation::check(&snapshot, input.service_role.as_deref(), &mut audit.outcomes).await?;
        match &mut input.ledger {
            Some(ledger) => ledger::compare(&snapshot, &pool, ledger, &mut audit.outcomes).await?,
            None => audit.not_made(ledger::CHECKS, "no ledger was given (--ledger)"),
        }
        match &mut input.acknowledgements {
            Some(file) => acknowledgements::compare(&snapshot, &pool, file, &mut audit.outcomes).await?,
            None => {
                audit.not_made(acknowledgements::CHECKS, "no acknowledgements were given (--acknowledged)")
            }
        }
        let (database, snapshot_at) =
            (if snapshot.is_sqlite() { "sqlite" } else { "postgresql" }, snapshot.at());
        snapshot.end().await?;
        let checks = audit.outcomes.finish(checks());
        let findings = checks.iter().map(|check| check.findings).sum();
        let (duration, notes) = (started.elapsed(), audit.notes);
        Ok(Report { database, snapshot_at, duration, tenants, findings, checks, notes })
    }

    /// Closes the pool.
    pub async fn close(self) {
        self.database.close().await;
    }
}

/// The times that checks compare with. Housekeeping may have another clock, so the end of the retention is left out.
fn bounds(snapshot: &Snapshot<'_>, input: &AuditInput) -> Bounds {
    Bounds {
        in_flight_since: snapshot.at() - input.grace,
        retained_since: snapshot.at() - input.outbox_retention + input.grace,
        listed: input.listed,
    }
}

/// An audit while it is made.
struct Audit {
    bounds: Bounds,
    outcomes: Outcomes,
    notes: Vec<String>,
}

impl Audit {
    /// Makes the checks of each tenant. Returns the number of tenants.
    async fn tenants(&mut self, snapshot: &Snapshot<'_>) -> Result<u64, StoreFailure> {
        let (mut tenants, mut without_record, mut after) = (0, 0, Uuid::nil());
        loop {
            let page = snapshot.tenants(after).await?;
            let Some(last) = page.last() else { break };
            after = last.id.uuid();
            for tenant in page {
                without_record += self.tenant(snapshot, &tenant).await?.products_without_record;
                tenants += 1;
            }
        }
        if without_record > 0 {
            self.notes.push(format!(
                "The stock of {without_record} products cannot be proven: an earlier version added them, and recorded no units \
                 that came in (docs/reliability.md)."
            ));
        }
        Ok(tenants)
    }

    async fn tenant(&mut self, snapshot: &Snapshot<'_>, tenant: &Tenant) -> Result<Rows, StoreFailure> {
        let scope = snapshot.scope(tenant.id).await?;
        let rows = Rows::count(&scope, self.bounds.retained_since).await?;
        for sql in sql_checks() {
            let outcome = self.outcomes.of(sql.check);
            outcome.examined += rows.of(sql.examines);
            sql.run(&scope, &tenant.slug, self.bounds, outcome).await?;
        }
        revenue::compare(&scope, &tenant.slug, self.outcomes.of(revenue::CHECK)).await?;
        Ok(rows)
    }

    fn not_made(&mut self, checks: impl IntoIterator<Item = Check>, reason: &str) {
        for check in checks {
            self.outcomes.not_made(check, reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_check_has_a_name_of_its_own_and_a_sentence() {
        let checks = checks();
        let names: BTreeSet<_> = checks.iter().map(|check| check.name).collect();
        assert_eq!(names.len(), checks.len());
        for check in checks {
            assert!(check.proves.ends_with('.'), "{check:?}");
        }
    }
}
