//! Alerts: the rules of a Prometheus and their state, as it evaluates them. There are no rules here.

use std::time::Duration;

use anyhow::Context;
use glasshouse_telemetry::with_causes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

/// How long Prometheus may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A Prometheus, whose alerting rules are shown.
#[derive(Debug)]
pub struct Alerts {
    http: reqwest::Client,
    /// The address of its web pages, without credentials.
    prometheus: Url,
    rules: Url,
}

/// An alerting rule, and whether it fires.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alert {
    /// Its name, such as `HighErrorRate`.
    pub name: String,
    /// `inactive`, `pending` or `firing`.
    pub state: String,
    /// `critical` or `warning`.
    pub severity: Option<String>,
    /// The PromQL expression.
    pub expression: String,
    /// Its page in Prometheus.
    pub prometheus_url: String,
    /// The name of its runbook, if it has one.
    pub runbook: Option<String>,
    /// Its dashboard, while it is pending or firing and where there is a Grafana: of an inactive alert, Prometheus has the template of
    /// the link alone.
    pub dashboard_url: Option<String>,
    /// What Prometheus says about each of its series that is pending or firing, with the time since when.
    pub active: Vec<ActiveAlert>,
}

/// A series of an alert that is pending or firing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActiveAlert {
    /// The summary.
    pub summary: String,
    /// Since when it is active (RFC 3339).
    pub since: String,
    /// `pending` or `firing`.
    pub state: String,
}

/// A response of Prometheus' HTTP API, as far as it is read.
#[derive(Deserialize)]
struct Response {
    data: Groups,
}

#[derive(Deserialize)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    name: String,
    query: String,
    state: String,
    #[serde(default)]
    labels: Map<String, Value>,
    #[serde(default)]
    annotations: Map<String, Value>,
    #[serde(default)]
    alerts: Vec<Active>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Active {
    state: String,
    active_at: String,
    #[serde(default)]
    annotations: Map<String, Value>,
}

impl Alerts {
    /// The alerts of this Prometheus.
    ///
    /// # Errors
    /// When the HTTP client cannot be built, or the URL cannot have a path.
    pub fn new(prometheus: Url) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        // A prefix in the path is kept, such as that of a reverse proxy.
        let base = format!("{}/", prometheus.as_str().trim_end_matches('/'));
        let base = Url::parse(&base).context("GLASSHOUSE_PROMETHEUS_URL")?;
        let rules = base.join("api/v1/rules?type=alert").context("GLASSHOUSE_PROMETHEUS_URL")?;
        let mut shown = base;
        // They fail for a URL without a host alone, which has no credentials.
        let _ = (shown.set_username(""), shown.set_password(None));
        Ok(Self { http, prometheus: shown, rules })
    }

    /// The address of Prometheus.
    #[must_use]
    pub const fn prometheus(&self) -> &Url {
        &self.prometheus
    }

    /// All alerting rules with their state, those that fire first.
    ///
    /// # Errors
    /// When Prometheus does not respond, or responds with something else: why, for the page.
    pub async fn all(&self) -> Result<Vec<Alert>, String> {
        let fetch = async {
            let response = self.http.get(self.rules.clone()).send().await?.error_for_status()?;
            response.json::<Response>().await
        };
        // The URL is a setting, which may hold credentials.
        let response = fetch.await.map_err(|error| with_causes(&error.without_url()))?;
        let rules = response.data.groups.into_iter().flat_map(|group| group.rules);
        let mut alerts: Vec<_> = rules.map(|rule| self.alert(rule)).collect();
        alerts.sort_by_key(|alert| match &*alert.state {
            "firing" => 0,
            "pending" => 1,
            _ => 2,
        });
        Ok(alerts)
    }

    fn alert(&self, rule: Rule) -> Alert {
        let mut page = self.prometheus.clone();
        page.set_path(&format!("{}graph", page.path()));
        page.query_pairs_mut().append_pair("g0.expr", &rule.query).append_pair("g0.tab", "0");
        let runbook = text(&rule.annotations, "runbook_url").and_then(|url| runbook_name(&url));
        let dashboard = rule.alerts.iter().find_map(|active| text(&active.annotations, "dashboard_url"));
        let active = rule.alerts.into_iter().map(|active| ActiveAlert {
            summary: text(&active.annotations, "summary").unwrap_or_default(),
            since: active.active_at,
            state: active.state,
        });
        Alert {
            severity: text(&rule.labels, "severity"),
            dashboard_url: dashboard.filter(|url| can_resolve(url)),
            active: active.collect(),
            name: rule.name,
            state: rule.state,
            expression: rule.query,
            prometheus_url: page.into(),
            runbook,
        }
    }
}

fn text(values: &Map<String, Value>, name: &str) -> Option<String> {
    values.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// Whether the host of a URL can have an address. Names in `.example` have none (RFC 2606 §2): a stack without Grafana has them in the
/// links of its alerts.
fn can_resolve(url: &str) -> bool {
    let url = Url::parse(url).ok();
    url.and_then(|url| Some(!url.domain()?.ends_with(".example"))).unwrap_or(true)
}

/// The name of a runbook in its address: `high-error-rate` of `…/public/runbooks/high-error-rate.html`.
fn runbook_name(url: &str) -> Option<String> {
    let file = url.split(['#', '?']).next()?.rsplit('/').next()?;
    Some(file.strip_suffix(".md").or_else(|| file.strip_suffix(".html")).unwrap_or(file).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_never_resolves_is_no_link() {
        assert!(!can_resolve("http://grafana.example/d/overview"));
        for url in
            ["http://localhost:3000/d/overview", "https://127.0.0.1/d/a", "https://example.org", "/d/a"]
        {
            assert!(can_resolve(url), "{url}");
        }
    }

    #[test]
    fn a_runbook_is_named_by_its_file() {
        for url in [
            "docs/runbooks/slow-queries.md",
            "https://example.org/r/slow-queries.md#verify",
            "http://localhost:3000/public/runbooks/slow-queries.html",
            "slow-queries",
        ] {
            assert_eq!(runbook_name(url).as_deref(), Some("slow-queries"), "{url}");
        }
    }
}
