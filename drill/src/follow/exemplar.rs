//! What Prometheus has: exemplars of a panel's query, and the value of a query.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde::Deserialize;
use time::OffsetDateTime;

use super::links::Links;
use super::places::Places;
use crate::contract::Query;
use crate::data_source::Source;

/// How far back a panel is looked at, in seconds.
const WINDOW: i64 = 600;

/// A request that stands for others like it in a panel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Exemplar {
    pub(super) trace_id: String,
    moment: f64,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Series {
    exemplars: Vec<Measured>,
}

#[derive(Deserialize)]
struct Measured {
    labels: BTreeMap<String, String>,
    timestamp: f64,
}

#[derive(Deserialize)]
struct Samples {
    result: Vec<Sample>,
}

#[derive(Deserialize)]
struct Sample {
    value: (f64, String),
}

/// The first query with exemplars: where it stands, and its exemplars, the newest first.
pub(super) async fn first_of(
    places: &Places,
    links: &Links,
    queries: &[Query],
) -> Result<Option<(String, Vec<Exemplar>)>> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let (start, end) = ((now - WINDOW).to_string(), now.to_string());
    for Query { place, expression } in queries {
        let parameters = [("query", expression.as_str()), ("start", &start), ("end", &end)];
        let answer = places.get(Source::Prometheus, "api/v1/query_exemplars", &parameters).await?;
        let exemplars = answer.map(|answer| newest_first(answer, links)).unwrap_or_default();
        if !exemplars.is_empty() {
            return Ok(Some((place.clone(), exemplars)));
        }
    }
    Ok(None)
}

/// One for each trace.
fn newest_first(answer: Answer<Vec<Series>>, links: &Links) -> Vec<Exemplar> {
    let measured = answer.data.into_iter().flat_map(|series| series.exemplars);
    let mut exemplars: Vec<_> = measured
        .filter_map(|one| {
            let trace_id = links.trace_of_exemplar(&one.labels)?.to_owned();
            Some(Exemplar { trace_id, moment: one.timestamp })
        })
        .collect();
    exemplars.sort_by(|one, other| other.moment.total_cmp(&one.moment));
    let mut seen = BTreeSet::new();
    exemplars.retain(|one| seen.insert(one.trace_id.clone()));
    exemplars
}

/// The value of a query that gives one series.
pub(super) async fn value(places: &Places, query: &str) -> Result<Option<f64>> {
    let answer: Option<Answer<Samples>> =
        places.get(Source::Prometheus, "api/v1/query", &[("query", query)]).await?;
    let sample = answer.and_then(|answer| answer.data.result.into_iter().next());
    Ok(sample.and_then(|sample| sample.value.1.parse().ok()).filter(|value: &f64| !value.is_nan()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exemplars_are_the_newest_first_and_each_trace_once() {
        let text = r#"{ "status": "success", "data": [
            { "seriesLabels": {}, "exemplars": [
                { "labels": { "trace_id": "a", "span_id": "1" }, "value": "0.02", "timestamp": 1 },
                { "labels": { "trace_id": "b" }, "value": "0.3", "timestamp": 2 },
                { "labels": {}, "value": "9", "timestamp": 3 } ] },
            { "seriesLabels": {}, "exemplars": [
                { "labels": { "trace_id": "a" }, "value": "0.1", "timestamp": 4.5 } ] } ] }"#;
        let found = newest_first(serde_json::from_str(text).unwrap(), &Links::sample());
        let expected =
            [("a", 4.5), ("b", 2.0)].map(|(id, moment)| Exemplar { trace_id: id.to_owned(), moment });
        assert_eq!(found, expected);
    }
}
