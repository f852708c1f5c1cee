//! What Prometheus knows, over its HTTP interface.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// How often a condition is looked at: more often than the fastest rules are evaluated.
pub const GLANCE: Duration = Duration::from_millis(150);

/// A client of Prometheus.
#[derive(Clone, Debug)]
pub struct PrometheusApi {
    base: String,
    http: reqwest::Client,
}

/// An alert that is pending or firing.
#[derive(Clone, Debug, Deserialize)]
pub struct ActiveAlert {
    labels: BTreeMap<String, String>,
    state: String,
}

/// A rule as Prometheus has loaded it.
#[derive(Clone, Debug, Deserialize)]
pub struct LoadedRule {
    /// The name of the alert or of the recorded series.
    pub name: String,
    /// What it evaluates.
    pub query: String,
    /// How long it must hold, in seconds; absent for recording rules.
    pub duration: Option<f64>,
    /// Why its last evaluation failed.
    #[serde(rename = "lastError", default)]
    pub last_error: String,
}

/// One series of an answer.
#[derive(Clone, Debug, Deserialize)]
pub struct Sample {
    /// Its labels.
    pub metric: BTreeMap<String, String>,
    /// Time and value.
    value: (f64, String),
}

#[derive(Deserialize)]
struct Answer<T> {
    data: Option<T>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Alerts {
    alerts: Vec<ActiveAlert>,
}

#[derive(Deserialize)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<LoadedRule>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum QueryResult {
    Vector(Vec<Sample>),
    Scalar((f64, String)),
}

impl PrometheusApi {
    /// The Prometheus at this address.
    pub fn new(address: SocketAddr) -> Self {
        Self { base: format!("http://{address}/api/v1"), http: reqwest::Client::new() }
    }

    /// All alerts that are pending or firing.
    pub async fn alerts(&self) -> Result<Vec<ActiveAlert>> {
        Ok(self.get::<Alerts>("alerts", &[]).await?.alerts)
    }

    /// All rules.
    pub async fn rules(&self) -> Result<Vec<LoadedRule>> {
        let groups = self.get::<Groups>("rules", &[]).await?.groups;
        Ok(groups.into_iter().flat_map(|group| group.rules).collect())
    }

    /// The series that a query gives now.
    pub async fn query(&self, query: &str) -> Result<Vec<Sample>> {
        Ok(match self.get("query", &[("query", query)]).await? {
            QueryResult::Vector(samples) => samples,
            QueryResult::Scalar(value) => vec![Sample { metric: BTreeMap::new(), value }],
        })
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, parameters: &[(&str, &str)]) -> Result<T> {
        let mut url = url::Url::parse(&format!("{}/{path}", self.base))?;
        url.query_pairs_mut().extend_pairs(parameters);
        let answer: Answer<T> = self.http.get(url).send().await?.json().await?;
        match answer {
            Answer { data: Some(data), .. } => Ok(data),
            Answer { error: Some(error), .. } => bail!("Prometheus: {error}"),
            _ => Err(anyhow!("Prometheus gave no data for {path}")),
        }
    }
}

impl ActiveAlert {
    /// Its name.
    pub fn name(&self) -> &str {
        self.labels.get("alertname").map_or("", String::as_str)
    }

    /// Whether it fires, rather than being pending.
    pub fn fires(&self) -> bool {
        self.state == "firing"
    }
}

impl Sample {
    /// Its value.
    pub fn value(&self) -> f64 {
        self.value.1.parse().unwrap_or(f64::NAN)
    }
}

/// Looks at something until it gives a value. `None` if it has not when the patience ends.
pub async fn until<T>(
    patience: Duration,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let end = Instant::now() + patience;
    loop {
        if let Some(value) = look().await? {
            return Ok(Some(value));
        }
        if Instant::now() >= end {
            return Ok(None);
        }
        tokio::time::sleep(GLANCE).await;
    }
}
