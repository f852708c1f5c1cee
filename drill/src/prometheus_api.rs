//! A client of Prometheus' HTTP API, and the shapes of its responses.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

/// A client of one Prometheus server.
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
    /// The expression, in PromQL.
    pub query: String,
    /// The `for` duration of an alert in seconds; `None` for a recording rule.
    pub duration: Option<f64>,
    /// The error of the last evaluation; empty if it succeeded.
    #[serde(rename = "lastError", default)]
    pub last_error: String,
}

/// A series with one value.
#[derive(Clone, Debug, Deserialize)]
pub struct Sample {
    /// The labels of the series.
    pub metric: BTreeMap<String, String>,
    /// Unix time in seconds, and the value as text.
    value: (f64, String),
}

/// The envelope of every response.
#[derive(Deserialize)]
pub(crate) struct Response<T> {
    data: Option<T>,
    error: Option<String>,
}

/// The data of an instant query.
#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
pub(crate) enum QueryResult {
    Vector(Vec<Sample>),
    Scalar((f64, String)),
}

#[derive(Deserialize)]
struct BuildInfo {
    version: String,
}

#[derive(Deserialize)]
struct AlertsData {
    alerts: Vec<ActiveAlert>,
}

#[derive(Deserialize)]
struct RulesData {
    groups: Vec<LoadedGroup>,
}

#[derive(Deserialize)]
struct LoadedGroup {
    rules: Vec<LoadedRule>,
}

impl PrometheusApi {
    /// A client of the server at this address.
    pub fn new(address: SocketAddr) -> Self {
        Self { base: format!("http://{address}/api/v1"), http: reqwest::Client::new() }
    }

    /// A client of the server at this URL, which may have a path.
    pub fn at(url: &Url) -> Self {
        let base = format!("{}/api/v1", url.as_str().trim_end_matches('/'));
        Self { base, http: reqwest::Client::new() }
    }

    /// The version of the server.
    pub async fn version(&self) -> Result<String> {
        Ok(self.get::<BuildInfo>("status/buildinfo", &[]).await?.version)
    }

    /// The page with the alerts. It is `/alerts`, and `/classic/alerts` in Debian's package, which leaves out the newer pages.
    pub async fn alerts_page(&self) -> String {
        let root = self.base.trim_end_matches("/api/v1");
        for page in ["/alerts", "/classic/alerts"] {
            let page = format!("{root}{page}");
            if self.http.get(&page).send().await.is_ok_and(|response| response.status().is_success()) {
                return page;
            }
        }
        format!("{root}/")
    }

    /// All pending and firing alerts.
    pub async fn alerts(&self) -> Result<Vec<ActiveAlert>> {
        Ok(self.get::<AlertsData>("alerts", &[]).await?.alerts)
    }

    /// All loaded rules.
    pub async fn rules(&self) -> Result<Vec<LoadedRule>> {
        let groups = self.get::<RulesData>("rules", &[]).await?.groups;
        Ok(groups.into_iter().flat_map(|group| group.rules).collect())
    }

    /// The result of an instant query at the current time.
    pub async fn query(&self, query: &str) -> Result<Vec<Sample>> {
        Ok(self.get::<QueryResult>("query", &[("query", query)]).await?.into_samples())
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, parameters: &[(&str, &str)]) -> Result<T> {
        let mut url = Url::parse(&format!("{}/{path}", self.base))?;
        url.query_pairs_mut().extend_pairs(parameters);
        let response: Response<T> = self.http.get(url).send().await?.json().await?;
        response.into_data().with_context(|| path.to_owned())
    }
}

impl<T> Response<T> {
    pub(crate) fn into_data(self) -> Result<T> {
        match self {
            Self { data: Some(data), .. } => Ok(data),
            Self { error: Some(error), .. } => bail!("Prometheus: {error}"),
            _ => Err(anyhow!("Prometheus returned no data")),
        }
    }
}

impl QueryResult {
    pub(crate) fn into_samples(self) -> Vec<Sample> {
        match self {
            Self::Vector(samples) => samples,
            Self::Scalar(value) => vec![Sample { metric: BTreeMap::new(), value }],
        }
    }
}

impl ActiveAlert {
    /// The name of the alert; empty if the label `alertname` is missing.
    pub fn name(&self) -> &str {
        self.labels.get("alertname").map_or("", String::as_str)
    }

    /// Whether the alert is firing, and not only pending.
    pub fn is_firing(&self) -> bool {
        self.state == "firing"
    }
}

impl Sample {
    /// The value; NaN if it is not a number.
    pub fn value(&self) -> f64 {
        self.value.1.parse().unwrap_or(f64::NAN)
    }
}
