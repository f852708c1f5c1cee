//! `/v1/reports`: revenue by day.

use actix_web::{get, web};
use glasshouse_domain::report::{DailyRevenue, Period};
use serde::{Deserialize, Serialize};
use time::Date;
use time::macros::format_description;
use utoipa::{IntoParams, ToSchema};

use crate::http::problem::{Fields, Problem, ProblemBody};
use crate::http::public::extract::Admin;

/// The period of a report.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PeriodQuery {
    /// The first day, in UTC.
    #[param(example = "2026-01-01")]
    from: String,
    /// The last day, in UTC; at most 366 days later.
    #[param(example = "2026-01-31")]
    to: String,
}

impl PeriodQuery {
    fn parse(&self) -> Result<Period, Problem> {
        // Postgres has no timestamps before 4713 BC.
        let day = |text| Date::parse(text, format_description!("[year]-[month]-[day]")).ok();
        let day = |text| day(text).filter(|day| day.year() > 0);
        let mut fields = Fields::default();
        let from = fields.take("from", day(&self.from).ok_or("must be a day such as 2026-01-01"));
        let to = fields.take("to", day(&self.to).ok_or("must be a day such as 2026-01-31"));
        let (Some(from), Some(to)) = (from, to) else { return Err(fields.problem()) };
        Period::new(from, to).map_err(|error| Fields::only("to", error))
    }
}

/// The revenue of one day in one currency. An order counts on the day on which it was placed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RevenueBody {
    #[schema(example = "2026-01-31")]
    day: String,
    /// ISO 4217.
    #[schema(example = "USD")]
    currency: String,
    /// The number of paid orders, including those that were refunded later.
    paid_orders: i64,
    /// The revenue of these orders, in minor units.
    gross_minor: i64,
    /// The refunded part of it, in minor units.
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
    responses((status = 200, body = Vec<RevenueBody>), (status = 403, body = ProblemBody),
        (status = 409, description = "A sum exceeds the range of 64-bit integers", body = ProblemBody), (status = 422, body = ProblemBody))
)]
#[get("/reports/revenue")]
pub(super) async fn report_revenue(
    Admin(caller): Admin,
    period: web::Query<PeriodQuery>,
) -> Result<web::Json<Vec<RevenueBody>>, Problem> {
    let revenue = caller.store().revenue(period.parse()?).await?;
    Ok(web::Json(revenue.iter().map(Into::into).collect()))
}
