//! Log lines in Loki.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Deserialize;

use super::places::Places;
use super::trace::Root;
use crate::data_source::{LINES, Source};

/// A line with the field by which Grafana leads to its trace.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) trace_id: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Stream>,
}

/// Lines with the same labels and the same structured metadata, which Loki puts together in its answers.
#[derive(Deserialize)]
struct Stream {
    stream: BTreeMap<String, String>,
    values: Vec<(String, String)>,
}

/// Asks for the lines of all services with this value of a field, as the data source Tempo does for a trace.
pub(super) fn query(field: &str, value: &str) -> String {
    format!(r#"{LINES} | {field}="{value}""#)
}

/// What the query finds around a span.
pub(super) async fn find(places: &Places, query: &str, root: &Root) -> Result<Vec<Line>> {
    let (from, to) = root.around();
    let (start, end) = (format!("{from}000000"), format!("{to}000000"));
    let parameters = [("query", query), ("start", &start), ("end", &end), ("limit", "100")];
    let answer: Option<Answer> = places.get(Source::Loki, "loki/api/v1/query_range", &parameters).await?;
    Ok(answer.map(Answer::lines).unwrap_or_default())
}

impl Answer {
    fn lines(self) -> Vec<Line> {
        let streams = self.data.result.into_iter();
        let lines = streams.flat_map(|Stream { stream, values }| {
            let trace_id = stream.get("trace_id").cloned();
            values.into_iter().map(move |(_, text)| Line { text, trace_id: trace_id.clone() })
        });
        lines.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_knows_its_trace() {
        let text = r#"{ "status": "success", "data": { "resultType": "streams", "result": [
            { "stream": { "service_name": "glasshouse-api", "trace_id": "t" }, "values": [["1", "order_placed"]] },
            { "stream": {}, "values": [["2", "application_started"]] } ] } }"#;
        let answer: Answer = serde_json::from_str(text).unwrap();
        let line =
            |text: &str, id: Option<&str>| Line { text: text.to_owned(), trace_id: id.map(str::to_owned) };
        assert_eq!(answer.lines(), [line("order_placed", Some("t")), line("application_started", None)]);
    }
}
