//! The revenue report is true: it is compared with a computation of its own, over payments instead of orders.

use std::collections::BTreeMap;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::report::{Period, ReportError};
use time::{Date, OffsetDateTime, UtcOffset};
use uuid::Uuid;

use super::check::Check;
use super::report::{Finding, Outcome};
use crate::db::pool::get;
use crate::db::scope::Scope;

pub(super) const CHECK: Check = Check {
    name: "revenue_is_reported",
    proves: "The revenue report shows the sum of the payments that succeeded and the sum of those refunded, of each tenant, \
             currency and day.",
};

/// The payments of a tenant, a page at a time. A payment that succeeded although its order was cancelled is refunded, and
/// never revenue.
const PAYMENTS: &str = "\
    SELECT orders.id, orders.created_at, orders.state AS order_state, \
           payments.state, payments.amount_minor, payments.currency \
    FROM orders LEFT JOIN payments \
      ON payments.tenant_id = orders.tenant_id AND payments.order_id = orders.id \
    WHERE orders.tenant_id = $1 AND orders.id > $2 ORDER BY orders.id LIMIT $3";

const PAGE: i64 = 2000;

/// The sums of a day in one currency, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    succeeded: i128,
    refunded: i128,
}

/// The sums by day and currency. Its size is bounded by the days since the first order.
type Days = BTreeMap<(Date, String), Sums>;

/// Compares the report with the payments of the tenant of a scope.
pub(super) async fn compare(scope: &Scope, slug: &str, outcome: &mut Outcome) -> Result<(), StoreFailure> {
    let (mut days, period) = add_up(scope, outcome).await?;
    let Some((mut from, last)) = period else { return Ok(()) };
    let mut find = |subject: String, detail: String| {
        outcome.find(Finding { tenant: Some(slug.to_owned()), subject, detail });
    };
    while from <= last {
        let to = last.min(from.saturating_add(time::Duration::days(Period::MAX_DAYS)));
        let Ok(period) = Period::new(from, to) else { break };
        match scope.revenue(period).await {
            Ok(reported) => {
                for row in reported {
                    let key = (row.day, row.currency.code().to_owned());
                    let sums = days.remove(&key).unwrap_or_default();
                    let (gross, refunded) = (i128::from(row.gross.minor()), i128::from(row.refunded.minor()));
                    if (gross, refunded) != (sums.succeeded, sums.refunded) {
                        find(subject(&key), contradiction((gross, refunded), sums));
                    }
                }
                let absent: Vec<_> = days.keys().filter(|(day, _)| *day <= to).cloned().collect();
                for key in absent {
                    find(subject(&key), contradiction((0, 0), days.remove(&key).unwrap_or_default()));
                }
            }
            Err(ReportError::Store(failure)) => return Err(failure),
            Err(error @ ReportError::SumTooLarge { .. }) => {
                days.retain(|(day, _), _| *day > to);
                find(format!("{from} to {to}"), error.to_string());
            }
        }
        let Some(next) = to.next_day() else { break };
        from = next;
    }
    Ok(())
}

/// Adds up the payments. Returns the first and the last day with an order, too.
async fn add_up(scope: &Scope, outcome: &mut Outcome) -> Result<(Days, Option<(Date, Date)>), StoreFailure> {
    let (mut days, mut period, mut after) = (Days::new(), None, Uuid::nil());
    loop {
        let rows = scope.query(PAYMENTS, [after.into(), PAGE.into()]).await?;
        let Some(last) = rows.last() else { return Ok((days, period)) };
        after = get(last, "id")?;
        for row in &rows {
            outcome.examined += 1;
            let day = get::<OffsetDateTime>(row, "created_at")?.to_offset(UtcOffset::UTC).date();
            let (first, last) = period.unwrap_or((day, day));
            period = Some((day.min(first), day.max(last)));
            let state: Option<String> = get(row, "state")?;
            let is_refunded = state.as_deref() == Some("refunded");
            let is_revenue = is_refunded || state.as_deref() == Some("succeeded");
            if !is_revenue || get::<String>(row, "order_state")? == "cancelled" {
                continue;
            }
            let amount = i128::from(get::<i64>(row, "amount_minor")?);
            let sums = days.entry((day, get(row, "currency")?)).or_default();
            sums.succeeded += amount;
            sums.refunded += if is_refunded { amount } else { 0 };
        }
    }
}

fn subject((day, currency): &(Date, String)) -> String {
    format!("{day} {currency}")
}

fn contradiction((gross, refunded): (i128, i128), sums: Sums) -> String {
    format!(
        "the report has {gross} gross and {refunded} refunded, the payments {} and {}",
        sums.succeeded, sums.refunded
    )
}
