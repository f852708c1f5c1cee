//! Queries the telemetry stores of the stack: log records in Loki, spans in Tempo.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use time::OffsetDateTime;
use url::Url;

use crate::project::Attached;

/// A client of Loki and Tempo, where runbooks send people for evidence.
pub(super) struct TelemetryStores {
    pub(super) tempo: Option<Url>,
    pub(super) loki: Option<Url>,
    pub(super) http: reqwest::Client,
}

impl TelemetryStores {
    /// Whether Loki has a log record of this event since `since`.
    pub(super) async fn has_log_record(&self, service: &str, event: &str, since: Instant) -> Result<bool> {
        let query = format!(r#"{{service_name="{service}"}} |= "{event}""#);
        let start = wall_time(since).unix_timestamp_nanos().to_string();
        let response = self
            .get(
                "loki",
                &self.loki,
                "loki/api/v1/query_range",
                &[("query", &query), ("start", &start), ("limit", "1")],
            )
            .await?;
        Ok(is_nonempty_list(&response["data"]["result"]))
    }

    /// Whether Tempo has a span with this name since `since`.
    pub(super) async fn has_span(&self, service: &str, span: &str, since: Instant) -> Result<bool> {
        let query = format!(r#"{{ resource.service.name = "{service}" && name = "{span}" }}"#);
        let start = wall_time(since).unix_timestamp().to_string();
        let end = (OffsetDateTime::now_utc().unix_timestamp() + 1).to_string();
        let response = self
            .get(
                "tempo",
                &self.tempo,
                "api/search",
                &[("q", &query), ("start", &start), ("end", &end), ("limit", "1")],
            )
            .await?;
        Ok(is_nonempty_list(&response["traces"]))
    }

    /// Runs a query of LogQL over the last hour, if there is a Loki.
    pub(super) async fn run_logql(&self, query: &str) -> Result<()> {
        if self.loki.is_some() {
            let parameters = [("query", query), ("limit", "1")];
            self.get("loki", &self.loki, "loki/api/v1/query_range", &parameters).await?;
        }
        Ok(())
    }

    /// Runs a query of TraceQL, if there is a Tempo.
    pub(super) async fn run_traceql(&self, query: &str) -> Result<()> {
        if self.tempo.is_some() {
            self.get("tempo", &self.tempo, "api/search", &[("q", query), ("limit", "1")]).await?;
        }
        Ok(())
    }

    async fn get(
        &self,
        store: &str,
        base: &Option<Url>,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Value> {
        let base = Attached::required(store, base)?.as_str().trim_end_matches('/');
        let mut url = Url::parse(&format!("{base}/{path}"))?;
        url.query_pairs_mut().extend_pairs(parameters);
        let response = self.http.get(url.clone()).send().await?;
        let (status, text) = (response.status(), response.text().await?);
        ensure!(status.is_success(), "{store} answers {status}: {}", text.trim());
        serde_json::from_str(&text).with_context(|| format!("the response of {url}"))
    }
}

/// The wall-clock time of a moment.
fn wall_time(moment: Instant) -> OffsetDateTime {
    OffsetDateTime::now_utc() - moment.elapsed()
}

fn is_nonempty_list(list: &Value) -> bool {
    list.as_array().is_some_and(|list| !list.is_empty())
}
