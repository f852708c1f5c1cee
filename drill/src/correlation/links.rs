//! The links between Grafana's data sources, read from `grafana/provisioning/datasources`, so that a broken link fails
//! here as it would in Grafana.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::profile::ProfileQuery;
use super::trace::Trace;
use crate::grafana::data_source::{DataSource, Uids, provisioned};

/// The links between the data sources.
#[derive(Clone, Debug)]
pub struct Links {
    prometheus: PrometheusLinks,
    tempo: TempoLinks,
    loki: LokiLinks,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PrometheusLinks {
    exemplar_trace_id_destinations: Vec<Link<ExemplarLabel>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TempoLinks {
    traces_to_logs_v2: Link<ToLogs>,
    traces_to_profiles: Link<ToProfile>,
    traces_to_metrics: Link<ToMetrics>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LokiLinks {
    derived_fields: Vec<Link<RecordLabel>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Link<T> {
    datasource_uid: String,
    #[serde(flatten)]
    target: T,
}

#[derive(Clone, Debug, Deserialize)]
struct ExemplarLabel {
    name: String,
}

/// The label of a log record, which Grafana calls a derived field.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordLabel {
    matcher_regex: String,
}

#[derive(Clone, Debug, Deserialize)]
struct ToLogs {
    query: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToProfile {
    profile_type_id: String,
    tags: Vec<Tag>,
}

/// The name of a span attribute, and the label that it becomes in the target.
#[derive(Clone, Debug, Deserialize)]
struct Tag {
    key: String,
    value: String,
}

#[derive(Clone, Debug, Deserialize)]
struct ToMetrics {
    queries: Vec<MetricsQuery>,
}

/// A query of Prometheus about a span.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(super) struct MetricsQuery {
    pub(super) name: String,
    pub(super) query: String,
}

impl Links {
    /// Reads the provisioning files of a folder.
    ///
    /// # Errors
    /// A data source or a link is missing, or leads to the wrong data source.
    pub fn read(folder: &Path) -> Result<Self> {
        Self::from_sources(&provisioned(folder)?).with_context(|| folder.display().to_string())
    }

    fn from_sources(sources: &[Value]) -> Result<Self> {
        let uids = Uids::of(sources);
        let links = Self {
            prometheus: settings(sources, &uids, DataSource::Prometheus)?,
            tempo: settings(sources, &uids, DataSource::Tempo)?,
            loki: settings(sources, &uids, DataSource::Loki)?,
        };
        links
            .prometheus
            .exemplar_trace_id_destinations
            .iter()
            .try_for_each(|link| link.leads_to(&uids, DataSource::Tempo))?;
        links.loki.derived_fields.iter().try_for_each(|link| link.leads_to(&uids, DataSource::Tempo))?;
        links.tempo.traces_to_logs_v2.leads_to(&uids, DataSource::Loki)?;
        links.tempo.traces_to_profiles.leads_to(&uids, DataSource::Pyroscope)?;
        links.tempo.traces_to_metrics.leads_to(&uids, DataSource::Prometheus)?;
        Ok(links)
    }

    /// The id of the trace that an exemplar with these labels leads to.
    pub(super) fn trace_of_exemplar<'l>(&self, labels: &'l BTreeMap<String, String>) -> Option<&'l str> {
        let links = &self.prometheus.exemplar_trace_id_destinations;
        links.iter().find_map(|link| labels.get(&link.target.name)).map(String::as_str)
    }

    /// The id of the trace that a log record with these labels leads to.
    pub(super) fn trace_of_record<'l>(&self, labels: &'l BTreeMap<String, String>) -> Option<&'l str> {
        self.loki
            .derived_fields
            .iter()
            .find_map(|link| labels.get(&link.target.matcher_regex))
            .map(String::as_str)
    }

    /// The LogQL query for the log records of a request: the selector of those of a trace, and the id of the request.
    pub(super) fn logs_of_request(&self, trace: &Trace, request_id: &str) -> Result<String> {
        let query = self.logs(trace)?;
        let selector = query.split('|').next().unwrap_or_default().trim_end();
        Ok(format!(r#"{selector} | request_id="{request_id}""#))
    }

    /// The LogQL query for the log records of a trace.
    pub(super) fn logs(&self, trace: &Trace) -> Result<String> {
        interpolate(&self.tempo.traces_to_logs_v2.target.query, trace)
    }

    /// The queries of Prometheus about a trace: at least one.
    pub(super) fn metrics(&self, trace: &Trace) -> Result<Vec<MetricsQuery>> {
        let queries = &self.tempo.traces_to_metrics.target.queries;
        ensure!(!queries.is_empty(), "tracesToMetrics has no queries");
        let resolve = |MetricsQuery { name, query }: &MetricsQuery| {
            Ok(MetricsQuery { name: name.clone(), query: interpolate(query, trace)? })
        };
        queries.iter().map(resolve).collect()
    }

    /// The selection of the profile of a trace; `None` if its root span has no profile id.
    pub(super) fn profile(&self, trace: &Trace) -> Option<ProfileQuery> {
        let ToProfile { profile_type_id, tags } = &self.tempo.traces_to_profiles.target;
        let label = |Tag { key, value }: &Tag| Some(format!(r#"{value}="{}""#, trace.root.tag(key)?));
        let labels: Vec<_> = tags.iter().filter_map(label).collect();
        Some(ProfileQuery {
            profile_type: profile_type_id.clone(),
            labels: format!("{{{}}}", labels.join(",")),
            span: trace.root.profile_id()?.to_owned(),
        })
    }
}

impl<T> Link<T> {
    fn leads_to(&self, uids: &Uids, source: DataSource) -> Result<()> {
        let (found, expected) = (&self.datasource_uid, uids.get(source)?);
        ensure!(found == expected, "a link leads to the data source {found} and not to {expected}");
        Ok(())
    }
}

fn settings<T: DeserializeOwned>(sources: &[Value], uids: &Uids, source: DataSource) -> Result<T> {
    let uid = uids.get(source)?;
    let found = sources.iter().find(|source| source["uid"] == uid);
    let found = found.with_context(|| format!("no data source {uid}"))?;
    serde_json::from_value(found["jsonData"].clone())
        .with_context(|| format!("the links of data source {uid}"))
}

/// Replaces variables such as `$${__span.name}` in a provisioned text by the values of a trace.
///
/// Grafana replaces every `$NAME` in the file by an environment variable, and `$$` by `$`.
fn interpolate(provisioned: &str, trace: &Trace) -> Result<String> {
    let is_escaped = !provisioned.replace("$$", "").contains('$');
    ensure!(is_escaped, "Grafana reads a single $ as an environment variable; write $$ in {provisioned}");
    let mut parts = provisioned.split("$${");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (variable, rest) =
            part.split_once('}').with_context(|| format!("unterminated variable in {provisioned}"))?;
        let value = value(variable, trace);
        text += value.with_context(|| {
            format!(
                "trace {} has no {variable}; supported are __trace.traceId, __span.name and __span.tags",
                trace.id
            )
        })?;
        text += rest;
    }
    Ok(text)
}

fn value<'t>(variable: &str, trace: &'t Trace) -> Option<&'t str> {
    match variable {
        "__trace.traceId" => Some(&trace.id),
        "__span.name" => Some(&trace.root.name),
        other => trace.root.tag(other.strip_prefix("__span.tags[\"")?.strip_suffix("\"]")?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("../../../grafana/provisioning/datasources/glasshouse.yml");

    impl Links {
        /// The links of this repository.
        pub(in crate::correlation) fn sample() -> Self {
            links(FILE).unwrap()
        }
    }

    fn links(text: &str) -> Result<Links> {
        let file: Value = yaml_serde::from_str(text)?;
        Links::from_sources(file["datasources"].as_array().context("no list")?)
    }

    #[test]
    fn links_are_resolved_with_the_values_of_the_trace() {
        let (links, trace) = (Links::sample(), Trace::sample());
        assert_eq!(links.logs(&trace).unwrap(), r#"{service_name=~"glasshouse.*"} | trace_id="t""#);
        let of_request = links.logs_of_request(&trace, "r").unwrap();
        assert_eq!(of_request, r#"{service_name=~"glasshouse.*"} | request_id="r""#);
        assert_eq!(
            links.metrics(&trace).unwrap()[0].query,
            "sum by (span_name) (rate(traces_span_metrics_duration_seconds_count{service_name=\"api\", \
             span_name=\"POST /v1/orders\"}[5m]))"
        );
        let profile = links.profile(&trace).unwrap();
        assert_eq!((&*profile.labels, &*profile.span), (r#"{service_name="api"}"#, "0f"));
        for (label, leads_to) in [("trace_id", Some("t")), ("span_id", None)] {
            let labels = [(label.to_owned(), "t".to_owned())].into();
            assert_eq!(links.trace_of_exemplar(&labels), leads_to);
            assert_eq!(links.trace_of_record(&labels), leads_to);
        }
    }

    #[test]
    fn a_broken_link_is_reported() {
        let problem = |from: &str, to: &str| {
            let broken = FILE.replace(from, to);
            assert_ne!(broken, FILE, "{from}");
            let logs = links(&broken).and_then(|links| links.logs(&Trace::sample()));
            format!("{:#}", logs.unwrap_err())
        };
        let problems = [
            ("type: loki", "type: lokki", "none of type loki with a uid"),
            ("datasourceUid: loki", "datasourceUid: tempo", "leads to the data source tempo and not to loki"),
            ("tracesToMetrics:", "tracesToNumbers:", "the links of data source tempo: missing field"),
            ("$${__trace.traceId}", "${__trace.traceId}", "write $$ in {service_name"),
            ("$${__trace.traceId}", "$${__trace.id}", "trace t has no __trace.id"),
            (
                "$${__trace.traceId}",
                r#"$${__span.tags["k8s.pod"]}"#,
                r#"trace t has no __span.tags["k8s.pod"]"#,
            ),
            ("$${__trace.traceId}", "$${__trace.traceId", "unterminated variable"),
        ];
        for (from, to, expected) in problems {
            let found = problem(from, to);
            assert!(found.contains(expected), "{found}");
        }
    }
}
