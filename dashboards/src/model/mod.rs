//! What a dashboard of Grafana is made of: typed, as far as ours need it, and written as Grafana's JSON.
//!
//! A panel cannot be without its title, its description and its unit, and rows lay panels out, so that none
//! can cover another.

mod dashboard;
mod options;
mod panel;
mod query;
mod row;
mod threshold;
mod unit;
mod variable;

pub use dashboard::Dashboard;
pub use panel::{Kind, Panel};
pub use query::Query;
pub use row::Row;
pub use threshold::{Alert, Badness};
pub use unit::Unit;
pub use variable::Variable;
