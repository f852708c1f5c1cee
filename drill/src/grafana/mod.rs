//! What Grafana is given as files: dashboards, their variables, and data sources.

pub mod data_source;

mod dashboard_file;
mod variables;

pub use dashboard_file::{DashboardFile, FAULT_ONLY, StoreQuery, has_data};
pub use variables::interpolate;
