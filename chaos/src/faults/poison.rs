//! Messages that no receiver takes: they end as dead letters, which are reported, and no other message waits for them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use glasshouse_drill::polling::poll_until;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::books::Audited;
use crate::query::number;
use crate::system::{Role, Scrape, System};

/// More than a worker leases at once. They are due before every other message, and each has one attempt left.
const POISON: i32 = 120;

/// An event that no version can decode, in the place of a real one.
const INSERT: &str = "INSERT INTO outbox_messages (id, tenant_id, kind, event, attempts, available_at, created_at) \
     SELECT gen_random_uuid(), tenant_id, 'poison', '{\"kind\": \"poison\"}', 999, now() - interval '1 hour', now() \
     FROM (SELECT tenant_id FROM outbox_messages LIMIT 1) AS any_tenant, generate_series(1, $1) RETURNING id";

const DEAD: &str =
    "SELECT count(*) AS n FROM outbox_messages WHERE dead_lettered_at IS NOT NULL AND kind = 'poison'";

/// What was written when the poison was, by any customer.
const WAITING: &str = "SELECT count(*) AS n FROM outbox_messages \
     WHERE delivered_at IS NULL AND kind <> 'poison' AND created_at < $1";

/// An operator has looked at them, and removes them.
const DELETE: &str = "DELETE FROM outbox_messages WHERE kind = 'poison' RETURNING id";

/// How long the messages may take to be given up, and others to be delivered meanwhile.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Writes the messages, waits until all are dead letters and what customers caused is delivered, checks that the workers and
/// the audit report them, and removes them.
///
/// # Errors
/// A message is not given up, not reported, or others wait for it.
pub(super) async fn poison(system: &System, duration: Duration) -> Result<()> {
    let database = system.connect().await?;
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, INSERT, [POISON.into()]);
    let begun = Instant::now();
    let inserted = database.query_all_raw(statement).await?.len();
    ensure!(inserted == usize::try_from(POISON)?, "{inserted} messages were written");
    let now = time::OffsetDateTime::now_utc();
    let is_over = poll_until(TIMEOUT, async || {
        let are_given_up = number(&database, DEAD, []).await? == i64::from(POISON);
        Ok((are_given_up && number(&database, WAITING, [now.into()]).await? == 0).then_some(()))
    });
    is_over.await?.context("messages are not given up, or others wait for them")?;
    reported_by_workers(system).await?;
    ensure!(
        reported_by_audit(system).await? == Some(POISON.into()),
        "the audit does not report the dead letters"
    );
    tokio::time::sleep(duration.saturating_sub(begun.elapsed())).await;
    database.query_all_raw(Statement::from_string(DbBackend::Postgres, DELETE)).await?;
    Ok(database.close().await?)
}

/// Waits until each worker exports the number of dead letters, which an alert watches.
async fn reported_by_workers(system: &System) -> Result<()> {
    for worker in system.with_role(Role::Worker) {
        let is_reported = poll_until(TIMEOUT, async || {
            let reported = Scrape::of(worker).await?.sum("outbox_dead_letters", &[]);
            Ok((reported == Some(f64::from(POISON))).then_some(()))
        });
        is_reported.await?.with_context(|| format!("{worker} does not export {POISON} dead letters"))?;
    }
    Ok(())
}

/// The number of dead letters that the audit finds.
async fn reported_by_audit(system: &System) -> Result<Option<i64>> {
    let mut audit = system.audit_command();
    audit.args(["--format", "json"]);
    let output = spawn_blocking(move || audit.output()).await??;
    let report: Value = serde_json::from_slice(&output.stdout).context("the audit cannot be made")?;
    let checks = report["checks"].as_array().context("the audit has no checks")?;
    let check = checks.iter().find(|check| check["name"] == "no_dead_letters");
    Ok(check.and_then(|check| check["findings"].as_i64()))
}
