//! Queries Loki for the log records of a trace.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Deserialize;

use super::backends::Backends;
use super::trace::RootSpan;
use crate::grafana::data_source::DataSource;

/// A log record.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LogRecord {
    /// The line, which is the event name.
    pub(super) text: String,
    /// The labels of its stream, with the fields that Loki stores as structured metadata.
    pub(super) labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RangeResponse {
    data: StreamsData,
}

#[derive(Deserialize)]
struct StreamsData {
    result: Vec<Stream>,
}

/// Log records with the same labels and structured metadata.
#[derive(Deserialize)]
struct Stream {
    stream: BTreeMap<String, String>,
    /// Timestamp in nanoseconds, and line.
    values: Vec<(String, String)>,
}

/// The log records that a query finds around a span.
pub(super) async fn find(backends: &Backends, query: &str, root: &RootSpan) -> Result<Vec<LogRecord>> {
    let (from, to) = root.time_range();
    let (start, end) = (format!("{from}000000"), format!("{to}000000"));
    let parameters = [("query", query), ("start", &start), ("end", &end), ("limit", "100")];
    let response: Option<RangeResponse> =
        backends.get(DataSource::Loki, "loki/api/v1/query_range", &parameters).await?;
    Ok(response.map(RangeResponse::into_records).unwrap_or_default())
}

impl RangeResponse {
    fn into_records(self) -> Vec<LogRecord> {
        let streams = self.data.result.into_iter();
        let records = streams.flat_map(|Stream { stream, values }| {
            values.into_iter().map(move |(_, text)| LogRecord { text, labels: stream.clone() })
        });
        records.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_labels_of_its_stream() {
        let text = r#"{ "status": "success", "data": { "resultType": "streams", "result": [
            { "stream": { "trace_id": "t" }, "values": [["1", "order_placed"], ["2", "order_paid"]] },
            { "stream": {}, "values": [["3", "application_started"]] } ] } }"#;
        let response: RangeResponse = serde_json::from_str(text).unwrap();
        let record =
            |text: &str, labels: &BTreeMap<_, _>| LogRecord { text: text.to_owned(), labels: labels.clone() };
        let (of_trace, none) = ([("trace_id".to_owned(), "t".to_owned())].into(), BTreeMap::new());
        let expected = [
            record("order_placed", &of_trace),
            record("order_paid", &of_trace),
            record("application_started", &none),
        ];
        assert_eq!(response.into_records(), expected);
    }
}
