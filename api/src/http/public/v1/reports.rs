//! `/v1/reports`: revenue by day.

use actix_web::{get, web};
use glasshouse_domain::report::{DailyRevenue, Period, parse_day};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::schemas;
use crate::http::problem::{Fields, Problem, ProblemBody};
use crate::http::public::extract::Admin;

/// The period of a report.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PeriodQuery {
    /// The first day, in UTC.
    #[param(value_type = schemas::Day, inline)]
    from: String,
    /// The last day, in UTC; at most 366 days later.
    #[param(value_type = schemas::Day, inline)]
    to: String,
}

impl PeriodQuery {
    fn parse(&self) -> Result<Period, Problem> {
        let mut fields = Fields::default();
        let (from, to) = (fields.take("from", parse_day(&self.from)), fields.take("to", parse_day(&self.to)));
        let (Some(from), Some(to)) = (from, to) else { return Err(fields.problem()) };
        Period::new(from, to).map_err(|error| Fields::only("to", error))
    }
}

/// The revenue of one day in one currency. An order counts on the day on which it was placed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RevenueBody {
    #[schema(value_type = schemas::Day)]
    day: String,
    #[schema(value_type = schemas::CurrencyCode)]
    currency: String,
    /// The number of paid orders, including those that were refunded later.
    paid_orders: i64,
    /// The revenue of these orders.
    #[schema(value_type = schemas::Amount)]
    gross_minor: i64,
    /// The refunded part of it.
    #[schema(value_type = schemas::Amount)]
    refunded_minor: i64,
}

impl From<&DailyRevenue> for RevenueBody {
    fn from(revenue: &DailyRevenue) -> Self {
        Self {
            day: revenue.day.to_string(),
            currency: revenue.currency.to_string(),
            paid_orders: revenue.paid_orders,
            gross_minor: revenue.gross.minor(),
            refunded_minor: revenue.refunded.minor(),
        }
    }
}

/// Report the revenue of each day by currency (admin). Days without revenue are left out.
#[utoipa::path(
    tag = "reports", security(("bearer" = [])), params(PeriodQuery),
    responses(
        (status = 200, description = "The revenue of each day", body = Vec<RevenueBody>),
        (status = 403, body = ProblemBody),
        (status = 409, description = "A sum exceeds the maximum of an amount", body = ProblemBody),
    )
)]
#[get("/reports/revenue")]
pub(super) async fn report_revenue(
    Admin(caller): Admin,
    period: web::Query<PeriodQuery>,
) -> Result<web::Json<Vec<RevenueBody>>, Problem> {
    let revenue = caller.store().revenue(period.parse()?).await?;
    Ok(web::Json(revenue.iter().map(Into::into).collect()))
}
