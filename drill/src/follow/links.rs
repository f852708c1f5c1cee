//! How Grafana's data sources lead to each other, as `grafana/provisioning/datasources` says: whoever follows what stands
//! there finds it as broken as a person would.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::profile::ProfileQuery;
use super::trace::Trace;
use crate::data_source::{Source, provisioned};

/// The links of the data sources.
#[derive(Clone, Debug)]
pub struct Links {
    prometheus: OfPrometheus,
    tempo: OfTempo,
    loki: OfLoki,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfPrometheus {
    exemplar_trace_id_destinations: Vec<Link<ExemplarLabel>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfTempo {
    traces_to_logs_v2: Link<ToLines>,
    traces_to_profiles: Link<ToProfile>,
    traces_to_metrics: Link<ToMetrics>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfLoki {
    derived_fields: Vec<Link<LineLabel>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Link<T> {
    datasource_uid: String,
    #[serde(flatten)]
    how: T,
}

#[derive(Clone, Debug, Deserialize)]
struct ExemplarLabel {
    name: String,
}

/// The label of a line, which Grafana calls a derived field.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LineLabel {
    matcher_regex: String,
}

#[derive(Clone, Debug, Deserialize)]
struct ToLines {
    query: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToProfile {
    profile_type_id: String,
    tags: Vec<Tag>,
}

/// A span's tag, and what it is called where the link leads.
#[derive(Clone, Debug, Deserialize)]
struct Tag {
    key: String,
    value: String,
}

#[derive(Clone, Debug, Deserialize)]
struct ToMetrics {
    queries: Vec<NamedQuery>,
}

/// What is asked of Prometheus about a span.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(super) struct NamedQuery {
    pub(super) name: String,
    pub(super) query: String,
}

impl Links {
    /// Reads the folder of the data sources that Grafana is given.
    ///
    /// # Errors
    /// When a data source or a link is missing, or leads to another server than it should.
    pub fn read(folder: &Path) -> Result<Self> {
        Self::of(&provisioned(folder)?).with_context(|| folder.display().to_string())
    }

    fn of(sources: &[Value]) -> Result<Self> {
        let links = Self {
            prometheus: settings(sources, Source::Prometheus)?,
            tempo: settings(sources, Source::Tempo)?,
            loki: settings(sources, Source::Loki)?,
        };
        links
            .prometheus
            .exemplar_trace_id_destinations
            .iter()
            .try_for_each(|link| link.leads_to(Source::Tempo))?;
        links.loki.derived_fields.iter().try_for_each(|link| link.leads_to(Source::Tempo))?;
        links.tempo.traces_to_logs_v2.leads_to(Source::Loki)?;
        links.tempo.traces_to_profiles.leads_to(Source::Pyroscope)?;
        links.tempo.traces_to_metrics.leads_to(Source::Prometheus)?;
        Ok(links)
    }

    /// The id of the trace that an exemplar with these labels leads to.
    pub(super) fn trace_of_exemplar<'l>(&self, labels: &'l BTreeMap<String, String>) -> Option<&'l str> {
        let links = &self.prometheus.exemplar_trace_id_destinations;
        links.iter().find_map(|link| labels.get(&link.how.name)).map(String::as_str)
    }

    /// The id of the trace that a line with these labels leads to.
    pub(super) fn trace_of_line<'l>(&self, labels: &'l BTreeMap<String, String>) -> Option<&'l str> {
        self.loki
            .derived_fields
            .iter()
            .find_map(|link| labels.get(&link.how.matcher_regex))
            .map(String::as_str)
    }

    /// What is asked of Loki about a trace, in LogQL.
    pub(super) fn lines(&self, trace: &Trace) -> Result<String> {
        filled(&self.tempo.traces_to_logs_v2.how.query, trace)
    }

    /// What is asked of Prometheus about a trace: at least one query.
    pub(super) fn metrics(&self, trace: &Trace) -> Result<Vec<NamedQuery>> {
        let queries = &self.tempo.traces_to_metrics.how.queries;
        ensure!(!queries.is_empty(), "tracesToMetrics has no queries");
        let about = |NamedQuery { name, query }: &NamedQuery| {
            Ok(NamedQuery { name: name.clone(), query: filled(query, trace)? })
        };
        queries.iter().map(about).collect()
    }

    /// What is asked of Pyroscope about a trace; `None` if its root has no profile.
    pub(super) fn profile(&self, trace: &Trace) -> Option<ProfileQuery> {
        let ToProfile { profile_type_id, tags } = &self.tempo.traces_to_profiles.how;
        let label = |Tag { key, value }: &Tag| Some(format!(r#"{value}="{}""#, trace.root.tag(key)?));
        let labels: Vec<_> = tags.iter().filter_map(label).collect();
        Some(ProfileQuery {
            kind: profile_type_id.clone(),
            labels: format!("{{{}}}", labels.join(",")),
            span: trace.root.profile_id()?.to_owned(),
        })
    }
}

impl<T> Link<T> {
    fn leads_to(&self, source: Source) -> Result<()> {
        let (found, expected) = (&self.datasource_uid, source.uid());
        ensure!(found == expected, "a link leads to the data source {found} and not to {expected}");
        Ok(())
    }
}

fn settings<T: DeserializeOwned>(sources: &[Value], source: Source) -> Result<T> {
    let uid = source.uid();
    let found = sources.iter().find(|source| source["uid"] == uid);
    let found = found.with_context(|| format!("there is no data source {uid}"))?;
    serde_json::from_value(found["jsonData"].clone())
        .with_context(|| format!("the links of data source {uid}"))
}

/// A provisioned text with a trace's values for variables such as `$${__span.name}`.
///
/// Grafana puts its environment in the place of every `$NAME` in the file, and leaves a `$` for every `$$`.
fn filled(provisioned: &str, trace: &Trace) -> Result<String> {
    let is_escaped = !provisioned.replace("$$", "").contains('$');
    ensure!(
        is_escaped,
        "Grafana takes a single $ for a variable of its environment; write $$ in {provisioned}"
    );
    let mut parts = provisioned.split("$${");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (variable, rest) =
            part.split_once('}').with_context(|| format!("a variable has no end in {provisioned}"))?;
        let value = value(variable, trace);
        text += value.with_context(|| {
            format!(
                "trace {} has no {variable}; known are __trace.traceId, __span.name and __span.tags",
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
        /// Those of the project.
        pub(in crate::follow) fn sample() -> Self {
            links(FILE).unwrap()
        }
    }

    fn links(text: &str) -> Result<Links> {
        let file: Value = yaml_serde::from_str(text)?;
        Links::of(file["datasources"].as_array().context("no list")?)
    }

    #[test]
    fn links_ask_for_what_belongs_to_the_trace() {
        let (links, trace) = (Links::sample(), Trace::sample());
        assert_eq!(links.lines(&trace).unwrap(), r#"{service_name=~"glasshouse.*"} | trace_id="t""#);
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
            assert_eq!(links.trace_of_line(&labels), leads_to);
        }
    }

    #[test]
    fn a_broken_link_is_named() {
        let problem = |from: &str, to: &str| {
            let broken = FILE.replace(from, to);
            assert_ne!(broken, FILE, "{from}");
            let lines = links(&broken).and_then(|links| links.lines(&Trace::sample()));
            format!("{:#}", lines.unwrap_err())
        };
        let problems = [
            ("uid: loki", "uid: lokki", "there is no data source loki"),
            ("datasourceUid: loki", "datasourceUid: tempo", "leads to the data source tempo and not to loki"),
            ("tracesToMetrics:", "tracesToNumbers:", "the links of data source tempo: missing field"),
            ("$${__trace.traceId}", "${__trace.traceId}", "write $$ in {service_name"),
            ("$${__trace.traceId}", "$${__trace.id}", "trace t has no __trace.id"),
            (
                "$${__trace.traceId}",
                r#"$${__span.tags["k8s.pod"]}"#,
                r#"trace t has no __span.tags["k8s.pod"]"#,
            ),
            ("$${__trace.traceId}", "$${__trace.traceId", "a variable has no end"),
        ];
        for (from, to, expected) in problems {
            let found = problem(from, to);
            assert!(found.contains(expected), "{found}");
        }
    }
}
