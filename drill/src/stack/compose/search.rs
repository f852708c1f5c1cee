use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::Value;
use time::OffsetDateTime;

use crate::catalogue::Process;

/// Looks for evidence where a runbook sends people to: log lines in Loki, spans in Tempo.
pub(super) struct Search {
    pub(super) tempo: SocketAddr,
    pub(super) loki: SocketAddr,
    pub(super) http: reqwest::Client,
}

impl Search {
    /// Whether Loki has a line with this event.
    pub(super) async fn finds_line(&self, process: Process, event: &str, since: Instant) -> Result<bool> {
        let query = format!(r#"{{service_name="{}"}} |= "{event}""#, process.service());
        let start = before_now(since).unix_timestamp_nanos().to_string();
        let url = format!("http://{}/loki/api/v1/query_range", self.loki);
        let answer = self.ask(&url, &[("query", &query), ("start", &start), ("limit", "1")]).await?;
        Ok(is_filled(&answer["data"]["result"]))
    }

    /// Whether Tempo has a trace with this span.
    pub(super) async fn finds_span(&self, process: Process, span: &str, since: Instant) -> Result<bool> {
        let query = format!(r#"{{ resource.service.name = "{}" && name = "{span}" }}"#, process.service());
        let start = before_now(since).unix_timestamp().to_string();
        let end = (OffsetDateTime::now_utc().unix_timestamp() + 1).to_string();
        let url = format!("http://{}/api/search", self.tempo);
        let answer =
            self.ask(&url, &[("q", &query), ("start", &start), ("end", &end), ("limit", "1")]).await?;
        Ok(is_filled(&answer["traces"]))
    }

    async fn ask(&self, url: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        let mut url = url::Url::parse(url)?;
        url.query_pairs_mut().extend_pairs(parameters);
        let answer = self.http.get(url.clone()).send().await?.error_for_status()?;
        answer.json().await.with_context(|| format!("the answer of {url}"))
    }
}

/// The stores know only the time of day.
fn before_now(moment: Instant) -> OffsetDateTime {
    OffsetDateTime::now_utc() - moment.elapsed()
}

fn is_filled(list: &Value) -> bool {
    list.as_array().is_some_and(|list| !list.is_empty())
}
