//! The dashboards, one file each. They use what `deploy/prometheus/rules` records where they can, so that a
//! panel and its alert cannot disagree.

mod business;
mod database;
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
pub fn all(alerts: &Alerts) -> Result<Vec<Dashboard>> {
    Ok(vec![
        overview::dashboard(alerts)?,
        resources::dashboard(alerts)?,
        business::dashboard(alerts)?,
        tenants::dashboard(alerts)?,
        payments::dashboard(alerts)?,
        database::dashboard(alerts)?,
        slo::dashboard(alerts)?,
        load_test::dashboard(alerts)?,
        investigate::dashboard(),
    ])
}
