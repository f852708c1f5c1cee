//! The profile of a span in Pyroscope.

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};

use super::places::Places;
use super::trace::Root;
use crate::data_source::Source;

/// What is asked of Pyroscope about a span.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ProfileQuery {
    /// Such as `process_cpu:cpu:nanoseconds:cpu:nanoseconds`.
    pub(super) kind: String,
    /// A selector, such as `{service_name="glasshouse-api"}`.
    pub(super) labels: String,
    /// By which Pyroscope knows the span.
    pub(super) span: String,
}

/// What a span did on the CPU.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Profile {
    pub(super) milliseconds: f64,
    pub(super) functions: usize,
}

#[derive(Deserialize)]
struct Answer {
    flamegraph: Option<FlameGraph>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FlameGraph {
    names: Vec<String>,
    /// Nanoseconds; a text, as JSON has no integers of 64 bits.
    total: Value,
}

/// The samples of a span; `None` if there are none.
pub(super) async fn find(places: &Places, query: &ProfileQuery, root: &Root) -> Result<Option<Profile>> {
    let (start, end) = root.around();
    let question = json!({
        "profileTypeID": query.kind,
        "labelSelector": query.labels,
        "spanSelector": [query.span],
        "start": start.to_string(),
        "end": end.to_string(),
    });
    let path = "querier.v1.QuerierService/SelectMergeSpanProfile";
    let answer: Option<Answer> = places.post(Source::Pyroscope, path, &question).await?;
    Ok(answer.and_then(Answer::profile))
}

impl Answer {
    fn profile(self) -> Option<Profile> {
        let FlameGraph { names, total } = self.flamegraph?;
        let nanoseconds = match &total {
            Value::String(text) => text.parse().ok()?,
            number => number.as_f64()?,
        };
        // The first name is `total`, which is no function.
        let functions = names.len().checked_sub(1).filter(|functions| *functions > 0 && nanoseconds > 0.0)?;
        Some(Profile { milliseconds: nanoseconds / 1e6, functions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_without_samples_is_none() {
        let read = |text: &str| serde_json::from_str::<Answer>(text).unwrap().profile();
        let found = read(r#"{ "flamegraph": { "names": ["total", "hash", "sort"], "total": "20000000" } }"#);
        assert_eq!(found, Some(Profile { milliseconds: 20.0, functions: 2 }));
        for empty in
            ["{}", r#"{ "flamegraph": {} }"#, r#"{ "flamegraph": { "names": ["total"], "total": "0" } }"#]
        {
            assert_eq!(read(empty), None);
        }
    }
}
