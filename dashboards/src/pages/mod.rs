//! The dashboards, one module each. Their queries use recorded series of `deploy/prometheus/rules` where possible, so that
//! a panel and its alert compare the same value.

mod business;
mod containers;
mod database;
mod firing;
mod investigate;
mod load_test;
mod overview;
mod payments;
mod resources;
mod servers;
mod shared;
mod slo;
mod tenants;

use anyhow::Result;

use crate::alerts::Alerts;
use crate::model::Dashboard;

/// All dashboards.
///
/// # Errors
/// A dashboard shows an alert that the rules do not have.
pub fn all(alerts: &Alerts) -> Result<Vec<Dashboard>> {
    let dashboards = vec![
        overview::dashboard(alerts)?,
        resources::dashboard(alerts)?,
        containers::dashboard(),
        business::dashboard(alerts)?,
        tenants::dashboard(alerts)?,
        payments::dashboard(alerts)?,
        database::dashboard(alerts)?,
        slo::dashboard(alerts)?,
        load_test::dashboard(alerts)?,
        investigate::dashboard(),
    ];
    let complete = |dashboard: Dashboard| {
        dashboard.with_other_alerts(alerts.iter()).with_runbooks(alerts.iter()).filtered(alerts.series())
    };
    Ok(dashboards.into_iter().map(complete).collect())
}
