//! Links to Grafana's pages, where a person sees what was found.

use serde_json::{Value, json};
use url::Url;

use super::profile::ProfileQuery;
use super::trace::{RootSpan, Trace};
use crate::grafana::data_source::{DataSource, Uids};

/// Builds links into one Grafana.
#[derive(Clone, Debug)]
pub struct Explore {
    grafana: Url,
    uids: Uids,
}

impl Explore {
    /// Links into the Grafana at this URL.
    pub fn new(grafana: Url, uids: Uids) -> Self {
        Self { grafana, uids }
    }

    /// The dashboard of a panel, whose place is `UID, TITLE`.
    pub(super) fn dashboard(&self, place: &str) -> String {
        let uid = place.split(',').next().unwrap_or_default();
        format!("{}d/{uid}", self.grafana)
    }

    pub(super) fn trace(&self, trace: &Trace) -> String {
        let query = json!({ "queryType": "traceql", "query": trace.id });
        self.explore(DataSource::Tempo, query, Some(&trace.root))
    }

    /// The log records of a query, around a trace.
    pub(super) fn logs(&self, query: &str, trace: &Trace) -> String {
        self.explore(DataSource::Loki, json!({ "expr": query }), Some(&trace.root))
    }

    /// The profile of a span.
    pub(super) fn profile(&self, query: &ProfileQuery, trace: &Trace) -> String {
        let query = json!({
            "queryType": "profile",
            "profileTypeId": query.profile_type,
            "labelSelector": query.labels,
            "spanSelector": [query.span],
        });
        self.explore(DataSource::Pyroscope, query, Some(&trace.root))
    }

    /// The graph of a query.
    pub(super) fn metrics(&self, query: &str) -> String {
        self.explore(DataSource::Prometheus, json!({ "expr": query }), None)
    }

    /// Grafana's Explore page for one query: around a span, or of the last hour.
    fn explore(&self, source: DataSource, mut query: Value, around: Option<&RootSpan>) -> String {
        query["refId"] = "A".into();
        let range = match around {
            Some(root) => {
                let (from, to) = root.time_range();
                json!({ "from": from.to_string(), "to": to.to_string() })
            }
            None => json!({ "from": "now-1h", "to": "now" }),
        };
        let pane = json!({ "datasource": self.uids.get(source).unwrap_or_default(), "queries": [query], "range": range });
        let mut url = self.grafana.clone();
        url.set_path(&format!("{}explore", url.path()));
        url.query_pairs_mut()
            .append_pair("schemaVersion", "1")
            .append_pair("panes", &json!({ "a": pane }).to_string());
        url.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_opens_the_query_in_grafana() {
        let explore = Explore::new(
            Url::parse("http://127.0.0.1:3000").unwrap(),
            Uids::of(&[json!({ "type": "prometheus", "uid": "metrics" })]),
        );
        let link = Url::parse(&explore.metrics("up")).unwrap();
        assert_eq!(link.path(), "/explore");
        let (_, panes) = link.query_pairs().find(|(name, _)| name == "panes").unwrap();
        let panes: Value = serde_json::from_str(&panes).unwrap();
        assert_eq!(panes["a"]["datasource"], "metrics");
        assert_eq!(panes["a"]["queries"][0], json!({ "refId": "A", "expr": "up" }));
        assert_eq!(
            explore.dashboard("glasshouse-overview, Request duration"),
            "http://127.0.0.1:3000/d/glasshouse-overview"
        );
    }
}
