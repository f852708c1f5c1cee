//! Reports: each is one aggregating statement.

use glasshouse_domain::failure::{Corrupt, StoreFailure};
use glasshouse_domain::report::{DailyRevenue, Period, ReportError};
use glasshouse_domain::values::{Currency, Money};
use sea_orm::{DbBackend, FromQueryResult, QueryResult};
use time::macros::{format_description, time};
use time::{Date, OffsetDateTime};

use super::TenantStore;
use super::failure::store_failure;
use super::scope::Scope;

/// Sums are cast to text, because `sum(bigint)` is a `numeric` on Postgres and may exceed 64 bits.
const REVENUE: &str = "\
    SELECT {day} AS day, currency, count(*) AS paid_orders, \
           CAST(sum(total_minor) AS text) AS gross_minor, \
           CAST(sum(CASE WHEN state = 'refunded' THEN total_minor ELSE 0 END) AS text) AS refunded_minor \
    FROM orders \
    WHERE tenant_id = $1 AND created_at >= $2 AND created_at < $3 AND state IN ('paid', 'refunded') \
    GROUP BY 1, 2 ORDER BY 1, 2";

#[derive(FromQueryResult)]
struct RevenueRow {
    day: String,
    currency: String,
    paid_orders: i64,
    gross_minor: String,
    refunded_minor: String,
}

impl TenantStore {
    /// The revenue of each day of a period, by currency. Days without revenue are absent.
    ///
    /// # Errors
    /// When a sum is out of range, or the database fails.
    pub async fn revenue(&self, period: Period) -> Result<Vec<DailyRevenue>, ReportError> {
        let scope = self.begin_read("revenue").await?;
        let revenue = scope.revenue(period).await?;
        scope.commit().await?;
        Ok(revenue)
    }
}

impl Scope {
    /// The revenue of each day of a period, by currency.
    pub(super) async fn revenue(&self, period: Period) -> Result<Vec<DailyRevenue>, ReportError> {
        let rows = match self.backend() {
            DbBackend::Sqlite => {
                // SQLite stores a time as text that begins with its day, so it sorts by day.
                let days = [period.from().to_string().into(), day_after(period).to_string().into()];
                self.query(&REVENUE.replace("{day}", "substr(created_at, 1, 10)"), days).await?
            }
            _ => {
                let day = "to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')";
                let midnights = [midnight(period.from()).into(), midnight(day_after(period)).into()];
                self.query(&REVENUE.replace("{day}", day), midnights).await?
            }
        };
        rows.iter().map(daily_revenue).collect()
    }
}

fn day_after(period: Period) -> Date {
    period.to().next_day().unwrap_or(Date::MAX)
}

const fn midnight(day: Date) -> OffsetDateTime {
    OffsetDateTime::new_utc(day, time!(00:00))
}

fn daily_revenue(row: &QueryResult) -> Result<DailyRevenue, ReportError> {
    let row = RevenueRow::from_query_result(row, "").map_err(store_failure)?;
    let corrupt = |what| move |value: &str| StoreFailure::from(Corrupt { what, value: value.to_owned() });
    let day = Date::parse(&row.day, format_description!("[year]-[month]-[day]"));
    let day = day.map_err(|_| corrupt("day")(&row.day))?;
    let currency = Currency::stored(&row.currency).ok_or_else(|| corrupt("currency")(&row.currency))?;
    let amount = |minor: &str| {
        let money = minor.parse().ok().and_then(|minor| Money::new(minor, currency).ok());
        let (day, currency) = (row.day.clone(), row.currency.clone());
        money.ok_or_else(|| ReportError::SumTooLarge { day, currency, minor: minor.to_owned() })
    };
    Ok(DailyRevenue {
        day,
        currency,
        paid_orders: row.paid_orders,
        gross: amount(&row.gross_minor)?,
        refunded: amount(&row.refunded_minor)?,
    })
}
