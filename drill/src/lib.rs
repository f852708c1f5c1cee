//! Every alert of Glasshouse is proven here: [`catalogue`] ties it to the scenario that causes it, and the
//! program `drill` starts a whole stack, causes it, and watches it being raised, delivered and resolved.
//!
//! Start reading at [`drill`]. [`stack`] is what it runs on, [`watch`] how it sees Prometheus, [`receiver`]
//! where Alertmanager delivers to, [`diagnosis`] how it names the cause of a miss, and [`speed`] how two
//! hours become four minutes. [`contract`] compares queries with what the service really exports, and [`follow`] goes
//! from one signal to the next.

pub mod alertmanager_api;
pub mod catalogue;
pub mod consistency;
pub mod contract;
pub mod dashboards;
pub mod data_source;
pub mod diagnosis;
pub mod drill;
pub mod evidence;
pub mod follow;
pub mod k6;
pub mod project;
pub mod promql;
pub mod receiver;
pub mod report;
pub mod rules;
pub mod speed;
pub mod stack;
pub mod watch;
