//! Log lines in Loki.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Deserialize;

use super::places::Places;
use super::trace::Root;
use crate::data_source::Source;

/// A line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) text: String,
    /// Its fields too, which Loki keeps as structured metadata.
    pub(super) labels: BTreeMap<String, String>,
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
            values.into_iter().map(move |(_, text)| Line { text, labels: stream.clone() })
        });
        lines.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_labels_of_its_stream() {
        let text = r#"{ "status": "success", "data": { "resultType": "streams", "result": [
            { "stream": { "trace_id": "t" }, "values": [["1", "order_placed"], ["2", "order_paid"]] },
            { "stream": {}, "values": [["3", "application_started"]] } ] } }"#;
        let answer: Answer = serde_json::from_str(text).unwrap();
        let line =
            |text: &str, labels: &BTreeMap<_, _>| Line { text: text.to_owned(), labels: labels.clone() };
        let (of_trace, none) = ([("trace_id".to_owned(), "t".to_owned())].into(), BTreeMap::new());
        let expected = [
            line("order_placed", &of_trace),
            line("order_paid", &of_trace),
            line("application_started", &none),
        ];
        assert_eq!(answer.lines(), expected);
    }
}
