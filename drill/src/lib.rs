//! Proves every alert of a project: starts its whole stack, causes the fault of an alert, and observes the alert as
//! pending, firing, delivered and resolved.
//!
//! What the project defines, read from files:
//!
//! - [`project`]: `drill.toml`, which says where those files are, and what the stack consists of; [`template`] expands its
//!   placeholders.
//! - [`catalogue`]: which scenario causes which alert, and the evidence that it leaves.
//! - [`rules`]: the alerting and recording rules of Prometheus; [`promql`] analyzes their expressions.
//! - [`slo`]: the service level objectives, from which their rules are generated.
//! - [`grafana`]: the committed dashboards and the provisioned data sources.
//! - [`query`]: a query together with the place that defines it; [`runbook_queries`]: those of runbooks.
//!
//! What is checked without a running stack:
//!
//! - [`consistency`]: the catalogue, rules, promtool tests, scenarios, runbooks and dashboards name the same alerts.
//! - [`contract`]: queries use metrics and labels that are exported.
//!
//! What runs:
//!
//! - [`runner`]: runs the exercises of the catalogue. **Start reading here.**
//! - [`stack`]: the stack that drills run on: containers, processes, or one that runs already.
//! - [`speed`]: divides durations, so that two hours of alerting take four minutes.
//! - [`receiver`]: the webhook receiver that Alertmanager delivers to.
//! - [`exposition`]: the metrics of a process.
//! - [`prometheus_api`] and [`alertmanager_api`]: HTTP clients. [`polling`]: waits for a condition.
//! - [`panel_data`]: panels of dashboards without data.
//! - [`correlation`]: follows the links from one signal to the next, as Grafana offers them.
//! - [`report`]: the results as a table, Markdown, JUnit XML and JSON.
//!
//! Drills keep thresholds and rates, and divide durations:
//!
//! ```
//! use glasshouse_drill::speed::Speed;
//!
//! let speed: Speed = "30".parse()?;
//! assert_eq!(speed.divide_text("5m")?, "10s", "the `for` of an alert");
//! assert!(speed.divide_text("5 minutes").is_err(), "Prometheus has another format");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod alertmanager_api;
pub mod catalogue;
pub mod consistency;
pub mod contract;
pub mod correlation;
pub mod exposition;
pub mod grafana;
pub mod panel_data;
pub mod polling;
pub mod project;
pub mod prometheus_api;
pub mod promql;
pub mod query;
pub mod receiver;
pub mod report;
pub mod rules;
pub mod runbook_queries;
pub mod runner;
pub mod slo;
pub mod speed;
pub mod stack;
pub mod template;
