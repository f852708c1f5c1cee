//! Queries Prometheus: the exemplars of a panel, and the value of an expression.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde::Deserialize;
use time::OffsetDateTime;

use super::backends::Backends;
use super::links::Links;
use crate::grafana::data_source::DataSource;
use crate::prometheus_api::{QueryResult, Response, Sample};
use crate::query::LocatedQuery;

/// The time range of the search for exemplars, in seconds before now.
const WINDOW: i64 = 600;

/// A request that stands for others like it in a panel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Exemplar {
    pub(super) trace_id: String,
    /// Unix time in seconds.
    timestamp: f64,
}

#[derive(Deserialize)]
struct ExemplarSeries {
    exemplars: Vec<RawExemplar>,
}

#[derive(Deserialize)]
struct RawExemplar {
    labels: BTreeMap<String, String>,
    timestamp: f64,
}

/// The first query that has exemplars: its place, and the exemplars from newest to oldest.
pub(super) async fn first_with_exemplars(
    backends: &Backends,
    links: &Links,
    queries: &[LocatedQuery],
) -> Result<Option<(String, Vec<Exemplar>)>> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let (start, end) = ((now - WINDOW).to_string(), now.to_string());
    for LocatedQuery { place, expression } in queries {
        let parameters = [("query", expression.as_str()), ("start", &start), ("end", &end)];
        let response: Option<Response<Vec<ExemplarSeries>>> =
            backends.get(DataSource::Prometheus, "api/v1/query_exemplars", &parameters).await?;
        let series = response.map(Response::into_data).transpose()?.unwrap_or_default();
        let exemplars = newest_first(series, links);
        if !exemplars.is_empty() {
            return Ok(Some((place.clone(), exemplars)));
        }
    }
    Ok(None)
}

/// The newest exemplar of each trace.
fn newest_first(series: Vec<ExemplarSeries>, links: &Links) -> Vec<Exemplar> {
    let raw = series.into_iter().flat_map(|series| series.exemplars);
    let mut exemplars: Vec<_> = raw
        .filter_map(|one| {
            let trace_id = links.trace_of_exemplar(&one.labels)?.to_owned();
            Some(Exemplar { trace_id, timestamp: one.timestamp })
        })
        .collect();
    exemplars.sort_by(|one, other| other.timestamp.total_cmp(&one.timestamp));
    let mut seen = BTreeSet::new();
    exemplars.retain(|one| seen.insert(one.trace_id.clone()));
    exemplars
}

/// The value of a query that returns one series; `None` if it returns nothing or NaN.
pub(super) async fn value(backends: &Backends, query: &str) -> Result<Option<f64>> {
    let response: Option<Response<QueryResult>> =
        backends.get(DataSource::Prometheus, "api/v1/query", &[("query", query)]).await?;
    let samples = response.map(Response::into_data).transpose()?.map(QueryResult::into_samples);
    Ok(samples.unwrap_or_default().first().map(Sample::value).filter(|value| !value.is_nan()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exemplars_are_sorted_from_newest_to_oldest_with_one_for_each_trace() {
        let text = r#"{ "status": "success", "data": [
            { "seriesLabels": {}, "exemplars": [
                { "labels": { "trace_id": "a", "span_id": "1" }, "value": "0.02", "timestamp": 1 },
                { "labels": { "trace_id": "b" }, "value": "0.3", "timestamp": 2 },
                { "labels": {}, "value": "9", "timestamp": 3 } ] },
            { "seriesLabels": {}, "exemplars": [
                { "labels": { "trace_id": "a" }, "value": "0.1", "timestamp": 4.5 } ] } ] }"#;
        let response: Response<Vec<ExemplarSeries>> = serde_json::from_str(text).unwrap();
        let found = newest_first(response.into_data().unwrap(), &Links::sample());
        let expected =
            [("a", 4.5), ("b", 2.0)].map(|(id, timestamp)| Exemplar { trace_id: id.to_owned(), timestamp });
        assert_eq!(found, expected);
    }
}
