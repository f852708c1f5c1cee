//! A check of the books: its name, what it proves, and how it is made.

use glasshouse_domain::failure::StoreFailure;
use sea_orm::DbBackend;
use time::OffsetDateTime;
use uuid::Uuid;

use super::report::{Finding, Outcome};
use super::rows::Table;
use crate::db::pool::get;
use crate::db::scope::Scope;

/// A check, as the report names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name, unique among all checks.
    pub name: &'static str,
    /// What holds if it has no findings.
    pub proves: &'static str,
}

/// A check that one statement makes for each tenant.
pub(super) struct SqlCheck {
    pub(super) check: Check,
    /// The table whose rows it examines.
    pub(super) examines: Table,
    /// Selects the rows of the tenant `$1` that contradict the check: a `subject`, which is an id, and a `detail`. It may
    /// join the row `audit`, whose columns are in [`Bounds`]. `{order_id}` is the column `orders.id` as 32 hexadecimal
    /// digits, and `{body}` the stored response of an idempotency key as JSON.
    pub(super) contradictions: &'static str,
}

/// The times that checks compare with: the columns of the row `audit`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// What is unfinished since then is in flight, and no finding.
    pub(super) in_flight_since: OffsetDateTime,
    /// What was written since then is not deleted by housekeeping yet.
    pub(super) retained_since: OffsetDateTime,
    /// The maximum number of findings of a check that the report lists.
    pub(super) listed: u32,
}

impl SqlCheck {
    /// Makes the check for the tenant of a scope, and adds its findings to `outcome`.
    pub(super) async fn run(
        &self,
        scope: &Scope,
        slug: &str,
        bounds: Bounds,
        outcome: &mut Outcome,
    ) -> Result<(), StoreFailure> {
        let sql = self.statement(scope.backend());
        // The first row has the total, even if none is listed.
        let at_most = i64::from(bounds.listed.max(1));
        let values = [bounds.in_flight_since.into(), bounds.retained_since.into(), at_most.into()];
        let rows = scope.query(&sql, values).await?;
        let Some(first) = rows.first() else { return Ok(()) };
        let total: i64 = get(first, "total")?;
        let findings = rows.iter().map(|row| {
            Ok(Finding {
                tenant: Some(slug.to_owned()),
                subject: get::<Uuid>(row, "subject")?.to_string(),
                detail: get(row, "detail")?,
            })
        });
        outcome.add(u64::try_from(total).unwrap_or(0), findings.collect::<Result<Vec<_>, StoreFailure>>()?);
        Ok(())
    }

    /// The statement, in the dialect of a database. It returns a limited number of findings, each with the total.
    fn statement(&self, backend: DbBackend) -> String {
        let (order_id, body) = match backend {
            DbBackend::Sqlite => ("lower(hex(orders.id))", "body"),
            _ => ("replace(CAST(orders.id AS text), '-', '')", "CAST(body AS json)"),
        };
        let contradictions = self.contradictions.replace("{order_id}", order_id).replace("{body}", body);
        format!(
            "WITH audit (in_flight_since, retained_since) AS (SELECT $2, $3) \
             SELECT subject, detail, count(*) OVER () AS total FROM ({contradictions}) AS contradictions \
             ORDER BY subject LIMIT $4"
        )
    }
}
