//! Queries Pyroscope for the profile of a span.

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};

use super::backends::Backends;
use super::trace::RootSpan;
use crate::grafana::data_source::DataSource;

/// The selection of the samples of one span.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ProfileQuery {
    /// The profile type, such as `process_cpu:cpu:nanoseconds:cpu:nanoseconds`.
    pub(super) profile_type: String,
    /// A label selector, such as `{service_name="glasshouse-api"}`.
    pub(super) labels: String,
    /// The id of the span in Pyroscope.
    pub(super) span: String,
}

/// The CPU profile of a span.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Profile {
    pub(super) milliseconds: f64,
    pub(super) functions: usize,
}

#[derive(Deserialize)]
struct ProfileResponse {
    flamegraph: Option<FlameGraph>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FlameGraph {
    names: Vec<String>,
    /// Nanoseconds, usually as a string, because JSON numbers cannot hold all 64-bit integers.
    total: Value,
}

/// The profile of a span; `None` if it has no samples.
pub(super) async fn find(
    backends: &Backends,
    query: &ProfileQuery,
    root: &RootSpan,
) -> Result<Option<Profile>> {
    let (start, end) = root.time_range();
    let request = json!({
        "profileTypeID": query.profile_type,
        "labelSelector": query.labels,
        "spanSelector": [query.span],
        "start": start.to_string(),
        "end": end.to_string(),
    });
    let path = "querier.v1.QuerierService/SelectMergeSpanProfile";
    let response: Option<ProfileResponse> = backends.post(DataSource::Pyroscope, path, &request).await?;
    Ok(response.and_then(ProfileResponse::into_profile))
}

impl ProfileResponse {
    fn into_profile(self) -> Option<Profile> {
        let FlameGraph { names, total } = self.flamegraph?;
        let nanoseconds = match &total {
            Value::String(text) => text.parse().ok()?,
            number => number.as_f64()?,
        };
        // The first name is `total`, which is not a function.
        let functions = names.len().checked_sub(1).filter(|functions| *functions > 0 && nanoseconds > 0.0)?;
        Some(Profile { milliseconds: nanoseconds / 1e6, functions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_without_samples_is_none() {
        let read = |text: &str| serde_json::from_str::<ProfileResponse>(text).unwrap().into_profile();
        let found = read(r#"{ "flamegraph": { "names": ["total", "hash", "sort"], "total": "20000000" } }"#);
        assert_eq!(found, Some(Profile { milliseconds: 20.0, functions: 2 }));
        for empty in
            ["{}", r#"{ "flamegraph": {} }"#, r#"{ "flamegraph": { "names": ["total"], "total": "0" } }"#]
        {
            assert_eq!(read(empty), None);
        }
    }
}
