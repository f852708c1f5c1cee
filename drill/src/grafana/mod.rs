//! What Grafana is given as files: dashboards, their variables, and data sources.

pub mod data_source;

mod dashboard;
mod variables;

pub use dashboard::{Dashboard, FAULT_ONLY};
pub use variables::interpolate;
