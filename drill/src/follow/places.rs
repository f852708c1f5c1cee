//! Where the servers are: behind Grafana's data sources or on their own; and where a person sees the same.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

use super::profile::ProfileQuery;
use super::trace::{Root, Trace};
use crate::data_source::Source;

/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Where the servers are.
#[derive(Clone, Debug)]
pub struct Places {
    grafana: Url,
    direct: Vec<(Source, Url)>,
    http: reqwest::Client,
}

impl Places {
    /// Everything is asked through this Grafana, but for the servers in `direct`.
    ///
    /// # Errors
    /// When there can be no client.
    pub fn new(grafana: Url, direct: Vec<(Source, Url)>) -> Result<Self> {
        Ok(Self { grafana, direct, http: reqwest::Client::builder().timeout(TIMEOUT).build()? })
    }

    /// What a server answers; `None` for 404.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        source: Source,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Option<T>> {
        let mut url = self.url(source, path)?;
        url.query_pairs_mut().extend_pairs(parameters);
        self.answer(url.clone(), self.http.get(url)).await
    }

    /// The same for a question that is a document.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        source: Source,
        path: &str,
        body: &Value,
    ) -> Result<Option<T>> {
        let url = self.url(source, path)?;
        self.answer(url.clone(), self.http.post(url).json(body)).await
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        url: Url,
        request: reqwest::RequestBuilder,
    ) -> Result<Option<T>> {
        let response = request
            .header("Accept", "application/json")
            .send()
            .await
            .with_context(|| format!("no answer from {url}"))?;
        let status = response.status();
        let text = response.text().await.with_context(|| url.to_string())?;
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !status.is_success() {
            bail!("{status} from {url}: {}", text.trim());
        }
        serde_json::from_str(&text).map(Some).with_context(|| format!("{url} answers something else: {text}"))
    }

    fn url(&self, source: Source, path: &str) -> Result<Url> {
        let own = self.direct.iter().find(|(direct, _)| *direct == source);
        let base = match own {
            Some((_, base)) => base.as_str().trim_end_matches('/').to_owned(),
            None => format!("{}api/datasources/proxy/uid/{}", self.grafana, source.uid()),
        };
        Ok(Url::parse(&format!("{base}/{path}"))?)
    }

    /// The dashboard of a panel, which is called `UID, TITLE`.
    pub(super) fn panel(&self, place: &str) -> String {
        let uid = place.split(',').next().unwrap_or_default();
        format!("{}d/{uid}", self.grafana)
    }

    /// A trace.
    pub(super) fn trace(&self, trace: &Trace) -> String {
        let query = json!({ "queryType": "traceql", "query": trace.id });
        self.explore(Source::Tempo, query, Some(&trace.root))
    }

    /// The lines of a query, around a trace.
    pub(super) fn lines(&self, query: &str, trace: &Trace) -> String {
        self.explore(Source::Loki, json!({ "expr": query }), Some(&trace.root))
    }

    /// The profile of a span.
    pub(super) fn profile(&self, query: &ProfileQuery, trace: &Trace) -> String {
        let query = json!({
            "queryType": "profile",
            "profileTypeId": query.kind,
            "labelSelector": query.labels,
            "spanSelector": [query.span],
        });
        self.explore(Source::Pyroscope, query, Some(&trace.root))
    }

    /// A graph of a query.
    pub(super) fn metrics(&self, query: &str) -> String {
        self.explore(Source::Prometheus, json!({ "expr": query }), None)
    }

    /// Grafana's view of one query: around a span, or of the last hour.
    fn explore(&self, source: Source, mut query: Value, around: Option<&Root>) -> String {
        query["refId"] = "A".into();
        let range = match around {
            Some(root) => {
                let (from, to) = root.around();
                json!({ "from": from.to_string(), "to": to.to_string() })
            }
            None => json!({ "from": "now-1h", "to": "now" }),
        };
        let pane = json!({ "datasource": source.uid(), "queries": [query], "range": range });
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

    fn places() -> Places {
        let url = |text: &str| Url::parse(text).unwrap();
        let direct = vec![(Source::Loki, url("http://127.0.0.1:3100"))];
        Places::new(url("http://127.0.0.1:3000"), direct).unwrap()
    }

    #[test]
    fn servers_are_asked_through_grafana_unless_their_own_address_is_known() {
        let url = |source| places().url(source, "ready").unwrap().to_string();
        assert_eq!(url(Source::Tempo), "http://127.0.0.1:3000/api/datasources/proxy/uid/tempo/ready");
        assert_eq!(url(Source::Loki), "http://127.0.0.1:3100/ready");
    }

    #[test]
    fn a_link_opens_the_query_in_grafana() {
        let link = Url::parse(&places().metrics("up")).unwrap();
        assert_eq!(link.path(), "/explore");
        let (_, panes) = link.query_pairs().find(|(name, _)| name == "panes").unwrap();
        let panes: Value = serde_json::from_str(&panes).unwrap();
        assert_eq!(panes["a"]["datasource"], "prometheus");
        assert_eq!(panes["a"]["queries"][0], json!({ "refId": "A", "expr": "up" }));
        assert_eq!(
            places().panel("glasshouse-overview, Response times"),
            "http://127.0.0.1:3000/d/glasshouse-overview"
        );
    }
}
