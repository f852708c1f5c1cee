//! Checks the books with `glasshouse audit`, after the system has come to rest.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use glasshouse_drill::polling::poll_until;
use sea_orm::DatabaseConnection;
use serde::Deserialize;
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::load::Journal;
use crate::query::number;
use crate::system::Ledger;

/// A system whose books can be checked.
pub(crate) trait Audited {
    /// The number of checks of the audit that its database does not permit.
    const CHECKS_NOT_MADE: usize;

    /// A connection that sees all rows.
    async fn connect(&self) -> Result<DatabaseConnection>;

    /// The operator's command that proves the books.
    fn audit_command(&self) -> Command;
}

/// The books of the database and of the gateway.
#[derive(Debug)]
pub(crate) struct Books {
    ledger: Ledger,
    /// The findings of the last check, by what was checked. What is lost stays lost, and is reported once.
    known: HashMap<String, u64>,
    /// The stock of all products when their shops opened.
    initial_stock: i64,
}

/// Something that must not be.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) kind: Kind,
    /// What was checked.
    pub(crate) check: String,
    pub(crate) count: u64,
    /// An example.
    pub(crate) text: String,
}

impl Finding {
    pub(crate) fn new(kind: Kind, check: &str, count: u64, text: String) -> Self {
        Self { kind, check: check.to_owned(), count, text }
    }
}

/// The kind of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Something acknowledged does not exist.
    Lost,
    /// Something happened twice.
    Twice,
    /// Something is not finished long after the fault.
    Stuck,
    /// Something is held that should have been given back.
    Leak,
    /// The telemetry does not show the fault, or shows what did not happen.
    Telemetry,
    Other,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.check, self.count, self.text)
    }
}

/// How long open payments and undelivered messages may take.
const REST_TIMEOUT: Duration = Duration::from_secs(30);

const UNFINISHED: &str = "SELECT (SELECT count(*) FROM outbox_messages WHERE delivered_at IS NULL) \
     + (SELECT count(*) FROM payments \
        WHERE state = 'pending' OR (state = 'succeeded' AND refund_requested_at IS NOT NULL)) AS n";

const ORDERS: &str = "SELECT count(*) AS n FROM orders";
const RECEIVED: &str = "SELECT CAST(sum(received) AS bigint) AS n FROM products";

/// Waits until all background work is done. Returns the number of payments and messages that are unfinished nevertheless.
///
/// # Errors
/// The database fails.
pub(crate) async fn rest(system: &impl Audited) -> Result<u64> {
    let connection = system.connect().await?;
    let mut unfinished = 0;
    let is_done = async || {
        unfinished = number(&connection, UNFINISHED, []).await?.unsigned_abs();
        Ok((unfinished == 0).then_some(()))
    };
    poll_until(REST_TIMEOUT, is_done).await?;
    connection.close().await?;
    Ok(unfinished)
}

impl Books {
    pub(crate) fn new(ledger: Ledger, initial_stock: i64) -> Self {
        Self { ledger, known: HashMap::new(), initial_stock }
    }

    /// Waits until all background work is done, and audits the books. Returns what was not found before.
    ///
    /// # Errors
    /// The audit cannot be made.
    pub(crate) async fn check(&mut self, system: &impl Audited, journal: &Journal) -> Result<Vec<Finding>> {
        let found = self.find(system, journal).await?;
        let counts = found.iter().map(|finding| (finding.check.clone(), finding.count)).collect();
        let known = std::mem::replace(&mut self.known, counts);
        let new_part = |finding: Finding| {
            let before = known.get(&finding.check).copied().unwrap_or_default();
            let count = finding.count.checked_sub(before).filter(|count| *count > 0)?;
            Some(Finding { count, ..finding })
        };
        Ok(found.into_iter().filter_map(new_part).collect())
    }

    async fn find(&self, system: &impl Audited, journal: &Journal) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        let connection = system.connect().await?;
        let count = rest(system).await?;
        if count > 0 {
            let text = format!("{count} payments or messages are unfinished after {REST_TIMEOUT:?}");
            findings.push(Finding::new(Kind::Stuck, "background_work_ends", count, text));
        }
        // The audit proves that what was acknowledged happened. This proves that nothing else did: a request that took effect
        // twice is acknowledged once.
        let acknowledged = journal.acknowledged();
        let orders = number(&connection, ORDERS, []).await?;
        let moved = units_received(&connection).await? - self.initial_stock;
        connection.close().await?;
        if (orders, moved) != (acknowledged.orders, acknowledged.moved) {
            let text = format!(
                "there are {orders} orders and {moved} moved units, of which are acknowledged {acknowledged:?}"
            );
            let count = orders.abs_diff(acknowledged.orders) + moved.abs_diff(acknowledged.moved);
            findings.push(Finding::new(Kind::Twice, "all_effects_are_acknowledged", count, text));
        }
        findings.extend(self.audit(system, journal.flush()?).await?);
        Ok(findings)
    }

    async fn audit<S: Audited>(&self, system: &S, journal: &Path) -> Result<Vec<Finding>> {
        let mut audit = system.audit_command();
        audit.args(["--format", "json", "--grace", "0", "--ledger", self.ledger.url(), "--acknowledged"]);
        audit.arg(journal);
        let output = spawn_blocking(move || audit.output()).await??;
        let report: Report = serde_json::from_slice(&output.stdout).with_context(|| {
            format!("glasshouse audit ({}): {}", output.status, String::from_utf8_lossy(&output.stderr))
        })?;
        let not_made = report.checks.iter().filter(|check| check.result == "not_made").count();
        ensure!(not_made == S::CHECKS_NOT_MADE, "{not_made} checks were not made");
        let found = report.checks.into_iter().filter(|check| check.findings > 0);
        Ok(found.map(CheckReport::finding).collect())
    }
}

/// The units that were added to the stock of all products by hand.
pub(crate) async fn units_received(connection: &DatabaseConnection) -> Result<i64> {
    number(connection, RECEIVED, []).await
}

/// The part of the report of `glasshouse audit` that counts here.
#[derive(Debug, Deserialize)]
struct Report {
    checks: Vec<CheckReport>,
}

#[derive(Debug, Deserialize)]
struct CheckReport {
    name: String,
    result: String,
    findings: u64,
    listed: Vec<Value>,
}

impl CheckReport {
    fn finding(self) -> Finding {
        let kind = match self.name.as_str() {
            "acknowledged_orders_exist" | "acknowledged_payments_exist" | "acknowledged_movements_exist" => {
                Kind::Lost
            }
            "charged_once" | "one_payment_per_order" | "one_message_per_event" => Kind::Twice,
            "open_payments_are_young" | "messages_are_young" | "no_dead_letters" => Kind::Stuck,
            _ => Kind::Other,
        };
        let first = self.listed.first().map(Value::to_string).unwrap_or_default();
        Finding { kind, check: self.name, count: self.findings, text: first }
    }
}
