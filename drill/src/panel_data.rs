//! Finds panels of dashboards without data, by running their queries.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::contract::uses_external_metrics;
use crate::correlation::Backends;
use crate::grafana::data_source::{CPU_TIME, DataSource};
use crate::grafana::{DashboardFile, StoreQuery};
use crate::project::Project;
use crate::prometheus_api::PrometheusApi;
use crate::promql::parse;
use crate::query::LocatedQuery;

/// Queries of the project's dashboards that had no data in the last 5 minutes although they should under normal load:
/// one message each.
///
/// `with_external` also runs the queries of metrics that k6, the collector and the exporters export, which is pointless
/// on the stack of a drill; and those that have data during a fault alone, of which none is expected.
pub async fn missing(
    project: &Project,
    prometheus: &PrometheusApi,
    with_external: bool,
) -> Result<Vec<String>> {
    let dashboards = DashboardFile::read_all(&project.dashboards()?)?;
    let queries = dashboards.iter().flat_map(DashboardFile::promql_of_panels);
    let mut missing = Vec::new();
    for (LocatedQuery { place, expression }, has_data) in queries {
        let is_run = with_external || has_data && !uses_external_metrics(&parse(&expression)?);
        if !is_run {
            continue;
        }
        // Evaluated as a subquery, because a value may be a number at one moment and NaN at another. Its steps are short, because
        // the load of a drill is: a series that begins with the first delivery has a rate for some seconds alone.
        let subquery = format!("count_over_time((({expression}) < +Inf)[5m:1s])");
        let found = prometheus.query(&subquery).await.with_context(|| format!("{place}: {expression}"))?;
        if has_data && found.is_empty() {
            missing.push(format!("{place}: no data for {expression}"));
        }
    }
    Ok(missing)
}

/// As [`missing`], for the queries of Loki, Tempo and Pyroscope in the last hour. Those about one trace or request are left out:
/// [`correlation`](crate::correlation) follows them.
///
/// # Errors
/// A backend cannot be reached, or rejects a query.
pub async fn missing_in_stores(project: &Project, backends: &Backends) -> Result<Vec<String>> {
    let dashboards = DashboardFile::read_all(&project.dashboards()?)?;
    let mut missing = Vec::new();
    for StoreQuery { source, query, has_data } in dashboards.iter().flat_map(DashboardFile::store_queries) {
        let LocatedQuery { place, expression } = query;
        // A store that does not respond is a problem of its own queries alone.
        match has_results(backends, source, &expression).await {
            Ok(found) if found || !has_data => {}
            Ok(_) => missing.push(format!("{place}: no data for {expression}")),
            Err(error) => missing.push(format!("{place}: {expression}: {error:#}")),
        }
    }
    Ok(missing)
}

/// Whether a query of Loki, Tempo or Pyroscope has a result in the last hour.
async fn has_results(backends: &Backends, source: DataSource, query: &str) -> Result<bool> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let (start, end) = ((now - 3600).to_string(), now.to_string());
    let range = [("start", &*start), ("end", &*end), ("limit", "1")];
    let response: Option<Value> = match source {
        DataSource::Pyroscope => {
            let body = json!({
                "profileTypeID": CPU_TIME,
                "labelSelector": query,
                "start": format!("{start}000"),
                "end": format!("{end}000"),
            });
            backends.post(source, "querier.v1.QuerierService/SelectMergeStacktraces", &body).await?
        }
        DataSource::Tempo => {
            backends.get(source, "api/search", &[&range[..], &[("q", query)]].concat()).await?
        }
        _ => {
            let parameters = [&range[..], &[("query", query)]].concat();
            backends.get(source, "loki/api/v1/query_range", &parameters).await?
        }
    };
    let results = ["/data/result", "/traces", "/flamegraph/names"];
    let lists = results.iter().filter_map(|pointer| response.as_ref()?.pointer(pointer)?.as_array());
    Ok(lists.into_iter().any(|list| !list.is_empty()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::{Arc, Mutex};

    use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

    use super::*;
    use crate::grafana::data_source::{Uids, provisioned};

    /// A Grafana whose Loki has log records of one minute, whose Tempo has no traces, and whose Pyroscope has a profile. It keeps
    /// the requests.
    async fn start_grafana(requests: Arc<Mutex<Vec<String>>>) -> url::Url {
        let answer = move |request: HttpRequest| {
            requests.lock().unwrap().push(format!("{}?{}", request.path(), request.query_string()));
            let body = match request.path() {
                path if path.contains("/loki/") => json!({ "data": { "result": [{}] } }),
                path if path.contains("/tempo/") => json!({ "traces": [] }),
                _ => json!({ "flamegraph": { "names": ["total"] } }),
            };
            std::future::ready(HttpResponse::Ok().json(body))
        };
        let server = HttpServer::new(move || App::new().default_service(web::to(answer.clone())));
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", server.addrs()[0]).parse().unwrap();
        tokio::spawn(server.run());
        url
    }

    #[tokio::test]
    async fn the_queries_of_all_stores_are_run() {
        let project = Project::read(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap();
        let requests = Arc::default();
        let grafana = start_grafana(Arc::clone(&requests)).await;
        let uids = Uids::of(&provisioned(&project.data_sources().unwrap()).unwrap());
        let backends = Backends::new(grafana, uids, Vec::new()).unwrap();
        // The only query of Tempo needs a fault for data.
        assert_eq!(missing_in_stores(&project, &backends).await.unwrap(), [""; 0]);
        let requests = requests.lock().unwrap();
        for path in ["/loki/loki/api/v1/query_range?", "/tempo/api/search?", "/pyroscope/querier.v1."] {
            let path = format!("/api/datasources/proxy/uid{path}");
            assert!(requests.iter().any(|request| request.starts_with(&path)), "{path}: {requests:?}");
        }
        assert!(!requests.iter().any(|request| request.contains("%24")), "a variable is left: {requests:?}");
    }

    #[tokio::test]
    async fn an_empty_result_is_none() {
        let grafana = start_grafana(Arc::default()).await;
        let uids = ["loki", "tempo"].map(|kind| json!({ "type": kind, "uid": kind }));
        let backends = Backends::new(grafana, Uids::of(&uids), Vec::new()).unwrap();
        assert!(has_results(&backends, DataSource::Loki, "{}").await.unwrap());
        assert!(!has_results(&backends, DataSource::Tempo, "{}").await.unwrap());
    }
}
