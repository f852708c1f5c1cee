//! Finds panels of dashboards without data, by running their queries.

use anyhow::{Context, Result};

use crate::contract::uses_external_metrics;
use crate::grafana::DashboardFile;
use crate::project::Project;
use crate::prometheus_api::PrometheusApi;
use crate::promql::parse;
use crate::query::LocatedQuery;

/// Queries of the project's dashboards that had no data in the last 5 minutes although they should under normal load:
/// one message each.
///
/// `with_external` also runs the queries of metrics that k6, the collector and the exporters export, which is pointless
/// on the stack of a drill.
pub async fn missing(
    project: &Project,
    prometheus: &PrometheusApi,
    with_external: bool,
) -> Result<Vec<String>> {
    let dashboards = DashboardFile::read_all(&project.dashboards()?)?;
    let queries = dashboards.iter().flat_map(DashboardFile::promql_under_normal_load);
    let mut missing = Vec::new();
    for LocatedQuery { place, expression } in queries {
        if !with_external && uses_external_metrics(&parse(&expression)?) {
            continue;
        }
        // Evaluated as a subquery, because a value may be a number at one moment and NaN at another. Its steps are short, because
        // the load of a drill is: a series that begins with the first delivery has a rate for some seconds alone.
        let subquery = format!("count_over_time((({expression}) < +Inf)[5m:1s])");
        let found = prometheus.query(&subquery).await.with_context(|| format!("{place}: {expression}"))?;
        if found.is_empty() {
            missing.push(format!("{place}: no data for {expression}"));
        }
    }
    Ok(missing)
}
