//! Typed building blocks of a Grafana dashboard, which are written as Grafana's JSON.
//!
//! Every panel has a title, a description and a unit. Rows compute the layout, so panels cannot overlap.

mod alert;
mod dashboard;
mod links;
mod panel;
mod panel_json;
mod query;
mod row;
mod threshold;
mod unit;
mod variable;

pub use alert::Alert;
pub use dashboard::Dashboard;
pub use panel::{Panel, Visualization};
pub use query::Query;
pub use row::Row;
pub use threshold::Threshold;
pub use unit::Unit;
pub use variable::Variable;
